"""Every board of the catalogue: figures with an origin, a usable ladder, placement and memories a program can be linked to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.catalog.access_waits import used_figures
from engine.catalog.assumptions import assumptions, uncertain
from engine.catalog.board import Board, MemoryKind
from engine.catalog.figure import Figure, Frozen
from engine.catalog.flash import Cache
from engine.catalog.load import BOARDS_DIR, board_sha256, list_boards, load_board, load_core
from engine.catalog.walk import figures
from engine.errors import CatalogError

BOARDS = list_boards()
PARTS = ("code", "weights", "activations", "stack")
# a page, a section, a file at a commit, or a row of the reference tables: something another person can open
OPENABLE = re.compile(r"[\w-]+\.(com|org|io|cn|de|net|in)\b|[\w.-]+/[\w.-]+:[\w./-]+|reference/\w+\.csv")


def _parts(item: Frozen, path: str = "") -> list[tuple[str, Frozen]]:
    """Every table of a board with its dotted place."""
    found: list[tuple[str, Frozen]] = [(path, item)]
    for key in type(item).model_fields:
        value = getattr(item, key)
        for n, inner in enumerate(value if isinstance(value, tuple) else (value,)):
            if isinstance(inner, Frozen):
                found += _parts(inner, f"{path}.{key}" + (f"[{n}]" if isinstance(value, tuple) else ""))
    return found


def test_the_catalogue_covers_boards_of_every_core() -> None:
    cores = [b.core for b in BOARDS]
    assert len(BOARDS) >= 14
    wanted = {"m0plus": 2, "m3": 1, "m4": 5, "m7": 3, "m33": 3, "m55": 2, "m85": 1}
    for core, least in ((f"cortex-{short}", n) for short, n in wanted.items()):
        assert cores.count(core) >= least, core


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_every_figure_has_an_origin_that_can_be_opened(board: Board) -> None:
    for place, item in _parts(board):
        if isinstance(item, Figure | Cache):
            assert (item.source is None) != (item.inferred is None), place
            assert len(item.source or item.inferred or "") > 20, place
        if isinstance(item, Figure):
            assert item.lowest <= item.value <= item.highest, place
            assert item.lowest >= 0, place
        source = getattr(item, "source", None)
        if source is not None:
            assert OPENABLE.search(source), f"{place}: {source}"
    for text in (board.flash.ladder_source, board.flash.prefetch_source):
        assert (
            text.startswith("inferred: ") or OPENABLE.search(text) or "presentation" in text or "Specification" in text
        )


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_ladders_rise_and_cover_the_clocks(board: Board) -> None:
    ladder = board.flash.ladder
    assert [s.up_to_mhz for s in ladder] == sorted({s.up_to_mhz for s in ladder})
    # a faster clock never makes a read cheaper in core cycles, unless the bus slows down against the core
    for ratio in {s.bus_ratio for s in ladder}:
        waits = [s.wait_states for s in ladder if s.bus_ratio == ratio]
        assert waits == sorted(waits)
    assert [s.bus_ratio for s in ladder] == sorted(s.bus_ratio for s in ladder)
    assert ladder[-1].up_to_mhz == board.max_clock_mhz.value
    assert 0 < board.default_clock_mhz <= board.max_clock_mhz.value


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_placement_suits_the_memories(board: Board) -> None:
    place = {part: board.memory(getattr(board.placement, part)) for part in PARTS}
    for part in ("activations", "stack"):
        assert place[part].kind in (MemoryKind.SRAM, MemoryKind.DTCM), part
    has_flash = any(m.kind is MemoryKind.FLASH for m in board.memories)
    assert (place["code"].kind is MemoryKind.FLASH) == has_flash
    for memory in board.memories:
        assert (memory.origin % 0x400, memory.bytes % 0x400) == (0, 0), memory.name


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_caches_hold_whole_flash_words(board: Board) -> None:
    flash = board.flash
    for cache in (flash.icache, flash.dcache):
        if cache is not None:
            width = flash.width_bytes.value
            sets = cache.bytes // (cache.line_of(width) * cache.ways_of(width))
            assert sets & (sets - 1) == 0
            assert cache.line_of(width) % width == 0


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_assumptions_are_exactly_the_inferred_figures(board: Board) -> None:
    core = load_core(board.core)
    found = assumptions(board, core)
    unused = {f".{key}" for key, _ in figures(board)} - {f".{key}" for key in used_figures(board)} - {".max_clock_mhz"}
    names = [m.name for m in board.memories]
    on_board = sum(
        getattr(item, "inferred", None) is not None
        for place, item in _parts(board)
        if not place.startswith((".current", ".price"))
        and re.sub(r"memories\[(\d+)\]", lambda n: f"memories.{names[int(n[1])]}", place) not in unused
    ) + sum(t.startswith("inferred: ") for t in (board.flash.ladder_source, board.flash.prefetch_source))
    assert sum(a.key.startswith("board.") for a in found) == on_board
    assert sum(a.key.startswith("core.") for a in found) == sum(f.inferred is not None for _, f in core.figures())
    assert len({a.key for a in found}) == len(found)
    for a in found:
        assert a.reason
        assert not a.reason.startswith("inferred")
        assert (a.value is None) == (a.low is None) == (a.high is None)
        if a.value is not None and a.low is not None and a.high is not None:
            assert a.low <= a.value <= a.high


@pytest.mark.parametrize("name", ["nucleo-h743zi", "nucleo-h7a3zi", "stm32f746g-disco"])
def test_a_run_rests_on_what_its_caches_leave_to_wait_for(name: str) -> None:
    board = load_board(name)
    core = load_core(board.core)
    ram = board.placement.activations
    cached, bare = (f"memories.{ram}.line_fill_cycles", "flash.miss_extra_cycles"), (
        f"memories.{ram}.wait_states", f"memories.{ram}.write_wait_states", f"memories.{ram}.fetch_wait_states",
        "flash.uncached_read_cycles", "flash.uncached_fetch_cycles",
    )  # fmt: skip
    without = board.model_copy(update={"flash": board.flash.model_copy(update={"icache": None, "dcache": None})})
    for described, yes, no in ((board, cached, bare), (without, bare, cached)):
        keys = {a.key for a in uncertain(described, core)}
        assert {f"board.{key}" for key in yes} <= keys
        assert keys.isdisjoint({f"board.{key}" for key in no})


def test_assumptions_name_where_they_stand() -> None:
    found = {a.key: a for a in assumptions(load_board("apollo3-evb"), load_core("cortex-m4"))}
    sram = found["board.memories.sram.wait_states"]
    assert (sram.value, sram.low, sram.high) == (0, 0, 1)
    assert found["board.flash.prefetch"].value is None
    assert "board.flash.icache" not in found  # sourced


def test_currents_and_price_take_no_part_in_the_hash(tmp_path: Path) -> None:
    text = (BOARDS_DIR / "nucleo-g0b1re.toml").read_text()
    bare, priced = tmp_path / "bare.toml", tmp_path / "priced.toml"
    bare.write_text(text)
    priced.write_text(
        text
        + '\n[[current_ua_per_mhz]]\nvalue = 99\nclock_mhz = 64\nconditions = "run"\nsource = "a data sheet, table 1"\n'
        '\n[price_usd]\nvalue = 2.5\nsource = "a shop, some day"\n'
    )
    board = load_board(priced)
    assert board.price_usd is not None
    assert board.price_usd.value == 2.5
    assert (board.current_ua_per_mhz[-1].value, board.current_ua_per_mhz[-1].conditions) == (99, "run")
    assert board_sha256(board) == board_sha256(load_board(bare))


@pytest.mark.parametrize(
    ("extra", "place", "hint"),
    [
        ('[[current_ua_per_mhz]]\nvalue = 9\nsource = "x"\n', "conditions: missing", "add conditions"),
        ('[[current_ua_per_mhz]]\nvalue = 0\nconditions = "run"\nsource = "x"\n', "greater than 0", ""),
        ('[[current_ua_per_mhz]]\nvalue = 1e300\nconditions = "run"\nsource = "x"\n', "between 0.001", "µA per MHz"),
        (
            '[[sleep_current_ua]]\nvalue = 1e-9\nmode = "stop"\nkeeps_ram = true\nsource = "x"\n',
            "between 0.001",
            "write µA",
        ),
        ('[[current_ua_per_mhz]]\nvalue = 9\nconditions = "run"\n', "exactly one of 'source' and 'inferred'", ""),
        (
            '[[current_ua_per_mhz]]\nvalue = 9\ncondition = "run"\nsource = "x"\n',
            "unknown key 'condition' (did you mean conditions?)",
            "rename it to conditions",
        ),
        ('[price_usd]\nvalue = -1\nsource = "x"\n', "price_usd must be greater than 0", ""),
    ],
)
def test_broken_currents_and_prices_say_what_and_where(tmp_path: Path, extra: str, place: str, hint: str) -> None:
    path = tmp_path / "my-board.toml"
    path.write_text((BOARDS_DIR / "nucleo-f411re.toml").read_text() + "\n" + extra)
    with pytest.raises(CatalogError) as caught:
        load_board(path)
    assert place in caught.value.message
    assert hint in caught.value.hint
