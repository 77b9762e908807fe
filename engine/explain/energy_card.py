"""Where the energy of a run goes, in sentences, and how a change of its cycles or of its code's memory changes it."""

from __future__ import annotations

from collections import Counter

from engine.catalog.board import Board
from engine.energy.attribute import energy_of, operation_of
from engine.energy.power import Operation, Power, power_of
from engine.energy.published import published_power
from engine.explain.phrases import percent
from engine.explain.sentences import join
from engine.explain.types import Explanation
from engine.records.cause import Cause
from engine.records.run import RunRecord
from engine.records.run_energy import NoEnergy, RunEnergy
from engine.words import op_title, share_text

_STALLS = (Cause.INSTRUCTION_FETCH, Cause.DATA_READ, Cause.DATA_WRITE)
_MOST_OPERATORS = 3


def with_energy_card(explanation: Explanation, record: RunRecord, board: Board | None) -> Explanation:
    """The explanation with the energy of its run."""
    energy = energy_of(record, board)
    return explanation.model_copy(update={"energy": energy, "energy_text": energy_sentences(record, energy)})


def energy_sentences(record: RunRecord, energy: RunEnergy | NoEnergy) -> tuple[str, ...]:
    """How much, what that rests on, and which operators, causes and memories take it."""
    if isinstance(energy, NoEnergy):
        return (f"Energy: none, {energy.reason}.",)
    low, high = energy.interval_nj
    volts = "" if energy.voltage_v is None else f" and {energy.voltage_v:g} V"
    head = (
        f"Energy: {energy.energy_nj / 1e6:.3g} mJ per inference ({low / 1e6:.3g} to {high / 1e6:.3g}; {energy.evidence.value}) at "
        f"{energy.power_mw:.3g} mW{volts}, from {energy.rests_on.label} ({energy.how})."
    )
    if not energy.energy_nj:
        return (head,)
    operators: Counter[str] = Counter()
    for layer, part in zip(record.layers, energy.layers, strict=True):
        operators[layer.op] += part.energy_nj
    memories: Counter[str] = Counter()
    stalled = 0
    for part in (*energy.layers, energy.glue):
        stalled += sum(part.stack.of(c) for c in _STALLS)
        for m in part.memories:
            memories[m.memory] += m.waiting_nj
    total = energy.energy_nj
    shares = [
        f"{op_title(op)} {percent(nj / total)}"
        for op, nj in operators.most_common(_MOST_OPERATORS)
        if nj / total >= 0.005
    ]
    where = f"It goes to {join(shares)}" if shares else "It goes to what runs between layers"
    waits = [f"{name} {share_text(nj / total)}" for name, nj in memories.most_common() if nj / total >= 0.0005]
    waiting = f"; {share_text(stalled / total)} is spent waiting for memory" + (f" ({join(waits)})" if waits else "")
    each = f"{energy.power_mw / record.clock_mhz:.3g} nJ"
    return head, f"{where}{waiting}. Every cycle costs {each}: no source separates a stalled one from a busy one."


def energy_change(record: RunRecord, board: Board, saved: float, code: str = "") -> float | None:
    """Relative change of a run's energy (-0.1: a tenth less) if it took ``saved`` of its cycles less, and its code lay in another memory.

    None where the board has no energy. Data elsewhere changes no power: no source says so.
    """
    now = operation_of(record, board)
    rows = published_power()
    one = power_of(board, now, rows)
    two = power_of(board, Operation(now.clock_mhz, board.memory(code).kind) if code else now, rows)
    if record.overrides or not isinstance(one, Power) or not isinstance(two, Power):
        return None
    return two.power_mw / one.power_mw * (1 - saved) - 1
