"""Ceilings of boards: what physics says of them, that the committed ones are reproduced, and when they are measured again."""

import shutil
from pathlib import Path

import pytest

from engine.catalog.board import Board
from engine.catalog.load import BOARDS_DIR, board_sha256, core_sha256, list_boards, load_board, load_core
from engine.errors import CheckFailedError, UsageError
from engine.pipeline import ceilings as module
from engine.pipeline.ceilings import (
    ceilings_of_board,
    different_from_committed,
    known_ceilings,
    measure_ceilings,
    update_committed,
)
from engine.records.ceilings import MeasuredCeilings, ceilings_dir, committed, committed_ceilings
from engine.targets.choose import UNICORN_CORES
from engine.targets.llvm_tools import find_llvm_tool


def measured(name: str) -> MeasuredCeilings:
    board = load_board(name)
    return measure_ceilings(board, load_core(board.core), float(board.default_clock_mhz))


def can_be_measured(board: Board) -> bool:
    """Cores with Helium need QEMU and llvm-objdump."""
    core = load_core(board.core)
    return core.name in UNICORN_CORES or (
        shutil.which("qemu-system-arm") is not None and find_llvm_tool("llvm-objdump") is not None
    )


MEASURED = tuple(b for b in list_boards() if can_be_measured(b))


@pytest.fixture
def own_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Kept and committed ceilings of this test alone; firmware and executions stay in the common cache."""
    for name in ("engine.pipeline.ceilings", "engine.records.ceilings"):
        monkeypatch.setattr(f"{name}.ceilings_dir", lambda: tmp_path / "committed")
    monkeypatch.setattr(module, "_folder", lambda board, mhz: tmp_path / f"{board.name}-{mhz:g}")
    return tmp_path


HELIUM = pytest.mark.skipif(
    not can_be_measured(load_board("apollo510-evb")), reason="needs qemu-system-arm and llvm-objdump (extra 'llvm')"
)


@pytest.mark.parametrize(
    ("board", "instructions", "macs_per_cycle"),
    [
        ("nucleo-g0b1re", "MULS+ADDS", 0.5),
        ("nucleo-f207zg", "MLA", 0.5),
        ("nucleo-l4r5zi", "SMLAD", 2),
        ("nrf5340-dk", "SMLAD", 2),
        ("nucleo-h743zi", "SMLAD", 2),
        ("nucleo-h743zi", "MUL+ADD", 1),
        pytest.param("apollo510-evb", "VMLADAV", 8, marks=HELIUM),
    ],
)
def test_a_loop_comes_near_what_the_core_can_multiply(board: str, instructions: str, macs_per_cycle: float) -> None:
    found = next(b for b in measured(board).macs() if b.instructions == instructions)
    assert 0.95 * macs_per_cycle < found.per_cycle < macs_per_cycle


@pytest.mark.parametrize(
    ("board", "memory", "bytes_per_cycle"),
    [
        ("nucleo-g0b1re", "sram", 3.5),
        ("nucleo-l4r5zi", "sram2", 4),
        ("nrf5340-dk", "sram", 4),
        ("nucleo-h743zi", "dtcm", 8),
    ],
)
def test_a_memory_without_waits_delivers_nearly_what_the_core_can_load(
    board: str, memory: str, bytes_per_cycle: float
) -> None:
    best = max(b.per_cycle for b in measured(board).of_memory(memory))
    assert 0.92 * bytes_per_cycle < best < bytes_per_cycle


def test_a_cache_delivers_more_than_the_flash_behind_it() -> None:
    for board in MEASURED:
        found = measured(board.name)
        for b in found.benchmarks:
            if b.resident is False:
                inside = next(x for x in found.benchmarks if x.name == f"{b.name}-cached")
                assert b.per_cycle < inside.per_cycle


def test_committed_ceilings_are_reproduced() -> None:
    names = {p.stem for p in ceilings_dir().glob("*.json")}
    assert names == {f"{b.name}_{b.default_clock_mhz:g}mhz" for b in list_boards()}
    different = [x.id for x in map(measured, (b.name for b in MEASURED)) if different_from_committed(x)]
    assert not different, "run `whycycles ceilings --update`, look at the difference and say why it is meant"
    for found in committed():
        board = load_board(found.board)
        core = load_core(board.core)
        assert committed_ceilings(board.name, found.clock_mhz, board_sha256(board), core_sha256(core)) == found


def test_nothing_is_measured_twice_until_something_changes(own_kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("nucleo-l4r5zi")
    core = load_core(board.core)
    assert known_ceilings(board, core, 80.0) is None
    first = ceilings_of_board("nucleo-l4r5zi", 80.0)
    assert first.id == "nucleo-l4r5zi_80mhz"

    def never(*_: object) -> MeasuredCeilings:
        raise AssertionError("this should have been kept")

    monkeypatch.setattr(module, "measure_ceilings", never)
    assert ceilings_of_board("nucleo-l4r5zi", 80.0) == first
    assert known_ceilings(board, core, 80.0) == first
    for again in ({"clock_mhz": 79.0}, {"clock_mhz": 80.0, "fresh": True}):
        with pytest.raises(AssertionError, match="kept"):
            ceilings_of_board("nucleo-l4r5zi", **again)  # type: ignore[arg-type]
    (own_kept / "nucleo-l4r5zi-80" / "fingerprint").write_text("older")
    assert known_ceilings(board, core, 80.0) is None


def test_committing(own_kept: Path) -> None:
    found = ceilings_of_board("nucleo-g0b1re")
    assert not different_from_committed(found)  # there is nothing it could differ from
    update_committed(found)
    path = own_kept / "committed" / "nucleo-g0b1re_64mhz.json"
    assert not different_from_committed(found)
    path.write_text(path.read_text().replace('"nucleo-g0b1re"', '"another"', 1))
    assert different_from_committed(found)
    update_committed(found)
    assert committed() == (found,)


def test_a_users_board_is_measured_under_a_name_of_its_own(own_kept: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    text = (BOARDS_DIR / "nucleo-g0b1re.toml").read_text()
    path.write_text(text.replace('name = "nucleo-g0b1re"', 'name = "mine"'))
    found = ceilings_of_board(str(path))
    assert found.board == "mine"
    assert found.id == f"mine-{board_sha256(load_board(str(path)))[:6]}_64mhz"
    path.write_text(text.replace("wait_states = 2", "wait_states = 3"))
    with pytest.raises(UsageError, match="another board"):
        ceilings_of_board(str(path))


def test_a_clock_the_board_does_not_have_is_refused() -> None:
    with pytest.raises(UsageError, match="does not run at 500 MHz"):
        ceilings_of_board("nucleo-l4r5zi", 500.0)


def test_a_wrong_checksum_or_count_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    board: Board = load_board("nucleo-g0b1re")
    core = load_core(board.core)
    monkeypatch.setattr(module, "expected_output", lambda plan, seed: bytes(4 * len(plan.benchmarks)))
    with pytest.raises(CheckFailedError, match="mac-muls-adds answered"):
        measure_ceilings(board, core, 64.0)
    monkeypatch.undo()
    monkeypatch.setattr(module, "_SLACK_BYTES", -1)
    with pytest.raises(CheckFailedError, match="moved"):
        measure_ceilings(board, core, 64.0)
