"""Numbers and names as text: units, thousands, slugs, relative links."""

from __future__ import annotations

import hashlib
import posixpath
import re

from engine.words import change_text


def whole(value: float) -> str:
    """An exact count with its thousands apart: 1,234,567."""
    return f"{round(value):,}"


def signed(value: float) -> str:
    """A whole number with the sign of a difference where it is negative: 1,234 or −1,234."""
    return whole(value).replace("-", "\u2212")


def significant(value: float, digits: int = 3) -> str:
    """A figure with so many significant digits, never in exponent notation."""
    if value == 0:
        return "0"
    exponent = len(str(int(abs(value)))) if abs(value) >= 1 else -_leading_zeros(abs(value))
    decimals = max(0, digits - exponent)
    return f"{value:,.{decimals}f}".replace("-", "\u2212")


def _leading_zeros(value: float) -> int:
    zeros = 0
    while value < 0.1 and zeros < 12:
        value *= 10
        zeros += 1
    return zeros


def milliseconds(value: float) -> str:
    """Latency with its unit."""
    return f"{significant(value)}\u00a0ms"


def millijoules(nanojoules: float) -> str:
    """Energy with its unit, in mJ."""
    return f"{significant(nanojoules / 1e6)}\u00a0mJ"


def kilobytes(value: int) -> str:
    """Bytes as KB of 1024 bytes (one decimal below 100 KB); plain bytes below 1 KB."""
    if value < 1024:
        return f"{value}\u00a0B"
    kb = value / 1024
    return f"{kb:.1f}\u00a0KB" if kb < 100 else f"{whole(kb)}\u00a0KB"


def percent(part: float, total: float) -> str:
    """Share in percent; a dash when there is no total."""
    return f"{100 * part / total:.1f}\u00a0%" if total else "\u2013"


def signed_percent(share: float, digits: int = 1) -> str:
    """A relative change with its sign (0.05 is "+5.0 %"); what rounds to nothing has none."""
    return hold_together(change_text(share, digits))


def hold_together(text: str) -> str:
    """Text in which no line breaks between a number and its unit."""
    return _BEFORE_UNIT.sub("\u00a0", text)


_BEFORE_UNIT = re.compile(r"(?<=\d) (?=%|(?:ms|µs|mJ|µJ|MHz|KB|mW)\b)")


def ratio(part: float, total: float, digits: int = 3) -> str:
    """Quotient with significant digits; a dash when the divisor is 0."""
    return significant(part / total, digits) if total else "\u2013"


def slug(name: str) -> str:
    """A folder name for a page: the name itself where it is safe, else a readable form with a hash, so that no two collide."""
    if re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name) and len(name) <= 120:
        return name
    readable = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:60]
    return f"{readable or 'x'}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def link(here: str, there: str) -> str:
    """Relative URL between two places of the site, given as paths from its root.

    ``here`` is a page's folder ("" for home, "runs/x"); ``there`` a page's folder or a file ("boards/y/", "downloads/a.csv").
    A page ends in a slash.
    """
    path = posixpath.relpath("/" + there, "/" + here)
    return path + "/" if there.endswith("/") or there == "" else path


def plain(name: str) -> str:
    """A foreign name inside Markdown text or headings: everything that Markdown or HTML could act on is escaped."""
    text = re.sub(r"\s+", " ", name).strip()
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]#|!~^])", r"\\\1", text)
