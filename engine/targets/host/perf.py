"""``perf stat``: hardware counters where the kernel offers them, and for each that it does not the reason."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ToolError
from engine.records.host import HostCounter

_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
_ANSWER_S = 20.0
_STRICT = 2
"""From here on the kernel may refuse counters to those without privileges."""


@dataclass(frozen=True)
class Event:
    """One counter: perf's name, and ours."""

    perf: str
    name: str


EVENTS = (
    Event("cycles", "cycles"),
    Event("instructions", "instructions"),
    Event("cache-references", "cache_references"),
    Event("cache-misses", "cache_misses"),
    Event("L1-dcache-loads", "l1d_loads"),
    Event("L1-dcache-load-misses", "l1d_load_misses"),
    Event("LLC-loads", "llc_loads"),
    Event("LLC-load-misses", "llc_load_misses"),
    Event("branches", "branches"),
    Event("branch-misses", "branch_misses"),
)
"""What is asked for."""


def find_perf() -> Path:
    """The tool on the PATH. Raises ToolError."""
    found = shutil.which("perf")
    if found is None:
        raise ToolError("perf is not installed", hint="apt install linux-perf (or linux-tools-generic)")
    return Path(found)


def offered_counters() -> tuple[HostCounter, ...]:
    """One counter per event of ``EVENTS``, counted around a program that does nothing. Raises ToolError without perf or where it fails."""
    perf = find_perf()
    command = [
        str(perf), "stat", "--field-separator", ";", "--event", ",".join(e.perf for e in EVENTS), "--", sys.executable, "-I", "-S", "-c", "",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_ANSWER_S, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{perf} cannot be run: {error}", hint="install linux-perf again") from error
    if done.returncode:
        raise ToolError(f"{perf} ended with exit code {done.returncode}{_paranoia()}", hint="install linux-perf again")
    return parse_counters(done.stderr, 1)


def parse_counters(text: str, inferences: int) -> tuple[HostCounter, ...]:
    """One counter per event of ``EVENTS`` from ``perf stat``'s fields, divided by the inferences it covers.

    A counter that shared the hardware with others was scaled up by perf: it is taken if it ran at least half of the time.
    """
    rows = {}
    for line in text.splitlines():
        cells = line.split(";")
        if len(cells) >= 5:
            # a modifier like :u, that perf adds where the kernel is out of bounds, is not part of the name
            rows[cells[2].split(":")[0]] = cells
    return tuple(_counter(event, rows.get(event.perf), inferences) for event in EVENTS)


def refusal(error: Exception) -> str:
    """Why perf as a whole does not work, from how it ended."""
    return f"perf stat does not work here{_paranoia()}: {error}"


def unavailable(reason: str) -> tuple[HostCounter, ...]:
    """No counter at all, for one reason."""
    return tuple(HostCounter(event=e.name, value=None, reason=reason) for e in EVENTS)


def _counter(event: Event, cells: list[str] | None, inferences: int) -> HostCounter:
    reason = ""
    value: float | None = None
    if cells is None:
        reason = "perf does not report it"
    elif cells[0] == "<not supported>":
        reason = (
            "the processor offers no such counter here: a virtual machine without one, or another kind of processor"
        )
    elif cells[0] == "<not counted>":
        reason = f"the kernel did not count it{_paranoia()}"
    else:
        try:
            value, running = float(cells[0]) / inferences, float(cells[4])
        except ValueError:
            value, reason = None, f"perf's answer is not understood: {cells[0]!r}"
        else:
            if running < 50:
                value, reason = None, f"it ran only {running:g} % of the time: too many counters at once"
    return HostCounter(event=event.name, value=value, reason=reason)


def _paranoia() -> str:
    try:
        level = int(_PARANOID.read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    return f" (kernel.perf_event_paranoid is {level})" if level >= _STRICT else ""
