"""Benchmark firmware: what is planned for a board, that it does the work it says, and that its checksums prove it."""

import dataclasses
import shutil

import numpy as np
import pytest

from engine.catalog.access_waits import front_of
from engine.catalog.board import Board, MemoryKind
from engine.catalog.load import list_boards, load_board, load_core
from engine.counters.count import count_regions
from engine.errors import UsageError
from engine.firmware.bench.build import build_benchmarks
from engine.firmware.bench.expect import expected_output
from engine.firmware.bench.lower import lower_benchmarks
from engine.firmware.bench.plan import plan_benchmarks
from engine.firmware.bench.types import Plan, Work
from engine.firmware.image import symbol_addresses
from engine.firmware.link import linker_script
from engine.firmware.types import CompilerName, Firmware
from engine.targets.types import Execution
from engine.targets.unicorn_target import UnicornTarget

SEEDS = [bytes(4), b"\x01\x00\x00\x80", b"\xff\xff\xff\xff"]


def planned(name: str) -> tuple[Board, Plan]:
    board = load_board(name)
    return board, plan_benchmarks(board, load_core(board.core))


def executed(name: str, compiler: CompilerName = CompilerName.CLANG) -> tuple[Board, Plan, Firmware, Execution]:
    board, plan = planned(name)
    firmware = build_benchmarks(plan, board, load_core(board.core), compiler=compiler)
    return board, plan, firmware, UnicornTarget(board).run(firmware, SEEDS)


@pytest.mark.parametrize(
    ("board", "instructions"),
    [
        ("nucleo-g0b1re", ["MULS+ADDS"]),
        ("nucleo-f207zg", ["MUL+ADD", "MLA"]),
        ("nucleo-l4r5zi", ["MUL+ADD", "MLA", "SMLAD", "VFMA.F32"]),
    ],
)
def test_every_instruction_of_the_core_that_multiplies_is_measured(board: str, instructions: list[str]) -> None:
    _, plan = planned(board)
    assert [b.instructions for b in plan.benchmarks if b.work is Work.MAC] == instructions


def test_every_memory_of_every_board_is_read_and_copied_or_says_why_not() -> None:
    for board in list_boards():
        _, plan = planned(board.name)
        names = [b.name for b in plan.benchmarks]
        assert len(set(names)) == len(names)
        for memory in board.memories:
            works = {b.work for b in plan.benchmarks if b.memory == memory.name}
            assert works == {Work.READ, Work.COPY} or any(memory.name in s.name for s in plan.skipped)
            cache = front_of(memory, board.flash).data
            sets = {
                b.resident: b.working_set_bytes
                for b in plan.benchmarks
                if b.memory == memory.name and b.work is Work.READ
            }
            if cache is None:
                assert set(sets) == {None}
            else:
                assert sets[True] <= cache.bytes // 2
                assert sets[False] >= 2 * cache.bytes - 512


def test_buffers_fit_beside_the_firmware_or_are_left_out() -> None:
    board, _ = planned("nucleo-l4r5zi")
    core = load_core(board.core)

    def with_sram2(size: int) -> Plan:
        memories = tuple(m.model_copy(update={"bytes": size}) if m.name == "sram2" else m for m in board.memories)
        return plan_benchmarks(board.model_copy(update={"memories": memories}), core)

    tiny = with_sram2(1024)
    assert [s.name for s in tiny.skipped] == ["read-sram2"]
    assert "too small" in tiny.skipped[0].reason
    assert "sram2" not in tiny.buffer_memories
    small = with_sram2(4096)
    assert not small.skipped
    sets = {b.name: b.working_set_bytes for b in small.benchmarks if b.memory == "sram2"}
    assert set(sets.values()) == {4096}


def test_a_memory_that_holds_no_more_than_the_cache_has_no_stream_beyond_it() -> None:
    board, _ = planned("nucleo-h743zi")
    memories = tuple(
        m.model_copy(update={"bytes": 40 * 1024}) if m.kind is MemoryKind.FLASH else m for m in board.memories
    )
    plan = plan_benchmarks(board.model_copy(update={"memories": memories}), load_core(board.core))
    assert {b.resident for b in plan.benchmarks if b.memory == "flash"} == {True}
    assert "cache" in next(s.reason for s in plan.skipped if s.name == "read-flash-ldr")


