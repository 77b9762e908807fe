"""One board for people: memories, what accesses wait for, flash over the clock, caches, and what is taken where nothing is given."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from engine.catalog.access_waits import front_of, used_figures
from engine.catalog.alternatives import alternatives
from engine.catalog.board import Board
from engine.catalog.flash import Cache
from engine.catalog.left_out import taken_for_granted
from engine.catalog.load import NO_PART_IN_RUN
from engine.catalog.walk import figures
from engine.firmware.ports import board_port
from engine.records.measured import silicon_status

_INFERRED = "inferred: "
_REPLACEMENT = {"lru": "least recently used", "round_robin": "round robin", "random": "random"}


def print_board(b: Board, out: Console) -> None:
    """Print all of a board's description that a run depends on, with the source of every figure."""
    out.print(
        f"{b.title} ({b.mcu}, {b.core}), {b.default_clock_mhz:g} MHz by default, at most {b.max_clock_mhz.value:g} MHz, "
        f"silicon {silicon_status(b.name)}"
    )
    if b.port is not None:
        port = board_port(b)
        out.print(f"port {port.name}: {port.uart}; cycles: {port.counter}; marker pin {port.marker}")
    for note in b.notes:
        out.print(f"- {note}")
    out.print()
    _print_memories(b, out)
    out.print()
    _print_flash(b, out)
    out.print()
    _print_caches(b, out)
    out.print()
    _print_figures(b, out)
    _print_alternatives(b, out)
    granted = list(taken_for_granted(b))
    if granted:
        out.print("\nleft out, and what is taken instead")
        for text in granted:
            out.print(f"- {text}")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold", justify="right" if name in ("KB", "value", "wait states") else "left")
    return table


def _print_origins(origins: Iterable[tuple[str, str]], out: Console) -> None:
    """Where the rows of a table come from, each origin once: a column for it would be a few letters wide."""
    names: dict[str, list[str]] = {}
    for name, origin in origins:
        names.setdefault(origin, []).append(name)
    for origin, those in names.items():
        # a path is longer than a line: the terminal breaks it where it must
        out.print(f"- {', '.join(those)}: {origin}", soft_wrap=True)


def _print_memories(b: Board, out: Console) -> None:
    table = _table("memory", "kind", "origin", "KB", "holds", "behind")
    for m in b.memories:
        holds = ", ".join(p for p in type(b.placement).model_fields if getattr(b.placement, p) == m.name)
        front = front_of(m, b.flash)
        caches = dict.fromkeys(_name(b, c) for c in (front.fetch, front.data) if c is not None)
        table.add_row(m.name, m.kind, f"0x{m.origin:08x}", f"{m.bytes / 1024:g}", holds, ", ".join(caches) or "-")
    out.print(table)
    _print_origins([(m.name, m.source) for m in b.memories], out)


def _print_flash(b: Board, out: Console) -> None:
    table = _table("flash up to MHz", "wait states", "core cycles")
    for s in b.flash.ladder:
        times = f"{s.wait_states * s.bus_ratio}" + (
            f", as one lasts {s.bus_ratio} (bus_ratio)" if s.bus_ratio > 1 else ""
        )
        table.add_row(f"{s.up_to_mhz:g}", str(s.wait_states), times)
    out.print(table)
    out.print(f"wait states: {b.flash.ladder_source}")
    out.print(f"prefetch {'on' if b.flash.prefetch else 'off'}: {b.flash.prefetch_source}")


def _print_alternatives(b: Board, out: Console) -> None:
    found = alternatives(b)
    if not found:
        return
    out.print()
    table = _table("no source says", "as described", "may be")
    for a in found:
        table.add_row(a.key, a.described, a.value)
    out.print(table)
    _print_origins([(f"{a.key}={a.value}", a.why) for a in found], out)


def _print_caches(b: Board, out: Console) -> None:
    caches = [c for c in (b.flash.icache, b.flash.dcache) if c is not None]
    if not caches:
        out.print("no cache")
    for c in caches:
        width = b.flash.width_bytes.value
        line = f"{c.line_of(width)}-byte lines" + (" (one read of the flash)" if c.line_bytes is None else "")
        ways = "one way" if c.ways_of(width) == 1 else f"{c.ways_of(width)} ways"
        of_ram = c.also_serves and c is b.flash.data_cache
        policy = f", {c.policy.replace('_', '-')}" if of_ram else ""
        served = " and ".join(("flash", *c.also_serves))
        origin = c.source or f"{_INFERRED}{c.inferred}"
        out.print(
            f"{_name(b, c)} of {served}: {c.bytes} bytes, {ways} of {line}, {_REPLACEMENT[c.replacement]}{policy} ({origin})"
        )


def _print_figures(b: Board, out: Console) -> None:
    used = {*used_figures(b), "max_clock_mhz"}
    timed = [(key, f) for key, f in figures(b) if key.split(".")[0] not in NO_PART_IN_RUN]
    table = _table("figure", "value", "interval", "used")
    for key, f in timed:
        interval = "" if f.lowest == f.highest else f"{f.lowest:g} to {f.highest:g}"
        table.add_row(key, f"{f.value:g}", interval, "yes" if key in used else "no")
    out.print(table)
    _print_origins([(key, f.source or f"{_INFERRED}{f.inferred}") for key, f in timed], out)
    if any(key not in used for key, _ in timed):
        out.print("A figure that is not used counts where the caches are described otherwise (--set).")


def _name(b: Board, cache: Cache) -> str:
    if cache is b.flash.icache:
        return "unified cache" if b.flash.unified else "instruction cache"
    return "data cache"
