"""Hand-made analyses and validations that fit hand-made records: every sum is right, the instructions are made up."""

from __future__ import annotations

from engine.explain.analysis import (
    AlternativeEffect,
    Analysis,
    BlockCode,
    ClockPoint,
    Gain,
    Gains,
    LeftOutEffect,
    StackRow,
)
from engine.explain.flame import Frame, FrameKind
from engine.explain.hotspots import CauseCycles, HotBlock, HotInstruction, LayerHotspots
from engine.firmware.types import GLUE
from engine.records.cause import Cause
from engine.records.other_kernels import KernelsPoint, KernelsResult, OtherKernels
from engine.records.run import Region, RunRecord, Stack
from engine.records.run_energy import PowerKind
from engine.records.validation import BoundSide, KeptValidation, Point, Use, Validation, Validations
from engine.site.gain_charts import MECHANISM_CAUSE
from engine.timing.mechanism import Mechanism
from engine.timing.sweep import Step


def make_analysis(record: RunRecord, *, key: str = "0" * 64, function: str = "wc_kernel") -> Analysis:
    """An analysis of these very cycles: each mechanism gains its cause's cycles, and the gains do not overlap."""
    regions: list[tuple[str, Region]] = [(x.name, x) for x in record.layers]
    regions.append((GLUE, record.glue))
    whole = Stack.added(r.stack for _, r in regions)
    root = Frame(FrameKind.MODEL, record.model)
    frames = [root, Frame(FrameKind.FUNCTION, function), Frame(FrameKind.BLOCK, "0x00000100 k.c:7", "kernels/k.c", 7)]
    frames += [Frame(FrameKind.LAYER, name) for name, _ in regions]
    return Analysis(
        id=record.id,
        key=key,
        clock_mhz=record.clock_mhz,
        run=_gains(record.model, whole, record.clock_mhz),
        regions=tuple(_gains(name, r.stack, record.clock_mhz) for name, r in regions),
        clocks=_clocks(record),
        alternatives=(
            AlternativeEffect(
                key="flash.icache.ways",
                described="128",
                alternative="4",
                effect_cycles=record.cycles.warm // 50,
                effect_share=0.02,
                reason="rows read as ways",
            ),
        ),
        left_out=(
            LeftOutEffect(
                key="memories.sram1.wait_states",
                taken="data accesses do not wait",
                effect_cycles=record.cycles.warm // 10,
                effect_share=0.1,
            ),
        ),
        hot=tuple(_hot(i, name, r.stack, function) for i, (name, r) in enumerate(regions)),
        code=(BlockCode(address=0x100, disassembly=_CODE),),
        frames=tuple(frames),
        stacks=tuple(
            StackRow(frames=(0, 3 + i, 1, 2), cycles=r.cycles) for i, (_, r) in enumerate(regions) if r.cycles
        ),
    )


