"""A second opinion on the hottest basic blocks: what LLVM's scheduling model makes of them, and why it differs from ours.

Never the total: llvm-mca knows no branches taken, no memory and no loop counts, and repeats each block without end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pydantic import Field

from engine.counters.types import Block
from engine.errors import UsageError
from engine.explain.block_costs import RunProfile
from engine.explain.hotspots import assembler
from engine.explain.mca import TIMEOUT_S, McaAnswer, McaBlock, McaUnavailableError, ask_mca
from engine.explain.mca_reasons import Comparison, Difference, compare_block
from engine.explain.mca_rules import Rule
from engine.explain.types import Part
from engine.timing.static_cost import block_ticks
from engine.timing.table import CYCLE

NOTE = (
    "Cycles of the pipeline only. llvm-mca repeats each block without end on a scheduling model made for compilers: a second "
    "opinion on single blocks, not a timing of the run."
)


class ReasonAt(Part):
    """A reason at one instruction. ``behind``: what it waits for or stands next to, may be empty. Cycles per execution.

    ``cycles`` is the reason's part; ``ours`` and ``llvm_mca`` are the instruction's in all, from the issue of the one before.
    """

    address: int
    text: str
    behind: str
    ours: float
    llvm_mca: float
    cycles: float


class Reason(Part):
    """One kind of difference in a block: ``cycles`` of ours more than llvm-mca's, negative where llvm-mca's are more."""

    rule: Rule
    meaning: str
    cycles: float
    instructions: tuple[ReasonAt, ...]


class BlockOpinion(Part):
    """A basic block with both costs, in cycles per execution, and the reasons, which sum to their difference.

    ``ours`` are static pipeline cycles and the mean branch refill; ``share`` is of the run's pipeline cycles (0 to 1).
    ``unexplained`` is the size of what no rule accounts for, whatever its sign. Without an answer ``llvm_mca`` and ``difference``
    are null and ``absent`` says why.
    """

    address: int
    function: str
    offset: int = Field(description="bytes from the start of the function")
    source: str
    count: int
    share: float
    instructions: int
    ours: float
    llvm_mca: float | None
    difference: float | None
    reasons: tuple[Reason, ...]
    unexplained: float
    absent: str = ""


class SecondOpinion(Part):
    """The hottest blocks of a run, hottest first. Without a tool or a model of the core, ``absent`` says so, ``hint`` what to do.

    ``model`` is the scheduling model LLVM has for the core; ``model_note`` says where it was made for another.
    """

    id: str
    core: str
    note: str = NOTE
    version: str = ""
    model: str = ""
    model_note: str = ""
    share_shown: float
    blocks: tuple[BlockOpinion, ...]
    absent: str = ""
    hint: str = ""


@dataclass
class _Hot:
    block: Block
    static: float
    count: int
    refill: float

    @property
    def cycles(self) -> float:
        return self.static * self.count + self.refill


def second_opinion(
    profile: RunProfile, run_id: str, core: str, count: int = 10, tool: Path | None = None, timeout_s: float = TIMEOUT_S
) -> SecondOpinion:
    """Ask about the hottest blocks of a run, all layers together; raises UsageError for less than one block."""
    if count < 1:
        raise UsageError(f"{count} blocks cannot be shown", hint="ask for one or more")
    whole = sum(region.pipeline_ticks for region in profile.regions) / CYCLE
    hot = _hottest(profile)[:count]
    shown = sum(h.cycles for h in hot) / whole if whole else 0.0
    try:
        answer = ask_mca([h.block for h in hot], core, timeout_s, tool)
    except McaUnavailableError as error:
        blocks = tuple(_opinion(profile, h, whole, absent=str(error)) for h in hot)
        return SecondOpinion(
            id=run_id, core=core, share_shown=shown, blocks=blocks, absent=str(error), hint=error.hint
        )  # fmt: skip
    return SecondOpinion(
        id=run_id,
        core=core,
        version=answer.version,
        model=answer.model,
        model_note=_model_note(answer, core),
        share_shown=shown,
        blocks=tuple(
            _answered(profile, h, whole, seen, answer.width) for h, seen in zip(hot, answer.blocks, strict=True)
        ),
    )


def _model_note(answer: McaAnswer, core: str) -> str:
    if core == f"cortex-{answer.model.lower()}":
        return ""
    return f"LLVM has no scheduling model of {core} and uses the one of the Cortex-{answer.model}"


def _hottest(profile: RunProfile) -> list[_Hot]:
    """Every block of the run once, hottest first: layers share kernels."""
    found: dict[int, _Hot] = {}
    for region in profile.regions:
        for cost in region.blocks:
            alone = sum(block_ticks(cost.block, profile.table)) / CYCLE
            hot = found.setdefault(cost.start, _Hot(cost.block, alone, 0, 0.0))
            hot.count += cost.count
            hot.refill += cost.refill_ticks / CYCLE
    return sorted(found.values(), key=lambda h: (-h.cycles, h.block.start))


def _answered(profile: RunProfile, hot: _Hot, whole: float, seen: McaBlock, width: int) -> BlockOpinion:
    if seen.reason:
        return _opinion(profile, hot, whole, absent=seen.reason)
    return _opinion(profile, hot, whole, compare_block(hot.block, seen, width, profile.table))


def _opinion(
    profile: RunProfile, hot: _Hot, whole: float, found: Comparison | None = None, absent: str = ""
) -> BlockOpinion:
    start = hot.block.start
    function = profile.code.function(start)
    refill = hot.refill / hot.count
    ours, theirs = hot.static + refill, sum(found.theirs) if found else None
    reasons = _reasons(hot.block, found, refill) if found else ()
    return BlockOpinion(
        address=start,
        function=profile.code.function_name(start),
        offset=start - function.address if function else 0,
        source=str(profile.code.line_of(hot.block) or ""),
        count=hot.count,
        share=hot.cycles / whole if whole else 0.0,
        instructions=len(hot.block.instructions),
        ours=ours,
        llvm_mca=None if theirs is None else _round(theirs),
        difference=None if theirs is None else _round(ours - theirs),
        reasons=reasons,
        unexplained=sum(abs(i.cycles) for r in reasons if r.rule is Rule.UNEXPLAINED for i in r.instructions),
        absent=absent,
    )


def _reasons(block: Block, found: Comparison, refill: float) -> tuple[Reason, ...]:
    """Differences by rule, the largest first, what is not explained last."""
    ordered = sorted(found.differences, key=lambda d: (d.rule, d.at))
    reasons = [_reason(rule, block, found, group) for rule, group in groupby(ordered, key=lambda d: d.rule)]
    if refill:
        rule = Rule.BRANCH_REFILL
        reasons.append(Reason(rule=rule, meaning=rule.meaning, cycles=refill, instructions=()))
    return tuple(sorted(reasons, key=lambda r: (r.rule is Rule.UNEXPLAINED, -abs(r.cycles), r.rule)))


def _reason(rule: Rule, block: Block, found: Comparison, differences: Iterable[Difference]) -> Reason:
    each = tuple(
        ReasonAt(
            address=block.instructions[d.at].address,
            text=assembler(block.instructions[d.at]),
            behind="" if d.other is None else assembler(block.instructions[d.other]),
            ours=found.ours[d.at],
            llvm_mca=_round(found.theirs[d.at]),
            cycles=_round(d.cycles),
        )
        for d in differences
    )
    return Reason(rule=rule, meaning=rule.meaning, cycles=_round(sum(i.cycles for i in each)), instructions=each)


def _round(cycles: float) -> float:
    """Means over iterations without the dust of their division."""
    return round(cycles, 6)
