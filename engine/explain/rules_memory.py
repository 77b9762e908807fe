"""Rules for regions that wait for memories or move data."""

from __future__ import annotations

from engine.explain.bottleneck import Bottleneck
from engine.explain.facts import MOVEMENT, WAITING, Facts
from engine.explain.rule import Rule, share_of, sum_text
from engine.records.cause import Cause


def _fetch_misses(facts: Facts) -> float | None:
    return facts.fetch_miss_rate if facts.fetch_cached else None


def _read_misses(facts: Facts) -> float | None:
    return facts.read_miss_rate if facts.read_cached else None


def _constant_waits(facts: Facts) -> float | None:
    return facts.share(Cause.DATA_READ) if facts.counters.flash_read_bytes else None


def _ram_read_waits(facts: Facts) -> float | None:
    return None if facts.counters.flash_read_bytes else facts.share(Cause.DATA_READ)


MEMORY_RULES: tuple[Rule, ...] = (
    Rule(
        name="waiting",
        parent="cycles",
        title="Waiting for memories",
        measure=share_of(*WAITING),
        formula=sum_text(WAITING),
        threshold=0.30,
        why_threshold="below half, because nothing is issued in these cycles: they can vanish without changing the program",
        prose="The core stands still until flash, a cache or RAM delivers.",
        evidence=tuple(c.value for c in WAITING),
        next_look="which path waits: code, constants or writes",
        says="is memory-bound: {waiting} of its {cycles} cycles wait for memories, spread over instruction fetch "
        "({fetch}), reads ({read}) and writes ({write})",
        advice="Use a clock with fewer wait states, or faster memory for code and weights.",
        verdict=Bottleneck.MEMORY_BOUND_FLASH,
    ),
    Rule(
        name="instruction_fetch",
        parent="waiting",
        title="Waiting for code",
        measure=share_of(Cause.INSTRUCTION_FETCH),
        formula="instruction_fetch / cycles",
        threshold=0.15,
        why_threshold="half of its parent's",
        prose="Instructions come from flash more slowly than the core could issue them.",
        evidence=("instruction_fetch", "flash_fetch_lines", "flash_fetch_misses", "taken_branches"),
        next_look="size of the hot loop against the flash line and the cache; taken branches",
        says="is memory-bound by instruction fetch from flash: {fetch} of its {cycles} cycles wait for code{fetch_misses}",
        advice="Run this kernel from RAM or tightly coupled memory, or shrink its hot loop; the waits hold {fetch_cycles} "
        "cycles.",
        verdict=Bottleneck.MEMORY_BOUND_FLASH,
    ),
    Rule(
        name="instruction_cache",
        parent="instruction_fetch",
        title="Instruction cache misses",
        measure=_fetch_misses,
        formula="flash_fetch_misses / flash_fetch_lines, where the board has an instruction cache",
        threshold=0.15,
        why_threshold="a loop that fits misses almost never after its first pass",
        prose="The hot code does not fit the instruction cache.",
        evidence=("instruction_fetch", "flash_fetch_lines", "flash_fetch_misses"),
        next_look="bytes of the hot loop against the bytes of the cache",
        says="is memory-bound by its instruction cache: {fetch} of its {cycles} cycles wait for code{fetch_misses}",
        advice="Make the hot loop smaller (less unrolling, optimise for size) until it fits the cache, or run it from RAM; "
        "the waits hold {fetch_cycles} cycles.",
        verdict=Bottleneck.MEMORY_BOUND_CACHE,
    ),
    Rule(
        name="constant_reads",
        parent="waiting",
        title="Waiting for constants",
        measure=_constant_waits,
        formula="data_read / cycles, where flash_read_bytes > 0",
        threshold=0.15,
        why_threshold="half of its parent's",
        prose="Weights and tables come from flash more slowly than the core asks for them.",
        evidence=("data_read", "flash_read_bytes", "flash_read_lines", "flash_read_misses"),
        next_look="weight bytes, and how often each is read again",
        says="is memory-bound by constants in flash: {read} of its {cycles} cycles wait for data{read_misses}",
        advice="Place its {weight_bytes} bytes of weights in RAM, which costs that much RAM, or reuse each loaded weight "
        "for more outputs; the waits hold {read_cycles} cycles.",
        verdict=Bottleneck.MEMORY_BOUND_FLASH,
    ),
    Rule(
        name="data_cache",
        parent="constant_reads",
        title="Data cache misses",
        measure=_read_misses,
        formula="flash_read_misses / flash_read_lines, where the board has a cache for constants",
        threshold=0.15,
        why_threshold="a working set that fits misses almost never after its first pass",
        prose="The constants that are reused do not fit the data cache, or are not reused at all.",
        evidence=("data_read", "flash_read_lines", "flash_read_misses"),
        next_look="weight bytes against the bytes of the cache",
        says="is memory-bound by its data cache: {read} of its {cycles} cycles wait for data{read_misses}",
        advice="Place its {weight_bytes} bytes of weights in RAM, or order the loops so that what is reused fits the cache; "
        "the waits hold {read_cycles} cycles.",
        verdict=Bottleneck.MEMORY_BOUND_CACHE,
    ),
    Rule(
        name="ram_reads",
        parent="waiting",
        title="Waiting for RAM reads",
        measure=_ram_read_waits,
        formula="data_read / cycles, where flash_read_bytes = 0",
        threshold=0.15,
        why_threshold="half of its parent's",
        prose="Data comes from RAM with wait states or through a busy bus.",
        evidence=("data_read", "ram_read_bytes"),
        next_look="which memory holds the activations",
        says="is memory-bound by reads from RAM: {read} of its {cycles} cycles wait for data",
        advice="Place what it reads in a memory without wait states; the waits hold {read_cycles} cycles.",
        verdict=Bottleneck.MEMORY_BOUND_BANDWIDTH,
    ),
    Rule(
        name="writes",
        parent="waiting",
        title="Waiting for writes",
        measure=share_of(Cause.DATA_WRITE),
        formula="data_write / cycles",
        threshold=0.15,
        why_threshold="half of its parent's",
        prose="The write buffer or the bus is full.",
        evidence=("data_write", "ram_write_bytes", "write_accesses"),
        next_look="bytes per write: single bytes fill a buffer four times as fast as words",
        says="is memory-bound by writes: {write} of its {cycles} cycles wait until memory takes data",
        advice="Write words instead of bytes, or place the outputs in a memory without wait states.",
        verdict=Bottleneck.MEMORY_BOUND_BANDWIDTH,
    ),
    Rule(
        name="movement",
        parent="cycles",
        title="Moving data",
        measure=share_of(*MOVEMENT),
        formula=sum_text(MOVEMENT),
        threshold=0.50,
        why_threshold="the majority of the cycles",
        prose="Loads and stores between registers and memory take most of the time, even where memory answers at once.",
        evidence=("load_store_issue", "load_use", "read_accesses", "write_accesses"),
        next_look="bytes per access and accesses per MAC",
        says="is memory-bound by bandwidth: {movement} of its {cycles} cycles move data between memory and registers"
        "{accesses_per_unit}",
        advice="Move fewer, wider words: {bytes_per_access}; fuse it with its neighbour so that data stays in registers.",
        verdict=Bottleneck.MEMORY_BOUND_BANDWIDTH,
    ),
    Rule(
        name="load_use",
        parent="movement",
        title="Waiting for loaded values",
        measure=share_of(Cause.LOAD_USE),
        formula="load_use / cycles",
        threshold=0.15,
        why_threshold="where loads are a third of the cycles, a wait behind about every second load",
        prose="A loaded value is needed by the very next instruction.",
        evidence=("load_use", "load_instructions"),
        next_look="order of loads and uses in the hot block",
        says="is memory-bound by load-use waits: {load_use} of its {cycles} cycles wait for a value just loaded, and "
        "{load_store} issue loads and stores",
        advice="Load earlier than the value is needed: unroll, or interleave two independent rows.",
        verdict=Bottleneck.MEMORY_BOUND_BANDWIDTH,
    ),
    Rule(
        name="load_store_issue",
        parent="movement",
        title="Issuing loads and stores",
        measure=share_of(Cause.LOAD_STORE_ISSUE),
        formula="load_store_issue / cycles",
        threshold=0.35,
        why_threshold="an int8 inner loop blocked 2x2 in registers spends 4 of 20 instructions on loads; this is far more",
        prose="The number of loads and stores is itself the limit.",
        evidence=("load_store_issue", "load_instructions", "store_instructions", "read_accesses", "write_accesses"),
        next_look="reuse of loaded values in registers; bytes per access",
        says="is memory-bound by bandwidth: {load_store} of its {cycles} cycles issue loads and stores"
        "{accesses_per_unit}",
        advice="Reuse each loaded value for more outputs and load whole words: {bytes_per_access}.",
        verdict=Bottleneck.MEMORY_BOUND_BANDWIDTH,
    ),
)
