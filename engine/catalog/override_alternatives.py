"""What is overridden is no longer in doubt: its alternatives go, and with them those that no longer fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.catalog.flash import CACHE_KEYS
from engine.catalog.override_keys import WAIT_STATES
from engine.catalog.override_text import Override

SETTLED = "what its alternatives would change was set for this run, or they do not fit what was set"
"""Why a design without a source is not varied in a run whose alternatives are all gone."""


def drop_settled(board: dict[str, Any], overrides: Sequence[Override]) -> None:
    """Take the alternatives of overridden keys out of a board's plain data, into which the overrides are written already."""
    keys = {o.key.replace(WAIT_STATES, "flash.ladder") for o in overrides}
    flash = board["flash"]
    if "alternatives" in flash:
        settled = {key.split(".")[1] for key in keys if key.startswith("flash.")}
        gone = {_key(a, ("prefetch", "ladder")) for a in flash["alternatives"]} & settled
        flash["alternatives"] = [a for a in flash["alternatives"] if _key(a, ("prefetch", "ladder")) not in settled]
        flash |= {f"{key}_unvaried": SETTLED for key in gone}
    for name in ("icache", "dcache"):
        cache = flash.get(name)
        if cache and cache.get("alternatives"):
            settled = {key.removeprefix(f"flash.{name}.") for key in keys}
            cache["alternatives"] = [
                a
                for a in cache["alternatives"]
                if _key(a, CACHE_KEYS) not in settled and _fits(cache, a, flash["width_bytes"]["value"])
            ]
            if not cache["alternatives"]:
                cache["unvaried"] = SETTLED


def _key(alternative: dict[str, Any], keys: Sequence[str]) -> str:
    return next(key for key in keys if alternative.get(key) is not None)


def _fits(cache: dict[str, Any], alternative: dict[str, Any], width: Any) -> bool:
    """Whether a cache may have an alternative; one whose own figures make no sense is left to the check of the board."""
    changes = {key: alternative[key] for key in CACHE_KEYS if alternative.get(key) is not None}
    before, after = _geometry(cache, width), _geometry(cache | changes, width)
    return before is None or (after is not None and after != before)


def _geometry(cache: dict[str, Any], width: Any) -> tuple[Any, ...] | None:
    """Bytes, line, ways and replacement; None where lines and ways do not divide the cache."""
    size, line, ways = cache["bytes"], cache.get("line_bytes") or width, cache.get("ways")
    if not all(isinstance(x, int) and x > 0 for x in (size, line, ways or 1)) or size % (line * (ways or 1)):
        return None
    return size, line, ways or size // line, cache.get("replacement", "lru")
