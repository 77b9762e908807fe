"""Callgrind's output: the last inference's layers, and every way in which it may be missing or different."""

from __future__ import annotations

import contextlib
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings

from engine.errors import ExecutionError, ToolError, WhycyclesError
from engine.firmware.host import HostProgram
from engine.firmware.types import Compiler, CompilerName, KernelLibrary, LoweredLayer
from engine.targets.host.callgrind import cache_options, find_valgrind, parse_callgrind, simulate
from engine.targets.host.process import quiet_cpu
from tests.builders.damage import damaged
from tests.builders.host_records import machine

EVENTS = "Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw Bc Bcm Bi Bim"
LAYERS = tuple(
    LoweredLayer(n, f"layer {n}", "ADD", "wc_add_s8", KernelLibrary.REFERENCE, macs=0, weight_bytes=0) for n in range(2)
)
COLD, WARM = ("500 90 9 3 7 2 1 1 1 20 5 2 1", "40 10 5"), ("400 80 8 1 4 2 9 1 1 18 3 2 1", "30 9 4")


def program(path: Path = Path("program")) -> HostProgram:
    compiler = Compiler(CompilerName.CLANG, "22", "O2", ())
    return HostProgram(path, "a" * 64, compiler, LAYERS, (), (), 0)


def output(summaries: tuple[str, ...] = (*COLD, *WARM), events: str = EVENTS) -> str:
    text = (
        "# callgrind format\nversion: 1\ncreator: callgrind-3.19.0\ndesc: D1 cache: 32768 B, 64 B, 8-way associative\n"
    )
    for n, summary in enumerate(summaries, 1):
        text += f"part: {2 * n}\ndesc: Trigger: --dump-after=wc_layer_begin\nevents: {events}\nsummary: 3 2 1\n"
        text += f"part: {2 * n + 1}\ndesc: Trigger: --dump-before=wc_layer_end\nevents: {events}\nsummary: {summary}\n"
    return text + "part: 99\ndesc: Trigger: Program termination\nsummary: 1\n"


def test_the_second_inference_counts_layer_by_layer() -> None:
    found = parse_callgrind(output(), program())
    first, second = found.layers
    assert (first.instructions, first.reads, first.writes, first.i1_misses) == (400, 80, 8, 1)
    # data misses, reads and writes together; the instruction misses of the last level are not among them
    assert (first.d1_misses, first.ll_misses) == (6, 2)
    assert (first.branches, first.mispredictions) == (20, 4)
    # zeros at the end are left out
    assert (second.instructions, second.d1_misses, second.branches) == (30, 0, 0)
    assert found.total.instructions == 430
    assert found.tool == "callgrind-3.19.0"
    assert found.caches == ("D1 cache: 32768 B, 64 B, 8-way associative",)


def test_events_go_by_name() -> None:
    turned = " ".join(reversed(EVENTS.split()))
    found = parse_callgrind(output((" ".join(["0"] * 12 + ["7"]),) * 4, turned), program())
    assert found.layers[0].instructions == 7


@pytest.mark.parametrize(
    ("text", "kind", "what"),
    [
        ("", ToolError, "not in callgrind's format"),
        ("nonsense\n" + output(), ToolError, "not in callgrind's format"),
        (output(COLD), ExecutionError, "saw 2 layers instead of 4"),
        (output(events=EVENTS.replace(" Bcm", "")), ToolError, "does not count Bcm"),
        (output((*COLD, "9 1 1 0 5", "3")), ToolError, "contradict each other"),
        (output((*COLD, "1 two", "3")), ToolError, "summary is not understood"),
        (output((*COLD, "1 ²", "3")), ToolError, "summary is not understood"),
        (output((*COLD, "1 " + "2" * 5000, "3")), ToolError, "summary is not understood"),
        (output((*COLD, "1 " * 14, "3")), ToolError, "summary is not understood"),
    ],
)
def test_what_is_not_as_known_is_refused(text: str, kind: type[Exception], what: str) -> None:
    with pytest.raises(kind, match=what):
        parse_callgrind(text, program())


@settings(max_examples=40)
@given(damaged(output()))
def test_no_damage_is_more_than_a_refusal(text: str) -> None:
    # anything else than this refusal fails the test
    with contextlib.suppress(ToolError, ExecutionError):
        assert len(parse_callgrind(text, program()).layers) == 2


def test_caches_of_this_machine_are_simulated_where_they_can_be() -> None:
    assert cache_options(machine()) == ["--I1=32768,8,64", "--D1=32768,8,64", "--LL=33554432,8,64"]
    assert cache_options(machine(caches=())) == []
    odd = tuple(c.model_copy(update={"bytes": 48 << 10, "ways": 8}) for c in machine().caches if c.kind == "data")
    assert cache_options(machine(caches=odd)) == []
    unknown = tuple(c.model_copy(update={"ways": 0}) for c in machine().caches)
    assert cache_options(machine(caches=unknown)) == []


def _valgrind(folder: Path, body: str) -> Path:
    path = folder / "valgrind"
    path.write_text(f"#!{sys.executable} -IS\nimport os, signal, sys, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


WRITE = "out = next(a for a in sys.argv if a.startswith('--callgrind-out-file=')).split('=', 1)[1]\nopen(out, 'w').write({!r})"


def test_a_run_of_the_tool(tmp_path: Path) -> None:
    tool = _valgrind(
        tmp_path, "assert sys.stdin.read() == 'abc'\nassert sys.argv[-2:] == ['count', '1']\n" + WRITE.format(output())
    )
    found = simulate(program(), b"abc", machine(), quiet_cpu(), valgrind=tool)
    assert found == parse_callgrind(output(), program())


@pytest.mark.parametrize(
    ("body", "kind", "what"),
    [
        ("time.sleep(60)", ExecutionError, "callgrind gave no answer in 0.5 s"),
        ("os.kill(os.getpid(), signal.SIGKILL)", ExecutionError, "callgrind was ended by SIGKILL"),
        ("sys.exit('valgrind: unknown option')", ExecutionError, "exit code 1: valgrind: unknown option"),
        ("pass", ToolError, "left no counts"),
        (WRITE.format("broken"), ToolError, "not in callgrind's format"),
    ],
)
def test_every_end_is_one_message(tmp_path: Path, body: str, kind: type[WhycyclesError], what: str) -> None:
    with pytest.raises(kind, match=what) as refusal:
        simulate(program(), b"", machine(), quiet_cpu(), valgrind=_valgrind(tmp_path, body), timeout_s=0.5)
    assert refusal.value.hint


def test_without_the_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="valgrind is not installed"):
        find_valgrind()
    with pytest.raises(ToolError, match="cannot be started"):
        simulate(program(), b"", machine(), quiet_cpu(), valgrind=tmp_path / "nothing")
