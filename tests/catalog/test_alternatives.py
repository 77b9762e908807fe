"""What no source gives may be otherwise: every such thing of the catalogue is varied or says why not, and nothing with a source is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from engine.catalog.alternatives import alternatives, simulated_alternatives
from engine.catalog.assumptions import NO_REASON, assumptions, in_no_interval
from engine.catalog.board import Board
from engine.catalog.flash import INFERRED, Cache, FlashInterface
from engine.catalog.load import BOARDS_DIR, board_sha256, list_boards, load_board, load_core
from engine.catalog.override_alternatives import SETTLED
from engine.catalog.override_text import parse_override
from engine.catalog.overrides import override
from engine.catalog.walk import value_at
from engine.errors import CatalogError

BOARDS = list_boards()
L4R5 = load_board("nucleo-l4r5zi")
FIGURE = {"value": 8, "source": "test"}
FLASH = {
    "width_bytes": FIGURE, "ladder": ({"up_to_mhz": 50, "wait_states": 1}, {"up_to_mhz": 100, "wait_states": 2}),
    "ladder_source": "inferred: test", "prefetch": False, "prefetch_source": "inferred: test",
}  # fmt: skip
CACHE = {"bytes": 1024, "line_bytes": 16, "ways": 4, "inferred": "test"}


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_everything_inferred_is_varied_or_says_why_not(board: Board) -> None:
    keys = {a.key for a in alternatives(board)}
    for a in assumptions(board, load_core(board.core)):
        if a.low is not None and a.high is not None and a.low < a.high:
            assert not a.unvaried
            continue
        varied = any(f"board.{key}" == a.key or f"board.{key}".startswith(f"{a.key}.") for key in keys)
        assert varied == (not a.unvaried), a.key
        assert a.unvaried != NO_REASON, a.key


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_nothing_with_a_source_is_varied(board: Board) -> None:
    flash = board.flash
    origins = {"flash.prefetch": flash.prefetch_source, "flash.ladder": flash.ladder_source}
    for a in alternatives(board):
        assert a.why
        table, _, key = a.key.rpartition(".")
        if a.key in origins:
            assert origins[a.key].startswith(INFERRED)
            continue
        cache = value_at(board, table)
        assert isinstance(cache, Cache)
        text = (BOARDS_DIR / f"{board.name}.toml").read_text().split(f"\n[{table}]\n")[1].split("\n[")[0]
        left_out = not any(line.startswith(f"{key} =") for line in text.splitlines())
        assert cache.inferred is not None or left_out, a.key


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_an_alternative_is_the_board_with_one_key_otherwise(board: Board) -> None:
    for a in alternatives(board):
        assert value_at(a.board, a.key) != value_at(board, a.key)
        assert a.described != a.value
        assert not alternatives(a.board)
        table, _, key = a.key.rpartition(".")
        if a.misses:
            one, two = value_at(board, table), value_at(a.board, table)
            assert isinstance(one, Cache)
            assert isinstance(two, Cache)
            assert one.model_copy(update={key: getattr(two, key), "alternatives": ()}) == two
        else:
            assert board.flash.icache is None or a.board.flash.icache == board.flash.icache.model_copy(
                update={"alternatives": ()}
            )
    assert simulated_alternatives(board) == tuple(a for a in alternatives(board) if a.misses)


def test_a_board_without_alternatives_keeps_its_hash() -> None:
    plain = load_board("nrf5340-dk")
    assert "alternatives" not in plain.flash.model_dump()
    assert board_sha256(plain) != board_sha256(L4R5)
    bare = simulated_alternatives(L4R5)[0].board
    assert "alternatives" not in str(bare.model_dump())
    assert board_sha256(bare) != board_sha256(L4R5)


@pytest.mark.parametrize(
    ("cache", "message"),
    [
        ({"alternatives": ({"why": "test"},)}, "exactly one key"),
        ({"alternatives": ({"ways": 2, "bytes": 512, "why": "test"},)}, "exactly one key"),
        ({"alternatives": ({"ways": 2},)}, "why"),
        ({"alternatives": ({"ways": 4, "why": "test"},)}, "what the cache says"),
        ({"alternatives": ({"ways": 3, "why": "test"},)}, "multiple of line_bytes"),
        ({"alternatives": ({"ways": 3, "why": "test"},)}, "alternative ways = 3 does not fit"),
        ({"alternatives": ({"ways": 2, "why": "test"}, {"ways": 2, "why": "again"})}, "stands there twice"),
        ({"bytes": 1536, "alternatives": ({"line_bytes": 24, "why": "test"},)}, "power of two"),
        ({"alternatives": ({"ways": 2, "why": "test"},), "unvaried": "test"}, "exclude each other"),
        ({"alternatives": ({"ways": 2, "why": "test"},), "inferred": None, "source": "test"}, "has a source"),
        ({"alternatives": ({"bytes": 512, "why": "test"},), "inferred": None, "source": "test"}, "has a source"),
    ],
)
def test_a_cache_refuses_alternatives_that_are_none(cache: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Cache.model_validate(CACHE | cache)


def test_of_a_cache_with_a_source_what_is_left_out_may_be_varied() -> None:
    found = Cache.model_validate(
        {"bytes": 1024, "source": "test", "alternatives": ({"replacement": "random", "why": "test"}, {"ways": 4, "why": "test"})}
    )  # fmt: skip
    assert [a.key for a in found.alternatives] == ["replacement", "ways"]


@pytest.mark.parametrize(
    ("flash", "message"),
    [
        ({"alternatives": ({"why": "test"},)}, "exactly one key"),
        ({"alternatives": ({"prefetch": False, "why": "test"},)}, "what the interface says"),
        ({"alternatives": ({"prefetch": True, "why": "test"},), "prefetch_source": "test"}, "has a source"),
        ({"alternatives": ({"prefetch": True, "why": "test"},), "prefetch_unvaried": "test"}, "exclude each other"),
        ({"alternatives": ({"ladder": ({"up_to_mhz": 90, "wait_states": 1},), "why": "test"},)}, "same clock"),
        (
            {"alternatives": ({"ladder": ({"up_to_mhz": 50, "wait_states": 3}, {"up_to_mhz": 100, "wait_states": 2}), "why": "t"},)},
            "falls",
        ),
        ({"alternatives": ({"prefetch": True, "why": "test"}, {"prefetch": True, "why": "again"})}, "stands there twice"),
        # left out, ways are all 128 lines of 8 bytes
        (
            {"icache": {"bytes": 1024, "inferred": "test", "alternatives": ({"ways": 128, "why": "test"},)}},
            "is what the cache is where it is left out",
        ),
        (
            {"icache": {"bytes": 1024, "inferred": "test", "alternatives": ({"ways": 3, "why": "test"},)}},
            "alternative ways = 3 does not fit",
        ),
    ],
)  # fmt: skip
def test_a_flash_refuses_alternatives_that_are_none(flash: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FlashInterface.model_validate(FLASH | flash)


def test_a_file_that_varies_what_has_a_source_is_one_message(tmp_path: Path) -> None:
    text = (BOARDS_DIR / "nucleo-h743zi.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('{ replacement = "round_robin"', "{ ways = 8", 1))
    with pytest.raises(CatalogError, match="'ways', which has a source"):
        load_board(path)


def test_what_is_set_is_no_longer_in_doubt() -> None:
    def keys(name: str, *texts: str) -> list[str]:
        board = load_board(name)
        made, _ = override(board, load_core(board.core), [parse_override(t) for t in texts])
        return [f"{a.key}={a.value}" for a in alternatives(made) if "." in a.key]

    before = keys("nucleo-l4r5zi")
    assert keys("nucleo-l4r5zi", "flash.icache.ways=4") == [k for k in before if not k.startswith("flash.icache")]
    assert keys("nucleo-l4r5zi", "flash.icache=none", "flash.dcache.ways=2") == []
    # lines of 32 bytes: no longer four sets of 32 places, nor of the data cache as many ways as it has lines
    assert keys("nucleo-l4r5zi", "flash.width_bytes=32") == [
        "flash.icache.ways=4", "flash.icache.ways=2", "flash.dcache.ways=4", "flash.dcache.ways=2",
    ]  # fmt: skip
    assert keys("nucleo-h743zi", "flash.prefetch=false")[0] == "flash.icache.replacement=round_robin"
    ladders = [k for k in keys("apollo510-evb", "flash.wait_states=2") if "ladder" in k]
    assert ladders == []
    assert "flash.prefetch=true" in keys("apollo510-evb", "flash.wait_states=2")


@pytest.mark.parametrize(
    ("name", "texts", "key"),
    [
        ("nucleo-l4r5zi", ("flash.icache.ways=4",), "board.flash.icache"),
        ("nucleo-l4r5zi", ("flash.dcache.ways=2", "flash.icache.bytes=2048"), "board.flash.dcache"),
        ("apollo510-evb", ("flash.ladder.0.wait_states=1",), "board.flash.ladder"),
    ],
)
def test_what_is_set_is_not_blamed_on_the_description(name: str, texts: tuple[str, ...], key: str) -> None:
    board = load_board(name)
    made, core = override(board, load_core(board.core), [parse_override(t) for t in texts])
    reasons = {a.key: a.unvaried for a in assumptions(made, core) if a.unvaried}
    assert NO_REASON not in reasons.values()
    assert reasons.get(key) == SETTLED


def test_what_no_interval_covers_is_noted() -> None:
    core = load_core(L4R5.core)
    assert not any(note for b in BOARDS for note in in_no_interval(b, load_core(b.core)))
    bare = L4R5.model_copy(
        update={
            "flash": L4R5.flash.model_copy(update={"icache": Cache.model_validate({"bytes": 1024, "inferred": "test"})})
        }
    )
    (note,) = in_no_interval(bare, core)
    assert note.startswith("flash.icache is inferred and in no interval")
