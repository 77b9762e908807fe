"""One model on one NPU: Vela's estimate, what falls back to the host core timed by our own model, one record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import engine
from engine.catalog.load import load_board
from engine.catalog.npu import BUILT_IN_CONFIG, SETTABLE, Npu, load_npu, npu_names, npu_sha256, vela_config_sha256
from engine.errors import CatalogError, ModelError, ToolError, UsageError, WhycyclesError
from engine.models.library import ModelRef, resolve_model
from engine.models.reader import read_graph
from engine.pipeline.keep import make
from engine.pipeline.prepare import Progress
from engine.pipeline.settings import RunSettings, resolve, slug
from engine.records.npu import (
    CpuLayer,
    NpuHost,
    NpuLayer,
    NpuMemory,
    NpuProvenance,
    NpuRecord,
    NpuResource,
    Where,
    utilisation,
)
from engine.records.run import RunRecord
from engine.targets.npu.debug_db import parse_owners
from engine.targets.npu.layers import cycles_without, layers_of
from engine.targets.npu.tables import VelaSummary, parse_per_layer, parse_summary
from engine.targets.npu.vela import Vela, VelaTables, find_vela, run_vela

_NOT_COUNTED = "without starting the NPU, its driver and the cache maintenance of its host"
_NO_HOST = "no host core is chosen: name a board with --host-board"


@dataclass(frozen=True)
class NpuSettings:
    """An estimate as a user writes it; ``set`` holds (key, value) of ``SETTABLE``."""

    model: str
    npu: str
    set: tuple[tuple[str, str], ...] = ()
    host_board: str | None = None


@dataclass(frozen=True, eq=False)
class ResolvedNpu:
    """The same with model and NPU loaded; the NPU has the keys that were set. ``host_board`` as given, else as the NPU's file says."""

    settings: NpuSettings
    model: ModelRef
    npu: Npu
    host_board: str | None

    @property
    def id(self) -> str:
        """Name of the estimate: the same settings give the same name on every machine."""
        npu = self.npu
        name = npu.name if npu.name in npu_names() else f"{npu.name}-{npu_sha256(load_npu(self.settings.npu))[:6]}"
        parts = [slug(self.model.name), name, slug(npu.system_config), slug(npu.memory_mode)]
        if self.settings.host_board is not None:
            parts.append(f"host-{slug(load_board(self.settings.host_board).name)}")
        return "_".join(parts)


def resolve_npu(settings: NpuSettings) -> ResolvedNpu:
    """Load what the settings name. Raises UsageError, CatalogError or ModelError."""
    npu = load_npu(settings.npu)
    for key, _ in settings.set:
        if key not in SETTABLE:
            raise UsageError(
                f"an NPU has no key '{key}' to set", hint=f"one of {', '.join(SETTABLE)}; the rest is in its TOML file"
            )
    changed = npu.model_copy(update=dict(settings.set))
    host_board = settings.host_board or npu.host_board
    if host_board is not None:
        load_board(host_board)
    return ResolvedNpu(settings, resolve_model(settings.model), changed, host_board)


def estimate(
    run: ResolvedNpu, vela: Vela | None = None, progress: Progress = lambda _: None
) -> tuple[NpuRecord, VelaTables]:
    """Run Vela and read what it says; the record, and the tables it was read from.

    Raises ModelError for a model of which nothing runs on the NPU, CatalogError where the clock is not the one the NPU's file says, and
    what ``run_vela`` and the parsers raise. A host that cannot run the model is no error: the record says why there is no time.
    """
    vela = vela or find_vela()
    progress("reading the model")
    graph = read_graph(run.model.path)
    progress(f"Vela {vela.version}")
    tables = run_vela(vela, run.model.path, run.npu)
    rows, summary = parse_per_layer(tables.per_layer), parse_summary(tables.summary)
    _check_summary(run, summary, sum(r.cycles for r in rows))
    macs_per_cycle = int(run.npu.macs_per_cycle.value)
    owners = parse_owners(tables.debug, rows, len(graph.main.operators))
    layers = layers_of(graph, rows, owners, macs_per_cycle)
    cycles = sum(x.cycles for x in layers)
    if not cycles:
        raise ModelError(
            f"{run.model.name}: Vela puts no operator on the NPU",
            hint="the NPU takes models with int8 weights and activations",
        )
    progress("timing the host core")
    host, cpu_layers = _on_host(run, [x for x in layers if x.where is Where.CPU], progress)
    npu_latency_ms = round(cycles / summary.clock_mhz / 1000, 6)
    untimed = [x for x in cpu_layers if x.latency_ms is None]
    macs = sum(x.macs for x in layers)
    record = NpuRecord(
        schema_version=1,
        id=run.id,
        model=run.model.name,
        npu=run.npu.name,
        accelerator=run.npu.accelerator,
        macs_per_cycle=macs_per_cycle,
        clock_mhz=summary.clock_mhz,
        system_config=run.npu.system_config,
        memory_mode=run.npu.memory_mode,
        evidence_note=f"vendor tool's estimate (Vela {vela.version})",
        cycles=cycles,
        cycles_without=cycles_without(rows),
        npu_latency_ms=npu_latency_ms,
        latency_ms=None if untimed else round(npu_latency_ms + sum(x.latency_ms or 0 for x in cpu_layers), 6),
        latency_note=f"{len(untimed)} of {len(cpu_layers)} operators on the CPU are not timed: {untimed[0].reason}"
        if untimed
        else _NOT_COUNTED,
        macs=macs,
        model_macs=sum(x.model_macs for x in layers),
        utilisation=utilisation(macs, cycles, macs_per_cycle) or 0.0,
        bottleneck=max(NpuResource, key=lambda r: sum(x.cycles for x in layers if x.bottleneck is r)),
        memories=tuple(
            NpuMemory(**m.__dict__)
            for m in summary.memories
            if m.used_bytes or m.total_bytes or any(x.busy.of(m.memory) for x in layers)
        ),
        weight_bytes=summary.weight_bytes,
        encoded_weight_bytes=summary.encoded_weight_bytes,
        layers=layers,
        cpu_layers=cpu_layers,
        host=host,
        notes=(*run.npu.notes, *_counting_notes(layers, macs_per_cycle, vela), *_storage_notes(summary)),
        provenance=NpuProvenance(
            engine_version=engine.__version__,
            model_sha256=graph.sha256,
            npu_sha256=npu_sha256(run.npu),
            vela_version=vela.version,
            vela_config=run.npu.vela_config
            if run.npu.vela_config == BUILT_IN_CONFIG
            else Path(run.npu.vela_config).name,
            vela_config_sha256=vela_config_sha256(run.npu),
        ),
    )
    return record, tables


