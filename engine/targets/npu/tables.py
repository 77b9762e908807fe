"""Vela's two tables as typed rows. Columns go by their names, and a column nobody knows is refused: its meaning may matter."""

from __future__ import annotations

import csv
from dataclasses import dataclass

from engine.errors import ToolError
from engine.records.npu import MEMORIES, NpuResource, ResourceCycles

_PER_LAYER = (
    "Original Operator", "NNG Operator", "Target", "Staging Usage", "Peak% (Staging)", "Op Cycles", "Network% (cycles)", "NPU",
    "SRAM AC", "DRAM AC", "OnFlash AC", "OffFlash AC", "MAC Count", "Network% (MAC)", "Util% (MAC)", "Name",
)  # fmt: skip
_TRAFFIC = ("feature_map_read", "feature_map_write", "weight_read", "weight_write", "total")
_SUMMARY = (
    "experiment", "network", "accelerator_configuration", "system_config", "memory_mode", "core_clock", "arena_cache_size",
    *(f"{m.value}_bandwidth" for m in MEMORIES), "weights_storage_area", "feature_map_storage_area", "inferences_per_second",
    "batch_size", "inference_time", "passes_before_fusing", "passes_after_fusing", *(f"{m.value}_memory_used" for m in MEMORIES),
    "total_original_weights", "total_npu_encoded_weights", *(f"{m.value}_{t}_bytes" for m in MEMORIES for t in _TRAFFIC),
    "nn_macs", "nn_tops", "cycles_npu", *(f"cycles_{m.value}_access" for m in MEMORIES), "cycles_total",
)  # fmt: skip
HINT = "this version of Vela writes other tables than 5.2, or the file was cut; install ethos-u-vela 5.2"
"""What to do about tables that are not as known."""

_KIB, _GIB = 1024, 1024**3


@dataclass(frozen=True)
class VelaRow:
    """One operation. ``source`` is the kind of the operator that it is for, in Vela's words."""

    source: str
    operation: str
    on_npu: bool
    staging_bytes: int
    cycles: int
    busy: ResourceCycles
    macs: int


@dataclass(frozen=True)
class VelaMemory:
    """One memory in the summary. ``peak_gb_s`` in 10^9 bytes per second."""

    memory: NpuResource
    used_bytes: int
    peak_gb_s: float
    feature_map_read_bytes: int
    feature_map_write_bytes: int
    weight_read_bytes: int
    weight_write_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class VelaSummary:
    """The summary. ``memories`` in the order of the enum, also those that the system does not have."""

    system_config: str
    memory_mode: str
    clock_mhz: float
    cycles: int
    weight_bytes: int
    encoded_weight_bytes: int
    memories: tuple[VelaMemory, ...]


def parse_per_layer(text: str) -> tuple[VelaRow, ...]:
    """Rows of the table per operation. Raises ToolError for a table that is not as known."""
    where = "Vela's table per operation"
    # a name may hold any other sign that ends a line elsewhere
    lines = text.removesuffix("\n").split("\n")
    columns = _columns(lines, _PER_LAYER, where)
    # names are written unquoted and may hold commas, so the name must be what remains
    if columns[-1] != "Name":
        raise ToolError(f"{where}: the last column is {columns[-1]!r}, not Name", hint=HINT)
    rows = []
    for number, line in enumerate(lines[1:], 2):
        cells = line.split(",", len(columns) - 1)
        rows.append(_row(_Cells(columns, cells, f"{where}, line {number}")))
    if not rows:
        raise ToolError(f"{where} has no rows", hint=HINT)
    return tuple(rows)


def parse_summary(text: str) -> VelaSummary:
    """The summary's last row. Raises ToolError for a table that is not as known."""
    where = "Vela's summary"
    columns = _columns(text.splitlines(), _SUMMARY, where)
    rows = list(csv.reader(text.splitlines()))
    if len(rows) != 2:
        raise ToolError(f"{where} has {len(rows) - 1} rows instead of one", hint=HINT)
    cells = _Cells(columns, rows[1], where)
    return VelaSummary(
        system_config=cells.text("system_config"),
        memory_mode=cells.text("memory_mode"),
        clock_mhz=cells.number("core_clock") / 1e6,
        cycles=cells.count("cycles_total"),
        weight_bytes=cells.count("total_original_weights"),
        encoded_weight_bytes=cells.count("total_npu_encoded_weights"),
        memories=tuple(_memory(cells, m) for m in MEMORIES),
    )


def _row(cells: _Cells) -> VelaRow:
    target = cells.text("Target")
    if target not in ("NPU", "CPU"):
        raise ToolError(f"{cells.where}: Target is {target!r}, neither NPU nor CPU", hint=HINT)
    row = VelaRow(
        source=cells.text("Original Operator"),
        operation=cells.text("NNG Operator"),
        on_npu=target == "NPU",
        staging_bytes=cells.count("Staging Usage"),
        cycles=cells.count("Op Cycles"),
        busy=ResourceCycles(
            npu=cells.count("NPU"),
            sram=cells.count("SRAM AC"),
            dram=cells.count("DRAM AC"),
            on_chip_flash=cells.count("OnFlash AC"),
            off_chip_flash=cells.count("OffFlash AC"),
        ),
        macs=cells.count("MAC Count"),
    )
    if row.cycles != row.busy.of(row.busy.largest):
        raise ToolError(
            f"{cells.where}: {row.cycles} cycles are not those of the busiest resource ({row.busy.of(row.busy.largest)})",
            hint=HINT,
        )
    return row


def _memory(cells: _Cells, memory: NpuResource) -> VelaMemory:
    traffic = {t: cells.count(f"{memory.value}_{t}_bytes") for t in _TRAFFIC}
    return VelaMemory(
        memory=memory,
        used_bytes=round(cells.number(f"{memory.value}_memory_used") * _KIB),
        peak_gb_s=round(cells.number(f"{memory.value}_bandwidth") * _GIB / 1e9, 6),
        feature_map_read_bytes=traffic["feature_map_read"],
        feature_map_write_bytes=traffic["feature_map_write"],
        weight_read_bytes=traffic["weight_read"],
        weight_write_bytes=traffic["weight_write"],
        total_bytes=traffic["total"],
    )


def _columns(lines: list[str], known: tuple[str, ...], where: str) -> list[str]:
    found = lines[0].split(",") if lines and lines[0] else []
    for what, names in (("an unknown", set(found) - set(known)), ("no", set(known) - set(found))):
        if names:
            raise ToolError(f"{where} has {what} column {sorted(names)[0]!r}", hint=HINT)
    if len(found) != len(known):
        raise ToolError(f"{where} names a column twice", hint=HINT)
    return found


class _Cells:
    """One row by column names; every refusal says where."""

    def __init__(self, columns: list[str], cells: list[str], where: str) -> None:
        if len(cells) != len(columns):
            raise ToolError(f"{where} has {len(cells)} cells instead of {len(columns)}", hint=HINT)
        self.where = where
        self._cells = dict(zip(columns, cells, strict=True))

    def text(self, column: str) -> str:
        return self._cells[column]

    def number(self, column: str) -> float:
        try:
            value = float(self._cells[column])
        except ValueError:
            value = float("nan")
        if not 0 <= value < 2**63:
            raise ToolError(f"{self.where}: {column} is {self._cells[column]!r}, not a number", hint=HINT)
        return value

    def count(self, column: str) -> int:
        value = self.number(column)
        if value != int(value):
            raise ToolError(f"{self.where}: {column} is {self._cells[column]!r}, not a whole number", hint=HINT)
        return int(value)
