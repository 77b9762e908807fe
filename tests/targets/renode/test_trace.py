"""Execution traces: every recorded binary format against counts that were taken without the tracer."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadInputError
from engine.targets.image import Image
from engine.targets.renode.blocks import profile_of
from engine.targets.renode.trace import AccessKind, Trace
from tests.targets.renode.recordings import RECORDED

TRACES = RECORDED / "traces"
EXPECTED = json.loads((TRACES / "expected.json").read_text())
BY_PC = {int(pc, 16): n for pc, n in EXPECTED["count_by_pc"].items()}
WITH_PC = ("pc.bin", "pc.bin.gz", "pc_mem.bin", "pcop.bin", "pcop_mem.bin")
ACCESSES = {
    "MemoryIORead": AccessKind.IO_READ,
    "MemoryIOWrite": AccessKind.IO_WRITE,
    "MemoryRead": AccessKind.READ,
    "MemoryWrite": AccessKind.WRITE,
}


def trace(kind: str) -> Trace:
    return Trace(TRACES / f"trace-m4.{kind}")


@pytest.mark.parametrize("kind", WITH_PC)
def test_instructions_are_those_that_hooks_counted(kind: str) -> None:
    assert Counter(trace(kind).pcs().tolist()) == BY_PC
    assert len(trace(kind).pcs()) == EXPECTED["executed_instructions"]


@pytest.mark.parametrize("kind", ["pc_mem.bin", "pcop_mem.bin"])
def test_accesses(kind: str) -> None:
    counts = Counter(a.kind for e in trace(kind).entries() for a in e.accesses)
    assert counts == {ACCESSES[name]: n for name, n in EXPECTED["memory_accesses"].items()}


def test_opcodes_are_those_of_the_image() -> None:
    image = Image(TRACES / "trace-m4.elf")
    for kind in ("pcop.bin", "pcop_mem.bin"):
        for entry in trace(kind).entries():
            assert entry.pc is not None
            assert entry.opcode_bytes == image.instructions[entry.pc].size
            low = image.word(entry.pc & ~3)
            high = image.word((entry.pc & ~3) + 4)
            assert low is not None
            assert high is not None
            halves = [(low | high << 32) >> 8 * (entry.pc & 3) + 16 * n & 0xFFFF for n in (0, 1)]
            assert entry.opcode == (halves[0] << 16 | halves[1] if entry.opcode_bytes == 4 else halves[0])
    opcodes = [e.opcode for e in trace("op.bin").entries()]
    assert opcodes == [e.opcode for e in trace("pcop.bin").entries()]
    with pytest.raises(BadInputError, match="has no PCs"):
        trace("op.bin").pcs()


def test_block_counts() -> None:
    """Our blocks end where the ELF says; at every leader that the recording lists, both count the same entries."""
    pcs = trace("pc.bin").pcs()
    profile = profile_of(pcs, pcs.astype("int32") * 0, Image(TRACES / "trace-m4.elf"))
    entered: Counter[int] = Counter()
    for dst, count in zip(profile.dst.tolist(), profile.count.tolist(), strict=True):
        entered[dst] += count
    expected = {int(a, 16): n for a, n in EXPECTED["block_counts"].items()}
    # a leader that control also falls into is entered more often than as a block of its own
    assert entered.keys() <= expected.keys()
    assert all(n <= expected[a] for a, n in entered.items())
    assert all(BY_PC[a] == n for a, n in expected.items())
    # our blocks, each executed to its end, are all that was executed; the last one is still asleep in its WFI
    image = Image(TRACES / "trace-m4.elf")
    executed: Counter[int] = Counter()
    for start, n in entered.items():
        at = start
        executed[at] += n
        while image.instructions[at].end not in image.block_ends:
            at = image.instructions[at].end
            executed[at] += n
    last = int(pcs[-1])
    assert image.instructions[last].mnemonic == "wfi"
    assert executed - Counter(BY_PC) == {image.instructions[last].end: 1}
    assert not Counter(BY_PC) - executed


@pytest.mark.parametrize("kind", WITH_PC)
def test_a_trace_of_a_killed_run_is_refused(kind: str, tmp_path: Path) -> None:
    data = (TRACES / f"trace-m4.{kind}").read_bytes()
    path = tmp_path / "cut.bin"
    path.write_bytes((gzip.decompress(data) if kind.endswith("gz") else data)[:-2])
    with pytest.raises(BadInputError, match="end of file inside an entry"):
        Trace(path).pcs()


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=80),
        st.binary(max_size=80).map(lambda b: b"ReTrace\x04" + b),
        st.tuples(st.integers(0, 900), st.integers(0, 255)).map(
            lambda x: (
                (d := bytearray((TRACES / "trace-m4.pcop_mem.bin").read_bytes()[:900])).__setitem__(
                    min(x[0], len(d) - 1), x[1]
                )
                or bytes(d)
            )
        ),
    )
)
def test_hostile_files(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.bin"
    path.write_bytes(data)
    with contextlib.suppress(BadInputError):
        found = Trace(path)
        list(found.entries())
        found.pcs()


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be read"):
        Trace(tmp_path / "none.bin")


@settings(deadline=None)
@given(st.integers(10, 10_000), st.integers(1, 255))
def test_a_damaged_gzip(tmp_path_factory: pytest.TempPathFactory, at: int, flip: int) -> None:
    data = bytearray((TRACES / "trace-m4.pc.bin.gz").read_bytes())
    data[at % len(data)] ^= flip
    path = tmp_path_factory.getbasetemp() / "damaged.gz"
    path.write_bytes(data)
    with contextlib.suppress(BadInputError):
        Trace(path).pcs()
