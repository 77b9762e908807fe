"""The energy model made from published energies and our runs, and kept in the repository; and what it says of a run."""

from __future__ import annotations

from collections.abc import Callable

from engine.catalog.board import Board
from engine.energy.judge import fitted, predicted_energy
from engine.energy.published import PublishedPower, published_power
from engine.energy.rows import candidates, training_row
from engine.errors import UsageError
from engine.firmware.types import CompilerName, Lowering
from engine.pipeline.keep import kept, make
from engine.pipeline.settings import RunSettings, resolve
from engine.records.energy_model import EnergyModel, Load, PredictedEnergy
from engine.records.run import RunRecord


def fit_model(progress: Callable[[str], None] = lambda _: None) -> EnergyModel:
    """Run what the rows need (or take the runs from before) and fit. Raises what a run raises."""
    used, excluded = candidates()
    rows = []
    for n, row in enumerate(used, start=1):
        progress(f"{n}/{len(used)} {row.id}")
        rows.append(training_row(row, _run_of(row)))
    return fitted(rows, excluded)


def _run_of(row: PublishedPower) -> RunRecord:
    lowering = Lowering.MICROTVM if row.framework == "microTVM" and row.kernels == "cmsis-nn" else Lowering.TFLM
    run = resolve(
        RunSettings(row.model, row.board, compiler=CompilerName.GCC, clock_mhz=row.clock_mhz, lowering=lowering)
    )
    return kept(run) or make(run)


def predict(model: EnergyModel, record: RunRecord, board: Board, voltage_v: float | None = None) -> PredictedEnergy:
    """What the model says of a run. Raises UsageError for a board without a headline current, or without any supply to assume."""
    headline = next((c for c in board.current_ua_per_mhz if c.clock_mhz is None), None)
    if headline is None:
        raise UsageError(
            f"{board.name} has no printed current per MHz, which the model's cycles are counted in",
            hint="add [[current_ua_per_mhz]] without a clock to a board file of your own, or see `whycycles run --json`",
        )
    published = [r.voltage_v for r in published_power() if r.board == board.name and r.voltage_v is not None]
    usual = max(published, key=published.count) if published else headline.voltage_v
    supply = voltage_v or usual
    if supply is None:
        raise UsageError(f"no supply voltage of {board.name} is known", hint="add --voltage, like --voltage 3.3")
    regions = [x.counters for x in (*record.layers, record.glue)]
    load = Load(
        printed_ua_per_mhz=headline.value,
        voltage_v=supply,
        clock_mhz=record.clock_mhz,
        cycles=record.cycles.warm,
        flash_read_bytes=sum(c.flash_read_bytes for c in regions),
        ram_read_bytes=sum(c.ram_read_bytes for c in regions),
        ram_write_bytes=sum(c.ram_write_bytes for c in regions),
        macs=record.macs,
    )
    notes = [] if voltage_v else [f"supply {supply:g} V: as published or printed for this board"]
    trained = {r.load.clock_mhz for r in model.training if r.board == board.name}
    if trained and record.clock_mhz not in trained:
        notes.append("the model was fitted at another clock of this board, so the interval says nothing of that")
    supplies = sorted({r.load.voltage_v for r in model.training if r.board == board.name})
    if supplies and supply not in supplies:
        fitted_at = " and ".join(f"{v:g}" for v in supplies)
        notes.append(
            f"the model was fitted at {fitted_at} V on this board, so the interval says nothing of {supply:g} V"
        )
    return predicted_energy(model, record.id, board.name, load, tuple(notes))
