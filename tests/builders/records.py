"""Hand-made run records for tests: plausible in shape and proportion, and no result of anything.

``kws_record`` looks like a DS-CNN on a Cortex-M, ``make_record`` builds from your own layers, ``records`` draws random
valid ones. All pass the validators of ``engine.records.run``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from engine.catalog.load import board_sha256, core_sha256, load_board, load_core
from engine.errors import CatalogError, UsageError
from engine.records.cause import Cause, Evidence
from engine.records.counters import Counters
from engine.records.run import Cycles, Layer, MemoryPart, MemoryUse, PlacementUsed, Provenance, Region, RunRecord, Stack

HAND_MADE = "hand-made by a test builder: not a result"

ZERO_STACK = Stack(**{c.value: 0 for c in Cause})
ZERO_COUNTERS = Counters(**dict.fromkeys(Counters.model_fields, 0))


@dataclass(frozen=True)
class Mix:
    """What a kernel spends per unit of work (one MAC, or one output element where there are no MACs).

    Instruction counts, then stall cycles (``*_stall``), all per unit. ``lanes`` is the products one multiply can do.
    """

    mac: float = 0.0
    simd_mac: float = 0.0
    alu: float = 0.0
    multiply: float = 0.0
    divide: float = 0.0
    load: float = 0.0
    store: float = 0.0
    branch: float = 0.0
    lanes: int = 2
    latency_stall: float = 0.0
    load_use_stall: float = 0.0
    fetch_stall: float = 0.0
    read_stall: float = 0.0
    write_stall: float = 0.0


SIMD_CONV = Mix(simd_mac=0.5, alu=0.45, load=0.55, store=0.01, branch=0.06, load_use_stall=0.05, fetch_stall=0.1,
                read_stall=0.08, write_stall=0.002)  # fmt: skip
SIMD_DEPTHWISE = Mix(mac=0.6, simd_mac=0.2, alu=1.8, multiply=0.1, load=1.2, store=0.15, branch=0.2,
                     load_use_stall=0.2, fetch_stall=0.4, read_stall=0.1, write_stall=0.01)  # fmt: skip
SCALAR_CONV = Mix(mac=1.0, alu=1.4, load=2.0, store=0.02, branch=0.5, load_use_stall=0.5, fetch_stall=0.3,
                  read_stall=0.2)  # fmt: skip
ELEMENTWISE = Mix(multiply=0.2, divide=0.05, alu=4.0, load=1.5, store=1.0, branch=1.0, latency_stall=0.3,
                  load_use_stall=0.3, fetch_stall=0.5)  # fmt: skip
"""Mixes to start from; ``dataclasses.replace`` them to make another bottleneck dominate."""


def make_stack(**cycles: int) -> Stack:
    """A stack from cause names (``make_stack(mac=10, data_read=5)``); the others are 0."""
    return Stack(**{c.value: 0 for c in Cause} | cycles)


def make_counters(**counts: int) -> Counters:
    """Counters from names; the others follow where these need them, else they are 0."""
    found = dict.fromkeys(Counters.model_fields, 0) | counts

    def at_least(name: str, least: int) -> None:
        if name not in counts:
            found[name] = least

    at_least(
        "instructions", sum(v for k, v in found.items() if k.endswith("_instructions") and not k.startswith("mve_"))
    )
    at_least("blocks", found["taken_branches"])
    at_least("mac_lanes", found["mac_instructions"] + 2 * found["simd_mac_instructions"])
    at_least("simd_lane_slots", found["mac_lanes"])
    at_least("flash_fetch_lines", found["flash_fetch_misses"])
    at_least("flash_read_lines", found["flash_read_misses"])
    at_least("ram_read_bytes", max(0, 4 * found["read_accesses"] - found["flash_read_bytes"]))
    at_least("read_accesses", -(-(found["flash_read_bytes"] + found["ram_read_bytes"]) // 4))
    at_least("ram_write_bytes", 4 * found["write_accesses"])
    at_least("write_accesses", -(-found["ram_write_bytes"] // 4))
    return Counters(**found)


def make_region(stack: Stack, counters: Counters = ZERO_COUNTERS, *, cold_extra: int = 0) -> Region:
    """A region that is not a layer (the glue)."""
    return Region(cycles=stack.cycles, cold_cycles=stack.cycles + cold_extra, stack=stack, counters=counters)


def make_layer(
    index: int = 0,
    *,
    op: str = "CONV_2D",
    name: str | None = None,
    kernel: str = "arm_convolve_s8",
    library: str = "cmsis-nn",
    stack: Stack = ZERO_STACK,
    counters: Counters = ZERO_COUNTERS,
    cold_extra: int = 0,
    macs: int = 0,
    weight_bytes: int = 0,
    arithmetic_intensity: float = 0.0,
    output_shape: tuple[int, ...] = (1, 25, 5, 64),
) -> Layer:
    """One layer; ``cycles`` follows from the stack. Without arguments: an operator that costs nothing (RESHAPE)."""
    return Layer(
        cycles=stack.cycles,
        cold_cycles=stack.cycles + cold_extra,
        stack=stack,
        counters=counters,
        index=index,
        name=name if name is not None else f"{op.lower()}_{index}",
        op=op,
        kernel=kernel,
        library=library,
        macs=macs,
        weight_bytes=weight_bytes,
        arithmetic_intensity=arithmetic_intensity,
        output_shape=output_shape,
    )


def mixed_region(units: int, mix: Mix) -> tuple[Stack, Counters]:
    """Stack and counters of ``units`` of work with a mix: one cycle per instruction, refills and stalls on top."""

    def n(per_unit: float) -> int:
        return math.floor(per_unit * units + 0.5)

    branches = n(mix.branch)
    taken = branches * 3 // 4
    loads, stores = n(mix.load), n(mix.store)
    fetch, read = n(mix.fetch_stall), n(mix.read_stall)
    multiplies = n(mix.mac) + n(mix.simd_mac) + n(mix.multiply)
    counters = make_counters(
        mac_instructions=n(mix.mac),
        simd_mac_instructions=n(mix.simd_mac),
        alu_instructions=n(mix.alu),
        multiply_instructions=n(mix.multiply),
        divide_instructions=n(mix.divide),
        load_instructions=loads,
        store_instructions=stores,
        branch_instructions=branches,
        blocks=branches,
        taken_branches=taken,
        mac_lanes=n(mix.mac) + 2 * n(mix.simd_mac),
        simd_lane_slots=multiplies * mix.lanes,
        read_accesses=loads,
        write_accesses=stores,
        flash_read_bytes=loads,
        ram_read_bytes=3 * loads,
        ram_write_bytes=2 * stores,
        stack_high_water_bytes=96,
        flash_fetch_lines=max(2 * branches, fetch // 5),
        flash_fetch_misses=fetch // 5,
        flash_read_lines=loads // 4,
        flash_read_misses=min(loads // 4, read // 5),
    )
    stack = make_stack(
        mac=n(mix.mac) + n(mix.simd_mac),
        other_alu=n(mix.alu) + n(mix.multiply) + n(mix.divide) + branches,
        load_store_issue=loads + stores,
        multiply_divide_latency=n(mix.latency_stall),
        load_use=n(mix.load_use_stall),
        branch_refill=2 * taken,
        instruction_fetch=fetch,
        data_read=read,
        data_write=n(mix.write_stall),
    )
    return stack, counters


def mixed_layer(
    index: int,
    op: str,
    *,
    macs: int,
    mix: Mix,
    output_shape: tuple[int, ...],
    weight_bytes: int = 0,
    input_bytes: int | None = None,
    kernel: str = "arm_convolve_s8",
    library: str = "cmsis-nn",
) -> Layer:
    """A layer whose counts follow from its MACs (or its output elements, where it has no MACs)."""
    elements = math.prod(output_shape)
    stack, counters = mixed_region(macs or elements, mix)
    touched = weight_bytes + (elements if input_bytes is None else input_bytes) + elements
    return make_layer(
        index,
        op=op,
        kernel=kernel,
        library=library,
        stack=stack,
        counters=counters,
        cold_extra=stack.cycles // 200,
        macs=macs,
        weight_bytes=weight_bytes,
        arithmetic_intensity=2 * macs / touched,
        output_shape=output_shape,
    )


def make_record(
    layers: Sequence[Layer] = (),
    *,
    id: str | None = None,
    model: str = "kws",
    board: str = "nucleo-l4r5zi",
    core: str = "cortex-m4",
    clock_mhz: float = 120.0,
    kernels: str = "cmsis-nn",
    compiler: str = "clang",
    opt: str = "O2",
    interval: tuple[float, float] = (0.96, 1.05),
    glue: Region | None = None,
    flash_bytes: int = 96_000,
    ram_bytes: int = 40_000,
    output_matches_oracle: bool | None = True,
    oracle_note: str = "hand-made by a test builder: equal to itself, bit for bit",
    evidence: Evidence = Evidence.SIMULATED,
    notes: tuple[str, ...] = (HAND_MADE,),
) -> RunRecord:
    """A record around these layers; totals follow. ``interval`` scales the warm cycles (must hold 1.0)."""
    if glue is None:
        glue = make_region(
            make_stack(other_alu=900, load_store_issue=500, branch_refill=200),
            make_counters(alu_instructions=900, load_instructions=400, store_instructions=100),
        )
    warm = sum(x.cycles for x in layers) + glue.cycles
    arena = min(ram_bytes, 24_000)
    deepest = max(x.counters.stack_high_water_bytes for x in (*layers, glue))
    stack_bytes = max(min(ram_bytes - arena, 4096), deepest)
    return RunRecord(
        schema=1,
        id=id if id is not None else f"{model}_{board}_{kernels}_{compiler}-{opt.lower()}_{clock_mhz:g}mhz",
        model=model,
        board=board,
        core=core,
        clock_mhz=clock_mhz,
        placement=PlacementUsed(code="flash", weights="flash", activations="sram1", stack="sram1"),
        kernels=kernels,
        compiler=compiler,
        opt=opt,
        target="unicorn",
        evidence=evidence,
        output_matches_oracle=output_matches_oracle,
        oracle_note=oracle_note,
        cycles=Cycles(cold=sum(x.cold_cycles for x in layers) + glue.cold_cycles, warm=warm),
        cycles_interval=(math.floor(warm * interval[0]), math.ceil(warm * interval[1])),
        latency_ms=warm / clock_mhz / 1000.0,
        instructions=sum(x.counters.instructions for x in layers) + glue.counters.instructions,
        macs=sum(x.macs for x in layers),
        memory=MemoryUse(
            flash_bytes=flash_bytes,
            ram_bytes=max(ram_bytes, stack_bytes),
            arena_bytes=arena,
            stack_bytes=stack_bytes,
            stack_high_water_bytes=max(min(stack_bytes, 600), deepest),
            parts=(
                MemoryPart(name="weights", kind="weights", memory="flash", address=0x0800_4000, bytes=flash_bytes // 2),
                MemoryPart(name="code", kind="code", memory="flash", address=0x0800_0000, bytes=flash_bytes // 4),
                MemoryPart(name="arena", kind="activations", memory="sram1", address=0x2000_0000, bytes=arena),
            ),
        ),
        layers=tuple(layers),
        glue=glue,
        notes=notes,
        provenance=Provenance(
            engine_version="0.1.0",
            model_sha256="0" * 64,
            elf_sha256="1" * 64,
            input_sha256="2" * 64,
            board_sha256=_known_hash(lambda: board_sha256(load_board(board)), "3"),
            core_sha256=_known_hash(lambda: core_sha256(load_core(core)), "4"),
            compiler_version="none: hand-made",
            compiler_flags=(f"-{opt}",),
            kernels_version="none: hand-made",
            target_version="none: hand-made",
        ),
    )


def _known_hash(look_up: Callable[[], str], digit: str) -> str:
    """The catalogue's hash, so that explanations find the hardware; a made-up one for what it does not describe."""
    try:
        return look_up()
    except (UsageError, CatalogError):
        return digit * 64


