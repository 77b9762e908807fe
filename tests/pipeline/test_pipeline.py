"""Whole runs on the emulator: the record, its reproduction, the campaign's memory, and a user's own board and model."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.catalog.campaign import Campaign
from engine.catalog.load import BOARDS_DIR
from engine.errors import DoesNotFitError, UsageError
from engine.explain.explain import explain_run
from engine.explain.hardware import hardware_of
from engine.firmware.types import KernelLibrary
from engine.models.zoo.card import ZOO
from engine.pipeline import campaign as campaigns
from engine.pipeline import local
from engine.pipeline.campaign import Outcome, RunResult, run_campaign
from engine.pipeline.contradictions import contradictions
from engine.pipeline.fingerprint import execution_key
from engine.pipeline.keep import make
from engine.pipeline.local import ANALYSIS, find_record, fresh_analysis, fresh_record, local_runs, save, simulated_dir
from engine.pipeline.measure import measure
from engine.pipeline.prepare import prepare
from engine.pipeline.publication import gather
from engine.pipeline.rerun import hardware_for, settings_of, verify_record
from engine.pipeline.settings import RunSettings, parse_set, resolve
from engine.records.diff import diff_records
from engine.records.run import RunRecord
from engine.records.store import dump_record, read_records, write_record
from engine.targets import choose
from engine.targets.types import Execution
from engine.targets.unicorn_target import UnicornTarget

KWS = RunSettings("kws", "nucleo-l4r5zi")
TINY = Campaign(
    name="tiny",
    title="one run",
    models=("kws",),
    boards=("nucleo-l4r5zi",),
    kernels=("cmsis-nn",),
    compilers=("clang",),
    opts=("O2",),
)


@pytest.fixture
def own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Local and committed records of this test alone; objects and firmware stay in the common cache."""
    monkeypatch.setattr(local, "runs_dir", lambda: tmp_path / "runs")
    for module in ("engine.pipeline.rerun", "engine.pipeline.publication"):
        monkeypatch.setattr(f"{module}.runs_dir", lambda: tmp_path / "runs")
    for module in ("engine.pipeline.local", "engine.pipeline.campaign", "engine.pipeline.publication"):
        monkeypatch.setattr(f"{module}.simulated_dir", lambda: tmp_path / "simulated")
    return tmp_path


@pytest.fixture(scope="module")
def kws() -> RunRecord:
    return measure(resolve(KWS))


def test_a_run_is_checked_and_sums(kws: RunRecord) -> None:
    assert kws.output_matches_oracle is True
    assert kws.macs == 2_656_768
    assert sum(x.cycles for x in kws.layers) + kws.glue.cycles == kws.cycles.warm
    assert kws.cycles_interval[0] <= kws.cycles.warm <= kws.cycles_interval[1]
    assert all(x.stack.cycles == x.cycles for x in kws.layers)
    assert {x.library for x in kws.layers if x.op != "SOFTMAX"} == {"cmsis-nn"}


def test_a_run_is_repeatable(kws: RunRecord) -> None:
    assert dump_record(measure(resolve(KWS))) == dump_record(kws)


def test_the_record_names_no_path_host_or_time(kws: RunRecord) -> None:
    text = dump_record(kws)
    for word in ("/home/", "/tmp/", str(Path.cwd()), str(Path.home()) + "/", ".venv"):
        assert word not in text


def test_a_committed_record_is_reproduced(kws: RunRecord) -> None:
    committed = find_record(str(simulated_dir() / f"{kws.id}.json"))
    assert verify_record(committed) == ()


# one of each core: `make site` measures them all and fails where one differs
OF_EACH_CORE = {r.core: r for r in read_records(simulated_dir()) if (r.model, r.kernels) == ("kws", "cmsis-nn")}


@pytest.mark.slow
@pytest.mark.parametrize("record", OF_EACH_CORE.values(), ids=lambda r: r.id)
def test_a_committed_record_of_each_core_is_reproduced(record: RunRecord) -> None:
    assert verify_record(record) == ()


def test_a_changed_record_is_not_reproduced(kws: RunRecord) -> None:
    layer = kws.layers[0]
    counters = layer.counters.model_copy(update={"blocks": layer.counters.blocks + 1})
    changed = kws.model_copy(update={"layers": (layer.model_copy(update={"counters": counters}), *kws.layers[1:])})
    (difference,) = verify_record(changed)
    assert (difference.where, difference.field) == (f"layer 0 ({layer.name})", "counters.blocks")


