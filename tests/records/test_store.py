import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings

from engine.errors import RecordError
from engine.records.diff import diff_records
from engine.records.run import RunRecord
from engine.records.schema import json_schema
from engine.records.store import (
    dump_record,
    read_record,
    read_records,
    record_problems,
    write_atomically,
    write_record,
)
from tests.builders.records import kws_record, records


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


def break_type(data: dict) -> None:
    data["clock_mhz"] = "fast"


def break_key(data: dict) -> None:
    del data["evidence"]


@pytest.mark.parametrize("damage", [break_sum, break_total, break_interval, break_type, break_key])
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