def kws_layers(conv: Mix = SIMD_CONV, depthwise: Mix = SIMD_DEPTHWISE, library: str = "cmsis-nn") -> tuple[Layer, ...]:
    """The 13 operators of a DS-CNN for keyword spotting: 1 conv, 4 x (depthwise, pointwise), pool, reshape, fc, softmax."""
    shape = (1, 25, 5, 64)
    prefix = "arm" if library == "cmsis-nn" else "ref"
    layers = [
        mixed_layer(0, "CONV_2D", macs=320_000, mix=conv, output_shape=shape, weight_bytes=2_816, input_bytes=490,
                    kernel=f"{prefix}_convolve_s8", library=library)
    ]  # fmt: skip
    for _ in range(4):
        layers.append(
            mixed_layer(len(layers), "DEPTHWISE_CONV_2D", macs=72_000, mix=depthwise, output_shape=shape,
                        weight_bytes=832, kernel=f"{prefix}_depthwise_conv_3x3_s8", library=library)
        )  # fmt: skip
        layers.append(
            mixed_layer(len(layers), "CONV_2D", macs=512_000, mix=conv, output_shape=shape, weight_bytes=4_352,
                        kernel=f"{prefix}_convolve_1x1_s8_fast", library=library)
        )  # fmt: skip
    layers.append(mixed_layer(9, "AVERAGE_POOL_2D", macs=0, mix=ELEMENTWISE, output_shape=(1, 1, 1, 64),
                              input_bytes=8_000, kernel=f"{prefix}_avgpool_s8", library=library))  # fmt: skip
    layers.append(make_layer(10, op="RESHAPE", kernel="none", library=library, output_shape=(1, 64)))
    layers.append(mixed_layer(11, "FULLY_CONNECTED", macs=768, mix=conv, output_shape=(1, 12), weight_bytes=816,
                              input_bytes=64, kernel=f"{prefix}_fully_connected_s8", library=library))  # fmt: skip
    layers.append(mixed_layer(12, "SOFTMAX", macs=0, mix=ELEMENTWISE, output_shape=(1, 12),
                              kernel="ref_softmax_s8", library="reference"))  # fmt: skip
    return tuple(layers)


