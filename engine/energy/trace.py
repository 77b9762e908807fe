"""A power trace: what a meter saw over time, how good it is, and its file."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

from engine.errors import BadInputError, RecordError
from engine.records.store import write_atomically

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MIN_RATE_HZ = 1000.0
"""Below this rate a trace is told to be too slow for inferences of milliseconds."""
_GAP = 1.5  # a step longer than this many usual ones has lost samples
_FORMAT: Literal[1] = 1
_MOST_W, _LATEST_S, _SHORTEST_S = 1e6, 1e12, 1e-12
"""Beyond these no meter measures and no clock tells: a wrong unit, or a value that would make the integral overflow."""

_Positive = Annotated[float, Field(ge=0, lt=_MOST_W, allow_inf_nan=False)]


@dataclass(frozen=True)
class MeterInfo:
    """What took a trace. ``settings``: as a person would write them down ("shunt 0.1 ohm, 140 us, average of 1").

    ``integration_s``: how long one sample averages (0: a sample is a moment). ``gain_error`` is relative, ``offset_w`` absolute; None: the
    meter's maker says nothing that was opened, and no interval contains it.
    """

    name: str
    settings: str = ""
    integration_s: _Positive = 0.0
    gain_error: _Positive | None = None
    offset_w: _Positive | None = None


@dataclass(frozen=True, eq=False)
class PowerTrace:
    """Samples of power in watts at times in seconds; arrays of one length, times strictly increasing.

    ``gate`` is the level of a pin that is high during inferences, if one was recorded; ``saturated`` marks samples at the end of the meter's
    range. ``lost`` counts samples that the meter itself says it lost.
    """

    time_s: Floats
    power_w: Floats
    meter: MeterInfo
    gate: Flags | None = None
    saturated: Flags | None = None
    lost: int = 0

    def __post_init__(self) -> None:
        """Raises BadInputError for a trace that is none."""
        n = len(self.time_s)
        others = [x for x in (self.power_w, self.gate, self.saturated) if x is not None]
        if n < 2 or any(x.shape != (n,) for x in (self.time_s, *others)):
            raise BadInputError(
                f"a power trace of {n} times and {', '.join(str(len(x)) for x in others)} values",
                hint="record at least two samples, each with its time",
            )
        bad = ~(np.isfinite(self.time_s) & np.isfinite(self.power_w))
        if bad.any():
            raise BadInputError(f"sample {int(np.argmax(bad)) + 1} of the power trace is no number", hint="remove it")
        huge = (np.abs(self.time_s) > _LATEST_S) | (np.abs(self.power_w) > _MOST_W)
        if huge.any():
            at = int(np.argmax(huge))
            raise BadInputError(
                f"sample {at + 1} of the power trace is {self.power_w[at]:g} W at {self.time_s[at]:g} s, which nothing measures",
                hint="check the units of the columns, and the supply and shunt if they were given",
            )
        back = np.diff(self.time_s) < _SHORTEST_S
        if back.any():
            raise BadInputError(
                f"the times of the power trace do not increase at sample {int(np.argmax(back)) + 2}",
                hint="sort the samples by time and remove doubles",
            )


@dataclass(frozen=True)
class TraceQuality:
    """What a trace is good for: the usual sampling rate, samples that are missing, the longest gap, samples at the range's end."""

    rate_hz: float
    missing: int
    longest_gap_s: float
    saturated: int

    @property
    def complaints(self) -> tuple[str, ...]:
        """What a reader must know before believing an energy from this trace; empty if nothing."""
        found = []
        # as it is printed: times that were written with six digits make 1000 Hz a hair less
        if round(self.rate_hz) < MIN_RATE_HZ:
            found.append(f"sampled at {self.rate_hz:.0f} Hz, less than {MIN_RATE_HZ:.0f} Hz")
        if self.missing:
            found.append(f"{self.missing} samples are missing, the longest gap is {self.longest_gap_s * 1e3:.3g} ms")
        if self.saturated:
            found.append(
                f"{self.saturated} samples are at the end of the meter's range: the energy is too low, by more than its error says"
            )
        return tuple(found)


def quality_of(trace: PowerTrace) -> TraceQuality:
    """Judge a trace. The usual step is the median one; a longer one than 1.5 of it has lost what would fit in."""
    steps = np.diff(trace.time_s)
    usual = float(np.median(steps))
    gaps = steps[steps > _GAP * usual]
    return TraceQuality(
        rate_hz=1 / usual,
        missing=max(int(np.rint(gaps / usual - 1).sum()), trace.lost),
        longest_gap_s=float(gaps.max(initial=0.0)),
        saturated=0 if trace.saturated is None else int(trace.saturated.sum()),
    )


@dataclass(frozen=True)
class _About:
    """What a trace's file says beside its samples."""

    format: Literal[1]
    lost: Annotated[int, Field(ge=0)]
    meter: MeterInfo


_ABOUT = TypeAdapter(_About)


def write_trace(trace: PowerTrace, path: Path) -> None:
    """Write a compressed trace (numpy's npz: time_s, power_w, gate, saturated, and the meter as JSON)."""
    about = {"format": _FORMAT, "lost": trace.lost, "meter": trace.meter.__dict__}
    arrays: dict[str, NDArray[np.generic]] = {"time_s": trace.time_s, "power_w": trace.power_w}
    for name, flags in (("gate", trace.gate), ("saturated", trace.saturated)):
        if flags is not None:
            arrays[name] = np.packbits(flags)
    out = io.BytesIO()
    np.savez_compressed(out, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    write_atomically(path, out.getvalue())


def read_trace(path: Path) -> PowerTrace:
    """Read what ``write_trace`` wrote. Raises RecordError."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            about = _ABOUT.validate_json(file["about"].tobytes(), strict=True)
            time_s, power_w = file["time_s"].astype(np.float64), file["power_w"].astype(np.float64)
            flags = {
                name: np.unpackbits(file[name], count=len(time_s)).astype(np.bool_) if name in file else None
                for name in ("gate", "saturated")
            }
            return PowerTrace(time_s, power_w, about.meter, flags["gate"], flags["saturated"], about.lost)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RecordError(
            f"{path} is no power trace: {where} {first['msg'].lower()}", hint="record or import it again"
        ) from None
    except OSError as error:
        raise RecordError(
            f"{path}: {error.strerror or error}", hint="give a trace that `whycycles energy` stored"
        ) from None
    except Exception as error:  # numpy and zipfile raise whatever a damaged file makes them
        raise RecordError(f"{path} is no power trace: {error}", hint="record or import it again") from None
