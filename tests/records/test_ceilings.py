"""Ceilings as data: what is refused, and how files are written and read."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from engine.errors import RecordError
from engine.records.ceilings import (
    MeasuredCeilings,
    ceilings_dir,
    ceilings_problems,
    dump_ceilings,
    is_ceilings,
    read_ceilings,
    write_ceilings,
)

FILE = ceilings_dir() / "nucleo-l4r5zi_120mhz.json"


def test_a_file_is_what_writing_it_gives(tmp_path: Path) -> None:
    found = read_ceilings(FILE)
    write_ceilings(found, tmp_path / "x.json")
    assert (tmp_path / "x.json").read_bytes() == FILE.read_bytes() == dump_ceilings(found).encode()


def test_files_are_small_and_name_no_machine() -> None:
    for path in ceilings_dir().glob("*.json"):
        text = path.read_text("utf-8")
        assert len(text) < 16_000
        assert "/home" not in text
        assert read_ceilings(path).id == path.stem


def test_a_rate_must_be_its_work_over_its_cycles() -> None:
    content = read_ceilings(FILE).model_dump(mode="json", by_alias=True)
    content["benchmarks"][0]["per_cycle"] *= 2
    with pytest.raises(ValidationError, match="per_cycle is not"):
        MeasuredCeilings.model_validate(content)


def test_cycles_must_lie_in_their_interval() -> None:
    content = read_ceilings(FILE).model_dump(mode="json", by_alias=True)
    content["benchmarks"][0]["cycles_interval"] = [1, 2]
    with pytest.raises(ValidationError, match="interval"):
        MeasuredCeilings.model_validate(content)


def test_units_and_bounds() -> None:
    for b in read_ceilings(FILE).benchmarks:
        low, high = b.per_cycle_interval
        assert low - 1e-4 <= b.per_cycle <= high + 1e-4
        assert b.unit == ("MAC/cycle" if b.macs else "bytes/cycle")


def test_broken_files_are_refused_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    for text in ("", "[]", "{", FILE.read_text("utf-8").replace('"cycles"', '"ticks"', 1)):
        path.write_text(text, "utf-8")
        with pytest.raises(RecordError, match="no valid ceilings"):
            read_ceilings(path)
    assert any("ticks" in p for p in ceilings_problems(path.read_text("utf-8")))
    assert ceilings_problems(FILE.read_text("utf-8")) == ()


def test_ceilings_say_that_they_are(tmp_path: Path) -> None:
    assert is_ceilings(json.loads(FILE.read_text("utf-8")))
    assert not any(map(is_ceilings, ({}, [], None, "ceilings", {"kind": "run"})))
