"""Platforms: like those that were tried, in step with the files in the repository, with the addresses of the C."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from engine.catalog.load import load_core
from engine.errors import ToolError, UsageError
from engine.firmware.mps2 import mps2_board
from engine.paths import FIRMWARE_DIR
from engine.targets.renode.machines import DRIVER_BYTES, renode_machine
from engine.targets.renode.platform import render_platform
from tests.targets.renode.fake_renode import MonitorError, load_platform
from tests.targets.renode.recordings import CORES, RECORDED

Entry = tuple[str, int | None, dict[str, str]]


def platform(core: str, folder: Path) -> dict[str, Entry]:
    path = folder / "platform.repl"
    path.write_text(render_platform(renode_machine(load_core(core))))
    return load_platform(path)


@pytest.mark.parametrize("core", CORES)
def test_it_is_one_of_the_recorded_platforms_on_another_map(core: str, tmp_path: Path) -> None:
    ours, theirs = platform(core, tmp_path), load_platform(RECORDED / "platforms" / f"{core}.repl")
    # same devices with the same properties; memories and the UART where the second link has them
    for name in ("nvic", "cpu", "dwt"):
        assert ours[name] == theirs[name]
    assert ours["uart0"][0] == theirs["uart0"][0]
    memories = {n: (e[1], int(e[2]["size"], 0)) for n, e in ours.items() if e[0] == "Memory.MappedMemory"}
    board = mps2_board(load_core(core))
    # in whole pages, so that an emulator can map them
    assert {n: memories[n] for n in ("ssram1", "ssram23")} == {
        m.name: (m.origin, -(-m.bytes // 4096) * 4096) for m in board.memories
    }
    assert memories.keys() - {"ssram1", "ssram23"} == {"fpgaio", "driver"}


@pytest.mark.parametrize("core", CORES)
def test_memories_do_not_overlap_and_the_driver_is_within_reach(core: str) -> None:
    machine = renode_machine(load_core(core))
    spans = sorted(
        [(m.origin, m.end) for m in machine.board.memories] + [(machine.driver, machine.driver + DRIVER_BYTES)]
    )
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert machine.driver + DRIVER_BYTES - machine.code.origin < 1 << 24


@pytest.mark.parametrize("core", CORES)
def test_the_files_for_use_by_hand_are_in_step(core: str) -> None:
    path = FIRMWARE_DIR / "renode" / f"{core}.repl"
    assert path.read_text() == render_platform(renode_machine(load_core(core))), (
        f"write it again: whycycles renode platform {core} > {path}"
    )


def test_addresses_are_those_of_the_port() -> None:
    secure, others = (FIRMWARE_DIR / "ports" / "mps2" / "port.c").read_text().split("#else", 1)
    for core, text in (("cortex-m33", secure), ("cortex-m4", others.split("#endif", 1)[0])):
        machine = renode_machine(load_core(core))
        defined = dict(re.findall(r"#define (\w+) (\w+?)u?$", text, re.MULTILINE))
        assert int(defined["UART_BASE"], 16) == machine.uart
        assert int(defined["FPGAIO_BASE"], 16) == machine.fpgaio
        assert int(defined["CLOCK_HZ"]) == machine.clock_hz


def test_the_m0plus_is_said_to_run_as_an_m3() -> None:
    machine = renode_machine(load_core("cortex-m0plus"))
    assert (machine.cpu_type, machine.runs_as) == ("cortex-m0+", "cortex-m3")
    assert 'Renode\'s "cortex-m0+" is its cortex-m3 model.' in render_platform(machine)
    assert renode_machine(load_core("cortex-m7")).runs_as == "cortex-m7"


def test_helium_cores_are_refused_with_the_figures_that_were_recorded() -> None:
    tests = json.loads((RECORDED / "mve_results.json").read_text())["tests"]
    verdicts = [t["verdict"] for t in tests]
    core = load_core("cortex-m33").model_copy(
        update={"name": "cortex-m55", "architecture": "armv8.1-m.main", "mve": True}
    )
    with pytest.raises(ToolError) as error:
        renode_machine(core)
    differing, silent = len(tests) - verdicts.count("same"), verdicts.count("WRONG")
    assert f"on {differing} of {len(tests)} instruction tests" in error.value.message
    assert f"on {silent} of them without a fault" in error.value.message
    page = (FIRMWARE_DIR.parent / "site_src" / "targets" / "renode.md").read_text()
    said = (
        f"On {differing} of {len(tests)}",
        f"{verdicts.count('FAULT')} fault, {verdicts.count('ABORT')} stop",
        f"and {silent}\n",
    )
    assert all(text in page for text in said)


def test_the_stand_in_refuses_what_renode_refused() -> None:
    for name, code in (("bad-syntax", "E00"), ("bad-peripheral", "E04"), ("bad-cputype", "E38")):
        with pytest.raises(MonitorError, match=code):
            load_platform(RECORDED / "platforms" / "bad" / f"{name}.repl")


def test_an_architecture_without_an_mps2_board_is_refused() -> None:
    core = load_core("cortex-m4").model_copy(update={"architecture": "armv9-m"})
    with pytest.raises(UsageError):
        renode_machine(core)
