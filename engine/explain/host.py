"""What the counters of this machine say: derived metrics, each with its formula, and what bounds the time, as far as that can be known.

No penalty is assumed. A count is turned into time with what the machine itself was measured to cost, and where that depends on how an
access happens, both ends are taken: a cache line read in order, and one whose address is in the line before. So every share is an
interval, and a class is only given where the intervals decide it.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.records.host import HostCounter, HostCounts, HostRecord

LINE_BYTES = 64
"""What vision and tools count a last-level load as; the line of every x86-64 cache to date."""

_HALF = 0.5
"""What takes more than half of the time bounds it: nothing else can take as much."""


@dataclass(frozen=True)
class HostMetric:
    """One derived figure. ``value`` is None where ``reason`` says why; ``formula`` in terms of the counters."""

    name: str
    value: float | None
    unit: str
    formula: str
    source: str
    reason: str = ""


@dataclass(frozen=True)
class Share:
    """A share of the least time: at least ``low``, at most ``high`` (None: no bound is known)."""

    name: str
    low: float
    high: float | None
    formula: str


@dataclass(frozen=True)
class HostClass:
    """What bounds the time of our kernels, and the shares that say so. ``name``: compute, memory, branch, or undecided."""

    name: str
    sentence: str
    shares: tuple[Share, ...]


def runtime_metrics(record: HostRecord) -> tuple[HostMetric, ...]:
    """Of LiteRT, from hardware counters (per inference):

    IPC = instructions / cycles; cache miss rate = cache_misses / cache_references; L1 data miss rate = l1d_load_misses / l1d_loads;
    branch accuracy = 1 - branch_misses / branches; memory bandwidth = llc_loads x 64 bytes / median time, in 10^9 bytes per second.
    """
    runtime = record.runtime
    if runtime is None:
        return ()
    counters = {c.event: c for c in runtime.counters}
    seconds = runtime.latency.p50_ms / 1e3
    return (
        _ratio("IPC", "", "instructions / cycles", counters, "instructions", "cycles"),
        _ratio("cache miss rate", "", "cache_misses / cache_references", counters, "cache_misses", "cache_references"),
        _ratio("L1 data miss rate", "", "l1d_load_misses / l1d_loads", counters, "l1d_load_misses", "l1d_loads"),
        _ratio(
            "branch accuracy", "", "1 - branch_misses / branches", counters, "branch_misses", "branches", one_minus=True
        ),
        _bandwidth(counters["llc_loads"], seconds),
    )


def reference_metrics(record: HostRecord) -> tuple[HostMetric, ...]:
    """Of our kernels, from callgrind's counts of one inference and its least time, which are of the same program:

    IPC = instructions / (time / time of a dependent addition), as that takes one cycle; D1 miss rate = d1_misses / (reads + writes);
    LL miss rate = ll_misses / d1_misses; branch accuracy = 1 - mispredictions / branches; bandwidth beyond L1 = d1_misses x 64 bytes / time;
    memory bandwidth = ll_misses x 64 bytes / time, in 10^9 bytes per second; MACs per instruction = MACs / instructions.
    """
    reference = record.reference
    source = "callgrind"
    if reference.simulation is None:
        why = reference.simulation_note
        return tuple(
            HostMetric(name, None, unit, formula, source, why)
            for name, unit, formula in (
                ("IPC", "", "instructions / cycles"),
                ("D1 miss rate", "", "d1_misses / (reads + writes)"),
                ("branch accuracy", "", "1 - mispredictions / branches"),
                ("memory bandwidth", "GB/s", "ll_misses x 64 bytes / time"),
            )
        )
    n, costs = reference.simulation.total, reference.costs
    ns = reference.latency.least_ms * 1e6
    cycles = ns / costs.dependent_addition_ns
    return (
        HostMetric("clock", 1 / costs.dependent_addition_ns, "GHz", "1 / time of a dependent addition", "probe"),
        HostMetric("IPC", n.instructions / cycles, "", "instructions / (time x clock)", f"{source}, time, probe"),
        _quotient("D1 miss rate", n.d1_misses, n.reads + n.writes, "d1_misses / (reads + writes)"),
        _quotient("LL miss rate", n.ll_misses, n.d1_misses, "ll_misses / d1_misses"),
        _accuracy(n),
        HostMetric("bandwidth beyond L1", n.d1_misses * LINE_BYTES / ns, "GB/s", "d1_misses x 64 bytes / time", f"{source}, time"),
        HostMetric("memory bandwidth", n.ll_misses * LINE_BYTES / ns, "GB/s", "ll_misses x 64 bytes / time", f"{source}, time"),
        _quotient("MACs per instruction", record.macs, n.instructions, "MACs / instructions"),
    )  # fmt: skip


def classify(record: HostRecord) -> HostClass | None:
    """What bounds our kernels here; None without counts.

    Memory: lines that miss the first cache x their cost, in order at least, one address at a time at most; they come out of the second level
    where weights and arena fit there, else out of the last one. Branches: mispredictions x their cost at most (callgrind's predictor is
    simpler than a real one, so fewer happen). Compute: instructions x the shortest one at least, branches left out, as one may share its
    slot with a compare. A class holds where its low end is above a half, or where the others' high ends together leave more than half.
    """
    reference = record.reference
    if reference.simulation is None:
        return None
    n, costs = reference.simulation.total, reference.costs
    ns = reference.latency.least_ms * 1e6
    near = n.d1_misses - n.ll_misses
    second = record.machine.cache(2, "data", "unified")
    fits = second is not None and reference.working_set_bytes <= second.bytes
    alone_ns = costs.near_line_alone_ns if fits else costs.far_line_alone_ns
    memory = Share(
        "memory",
        (near * costs.near_line_ns + n.ll_misses * costs.memory_line_ns) / ns,
        (near * alone_ns + n.ll_misses * costs.memory_line_alone_ns) / ns,
        "(d1_misses - ll_misses) x line beyond L1 + ll_misses x line of memory",
    )
    branch = Share(
        "branch", 0.0, n.mispredictions * costs.misprediction_ns / ns, "mispredictions x cost of one, at most"
    )
    # a compare and its branch may take one slot
    slots = n.instructions - n.branches
    compute = Share(
        "compute", slots * costs.instruction_ns / ns, None, "(instructions - branches) x shortest instruction, at least"
    )
    shares = (compute, memory, branch)
    high = (memory.high or 0.0) + (branch.high or 0.0)
    if memory.low > _HALF:
        return HostClass(
            "memory",
            f"Bound by memory: lines that miss the first cache take at least {_percent(memory.low)} of the time.",
            shares,
        )
    if compute.low > _HALF:
        return HostClass(
            "compute",
            f"Bound by compute: a slot for every instruction alone takes at least {_percent(compute.low)} of the time.",
            shares,
        )
    if high < _HALF:
        return HostClass(
            "compute",
            f"Bound by compute: memory (at most {_percent(memory.high)}) and mispredicted branches (at most {_percent(branch.high)}) "
            "leave more than half of the time to the instructions themselves.",
            shares,
        )
    return HostClass(
        "undecided",
        f"Undecided: compute at least {_percent(compute.low)}, memory {_percent(memory.low)} to {_percent(memory.high)}, "
        f"mispredicted branches up to {_percent(branch.high)} of the time.",
        shares,
    )


def doubts(record: HostRecord) -> tuple[str, ...]:
    """Why the times may be wrong, in the order of weight."""
    found = []
    times = [("our kernels", record.reference.latency)]
    if record.runtime is not None:
        times.insert(0, (record.runtime.name, record.runtime.latency))
    for name, t in times:
        if t.p95_ms > 1.05 * t.p50_ms:
            found.append(
                f"the times of {name} spread: p95 is {t.p95_ms / t.p50_ms:.2f} times the median; something else used the CPU"
            )
    if record.machine.virtual:
        found.append("this is a virtual machine: others may share its cores and caches")
    if record.machine.governor.startswith("absent") or record.machine.governor != "performance":
        found.append(f"the clock is not locked (governor: {record.machine.governor.removeprefix('absent: ')})")
    return tuple(found)


def _ratio(
    name: str,
    unit: str,
    formula: str,
    counters: dict[str, HostCounter],
    top: str,
    bottom: str,
    *,
    one_minus: bool = False,
) -> HostMetric:
    a, b = counters[top], counters[bottom]
    if a.value is None or b.value is None:
        return HostMetric(name, None, unit, formula, "perf", a.reason or b.reason)
    if not b.value:
        return HostMetric(name, None, unit, formula, "perf", f"{bottom} is 0")
    return HostMetric(name, 1 - a.value / b.value if one_minus else a.value / b.value, unit, formula, "perf")


def _bandwidth(loads: HostCounter, seconds: float) -> HostMetric:
    value = None if loads.value is None else loads.value * LINE_BYTES / seconds / 1e9
    return HostMetric("memory bandwidth", value, "GB/s", "llc_loads x 64 bytes / time", "perf, time", loads.reason)


def _quotient(name: str, top: int, bottom: int, formula: str) -> HostMetric:
    if not bottom:
        return HostMetric(name, None, "", formula, "callgrind", f"{formula.rpartition('/ ')[2].strip('()')} is 0")
    return HostMetric(name, top / bottom, "", formula, "callgrind")


def _accuracy(n: HostCounts) -> HostMetric:
    formula = "1 - mispredictions / branches"
    if not n.branches:
        return HostMetric("branch accuracy", None, "", formula, "callgrind", "branches is 0")
    return HostMetric("branch accuracy", 1 - n.mispredictions / n.branches, "", formula, "callgrind")


def _percent(share: float | None) -> str:
    return "?" if share is None else f"{100 * share:.1f} %"
