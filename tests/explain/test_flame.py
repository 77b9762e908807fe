"""Stacks of a run: whole cycles that add up, and the three forms they are written in."""

from __future__ import annotations

import json
from itertools import pairwise
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.explain.flame import (
    SPEEDSCOPE_SCHEMA,
    Frame,
    FrameKind,
    Sample,
    apportion,
    folded_stacks,
    samples,
    speedscope,
)
from engine.explain.flame_svg import MAX_BYTES, flamegraph_svg
from engine.records.cause import Cause
from tests.explain.run_profiles import run
from tests.targets import kit
from tests.targets.conftest import Builder

SVG = "{http://www.w3.org/2000/svg}"

# what src/lib/file-format-spec.ts of github.com/jlfwong/speedscope asks of a file with sampled profiles
SPEEDSCOPE = {
    "type": "object",
    "required": ["$schema", "shared", "profiles"],
    "properties": {
        "$schema": {"const": SPEEDSCOPE_SCHEMA},
        "name": {"type": "string"},
        "exporter": {"type": "string"},
        "activeProfileIndex": {"type": "integer", "minimum": 0},
        "shared": {
            "type": "object",
            "required": ["frames"],
            "properties": {
                "frames": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "additionalProperties": False,
                        "properties": {
                            "name": {"type": "string"},
                            "file": {"type": "string"},
                            "line": {"type": "integer"},
                            "col": {"type": "integer"},
                        },
                    },
                }
            },
        },
        "profiles": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["type", "name", "unit", "startValue", "endValue", "samples", "weights"],
                "additionalProperties": False,
                "properties": {
                    "type": {"const": "sampled"},
                    "name": {"type": "string"},
                    "unit": {"enum": ["none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes"]},
                    "startValue": {"type": "number"},
                    "endValue": {"type": "number"},
                    "samples": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
                    "weights": {"type": "array", "items": {"type": "number"}},
                },
            },
        },
    },
}


@pytest.mark.parametrize("core", kit.CORES)
def test_stacks_add_up_to_the_run(make: Builder, core: str) -> None:
    ran = run(make(core, kit.SMALL_NET, 3))
    timed, stacks = ran.timed(), samples(ran.profile())
    assert sum(s.cycles for s in stacks) == timed.warm_cycles
    assert min(s.cycles for s in stacks) > 0
    for name, region in zip(("layer0", "layer1", "layer2", "glue"), timed.regions, strict=True):
        own = [s for s in stacks if s.frames[1].name == name]
        assert sum(s.cycles for s in own) == region.stack.cycles
        fetch = [s.cycles for s in own if s.frames[-1] == Frame(FrameKind.STALL, "[instruction fetch]")]
        assert sum(fetch) == region.stack.of(Cause.INSTRUCTION_FETCH)
        assert all(s.frames[-1].kind in (FrameKind.BLOCK, FrameKind.STALL) for s in own)


def test_a_function_with_one_caller_stands_below_it(make: Builder) -> None:
    stacks = samples(run(make("cortex-m4", kit.SMALL_NET, 3)).profile())
    chains = {
        (s.frames[1].name, *(f.name for f in s.frames if f.kind is FrameKind.FUNCTION))
        for s in stacks
        if s.frames[1].name != "glue"
    }
    assert ("layer0", "wc_infer", "dense") in chains
    assert ("layer2", "wc_infer", "odd", "pick") in chains
    assert not [c for c in chains if c[0] == "layer0" and "odd" in c]
    # the recursion shows once, below the function it was first entered from
    assert {c for c in chains if "depth" in c} == {("layer2", "wc_infer", "odd", "pick", "depth")}


SHARED = """
void wc_layer_begin(void); void wc_layer_end(void);
extern volatile int wc_arena[];
__attribute__((noinline)) void leaf(void) { wc_arena[0]++; }
__attribute__((noinline)) void one(void) { leaf(); wc_arena[0]--; }
__attribute__((noinline)) void two(void) { leaf(); wc_arena[0] += 2; }
void wc_infer(void) {
  wc_layer_begin(); one(); two(); wc_layer_end();
  wc_layer_begin(); one(); wc_layer_end();
}
"""


def test_a_function_with_two_callers_starts_a_chain_of_its_own(make: Builder) -> None:
    stacks = samples(run(make("cortex-m4", SHARED, 2)).profile())
    chains = {
        tuple(f.name for f in s.frames[1:] if f.kind in (FrameKind.LAYER, FrameKind.FUNCTION))
        for s in stacks
        if "leaf" in {f.name for f in s.frames}
    }
    assert chains == {("layer0", "leaf"), ("layer1", "wc_infer", "one", "leaf")}


