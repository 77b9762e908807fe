from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.catalog.board import Board
from engine.firmware.types import Firmware
from tests.targets import kit

Builder = Callable[..., Firmware]


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Builds small firmwares, each once per session."""
    built: dict[tuple[str, kit.Source, str], Firmware] = {}

    def builder(
        core: str,
        code: str,
        layers: int = 1,
        language: str = "c",
        opt: str = "-O2",
        memories: Board | None = None,
    ) -> Firmware:
        source = kit.Source(code, layers, language, opt)
        key = (core, source, "" if memories is None else repr([m.origin for m in memories.memories]))
        if key not in built:
            built[key] = kit.build(tmp_path_factory.mktemp("firmware"), core, source, memories)
        return built[key]

    return builder
