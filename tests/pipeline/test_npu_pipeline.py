"""From a model to a record: with a program that stands in for Vela, and with Vela itself where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.catalog.campaign import NpuMatrix, load_campaign
from engine.catalog.npu import NPUS_DIR
from engine.errors import CatalogError, ModelError, ToolError, UsageError
from engine.models.library import list_models
from engine.pipeline import npu_campaign
from engine.pipeline.npu import NpuSettings, estimate, resolve_npu
from engine.pipeline.npu_campaign import npu_estimates, run_estimates
from engine.pipeline.npu_keep import find_npu_record, known_npus, make_npu, npu_dir, verify_npu
from engine.records.npu import NpuResource, Where
from engine.records.npu_store import committed_npus, npu_measurements_dir
from engine.targets.npu.vela import Vela, find_vela
from tests.builders.vela import ROWS, FakeVela, Row, debug, install, per_layer, small_model, summary


@pytest.fixture(autouse=True)
def _private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "small.tflite"
    path.write_bytes(small_model())
    return str(path)


def _fake(tmp_path: Path, **behaviour: object) -> Vela:
    return Vela(install(FakeVela(**behaviour), tmp_path / "vela"), "5.2.0")  # type: ignore[arg-type]


def _files(rows: tuple[Row, ...] = ROWS, **changed: object) -> dict[str, str]:
    return {
        "model_per-layer.csv": per_layer(rows),
        "model_summary_x.csv": summary(rows, **changed),
        "model_debug.xml": debug(rows),
    }


def _vela() -> Vela:
    try:
        return find_vela()
    except ToolError as error:
        pytest.skip(error.message)


def test_a_record_from_velas_tables(tmp_path: Path, model: str) -> None:
    record, tables = estimate(resolve_npu(NpuSettings(model, "ethos-u55-128")), _fake(tmp_path))
    assert tables.per_layer == per_layer()
    assert record.id == "small_ethos-u55-128_ethos-u55-high-end-embedded_shared-sram"
    assert (record.cycles, record.bottleneck, record.npu_latency_ms) == (502, NpuResource.NPU, 0.001004)
    assert [x.where for x in record.layers] == [Where.NPU, Where.CPU, Where.NPU, Where.NPU]
    assert record.latency_ms is None
    assert "--host-board" in record.latency_note
    assert "--host-board" in record.cpu_layers[0].reason
    assert [m.memory for m in record.memories] == [NpuResource.SRAM, NpuResource.OFF_CHIP_FLASH]
    # the table counts 6,400 MACs of a convolution that has 115,200: impossible at 128 per cycle in 400 cycles
    assert "counts 7,200 of the 121,600 MACs of layers 0, 2" in record.notes[0]
    assert "fewer than the MACs need at 128 per cycle" in record.notes[0]


def test_what_vela_calls_sram_of_constants_is_explained(tmp_path: Path, model: str) -> None:
    tool = _fake(tmp_path, files=_files(on_chip_flash_memory_used=3.0))
    record, _ = estimate(resolve_npu(NpuSettings(model, "ethos-u55-128")), tool)
    assert any("SRAM that holds constants" in n for n in record.notes)


@pytest.mark.parametrize(
    ("files", "kind", "what"),
    [
        (_files(cycles_total=503), ToolError, "tables disagree: 502 cycles in all operations, 503"),
        (_files(memory_mode="Sram_Only"), ToolError, "instead of Ethos_U55_High_End_Embedded with Shared_Sram"),
        (_files(core_clock=200e6), CatalogError, "clock_mhz is 500, but Ethos_U55_High_End_Embedded has 200 MHz"),
        (_files((Row("Conv2D", "Passthrough", (0, 0, 0, 0, 0), 0, 0),)), ModelError, "no operator on the NPU"),
    ],
)
def test_contradictions_are_refused(
    tmp_path: Path, model: str, files: dict[str, str], kind: type[Exception], what: str
) -> None:
    with pytest.raises(kind, match=what):
        estimate(resolve_npu(NpuSettings(model, "ethos-u55-128")), _fake(tmp_path, files=files))


def test_settings_that_cannot_be(model: str) -> None:
    with pytest.raises(UsageError, match="no key 'clock' to set"):
        resolve_npu(NpuSettings(model, "ethos-u55-128", (("clock", "3"),)))
    with pytest.raises(UsageError, match="unknown board"):
        resolve_npu(NpuSettings(model, "ethos-u55-128", host_board="nope"))
    with pytest.raises(UsageError, match="unknown NPU"):
        resolve_npu(NpuSettings(model, "nucleo-l4r5zi"))


def test_every_choice_has_a_name_of_its_own(tmp_path: Path, model: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text((NPUS_DIR / "ethos-u55-128.toml").read_text().replace('"ethos-u55-128"', '"own"', 1))
    settings = (
        NpuSettings(model, "ethos-u55-128"),
        NpuSettings(model, "ethos-u55-128", (("memory_mode", "Sram_Only"),)),
        NpuSettings(model, "ethos-u55-128", host_board="nucleo-l4r5zi"),
        NpuSettings(model, str(own)),
    )
    ids = [resolve_npu(s).id for s in settings]
    assert len(set(ids)) == len(ids)
    assert ids[2].endswith("_host-nucleo-l4r5zi")
    assert ids[3].startswith("small_own-")


def test_kept_until_something_changes(tmp_path: Path, model: str) -> None:
    run = resolve_npu(NpuSettings(model, "ethos-u55-128"))
    record = make_npu(run, vela=_fake(tmp_path))
    assert (npu_dir() / run.id / "per-layer.csv").read_text() == per_layer()
    broken = _fake(tmp_path, exit_code=1)
    assert make_npu(run, vela=broken) == record
    assert find_npu_record(run.id) == record
    assert find_npu_record(str(npu_dir() / run.id / "record.json")) == record
    assert record in known_npus()
    with pytest.raises(ToolError):
        make_npu(run, vela=broken, again=True)
    with pytest.raises(ToolError):
        make_npu(run, vela=Vela(broken.path, "5.9"))


def test_a_cache_that_cannot_be_written(tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = _fake(tmp_path, files=_files())
    monkeypatch.setenv("WHYCYCLES_CACHE", model)
    with pytest.raises(ToolError, match="cannot use the cache folder") as caught:
        make_npu(resolve_npu(NpuSettings(model, "ethos-u55-128")), vela=tool)
    assert "WHYCYCLES_CACHE" in caught.value.hint


def test_other_names_are_of_something_else(tmp_path: Path) -> None:
    assert find_npu_record("kws_nucleo-l4r5zi") is None
    (tmp_path / "x.json").write_text("{}")
    assert find_npu_record(str(tmp_path / "x.json")) is None
    assert find_npu_record(str(npu_measurements_dir() / f"{committed_npus()[0].id}.json")) == committed_npus()[0]


def test_a_host_that_cannot_run_the_model_is_a_reason(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ModelError("operator X is not supported", hint="none")

    monkeypatch.setattr("engine.pipeline.npu.make", refuse)
    run = resolve_npu(NpuSettings(model, "ethos-u55-128", host_board="nucleo-l4r5zi"))
    record, _ = estimate(run, _fake(tmp_path))
    assert record.cpu_layers[0].reason == "nucleo-l4r5zi cannot run the model: operator X is not supported"


def test_campaign_skips_what_is_not_here_and_reports_what_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load_campaign("default")
    assert len(npu_estimates(whole)) == len({(s.model, s.npu) for s in npu_estimates(whole)})
    few = NpuMatrix(models=("kws", "mlperf-tiny/ad"), npus=("ethos-u55-128", "ethos-u85-256"))
    matrix = whole.model_copy(update={"estimates": (few,)})
    monkeypatch.setenv("WHYCYCLES_MODELS", str(tmp_path))
    monkeypatch.setattr(npu_campaign, "npu_measurements_dir", lambda: tmp_path / "npu")
    results = list(run_estimates(matrix, _fake(tmp_path, exit_code=1, stderr="RuntimeError: no\n"), update=True))
    assert [r.skipped for r in results if r.skipped] == ["the model mlperf-tiny/ad is not on this machine"] * 2
    assert [r.error for r in results if r.error] == ["Vela cannot convert kws.tflite: no"] * 2
    assert not (tmp_path / "npu").exists()


@pytest.mark.slow
def test_vela_itself_reproduces_the_committed_records() -> None:
    tool = _vela()
    present = {m.name for m in list_models() if m.present}
    of_this_version = [r for r in committed_npus() if r.provenance.vela_version == tool.version]
    if not of_this_version:
        pytest.skip(f"the committed records were not made by Vela {tool.version}")
    # one of each model, spread over the accelerators; the campaign compares them all
    chosen = {r.model: r for r in sorted(of_this_version, key=lambda r: r.macs_per_cycle) if r.model in present}
    assert {"kws", "ic"} <= set(chosen)
    for record in chosen.values():
        assert verify_npu(record) == (), record.id


@pytest.mark.slow
def test_what_vela_leaves_to_the_cpu_is_timed_on_a_host_board(model: str) -> None:
    run = resolve_npu(NpuSettings(model, "ethos-u55-128", host_board="nucleo-l4r5zi"))
    record, _ = estimate(run, _vela())
    pool = record.cpu_layers[0]
    assert (pool.index, pool.op) == (1, "AVERAGE_POOL_2D")
    assert record.host is not None
    assert (record.host.core, record.host.clock_mhz) == ("cortex-m4", 120)
    assert pool.cycles is not None
    # a window of 81 values for each of 800 outputs
    assert pool.cycles > 800 * 81
    assert record.latency_ms == pytest.approx(record.npu_latency_ms + pool.cycles / 120_000, abs=1e-6)


@pytest.mark.slow
def test_a_model_of_floats_is_refused(tmp_path: Path) -> None:
    _vela()
    reference = next(m for m in list_models() if m.name == "mlperf-tiny/kws")
    path = reference.path.with_name("kws_ref_model_float32.tflite")
    if not path.is_file():
        pytest.skip(f"{path.name} is not on this machine")
    with pytest.raises(ModelError, match="no operator on the NPU"):
        estimate(resolve_npu(NpuSettings(str(path), "ethos-u55-128")))
