from __future__ import annotations

import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import UsageError
from engine.targets.session import same_profile
from engine.targets.status import targets_status
from engine.targets.store import load_execution, profile_path, save_execution
from engine.targets.types import Execution, LaneProfile, MemoryEvents, MemoryProfile, Profile

KEY = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path))


def execution() -> Execution:
    profile = Profile(
        np.array([0, 1], np.int32),
        np.array([0, 0x08000010], np.uint32),
        np.array([0x08000010, 0xFFFFFFF0], np.uint32),
        np.array([1, 2**40], np.int64),
    )
    cold = MemoryProfile((MemoryEvents(0, "flash", *range(1, 16)), MemoryEvents(2, "sram", 1, 2)))
    warm = MemoryProfile(())
    return Execution(
        "unicorn", "2", profile, cold, warm, (b"", b"\x00\xff", b"abc"), 99, (12, 99), alternatives=(cold, warm)
    )


def test_lanes_come_back() -> None:
    lanes = LaneProfile(
        np.array([0, 2], np.int32), np.array([0x08000010, 0x08000020], np.uint32), np.array([3, 16], np.int8),
        np.array([1, 2**40], np.int64),
    )  # fmt: skip
    save_execution(KEY, replace(execution(), lanes=lanes))
    found = load_execution(KEY)
    assert found is not None
    assert found.lanes is not None
    for f in fields(LaneProfile):
        assert np.array_equal(getattr(found.lanes, f.name), getattr(lanes, f.name))
    save_execution(KEY, execution())
    assert (again := load_execution(KEY)) is not None
    assert again.lanes is None


def test_what_is_stored_comes_back() -> None:
    assert load_execution(KEY) is None
    save_execution(KEY, execution())
    found, expected = load_execution(KEY), execution()
    assert found is not None
    assert same_profile(found.profile, expected.profile)
    assert found.profile.count.dtype == np.int64
    for field in (
        "target",
        "target_version",
        "cold",
        "warm",
        "outputs",
        "stack_high_water_bytes",
        "stack_by_region_bytes",
        "alternatives",
    ):
        assert getattr(found, field) == getattr(expected, field), field


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_a_damaged_file_is_as_good_as_none(keep: int) -> None:
    path = save_execution(KEY, execution())
    path.write_bytes(path.read_bytes()[:keep])
    assert load_execution(KEY) is None
    save_execution(KEY, execution())
    assert load_execution(KEY) is not None


@pytest.mark.parametrize("key", ["", "short", "../../../etc/passwd", "G" * 20, "A" * 20])
def test_keys_are_hashes(key: str) -> None:
    with pytest.raises(UsageError):
        profile_path(key)


def test_the_doctor_hears_what_is_there() -> None:
    found = {t.name: t for t in targets_status()}
    unicorn, qemu = found["unicorn"], found["qemu"]
    assert unicorn.available
    assert unicorn.version.startswith("2.")
    assert "cortex-m0plus" in unicorn.detail
    assert qemu.available == (shutil.which("qemu-system-arm") is not None)
    assert ("cortex-m0plus (on cortex-m3)" if qemu.available else "not installed") in qemu.detail


def test_the_doctor_hears_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (qemu,) = (t for t in targets_status() if t.name == "qemu")
    assert not qemu.available
    assert "apt install" in qemu.detail
