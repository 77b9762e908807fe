"""Facts as words: the pieces that sentences and advice of rules are filled with."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from engine.explain.facts import COMPUTE, MOVEMENT, WAITING, Facts, ratio
from engine.explain.roofline import REGISTER_BYTES, VECTOR_BYTES
from engine.records.cause import Cause


@dataclass(frozen=True)
class Phrases:
    """One field per placeholder. Fields that may not apply hold an empty string, never a made-up number."""

    cycles: str
    compute: str
    movement: str
    waiting: str
    mac: str
    mac_part: str
    other_alu: str
    load_store: str
    load_use: str
    branch: str
    latency: str
    fetch: str
    read: str
    write: str
    fetch_cycles: str
    read_cycles: str
    fetch_misses: str
    read_misses: str
    lanes_text: str
    per_unit: str
    accesses_per_unit: str
    bytes_per_access: str
    taken: str
    per_branch: str
    divides: str
    weight_bytes: str
    largest: str
    simd_hint: str

    def fill(self, template: str) -> str:
        """The template with its placeholders replaced. Raises KeyError for a placeholder that does not exist."""
        return template.format(**asdict(self))


def phrases_of(facts: Facts) -> Phrases:
    """Words for a region."""
    c = facts.counters
    accesses = c.read_accesses + c.write_accesses
    data_bytes = c.flash_read_bytes + c.ram_read_bytes + c.ram_write_bytes
    wide = ratio(data_bytes, accesses)
    register = VECTOR_BYTES if c.mve_instructions else REGISTER_BYTES
    lanes = facts.lanes_offered
    return Phrases(
        cycles=f"{facts.cycles:,}",
        compute=percent(facts.share(*COMPUTE)),
        movement=percent(facts.share(*MOVEMENT)),
        waiting=percent(facts.share(*WAITING)),
        mac=percent(facts.share(Cause.MAC)),
        mac_part=f" and {percent(facts.share(Cause.MAC))} issue MACs" if facts.macs else "",
        other_alu=percent(facts.share(Cause.OTHER_ALU)),
        load_store=percent(facts.share(Cause.LOAD_STORE_ISSUE)),
        load_use=percent(facts.share(Cause.LOAD_USE)),
        branch=percent(facts.share(Cause.BRANCH_REFILL)),
        latency=percent(facts.share(Cause.MULTIPLY_DIVIDE_LATENCY)),
        fetch=percent(facts.share(Cause.INSTRUCTION_FETCH)),
        read=percent(facts.share(Cause.DATA_READ)),
        write=percent(facts.share(Cause.DATA_WRITE)),
        fetch_cycles=f"{facts.stack.instruction_fetch:,}",
        read_cycles=f"{facts.stack.data_read:,}",
        fetch_misses=_misses(c.flash_fetch_misses, c.flash_fetch_lines, "fetched"),
        read_misses=_misses(c.flash_read_misses, c.flash_read_lines, "read"),
        lanes_text=_lanes_text(facts),
        per_unit=_per_unit(facts),
        accesses_per_unit=_accesses_per_unit(facts, accesses),
        bytes_per_access=(
            f"it moves {wide:.1f} bytes per access, and the core could move {register}" if wide is not None and wide < register
            else "its accesses are as wide as a register already, so there must be fewer"
        ),
        taken=f"{c.taken_branches:,}",
        per_branch=_per_branch(facts),
        divides=f"{c.divide_instructions:,}",
        weight_bytes=f"{facts.weight_bytes:,}",
        largest=largest_causes(facts),
        simd_hint=_simd_hint(facts, lanes),
    )  # fmt: skip


def percent(share: float) -> str:
    """A share (0 to 1) as people read it: whole percents, "<1 %" for a trace, "0 %" only for none."""
    if share <= 0:
        return "0 %"
    if share < 0.01:
        return "<1 %"
    if 0.995 <= share < 1:
        return ">99 %"
    return f"{share * 100:.0f} %"


def number(value: float) -> str:
    """A ratio with two significant digits or more, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    if value >= 0.1:
        return f"{value:.2f}"
    return f"{value:.4f}" if value >= 0.0001 else "<0.0001"


def largest_causes(facts: Facts, count: int = 3) -> str:
    """The largest causes with their shares: "load/store issue 30 %, other ALU 27 %"."""
    held = sorted((c for c in Cause if facts.stack.of(c)), key=lambda c: -facts.stack.of(c))[:count]
    return ", ".join(f"{c.label} {percent(facts.share(c))}" for c in held) or "none"


def _misses(misses: int, lines: int, verb: str) -> str:
    return f" ({misses:,} of {lines:,} flash lines {verb} missed)" if lines else ""


def _lanes_text(facts: Facts) -> str:
    lanes, use = facts.lanes_offered, facts.lane_use
    if lanes is None or lanes <= 1 or use is None:
        return ""
    return f", using {'' if facts.counters.lanes_are_exact else 'at most '}{percent(use)} of the {lanes} lanes"


def _per_unit(facts: Facts) -> str:
    units, name = (facts.macs, "MAC") if facts.macs else (facts.output_elements, "output element")
    if not units or not facts.counters.instructions:
        return ""
    issued, cycles = facts.counters.instructions / units, facts.cycles / units
    return f"; {number(issued)} instructions and {number(cycles)} cycles per {name}"


def _accesses_per_unit(facts: Facts, accesses: int) -> str:
    units, name = (facts.macs, "MAC") if facts.macs else (facts.output_elements, "output element")
    return f"; {number(accesses / units)} memory accesses per {name}" if units and accesses else ""


def _per_branch(facts: Facts) -> str:
    each = ratio(facts.counters.instructions, facts.counters.taken_branches)
    return f", one every {number(each)} instructions" if each else ""


def _simd_hint(facts: Facts, lanes: int | None) -> str:
    c = facts.counters
    if facts.macs and lanes is not None and c.mve_mac_instructions and not c.simd_mac_instructions:
        each = c.mac_lanes / c.mve_mac_instructions
        return (
            f"Its vector multiplies do {each:.0f} products at a time where this core can do {lanes}, accumulated at once: "
            "keep operands at 8 bits and use a multiply that accumulates across lanes."
        )
    if facts.macs and lanes is not None and lanes > 1 and not c.simd_mac_instructions:
        return f"Use a kernel with SIMD MACs: this one uses none, though this core can do {lanes} products per instruction."
    if facts.macs and c.simd_mac_instructions and facts.share(Cause.OTHER_ALU) > facts.share(Cause.MAC):
        if c.mve_mac_instructions:  # vectors are never unpacked
            return (
                "Sum more products behind every loop start and requantisation (more outputs at a time, longer sums), "
                "or requantise a vector of results at once."
            )
        return (
            "Unpack each operand once and use it for more outputs (larger register blocks), or store weights unpacked."
        )
    if facts.macs:
        return "Reduce the MACs (a smaller layer), or use a core with wider MACs."
    return "It multiplies nothing for the model: fuse it with its neighbour, or widen its inner loop to whole words."
