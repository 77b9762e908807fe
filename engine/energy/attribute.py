"""The energy of a run, of its layers and of their causes: cycles times the power of the board.

Every cycle costs the same, whatever it is spent on: no source that was opened separates them, and the one that comes near says that
there is nothing to separate (an STM32H743 draws 70.5 mA stalled on its flash without caches and 71 mA running from ITCM at three times
the speed). What does differ, the memory code runs from and whether caches are on, is part of the power.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.catalog.board import Board
from engine.energy.power import Operation, Power, power_of
from engine.energy.published import PublishedPower, published_power
from engine.energy.units import MHZ, MW, NJ_PER_CYCLE
from engine.records.cause import Cause, Evidence
from engine.records.run import Region, RunRecord
from engine.records.run_energy import EnergyStack, MemoryEnergy, NoEnergy, RegionEnergy, RunEnergy


def with_energy(record: RunRecord, board: Board | None) -> RunRecord:
    """The same record with its energy, or with the reason why it has none. ``board`` None: no description of it is at hand."""
    return record.model_copy(update={"energy": energy_of(record, board)})


def energy_of(
    record: RunRecord, board: Board | None, rows: Sequence[PublishedPower] | None = None
) -> RunEnergy | NoEnergy:
    """The energy of a run of ours: any published power of its board, else its data sheet's currents."""
    if record.evidence is not Evidence.SIMULATED:
        return NoEnergy(reason=f"the run is {record.evidence}: its energy takes a power meter")
    if board is None:
        return NoEnergy(reason=f"no description of {record.board} is at hand, so nothing is known of its power")
    if record.overrides:
        return NoEnergy(
            reason=f"the power known of {record.board} is not that of a board with {', '.join(record.overrides)}"
        )
    power = power_of(board, operation_of(record, board), published_power() if rows is None else rows)
    return power if isinstance(power, NoEnergy) else apply(power, record)


def operation_of(record: RunRecord, board: Board) -> Operation:
    """How the board is run."""
    return Operation(record.clock_mhz, board.memory(record.placement.code).kind)


def apply(power: Power, record: RunRecord) -> RunEnergy:
    """A power laid over a run's cycles."""
    clock = record.clock_mhz * MHZ
    nj, low_nj, high_nj = (((mw * MW) / clock).to(NJ_PER_CYCLE) for mw in (power.power_mw, power.low_mw, power.high_mw))
    low, high = record.cycles_interval
    warm = record.cycles.warm
    ends = (low_nj * low / warm, high_nj * high / warm) if warm else (0.0, 0.0)
    layers = tuple(_region(f"{x.index} {x.name}", x, nj, ends) for x in record.layers)
    glue = _region("glue", record.glue, nj, ends)
    total = sum(x.energy_nj for x in (*layers, glue))
    return RunEnergy(
        evidence=Evidence.SIMULATED,
        power_mw=power.power_mw,
        power_interval_mw=(power.low_mw, power.high_mw),
        voltage_v=power.voltage_v,
        rests_on=power.kind,
        how=power.how,
        sources=power.sources,
        energy_nj=total,
        interval_nj=(min(total, int(low_nj * low)), max(total, round(high_nj * high))),
        cold_nj=max(0, total + round((record.cycles.cold - warm) * nj)),
        layers=layers,
        glue=glue,
    )


def _region(name: str, region: Region, nj: float, ends: tuple[float, float]) -> RegionEnergy:
    stack = EnergyStack(**{c.value: round(region.stack.of(c) * nj) for c in Cause})
    total = stack.energy_nj
    low, high = (round(region.cycles * end) for end in ends)
    return RegionEnergy(
        name=name,
        energy_nj=total,
        interval_nj=(min(low, total), max(high, total)),
        stack=stack,
        memories=tuple(
            MemoryEnergy(memory=m.memory, waiting_nj=round(m.stall_cycles * nj))
            for m in region.memories
            if m.stall_cycles
        ),
    )
