"""Which published energies the model is fitted to, by rules that know nothing of their values."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from engine.catalog.load import list_boards
from engine.energy.published import PublishedPower, published_power
from engine.records.energy_model import ExcludedRow, Load, TrainingRow
from engine.records.run import RunRecord

RunOf = Callable[[PublishedPower], RunRecord]
"""Our run of a published row: same board, clock and model, CMSIS-NN kernels."""

SAME_BUILD = frozenset({"v1.0 OctoML microtvm_cmsis_nn/NUCLEO_L4R5ZI"})
"""Firmwares whose build we run: the exact rows of the validation."""


@cache
def headlines() -> dict[str, float]:
    """Data sheet currents without a stated clock, in µA/MHz, by board: the first of each."""
    found: dict[str, float] = {}
    for board in list_boards():
        for current in board.current_ua_per_mhz:
            if current.clock_mhz is None:
                found.setdefault(board.name, float(current.value))
    return found


@cache
def candidates() -> tuple[tuple[PublishedPower, ...], tuple[ExcludedRow, ...]]:
    """Rows that may be fitted to, and the others with the reason.

    A row needs a board that can be simulated, for its traffic, and a printed current, for its cycles.
    """
    known = {b.name for b in list_boards()}
    used, excluded = [], []
    for row in published_power():
        if row.board not in known:
            excluded.append(
                ExcludedRow(id=row.id, reason=f"no description of {row.board}, so no run gives its traffic")
            )
        elif row.board not in headlines():
            excluded.append(ExcludedRow(id=row.id, reason=f"no printed current per MHz of {row.board} was found"))
        elif row.voltage_v is None:
            excluded.append(
                ExcludedRow(id=row.id, reason="its source gives no supply, so no printed current gives its power")
            )
        else:
            used.append(row)
    return tuple(used), tuple(excluded)


def training_row(row: PublishedPower, run: RunRecord) -> TrainingRow:
    """A published row with its load: measured cycles, and the traffic of our run."""
    assert row.voltage_v is not None, "candidates have a supply"
    regions = [x.counters for x in (*run.layers, run.glue)]
    load = Load(
        printed_ua_per_mhz=headlines()[row.board],
        voltage_v=row.voltage_v,
        clock_mhz=row.clock_mhz,
        cycles=row.latency_ms * row.clock_mhz * 1000,
        flash_read_bytes=sum(c.flash_read_bytes for c in regions),
        ram_read_bytes=sum(c.ram_read_bytes for c in regions),
        ram_write_bytes=sum(c.ram_write_bytes for c in regions),
        macs=run.macs,
    )
    return TrainingRow(
        id=row.id,
        board=row.board,
        firmware=row.firmware,
        model=row.model,
        kernels=row.kernels,
        load=load,
        stand_in=row.kernels != run.kernels,
        simulated_cycles=run.cycles.warm if row.firmware in SAME_BUILD else None,
        energy_uj=row.energy_uj,
        source=row.source,
    )
