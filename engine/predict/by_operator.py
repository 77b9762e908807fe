"""Cycles of a model that was not run, from records of other models on the same board, kernels and compiler.

The first predictor: each operator kind has a price, cycles per MAC (or per output byte where it has no MACs), taken as the
ratio of sums over the records; the interval uses the cheapest and the dearest layer of that kind. No price, no prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.models.cost_types import ModelCost
from engine.records.run import Layer, RunRecord


@dataclass(frozen=True)
class Price:
    """Cycles per unit of work of one operator kind, with the cheapest and the dearest layer seen."""

    op: str
    per_mac: bool
    typical: float
    low: float
    high: float
    layers: int


@dataclass(frozen=True)
class Prediction:
    """Predicted warm cycles of one inference, with the interval; ``missing`` operator kinds make it impossible."""

    cycles: float
    low: float
    high: float
    missing: tuple[str, ...]

    @property
    def possible(self) -> bool:
        """Whether every operator kind had a price."""
        return not self.missing


@dataclass(frozen=True)
class HeldOut:
    """A run predicted from the runs of all other models, beside what was simulated; ``error`` is relative and signed."""

    record: RunRecord
    prediction: Prediction
    error: float | None


def prices(records: Sequence[RunRecord]) -> tuple[Price, ...]:
    """Prices of every operator kind in records of one setup, sorted by kind. Layers without work or cycles say nothing."""
    found = []
    for op, per_mac in sorted({(x.op, x.macs > 0) for r in records for x in r.layers if _work(x) and x.cycles}):
        layers = [x for r in records for x in r.layers if (x.op, x.macs > 0) == (op, per_mac) and _work(x) and x.cycles]
        each = [x.cycles / _work(x) for x in layers]
        typical = sum(x.cycles for x in layers) / sum(_work(x) for x in layers)
        found.append(Price(op, per_mac, typical, min(each), max(each), len(layers)))
    return tuple(found)


def predict(cost: ModelCost, records: Sequence[RunRecord]) -> Prediction:
    """Cycles of a model from its cost and records of other models of one setup."""
    return _sum([(o.op, o.macs, o.output_bytes) for o in cost.operators], prices(records))


def hold_out(records: Sequence[RunRecord]) -> tuple[HeldOut, ...]:
    """Predict each run from the runs of other models in its setup; runs whose setup has one model only are left out."""
    found = []
    for record in records:
        others = [r for r in records if _setup(r) == _setup(record) and r.model != record.model]
        if not others:
            continue
        work = [(x.op, x.macs, _output_bytes(x)) for x in record.layers if x.cycles]
        prediction = _sum(work, prices(others))
        error = prediction.cycles / record.cycles.warm - 1 if prediction.possible and record.cycles.warm else None
        found.append(HeldOut(record, prediction, error))
    return tuple(found)


def _sum(work: Sequence[tuple[str, int, int]], known: Sequence[Price]) -> Prediction:
    by_kind = {(p.op, p.per_mac): p for p in known}
    cycles = low = high = 0.0
    missing = set()
    for op, macs, output_bytes in work:
        price = by_kind.get((op, macs > 0))
        units = macs or output_bytes
        if price is None:
            # an operator that only relabels memory costs nothing anywhere
            if op != "RESHAPE":
                missing.add(op)
            continue
        cycles, low, high = cycles + price.typical * units, low + price.low * units, high + price.high * units
    return Prediction(cycles, low, high, tuple(sorted(missing)))


def _setup(record: RunRecord) -> tuple[object, ...]:
    return (
        record.board,
        record.clock_mhz,
        record.kernels,
        record.compiler,
        record.opt,
        record.target,
        record.overrides,
    )


def _output_bytes(layer: Layer) -> int:
    size = 1
    for d in layer.output_shape:
        size *= d
    return size


def _work(layer: Layer) -> int:
    return layer.macs or _output_bytes(layer)
