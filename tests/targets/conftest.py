from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.firmware.types import Firmware
from tests.targets import kit

Builder = Callable[..., Firmware]


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Builds small firmwares, each once per session."""
    built: dict[tuple[str, kit.Source], Firmware] = {}

    def builder(core: str, code: str, layers: int = 1, language: str = "c", opt: str = "-O2") -> Firmware:
        source = kit.Source(code, layers, language, opt)
        if (core, source) not in built:
            built[core, source] = kit.build(tmp_path_factory.mktemp("firmware"), core, source)
        return built[core, source]

    return builder
