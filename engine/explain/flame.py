"""Where a run's cycles go as stacks of frames: folded text, a speedscope file, and a flame graph.

Frames are model, layer, functions, block. Cycles are whole and add up to the run's warm cycles exactly: a layer's stalls are the
whole cycles of its stack, the rest is apportioned over its blocks by their ticks (largest remainder, so a block is off by less
than a cycle). What no block of the layer causes is a frame of its own, in square brackets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import Field

from engine.explain.block_costs import STALLS, BlockCost, RegionCost, RunProfile
from engine.explain.types import Part
from engine.records.cause import Cause
from engine.words import name_title

SPEEDSCOPE_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")


class FrameKind(StrEnum):
    """What a frame of a stack stands for."""

    MODEL = "model"
    LAYER = "layer"
    FUNCTION = "function"
    BLOCK = "block"
    STALL = "stall"


@dataclass(frozen=True)
class Frame:
    """One frame; ``file`` and ``line`` of a block where the ELF gives them ("" and None otherwise)."""

    kind: FrameKind
    name: str
    file: str = ""
    line: int | None = None


@dataclass(frozen=True)
class Sample:
    """A stack, outermost frame first, and the whole cycles spent in its innermost frame."""

    frames: tuple[Frame, ...]
    cycles: int


class SpeedscopeFrame(Part):
    """A frame of a speedscope file."""

    name: str
    file: str | None = None
    line: int | None = None


class SpeedscopeShared(Part):
    """What the profiles of a speedscope file share."""

    frames: tuple[SpeedscopeFrame, ...]


class SpeedscopeProfile(Part):
    """A sampled profile: ``samples`` are indices of frames, outermost first; ``weights`` are cycles."""

    type: str = "sampled"
    name: str
    unit: str = "none"
    startValue: int = 0  # noqa: N815 - the format's own spelling
    endValue: int  # noqa: N815
    samples: tuple[tuple[int, ...], ...]
    weights: tuple[int, ...]


class Speedscope(Part):
    """A file for speedscope.app (format: src/lib/file-format-spec.ts of github.com/jlfwong/speedscope)."""

    schema_url: str = Field(default=SPEEDSCOPE_SCHEMA, alias="$schema")
    name: str
    exporter: str = "whycycles"
    activeProfileIndex: int = 0  # noqa: N815
    shared: SpeedscopeShared
    profiles: tuple[SpeedscopeProfile, ...]

    def to_json(self) -> str:
        """The file's text."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


def samples(profile: RunProfile) -> tuple[Sample, ...]:
    """All stacks of a run in the order of layers, then of addresses, a layer's stalls last; none is without cycles.

    What is exact: the cycles of every layer, of its stalls, and (but for the rounding above) of every block and function. Which
    functions stand above a block is exact where ``RunProfile.call_chain`` is certain, else only the block's own function is shown.
    """
    root = Frame(FrameKind.MODEL, profile.model)
    return tuple(sample for region in profile.regions for sample in _region(profile, region, root))


def _region(profile: RunProfile, region: RegionCost, root: Frame) -> list[Sample]:
    layer = (root, Frame(FrameKind.LAYER, name_title(region.name)))
    stacks = [layer + _block_frames(profile, region, cost) for cost in region.blocks]
    stacks.append((*layer, _stall("branch refill on entry")))
    ticks = [cost.total_ticks for cost in region.blocks] + [region.entry_refill_ticks]
    pipeline = sum(region.stack.of(cause) for cause in Cause if cause not in STALLS)
    found = [Sample(stack, cycles) for stack, cycles in zip(stacks, apportion(pipeline, ticks), strict=True)]
    found += [Sample((*layer, _stall(cause.label)), region.stack.of(cause)) for cause in STALLS]
    return [sample for sample in found if sample.cycles]


def _stall(what: str) -> Frame:
    return Frame(FrameKind.STALL, f"[{what}]")


def _block_frames(profile: RunProfile, region: RegionCost, cost: BlockCost) -> tuple[Frame, ...]:
    functions = tuple(Frame(FrameKind.FUNCTION, name) for name in profile.call_chain(region, cost.start))
    line = profile.code.line_of(cost.block)
    name = f"0x{cost.start:08x}"
    if line is None:
        return (*functions, Frame(FrameKind.BLOCK, name))
    return (
        *functions,
        Frame(FrameKind.BLOCK, f"{name} {line.file.rsplit('/', 1)[-1]}:{line.line}", line.file, line.line),
    )


def apportion(cycles: int, ticks: Sequence[int]) -> list[int]:
    """Whole numbers in proportion to ``ticks`` that sum to ``cycles`` (largest remainder; the first wins a tie).

    Raises ValueError if there are cycles but no ticks.
    """
    whole = sum(ticks)
    if whole == 0:
        if cycles:
            raise ValueError(f"{cycles} cycles over {len(ticks)} blocks without ticks")
        return [0] * len(ticks)
    parts = [t * cycles // whole for t in ticks]
    order = sorted(range(len(ticks)), key=lambda i: (-(ticks[i] * cycles % whole), i))
    for i in order[: cycles - sum(parts)]:
        parts[i] += 1
    return parts


def clean(name: str) -> str:
    """A name without control characters, which neither XML nor a line of text can hold."""
    return _CONTROL.sub(" ", name)


def folded_stacks(stacks: Sequence[Sample]) -> str:
    """One line per stack, ``model;layer;function;block cycles``, as flamegraph.pl, inferno and speedscope read it.

    A semicolon in a name becomes a comma. Lines add up to the run's cycles.
    """
    lines = (
        ";".join(clean(frame.name).replace(";", ",") for frame in sample.frames) + f" {sample.cycles}"
        for sample in stacks
    )
    return "".join(line + "\n" for line in lines)


def speedscope(stacks: Sequence[Sample], name: str) -> Speedscope:
    """The same stacks as a speedscope file; ``name`` is shown as its title. Weights are cycles (unit "none")."""
    index: dict[Frame, int] = {}
    rows = tuple(tuple(index.setdefault(frame, len(index)) for frame in sample.frames) for sample in stacks)
    frames = tuple(SpeedscopeFrame(name=clean(f.name), file=f.file or None, line=f.line) for f in index)
    weights = tuple(sample.cycles for sample in stacks)
    profile = SpeedscopeProfile(name=name, endValue=sum(weights), samples=rows, weights=weights)
    return Speedscope(name=name, shared=SpeedscopeShared(frames=frames), profiles=(profile,))
