"""The estimates of a campaign: made where something changed, compared with the committed ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from engine.catalog.campaign import Campaign
from engine.errors import RecordError, WhycyclesError
from engine.models.library import list_models
from engine.pipeline.npu import NpuSettings, resolve_npu
from engine.pipeline.npu_keep import make_npu
from engine.records.diff import Difference, diff_records
from engine.records.npu import NpuRecord
from engine.records.npu_store import npu_measurements_dir, read_npu, write_npu
from engine.targets.npu.vela import Vela


@dataclass(frozen=True)
class NpuResult:
    """One estimate of a campaign; ``skipped`` or ``error`` say why there is none, ``differences`` are against the committed record."""

    name: str
    record: NpuRecord | None
    committed: bool
    differences: tuple[Difference, ...] = ()
    skipped: str = ""
    error: str = ""


def npu_estimates(campaign: Campaign) -> tuple[NpuSettings, ...]:
    """All estimates of a campaign, in the order of its lists."""
    return tuple(NpuSettings(m, n) for matrix in campaign.estimates for m, n in product(matrix.models, matrix.npus))


def run_estimates(campaign: Campaign, vela: Vela, *, update: bool) -> Iterator[NpuResult]:
    """Yield each estimate as it is made. Nothing is downloaded: a model that is not on this machine is skipped.

    With ``update`` the committed records are rewritten where they differ. Raises UsageError or CatalogError for a name that is unknown.
    """
    absent = {m.name for m in list_models() if not m.present}
    for settings in npu_estimates(campaign):
        name = f"{settings.model} on {settings.npu}"
        if settings.model in absent:
            yield NpuResult(name, None, committed=False, skipped=f"the model {settings.model} is not on this machine")
            continue
        run = resolve_npu(settings)
        try:
            record = make_npu(run, vela=vela)
        except WhycyclesError as error:
            yield NpuResult(name, None, committed=False, error=error.message)
            continue
        yield _settle(record, update)


def _settle(record: NpuRecord, update: bool) -> NpuResult:
    path = npu_measurements_dir() / f"{record.id}.json"
    committed = path.is_file()
    differences: tuple[Difference, ...] = ()
    if committed:
        try:
            differences = diff_records(read_npu(path), record)
        except RecordError as error:
            # a record of an older schema differs as a whole
            differences = (Difference("committed record", error.message, "a valid record", "none"),)
    if update and (differences or not committed):
        write_npu(record, path)
    return NpuResult(record.id, record, committed or update, differences)
