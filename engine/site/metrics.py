"""The counters of a run arranged as the metrics pyramid: application, system, microarchitecture, physical.

A metric has a value or a reason why it is absent, never both and never neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.catalog.board import Board
from engine.energy.attribute import energy_of
from engine.explain.ties import interval_ms
from engine.records.cause import Cause, Evidence
from engine.records.counters import Counters
from engine.records.run import RunRecord
from engine.records.run_energy import NoEnergy, RunEnergy
from engine.site.text import kilobytes, milliseconds, percent, ratio, significant, whole

LEVELS = {
    4: "Level 4 · Application",
    3: "Level 3 · System",
    2: "Level 2 · Microarchitecture",
    1: "Level 1 · Physical",
}

_STALLS = (
    Cause.MULTIPLY_DIVIDE_LATENCY,
    Cause.LOAD_USE,
    Cause.BRANCH_REFILL,
    Cause.INSTRUCTION_FETCH,
    Cause.DATA_READ,
    Cause.DATA_WRITE,
)
_PHYSICAL = {"flash_read_bytes", "ram_read_bytes", "ram_write_bytes", "stack_high_water_bytes"}
_MODELLED = {"flash_fetch_lines", "flash_fetch_misses", "flash_read_lines", "flash_read_misses"}
_ACRONYMS = {"mac", "simd", "alu", "fp", "ram", "mve"}
_MAXIMA = {"stack_high_water_bytes"}


@dataclass(frozen=True)
class Metric:
    """One row. ``how``: counted (exact), modelled (by the flash interface), timed (by the timing model), static (from the image), described (by the catalogue), powered (by the board's power model)."""

    level: int
    name: str
    value: str = ""
    how: str = ""
    absent: str = ""

    def __post_init__(self) -> None:
        if bool(self.value) == bool(self.absent):
            raise ValueError(f"{self.name}: exactly one of value and absent")


def total(record: RunRecord) -> Counters:
    """Counters of the whole inference: sums over layers and glue (the stack's high-water mark is a maximum)."""
    regions = [x.counters for x in (*record.layers, record.glue)]
    return Counters(
        **{name: (max if name in _MAXIMA else sum)(getattr(c, name) for c in regions) for name in Counters.model_fields}
    )


def counter_label(name: str) -> str:
    """Name of a counter for people: "simd_mac_instructions" is "SIMD MAC instructions"."""
    return " ".join(w.upper() if w in _ACRONYMS else w for w in name.split("_"))


def pyramid(record: RunRecord, board: Board | None) -> list[Metric]:
    """All metrics of a run, from the application down."""
    return [*_application(record, board), *_system(record, board), *_microarchitecture(record), *_physical(record)]


def _application(r: RunRecord, board: Board | None) -> Iterator[Metric]:
    low, high = interval_ms(r)
    yield Metric(4, "latency, warm", milliseconds(r.latency_ms), "timed")
    yield Metric(4, "latency, interval", f"{significant(low)} \u2013 {milliseconds(high)}", "timed")
    yield Metric(4, "latency, cold", milliseconds(r.cycles.cold / r.clock_mhz / 1000), "timed")
    rate = f"{significant(1000 / r.latency_ms)}\u00a0/s" if r.latency_ms else ""
    yield Metric(4, "throughput, back to back", rate, "timed", "" if rate else "the run took no cycles")
    yield _energy(r.energy or energy_of(r, board))
    yield Metric(4, "flash used", kilobytes(r.memory.flash_bytes), "static")
    yield Metric(4, "RAM used", kilobytes(r.memory.ram_bytes), "static")
    yield Metric(4, "of it arena", kilobytes(r.memory.arena_bytes), "static")


def _energy(found: RunEnergy | NoEnergy) -> Metric:
    if isinstance(found, NoEnergy):
        return Metric(4, "energy per inference", absent=found.reason)
    low, middle, high = (significant(x / 1e6) for x in (found.interval_nj[0], found.energy_nj, found.interval_nj[1]))
    return Metric(4, "energy per inference", f"{middle}\u00a0mJ ({low} \u2013 {high})", "powered")


def _system(r: RunRecord, board: Board | None) -> Iterator[Metric]:
    yield Metric(3, "core clock", f"{r.clock_mhz:g}\u00a0MHz", "described")
    if board is None:
        yield Metric(3, "flash wait states at this clock", absent=f"no description of {r.board} at hand")
    else:
        try:
            yield Metric(3, "flash wait states at this clock", str(board.flash.wait_states(r.clock_mhz)), "described")
        except ValueError as error:
            yield Metric(3, "flash wait states at this clock", absent=str(error))
    yield Metric(3, "power state transitions", absent=_not_on(r, "no power states"))
    yield Metric(3, "DMA utilisation", absent=_not_on(r, "no DMA controller"))
    yield Metric(3, "bus contention events", absent=_not_on(r, "one bus master, the core"))


def _microarchitecture(r: RunRecord) -> Iterator[Metric]:
    c = total(r)
    warm = r.cycles.warm
    stalls = sum(x.stack.of(cause) for x in (*r.layers, r.glue) for cause in _STALLS)
    yield Metric(2, "cycles, warm", whole(warm), "timed")
    yield Metric(2, "cycles, cold", whole(r.cycles.cold), "timed")
    yield _quotient("instructions per cycle (IPC)", c.instructions, warm)
    yield Metric(2, "cycles not spent issuing", f"{whole(stalls)} ({percent(stalls, warm)})", "timed")
    yield _quotient("MACs per cycle", r.macs, warm)
    yield _share(
        "SIMD lane use", c.active_lanes, c.simd_lane_slots, "no multiply was issued", at_most=not c.lanes_are_exact
    )
    yield _share(
        "flash fetch hit rate",
        c.flash_fetch_lines - c.flash_fetch_misses,
        c.flash_fetch_lines,
        "no line was fetched from flash",
        "modelled",
    )
    yield _share(
        "flash read hit rate",
        c.flash_read_lines - c.flash_read_misses,
        c.flash_read_lines,
        "no constant was read from flash",
        "modelled",
    )
    yield _share("branches taken", c.taken_branches, c.branch_instructions, "no branch was issued")
    kept = c.model_dump()  # without what only cores with Helium have, where there is none
    for name in Counters.model_fields:
        if name not in _PHYSICAL and name in kept:
            yield Metric(
                2, counter_label(name), whole(getattr(c, name)), "modelled" if name in _MODELLED else "counted"
            )


def _physical(r: RunRecord) -> Iterator[Metric]:
    yield Metric(1, "power", absent=_not_physical(r, "meter"))
    yield Metric(1, "temperature", absent=_not_physical(r, "sensor"))
    c = total(r)
    for name in Counters.model_fields:
        if name in _PHYSICAL:
            yield Metric(1, counter_label(name), whole(getattr(c, name)), "counted")


def _quotient(name: str, part: int, whole_: int) -> Metric:
    return Metric(2, name, ratio(part, whole_) if whole_ else "", "timed", "" if whole_ else "the run took no cycles")


def _share(name: str, part: int, of: int, otherwise: str, how: str = "counted", *, at_most: bool = False) -> Metric:
    bound = "at most " if at_most else ""
    return Metric(2, name, f"{bound}{percent(part, of)}" if of else "", how, "" if of else otherwise)


def _not_on(r: RunRecord, what: str) -> str:
    """Why a system metric is absent: an emulated core has nothing of the kind, a real one was not asked."""
    return "the record does not hold it" if r.evidence is Evidence.MEASURED else f"the target {r.target} has {what}"


def _not_physical(r: RunRecord, device: str) -> str:
    why = "the record does not hold it" if r.evidence is Evidence.MEASURED else "this run did not execute on silicon"
    return f"no {device}: {why}"
