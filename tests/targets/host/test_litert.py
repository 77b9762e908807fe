"""LiteRT's process and perf around it: with stand-ins for both, every way to fail; counters that are not there say why."""

from __future__ import annotations

import stat
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ExecutionError, ToolError
from engine.records.host import HostRuntime
from engine.targets.host import flamegraph, litert, perf
from engine.targets.host.flamegraph import find_py_spy, record_flamegraph
from engine.targets.host.litert import time_litert
from engine.targets.host.perf import EVENTS, parse_counters
from engine.targets.host.process import quiet_cpu

TIMES = "import sys\nsys.stdin.buffer.read()\nsys.stdout.buffer.write(b''.join(n.to_bytes(8, 'little') for n in (100, 300, 200, 400)))"


def _script(path: Path, body: str) -> Path:
    path.write_text(f"#!{sys.executable} -IS\nimport os, signal, subprocess, sys, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No perf but the test's own, and LiteRT taken to be installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(litert, "litert_version", lambda: "2.3.0")
    monkeypatch.setattr(flamegraph, "litert_version", lambda: "2.3.0")


def _time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str = TIMES, timeout_s: float = 20) -> HostRuntime:
    child = tmp_path / "child.py"
    child.write_text(body)
    monkeypatch.setattr(litert, "CHILD", child)
    return time_litert(tmp_path / "m.tflite", b"data", quiet_cpu(), warm_up=1, repeats=4, timeout_s=timeout_s)


def test_percentiles_are_of_the_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _time(
        tmp_path, monkeypatch, TIMES + "\nprint('INFO: Created TensorFlow Lite XNNPACK delegate', file=sys.stderr)"
    )
    t = found.latency
    assert (t.repeats, t.warm_up, t.threads, t.cpu) == (4, 1, 1, quiet_cpu())
    assert (t.least_ms, t.p50_ms, t.most_ms) == (0.0001, 0.00025, 0.0004)
    assert t.p95_ms == round(float(np.percentile([100, 200, 300, 400], 95)) / 1e6, 6)
    assert found.delegate == "XNNPACK"
    assert {c.reason for c in found.counters} == {"perf is not installed"}
    assert _time(tmp_path, monkeypatch).delegate == "none that LiteRT told of"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (
            "import sys; sys.exit('ValueError: Model provided has model identifier')",
            "LiteRT ended with exit code 1: ValueError",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "LiteRT was ended by SIGSEGV"),
        ("import time; time.sleep(60)", "LiteRT gave no answer in 0.5 s"),
        ("print('hello')", "wrote 6 bytes of times"),
    ],
)
def test_every_end_of_its_process_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, what: str
) -> None:
    with pytest.raises(ExecutionError, match=what):
        _time(tmp_path, monkeypatch, body, timeout_s=0.5)


def test_without_litert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(litert, "PACKAGE", "no-such-package")
    with pytest.raises(ToolError, match="no-such-package is not installed") as refusal:
        litert.litert_version()
    assert "pip install" in refusal.value.hint


RUN_THEN = """
at = sys.argv.index("--")
out = sys.argv[sys.argv.index("--output") + 1]
done = subprocess.run(sys.argv[at + 1:], stdin=sys.stdin.buffer)
open(out, "w").write({!r})
sys.exit(done.returncode)
"""
REFUSED = """
if "stat" in sys.argv:
    print("Access to performance monitoring and observability operations is limited.", file=sys.stderr)
    sys.exit(255)
"""


def _fields(values: dict[str, str], running: str = "100.00") -> str:
    return "# started\n\n" + "".join(f"{v};;{e};400;{running};;\n" for e, v in values.items())


def test_counters_are_per_inference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _script(tmp_path / "perf", RUN_THEN.format(_fields({e.perf: str(400 + n) for n, e in enumerate(EVENTS)})))
    found = {c.event: c.value for c in _time(tmp_path, monkeypatch).counters}
    assert found["cycles"] == 100.0
    assert found["branch_misses"] == 102.25


def test_a_perf_that_is_refused_costs_the_counters_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paranoid = tmp_path / "paranoid"
    paranoid.write_text("3\n")
    monkeypatch.setattr(perf, "_PARANOID", paranoid)
    _script(tmp_path / "perf", REFUSED)
    found = _time(tmp_path, monkeypatch)
    assert found.latency.repeats == 4
    reason = found.counters[0].reason
    assert "perf_event_paranoid is 3" in reason
    assert "observability operations is limited" in reason


def test_each_counter_has_a_value_or_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(perf, "_PARANOID", tmp_path / "absent")
    text = _fields(
        {"cycles:u": "80", "instructions": "<not supported>", "branches": "<not counted>", "branch-misses": "x"}
    )
    found = {c.event: c for c in parse_counters(text, 4)}
    assert found["cycles"].value == 20.0
    assert "offers no such counter" in found["instructions"].reason
    assert found["branches"].reason == "the kernel did not count it"
    assert "not understood: 'x'" in found["branch_misses"].reason
    assert found["llc_loads"].reason == "perf does not report it"
    shared = parse_counters(_fields({"cycles": "80"}, running="20.00"), 4)
    assert "only 20 % of the time" in shared[0].reason


def test_what_a_program_started_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A perf that hangs is killed with the process that it started, which would wait for ever on its pipe."""
    mark = tmp_path / "alive"
    child = f"import time, pathlib\ntime.sleep(0.7)\npathlib.Path({str(mark)!r}).touch()"
    _script(tmp_path / "perf", f"subprocess.Popen([sys.executable, '-c', {child!r}])\ntime.sleep(60)")
    assert "gave no answer" in _time(tmp_path, monkeypatch, timeout_s=0.3).counters[0].reason
    time.sleep(0.6)
    assert not mark.exists()


def test_a_flame_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out" / "f.svg"
    tool = _script(tmp_path / "spy", "open(sys.argv[sys.argv.index('--output') + 1], 'w').write('<svg/>')")
    record_flamegraph(tmp_path / "m.tflite", b"", quiet_cpu(), 1.0, out, tool=tool)
    assert out.read_text() == "<svg/>"
    for body, what in (
        ("sys.exit('Permission denied')", "Permission denied"),
        ("pass", "left no picture"),
        ("time.sleep(60)", "no answer"),
    ):
        with pytest.raises(ToolError, match=what):
            record_flamegraph(
                tmp_path / "m.tflite", b"", quiet_cpu(), 1.0, out, tool=_script(tmp_path / "spy", body), timeout_s=0.5
            )
    assert out.read_text() == "<svg/>"
    monkeypatch.setattr(flamegraph.sys, "executable", str(tmp_path / "nowhere" / "python"))
    with pytest.raises(ToolError, match="py-spy is not installed"):
        find_py_spy()