def kws_record(
    *,
    board: str = "nucleo-l4r5zi",
    core: str = "cortex-m4",
    clock_mhz: float = 120.0,
    kernels: str = "cmsis-nn",
    conv: Mix | None = None,
    interval: tuple[float, float] = (0.96, 1.05),
    flash_bytes: int = 96_000,
    ram_bytes: int = 40_000,
) -> RunRecord:
    """A run that looks like KWS; ``kernels="reference"`` is several times slower."""
    if conv is None:
        conv = SIMD_CONV if kernels == "cmsis-nn" else SCALAR_CONV
    depthwise = SIMD_DEPTHWISE if kernels == "cmsis-nn" else SCALAR_CONV
    return make_record(
        kws_layers(conv, depthwise, kernels),
        board=board,
        core=core,
        clock_mhz=clock_mhz,
        kernels=kernels,
        interval=interval,
        flash_bytes=flash_bytes,
        ram_bytes=ram_bytes,
    )


# random ones

PATIENT = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
"""For tests that draw records: a busy machine must not fail them."""

_COUNT = st.one_of(st.just(0), st.integers(0, 50), st.integers(0, 10**8))


@st.composite
def stacks(draw: st.DrawFn) -> Stack:
    """Any stack, often with zeros."""
    return make_stack(**{c.value: draw(_COUNT) for c in Cause})


