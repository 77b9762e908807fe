"""An analysis in the words and pieces that a run's page shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.explain.analysis import Analysis, Gains
from engine.explain.hotspots import CauseCycles, HotBlock, HotInstruction, LayerHotspots
from engine.explain.sentences import capital, join
from engine.site.text import milliseconds, percent, significant, whole
from engine.timing.mechanism import Mechanism
from engine.timing.sweep import Step

_WORTH_NAMING = 0.005
"""Gains below this share of the run are not named in a sentence."""

_NAMED = 3


@dataclass(frozen=True)
class HotBlockView:
    """A hot block in a layer. ``listing`` is empty where another layer shows it; ``anchor`` leads to it."""

    block: HotBlock
    anchor: str
    listing: str


@dataclass(frozen=True)
class HotLayer:
    """The hot blocks of a region: ``number`` for anchors, ``label`` as the charts name it."""

    number: int
    label: str
    spots: LayerHotspots
    blocks: tuple[HotBlockView, ...]


@dataclass(frozen=True)
class AnalysisView:
    """What the page says about an analysis. ``best`` and ``gains`` have one text per region, layers in order, the glue last."""

    most: str
    ideal: str
    clock: str
    best: tuple[str, ...]
    gains: tuple[str, ...]
    hot: tuple[HotLayer, ...]
    stalls_note: str


def view_of(analysis: Analysis, labels: Sequence[str]) -> AnalysisView:
    """``labels`` name the regions as the charts do, the glue last."""
    return AnalysisView(
        most=_most(analysis),
        ideal=_ideal(analysis),
        clock=_clock(analysis),
        best=tuple(_best(r) for r in analysis.regions),
        gains=tuple(_gains(r) for r in analysis.regions),
        hot=_hot(analysis, labels),
        stalls_note=analysis.hot[0].stalls_note if analysis.hot else "",
    )


def _most(analysis: Analysis) -> str:
    """The mechanisms worth naming, with their gains in time and their intervals."""
    run = analysis.run
    real_ms = run.cycles / analysis.clock_mhz / 1000
    named = [
        g
        for g in sorted(run.gains, key=lambda g: -g.gain_ms)
        if g.mechanism is not Mechanism.DOUBLE_CLOCK and g.gain_ms >= _WORTH_NAMING * real_ms and g.gain_cycles
    ][:_NAMED]
    if not named:
        return "No single mechanism, made ideal, would save half a percent of this run: what it takes is issuing its instructions."
    items = [
        f"{g.mechanism.label} {milliseconds(g.gain_ms)} ({percent(g.gain_ms, real_ms)}; "
        f"{significant(g.gain_ms_interval[0])} to {milliseconds(g.gain_ms_interval[1])})"
        for g in named
    ]
    double = next(g for g in run.gains if g.mechanism is Mechanism.DOUBLE_CLOCK)
    twice = (
        f" Twice the clock would save {percent(double.gain_ms, real_ms)}, not 50\u00a0%."
        if _not_half(double.gain_ms, real_ms)
        else ""
    )
    return f"What would save most, each made ideal alone: {join(items)}.{twice}"


def _not_half(gain_ms: float, real_ms: float) -> bool:
    return bool(real_ms) and gain_ms / real_ms < 0.495


def _ideal(analysis: Analysis) -> str:
    run = analysis.run
    ideal_ms = run.ideal_cycles / analysis.clock_mhz / 1000
    return (
        f"With all of them ideal at once (twice the clock left out) the run would take {whole(run.ideal_cycles)} cycles, "
        f"{milliseconds(ideal_ms)}: {percent(run.ideal_cycles, run.cycles)} of what it takes. The rest, {whole(run.gap_cycles)} cycles, is the gap."
    )


def _clock(analysis: Analysis) -> str:
    """How much of the clock the wait states eat, and which steps buy nothing."""
    points = analysis.clocks
    if len(points) < 2:
        return ""
    first, last = points[0], points[-1]
    times = last.clock_mhz / first.clock_mhz
    faster = first.latency_ms / last.latency_ms if last.latency_ms else 1.0
    longer = last.cycles / first.cycles - 1 if first.cycles else 0.0
    text = f"From {first.clock_mhz:g} to {last.clock_mhz:g} MHz the clock rises {significant(times)} times and the latency falls {significant(faster)} times"
    text += f": wait states make the run {percent(longer, 1)} longer there." if longer > 0 else "."
    for step, words in (
        (Step.NOTHING, "saves less than 1 % against the fastest lower clock"),
        (Step.UNCERTAIN, "may save nothing, within the interval"),
    ):
        clocks = [f"{p.clock_mhz:g}" for p in points if p.step is step]
        if clocks:
            text += f" Going up to {join(clocks)} MHz {words}."
    if not any(p.step in (Step.NOTHING, Step.UNCERTAIN) for p in points):
        text += " Every step buys time."
    return text


def _best(region: Gains) -> str:
    best = region.best
    return f"{best.mechanism.label}: \u2212{percent(best.gain_cycles or 0, region.cycles)}" if best else ""


def _gains(region: Gains) -> str:
    """A region's gains in one sentence."""
    found = [
        (g.gain_cycles, g.gain_cycles_interval, g.mechanism)
        for g in sorted(region.gains, key=lambda g: -(g.gain_cycles or 0))
        if g.gain_cycles and g.gain_cycles_interval
    ][:_NAMED]
    if not found:
        return ""
    items = [
        f"{mechanism.label} would save {whole(cycles)} cycles ({percent(cycles, region.cycles)}; "
        f"{whole(interval[0])} to {whole(interval[1])})"
        for cycles, interval, mechanism in found
    ]
    return f"{capital(join(items))}; all ideal at once, {whole(region.gap_cycles)} ({percent(region.gap_cycles, region.cycles)})."


