"""What is overridden is no longer in doubt: its alternatives go, and with them those that no longer fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.catalog.flash import CACHE_KEYS
from engine.catalog.override_keys import WAIT_STATES
from engine.catalog.override_text import Override


def drop_settled(board: dict[str, Any], overrides: Sequence[Override]) -> None:
    """Take the alternatives of overridden keys out of a board's plain data, into which the overrides are written already."""
    keys = {o.key.replace(WAIT_STATES, "flash.ladder") for o in overrides}
    flash = board["flash"]
    if "alternatives" in flash:
        settled = {key.split(".")[1] for key in keys if key.startswith("flash.")}
        flash["alternatives"] = [a for a in flash["alternatives"] if _key(a, ("prefetch", "ladder")) not in settled]
    for name in ("icache", "dcache"):
        cache = flash.get(name)
        if cache and cache.get("alternatives"):
            settled = {key.removeprefix(f"flash.{name}.") for key in keys}
            cache["alternatives"] = [
                a
                for a in cache["alternatives"]
                if _key(a, CACHE_KEYS) not in settled and _fits(cache, a, flash["width_bytes"]["value"])
            ]


def _key(alternative: dict[str, Any], keys: Sequence[str]) -> str:
    return next(key for key in keys if alternative.get(key) is not None)


def _fits(cache: dict[str, Any], alternative: dict[str, Any], width: Any) -> bool:
    made = cache | {key: alternative[key] for key in CACHE_KEYS if alternative.get(key) is not None}
    way = (made.get("line_bytes") or width) * (made.get("ways") or 1)
    return not (isinstance(made["bytes"], int) and isinstance(way, int) and way) or made["bytes"] % way == 0
