"""What causes and counters mean, in prose for the pages."""

from __future__ import annotations

from engine.records.cause import Cause

CAUSE_MEANING: dict[Cause, str] = {
    Cause.MAC: "issuing multiply-accumulate instructions: the work the model asks for",
    Cause.OTHER_ALU: "issuing other instructions: address and loop arithmetic, unpacking, requantisation, branches themselves; also "
    "what runs of 32-bit instructions off word boundaries hold up",
    Cause.LOAD_STORE_ISSUE: "issuing loads and stores, including the further registers of multiple transfers",
    Cause.MULTIPLY_DIVIDE_LATENCY: "waiting for a multiplier or divider that takes more than one cycle",
    Cause.LOAD_USE: "waiting for a loaded value because the next instruction already needs it",
    Cause.BRANCH_REFILL: "refilling the pipeline after a taken or mispredicted branch",
    Cause.INSTRUCTION_FETCH: "waiting for instructions: flash wait states and misses of the instruction cache or prefetcher",
    Cause.DATA_READ: "waiting for data: constants in flash, misses of the data cache, slow RAM, further accesses of unaligned reads",
    Cause.DATA_WRITE: "waiting for a store to be accepted: slow RAM, lines taken in or driven out, further accesses of unaligned writes",
}

CAUSE_REMEDY: dict[Cause, str] = {
    Cause.MAC: "wider multiply-accumulate instructions (DSP extension, MVE) or fewer MACs",
    Cause.OTHER_ALU: "more work per loop iteration: unrolling, larger tiles, kernels that unpack less",
    Cause.LOAD_STORE_ISSUE: "reuse values in registers; wider loads",
    Cause.MULTIPLY_DIVIDE_LATENCY: "replace divisions, schedule other work behind a long multiply",
    Cause.LOAD_USE: "schedule an independent instruction between a load and its use",
    Cause.BRANCH_REFILL: "fewer iterations: unrolling, larger tiles",
    Cause.INSTRUCTION_FETCH: "run hot code from RAM, enable caches and prefetch, or lower the clock where wait states dominate",
    Cause.DATA_READ: "place hot weights in RAM or tightly coupled memory; a larger or better used data cache",
    Cause.DATA_WRITE: "place activations in faster memory",
}
