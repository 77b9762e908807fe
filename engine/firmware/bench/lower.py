"""A plan of benchmarks becomes C: a lowered model whose layers are the benchmarks, its input a seed, its output their checksums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.catalog.board import Board
from engine.firmware.bench.types import WORD_BYTES, Benchmark, Buffer, Plan, Work
from engine.firmware.lowering.types import LoweredModel
from engine.firmware.templates import template
from engine.firmware.types import ArenaPlan, ArenaTensor, KernelLibrary, LoweredLayer
from engine.paths import FIRMWARE_DIR

MODEL = "ceilings"
"""Name of the benchmark firmware where a model's would stand."""

SEED_BYTES = WORD_BYTES
_RESULTS_OFFSET = 16


@dataclass(frozen=True)
class _Buffer:
    memory: str
    symbol: str
    words: int
    constant: bool


@dataclass(frozen=True)
class _Step:
    name: str
    comment: str
    fills: tuple[str, ...]
    function: str
    arguments: str
    passes: int
    check: str


def lower_benchmarks(plan: Plan, board: Board) -> LoweredModel:
    """The C of a plan, in the form of a lowered model: it is built, linked and executed like one."""
    buffers = {b.memory: _buffer(b) for b in plan.buffers}
    count = len(plan.benchmarks)
    seed = ArenaTensor(None, "seed", 0, SEED_BYTES, 0, count - 1)
    results = ArenaTensor(None, "checksums", _RESULTS_OFFSET, WORD_BYTES * count, 0, count - 1)
    size = _RESULTS_OFFSET + results.bytes
    source = template("templates/bench.c.j2", trim=True).render(
        board=board.name,
        model_name=MODEL,
        arena_bytes=size,
        seed_offset=seed.offset,
        results_offset=results.offset,
        steps=[_step(b, buffers) for b in plan.benchmarks],
        buffers=list(buffers.values()),
        functions=sorted({_definition(b) for b in plan.benchmarks if b.pattern is not None}),
    )
    return LoweredModel(
        library=KernelLibrary.REFERENCE,
        source=source,
        layers=tuple(_layer(n, b) for n, b in enumerate(plan.benchmarks)),
        arena=ArenaPlan(size, size, (seed, results)),
        inputs=(seed,),
        outputs=(results,),
        kernel_sources=(FIRMWARE_DIR / "bench" / "wc_bench_mac.c",),
        cmsis_nn_sources=(),
    )


def _buffer(buffer: Buffer) -> _Buffer:
    return _Buffer(buffer.memory, f"wc_bench_{buffer.memory}", buffer.bytes // WORD_BYTES, buffer.constant)


def _layer(index: int, b: Benchmark) -> LoweredLayer:
    return LoweredLayer(
        index=index,
        name=b.name,
        op=b.work.value.upper(),
        kernel=b.function,
        library=KernelLibrary.REFERENCE,
        macs=b.macs,
        weight_bytes=0,
    )


def _definition(b: Benchmark) -> str:
    p = b.pattern
    assert p is not None
    if b.instructions in ("LDR", "VLDR"):
        return f"WC_BENCH_{b.instructions}({b.function}, {p.span_bytes})"
    macro = "WC_BENCH_COPY" if b.work is Work.COPY else "WC_BENCH_LDM"
    return f"{macro}({b.function}, {p.span_bytes}, {p.turns}, {p.loads})"


def _step(b: Benchmark, buffers: Mapping[str, _Buffer]) -> _Step:
    p = b.pattern
    comment = f"{b.name}: {b.macs} MACs" if p is None else f"{b.name}: {b.bytes} bytes"
    if p is None:
        return _Step(b.name, comment, (), b.function, "seed", b.passes, "")
    used = dict.fromkeys(buffers[m] for m in (b.memory, b.target) if m)
    fills = tuple(f"wc_bench_fill({x.symbol}, {x.words}u, seed)" for x in used if not x.constant)
    source = buffers[b.memory].symbol
    walk = f"wc_bench_hide({p.step_bytes}u), wc_bench_hide({p.blocks}u)"
    if b.work is Work.READ:
        return _Step(b.name, comment, fills, b.function, f"{source}, {walk}", b.passes, "")
    words = p.touched_bytes // WORD_BYTES
    target = buffers[b.target].symbol
    if b.target == b.memory:
        target = f"{target} + {words}"
    check = f" + wc_bench_sum({target}, {words}u)"
    return _Step(b.name, comment, fills, b.function, f"{source}, {target}, {walk}", b.passes, check)
