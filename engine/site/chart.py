"""One chart: a Vega-Lite spec, its caption and its data, drawn three ways (static light, static dark, live).

The static SVG is what a reader without JavaScript sees and what everybody sees first; ``assets/whycycles.js`` replaces it
with the live chart. SVGs are cached by the hash of their spec.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup, escape

from engine.records.store import write_atomically
from engine.site import palette
from engine.site.staging import Staging

STATIC_WIDTH = 760
"""Width in pixels of the static drawing; the live chart takes the width of the page."""

_ROOM = {"left": 28, "right": 14, "top": 6, "bottom": 6}
"""Empty margin of the static drawing in pixels."""

VL_CONVERT = metadata.version("vl-convert-python")
"""Version of what draws; part of every cache key."""

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"

_CONFIG: dict[str, Any] = {
    "background": None,
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": palette.INK, "titleColor": palette.MUTED, "gridColor": palette.GRID, "domainColor": palette.MUTED,
        "tickColor": palette.MUTED, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal",
        "labelOverlap": True,
    },
    # with the prefix of its neighbours zero would be "0M" or "+0%"
    "axisQuantitative": {"labelExpr": "datum.value === 0 ? '0' : datum.label"},
    "legend": {
        "labelColor": palette.INK, "titleColor": palette.MUTED, "labelFontSize": 12, "titleFontSize": 12,
        "titleFontWeight": "normal", "orient": "top", "columns": 4, "columnPadding": 24, "symbolType": "square", "labelLimit": 200,
    },
    "text": {"color": palette.INK, "fontSize": 12},
    "title": {"color": palette.INK, "fontSize": 13, "anchor": "start"},
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """The data of a chart as shown: column heads, rows of text; columns in ``left`` are words, the others numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: frozenset[int] = frozenset({0})


@dataclass(frozen=True)
class Chart:
    """A chart of one page. ``name`` is the file name beside the page; ``alt`` says in one sentence what it shows.

    ``legend`` holds (label, light colour): written as text for narrow screens, where the drawn legend has no room.
    """

    name: str
    spec: dict[str, Any]
    caption: str
    alt: str
    table: Table
    download: str | None = None
    legend: tuple[tuple[str, str], ...] = ()


def inline(rows: Sequence[Mapping[str, object]], name: str | None = None) -> alt.InlineData:
    """Rows as the data of a chart; only a named data set can be replaced in the browser."""
    values: list[Any] = [dict(r) for r in rows]
    return alt.InlineData(values=values, name=name) if name else alt.InlineData(values=values)


def finish(chart: alt.Chart | alt.LayerChart | alt.FacetChart) -> dict[str, Any]:
    """The spec of an Altair chart with the site's look and a width that follows the page."""
    spec: dict[str, Any] = chart.to_dict()
    spec["config"] = _CONFIG
    spec["width"] = "container"
    return spec


class Draughtsman:
    """Draws charts into the staging folder and hands back the ``<figure>``. Keeps rendered SVGs in ``cache``."""

    def __init__(self, staging: Staging, cache: Path) -> None:
        self._staging = staging
        self._cache = cache
        self.rendered = 0
        self.drawn = 0

    def figure(self, chart: Chart, folder: str) -> Markup:
        """Write the chart's files into ``folder`` (from the site's root, "" for home) and return its HTML."""
        text = json.dumps(chart.spec, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        svg = self._svg(chart.spec, text)
        base = f"{folder}/{chart.name}" if folder else chart.name
        self._staging.write(f"{base}.vl.json", text)
        self._staging.write(f"{base}.svg", svg)
        self._staging.write(f"{base}.dark.svg", palette.darkened(svg))
        self.drawn += 1
        width, height = _svg_size(svg)
        size = f'width="{width}" height="{height}" loading="lazy"'
        link = ""
        if chart.download:
            link = f'<a href="{escape(chart.download)}" download>CSV</a> · '
        return Markup(
            f'<figure class="wc-figure">\n'
            f'<div class="wc-chart" data-spec="{chart.name}.vl.json" role="img" aria-label="{escape(chart.alt)}">'
            f'<img class="wc-light" src="{chart.name}.svg" alt="{escape(chart.alt)}" {size}>'
            f'<img class="wc-dark" src="{chart.name}.dark.svg" alt="" {size}></div>\n'
            f"{_legend(chart)}<figcaption>{escape(chart.caption)}</figcaption>\n"
            f'<details class="wc-data" data-search-exclude><summary>Data of this chart</summary>\n'
            f"<p>{link}<a href=\"{chart.name}.vl.json\">Vega-Lite spec (JSON)</a></p>\n{html_table(chart.table)}</details>\n"
            f"</figure>"
        )  # fmt: skip

    def _svg(self, spec: dict[str, Any], text: str) -> str:
        key = hashlib.sha256(f"{VL_CONVERT}|{STATIC_WIDTH}|{_ROOM}|{text}".encode()).hexdigest()
        path = self._cache / f"{key}.svg"
        if path.is_file():
            return path.read_text("utf-8")
        # a reader's font may be wider than the one the labels were measured in: leave room on the left
        fixed = {**spec, "width": STATIC_WIDTH, "autosize": {"type": "fit-x", "contains": "padding"}, "padding": _ROOM}
        fixed["config"] = {**spec["config"], "background": "transparent"}
        svg: str = vl_convert.vegalite_to_svg(fixed)
        write_atomically(path, svg.encode())
        self.rendered += 1
        return svg


def key_style(colour: str) -> Markup:
    """Inline style of a colour key that follows the page's light or dark scheme (class ``wc-fill``)."""
    return Markup(f"--l:{colour};--d:{palette.darkened(colour)}")


def _legend(chart: Chart) -> str:
    keys = "".join(
        f'<span><i class="wc-key wc-fill" style="{key_style(colour)}"></i>{escape(label)}</span> '
        for label, colour in chart.legend
    )
    return f'<div class="wc-legend" aria-hidden="true">{keys}</div>\n' if keys else ""


def _svg_size(svg: str) -> tuple[int, int]:
    head = svg[: svg.index(">", svg.index("<svg"))]
    values = {k: v for k, _, v in (part.partition("=") for part in head.split())}
    return round(float(values["width"].strip('"'))), round(float(values["height"].strip('"')))


def html_table(table: Table, css: str = "") -> Markup:
    """A plain HTML table in a box that scrolls sideways; numbers are right-aligned."""

    def cell(tag: str, i: int, content: str) -> str:
        number = "" if i in table.left else ' class="num"'
        return f"<{tag}{number}>{escape(content)}</{tag}>"

    head = "".join(cell("th", i, c) for i, c in enumerate(table.columns))
    body = "\n".join("<tr>" + "".join(cell("td", i, c) for i, c in enumerate(row)) + "</tr>" for row in table.rows)
    return Markup(
        f'<div class="wc-scroll"><table class="wc-table {css}"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def cause_scale() -> alt.Scale:
    """The colour scale of causes, the same in every chart."""
    return alt.Scale(domain=[c.label for c in palette.CAUSE_COLOURS], range=list(palette.CAUSE_COLOURS.values()))


def cause_legend() -> tuple[tuple[str, str], ...]:
    """Legend of the causes."""
    return tuple((c.label, colour) for c, colour in palette.CAUSE_COLOURS.items())


def category_legend(values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Legend of other categories."""
    return tuple((v, palette.series_colour(i)) for i, v in enumerate(values))


def categories(values: Sequence[str]) -> alt.Scale:
    """A colour scale for other categories, in the order given."""
    return alt.Scale(domain=list(values), range=[palette.series_colour(i) for i in range(len(values))])
