"""From a graph to a firmware: caching, reproducible bytes, accounting, and two links of the same objects."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.catalog.board import Board
from engine.catalog.load import load_board, load_core
from engine.errors import DoesNotFitError, ToolError, UsageError
from engine.firmware import assemble
from engine.firmware import build as module
from engine.firmware.build import build
from engine.firmware.image import symbol_addresses
from engine.firmware.mps2 import emulated_board, mps2_board
from engine.firmware.toolchain.types import Toolchain
from engine.firmware.types import CompilerName, Firmware, KernelLibrary, Section
from engine.models.graph import Graph
from engine.models.library import resolve_model
from engine.models.reader import read_graph
from engine.models.samples import zoo_samples
from engine.paths import cache_dir
from tests.firmware.identical import functions
from tests.firmware.machine import Machine
from tests.firmware.toy import CORES

GCC = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
BOTH = pytest.mark.parametrize("compiler", [CompilerName.CLANG, pytest.param(CompilerName.GCC, marks=GCC)])
FAST_ON_TWO = pytest.mark.parametrize(
    "core", [c if c in ("cortex-m0plus", "cortex-m4") else pytest.param(c, marks=pytest.mark.slow) for c in CORES]
)
BOARDS = {
    "cortex-m0plus": "nucleo-g0b1re",
    "cortex-m3": "nucleo-f207zg",
    "cortex-m4": "nucleo-l4r5zi",
    "cortex-m7": "nucleo-h743zi",
    "cortex-m33": "nrf5340-dk",
    "cortex-m55": "apollo510-evb",
}


@pytest.fixture(scope="module")
def kws() -> Graph:
    return read_graph(resolve_model("kws").path)


def made(graph: Graph, **changes: object) -> Firmware:
    core = load_core(str(changes.pop("core", "cortex-m4")))
    options: dict[str, object] = {
        "model": "kws",
        "library": KernelLibrary.CMSIS_NN,
        "board": load_board(BOARDS[core.name]),
        "compiler": CompilerName.CLANG,
        "opt": "O2",
    }
    return build(graph, core=core, **(options | changes))  # type: ignore[arg-type]


@BOTH
@pytest.mark.parametrize("library", KernelLibrary)
@FAST_ON_TWO
def test_a_zoo_model_gives_the_oracles_bytes(
    kws: Graph, core: str, library: KernelLibrary, compiler: CompilerName
) -> None:
    where = mps2_board(CORES[core])
    firmware = made(kws, core=core, library=library, compiler=compiler, board=where)
    assert {layer.library for layer in firmware.layers if layer.kernel != "none"} <= set(KernelLibrary)
    sample = zoo_samples(kws.sha256)[0]
    machine = Machine(firmware.elf, where)
    machine.to_idle()
    arena = machine.symbols["wc_arena"]
    machine.uc.mem_write(arena + firmware.inputs[0].offset, sample.inputs)
    machine.call("wc_infer")
    place = firmware.outputs[0]
    assert bytes(machine.uc.mem_read(arena + place.offset, place.bytes)) == sample.outputs
    assert machine.uc.mem_read(machine.symbols["wc_status"], 4) == bytes(4)


def test_what_a_firmware_says_about_itself(kws: Graph) -> None:
    firmware = made(kws)
    board = load_board("nucleo-l4r5zi")
    assert firmware.elf_sha256 == hashlib.sha256(firmware.elf.read_bytes()).hexdigest()
    assert (firmware.board, firmware.core, firmware.model_sha256) == ("nucleo-l4r5zi", "cortex-m4", kws.sha256)
    assert firmware.kernels.version == "4.0.0 (bakenn 1.0.0)"
    assert firmware.compiler.opt == "O2"
    assert "-O2" in firmware.compiler.flags
    assert len(firmware.layers) == len(kws.main.operators)
    sizes = {s.name: s.bytes for s in firmware.sections}
    assert sizes[".wc_arena"] == -(-firmware.arena.bytes // 4) * 4
    assert sizes[".stack"] == firmware.stack_bytes == 4096
    assert sizes[".weights"] >= sum(layer.weight_bytes for layer in firmware.layers)
    assert firmware.ram_bytes == sum(sizes[n] for n in (".stack", ".wc_arena", ".bss", ".data") if n in sizes)
    assert firmware.flash_bytes == sum(
        sizes[n] for n in (".vectors", ".text", ".rodata", ".weights", ".data") if n in sizes
    )
    for section in firmware.sections:
        memory = board.memory(section.memory)
        assert memory.origin <= section.address
        assert section.address + section.bytes <= memory.end
    for symbol in ("Reset_Handler", "wc_idle", "wc_infer", "wc_layer_begin", "wc_layer_end", "wc_arena", "wc_status"):
        assert symbol in symbol_addresses(firmware.elf)


def test_the_second_call_neither_lowers_nor_compiles(kws: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    first = made(kws)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("this should have come from the cache")

    monkeypatch.setattr(module, "lower", never)
    monkeypatch.setattr(assemble, "compile_all", never)
    assert made(kws) == first
    with pytest.raises(AssertionError, match="cache"):
        made(kws, stack_bytes=8192)


def test_a_damaged_cache_entry_is_built_again(kws: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = cache_dir() / "runtime"
    made(kws)
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path))
    shutil.copytree(runtime, tmp_path / "runtime")
    first = made(kws, library=KernelLibrary.REFERENCE)
    first.elf.write_bytes(first.elf.read_bytes()[:-7])
    assert made(kws, library=KernelLibrary.REFERENCE) == first
    first.elf.with_name("firmware.json").write_text("{", encoding="utf-8")
    assert made(kws, library=KernelLibrary.REFERENCE) == first


def test_a_changed_weight_is_another_firmware(kws: Graph) -> None:
    """Graphs are told apart by content, not by the hash they carry."""
    tensors = list(kws.main.tensors)
    index = next(i for i, t in enumerate(tensors) if t.data is not None and t.data.dtype == "int8" and t.data.size > 64)
    data = tensors[index].data
    assert data is not None
    changed = data.copy()
    changed.flat[0] ^= 1
    tensors[index] = replace(tensors[index], data=changed)
    other = replace(kws, subgraphs=(replace(kws.main, tensors=tuple(tensors)), *kws.subgraphs[1:]))
    assert made(other).elf_sha256 != made(kws).elf_sha256


_ELSEWHERE = """
import sys
from pathlib import Path
from engine.catalog.load import load_board, load_core
from engine.firmware.build import build
from engine.firmware.types import CompilerName, KernelLibrary
from engine.models.reader import read_graph
graph = read_graph(Path(sys.argv[1]))
core = load_core("cortex-m4")
firmware = build(graph, model="kws", library=KernelLibrary.CMSIS_NN, board=load_board("nucleo-l4r5zi"), core=core,
                 compiler=CompilerName(sys.argv[2]), opt="O2", port=sys.argv[3])
