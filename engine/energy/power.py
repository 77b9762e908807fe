"""Power of a board while it infers, from the closest source there is, with the interval that such sources have earned.

The closest first: power measured with the same firmware, with firmware of the same operating system, with any other firmware on the
same board; then the data sheet's current while code runs at a stated clock; then its headline per MHz. Nothing here is fitted: an
interval is the error that the same kind of source makes on all published rows, each predicted without itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.catalog.board import Board, Current, MemoryKind
from engine.energy.published import PublishedPower
from engine.energy.spread import Band, headline_band, measured_band, measured_mw, nearest
from engine.energy.units import MHZ, MW, UA_PER_MHZ, V
from engine.records.run_energy import NoEnergy, PowerKind

_CLOCK_PER_OCTAVE = 0.10
"""Inferred: µA per MHz of an STM32H743 falls by 7 % (run, with its voltage range) or rises by 10 % (sleep, same range) when the clock is
halved (mcu_current_tables.csv, Tables 32 and 35), so a power taken to another clock may be off by that much per factor of two."""

_SUPPLY_V = Band(3.3, 1.8, 3.6)
"""Inferred, where no source gives a supply: 3.3 V on most boards, and the lowest and highest that microcontrollers are run at."""


@dataclass(frozen=True)
class Operation:
    """What a power is wanted of. ``firmware`` and ``platform``: of a published result; "" for a run of ours. ``voltage_v`` None: not given."""

    clock_mhz: float
    code: MemoryKind = MemoryKind.FLASH
    voltage_v: float | None = None
    firmware: str = ""
    platform: str = ""


@dataclass(frozen=True)
class Power:
    """Power in mW with its interval, what it rests on and how it was worked out. ``voltage_v`` None: no source gives the supply."""

    power_mw: float
    low_mw: float
    high_mw: float
    voltage_v: float | None
    kind: PowerKind
    how: str
    sources: tuple[str, ...]


def power_of(board: Board, wanted: Operation, rows: Sequence[PublishedPower]) -> Power | NoEnergy:
    """Power of a board in operation. ``rows`` are what may be used: a caller who judges a row leaves it out."""
    here = tuple(r for r in rows if r.board == board.name)
    if here:
        return _measured(wanted, here, tuple(rows))
    current = _current(board, wanted)
    if current is None:
        why = "no current in the data sheet was found either"
        if board.current_ua_per_mhz:
            why = f"its data sheet's currents are of other conditions than code in {wanted.code}"
        return NoEnergy(reason=f"no published power measurement of {board.name}, and {why}")
    return _printed(board, current, wanted, tuple(rows))


def _measured(wanted: Operation, here: tuple[PublishedPower, ...], rows: tuple[PublishedPower, ...]) -> Power:
    kind, used = nearest(here, wanted.voltage_v, wanted.firmware, wanted.platform)
    voltage = wanted.voltage_v or used[0].voltage_v
    power = measured_mw(used, wanted.clock_mhz, voltage)
    band = measured_band(kind, rows, wanted.firmware).widened(_off_by_clock(wanted.clock_mhz, used[0].clock_mhz))
    firmwares = len({r.firmware for r in used})
    how = f"mean of {len(used)} results of {firmwares} firmware{'s' if firmwares > 1 else ''}"
    how += f" at {voltage:g} V" if used[0].voltage_v is not None else ", whose supply is not given"
    if used[0].voltage_v is None and voltage is not None:
        # the same current at whatever supply they were measured at, or the same power
        band *= Band(1.0, min(1.0, voltage / _SUPPLY_V.high), max(1.0, voltage / _SUPPLY_V.low))
    if wanted.clock_mhz != used[0].clock_mhz:
        how += f", taken from {used[0].clock_mhz:g} MHz to {wanted.clock_mhz:g} MHz with the same current per MHz"
    return _power(power, band, voltage, kind, how, tuple(dict.fromkeys(r.submission for r in used)))


def _printed(board: Board, current: Current, wanted: Operation, rows: tuple[PublishedPower, ...]) -> Power:
    supply = _SUPPLY_V
    given = wanted.voltage_v or current.voltage_v
    if given is not None:
        supply = Band(given, given, given)
    drawn = (current.value * UA_PER_MHZ) * (wanted.clock_mhz * MHZ)
    band = Band(1.0, current.lowest / current.value, current.highest / current.value)
    how = f"{current.value:g} µA/MHz ({current.conditions}) at {supply.value:g} V"
    if current.clock_mhz is None:
        kind, factor = PowerKind.HEADLINE, headline_band(rows, board.name)
        how += f", times {factor.value:.2f}: what boards draw in inference per headline"
    else:
        kind = PowerKind.RUN_CURRENT
        # one program of many: it is off as one firmware is from others on the same board
        factor = measured_band(PowerKind.OTHER_FIRMWARE, rows).widened(
            _off_by_clock(wanted.clock_mhz, current.clock_mhz)
        )
        if wanted.clock_mhz != current.clock_mhz:
            how += f", taken from {current.clock_mhz:g} MHz to {wanted.clock_mhz:g} MHz"
    if given is None:
        how += f"; the supply is inferred ({supply.low:g} to {supply.high:g} V)"
    whole = band * factor * Band(1.0, supply.low / supply.value, supply.high / supply.value)
    power = (drawn * (supply.value * V)).to(MW) * whole.value
    return _power(power, whole.relative, supply.value, kind, how, (current.source or f"inferred: {current.inferred}",))


def _power(
    power_mw: float, band: Band, voltage_v: float | None, kind: PowerKind, how: str, sources: tuple[str, ...]
) -> Power:
    return Power(power_mw, power_mw * band.low, power_mw * band.high, voltage_v, kind, how, sources)


def _current(board: Board, wanted: Operation) -> Current | None:
    """The first current whose conditions hold: a stated clock before a headline, the nearest one before others."""
    caches = board.flash.icache is not None
    fitting = [
        c
        for c in board.current_ua_per_mhz
        if (c.code is None or c.code is wanted.code) and (c.caches is None or c.caches is caches)
    ]
    stated = [(_off_by_clock(wanted.clock_mhz, c.clock_mhz), c) for c in fitting if c.clock_mhz is not None]
    if stated:
        return min(stated, key=lambda found: found[0])[1]
    return fitting[0] if fitting else None


def _off_by_clock(clock_mhz: float, measured_at_mhz: float | int) -> float:
    """How far a power may be off that was taken from one clock to another, relative."""
    return _CLOCK_PER_OCTAVE * abs(math.log2(clock_mhz / measured_at_mhz))
