"""What perf offers here is asked of perf itself, and `doctor` says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ToolError
from engine.pipeline import doctor
from engine.targets.host.perf import EVENTS, offered_counters


@pytest.fixture
def perf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "perf"


def _install(path: Path, rows: str, code: int = 0) -> None:
    path.write_text(f"#!/bin/sh\nprintf '{rows}' >&2\nexit {code}\n")
    path.chmod(0o755)


def _rows(answer: str) -> str:
    return "".join(f"{answer};;{e.perf};1000;100.00;;\\n" for e in EVENTS)


def test_counters_that_are_offered(perf: Path) -> None:
    _install(perf, _rows("7"))
    assert {c.value for c in offered_counters()} == {7.0}
    found = doctor._perf()
    assert (found.found, found.detail) == (True, f"{len(EVENTS)} of {len(EVENTS)} counters")


def test_a_perf_without_counters_is_not_called_present(perf: Path) -> None:
    _install(perf, _rows("<not supported>"))
    found = doctor._perf()
    assert not found.found
    assert found.detail.startswith(f"0 of {len(EVENTS)} counters; cycles: the processor offers no such counter")


def test_a_perf_that_fails_or_is_absent(perf: Path) -> None:
    with pytest.raises(ToolError, match="not installed"):
        offered_counters()
    _install(perf, "", 1)
    assert "ended with exit code 1" in doctor._perf().detail
    perf.write_text("#!/no/such/interpreter\n")
    assert "cannot be run" in doctor._perf().detail