print(firmware.elf_sha256, firmware.elf)
"""


@BOTH
@pytest.mark.parametrize("port", ["mps2", pytest.param("bare", marks=pytest.mark.slow)])
def test_the_same_bytes_in_another_folder(kws: Graph, compiler: CompilerName, port: str, tmp_path: Path) -> None:
    """Another checkout, another cache, another working directory: the ELF's hash is part of a record's provenance."""
    here = made(kws, compiler=compiler, port=port)
    checkout = tmp_path / "another checkout"
    root = Path(module.__file__).parents[2]
    for name in ("engine", "firmware"):
        shutil.copytree(root / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "work").mkdir()
    environment = os.environ | {"PYTHONPATH": str(checkout), "WHYCYCLES_CACHE": str(tmp_path / "cache")}
    model = str(resolve_model("kws").path)
    command = [sys.executable, "-c", _ELSEWHERE, model, compiler, port]
    done = subprocess.run(command, cwd=tmp_path / "work", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    sha256, elf = done.stdout.split(maxsplit=1)
    assert sha256 == here.elf_sha256
    content = Path(elf.strip()).read_bytes()
    assert b"model.c" in content, "there are line numbers"
    for secret in (str(tmp_path), str(root), str(Path.home()), sys.prefix):
        assert secret.encode() not in content


class _KeepRelocations:
    """A toolchain whose linker also writes down what it relocated; the code is the same."""

    def __init__(self, real: Toolchain) -> None:
        self._real = real

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def link_command(self, *arguments: object) -> list[str]:
        flag = "--emit-relocs" if self._real.name is CompilerName.CLANG else "-Wl,--emit-relocs"
        return [*self._real.link_command(*arguments), flag]  # type: ignore[arg-type]


@BOTH
@FAST_ON_TWO
def test_region_bodies_are_the_same_instructions_on_mps2(
    kws: Graph, core: str, compiler: CompilerName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = [
        made(kws, core=core, compiler=compiler),
        made(kws, core=core, compiler=compiler, board=mps2_board(CORES[core])),
    ]
    own_cache = tmp_path / "cache"
    for part in ("objects", "runtime"):
        if (cache_dir() / part).is_dir():
            (own_cache).mkdir(exist_ok=True)
            (own_cache / part).symlink_to(cache_dir() / part)
    real = module.toolchain
    monkeypatch.setenv("WHYCYCLES_CACHE", str(own_cache))
    monkeypatch.setattr(module, "toolchain", lambda name: _KeepRelocations(real(name)))
    found = []
    for board, port in (
        (load_board(BOARDS[core]), "bare"),
        (mps2_board(CORES[core]), "bare"),
        (mps2_board(CORES[core]), "mps2"),
    ):
        found.append(functions(made(kws, core=core, compiler=compiler, board=board, port=port).elf))
    ours, theirs, with_uart = found
    kernels = {layer.kernel for layer in plain[0].layers if layer.kernel != "none"}
    assert kernels | {"wc_infer", "wc_layer_begin", "wc_layer_end"} <= set(ours)
    assert set(ours) == set(theirs)
    assert set(ours) - set(with_uart) == set()
    # a port with a UART has markers that can take microseconds too; they are no part of a layer
    port_only = {"wc_port_init", "wc_port_run", "wc_layer_begin", "wc_layer_end"}
    moved = 0
    for name, function in ours.items():
        for other in (theirs, with_uart):
            if other is with_uart and name in port_only:
                continue
            assert function.places == other[name].places, name
            assert function.without_addresses() == other[name].without_addresses(), name
            moved += function.code != other[name].code
    # without this the test could not fail: a link to other addresses does change words
    assert moved > 0
    # and the links compared are the ones that are run
    for firmware, same in zip(plain, (ours, theirs), strict=True):
        with firmware.elf.open("rb") as stream:
            content = stream.read()
        for name in ("wc_infer", *kernels):
            assert same[name].code in content, name


@pytest.mark.parametrize("place", [{}, {"code": "sram3", "weights": "sram1"}])
def test_a_link_for_an_emulator_differs_in_addresses_only(kws: Graph, place: dict[str, str]) -> None:
    board = load_board("nucleo-l4r5zi")
    board = board.model_copy(update={"placement": board.placement.model_copy(update=place)})
    core = CORES["cortex-m4"]
    plain = made(kws, board=board)
    there = emulated_board(board, core, plain.sections)
    twin = made(kws, board=board, memory_map=there)
    assert twin.elf_sha256 != plain.elf_sha256
    assert {m.name for m in there.memories} == {s.memory for s in plain.sections}
    for ours, theirs in zip(plain.sections, sorted(twin.sections, key=lambda s: _rank(s, plain)), strict=True):
        assert (ours.name, ours.memory, ours.bytes) == (theirs.name, theirs.memory, theirs.bytes)
        moved = there.memory(ours.memory).origin - board.memory(ours.memory).origin
        assert theirs.address - ours.address == moved
    machine = mps2_board(core)
    for memory in there.memories:
        assert any(m.origin <= memory.origin and memory.end <= m.end for m in machine.memories)


def test_code_within_a_call_of_the_boot_memory_stays_there_for_an_emulator(kws: Graph) -> None:
    """The Apollo510's MRAM calls its ITCM directly: a veneer in the emulator's link alone would shift what follows."""
    board = load_board("apollo510-evb")
    board = board.model_copy(update={"placement": board.placement.model_copy(update={"code": "itcm"})})
    core = load_core("cortex-m55")
    plain = made(kws, board=board, core=core.name)
    there = emulated_board(board, core, plain.sections)
    twin = made(kws, board=board, core=core.name, memory_map=there)
    assert _in_memory(twin, there) == _in_memory(plain, board)
    memories = sorted(there.memories, key=lambda m: m.origin)
    assert all(one.end <= next_one.origin for one, next_one in itertools.pairwise(memories))
    machine = mps2_board(core)
    for memory in there.memories:
        assert any(m.origin <= memory.origin and memory.end <= m.end for m in machine.memories)


def _in_memory(firmware: Firmware, board: Board) -> set[tuple[str, int, int]]:
    return {(s.name, s.address - board.memory(s.memory).origin, s.bytes) for s in firmware.sections}


def _rank(section: Section, plain: Firmware) -> int:
    return [s.name for s in plain.sections].index(section.name)


def test_what_an_emulator_has_no_room_for_is_refused(kws: Graph) -> None:
    board = load_board("nucleo-l4r5zi")
    sections = made(kws).sections
    huge = replace(sections[-1], bytes=5 << 20)
    with pytest.raises(DoesNotFitError, match="does not fit QEMU's mps2-an386"):
        emulated_board(board, CORES["cortex-m4"], [*sections[:-1], huge])
    near = load_board("apollo510-evb")
    near = near.model_copy(update={"placement": near.placement.model_copy(update={"code": "itcm"})})
    code = Section(".text", "code", "itcm", near.memory("itcm").origin, 200 << 10)
    constants = Section(".weights", "weights", "flash", near.memory("flash").origin, 400 << 10)
    with pytest.raises(DoesNotFitError, match="614400 bytes of code and constants does not fit QEMU's mps3-an547"):
        emulated_board(near, load_core("cortex-m55"), [code, constants])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"opt": "O9"}, "O9"),
        ({"port": "toaster"}, "toaster"),
        ({"stack_bytes": 100}, "100"),
        ({"stack_bytes": 1001}, "1001"),
    ],
)
def test_bad_options(kws: Graph, changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        made(kws, **changes)


@BOTH
def test_a_model_too_large_for_the_board(kws: Graph, compiler: CompilerName) -> None:
    board = load_board("nucleo-g0b1re")
    small = tuple(m.model_copy(update={"bytes": 18432}) if m.name == "sram" else m for m in board.memories)
    with pytest.raises(
        DoesNotFitError, match=r"memory 'sram' \(18432 bytes.*overflows by \d+ bytes.*arena 16000 bytes"
    ):
        made(kws, core="cortex-m0plus", compiler=compiler, board=board.model_copy(update={"memories": small}))


def test_an_absurd_arena_is_refused_before_compiling(kws: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.lower

    def huge(*arguments: object, **options: object) -> object:
        lowered = real(*arguments, **options)  # type: ignore[arg-type]
        return replace(lowered, arena=replace(lowered.arena, bytes=3 << 30))

    monkeypatch.setattr(module, "lower", huge)
    monkeypatch.setattr(module, "firmware_key", lambda *_: "absent")
    monkeypatch.setattr(assemble, "compile_all", None)
    with pytest.raises(DoesNotFitError, match=r"overflows by at least \d+ bytes"):
        made(kws)


def test_a_cache_that_cannot_be_written_is_one_message(
    kws: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ToolError, match="cannot use the cache folder") as raised:
        made(kws)
    assert "WHYCYCLES_CACHE" in raised.value.hint


def test_placement_decides_where_weights_lie(kws: Graph) -> None:
    board = load_board("nucleo-l4r5zi")
    memory = board.placement.activations
    moved = board.model_copy(update={"placement": board.placement.model_copy(update={"weights": memory})})
    before, after = made(kws), made(kws, board=moved)
    weights = next(s for s in after.sections if s.kind == "weights")
    assert weights.memory == memory
    assert after.ram_bytes == before.ram_bytes + weights.bytes
    assert abs(after.flash_bytes - before.flash_bytes) < 32
