"""Records of NPUs: sums that must hold, files that are refused, and which two may be compared."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from engine.errors import RecordError
from engine.records.npu import CpuLayer, NpuHost, NpuRecord, NpuResource, Where
from engine.records.npu_comparable import npu_comparable
from engine.records.npu_store import (
    committed_npus,
    dump_npu,
    npu_json_schema,
    npu_measurements_dir,
    npu_problems,
    read_npu,
    write_npu,
)
from tests.builders.npu_records import busy, changed_provenance, npu_layer, npu_record


def test_committed_records_are_what_writing_them_gives() -> None:
    found = committed_npus()
    schema = npu_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert {"kws", "ic"} <= {r.model for r in found}
    for r in found:
        path = npu_measurements_dir() / f"{r.id}.json"
        text = path.read_text("utf-8")
        assert text == dump_npu(r)
        assert len(text) < 30_000
        assert "/home" not in text
        assert npu_problems(path) == ()
    jsonschema.validate(json.loads(dump_npu(found[0])), schema)


def test_the_autoencoder_waits_for_its_flash() -> None:
    found = {r.npu: r for r in committed_npus() if r.model == "mlperf-tiny/ad" and r.npu.startswith("ethos-u55")}
    assert {r.bottleneck for r in found.values()} == {NpuResource.OFF_CHIP_FLASH}
    small, large = found["ethos-u55-32"], found["ethos-u55-256"]
    assert all(x.bottleneck is NpuResource.OFF_CHIP_FLASH for x in large.layers)
    # eight times the MACs bring nothing
    assert abs(small.cycles / large.cycles - 1) < 0.01
    assert npu_comparable(small, large).comparable


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"cycles": 1501}, "do not sum"),
        ({"macs": 1}, "do not sum"),
        ({"utilisation": 0.5}, "utilisation of the inference"),
        ({"bottleneck": NpuResource.NPU}, "bounds most cycles"),
        ({"npu_latency_ms": 1.0}, "npu_latency_ms"),
        ({"latency_ms": 0.003}, "latency_ms is not"),
        ({"cpu_layers": ()}, "cpu_layers"),
        ({"evidence": "measured"}, "evidence"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(changed: dict[str, object], what: str) -> None:
    content = npu_record().model_dump(mode="json", by_alias=True) | changed
    with pytest.raises(ValidationError, match=what):
        NpuRecord.model_validate_json(json.dumps(content, default=str))


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"cycles": 5}, "do not fit what its resources work"),
        ({"cycles": 10_000}, "do not fit what its resources work"),
        ({"bottleneck": NpuResource.SRAM}, "busiest resource"),
        ({"cycles_without_bottleneck": 100_000}, "longer without"),
        ({"where": Where.CPU}, "does not run on the NPU"),
    ],
)
def test_a_layer_that_contradicts_itself_is_refused(changed: dict[str, object], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        npu_layer(0, "ADD", busy(npu=10, sram=7), **changed)


def test_a_time_on_the_cpu_or_a_reason() -> None:
    for cycles, latency_ms, reason in ((None, None, ""), (1, 0.1, "why"), (1, None, ""), (None, 0.1, "why")):
        with pytest.raises(ValidationError, match="or a reason"):
            CpuLayer(index=0, name="x", op="ADD", cycles=cycles, latency_ms=latency_ms, reason=reason)


def test_files(tmp_path: Path) -> None:
    record = npu_record()
    path = tmp_path / "r.json"
    write_npu(record, path)
    assert read_npu(path) == record
    path.write_text(dump_npu(record).replace('"cycles"', '"ticks"', 1), "utf-8")
    assert npu_problems(path)
    with pytest.raises(RecordError, match="no valid record of an NPU"):
        read_npu(path)
    for text in ("", "[]", "{}", '{"kind": "ceilings"}'):
        path.write_text(text, "utf-8")
        assert npu_problems(path) is None
    assert npu_problems(tmp_path / "absent.json") is None


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (npu_record(system_config="Ethos_U85_SYS_DRAM_Mid"), "different systems"),
        (npu_record(memory_mode="Sram_Only"), "place weights and feature maps differently"),
        (changed_provenance(npu_record(), model_sha256="c" * 64), "both called toy"),
        (changed_provenance(npu_record(model="toy2"), model_sha256="c" * 64), "toy and toy2"),
        (changed_provenance(npu_record(), vela_version="5.3.0"), "different versions of Vela"),
        (changed_provenance(npu_record(), vela_config_sha256="d" * 64), "configuration files"),
    ],
)
def test_only_one_configuration_is_comparable(other: NpuRecord, why: str) -> None:
    answer = npu_comparable(npu_record(), other)
    assert not answer.comparable
    assert any(why in reason for reason in answer.reasons)


def test_what_to_know_before_believing_a_difference() -> None:
    timed = CpuLayer(index=2, name="tensor 2", op="SOFTMAX", cycles=100, latency_ms=0.001, reason="")
    hosts = [NpuHost(board=b, core="c", clock_mhz=100, run=f"on-{b}") for b in ("x", "y")]
    one, two = (npu_record(cpu_layers=(timed,), host=h, latency_ms=0.004) for h in hosts)
    assert any("different hosts" in r for r in npu_comparable(one, two).reasons)
    assert any("not timed in both" in r for r in npu_comparable(one, npu_record()).reasons)
    assert npu_comparable(one, one).reasons == ()
    other = npu_record(accelerator="ethos-u65-256", model_macs=10**6)
    reasons = npu_comparable(npu_record(), other).reasons
    assert any("different designs" in r for r in reasons)
    assert any("too few MACs on ethos-u65-256" in r for r in reasons)
