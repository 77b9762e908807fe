"""Advice with numbers: what another placement would bring, by counterfactual, and what it costs in memory.

The gain is that of the mechanism idealised (constants that never stall, fetches that always hit), so it is what the placement can
bring at most: RAM without wait states and without a busy bus. Whether a run gets there says `whycycles run --place`, which links anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.board import Board, MemoryKind
from engine.explain.analysis import Analysis, Gains
from engine.explain.sentences import capital, layer_title
from engine.explain.types import Explanation
from engine.records.run import Layer, RunRecord
from engine.timing.mechanism import Mechanism

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
    advice = (*_of_run(record, analysis.run, board), *explanation.advice)
    return explanation.model_copy(update={"layers": layers, "advice": advice})


def _of_layer(layer: Layer, gains: Gains, record: RunRecord, board: Board) -> Iterator[str]:
    ram = record.placement.activations
    if _in_flash(record.placement.weights, board) and layer.weight_bytes:
        gained = _gained(gains, Mechanism.PERFECT_DATA_READ)
        if gained:
            of_run = f"{_share(gains, Mechanism.PERFECT_DATA_READ, record.cycles.warm):.1%} of the run"
            what = f"weights of {layer_title(layer)} in {ram}"
            yield f"{capital(what)}: up to −{gained} of the layer, {of_run}; costs {_kb(layer.weight_bytes)} of RAM."
    if _in_flash(record.placement.code, board):
        gained = _gained(gains, Mechanism.PERFECT_INSTRUCTION_CACHE)
        if gained:
            yield f"Code of {layer.kernel} where every fetch hits: up to −{gained} of the layer."


def _of_run(record: RunRecord, gains: Gains, board: Board) -> Iterator[str]:
    ram = record.placement.activations
    free = board.memory(ram).bytes - sum(p.bytes for p in record.memory.parts if p.memory == ram)
    for part, kind, mechanism in (
        ("weights", "weights", Mechanism.PERFECT_DATA_READ),
        ("code", "code", Mechanism.PERFECT_INSTRUCTION_CACHE),
    ):
        gained = _gained(gains, mechanism)
        if not gained or not _in_flash(getattr(record.placement, part), board):
            continue
        need = sum(p.bytes for p in record.memory.parts if p.kind == kind)
        room = f"{_kb(free)} are free" if need <= free else f"only {_kb(free)} are free, so choose by layer"
        yield f"{capital(part)} in {ram} (--place {part}={ram}): up to −{gained}; costs {_kb(need)} of RAM, {room}."


def _in_flash(memory: str, board: Board) -> bool:
    return board.memory(memory).kind is MemoryKind.FLASH


def _gained(gains: Gains, mechanism: Mechanism) -> str:
    """The gain as a share with its interval, empty where it is not worth saying."""
    if _share(gains, mechanism, gains.cycles) < WORTH_SAYING:
        return ""
    gain = next(g for g in gains.gains if g.mechanism is mechanism)
    low, high = (x / gains.cycles for x in gain.gain_cycles_interval)
    value = gain.gain_cycles / gains.cycles
    return f"{value:.0%}" if f"{low:.0%}" == f"{high:.0%}" else f"{value:.0%} ({low:.0%} to {high:.0%})"


def _share(gains: Gains, mechanism: Mechanism, cycles: int) -> float:
    gain = next(g for g in gains.gains if g.mechanism is mechanism)
    return gain.gain_cycles / cycles if cycles else 0.0


def _kb(size: int) -> str:
    return f"{size} bytes" if size < 1024 else f"{size / 1024:.0f} KB"
