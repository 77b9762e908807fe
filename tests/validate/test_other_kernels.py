"""Exact points with other versions of the kernels: what is kept, and that the committed shares are what the kept runs say."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from engine.cli.main import main
from engine.errors import RecordError, ToolError
from engine.firmware.cmsis_nn import CMSIS_NN_PATH
from engine.paths import measurements_dir
from engine.pipeline.local import other_kernels_path, validations_path
from engine.records.other_kernels import OtherKernels, read_other_kernels
from engine.records.validation import Use, Validation, read_validations
from engine.validate import keep as keeping
from engine.validate.keep import keep_other_kernels
from engine.validate.kernel_share import kernel_share
from engine.validate.reference import read_reference
from tests.builders.analyses import make_point, make_validations


@pytest.fixture(autouse=True)
def _no_compiler_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "toolchain", lambda name: SimpleNamespace(version="1"))


def test_exact_points_are_kept_by_name_and_compiler(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    found = make_validations().results[0].validation
    keep_other_kernels(found, "older", path)
    by_clang = tuple(p.model_copy(update={"compiler": "clang"}) for p in found.points)
    keep_other_kernels(found.model_copy(update={"points": by_clang}), "older", path)
    keep_other_kernels(found, "oldest", path)
    kept = keep_other_kernels(found, "older", path)
    assert [(r.compiler, r.name) for r in kept.results] == [("gcc", "older"), ("gcc", "oldest"), ("clang", "older")]
    assert read_other_kernels(path) == kept
    (first, second) = kept.results[0].points
    assert (first.model, second.model) == ("mlperf-tiny/ic", "mlperf-tiny/kws")
    assert kept.results[0].mape == pytest.approx((0.01 + 0.1) / 2)
    energies = [(p.energy_uj or 0) / p.published_uj - 1 for p in found.points if p.use is Use.EXACT and p.published_uj]
    assert kept.results[0].energy_mape == pytest.approx(sum(map(abs, energies)) / len(energies))
    assert read_other_kernels(tmp_path / "none.json") == OtherKernels()


def test_nothing_is_kept_without_an_exact_point(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    point = make_point(simulated_ms=None, interval_ms=None, error=None, holds=None, notes=("not run: no compiler",))
    with pytest.raises(ToolError, match="nothing is kept: not run: no compiler"):
        keep_other_kernels(Validation(points=(point,), mape=None, worst=None), "older", path)
    assert not path.exists()
    path.write_text('{"results": 3}')
    with pytest.raises(RecordError, match="cannot be read"):
        read_other_kernels(path)


def test_other_kernels_are_not_kept_as_the_projects_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CMSIS_NN_PATH, "/somewhere")
    result = CliRunner().invoke(main, ["validate", "--update"])
    assert result.exit_code == 2
    assert "other kernels than those of the committed result" in result.output
    monkeypatch.delenv(CMSIS_NN_PATH)
    result = CliRunner().invoke(main, ["validate", "--update", "--note", "older"])
    assert result.exit_code == 2
    assert "--note is kept with" in result.output


def test_the_committed_results_are_of_the_exact_rows() -> None:
    rows = read_reference(measurements_dir() / "published" / "validation.csv").rows
    exact = [(r.board, r.model, r.framework, r.latency_ms) for r in rows if r.use is Use.EXACT]
    kept = read_other_kernels(other_kernels_path())
    assert [len(kept.of(c)) for c in ("gcc", "clang")] == [3, 3]
    for result in kept.results:
        assert [(*p.key, p.published_ms) for p in result.points] == exact


def test_the_shares_are_those_of_the_kept_runs() -> None:
    kept = read_other_kernels(other_kernels_path()).of("gcc")
    rows = read_reference(measurements_dir() / "published" / "validation.csv").rows
    own = read_validations(validations_path()).results[0].validation.points
    with (measurements_dir() / "published" / "kernel_share.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 5
    for row, point in zip(rows, own, strict=True):
        share = kernel_share(row)
        others = [p.simulated_ms for r in kept for p in r.points if p.key == (row.board, row.model, row.framework)]
        assert (share is None) == (not others)
        if share is not None and point.simulated_ms is not None:
            assert share.low == pytest.approx(min(others) / point.simulated_ms - 1, abs=6e-4)
            assert share.high == pytest.approx(max(others) / point.simulated_ms - 1, abs=6e-4)
            assert point.kernels_share == (share.low, share.high)
            assert share.note in point.notes
