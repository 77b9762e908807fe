"""The choices in which two runs differ, in words."""

from __future__ import annotations

from engine.records.comparable import Choice, choices_that_differ
from engine.records.run import RunRecord


def what_differs(a: RunRecord, b: RunRecord) -> tuple[str, ...]:
    """The choices that differ, in words: "clock (64 → 120 MHz)"."""
    found = choices_that_differ(a, b)
    said: list[str] = []
    if a.board != b.board:
        said.append(f"board ({a.board}, {a.core} → {b.board}, {b.core})")
    elif a.overrides != b.overrides:
        one, two = (", ".join(r.overrides) or "nothing" for r in (a, b))
        said.append(f"what was set of {a.board} for the run alone ({one} → {two})")
    elif Choice.BOARD in found or Choice.CORE in found:
        said.append(f"the description of {a.board} or its core")
    if Choice.CLOCK in found:
        said.append(f"clock ({a.clock_mhz:g} → {b.clock_mhz:g} MHz)")
    if Choice.PLACEMENT in found:
        said.append(f"placement ({_placement(a, b)})")
    libraries = [(r.kernels, r.provenance.kernels_version) for r in (a, b)]
    if Choice.KERNELS in found and (libraries[0] != libraries[1] or a.lowering == b.lowering):
        (one, version), (two, other_version) = libraries
        said.append(f"kernels ({_change(one, two, version, other_version)})")
    if a.lowering != b.lowering:
        said.append(f"lowering ({a.lowering} → {b.lowering})")
    if Choice.COMPILER in found:
        one, two = (f"{r.compiler} -{r.opt.lstrip('-')}" for r in (a, b))
        said.append(f"compiler ({_change(one, two, a.provenance.compiler_version, b.provenance.compiler_version)})")
    return tuple(said)


def _change(a: str, b: str, detail_a: str, detail_b: str) -> str:
    if a != b:
        return f"{a} → {b}"
    return f"{a} {detail_a} → {detail_b}" if detail_a != detail_b else f"{a}, other options"


def _placement(a: RunRecord, b: RunRecord) -> str:
    moved = [
        f"{part}: {one} → {two}"
        for part in type(a.placement).model_fields
        if (one := getattr(a.placement, part)) != (two := getattr(b.placement, part))
    ]
    return ", ".join(moved)
