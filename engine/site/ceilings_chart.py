"""Measured ceilings: the table of one board, and boards side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import altair as alt

from engine.catalog.board import Board
from engine.explain.measured_roofs import measured_roofs
from engine.explain.roofline import OPS_PER_MAC, Ceilings
from engine.records.ceilings import MeasuredCeilings
from engine.records.run import PlacementUsed
from engine.site import palette
from engine.site.chart import Chart, Table, categories, category_legend, finish, inline
from engine.site.text import significant

MACS, RAM, FLASH, STREAM = "int8 MACs", "bytes of RAM", "bytes of flash", "bytes of flash, beyond the cache"
_KINDS = (MACS, RAM, FLASH, STREAM)


@dataclass(frozen=True)
class _Rate:
    board: str
    kind: str
    rate: float
    per_cycle: float


def roofs_of_board(board: Board, found: MeasuredCeilings) -> Ceilings | None:
    """The roofs of a board as it is placed by default; None where its benchmarks do not give them."""
    roofs = measured_roofs(found, board, PlacementUsed(**board.placement.model_dump()))
    return roofs if isinstance(roofs, Ceilings) else None


def boards_chart(boards: Mapping[str, Board], ceilings: Mapping[str, MeasuredCeilings], here: str = "") -> Chart | None:
    """What each board multiplies and moves at most, per second at its default clock; ``here`` is marked. None without any."""
    rows: list[_Rate] = []
    table: list[tuple[str, ...]] = []
    for name, found in ceilings.items():
        board = boards[name]
        roofs = roofs_of_board(board, found)
        if roofs is None:
            continue
        shown = f"{name} \u25c0" if name == here else name
        beyond = [c.value for c in roofs.below if c.unit == roofs.flash.unit and "cache" in c.name]
        per_cycle = (roofs.compute.value / OPS_PER_MAC, roofs.ram.value, roofs.flash.value, *beyond[:1])
        for kind, value in zip(_KINDS, per_cycle, strict=False):
            rows.append(_Rate(shown, kind, value * found.clock_mhz, value))
        cells = [f"{significant(v * found.clock_mhz)} ({significant(v)})" for v in per_cycle]
        table.append((shown, f"{found.clock_mhz:g}", *cells, *["\u2013"] * (len(_KINDS) - len(cells))))
    if not rows:
        return None
    order = [r.board for r in sorted(rows, key=lambda r: -r.rate) if r.kind == MACS]
    dots = (
        alt.Chart(inline([asdict(r) for r in rows]))
        .mark_point(filled=True, size=80, stroke=palette.SURFACE, strokeWidth=1)
        .encode(
            y=alt.Y("board:N", sort=order, axis=alt.Axis(title=None, labelLimit=190, ticks=False, grid=True)),
            x=alt.X(
                "rate:Q",
                scale=alt.Scale(type="log", nice=False, padding=10),
                axis=alt.Axis(title="millions per second", format="~s", tickCount=6),
            ),
            color=alt.Color(
                "kind:N", scale=categories(list(_KINDS)), legend=alt.Legend(title=None, symbolType="circle")
            ),
            tooltip=[
                alt.Tooltip("board:N"),
                alt.Tooltip("kind:N", title="of"),
                alt.Tooltip("rate:Q", title="millions per second", format=".4~g"),
                alt.Tooltip("per_cycle:Q", title="per cycle", format=".3~g"),
            ],
        )
    )
    return Chart(
        "ceilings",
        finish(dots.properties(height=24 * len(order))),
        "What boards multiply and move at most, by micro-benchmarks at their default clocks: integer MACs, bytes of the RAM that holds "
        "activations, bytes of constants in flash, from a cache where there is one, and from more flash than that cache holds.",
        "Dot plot: peak MACs and bandwidths of all boards",
        Table(
            ("board", "clock (MHz)", *(f"{k}, millions per second (per cycle)" for k in _KINDS)),
            tuple(table),
        ),
        legend=category_legend(list(_KINDS)),
    )  # fmt: skip
