"""From an ELF through a script, hooks and files to counts, on a stand-in that parses the script and executes the code."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from engine.catalog.load import load_core
from engine.counters.count import count_regions
from engine.errors import BadInputError, CheckFailedError, ExecutionError, ToolError, UsageError
from engine.firmware.mps2 import mps2_board
from engine.firmware.types import Firmware
from engine.pipeline.agree import differences
from engine.pipeline.emulators import EMULATORS
from engine.targets.renode import process, target
from engine.targets.renode.find import Renode, find_renode
from engine.targets.renode.process import RenodeLimits
from engine.targets.session import same_profile
from engine.targets.types import Execution
from engine.targets.unicorn_target import UnicornTarget
from tests.firmware.toy import expected
from tests.targets.renode.conftest import Toy
from tests.targets.renode.recordings import CORES

INPUT = bytes((7 * n + 3) % 256 for n in range(64))
EIGHT = bytes([1, 2, 3, 4, 5, 6, 7, 0xF8])
LIMITS = RenodeLimits(100_000, 50_000, start_seconds=20, wall_seconds=60)

pytestmark = pytest.mark.usefixtures("renode")


def on_unicorn(firmware: Firmware, *inputs: bytes) -> Execution:
    return UnicornTarget(mps2_board(load_core(firmware.core)), firmware.core).run(firmware, inputs)


def instructions(firmware: Firmware, execution: Execution) -> tuple[int, ...]:
    return tuple(c.instructions for c in count_regions(firmware, execution, mps2_board(load_core(firmware.core))))


@pytest.mark.parametrize("core", CORES)
def test_counts_and_outputs_are_those_of_the_default_target(small_net: Toy, core: str) -> None:
    firmware = small_net(core)
    execution = on_unicorn(firmware, INPUT, bytes(64))
    found = target.count(firmware, load_core(core), [INPUT, bytes(64)], limits=LIMITS)
    assert found.instructions == instructions(firmware, execution)
    assert found.outputs == execution.outputs
    assert found.outputs[0] != found.outputs[1]
    assert (found.target, found.target_version) == ("renode", "1.16.1")
    assert found.machine == ("cortex-m3" if core == "cortex-m0plus" else core)
    assert found.loads is None


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m33"])
def test_the_whole_harness_with_its_uart_port(toy: Toy, core: str) -> None:
    found = target.count(toy(core), load_core(core), [EIGHT, bytes(8)], limits=LIMITS)
    assert found.outputs[0] == bytes(q & 0xFF for q in expected(EIGHT))
    assert found.outputs[1] == bytes(2)
    assert len(found.instructions) == 3
    assert min(found.instructions) > 0


def test_a_trace_gives_the_same_profile_and_accesses(small_net: Toy) -> None:
    firmware = small_net("cortex-m4")
    execution = on_unicorn(firmware, INPUT)
    found = target.trace(firmware, load_core("cortex-m4"), INPUT, accesses=True, limits=LIMITS)
    assert same_profile(found.profile, execution.profile)
    assert found.output == execution.outputs[0]
    counters = count_regions(firmware, execution, mps2_board(load_core("cortex-m4")))
    assert found.loads == tuple(c.read_accesses for c in counters)
    assert found.stores == tuple(c.write_accesses for c in counters)


def test_agreement_takes_blocks_and_accesses_from_a_trace(small_net: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    (renode,) = (e for e in EMULATORS if e.trace)
    assert renode.trace is not None
    (unicorn,) = (e for e in EMULATORS if e.name == "unicorn")
    core, firmware = load_core("cortex-m4"), small_net("cortex-m4")
    found, ours = (f(firmware, core, [INPUT, bytes(64)]) for f in (renode.trace, unicorn.count))
    assert not list(differences(firmware, ours, found))
    assert found.loads == ours.loads is not None
    assert found.stores == ours.stores
    traced = target.trace(firmware, core, INPUT, accesses=True)
    fewer = dataclasses.replace(traced.profile, count=traced.profile.count - 1)
    monkeypatch.setattr(target, "trace", lambda *_, **__: dataclasses.replace(traced, profile=fewer))
    with pytest.raises(CheckFailedError, match="other edges between blocks"):
        renode.trace(firmware, core, [INPUT])
    monkeypatch.setattr(target, "MOST_TRACED", 100)
    assert renode.trace(firmware, core, [INPUT]).loads is None


def test_a_long_inference_is_not_traced(small_net: Toy) -> None:
    with pytest.raises(ExecutionError, match=r"of [\d,]+ instructions is too long to trace \(at most 1,000\)"):
        target.trace(small_net("cortex-m3"), load_core("cortex-m3"), INPUT, most=1000, limits=LIMITS)


FAULTS = {
    "jump": ("((void (*)(void))0x90000001u)()", r"the CPU stopped at 0x90000000"),
    "load": (
        "wc_arena[40] = *(volatile uint8_t *)0x90000000u",
        r"read from an address without memory 0x90000000 by code at 0x.* \(wc_infer",
    ),
    "store": ("*(volatile uint32_t *)0x90000004u = 1", r"write to an address without memory 0x90000004"),
    "undefined": ('__asm volatile(".inst.n 0xde00")', r"the firmware faulted, between layers of inference 1"),
    "loop": (
        'for (;;) __asm volatile("")',
        r"did not finish within 0\.\d+ s of virtual time, between layers of inference 1",
    ),
    "kernel": (
        "if (wc_inputs[0].data[0] == 1) wc_inputs[0].data[7] = 100",
        r"the kernel of layer 1 \(layer1\) reported an error",
    ),
    "state": (
        'static int n; for (int i = 0; i < n; ++i) __asm volatile(""); ++n',
        r"the second inference of the same input",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_goes_wrong_in_the_firmware_is_said(toy: Toy, name: str) -> None:
    hook, message = FAULTS[name]
    kind = CheckFailedError if name == "state" else ExecutionError
    with pytest.raises(kind, match=message) as error:
        target.count(toy("cortex-m4", hook), load_core("cortex-m4"), [EIGHT], limits=LIMITS)
    assert error.value.hint


@pytest.mark.parametrize(
    ("trouble", "kind", "message"),
    [
        ("deaf", ToolError, r"did not start within 0\.4 s and said nothing"),
        ("stuck", ExecutionError, r"did not (finish|end after the last inference) within 0\.9 s of real time"),
        ("fatal", ExecutionError, r"Renode itself crashed: System\.IO"),
        ("killed", ExecutionError, r"was killed by SIGKILL"),
        ("cpu-halted", ExecutionError, r"the CPU never started"),
    ],
)
def test_what_goes_wrong_in_renode_is_said(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trouble: str, kind: type[Exception], message: str
) -> None:
    renode = find_renode()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("FAKE_RENODE", trouble)
    start = 0.4 if trouble == "deaf" else 20
    limits = dataclasses.replace(LIMITS, start_seconds=start, wall_seconds=0.9 if trouble == "stuck" else 60)
    with pytest.raises(kind, match=message):
        target.count(toy(), load_core("cortex-m4"), [EIGHT], renode=renode, limits=limits)
    assert not _left(tmp_path)


def test_unknown_options_end_renode_with_exit_code_zero_and_are_noticed(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrapper = tmp_path / "renode"
    wrapper.write_text(f'#!/bin/sh\nexec "{find_renode().path}" --no-such-option "$@"\n')
    wrapper.chmod(0o755)
    with pytest.raises(ToolError, match="does not know the options --no-such-option"):
        target.count(toy(), load_core("cortex-m4"), [EIGHT], renode=Renode(wrapper, "1.16.1", "Mono"), limits=LIMITS)


def test_a_platform_that_renode_refuses(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "render_platform", lambda _: "cpu: CPU.CortexM @ sysbus\n    size 4\n")
    with pytest.raises(BadInputError, match=r"refuses the platform description: Error E00: .*platform\.repl:2:10"):
        target.count(toy(), load_core("cortex-m4"), [EIGHT], limits=LIMITS)


def test_shared_temporary_folders_are_left_alone(toy: Toy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    others = tmp_path / "renode-123456"
    others.mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    target.count(toy(), load_core("cortex-m4"), [EIGHT], limits=LIMITS)
    # Renode deletes numbered folders of its TMPDIR; ours had one of its own, and is gone
    assert list(tmp_path.iterdir()) == [others]


def test_a_temporary_folder_with_a_blank_in_its_name(toy: Toy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "my files").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "my files"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert target.count(toy(), load_core("cortex-m4"), [EIGHT], limits=LIMITS).outputs


def test_code_for_another_core_is_refused_before_anything_runs(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_: pytest.fail("started"))
    renode = Renode(Path("/nowhere"), "1.16.1", "Mono")
    with pytest.raises(BadInputError, match=r"was built for armv7e-m .*; the cortex-m0plus "):
        target.count(toy("cortex-m4"), load_core("cortex-m0plus"), [EIGHT], renode=renode)
    with pytest.raises(UsageError, match="the model takes 8"):
        target.count(toy("cortex-m4"), load_core("cortex-m4"), [b"1"], renode=renode)
    gone = dataclasses.replace(toy(), elf=Path("/nowhere.elf"))
    with pytest.raises(BadInputError, match="not a readable ELF"):
        target.count(gone, load_core("cortex-m4"), [EIGHT], renode=renode)


def test_an_interrupt_leaves_nothing_running(toy: Toy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    firmware, renode = toy(), find_renode()
    monkeypatch.setenv("FAKE_RENODE", "stuck")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def interrupt() -> None:
        while not [*tmp_path.glob("*/*/renode-*")]:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        target.count(firmware, load_core("cortex-m4"), [EIGHT], renode=renode, limits=LIMITS)
    assert not _left(tmp_path)


def test_a_process_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_TERMINATE_SECONDS", 0.2)
    with subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 60 & wait; sleep 60"], start_new_session=True) as child:
        time.sleep(0.1)
        process.stop(child)
        assert child.poll() == -signal.SIGKILL


def _left(folder: Path) -> list[str]:
    """Processes with this folder in their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return [text for text in found if str(folder) in text]
