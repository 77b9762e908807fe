"""Records of this machine: what contradicts itself is refused; nothing of them is committed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from engine.errors import RecordError
from engine.paths import measurements_dir
from engine.records.host import HostCounter, HostCounts, HostRecord
from engine.records.host_store import dump_host, host_problems, read_host, write_host
from tests.builders.host_records import counts, host_record, latency, machine, simulation


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_host(host_record(), path)
    assert read_host(path) == host_record()
    assert host_problems(path) == ()
    path.write_text(dump_host(host_record()).replace('"macs"', '"mics"', 1), "utf-8")
    assert host_problems(path)
    with pytest.raises(RecordError, match="no valid record of this machine"):
        read_host(path)
    for text in ("", "[]", '{"kind": "npu"}'):
        path.write_text(text, "utf-8")
        assert host_problems(path) is None


def test_none_is_committed() -> None:
    assert not [p for p in measurements_dir().rglob("*.json") if host_problems(p) is not None]


def test_what_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValidationError, match="percentiles must rise"):
        latency(1.0, p95_ms=0.5)
    with pytest.raises(ValidationError, match="more misses than"):
        HostCounts(**counts(d1_misses=10**6))
    with pytest.raises(ValidationError, match="more misses than"):
        HostCounts(**counts(mispredictions=10**6))
    for value, reason in ((None, ""), (1.0, "why")):
        with pytest.raises(ValidationError, match="or a reason"):
            HostCounter(event="cycles", value=value, reason=reason)
    content = json.loads(dump_host(host_record()))
    content["reference"]["simulation"]["total"]["reads"] += 1
    with pytest.raises(ValidationError, match="layers' reads do not sum"):
        HostRecord.model_validate_json(json.dumps(content))


def test_caches_by_level() -> None:
    found = machine()
    assert found.last_level is not None
    assert found.last_level.level == 3
    first = found.cache(1, "data", "unified")
    assert first is not None
    assert first.bytes == 32 << 10
    assert machine(caches=()).last_level is None
    assert simulation().total.instructions == 2_000_000
