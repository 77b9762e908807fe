"""Advice with numbers: what another placement would bring, by counterfactual and by what each memory stalled, and what it costs.

Weights in RAM save no more than the stalls of reads from flash, code in RAM no more than those of fetches, and only a RAM without a cache
in front takes both without stalls of its own; activations in tightly coupled memory save the stalls of the RAM they leave. Constants that
are no weights stay in flash, so a placement brings less than this bound, except where code and constants share a cache and the code gains
too. Where the analysis holds what a placement of the whole part brings (``candidates``, estimated from the trace), that is said instead.
`whycycles whatif --place` says it of any, `whycycles run --place` links anew. Only memories with room are named.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.board import Board, Memory, MemoryKind
from engine.explain.analysis import Analysis, Gain, Gains, PlacementEffect
from engine.explain.energy_card import energy_change
from engine.explain.sentences import capital
from engine.explain.types import Explanation
from engine.records.run import Layer, Region, RunRecord
from engine.timing.mechanism import Mechanism
from engine.words import change_text, layer_title, share_text

WORTH_SAYING = 0.02
"""Smallest share of a region's cycles that a remedy must bring to be named."""


def with_remedies(
    explanation: Explanation, record: RunRecord, analysis: Analysis | None, board: Board | None
) -> Explanation:
    """The explanation with remedies before the advice of its rules; as it is where nothing is gained, or board or analysis unknown.

    ``analysis`` must be of this record's cycles.
    """
    if board is None or analysis is None:
        return explanation
    layers = tuple(
        x.model_copy(update={"advice": (*_of_layer(layer, gains, record, board), *x.advice)})
        for x, layer, gains in zip(explanation.layers, record.layers, analysis.regions, strict=False)
    )
    advice = (*_of_run(record, analysis, board), *explanation.advice)
    return explanation.model_copy(update={"layers": layers, "advice": advice})


def candidates(record: RunRecord, board: Board) -> tuple[tuple[str, str], ...]:
    """Part and memory of every placement that advice may name: it has room, and what stalls now could go away."""
    found = []
    for part in ("weights", "code"):
        ram = _room(record, board, _bytes_of(part, record))
        if ram and _in_flash(getattr(record.placement, part), board):
            found.append((part, ram))
    tcm = _free_tcm(record, board)
    if tcm is not None:
        found.append(("activations", tcm))
    return tuple(found)


def _of_layer(layer: Layer, gains: Gains, record: RunRecord, board: Board) -> Iterator[str]:
    if _in_flash(record.placement.weights, board) and layer.weight_bytes:
        ram = _room(record, board, layer.weight_bytes)
        gained = _gained(
            gains, Mechanism.PERFECT_DATA_READ, _flash_read_stalls(layer, board), shared=board.flash.unified
        )
        if ram and gained:
            what = f"weights of {layer_title(layer.op, layer.index)} in {ram}"
            yield f"{capital(what)}: {gained} of the layer; costs {_kb(layer.weight_bytes)} of RAM."


def _of_run(record: RunRecord, analysis: Analysis, board: Board) -> Iterator[str]:
    gains = analysis.run
    known = {(p.part, p.memory): p for p in analysis.placements}
    regions = (*record.layers, record.glue)
    most = {
        "weights": sum(_flash_read_stalls(r, board) for r in regions),
        "code": sum(r.stack.instruction_fetch for r in regions),
    }
    for part, memory in candidates(record, board):
        effect = known.get((part, memory))
        what = f"{capital(part)} in {memory} (--place {part}={memory})"
        if effect is not None:
            if -effect.effect_share >= WORTH_SAYING:
                energy = _energy(record, board, -effect.effect_share, part, memory)
                yield f"{what}: {_estimated(effect)}{energy}; {_cost(part, record)}."
        elif part in _IDEAL:
            mechanism = _IDEAL[part]
            gained = _gained(gains, mechanism, most[part], shared=board.flash.unified)
            if gained:
                saved = min(_gain_of(gains, mechanism).gain_cycles or 0, most[part]) / gains.cycles
                energy = _energy(record, board, saved, part, memory)
                yield f"{what}: {gained}{energy}; {_cost(part, record)}."
        else:
            share = _stalled_share(record, record.placement.activations)
            if share >= WORTH_SAYING:
                yield f"{what}: about −{share_text(share)}; {_cost(part, record)}."