def _hot(analysis: Analysis, labels: Sequence[str]) -> tuple[HotLayer, ...]:
    """Layers share kernels: a block is listed where it takes the most cycles, elsewhere linked."""
    home: dict[int, int] = {}
    most: dict[int, float] = {}
    for number, layer in enumerate(analysis.hot):
        for block in layer.blocks:
            if block.cycles > most.get(block.address, -1.0):
                home[block.address], most[block.address] = number, block.cycles
    return tuple(
        HotLayer(
            number,
            label,
            layer,
            tuple(
                HotBlockView(
                    block,
                    f"block-{block.address:08x}",
                    listing(analysis.code_of(block.address)) if home[block.address] == number else "",
                )
                for block in layer.blocks
            ),
        )
        for number, (label, layer) in enumerate(zip(labels, analysis.hot, strict=True))
        if layer.blocks
    )


def listing(code: Sequence[HotInstruction]) -> str:
    """Disassembly as text, one instruction a line: cycles, address, assembler, causes; the source line where it changes."""
    texts = [causes(i.causes) for i in code]
    width = min(max((len(i.text) for i in code), default=0), 40)
    wide = min(max((len(t) for t in texts), default=0), 48)
    lines, source = [], ""
    for i, text in zip(code, texts, strict=True):
        new = i.source and i.source != source
        source = i.source or source
        line = f"{i.cycles:5.4g}  {i.address:08x}  {i.text:<{width}}  {text:<{wide}}"
        lines.append(f"{line}  {file_name(i.source) if new else ''}".rstrip())
    return "\n".join(lines)


def file_name(source: str) -> str:
    """A source line without its folders."""
    return source.rsplit("/", 1)[-1]


def causes(parts: Sequence[CauseCycles]) -> str:
    """Cycles by cause in few words; one cause alone needs no number."""
    if len(parts) == 1:
        return parts[0].label
    return " + ".join(f"{p.label} {p.cycles:.4g}" for p in parts)
