"""The analysis of a run: it fits the record, is kept beside it, follows what it was made from, and reaches the site."""

from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.explain.analysis import BLOCKS_PER_LAYER, Analysis
from engine.explain.flame import folded_stacks
from engine.pipeline import keep as keeping
from engine.pipeline import local, placements
from engine.pipeline.keep import analysis_of, kept, make
from engine.pipeline.local import ANALYSIS, fresh_analysis, fresh_record
from engine.pipeline.prepare import prepare
from engine.pipeline.publication import gather
from engine.pipeline.rethink import what_if, what_if_placed
from engine.pipeline.settings import RunSettings, resolve
from engine.records.run import RunRecord
from engine.records.store import write_record
from engine.timing.mechanism import IDEAL_MACHINE, Mechanism
from engine.timing.sweep import sweep_clocks

RUN = resolve(RunSettings("kws", "nucleo-l4r5zi"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own")


@pytest.fixture(autouse=True)
def _own_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Local and committed records of these tests alone; objects and firmware stay in the common cache."""
    monkeypatch.setattr(local, "runs_dir", lambda: folder / "runs")
    for module in ("engine.pipeline.rerun", "engine.pipeline.publication"):
        monkeypatch.setattr(f"{module}.runs_dir", lambda: folder / "runs")
    for module in ("engine.pipeline.local", "engine.pipeline.publication"):
        monkeypatch.setattr(f"{module}.simulated_dir", lambda: folder / "simulated")


@pytest.fixture
def record() -> RunRecord:
    return make(RUN)


def _analysis() -> Analysis:
    found = fresh_analysis(RUN)
    assert found is not None
    return found


def test_it_holds_the_cycles_of_the_record(record: RunRecord) -> None:
    found = _analysis()
    assert kept(RUN) == record
    assert found.id == record.id
    assert [r.cycles for r in found.regions] == [*(x.cycles for x in record.layers), record.glue.cycles]
    assert found.run.cycles == record.cycles.warm == sum(s.cycles for s in found.stacks)
    assert [h.cycles for h in found.hot] == [r.cycles for r in found.regions]
    assert sum(int(line.rsplit(" ", 1)[1]) for line in folded_stacks(found.samples).splitlines()) == record.cycles.warm


def test_shares_of_every_region_sum_to_its_gap(record: RunRecord) -> None:
    for region in (_analysis().run, *_analysis().regions):
        assert tuple(g.mechanism for g in region.gains) == tuple(Mechanism)
        assert sum(g.share_cycles or 0 for g in region.gains) == region.gap_cycles
        for g in region.gains:
            assert (g.share_cycles is not None) == (g.mechanism in IDEAL_MACHINE)
            if g.mechanism is Mechanism.DOUBLE_CLOCK:
                assert (g.gain_cycles, g.gain_cycles_interval) == (None, None)
            else:
                assert g.gain_cycles is not None
                assert g.gain_cycles_interval is not None
                assert g.gain_cycles_interval[0] <= g.gain_cycles <= g.gain_cycles_interval[1]


def test_the_command_line_answers_the_same(record: RunRecord) -> None:
    asked, found = what_if(prepare(RUN)), _analysis()
    assert asked.latency_ms == pytest.approx(record.latency_ms, abs=1e-6)
    assert (asked.cycles, asked.ideal_cycles, asked.clocks) == (found.run.cycles, found.run.ideal_cycles, found.clocks)
    assert {g.mechanism: g.gain_cycles for g in asked.gains} == {
        g.mechanism.value: g.gain_cycles for g in found.run.gains
    }


def test_its_placements_are_what_whatif_estimates(record: RunRecord) -> None:
    found = {p.part: p for p in _analysis().placements}
    assert set(found) == {"weights", "code"}
    made = prepare(RUN)
    for part, effect in found.items():
        wanted = resolve(RunSettings("kws", "nucleo-l4r5zi", place=((part, effect.memory),)))
        assert record.cycles.warm + effect.effect_cycles == what_if_placed(made, wanted).cycles
        assert effect.effect_share == effect.effect_cycles / record.cycles.warm
        assert all(-0.05 < x < 0 for x in effect.effect_shares)


def test_where_only_a_link_can_tell_it_holds_no_placement(record: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise UsageError("too long", hint="link it")

    monkeypatch.setattr(placements, "placed", refuse)
    assert placements.placement_effects(prepare(RUN), record) == ()


def test_clocks_and_blocks(record: RunRecord) -> None:
    found = _analysis()
    assert tuple(p.clock_mhz for p in found.clocks) == sweep_clocks(RUN.board)
    assert next(p.cycles for p in found.clocks if p.clock_mhz == RUN.clock_mhz) == record.cycles.warm
    for layer in found.hot:
        assert len(layer.blocks) <= BLOCKS_PER_LAYER
        for block in layer.blocks:
            assert len(found.code_of(block.address)) == block.instructions
    # a kernel that layers share is kept once
    assert len(found.code) < sum(len(layer.blocks) for layer in found.hot)


def test_it_names_no_path_of_this_machine(record: RunRecord, folder: Path) -> None:
    text = (folder / "runs" / record.id / ANALYSIS).read_text()
    for word in ("/home/", "/tmp/", str(Path.cwd()), str(Path.home()) + "/", ".venv"):
        assert word not in text
    assert len(text) < 1_000_000


def test_what_is_kept_is_not_made_again(record: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "prepare", lambda *_: pytest.fail("prepared again"))
    assert make(RUN) == record
    assert analysis_of(RUN) == _analysis()


@pytest.mark.parametrize("content", [None, "", "{}", '{"schema": 2}'])
def test_a_lost_or_damaged_analysis_is_made_again(record: RunRecord, folder: Path, content: str | None) -> None:
    path = folder / "runs" / record.id / ANALYSIS
    before = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert fresh_record(RUN) == record
    assert kept(RUN) is None
    analysis_of(RUN)
    assert path.read_bytes() == before


def test_it_is_out_of_date_when_the_run_is(record: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fresh_analysis(RUN) is not None
    monkeypatch.setattr("engine.pipeline.fingerprint._code_sha256", lambda rooms: "another engine")
    assert fresh_analysis(RUN) is None


def test_the_site_gets_the_analysis_of_what_it_shows(record: RunRecord, folder: Path) -> None:
    assert gather().analyses == (_analysis(),)
    # beside a committed record with the same numbers too
    committed = folder / "simulated" / f"{record.id}.json"
    write_record(record, committed)
    assert gather().analyses == (_analysis(),)
    # but not beside other numbers
    write_record(record.model_copy(update={"oracle_note": "another, bit for bit"}), committed)
    assert gather().analyses == ()
    committed.unlink()


def test_the_site_gets_none_of_another_engine(record: RunRecord, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    committed = folder / "simulated" / f"{record.id}.json"
    write_record(record, committed)
    monkeypatch.setattr("engine.pipeline.fingerprint._code_sha256", lambda rooms: "another engine")
    found = gather()
    assert (found.records, found.analyses) == ((record,), ())
    committed.unlink()
