"""Vela's operations given back to the operators of the model that they are for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from engine.models.cost import model_cost
from engine.models.cost_types import OperatorCost
from engine.models.graph import Graph
from engine.records.npu import NpuLayer, NpuResource, ResourceCycles, Where, utilisation
from engine.targets.npu.tables import VelaRow


def layers_of(
    graph: Graph, rows: Sequence[VelaRow], owners: Sequence[int | None], macs_per_cycle: int
) -> tuple[NpuLayer, ...]:
    """Every operator of the model in its order, then what Vela added on its own. ``owners``: per row, the operator's index."""
    added = [r for r, owner in zip(rows, owners, strict=True) if owner is None]
    layers = [
        _layer(cost, [r for r, owner in zip(rows, owners, strict=True) if owner == cost.index], macs_per_cycle)
        for cost in model_cost(graph).operators
    ]
    return (*layers, *([_added(added, macs_per_cycle)] if added else []))


def cycles_without(rows: Sequence[VelaRow]) -> ResourceCycles:
    """Cycles of all operations if one resource cost nothing, for each resource: every operation then takes its next busiest one's."""
    return ResourceCycles(**{r.value: sum(_without(row, r) for row in rows) for r in NpuResource})


def _layer(cost: OperatorCost, rows: Sequence[VelaRow], macs_per_cycle: int) -> NpuLayer:
    where = Where.REMOVED if not rows else Where.NPU if any(r.on_npu for r in rows) else Where.CPU
    return _sum(cost.index, cost.name, cost.op, where, rows, cost.macs, macs_per_cycle)


def _added(rows: Sequence[VelaRow], macs_per_cycle: int) -> NpuLayer:
    return _sum(None, "added by Vela", _made_of(rows), Where.NPU, rows, 0, macs_per_cycle)


def _sum(
    index: int | None, name: str, op: str, where: Where, rows: Sequence[VelaRow], model_macs: int, macs_per_cycle: int
) -> NpuLayer:
    busy = ResourceCycles(**{r.value: sum(row.busy.of(r) for row in rows) for r in NpuResource})
    cycles, macs = sum(r.cycles for r in rows), sum(r.macs for r in rows)
    return NpuLayer(
        index=index,
        name=name,
        op=op,
        where=where,
        made_of=_made_of(rows) if where is Where.NPU else "",
        cycles=cycles,
        busy=busy,
        bottleneck=busy.largest if cycles else None,
        cycles_without_bottleneck=sum(_without(r, busy.largest) for r in rows),
        macs=macs,
        model_macs=model_macs,
        utilisation=utilisation(macs, cycles, macs_per_cycle),
        staging_bytes=max((r.staging_bytes for r in rows), default=0),
    )


def _without(row: VelaRow, resource: NpuResource) -> int:
    return max(row.busy.of(r) for r in NpuResource if r is not resource)


def _made_of(rows: Sequence[VelaRow]) -> str:
    """The operations by kind, in order of appearance: "Conv2D, Relu", "MaxPool, 5 Sub"."""
    counted = Counter(r.operation for r in rows)
    return ", ".join(f"{n} {kind}" if n > 1 else kind for kind, n in counted.items())