def test_folded_lines_and_speedscope_hold_the_same_cycles(make: Builder) -> None:
    ran = run(make("cortex-m7", kit.SMALL_NET, 3))
    stacks = samples(ran.profile())
    lines = folded_stacks(stacks).splitlines()
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == ran.timed().warm_cycles
    assert all(line.startswith("test;") and len(line.split(";")) >= 3 for line in lines)
    file = json.loads(speedscope(stacks, "a run").to_json())
    jsonschema.validate(file, SPEEDSCOPE)
    (profile,) = file["profiles"]
    assert len(profile["samples"]) == len(profile["weights"]) == len(lines)
    assert sum(profile["weights"]) == profile["endValue"] == ran.timed().warm_cycles
    frames = [f["name"] for f in file["shared"]["frames"]]
    for line, stack in zip(lines, profile["samples"], strict=True):
        assert line.rpartition(" ")[0] == ";".join(frames[i] for i in stack)


FRAMES = st.builds(Frame, st.sampled_from(FrameKind), st.text(max_size=40))
STACKS = st.lists(
    st.builds(Sample, st.lists(FRAMES, min_size=1, max_size=6).map(tuple), st.integers(1, 10**12)), max_size=12
)


@settings(deadline=None)
@given(STACKS, st.text(max_size=30))
def test_names_of_any_kind_stay_readable(stacks: list[Sample], title: str) -> None:
    total = sum(s.cycles for s in stacks)
    lines = folded_stacks(stacks).splitlines()
    assert len(lines) == len(stacks)
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == total
    for line, sample in zip(lines, stacks, strict=True):
        assert line.count(";") == len(sample.frames) - 1
    text = speedscope(stacks, title).to_json()
    jsonschema.validate(json.loads(text), SPEEDSCOPE)
    root = ElementTree.fromstring(flamegraph_svg(stacks, title))
    assert root.get("role") == "img"
    assert root.get("aria-label")


def test_the_picture_is_well_formed_small_and_says_what_it_shows(make: Builder) -> None:
    stacks = samples(run(make("cortex-m4", kit.SMALL_NET, 3)).profile())
    svg = flamegraph_svg(stacks, "a run")
    assert svg == flamegraph_svg(stacks, "a run")
    root = ElementTree.fromstring(svg)
    total = sum(s.cycles for s in stacks)
    label = root.get("aria-label") or ""
    assert label.startswith(f"Flame graph of a run: {total:,} cycles; most in layer0 ")
    tips = [t.text or "" for t in root.iter(f"{SVG}title")]
    assert f"test: {total:,} cycles, 100.0 %" in tips
    layer0 = sum(s.cycles for s in stacks if s.frames[1].name == "layer0")
    assert f"layer0: {layer0:,} cycles, {100 * layer0 / total:.1f} %" in tips
    assert not list(root.iter(f"{SVG}script"))
    assert "currentColor" in svg


def test_boxes_nest_and_text_stays_inside(make: Builder) -> None:
    root = ElementTree.fromstring(flamegraph_svg(samples(run(make("cortex-m4", kit.SMALL_NET, 3)).profile()), "x"))
    spans: dict[float, list[tuple[float, float]]] = {}
    texts = 0
    for group in root.iter(f"{SVG}g"):
        rect, text = group.find(f"{SVG}rect"), group.find(f"{SVG}text")
        if rect is None:
            continue
        left, width = float(rect.attrib["x"]), float(rect.attrib["width"])
        spans.setdefault(float(rect.attrib["y"]), []).append((left, left + width))
        if text is not None:
            texts += 1
            assert float(text.attrib["x"]) + 6.7 * len(text.text or "") <= left + width
    rows = [sorted(spans[y]) for y in sorted(spans)]
    assert texts > 4
    assert len(rows) >= 5
    for row in rows:
        assert all(a[1] <= b[0] + 0.11 for a, b in pairwise(row))
    for above, row in pairwise(rows):
        assert all(any(a <= left + 0.11 and right <= b + 1.2 for a, b in above) for left, right in row)


def test_a_huge_run_still_fits() -> None:
    model = Frame(FrameKind.MODEL, "m")
    stacks = [
        Sample(
            (model, Frame(FrameKind.LAYER, f"layer<{n % 40}>"), Frame(FrameKind.BLOCK, f"0x{n:08x} file.c:{n}")), 100
        )
        for n in range(5000)
    ]
    svg = flamegraph_svg(stacks, "huge")
    assert len(svg.encode()) <= MAX_BYTES
    assert "frames too narrow to draw" in svg
    assert sum(1 for _ in ElementTree.fromstring(svg).iter(f"{SVG}rect")) >= 41


def test_a_run_without_cycles_says_so() -> None:
    assert "no cycles" in flamegraph_svg([], "nothing")
    assert folded_stacks([]) == ""
    jsonschema.validate(json.loads(speedscope([], "nothing").to_json()), SPEEDSCOPE)


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30), st.integers(0, 10**9))
def test_apportioned_cycles_sum_and_stay_within_one(ticks: list[int], cycles: int) -> None:
    if sum(ticks) == 0:
        cycles = 0
    parts = apportion(cycles, ticks)
    assert sum(parts) == cycles
    for part, own in zip(parts, ticks, strict=True):
        assert abs(part * sum(ticks) - own * cycles) <= sum(ticks)


def test_cycles_without_ticks_cannot_be_apportioned() -> None:
    with pytest.raises(ValueError, match="without ticks"):
        apportion(3, [0, 0])
