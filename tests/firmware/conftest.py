"""What tests that compare firmwares with the oracle ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.firmware import bitexact


@pytest.fixture(scope="module")
def oracle_and_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The oracle, and one cache for the session; skips where the oracle has no wheel."""
    bitexact.require_oracle()
    with pytest.MonkeyPatch.context() as patch:
        bitexact.use_shared_cache(patch, tmp_path_factory)
        yield
