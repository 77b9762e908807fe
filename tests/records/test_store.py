import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from engine.catalog.load import load_board
from engine.energy.attribute import with_energy
from engine.errors import RecordError
from engine.records.diff import diff_records, diff_results
from engine.records.run import MemoryTraffic, Region, RunRecord
from engine.records.schema import json_schema
from engine.records.store import (
    dump_record,
    read_record,
    read_records,
    record_problems,
    write_atomically,
    write_record,
)
from tests.builders.records import ZERO_STACK, kws_record, make_counters, records


@given(records())
@settings(max_examples=50, deadline=None)
def test_a_record_survives_the_disk(record: RunRecord) -> None:
    text = dump_record(record)
    again = RunRecord.model_validate_json(text)
    assert again == record
    assert dump_record(again) == text


@given(records())
@settings(max_examples=25, deadline=None)
def test_the_published_schema_accepts_records(record: RunRecord) -> None:
    jsonschema.validate(json.loads(dump_record(record)), json_schema())


def test_the_schema_refuses_what_the_model_refuses() -> None:
    data = json.loads(dump_record(kws_record()))
    data["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, json_schema())


def test_keys_promised_to_scripts() -> None:
    data = json.loads(dump_record(kws_record()))
    run = "id schema model board core clock_mhz kernels compiler opt target evidence output_matches_oracle cycles"
    run += " cycles_interval latency_ms instructions macs memory layers"
    assert set(run.split()) <= set(data)
    assert set(data["cycles"]) == {"cold", "warm"}
    assert {"flash_bytes", "ram_bytes", "arena_bytes"} <= set(data["memory"])
    assert {"index", "name", "op", "kernel", "cycles", "macs", "stack", "counters"} <= set(data["layers"][0])
    assert len(data["layers"][0]["counters"]) >= 12


def test_write_and_read(tmp_path: Path) -> None:
    record = kws_record()
    write_record(record, tmp_path / "deep" / "a.json")
    assert read_records(tmp_path / "deep") == (record,)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_atomically(path, b"old")

    def refuse(self: Path, target: Path) -> Path:
        raise OSError("disk is gone")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="disk is gone"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def break_sum(data: dict) -> None:
    data["layers"][0]["stack"]["mac"] += 1


def break_total(data: dict) -> None:
    data["cycles"]["warm"] += 1


def break_interval(data: dict) -> None:
    data["cycles_interval"] = [0, 1]


def break_alternatives(data: dict) -> None:
    data["alternatives_interval"] = [data["cycles"]["warm"], data["cycles_interval"][1] + 1]


def break_type(data: dict) -> None:
    data["clock_mhz"] = "fast"


def break_key(data: dict) -> None:
    del data["evidence"]


def set_at(path: str, value: object):
    """Sets one value, like "layers.0.counters.blocks"; a number instead of a path part is an index."""
    *way, last = path.split(".")

    def damage(data: dict) -> None:
        for part in way:
            data = data[int(part) if part.isdigit() else part]
        data[last] = value

    return damage


CONTRADICTIONS = [
    ("macs", 1, "macs is 1, but those of the layers sum to"),
    ("layers.1.index", 0, "layer 0 occurs more than once"),
    ("clock_mhz", "120", "valid number"),
    ("latency_ms", float("nan"), "finite number"),
    ("clock_mhz", float("inf"), "finite number"),
    ("memory.stack_high_water_bytes", 10**6, "stack_high_water_bytes is 1000000, more than stack_bytes"),
    ("memory.stack_high_water_bytes", 3, "a region uses"),
    ("memory.arena_bytes", 10**7, "more than ram_bytes"),
    ("layers.0.counters.load_instructions", 10**9, "the instruction classes sum to"),
    ("layers.0.counters.read_accesses", 10**9, "bytes were read in 1000000000 accesses"),
    ("layers.0.counters.ram_write_bytes", 10**9, "bytes were written in"),
    ("layers.0.counters.taken_branches", 10**9, "taken_branches is 1000000000, more than blocks"),
    ("layers.0.counters.blocks", 10**9, "more than instructions"),
    ("layers.0.counters.mac_lanes", 0, "mac_lanes is 0, less than"),
    ("layers.0.counters.simd_lane_slots", 0, "more than simd_lane_slots (0)"),
    ("layers.0.counters.flash_fetch_misses", 10**9, "more than flash_fetch_lines"),
    ("layers.0.counters.flash_read_misses", 10**9, "more than flash_read_lines"),
]


@pytest.mark.parametrize(("path", "value", "why"), CONTRADICTIONS)
def test_a_record_that_contradicts_itself_is_refused(path: str, value: object, why: str) -> None:
    data = json.loads(dump_record(kws_record()))
    set_at(path, value)(data)
    found = record_problems(json.dumps(data))
    assert any(why in problem for problem in found), found


def test_problems_of_an_energy_are_said_once_and_by_their_keys() -> None:
    record = with_energy(kws_record(), load_board("nucleo-l4r5zi"))
    data = json.loads(dump_record(record))
    data["energy"]["layers"][0]["stack"]["mac"] += 1
    assert [p.split(":")[0] for p in record_problems(json.dumps(data))] == ["energy.layers.0"]
    data["energy"] = {"reason": "", "more": 1}
    assert {p.split(":")[0] for p in record_problems(json.dumps(data))} <= {"energy.reason", "energy.more"}


def traffic(**changes: int) -> MemoryTraffic:
    counts = dict.fromkeys(MemoryTraffic.model_fields, 0) | {"memory": "flash"} | changes
    return MemoryTraffic.model_validate(counts)


def test_memories_must_agree_with_the_counters() -> None:
    counters = make_counters(load_instructions=2, read_accesses=2, ram_read_bytes=8)
    fields = {"cycles": 0, "cold_cycles": 5, "stack": ZERO_STACK, "counters": counters}
    Region(**fields, memories=(traffic(read_bytes=8, cold_stall_cycles=5),))
    with pytest.raises(ValidationError, match="read for 7 bytes"):
        Region(**fields, memories=(traffic(read_bytes=7),))
    with pytest.raises(ValidationError, match="flash occurs more than once"):
        Region(**fields, memories=(traffic(read_bytes=4), traffic(read_bytes=4)))
    with pytest.raises(ValidationError, match="cold stalls sum to 6"):
        Region(**fields, memories=(traffic(read_bytes=8, cold_stall_cycles=6),))
    with pytest.raises(ValidationError, match="read_misses is 1, more than read_lines"):
        traffic(read_misses=1)


@pytest.mark.parametrize("damage", [break_sum, break_total, break_interval, break_alternatives, break_type, break_key])
def test_a_damaged_record_is_refused_with_its_place(damage, tmp_path: Path) -> None:
    data = json.loads(dump_record(kws_record()))
    damage(data)
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(data))
    with pytest.raises(RecordError, match=r"bad\.json is not a valid run record"):
        read_record(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_what_is_no_record_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(RecordError):
        read_record(path)


def test_a_missing_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no record at"):
        read_record(tmp_path / "none.json")


def test_a_difference_names_layer_and_counter() -> None:
    record = kws_record()
    layer = record.layers[2]
    counters = layer.counters.model_copy(update={"taken_branches": layer.counters.taken_branches + 7})
    layers = (*record.layers[:2], layer.model_copy(update={"counters": counters}), *record.layers[3:])
    (difference,) = diff_records(record, record.model_copy(update={"layers": layers}))
    assert difference.where == f"layer 2 ({layer.name})"
    assert difference.field == "counters.taken_branches"
    assert difference.found == layer.counters.taken_branches + 7


def test_equal_records_have_no_difference() -> None:
    assert diff_records(kws_record(), kws_record()) == ()


def test_the_version_of_an_emulator_alone_is_no_difference() -> None:
    record = kws_record()
    newer = record.model_copy(update={"provenance": record.provenance.model_copy(update={"target_version": "99"})})
    assert diff_results(record, newer) == ()
    assert [d.field for d in diff_records(record, newer)] == ["provenance.target_version"]
    other = newer.model_copy(update={"macs": newer.macs + 1})
    assert [d.field for d in diff_results(record, other)] == ["macs", "provenance.target_version"]


def test_a_missing_layer_is_a_difference() -> None:
    record = kws_record()
    fewer = record.model_copy(update={"layers": record.layers[:-1]})
    assert [d.field for d in diff_records(record, fewer)] == ["layers (how many)"]


def test_what_was_set_is_only_written_where_there_is_any(tmp_path):
    plain = kws_record()
    assert '"overrides"' not in dump_record(plain)
    record = plain.model_copy(update={"overrides": ("core.latency.load=3", "flash.dcache=none")})
    write_record(record, tmp_path / "a.json")
    assert read_record(tmp_path / "a.json") == record
    for bad in ("flash", "=3", "flash=", "flash.x=<b>", "Flash=3"):
        text = dump_record(record).replace("flash.dcache=none", bad)
        assert any(p.startswith("overrides") for p in record_problems(text))
