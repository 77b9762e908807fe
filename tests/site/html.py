"""What a test wants to know about a built page, read with the standard library's parser."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

_LOADING_RELATIONS = {"stylesheet", "preload", "modulepreload", "icon", "preconnect", "dns-prefetch"}
_VOID = {"img", "br", "hr", "input", "link", "meta", "source"}


@dataclass
class Figure:
    """A figure: its caption, whether it has a table or data link inside, its static pictures (an inline one counts for light and dark)."""

    caption: str = ""
    data: bool = False
    pictures: int = 0


@dataclass
class Page(HTMLParser):
    """One parsed page."""

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    rows: list[dict[str, str]] = field(default_factory=list)
    handlers: list[str] = field(default_factory=list)
    text: str = ""
    _open: list[str] = field(default_factory=list)
    _figure: Figure | None = None

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.path.read_text("utf-8"))

    __hash__ = object.__hash__

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {k: v or "" for k, v in attrs}
        if tag not in _VOID:
            self._open.append(tag)
        self.ids |= {a[k] for k in ("id", "name") if a.get(k)}
        self.handlers += [f"{tag} {k}" for k in a if k.startswith("on")]
        if tag == "a" and "href" in a:
            self.links.append(a["href"])
        if a.get("src"):
            self.loads.append(a["src"])
        if tag == "link" and set(a.get("rel", "").split()) & _LOADING_RELATIONS:
            self.loads.append(a["href"])
        if tag == "tr" and "data-row" in a:
            self.rows.append(a)
        if tag == "figure":
            self._figure = Figure()
            self.figures.append(self._figure)
        if self._figure is not None:
            self._figure.data |= tag == "table" or a.get("href", "").endswith((".csv", ".json"))
            self._figure.pictures += {"img": 1, "svg": 2}.get(tag, 0)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass
        if tag == "figure":
            self._figure = None

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("script", "style"):
            self.text += data
            if self._figure is not None and "figcaption" in self._open:
                self._figure.caption += data


def pages(root: Path) -> dict[Path, Page]:
    """All pages of a site."""
    return {p: Page(p) for p in sorted(root.rglob("*.html"))}


def broken_links(root: Path, found: dict[Path, Page]) -> list[str]:
    """Links and loaded files that lead nowhere inside the site (404.html is served at any depth, so it is left out)."""
    broken = []
    for path, page in found.items():
        if path.name == "404.html":
            continue
        for url in [*page.links, *page.loads]:
            if urlparse(url).scheme:
                continue
            bare, anchor = urldefrag(url)
            target = (path.parent / unquote(urlparse(bare).path)).resolve() if bare else path
            target = target / "index.html" if target.is_dir() else target
            missing_anchor = anchor and target in found and unquote(anchor) not in found[target].ids
            if not target.is_file() or (missing_anchor and not anchor.startswith("__")):
                broken.append(f"{path.relative_to(root)}: {url}")
    return broken


def foreign_loads(found: dict[Path, Page]) -> list[str]:
    """Files that a page loads from another server."""
    return [f"{p}: {u}" for p, page in found.items() for u in page.loads if urlparse(u).netloc]
