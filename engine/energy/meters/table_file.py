"""A power trace from a table that any instrument wrote: CSV or Parquet, with its columns named and their units stated.

Power is taken from a power column, or is current times voltage: current from a current column or from the drop over a known shunt; voltage from
a column or a stated supply.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.energy.trace import Flags, Floats, MeterInfo, PowerTrace
from engine.errors import BadInputError, ToolError, UsageError

_SCALES = {
    "s": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9},
    "A": {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "nA": 1e-9},
    "V": {"V": 1.0, "mV": 1e-3, "uV": 1e-6},
    "W": {"W": 1.0, "mW": 1e-3, "uW": 1e-6, "nW": 1e-9},
}


@dataclass(frozen=True)
class Column:
    """A column and the factor to its SI unit."""

    name: str
    scale: float


@dataclass(frozen=True)
class TableFormat:
    """Which columns hold what. Either ``power``, or (``current`` or ``shunt`` with ``shunt_ohm``) and (``voltage`` or ``supply_v``).

    ``gate``: a column that is above ``gate_level`` during inferences. ``saturated_at``: readings of current, shunt drop or power (in SI units) from which on
    the instrument was at the end of its range. Raises UsageError for a combination that does not give a power.
    """

    time: Column
    power: Column | None = None
    current: Column | None = None
    shunt: Column | None = None
    shunt_ohm: float | None = None
    voltage: Column | None = None
    supply_v: float | None = None
    gate: str | None = None
    gate_level: float = 0.5
    saturated_at: float | None = None

    def __post_init__(self) -> None:
        hint = "give a power column, or a current column (or the drop over a shunt and its ohms) with a voltage column or a supply"
        if (self.shunt is None) != (self.shunt_ohm is None):
            raise UsageError("a drop over a shunt and the shunt's ohms belong together", hint=hint)
        if self.shunt_ohm is not None and not 0 < self.shunt_ohm < math.inf:
            raise UsageError(f"a shunt of {self.shunt_ohm:g} ohm", hint="give its resistance in ohms, above 0")
        if self.supply_v is not None and not 0 < self.supply_v < math.inf:
            raise UsageError(f"a supply of {self.supply_v:g} V", hint="give its voltage in volts, above 0")
        currents = sum(x is not None for x in (self.current, self.shunt))
        voltages = sum(x is not None for x in (self.voltage, self.supply_v))
        if not (currents == voltages == 1 if self.power is None else currents == voltages == 0):
            raise UsageError("the columns do not say what the power is, or say it twice", hint=hint)

    @property
    def text(self) -> str:
        """The format as a person writes it."""
        if self.power is not None:
            return f"power in column {self.power.name}"
        amps = (
            f"current in column {self.current.name}"
            if self.current is not None
            else f"drop in column {self.shunt.name if self.shunt else ''} over {self.shunt_ohm:g} ohm"
        )
        return f"{amps}, {f'voltage in column {self.voltage.name}' if self.voltage else f'{self.supply_v:g} V'}"


def parse_column(text: str, unit: str) -> Column:
    """``NAME:UNIT`` or ``NAME`` (then in SI units); ``unit`` is s, A, V or W. Raises UsageError."""
    name, colon, given = text.rpartition(":")
    if not colon:
        return Column(text, 1.0)
    scales = _SCALES[unit]
    if not name or given not in scales:
        raise UsageError(f"'{text}' is no column with a unit", hint=f"write NAME:UNIT with one of {', '.join(scales)}")
    return Column(name, scales[given])


def read_table(path: Path, form: TableFormat) -> PowerTrace:
    """Read a table. Raises BadInputError for a file, column or value that cannot be used."""
    table = _load(path)
    time_s = _column(table, form.time, path)
    reading, power = _power(table, form, path)
    gate: Flags | None = None
    if form.gate is not None:
        gate = _column(table, Column(form.gate, 1.0), path) > form.gate_level
    saturated = None if form.saturated_at is None else np.abs(reading) >= form.saturated_at
    return PowerTrace(time_s, power, MeterInfo(path.name, form.text), gate, saturated)


def _power(table: pd.DataFrame, form: TableFormat, path: Path) -> tuple[Floats, Floats]:
    """What the instrument read (in its SI unit), and watts."""
    if form.power is not None:
        watts = _column(table, form.power, path)
        return watts, watts
    if form.current is not None:
        reading = amps = _column(table, form.current, path)
    else:
        assert form.shunt is not None
        assert form.shunt_ohm is not None
        reading = _column(table, form.shunt, path)
        amps = reading / form.shunt_ohm
    if form.voltage is not None:
        return reading, amps * _column(table, form.voltage, path)
    assert form.supply_v is not None
    return reading, amps * form.supply_v


def _load(path: Path) -> pd.DataFrame:
    if path.is_char_device() or path.is_block_device():  # pandas would read without an end
        raise BadInputError(f"{path} is a device", hint="give the file of a power trace")
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, skipinitialspace=True, comment="#")
    except ImportError:
        raise ToolError(
            f"{path} is Parquet, which needs pyarrow", hint="pip install -e '.[power]', or export CSV"
        ) from None
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror or error}", hint="give the file of a power trace") from None
    except Exception as error:  # pandas raises what its parsers raise
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInputError(
            f"{path} cannot be read as a table: {first}", hint="give CSV with a header, or Parquet"
        ) from None


def _column(table: pd.DataFrame, column: Column, path: Path) -> Floats:
    if column.name not in table.columns:
        known = ", ".join(map(str, table.columns[:8]))
        raise BadInputError(f"{path} has no column '{column.name}'", hint=f"its columns are {known}")
    series = table[column.name]
    try:
        numbers = pd.to_numeric(series, errors="coerce").to_numpy(np.float64)
    except (OverflowError, TypeError, ValueError):  # an integer of hundreds of digits, lists in Parquet
        raise BadInputError(
            f"{path}: column '{column.name}' holds more than numbers", hint="give one plain number per row"
        ) from None
    bad = ~np.isfinite(numbers)
    if bad.any():
        at = int(np.argmax(bad))
        raise BadInputError(
            f"{path}: row {at + 1} of column '{column.name}' holds {str(series.iloc[at])!r}, no number",
            hint="remove the row; a missing sample is found by its time",
        )
    return np.asarray(numbers * column.scale, np.float64)