def _gains(name: str, stack: Stack, mhz: float) -> Gains:
    gains = []
    for m in Mechanism:
        cycles = stack.of(MECHANISM_CAUSE[m]) if m in MECHANISM_CAUSE else 0
        ms = cycles / mhz / 1000 if m is not Mechanism.DOUBLE_CLOCK else stack.cycles / mhz / 2500
        share = cycles if m in MECHANISM_CAUSE else None
        gains.append(
            Gain(
                mechanism=m,
                cycles=stack.cycles - cycles,
                latency_ms=stack.cycles / mhz / 1000 - ms,
                gain_cycles=None if m is Mechanism.DOUBLE_CLOCK else cycles,
                gain_cycles_interval=None if m is Mechanism.DOUBLE_CLOCK else (cycles // 2, 2 * cycles),
                gain_ms=ms,
                gain_ms_interval=(ms / 2, 2 * ms),
                share_cycles=share,
                share_cycles_interval=None if share is None else (share // 2, 2 * share),
            )
        )
    ideal = stack.cycles - sum(stack.of(c) for c in MECHANISM_CAUSE.values())
    return Gains(name=name, cycles=stack.cycles, ideal_cycles=ideal, gains=tuple(gains))


def _clocks(record: RunRecord) -> tuple[ClockPoint, ...]:
    """Four clocks, one for every kind of step; the last is the record's own."""
    steps = ((0.25, 0, Step.FIRST), (0.5, 1, Step.FASTER), (0.75, 4, Step.NOTHING), (1.0, 5, Step.UNCERTAIN))
    points = []
    for part, waits, step in steps:
        mhz = record.clock_mhz * part
        cycles = record.cycles.warm - (5 - waits) * (record.cycles.warm // 50)
        ms = cycles / mhz / 1000
        points.append(
            ClockPoint(
                clock_mhz=mhz,
                wait_states=waits,
                bus_ratio=1,
                cycles=cycles,
                latency_ms=ms,
                latency_ms_interval=(0.9 * ms, 1.2 * ms),
                saving=0.0 if step is Step.FIRST else -0.01,
                step=step,
            )
        )
    return tuple(points)


def _cause(cause: Cause, cycles: float) -> CauseCycles:
    return CauseCycles(cause=cause, label=cause.label, cycles=cycles)


_CODE = (
    HotInstruction(
        address=0x100, code="6808", text="ldr r0, [r1]", source="kernels/k.c:7", cycles=2,
        causes=(_cause(Cause.LOAD_STORE_ISSUE, 1), _cause(Cause.LOAD_USE, 1)),
    ),
    HotInstruction(
        address=0x102, code="fb00 2203", text="mla r2, r0, r3, r2", source="kernels/k.c:8", cycles=1,
        causes=(_cause(Cause.MAC, 1),),
    ),
)  # fmt: skip


def _hot(index: int, name: str, stack: Stack, function: str) -> LayerHotspots:
    stalls = stack.instruction_fetch + stack.data_read + stack.data_write
    count = (stack.cycles - stalls) // 4
    block = HotBlock(
        address=0x100,
        function=function,
        offset=8,
        source="kernels/k.c:7",
        count=count,
        instructions=2,
        per_iteration=(_cause(Cause.LOAD_STORE_ISSUE, 1), _cause(Cause.LOAD_USE, 1), _cause(Cause.MAC, 1)),
        cycles_per_iteration=3,
        entry_cycles=0,
        refill_cycles=0,
        cycles=3 * count,
        share=0.75 if count else 0.0,
        disassembly=(),
    )
    return LayerHotspots(
        index=index,
        name=name,
        cycles=stack.cycles,
        pipeline_cycles=stack.cycles - stalls,
        entry_refill_cycles=0,
        stalls=(_cause(Cause.DATA_READ, stack.data_read),) if stack.data_read else (),
        blocks_executed=3,
        share_shown=block.share,
        blocks=(block,) if count else (),
    )


def make_point(board: str = "nucleo-l4r5zi", **changes: object) -> Point:
    """An exact point that is 10 % low and whose interval does not hold the published latency."""
    point = Point(
        board=board, model="mlperf-tiny/kws", framework="microTVM", kernels="cmsis-nn", kernels_version="4.0.0",
        compiler="gcc", opt="O2", lowering="microtvm", clock_mhz=120, published_ms=100, simulated_ms=90, error=-0.1,
        interval_ms=(85, 95), alternatives_ms=(89.5, 93.5), published_uj=None, energy_uj=None, use=Use.EXACT, bound_side=None, holds=False,
        run_id="no-such-run", source="a table somewhere", notes=(),
    )  # fmt: skip
    return point.model_copy(update=changes)


def make_validations() -> Validations:
    """Two compilers; an exact point that is off, one that is right, a bound that holds and a row that cannot be run."""
    right = make_point(
        simulated_ms=99.0, error=-0.01, holds=True, interval_ms=(95.0, 104.0), model="mlperf-tiny/ic", published_uj=4100.0,
        energy_uj=4000.0, energy_error=-0.024, energy_interval_uj=(3600.0, 4400.0), energy_holds=True,
        energy_at_published_uj=4040.0, energy_at_published_error=-0.015, energy_at_published_interval_uj=(3700.0, 4300.0),
        energy_rests_on=PowerKind.SAME_FIRMWARE, energy_note="a test",
    )  # fmt: skip
    bound = make_point(
        simulated_ms=40.0, error=-0.6, interval_ms=(38.0, 44.0), use=Use.BOUND,
        bound_side=BoundSide.SIMULATED_AT_MOST, holds=True, notes=("kernels of 2020",), framework="TensorFlow Lite", published_uj=5000.0,
    )  # fmt: skip
    absent = make_point(
        board="no-board", kernels_version=None, simulated_ms=None, error=None, interval_ms=None, holds=None,
        run_id=None, notes=("not run: unknown board",),
    )  # fmt: skip
    validation = Validation(points=(right, make_point(), bound, absent), mape=0.055, worst=0.1)
    return Validations(
        results=tuple(
            KeptValidation(compiler=c, compiler_versions=("gcc 1",), engine_version="0", validation=validation)
            for c in (None, "clang")
        )
    )


def make_other_kernels() -> OtherKernels:
    """One of the exact points of ``make_validations`` with other kernels: 20 % high."""
    point = KernelsPoint(
        board="nucleo-l4r5zi",
        model="mlperf-tiny/ic",
        framework="microTVM",
        published_ms=100,
        simulated_ms=120,
        interval_ms=(110, 130),
    )
    result = KernelsResult(
        name="older",
        kernels_version="3.0.0",
        compiler="gcc",
        compiler_version="1",
        opt="O2",
        engine_version="0",
        points=(point,),
    )
    return OtherKernels(results=(result,))