def _check_summary(run: ResolvedNpu, summary: VelaSummary, cycles: int) -> None:
    if summary.cycles != cycles:
        raise ToolError(
            f"Vela's tables disagree: {cycles} cycles in all operations, {summary.cycles} in the summary",
            hint="report this with the model and the version of Vela",
        )
    asked, got = (run.npu.system_config, run.npu.memory_mode), (summary.system_config, summary.memory_mode)
    if asked != got:
        raise ToolError(f"Vela used {' with '.join(got)} instead of {' with '.join(asked)}", hint="report this")
    # a system configuration that was set for the run has a clock of its own
    if "system_config" not in dict(run.settings.set) and summary.clock_mhz != run.npu.clock_mhz.value:
        raise CatalogError(
            f"{run.npu.name}: clock_mhz is {run.npu.clock_mhz.value:g}, but {run.npu.system_config} has {summary.clock_mhz:g} MHz",
            hint="correct clock_mhz in the NPU's file",
        )


def _on_host(
    run: ResolvedNpu, layers: Sequence[NpuLayer], progress: Progress
) -> tuple[NpuHost | None, tuple[CpuLayer, ...]]:
    """What falls back, with the simulated cycles of the same operators in a run of the whole model on the host board."""
    if not layers:
        return None, ()
    record: RunRecord | None = None
    reason = _NO_HOST
    if run.host_board is not None:
        try:
            record = make(resolve(RunSettings(model=run.settings.model, board=run.host_board)), progress)
        except WhycyclesError as error:
            reason = f"{run.host_board} cannot run the model: {error.message}"
    if record is None:
        return None, tuple(_cpu_layer(x, None, None, reason) for x in layers)
    timed = {x.index: x.cycles for x in record.layers}
    host = NpuHost(board=record.board, core=record.core, clock_mhz=record.clock_mhz, run=record.id)
    missing = f"{record.id} has no such layer"
    return host, tuple(
        _cpu_layer(x, timed.get(x.index) if x.index is not None else None, record.clock_mhz, missing) for x in layers
    )


def _cpu_layer(layer: NpuLayer, cycles: int | None, clock_mhz: float | None, reason: str) -> CpuLayer:
    known = cycles is not None and clock_mhz is not None
    return CpuLayer(
        index=layer.index,
        name=layer.name,
        op=layer.op,
        cycles=cycles if known else None,
        latency_ms=round(cycles / clock_mhz / 1000, 6) if cycles is not None and clock_mhz is not None else None,
        reason="" if known else reason,
    )


def _counting_notes(layers: Sequence[NpuLayer], macs_per_cycle: int, vela: Vela) -> tuple[str, ...]:
    """Where Vela counts fewer MACs than the operators have: its cycles may then be too few, and sometimes must be."""
    short = [x for x in layers if x.where is Where.NPU and x.macs < x.model_macs]
    if not short:
        return ()
    impossible = [x for x in short if x.model_macs > x.busy.npu * macs_per_cycle]
    counted, real = sum(x.macs for x in short), sum(x.model_macs for x in short)
    text = (
        f"Vela {vela.version} counts {counted:,} of the {real:,} MACs of {_listed(short)}: it seems to estimate a part of the operator "
        "only, so cycles may be too few there, and utilisation is of the MACs counted"
    )
    if impossible:
        text += f"; the NPU cycles it gives for {_listed(impossible)} are fewer than the MACs need at {macs_per_cycle} per cycle"
    return (text,)


def _storage_notes(summary: VelaSummary) -> tuple[str, ...]:
    """Vela's name for constants in SRAM would mislead."""
    if any(m.memory is NpuResource.ON_CHIP_FLASH and m.used_bytes and not m.total_bytes for m in summary.memories):
        return ("Vela calls SRAM that holds constants on-chip flash, and counts its traffic as the SRAM's",)
    return ()


def _listed(layers: Sequence[NpuLayer]) -> str:
    return f"layer{'s' if len(layers) > 1 else ''} {', '.join(str(x.index) for x in layers)}"