_IDEAL = {"weights": Mechanism.PERFECT_DATA_READ, "code": Mechanism.PERFECT_INSTRUCTION_CACHE}


def _estimated(effect: PlacementEffect) -> str:
    value = change_text(effect.effect_share)
    least, most = (change_text(x) for x in sorted(effect.effect_shares, reverse=True))
    return f"{value}{'' if least == most == value else f' ({least} to {most})'}, estimated from the trace"


def _cost(part: str, record: RunRecord) -> str:
    size = _kb(_bytes_of(part, record))
    return f"takes {size} of it" if part == "activations" else f"costs {size} of RAM"


def _bytes_of(part: str, record: RunRecord) -> int:
    return (
        record.memory.arena_bytes
        if part == "activations"
        else sum(p.bytes for p in record.memory.parts if p.kind == part)
    )


def _free_tcm(record: RunRecord, board: Board) -> str | None:
    """Tightly coupled memory with room for activations that stall where they are."""
    now, need = record.placement.activations, record.memory.arena_bytes
    tcm = next((m.name for m in board.memories if m.kind is MemoryKind.DTCM and _free(record, board, m) >= need), None)
    return tcm if tcm != now and _stalled_share(record, now) > 0 else None


def _stalled_share(record: RunRecord, memory: str) -> float:
    stalls = sum(m.stall_cycles for r in (*record.layers, record.glue) for m in r.memories if m.memory == memory)
    return stalls / record.cycles.warm if record.cycles.warm else 0.0


def _energy(record: RunRecord, board: Board, saved: float, part: str, ram: str) -> str:
    """What that does to the energy; empty where the board has none."""
    change = energy_change(record, board, saved, ram if part == "code" else "")
    return "" if change is None else f", energy {change_text(change, 0)}"


def _room(record: RunRecord, board: Board, need: int) -> str | None:
    """A RAM with that many bytes left and no cache in front, the one of the activations first; None where there is none."""
    cached = {n for c in (board.flash.icache, board.flash.dcache) if c is not None for n in c.also_serves}
    fitting = [
        m
        for m in board.memories
        if m.kind is MemoryKind.SRAM and m.name not in cached and _free(record, board, m) >= need
    ]
    fitting.sort(key=lambda m: m.name != record.placement.activations)
    return fitting[0].name if fitting else None


def _free(record: RunRecord, board: Board, memory: Memory) -> int:
    return memory.bytes - sum(p.bytes for p in record.memory.parts if p.memory == memory.name)


def _flash_read_stalls(region: Region, board: Board) -> int:
    """Cycles that a region waits for data from flash: all data stalls but those of RAM (all of them in records without memories)."""
    of_ram = sum(m.stall_cycles for m in region.memories if not _in_flash(m.memory, board))
    return max(0, region.stack.data_read + region.stack.data_write - of_ram)


def _in_flash(memory: str, board: Board) -> bool:
    return board.memory(memory).kind is MemoryKind.FLASH


def _gained(gains: Gains, mechanism: Mechanism, most: int, *, shared: bool) -> str:
    """The gain, ``most`` cycles at most, as a share with its interval; empty where it is not worth saying.

    ``shared``: code and constants share a cache. At the ends of the interval the other cycles stay as they are, so no share exceeds the whole.
    """
    gain = _gain_of(gains, mechanism)
    if not gain.gain_cycles or gain.gain_cycles_interval is None:
        return ""
    value = min(gain.gain_cycles, most)
    if value < WORTH_SAYING * gains.cycles:
        return ""
    rest = gains.cycles - value
    ends = [x * value / gain.gain_cycles for x in gain.gain_cycles_interval]
    low, high = (x / (rest + x) if rest + x else 0.0 for x in ends)
    share = value / gains.cycles
    return f"{'about' if shared else 'at most'} −{share_text(share, 0)}" + (
        f" ({share_text(low, 0)} to {share_text(high, 0)})" if share_text(low, 0) != share_text(high, 0) else ""
    )


def _gain_of(gains: Gains, mechanism: Mechanism) -> Gain:
    """What one mechanism would bring."""
    return next(g for g in gains.gains if g.mechanism is mechanism)


def _kb(size: int) -> str:
    return f"{size} bytes" if size < 1024 else f"{size / 1024:.0f} KB"
