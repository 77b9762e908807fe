from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.energy.meters.table_file import Column, TableFormat, parse_column, read_table
from engine.errors import BadInputError, UsageError, WhycyclesError
from tests.builders.damage import damaged

TIME = Column("t", 1e-3)


def write(path: Path, **columns: object) -> Path:
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_drop_over_a_shunt(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", t=[0, 1, 2], drop=[1.0, 2.0, 50.0], pin=[0, 3.3, 0])
    form = TableFormat(
        TIME, shunt=Column("drop", 1e-3), shunt_ohm=0.1, supply_v=3.3, gate="pin", gate_level=1.65, saturated_at=0.05
    )
    trace = read_table(path, form)
    np.testing.assert_allclose(trace.time_s, [0, 1e-3, 2e-3])
    np.testing.assert_allclose(trace.power_w, np.array([0.01, 0.02, 0.5]) * 3.3)
    assert trace.gate is not None
    assert trace.saturated is not None
    assert trace.gate.tolist() == [False, True, False]
    assert trace.saturated.tolist() == [False, False, True]
    assert "0.1 ohm" in trace.meter.settings


def test_current_and_voltage_columns_and_comments(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("# scope of the lab\nt, i, u\n0, 10, 3\n1, 20, 3\n")
    trace = read_table(tmp_path / "a.csv", TableFormat(TIME, current=Column("i", 1e-3), voltage=Column("u", 1.0)))
    np.testing.assert_allclose(trace.power_w, [0.03, 0.06])


def test_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    pd.DataFrame({"t": [0.0, 1.0], "p": [5.0, 6.0]}).to_parquet(tmp_path / "a.parquet")
    trace = read_table(tmp_path / "a.parquet", TableFormat(TIME, power=Column("p", 1e-3)))
    np.testing.assert_allclose(trace.power_w, [5e-3, 6e-3])


@pytest.mark.parametrize(
    ("text", "unit", "column"),
    [
        ("t:ms", "s", Column("t", 1e-3)),
        ("t", "s", Column("t", 1.0)),
        ("a:b:uA", "A", Column("a:b", 1e-6)),
    ],
)
def test_columns_with_units(text: str, unit: str, column: Column) -> None:
    assert parse_column(text, unit) == column


@pytest.mark.parametrize("text", ["t:hours", ":ms", "i:V:"])
def test_units_are_those_that_exist(text: str) -> None:
    with pytest.raises(UsageError, match="no column with a unit"):
        parse_column(text, "s")


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"power": TIME, "current": TIME},
        {"current": TIME},
        {"current": TIME, "voltage": TIME, "supply_v": 3.3},
        {"shunt": TIME, "supply_v": 3.3},
        {"shunt_ohm": 0.1, "supply_v": 3.3},
        {"power": TIME, "supply_v": 3.3},
        {"shunt": TIME, "shunt_ohm": 0.0, "supply_v": 3.3},
    ],
)
def test_what_gives_no_power_or_two_is_refused(more: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        TableFormat(TIME, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read"),
        ("x,p\n0,1\n1,2\n", "no column 't'"),
        ("t,p\n0,1\n1,many\n", "row 2 of column 'p' holds 'many'"),
        ("t,p\n0,1\n1,\n", "row 2 of column 'p' holds 'nan'"),
        ("t,p\n1,1\n0,1\n", "do not increase"),
        ("t,p\n1,1\n", "1 times"),
        ('t,p\n"1,1\n', "cannot be read"),
    ],
)
def test_bad_files_are_one_message(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(BadInputError, match=words):
        read_table(tmp_path / "a.csv", TableFormat(TIME, power=Column("p", 1.0)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from([".csv", ".parquet"]))
def test_whatever_a_file_holds_it_is_a_trace_or_one_message(tmp_path: Path, data: bytes, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    with pytest.raises(WhycyclesError):
        read_table(path, TableFormat(Column("no such column", 1.0), power=Column("p", 1.0)))


TABLE = "t,p,g\n" + "".join(f"{n * 0.001},{0.01 * n},{n % 2}\n" for n in range(8))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(TABLE))
def test_a_damaged_table_is_a_trace_or_one_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "damaged.csv").write_text(text, encoding="utf-8", errors="replace")
    form = TableFormat(TIME, power=Column("p", 1.0), gate="g", saturated_at=0.05)
    with contextlib.suppress(BadInputError):
        found = read_table(tmp_path / "damaged.csv", form)
        assert np.isfinite(found.power_w).all()
        assert (np.diff(found.time_s) > 0).all()


def test_a_missing_file_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="No such file"):
        read_table(tmp_path / "b.csv", TableFormat(TIME, power=Column("p", 1.0)))


def test_a_device_is_no_table() -> None:
    with pytest.raises(BadInputError, match="is a device"):
        read_table(Path("/dev/zero"), TableFormat(TIME, power=Column("p", 1.0)))


def test_numbers_of_hundreds_of_digits_are_one_message(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"t,p\n0,1\n1,{'9' * 400}\n")
    form = TableFormat(TIME, power=Column("p", 1.0))
    with pytest.raises(BadInputError, match="column 'p'"):
        read_table(tmp_path / "a.csv", form)


def test_lists_are_one_message(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    form = TableFormat(TIME, power=Column("p", 1.0))
    pd.DataFrame({"t": [0, 1], "p": [[1.0], [2.0]]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(BadInputError, match="column 'p'"):
        read_table(tmp_path / "a.parquet", form)


@pytest.mark.parametrize("supply", [0.0, -3.3, float("nan"), float("inf")])
def test_a_supply_is_a_voltage(supply: float) -> None:
    with pytest.raises(UsageError, match="supply"):
        TableFormat(TIME, current=Column("i", 1.0), supply_v=supply)
