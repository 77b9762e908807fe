"""Templates to Markdown pages: one Jinja environment, everything escaped unless a template says otherwise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from engine.records.cause import Cause, Evidence
from engine.site import palette, text
from engine.site.chart import Draughtsman, html_table, key_style
from engine.site.staging import Staging
from engine.words import layer_title, op_title

TEMPLATES = Path(__file__).parent / "templates"


def badge(kind: str | Evidence) -> Markup:
    """Where a number comes from, as a small label."""
    word = str(kind.value if isinstance(kind, Evidence) else kind)
    title = _MEANING.get(word, "")
    return Markup('<span class="wc-badge {0}" title="{1}">{0}</span>').format(word, title)


def breakable(name: str) -> Markup:
    """An identifier that a narrow column may break, but only behind its dots and underscores."""
    return Markup(re.sub(r"([._])(?=\w)", r"\1<wbr>", str(escape(name))))


_MEANING = {
    "measured": "measured on silicon",
    "simulated": "our timing model on exact counts",
    "predicted": "statistical model or vendor estimate",
    "published": "somebody else's result, with citation",
    "inferred": "no document states it: reasoned, with an interval",
}


def environment() -> Environment:
    """The Jinja environment of all pages."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters.update(
        whole=text.whole,
        sig=text.significant,
        ms=text.milliseconds,
        mj=text.millijoules,
        kb=text.kilobytes,
        plain=lambda s: Markup(text.plain(str(s))),
        slug=text.slug,
        badge=badge,
        breakable=breakable,
        op=op_title,
    )
    env.globals.update(
        layer_title=layer_title,
        percent=text.percent,
        signed_percent=text.signed_percent,
        ratio=text.ratio,
        causes=tuple(Cause),
        key=lambda c: key_style(palette.CAUSE_COLOURS[c]),
        table=html_table,
        anchor=lambda name: Markup("{{#{0}}}").format(name),
    )
    return env


class Renderer:
    """Writes pages and their files into the staging folder."""

    def __init__(self, staging: Staging, draughtsman: Draughtsman, *, notebooks: bool = True) -> None:
        self.staging = staging
        self._draughtsman = draughtsman
        self._env = environment()
        self._env.globals["notebooks"] = notebooks

    def page(self, folder: str, template: str, charts: dict[str, Any] | None = None, **values: Any) -> None:
        """Render ``template`` to ``folder``/index.md ("" is home); ``charts`` become figures in the page's folder."""
        figures = {name: self._draughtsman.figure(c, folder) for name, c in (charts or {}).items()}
        markdown = self._env.get_template(template).render(
            figures=figures, url=lambda there: text.link(folder, there), here=folder, **values
        )
        self.staging.write(f"{folder}/index.md" if folder else "index.md", text.hold_together(markdown))

    def text(self, source: str, **values: Any) -> str:
        """Render a hand-written page that has generated tables in it."""
        return self._env.from_string(source).render(**values)
