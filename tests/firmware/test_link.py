"""Linker scripts from boards, overflows, parts that live in RAM, and two links of the same objects."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.catalog.board import Board, Memory, MemoryKind, Placement
from engine.catalog.load import load_board, load_core
from engine.catalog.override_text import parse_override
from engine.catalog.overrides import override
from engine.errors import BuildError, DoesNotFitError, UsageError
from engine.firmware.image import read_image, symbol_addresses
from engine.firmware.link import STACK_BYTES, boot_memory, link, linker_script, parse_overflows, refuse_absurd
from engine.firmware.mps2 import has_mps2_machine, mps2_board, mps2_core, mps2_machine
from engine.firmware.toolchain import cpu_for, toolchain
from engine.firmware.types import CompilerName
from tests.firmware.machine import Machine
from tests.firmware.toy import CORES, expected, toy_objects

GCC = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
BOTH = pytest.mark.parametrize("name", [CompilerName.CLANG, pytest.param(CompilerName.GCC, marks=GCC)])
STIMULUS = bytes([5, 0, 3, 0xFF, 9, 1, 2, 7])


def memory(name: str, kind: MemoryKind, origin: int, size: int) -> Memory:
    return Memory(name=name, kind=kind, origin=origin, bytes=size, source="made up for this test")


def board(core: str = "cortex-m4", *, flash: int = 0x4000, sram: int = 0x4000, **place: str) -> Board:
    """A made-up board with flash, SRAM and two tightly coupled memories."""
    placement = {"code": "flash", "weights": "flash", "activations": "sram", "stack": "sram"} | place
    return mps2_board(CORES[core]).model_copy(
        update={
            "name": "made-up",
            "memories": (
                memory("itcm", MemoryKind.ITCM, 0x0001_0000, 0x4000),
                memory("flash", MemoryKind.FLASH, 0x0800_0000, flash),
                memory("sram", MemoryKind.SRAM, 0x2000_0000, sram),
                memory("dtcm", MemoryKind.DTCM, 0x2400_0000, 0x4000),
            ),
            "placement": Placement(**placement),
        }
    )


def linked(folder: Path, name: CompilerName, where: Board, opt: str = "O2", port: str = "bare") -> Path:
    folder.mkdir(exist_ok=True)
    tools, cpu = toolchain(name), cpu_for(CORES[where.core])
    link(tools, cpu, toy_objects(folder, tools, cpu, opt, port), where, folder / "f.elf")
    return folder / "f.elf"


def infer(elf: Path, where: Board) -> list[int]:
    machine = Machine(elf, where)
    machine.to_idle()
    arena = machine.symbols["wc_arena"]
    machine.uc.mem_write(arena, STIMULUS)
    machine.call("wc_infer")
    return [b - 256 if b > 127 else b for b in machine.uc.mem_read(arena + 32, 2)]


@BOTH
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("opt", ["O3", *(pytest.param(o, marks=pytest.mark.slow) for o in ("O0", "Os"))])
def test_reset_to_result_on_every_core(name: CompilerName, core: str, opt: str, tmp_path: Path) -> None:
    where = board(core)
    assert infer(linked(tmp_path / "x", name, where, opt), where) == expected(STIMULUS)


@BOTH
@pytest.mark.parametrize(
    "place",
    [
        {"weights": "sram"},
        {"code": "itcm", "activations": "dtcm", "stack": "dtcm"},
        {"code": "itcm", "weights": "dtcm", "stack": "dtcm"},
        {"activations": "dtcm"},
    ],
)
def test_parts_may_live_in_any_memory(name: CompilerName, place: dict[str, str], tmp_path: Path) -> None:
    where = board(**place)
    elf = linked(tmp_path / "x", name, where)
    image = read_image(elf, where)
    kinds = {s.kind: s.memory for s in image.sections if s.name != ".vectors"}
    assert kinds["code"] == where.placement.code
    assert kinds["weights"] == where.placement.weights
    assert kinds["arena"] == kinds["data"] == kinds["bss"] == where.placement.activations
    assert kinds["stack"] == where.placement.stack
    assert image.sections[0].memory == "flash" or where.placement.code == "itcm"
    sizes = {s.kind: s.bytes for s in image.sections if s.name != ".vectors"}
    copied = [kind for kind in ("code", "weights") if kinds[kind] != "flash"]
    assert image.ram_bytes == sum(sizes[k] for k in ("data", "bss", "arena", "stack", *copied))
    assert image.flash_bytes == sum(s.bytes for s in image.sections if s.kind not in ("bss", "arena", "stack"))
    assert image.stack_bytes == STACK_BYTES
    # the image is stored in flash; start-up brings every part to its place
    assert infer(elf, where) == expected(STIMULUS)


def test_the_vector_table_is_at_the_start_of_the_boot_memory(tmp_path: Path) -> None:
    for place in ({}, {"code": "itcm"}):
        where = board(**place)
        symbols = symbol_addresses(linked(tmp_path / "x", CompilerName.CLANG, where))
        assert symbols["wc_vectors"] == boot_memory(where).origin == 0x0800_0000
        assert symbols["wc_stack_bottom"] == 0x2000_0000
        assert symbols["wc_stack_top"] == 0x2000_0000 + STACK_BYTES
        assert symbols["wc_arena"] % 16 == 0


@BOTH
def test_a_full_memory_is_named_with_the_bytes_too_many(name: CompilerName, tmp_path: Path) -> None:
    tools, cpu = toolchain(name), cpu_for(CORES["cortex-m4"])
    objects = toy_objects(tmp_path, tools, cpu, "O2", "bare")
    fits = board()
    link(tools, cpu, objects, fits, tmp_path / "f.elf")
    symbols = symbol_addresses(tmp_path / "f.elf")
    used = symbols["wc_arena_end"] - 0x2000_0000
    link(tools, cpu, objects, board(sram=used), tmp_path / "f.elf")
    with pytest.raises(DoesNotFitError) as raised:
        link(tools, cpu, objects, board(sram=used - 12), tmp_path / "f.elf", needs={"arena": 48, "weights": 7})
    message = raised.value.message
    assert "weights" not in message  # they lie in flash, which is large enough
    assert f"memory 'sram' ({used - 12} bytes: activations, stack) overflows by 12 bytes" in message
    assert "arena 48 bytes" in message
    assert f"stack {STACK_BYTES} bytes" in message
    assert "--place activations=" in raised.value.hint
    with pytest.raises(
        DoesNotFitError, match=r"memory 'flash' \(512 bytes: code, weights\) overflows by \d+ bytes"
    ) as raised:
        link(tools, cpu, objects, board(flash=512), tmp_path / "f.elf")
    assert "Os" in raised.value.hint


def test_a_part_that_is_too_large_alone_is_refused_with_what_else_is_known() -> None:
    needs = {"arena": 600, "weights": 400}
    small = board(
        sram=STACK_BYTES + 592, flash=392, weights="itcm"
    )  # the weights alone do not fit, the arena with the stack
    with pytest.raises(DoesNotFitError) as raised:
        refuse_absurd(small, needs, STACK_BYTES)
    message = raised.value.message
    assert f"memory 'sram' ({STACK_BYTES + 592} bytes: activations, stack) overflows by at least 8 bytes" in message
    assert "memory 'flash' (392 bytes: code, weights to copy) overflows by at least 8 bytes" in message
    # each part fits alone: the linker will know to the byte
    refuse_absurd(board(sram=STACK_BYTES + 592, flash=400), needs, STACK_BYTES)


def test_a_memory_that_was_made_too_small_is_told_its_size() -> None:
    described = load_board("nucleo-f446re")
    shrunk = override(described, load_core("cortex-m4"), [parse_override("memories.sram.bytes=8192")])[0]
    with pytest.raises(DoesNotFitError) as raised:
        refuse_absurd(shrunk, {"arena": 9001, "weights": 1}, STACK_BYTES)
    assert raised.value.hint.startswith(f"sram needs more than {9001 + STACK_BYTES + 7} bytes; ")
    with pytest.raises(DoesNotFitError) as raised:
        refuse_absurd(described, {"arena": 1 << 20, "weights": 1}, STACK_BYTES)
    assert "needs" not in raised.value.hint


def test_overflow_messages_of_both_linkers() -> None:
    lld = (
        "ld.lld: error: section '.bss' will not fit in region 'sram': overflowed by 16 bytes\n"
        "ld.lld: error: section '.wc_arena' will not fit in region 'sram': overflowed by 400 bytes\n"
    )
    gnu = "ld: a.elf section `.text' will not fit in region `flash'\nld: region `flash' overflowed by 77 bytes\n"
    assert parse_overflows(lld) == {"sram": 400}
    assert parse_overflows(gnu) == {"flash": 77}
    assert parse_overflows("ld.lld: error: undefined symbol: x") == {}


@BOTH
def test_an_undefined_function_is_a_build_error(name: CompilerName, tmp_path: Path) -> None:
    tools, cpu = toolchain(name), cpu_for(CORES["cortex-m4"])
    extra = "void nowhere(void);\n#define TOY_HOOK nowhere()\n"
    objects = toy_objects(tmp_path, tools, cpu, "O2", "bare", extra=extra)
    with pytest.raises(BuildError, match="nowhere"):
        link(tools, cpu, objects, board(), tmp_path / "f.elf")


def test_markers_are_not_merged_or_inlined(tmp_path: Path) -> None:
    for name in CompilerName:
        if name is CompilerName.GCC and shutil.which("arm-none-eabi-gcc") is None:
            continue
        for opt in ("O0", "O2", "O3", "Os"):
            symbols = symbol_addresses(linked(tmp_path / "x", name, board(), opt))
            assert len({symbols[s] for s in ("wc_layer_begin", "wc_layer_end", "wc_idle", "wc_infer")}) == 4


@pytest.mark.parametrize("name", ["nucleo-g0b1re", "nucleo-f207zg", "nucleo-l4r5zi", "nucleo-h743zi", "nrf5340-dk"])
def test_catalogue_boards_link(name: str, tmp_path: Path) -> None:
    where = load_board(name)
    assert "ENTRY(Reset_Handler)" in linker_script(where)
    elf = linked(tmp_path / "x", CompilerName.CLANG, where)
    assert read_image(elf, where).sections[0].address == min(s.address for s in read_image(elf, where).sections)
    assert infer(elf, where) == expected(STIMULUS)


def test_mps2_boards() -> None:
    machines = {core: mps2_machine(load_core(core)) for core in CORES}
    assert machines == {
        "cortex-m0plus": "mps2-an385",
        "cortex-m3": "mps2-an385",
        "cortex-m4": "mps2-an386",
        "cortex-m7": "mps2-an500",
        "cortex-m33": "mps2-an505",
    }
    m85 = CORES["cortex-m33"].model_copy(update={"name": "cortex-m85", "architecture": "armv8.1-m.main"})
    assert (mps2_machine(m85), mps2_core(m85)) == ("mps3-an547", "cortex-m55")
    other = CORES["cortex-m33"].model_copy(update={"name": "cortex-m23", "architecture": "armv8-m.base"})
    assert not has_mps2_machine(other)
    with pytest.raises(UsageError):
        mps2_board(other)