def test_a_ram_behind_the_data_cache_is_measured_within_and_beyond_it() -> None:
    board, _ = planned("nucleo-h743zi")
    assert board.flash.dcache is not None
    behind = board.flash.dcache.model_copy(update={"also_serves": ("axi_sram",)})
    flash = board.flash.model_copy(update={"dcache": behind})
    plan = plan_benchmarks(board.model_copy(update={"flash": flash}), load_core(board.core))

    def resident(memory: str) -> set[bool | None]:
        return {b.resident for b in plan.benchmarks if b.memory == memory}

    assert resident("axi_sram") == resident("flash") == {True, False}
    assert resident("dtcm") == {None}


COMPILERS = [
    CompilerName.CLANG,
    pytest.param(
        CompilerName.GCC,
        marks=pytest.mark.skipif(
            shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
        ),
    ),
]


@pytest.mark.parametrize("compiler", COMPILERS)
# ARMv6-M with an XIP cache, M3, M4 with several RAMs, M33, M7 with TCM
@pytest.mark.parametrize(
    "name", ["raspberry-pi-pico", "nucleo-f207zg", "nucleo-l4r5zi", "nrf5340-dk", "stm32f746g-disco"]
)
def test_checksums_are_the_hosts_and_the_counted_work_is_the_stated(name: str, compiler: CompilerName) -> None:
    board, plan, firmware, execution = executed(name, compiler)
    for seed, output in zip(SEEDS, execution.outputs, strict=True):
        assert output == expected_output(plan, seed)
    counted = count_regions(firmware, execution, board)
    for b, c in zip(plan.benchmarks, counted, strict=False):
        assert 0 <= c.flash_read_bytes + c.ram_read_bytes + c.ram_write_bytes - b.bytes <= 256, b.name
        if b.instructions in ("MLA", "SMLAD"):
            assert c.mac_lanes == b.macs
        elif b.instructions in ("MUL+ADD", "MULS+ADDS"):
            assert c.multiply_instructions in (b.macs, b.macs + 1)
        elif b.instructions == "LDR":
            assert abs(c.load_instructions - b.bytes // 4) < 32
        read = b.bytes // (2 if b.work is Work.COPY else 1)
        if b.memory:
            assert (c.flash_read_bytes >= read) == (board.memory(b.memory).kind is MemoryKind.FLASH)


def test_a_benchmark_that_skips_work_or_reads_elsewhere_changes_its_checksum() -> None:
    _, plan = planned("nucleo-l4r5zi")
    right = np.frombuffer(expected_output(plan, SEEDS[1]), np.uint32)
    for n, b in enumerate(plan.benchmarks):
        if b.pattern is None:
            other = dataclasses.replace(b, macs=b.macs - 2)
        else:
            # a copy moves the same words in every pass: one block less shows, one pass less does not
            other = dataclasses.replace(
                b, pattern=dataclasses.replace(b.pattern, loads=b.pattern.loads - 1, sampled_word=0)
            )
        changed = Plan((*plan.benchmarks[:n], other, *plan.benchmarks[n + 1 :]), plan.buffers, ())
        assert np.frombuffer(expected_output(changed, SEEDS[1]), np.uint32)[n] != right[n], b.name


def test_buffers_lie_in_their_memories_and_constants_are_stored() -> None:
    board, plan, firmware, _ = executed("stm32f746g-disco")
    symbols = symbol_addresses(firmware.elf)
    for buffer in plan.buffers:
        memory = board.memory(buffer.memory)
        address = symbols[f"wc_bench_{buffer.memory}"]
        assert memory.origin <= address <= memory.end - buffer.bytes
        section = next(s for s in firmware.sections if s.name == f".wc_bench_{buffer.memory}")
        assert (section.memory, section.kind) == (buffer.memory, "constants" if buffer.constant else "bss")
    in_flash = sum(b.bytes for b in plan.buffers if b.constant)
    assert in_flash < firmware.flash_bytes < in_flash + 32 * 1024


def test_the_same_plan_gives_the_same_elf_and_a_models_script_has_no_buffers() -> None:
    board, plan = planned("nucleo-l4r5zi")
    core = load_core(board.core)
    assert build_benchmarks(plan, board, core) == build_benchmarks(plan, board, core)
    assert "wc_bench" not in linker_script(board)
    assert linker_script(board, buffers=("sram2",)).count(".wc_bench_") == 1
    assert [layer.name for layer in lower_benchmarks(plan, board).layers] == [b.name for b in plan.benchmarks]
    with pytest.raises(UsageError, match="port"):
        build_benchmarks(plan, board, core, port="moon")