def test_a_run_is_found_again_until_something_changes(
    kws: RunRecord, own_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = resolve(KWS)
    assert fresh_record(run) is None
    save(run, kws)
    assert fresh_record(run) == kws
    assert find_record(kws.id) == kws
    monkeypatch.setattr("engine.pipeline.fingerprint._code_sha256", lambda rooms: "another engine")
    assert fresh_record(run) is None
    assert gather().left_out[0].startswith(kws.id)


def test_a_campaign_measures_once(kws: RunRecord, own_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    run_one = campaigns._run

    def counted(settings: RunSettings) -> RunResult:
        calls.append(settings)
        return run_one(settings)

    monkeypatch.setattr(campaigns, "_run", counted)
    (first,) = run_campaign(TINY, jobs=1, update=True)
    assert (first.outcome, first.committed, first.differences) == (Outcome.MEASURED, True, ())
    assert read_records(own_runs / "simulated") == (kws,)
    (second,) = run_campaign(TINY, jobs=1, update=False)
    assert (second.outcome, second.committed) == (Outcome.UNCHANGED, True)
    assert len(calls) == 1
    # an analysis that is lost is made again, the run is not
    (own_runs / "runs" / kws.id / ANALYSIS).unlink()
    (third,) = run_campaign(TINY, jobs=1, update=False)
    assert (third.outcome, len(calls)) == (Outcome.UNCHANGED, 2)
    assert fresh_analysis(resolve(KWS)) is not None


def test_a_campaign_names_what_differs(kws: RunRecord, own_runs: Path) -> None:
    changed = kws.model_copy(update={"oracle_note": "another, bit for bit"})
    write_record(changed, own_runs / "simulated" / f"{kws.id}.json")
    save(resolve(KWS), kws)
    (result,) = run_campaign(TINY, jobs=1, update=False)
    assert [d.field for d in result.differences] == ["oracle_note"]
    (updated,) = run_campaign(TINY, jobs=1, update=True)
    assert updated.differences
    assert read_records(own_runs / "simulated") == (kws,)


def test_a_broken_committed_record_is_a_difference(kws: RunRecord, own_runs: Path) -> None:
    path = own_runs / "simulated" / f"{kws.id}.json"
    path.parent.mkdir()
    path.write_text("{}")
    save(resolve(KWS), kws)
    (result,) = run_campaign(TINY, jobs=1, update=False)
    assert "not a valid run record" in str(result.differences[0])
    list(run_campaign(TINY, jobs=1, update=True))
    assert read_records(own_runs / "simulated") == (kws,)


def test_a_failed_run_does_not_stop_a_campaign(own_runs: Path) -> None:
    broken = TINY.model_copy(update={"boards": ("no-such-board",)})
    (result,) = run_campaign(broken, jobs=1, update=False)
    assert result.outcome is Outcome.FAILED
    assert "no-such-board" in result.error
    assert result.hint


@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")
def test_a_run_on_qemu_differs_in_name_and_provenance_alone(kws: RunRecord, own_runs: Path) -> None:
    run = resolve(replace(KWS, target="qemu"))
    record = measure(run)
    assert {d.field for d in diff_records(kws, record)} == {"id", "target", "provenance.target_version"}
    assert contradictions(record) == ()
    assert settings_of(record).id == run.id
    assert "target is 'toaster'" in contradictions(record.model_copy(update={"target": "toaster"}))[0]
    assert "id is" in contradictions(record.model_copy(update={"target": "unicorn"}))[0]


def test_a_run_whose_target_is_absent_leaves_its_committed_record(
    kws: RunRecord, own_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    on_qemu = replace(KWS, target="qemu")
    name = f"{kws.id}_qemu"
    failed = campaigns._run(on_qemu)
    assert (failed.id, failed.outcome) == (name, Outcome.FAILED)
    assert "qemu-system-arm is not installed" in failed.error
    write_record(kws.model_copy(update={"id": name, "target": "qemu"}), own_runs / "simulated" / f"{name}.json")
    skipped = campaigns._run(on_qemu)
    assert (skipped.id, skipped.outcome, skipped.committed) == (name, Outcome.SKIPPED, True)
    assert "qemu is not on this machine" in skipped.error


@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")
def test_a_run_that_cannot_be_decoded_leaves_its_committed_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "find_llvm_tool", lambda _: None)
    on_helium = replace(KWS, board="apollo510-evb")
    skipped = campaigns._run(on_helium)
    assert (skipped.outcome, skipped.committed) == (Outcome.SKIPPED, True)
    assert "llvm-objdump is not on this machine" in skipped.error


SET = replace(KWS, set=(parse_set("flash.wait_states=0"), parse_set("core.latency.load=3")))


def test_a_run_with_set_figures_is_remembered_and_reproduced(kws: RunRecord, own_runs: Path) -> None:
    run = resolve(SET)
    record = measure(run)
    assert record.overrides == ("core.latency.load=3", "flash.wait_states=0")
    assert [n for n in record.notes if n not in kws.notes] == [
        "core.latency.load=3 was set on the command line for this run; the description says 2.",
        "flash.wait_states=0 was set on the command line for this run; the description says 0 to 5, by the clock.",
    ]
    load_use, fetch = (sum(getattr(x.stack, c) for x in record.layers) for c in ("load_use", "instruction_fetch"))
    assert load_use > sum(x.stack.load_use for x in kws.layers)
    assert fetch == 0 < sum(x.stack.instruction_fetch for x in kws.layers)
    assert record.instructions == kws.instructions
    save(run, record)
    assert fresh_record(run) == record
    assert fresh_record(resolve(KWS)) is None
    assert verify_record(record) == ()
    again = settings_of(record)
    assert (again.id, again.board, again.core) == (run.id, run.board, run.core)
    hardware = hardware_for(record)
    assert (hardware.board, hardware.core, hardware.notes) == (run.board, run.core, ())
    assert hardware_of(record) == hardware
    assert record.overrides[0] in explain_run(record).sentence
    assert gather().records == (record,)
    also = settings_of(record, (parse_set("flash.wait_states=2"), parse_set("flash.prefetch=false")))
    assert also.id.endswith("_core.latency.load-3_flash.prefetch-false_flash.wait_states-2")


def test_only_what_changes_the_memories_is_executed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = prepare(resolve(KWS)).execution
    executed = []
    real = UnicornTarget.run

    def counted(target: UnicornTarget, *args: Any) -> Execution:
        executed.append(target)
        return real(target, *args)

    monkeypatch.setattr(UnicornTarget, "run", counted)
    core_only = prepare(resolve(replace(KWS, set=(parse_set("core.latency.load=3"),)))).execution
    assert executed == []
    assert core_only.warm == plain.warm
    monkeypatch.setattr("engine.pipeline.prepare.load_execution", lambda key: None)
    monkeypatch.setattr("engine.pipeline.prepare.save_execution", lambda key, execution: None)
    no_cache = prepare(resolve(replace(KWS, set=(parse_set("flash.icache=none"),)))).execution
    assert len(executed) == 1
    assert no_cache.warm != plain.warm
    assert np.array_equal(no_cache.profile.count, plain.profile.count)


def test_measuring_again_and_verifying_execute_again(
    kws: RunRecord, own_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed = []
    real = UnicornTarget.run

    def counted(target: UnicornTarget, *args: Any) -> Execution:
        executed.append(target)
        return real(target, *args)

    monkeypatch.setattr(UnicornTarget, "run", counted)
    assert make(resolve(KWS)) == kws
    assert executed == []
    assert make(resolve(KWS), again=True) == kws
    assert len(executed) == 1
    assert verify_record(kws) == ()
    assert len(executed) == 2


def test_set_memories_are_another_execution() -> None:
    keys = set()
    for texts in ((), ("flash.icache.ways=2",), ("flash.dcache=none",)):
        run = resolve(replace(KWS, set=tuple(parse_set(t) for t in texts)))
        made = prepare(resolve(KWS)).firmware
        keys.add(execution_key(run.target, made, run.board, (b"",)))
    assert len(keys) == 3


def test_a_users_board_and_model(own_runs: Path) -> None:
    board = own_runs / "mine.toml"
    text = (BOARDS_DIR / "nucleo-l4r5zi.toml").read_text()
    board.write_text(text.replace('name = "nucleo-l4r5zi"', 'name = "my-board"').replace("0x200000 ", "0x100000 "))
    model = own_runs / "My Model.tflite"
    model.write_bytes((ZOO / "kws.tflite").read_bytes() + b"\0\0\0\0")
    run = resolve(RunSettings(str(model), str(board)))
    record = measure(run)
    assert record.board == "my-board"
    assert record.id.startswith("my-model")
    # another description under the same name is another run
    other = own_runs / "other.toml"
    other.write_text(board.read_text().replace("0x100000 ", "0x180000 "))
    assert resolve(RunSettings(str(model), str(other))).id != record.id
    save(run, record)
    board.unlink()
    model.unlink()
    # the run keeps its own copies: it can be explained, verified and published without the user's files
    (kept,) = local_runs()
    assert kept.record == record
    assert hardware_for(record).notes == ()
    assert verify_record(record) == ()
    found = gather()
    assert found.records == (record,)
    assert "my-board" in {b.name for b in found.boards}
    assert [m.name for m in found.models] == [record.model]


def test_what_does_not_fit_is_refused(own_runs: Path) -> None:
    board = own_runs / "small.toml"
    text = (BOARDS_DIR / "nucleo-l4r5zi.toml").read_text()
    board.write_text(text.replace("0x30000 ", "0x2000 ").replace('name = "nucleo-l4r5zi"', 'name = "small"'))
    with pytest.raises(DoesNotFitError, match="sram1"):
        measure(resolve(RunSettings("kws", str(board), KernelLibrary.REFERENCE)))


def test_only_simulated_records_are_re_simulated(kws: RunRecord) -> None:
    with pytest.raises(UsageError, match="not simulated"):
        settings_of(kws.model_copy(update={"evidence": "published"}))
