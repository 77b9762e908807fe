"""The hottest basic blocks of every layer, with their disassembly and what each instruction costs."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from engine.counters.types import Block, Instruction
from engine.errors import UsageError
from engine.explain.block_costs import STALLS, BlockCost, RegionCost, RunProfile
from engine.explain.types import Part
from engine.records.cause import Cause
from engine.targets.image import Image
from engine.timing.classes import prepare
from engine.timing.static_cost import block_ticks, operations_ticks
from engine.timing.table import CAUSES, COLUMN, CYCLE, CoreTicks

STALLS_NOTE = (
    "Stalls of instruction fetch and data are simulated per layer and known per layer only; "
    "they are not spread over its blocks."
)


class CauseCycles(Part):
    """Cycles charged to one cause; causes without cycles are left out."""

    cause: Cause
    label: str
    cycles: float


class HotInstruction(Part):
    """One instruction of a block. ``code`` are its halfwords in hexadecimal, ``text`` its assembler.

    ``cycles`` and ``causes`` are its part of one execution of the block: what the block costs more with this instruction than
    without it and those behind it (a cycle it hides is taken off the instruction that paid for it; a pair issued together is
    charged to its slower half). They sum to the cycles of a block that finds the pipeline
    empty, without branch refill; ``HotBlock.entry_cycles`` is what the block before it adds or spares.
    """

    address: int
    code: str
    text: str
    source: str = Field(description="file:line, empty where the ELF gives none")
    cycles: float
    causes: tuple[CauseCycles, ...]


class HotBlock(Part):
    """A basic block in one layer.

    ``count`` executions of ``instructions`` each. ``per_iteration``: pipeline cycles of one execution by cause; all are exact
    static costs but ``branch_refill``, which is the mean over the executions (only taken edges pay). ``cycles`` is the sum
    over all executions, in exact thousandths, ``refill_cycles`` the refill in it, ``share`` of the layer's pipeline cycles (0 to 1).
    """

    address: int
    function: str
    offset: int = Field(description="bytes from the start of the function")
    source: str = Field(description="file:line of the first instruction that has one, else empty")
    count: int
    instructions: int
    per_iteration: tuple[CauseCycles, ...]
    cycles_per_iteration: float
    entry_cycles: float = Field(
        description="per iteration, on average: what the block before it adds to the instructions' own cycles (results on their way); "
        "negative where the first instruction issues beside the last one of that block"
    )
    refill_cycles: float
    cycles: float
    share: float
    disassembly: tuple[HotInstruction, ...]


class LayerHotspots(Part):
    """The hottest blocks of a layer (or of the glue, the last one), hottest first.

    ``cycles`` is the whole layer as in the record: ``pipeline_cycles`` (rounded to whole cycles there) plus ``stalls``.
    ``pipeline_cycles`` is the sum over all ``blocks_executed`` blocks plus ``entry_refill_cycles`` (refill of branches that
    arrive from outside the layer); ``share_shown`` is how much of it the blocks listed here hold.
    """

    index: int
    name: str
    cycles: int
    pipeline_cycles: float
    entry_refill_cycles: float
    stalls: tuple[CauseCycles, ...]
    stalls_note: str = STALLS_NOTE
    blocks_executed: int
    share_shown: float
    blocks: tuple[HotBlock, ...]


def hottest(profile: RunProfile, per_layer: int = 5) -> tuple[LayerHotspots, ...]:
    """The hottest ``per_layer`` blocks of every layer of a profile, the glue last. Raises UsageError if that is less than one."""
    if per_layer < 1:
        raise UsageError(f"{per_layer} blocks per layer cannot be shown", hint="ask for one or more")
    texts: dict[int, tuple[HotInstruction, ...]] = {}  # layers share kernels, and so their hottest blocks
    return tuple(_region(profile, region, per_layer, texts) for region in profile.regions)


def _region(
    profile: RunProfile, region: RegionCost, per_layer: int, texts: dict[int, tuple[HotInstruction, ...]]
) -> LayerHotspots:
    whole = region.pipeline_ticks
    shown = sorted(region.blocks, key=lambda b: (-b.total_ticks, b.start))[:per_layer]
    for cost in shown:
        if cost.start not in texts:
            texts[cost.start] = _disassembly(profile, cost.block)
    return LayerHotspots(
        index=region.index,
        name=region.name,
        cycles=region.stack.cycles,
        pipeline_cycles=whole / CYCLE,
        entry_refill_cycles=region.entry_refill_ticks / CYCLE,
        stalls=tuple(
            CauseCycles(cause=c, label=c.label, cycles=region.stack.of(c)) for c in STALLS if region.stack.of(c)
        ),
        blocks_executed=len(region.blocks),
        share_shown=_share(sum(b.total_ticks for b in shown), whole),
        blocks=tuple(_block(profile, cost, whole, texts[cost.start]) for cost in shown),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _block(profile: RunProfile, cost: BlockCost, whole: int, text: tuple[HotInstruction, ...]) -> HotBlock:
    function = profile.code.function(cost.start)
    mean = [ticks / cost.count for ticks in cost.ticks]
    mean[COLUMN[Cause.BRANCH_REFILL]] += cost.refill_ticks / cost.count
    return HotBlock(
        address=cost.start,
        function=profile.code.function_name(cost.start),
        offset=cost.start - function.address if function else 0,
        source=str(profile.code.line_of(cost.block) or ""),
        count=cost.count,
        instructions=len(cost.block.instructions),
        per_iteration=_causes(mean),
        cycles_per_iteration=cost.total_ticks / cost.count / CYCLE,
        entry_cycles=(sum(cost.ticks) / cost.count - sum(block_ticks(cost.block, profile.table))) / CYCLE,
        refill_cycles=cost.refill_ticks / CYCLE,
        cycles=cost.total_ticks / CYCLE,
        share=_share(cost.total_ticks, whole),
        disassembly=text,
    )


def _causes(ticks: Sequence[float]) -> tuple[CauseCycles, ...]:
    return tuple(
        CauseCycles(cause=cause, label=cause.label, cycles=spent / CYCLE)
        for cause, spent in zip(CAUSES, ticks, strict=True)
        if spent
    )


def _disassembly(profile: RunProfile, block: Block) -> tuple[HotInstruction, ...]:
    return tuple(
        HotInstruction(
            address=i.address,
            code=_code(profile.code.image, i),
            text=assembler(i),
            source=str(profile.code.line(i.address) or ""),
            cycles=sum(ticks) / CYCLE,
            causes=_causes(ticks),
        )
        for i, ticks in zip(block.instructions, instruction_ticks(block, profile.table), strict=True)
    )


def instruction_ticks(block: Block, table: CoreTicks) -> tuple[tuple[int, ...], ...]:
    """Ticks by cause of every instruction of a block, see ``HotInstruction``; column by column they sum to ``block_ticks``.

    No entry is negative: where an instruction makes the block cheaper in a cause, the saving comes off the nearest
    instruction before it that was charged to that cause.
    """
    operations = [prepare(i) for i in block.instructions]
    charged: list[list[int]] = []
    before = (0,) * len(CAUSES)
    for n in range(1, len(operations) + 1):
        after = operations_ticks(operations[:n], table)
        own = [b - a for a, b in zip(before, after, strict=True)]
        for column, ticks in enumerate(own):
            for earlier in reversed(charged if ticks < 0 else []):
                taken = min(earlier[column], -own[column])
                earlier[column] -= taken
                own[column] += taken
        charged.append(own)
        before = after
    return tuple(tuple(row) for row in charged)


def assembler(instruction: Instruction) -> str:
    """An instruction as assembler text, its condition put back."""
    stem, dot, suffix = instruction.mnemonic.partition(".")
    condition = "" if instruction.condition == "al" else instruction.condition
    return f"{stem}{condition}{dot}{suffix} {instruction.operands}".strip()


def _code(image: Image, instruction: Instruction) -> str:
    for code in image.code:
        if code.start <= instruction.address < code.end:
            at = instruction.address - code.start
            raw = code.data[at : at + instruction.size]
            return " ".join(f"{int.from_bytes(raw[n : n + 2], 'little'):04x}" for n in range(0, len(raw), 2))
    return ""
