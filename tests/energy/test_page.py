"""The figures that the page on energy repeats by hand are those of the committed results."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.energy.builds import build_band
from engine.energy.published import published_power
from engine.pipeline.local import validations_path
from engine.records.validation import EnergyErrors, read_validations

PAGE = (Path(__file__).parents[2] / "site_src" / "method" / "energy.md").read_text(encoding="utf-8")


def _kept() -> tuple[EnergyErrors, ...]:
    (own,) = [r for r in read_validations(validations_path()).results if r.compiler is None]
    return own.validation.energy


@pytest.mark.parametrize(("row", "at"), [("the two builds", 0), ("the four that", 1), ("all six", 2)])
def test_half_widths_are_those_of_the_last_validation(row: str, at: int) -> None:
    (line,) = [x for x in PAGE.splitlines() if x.startswith(f"| {row}")]
    errors = _kept()[at]
    inside = round(errors.inside_share * errors.points)
    assert f"| {inside} of {errors.points} | ±{100 * errors.median_half_width:.0f} %" in line


def test_how_far_builds_are_apart() -> None:
    rows = published_power()
    known = [r for r in PAGE.splitlines() if r.startswith("It comes to")]
    found = [float(x) for x in re.findall(r"\d\.\d+", known[0])]
    bounds = build_band(rows), build_band(rows, "v0.5 reference Nucleo-L4R5ZI")
    assert found == pytest.approx([x for b in bounds for x in (b.low, b.high)], rel=0.03)
