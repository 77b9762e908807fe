"""Runs once more on Renode: agreement is kept, a difference fails the run, absence has a reason."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from engine.errors import CheckFailedError
from engine.firmware.types import KernelLibrary
from engine.pipeline import keep, on_renode
from engine.pipeline.on_renode import CONFIRMATION, confirm, instructions_of, unconfirmed
from engine.pipeline.prepare import Prepared, prepare
from engine.pipeline.settings import ResolvedRun, RunSettings, resolve
from engine.targets.renode import find
from engine.targets.types import RegionCounts
from tests.targets.renode.conftest import fake as fake
from tests.targets.renode.conftest import renode as renode


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ResolvedRun:
    monkeypatch.setattr(on_renode, "runs_dir", lambda: tmp_path)
    return resolve(RunSettings("kws", "nucleo-l4r5zi", KernelLibrary.CMSIS_NN))


@pytest.fixture(scope="module")
def made() -> Prepared:
    return prepare(resolve(RunSettings("kws", "nucleo-l4r5zi", KernelLibrary.CMSIS_NN)))


def test_without_renode_nothing_is_asked(run: ResolvedRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RENODE_PATH", str(tmp_path))
    assert not unconfirmed(run)
    assert confirm(run) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.usefixtures("renode")
def test_a_run_is_counted_on_the_second_link_and_agrees(run: ResolvedRun, made: Prepared) -> None:
    assert unconfirmed(run)
    steps: list[str] = []
    found = confirm(run, steps.append, made)
    assert found is not None
    assert found.instructions == instructions_of(made)
    assert sum(found.instructions) > 1_000_000
    assert found.machine == "cortex-m4"
    assert "counting on Renode" in steps
    assert not unconfirmed(run)


@pytest.mark.slow
@pytest.mark.usefixtures("renode")
def test_what_differs_fails_the_run_and_is_not_kept(
    run: ResolvedRun, made: Prepared, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours = instructions_of(made)
    theirs = (ours[0] + 1, *ours[1:])
    same = RegionCounts("renode", "1.16.1", "cortex-m4", ours, made.execution.outputs)
    for counts, message in (
        (
            dataclasses.replace(same, instructions=theirs),
            rf"counts other instructions in .*: {ours[0]:,} here, {theirs[0]:,} on Renode",
        ),
        (dataclasses.replace(same, outputs=(b"",) * 4), "the output on Renode"),
    ):
        monkeypatch.setattr(on_renode, "count", lambda *_, answer=counts, **__: answer)
        with pytest.raises(CheckFailedError, match=message):
            confirm(run, made=made)
        assert not (tmp_path / run.id / CONFIRMATION).exists()
    monkeypatch.setattr(on_renode, "count", lambda *_, **__: same)
    kept = confirm(run, made=made)
    monkeypatch.setattr(on_renode, "count", lambda *_, **__: pytest.fail("counted again"))
    assert confirm(run, made=made) == kept
    # another version of Renode is asked again
    monkeypatch.setattr(on_renode, "find_renode", lambda: dataclasses.replace(find.find_renode(), version="1.16.2"))
    assert unconfirmed(run)


@pytest.mark.usefixtures("renode")
def test_a_core_that_renode_must_not_run_is_absent_with_the_reason(run: ResolvedRun) -> None:
    core = run.core.model_copy(update={"name": "cortex-m55", "architecture": "armv8.1-m.main", "mve": True})
    found = confirm(dataclasses.replace(run, core=core))
    assert found is not None
    assert found.instructions == ()
    assert "does not run cortex-m55" in found.reason


@pytest.mark.usefixtures("renode")
def test_a_kept_run_counts_as_kept_only_when_confirmed(run: ResolvedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep, "fresh_record", lambda _: "record")
    monkeypatch.setattr(keep, "fresh_analysis", lambda _: "analysis")
    assert keep.kept(run) is None
    monkeypatch.setattr(keep, "unconfirmed", lambda _: False)
    assert keep.kept(run) == "record"
