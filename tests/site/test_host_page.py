"""The page of this machine: what is in the local store, or that there is nothing."""

from __future__ import annotations

from pathlib import Path

from engine.records.host import HostRecord
from engine.site.chart import Draughtsman
from engine.site.pages.host import write_hosts
from engine.site.render import Renderer
from engine.site.staging import Staging
from tests.builders.host_records import host_record


def _page(tmp_path: Path, *records: HostRecord) -> str:
    docs = Staging(tmp_path / "docs")
    write_hosts(Renderer(docs, Draughtsman(docs, tmp_path / "cache")), records)
    return (docs.root / "host" / "index.md").read_text("utf-8")


def test_without_runs_it_says_how_to_get_one(tmp_path: Path) -> None:
    text = _page(tmp_path)
    assert "Absent: no model was run" in text
    assert "wc-verdict" not in text


def test_a_run_with_everything(tmp_path: Path) -> None:
    text = _page(tmp_path, host_record(model="<b>toy</b>"))
    assert "<b>toy</b>" not in text
    assert "Bound by compute" in text
    assert "LiteRT 2.3.0 (XNNPACK)" in text
    assert "branch accuracy" in text
    assert "wc-chart" in text
    assert (tmp_path / "docs" / "host" / "toy_host_o2.json").is_file()


def test_what_is_absent_says_why(tmp_path: Path) -> None:
    record = host_record(
        runtime=None,
        runtime_note="no LiteRT here",
        reference={"simulation": None, "simulation_note": "no valgrind here"},
    )
    text = _page(tmp_path, record)
    assert "absent: no LiteRT here" in text
    assert "What bounds it: absent: no valgrind here" in text
    assert "wc-chart" not in text
