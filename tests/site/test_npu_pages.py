"""Pages of NPUs: one table per configuration, a page per estimate with chart and data, and absence with a reason."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from engine.records.npu import NpuRecord
from engine.records.npu_store import committed_npus, dump_npu
from engine.site.chart import Draughtsman
from engine.site.npu_charts import npu_config_chart, npu_layers_chart
from engine.site.pages.npu import write_npus
from engine.site.render import Renderer
from engine.site.staging import Staging
from tests.builders.npu_records import npu_record

HOSTILE = "<img src=x onerror=alert(1)> {{ 7*7 }} | `x`"


def _write(tmp_path: Path, records: list[NpuRecord]) -> Path:
    docs = Staging(tmp_path / "docs")
    write_npus(Renderer(docs, Draughtsman(docs, tmp_path / "cache")), records, ["kws"])
    return docs.root / "npus"


def test_one_table_per_configuration(tmp_path: Path) -> None:
    records = [
        npu_record(),
        npu_record(id="toy_2", npu="ethos-u55-256"),
        npu_record(id="toy_3", memory_mode="Sram_Only"),
    ]
    out = _write(tmp_path, records)
    text = (out / "index.md").read_text("utf-8")
    headings = [line for line in text.splitlines() if line.startswith("## Ethos")]
    assert len(headings) == 2
    for r in records:
        assert f'href="{r.id}/"' in text
        assert (out / r.id / "record.json").read_text("utf-8") == dump_npu(r)
    assert text.count("wc-badge predicted") >= len(records)
    with (out / "npus.csv").open(newline="") as file:
        assert {row["id"] for row in csv.DictReader(file)} == {r.id for r in records}
    with (out / "layers.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 3 * len(records)


def test_a_page_says_what_bounds_every_layer(tmp_path: Path) -> None:
    record = npu_record(model=HOSTILE, notes=(HOSTILE,))
    text = (_write(tmp_path, [record]) / record.id / "index.md").read_text("utf-8")
    assert "<img src=x" not in text
    assert "bound by off-chip flash" in text
    assert "absent: no host" in text
    assert "If off-chip flash were infinitely fast" in text
    assert "Comparable only within this configuration" in text
    assert "path/to/MODEL.tflite --board ethos-u55-128" in text


def test_without_any_the_page_says_how_to_get_one(tmp_path: Path) -> None:
    text = (_write(tmp_path, []) / "index.md").read_text("utf-8")
    assert "Absent: no estimate is kept" in text
    assert "ethos-u85-2048" not in text
    assert "Arm Ethos-U85, 2048 MACs" in text


def test_charts_hold_what_the_record_says() -> None:
    record = npu_record()
    chart = npu_layers_chart(record)
    assert [row[2] for row in chart.table.rows] == ["off-chip flash", "NPU", ""]
    assert [row[3] for row in chart.table.rows] == ["1,000", "500", "0"]
    assert [label for label, _ in chart.legend] == ["NPU", "SRAM", "off-chip flash"]
    beside = npu_config_chart("x", [record])
    assert beside.table.rows[0][:3] == ("toy", "ethos-u55-128", "off-chip flash")


@pytest.mark.parametrize("record", committed_npus()[:1], ids=lambda r: r.id)
def test_committed_records_make_a_page(tmp_path: Path, record: NpuRecord) -> None:
    text = (_write(tmp_path, [record]) / record.id / "index.md").read_text("utf-8")
    assert f"whycycles run {record.model} --board {record.npu}\n" in text