@st.composite
def counters(draw: st.DrawFn) -> Counters:
    """Counters whose classes sum to ``instructions``, and whose dependent counts are possible."""
    free = {
        name: draw(_COUNT)
        for name in Counters.model_fields
        if (name.endswith("_instructions") and not name.startswith("mve_"))
        or name in {"flash_read_bytes", "ram_read_bytes", "ram_write_bytes"}
    }
    helium = draw(st.one_of(st.just(0), st.integers(0, sum(v for k, v in free.items() if k.endswith("_instructions")))))
    vectors = {
        f"mve_{part}_instructions": draw(st.integers(0, helium)) for part in ("mac", "load", "store", "predicated")
    }
    mac, simd = free["mac_instructions"], free["simd_mac_instructions"]
    lanes = draw(st.sampled_from((1, 2)))
    fetch, read = draw(_COUNT), draw(_COUNT)
    return make_counters(
        **free,
        **vectors,
        mve_instructions=helium,
        folded_loop_ends=draw(st.one_of(st.just(0), st.integers(0, free["branch_instructions"]))),
        blocks=free["branch_instructions"],
        taken_branches=draw(st.integers(0, free["branch_instructions"])),
        mac_lanes=mac + 2 * simd,
        simd_lane_slots=(mac + simd + free["multiply_instructions"]) * max(lanes, 2 if simd else 1),
        stack_high_water_bytes=draw(st.integers(0, 4096)),
        flash_fetch_lines=fetch,
        flash_fetch_misses=draw(st.integers(0, fetch)),
        flash_read_lines=read,
        flash_read_misses=draw(st.integers(0, read)),
    )


_OPS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "AVERAGE_POOL_2D", "RESHAPE", "SOFTMAX")


@st.composite
def layers(draw: st.DrawFn, index: int = 0) -> Layer:
    """Any layer that the record format allows, also ones that cost nothing."""
    return make_layer(
        index,
        op=draw(st.sampled_from(_OPS)),
        stack=draw(st.one_of(st.just(ZERO_STACK), stacks())),
        counters=draw(st.one_of(st.just(ZERO_COUNTERS), counters())),
        cold_extra=draw(st.integers(0, 10**6)),
        macs=draw(_COUNT),
        weight_bytes=draw(_COUNT),
        arithmetic_intensity=draw(st.floats(0, 1e4, allow_nan=False)),
        output_shape=draw(st.lists(st.integers(1, 64), min_size=1, max_size=4).map(tuple)),
    )


@st.composite
def records(draw: st.DrawFn, max_layers: int = 5) -> RunRecord:
    """Any valid record, also one without layers or cycles."""
    return make_record(
        [draw(layers(i)) for i in range(draw(st.integers(0, max_layers)))],
        board=draw(st.sampled_from(("nucleo-l4r5zi", "nucleo-h743zi", "no-such-board"))),
        core=draw(st.sampled_from(("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"))),
        clock_mhz=draw(st.sampled_from((16.0, 48.0, 64.0, 120.0, 480.0))),
        kernels=draw(st.sampled_from(("cmsis-nn", "reference"))),
        interval=(draw(st.floats(0.5, 1.0)), draw(st.floats(1.0, 2.0))),
        glue=make_region(draw(stacks()), draw(counters()), cold_extra=draw(st.integers(0, 1000))),
        flash_bytes=draw(st.integers(0, 2**21)),
        ram_bytes=draw(st.integers(0, 2**20)),
        output_matches_oracle=draw(st.sampled_from((True, False, None))),
    )
