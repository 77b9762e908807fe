"""A flame graph as a small SVG without scripts: one row per frame of the stacks, the run on top, width is cycles.

Fills are pale with dark text on them and gaps between them, so that the picture reads on light and dark pages; text outside the
frames is ``currentColor``. Tooltips are ``<title>`` elements. The same stacks always give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from engine.explain.flame import Frame, FrameKind, Sample, clean

MAX_BYTES = 60_000
"""Upper bound of the picture's size: what is too narrow to see is left out until it fits."""

_WIDTH = 1200
_ROW = 20
_TOP = 24
_CHARACTER = 6.7  # advance of an 11 px monospace letter
_PADDING = 4
_INK = "#16202b"
_FILLS = {
    FrameKind.MODEL: ("#d5dbe3",),
    FrameKind.LAYER: ("#a9cdea", "#c3ddf2"),
    FrameKind.FUNCTION: ("#b5dfc6", "#cde9b9", "#a8dbd6", "#d9e3a6"),
    FrameKind.BLOCK: ("#f3e3ae", "#efd6a0"),
    FrameKind.STALL: ("#f4b48c",),
}


@dataclass
class _Node:
    """A frame below the same frames: cycles of all stacks through it."""

    frame: Frame
    cycles: int = 0
    children: dict[Frame, _Node] = field(default_factory=dict)


@dataclass(frozen=True)
class _Box:
    """A frame placed: left edge and width in pixels, row from the top."""

    frame: Frame
    cycles: int
    left: float
    width: float
    row: int
    shade: int


def flamegraph_svg(stacks: Sequence[Sample], title: str) -> str:
    """The flame graph of all stacks, at most ``MAX_BYTES`` long. Without stacks it says that there are no cycles."""
    title = clean(title)
    boxes = list(_place(stacks))
    total = sum(sample.cycles for sample in stacks)
    narrowest = 0.5
    while len((svg := _svg(boxes, total, title, narrowest)).encode()) > MAX_BYTES and narrowest < _WIDTH:
        narrowest *= 1.25
    return svg


def _place(stacks: Sequence[Sample]) -> Iterator[_Box]:
    total = sum(sample.cycles for sample in stacks)
    root = _Node(Frame(FrameKind.MODEL, ""))
    for sample in stacks:
        node = root
        for frame in sample.frames:
            node = node.children.setdefault(frame, _Node(frame))
            node.cycles += sample.cycles
    yield from _rows(root, 0, 0, total)


def _rows(node: _Node, before: int, row: int, total: int) -> Iterator[_Box]:
    """Layers in the order they run; below them the most expensive first, stalls last."""
    children = list(node.children.values())
    if row > 1:
        children.sort(key=lambda c: (c.frame.kind is FrameKind.STALL, -c.cycles, c.frame.name))
    for n, child in enumerate(children):
        left, width = before * _WIDTH / total, child.cycles * _WIDTH / total
        shade = sum(child.frame.name.encode()) if child.frame.kind is FrameKind.FUNCTION else n
        yield _Box(child.frame, child.cycles, left, width, row, shade)
        yield from _rows(child, before, row + 1, total)
        before += child.cycles


def _svg(boxes: Sequence[_Box], total: int, title: str, narrowest: float) -> str:
    drawn = [box for box in boxes if box.width >= narrowest]
    height = _TOP + _ROW * max((box.row + 1 for box in boxes), default=1)
    hidden = len(boxes) - len(drawn)
    label = f"Flame graph of {title}: {_summary(boxes, total)}"
    note = f"; {hidden} frames too narrow to draw" if hidden else ""
    caption = f"{title}: {total:,} cycles{note}" if total else f"{title}: no cycles"
    caption = _fit(caption, _WIDTH) or ""
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="100%" role="img" ',
            f'aria-label="{escape(label)}" font-family="ui-monospace,monospace" font-size="11">\n',
            f'<text x="1" y="15" fill="currentColor">{escape(caption)}</text>\n<g fill="{_INK}">\n',
            *(_draw(box, total) for box in drawn),
            "</g>\n</svg>\n",
        ]
    )


def _draw(box: _Box, total: int) -> str:
    shades = _FILLS[box.frame.kind]
    y = _TOP + _ROW * box.row
    name = clean(box.frame.name)
    tip = f"{_shorten(name, 160)}: {box.cycles:,} cycles, {100 * box.cycles / total:.1f} %"
    gap = 1 if box.width > 3 else 0
    rect = f'<rect x="{box.left:.1f}" y="{y}" width="{box.width - gap:.1f}" height="{_ROW - 1}" fill="{shades[box.shade % len(shades)]}"/>'
    text = _fit(name, box.width - gap)
    inside = f'<text x="{box.left + _PADDING:.1f}" y="{y + 14}">{escape(text)}</text>' if text else ""
    return f"<g><title>{escape(tip)}</title>{rect}{inside}</g>\n"


def _summary(boxes: Sequence[_Box], total: int) -> str:
    """One sentence for who cannot see the picture: the three most expensive layers."""
    layers = sorted((b for b in boxes if b.frame.kind is FrameKind.LAYER), key=lambda b: -b.cycles)[:3]
    if not layers:
        return "no cycles."
    parts = ", ".join(f"{_shorten(clean(b.frame.name), 60)} {100 * b.cycles / total:.0f} %" for b in layers)
    return f"{total:,} cycles; most in {parts}."


def _fit(name: str, width: float) -> str | None:
    """As much of a name as fits a width in pixels, None if that is next to nothing."""
    room = int((width - 2 * _PADDING) / _CHARACTER)
    return _shorten(name, room) if room >= 3 else None


def _shorten(name: str, characters: int) -> str:
    return name if len(name) <= characters else name[: characters - 1] + "…"
