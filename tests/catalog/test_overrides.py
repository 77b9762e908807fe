"""Figures overridden for one run: which keys there are, what they change, and what is said about those that make no sense."""

from __future__ import annotations

import pytest

from engine.catalog.board import Board, Memory
from engine.catalog.core import Core
from engine.catalog.figure import Figure, Frozen
from engine.catalog.load import board_sha256, core_sha256, list_boards, load_board, load_core
from engine.catalog.override_keys import WAIT_STATES, only_times, override_keys
from engine.catalog.override_notes import override_notes, without_effect
from engine.catalog.override_text import SOURCE, Override, parse_override
from engine.catalog.overrides import override
from engine.catalog.walk import figures, value_at, with_figure
from engine.errors import UsageError

BOARDS = list_boards()
RAM_ONLY = tuple(k for k in Memory.model_fields if k.endswith(("wait_states", "cycles")))
F446 = load_board("nucleo-f446re")
M4 = load_core("cortex-m4")


def made(*texts: str, board: Board = F446) -> tuple[Board, Core]:
    return override(board, load_core(board.core), [parse_override(t) for t in texts])


def refusal(*texts: str, board: Board = F446) -> UsageError:
    with pytest.raises(UsageError) as caught:
        made(*texts, board=board)
    assert caught.value.message.startswith("--set ")
    assert caught.value.hint
    assert caught.value.exit_code == 2
    return caught.value


def test_a_figure_loses_its_interval_and_says_where_it_comes_from() -> None:
    board, core = made("flash.width_bytes=8", "core.issue.divide=3")
    assert board.flash.width_bytes == Figure(value=8, source=SOURCE)
    assert core.issue.divide == Figure(value=3, source=SOURCE)
    assert board.flash.model_copy(update={"width_bytes": F446.flash.width_bytes}) == F446.flash
    assert core.latency == M4.latency


def test_what_is_not_overridden_is_the_same_object() -> None:
    assert made("core.latency.load=3")[0] is F446
    assert made("flash.prefetch=false")[1] is M4
    assert made() == (F446, M4)


def test_wait_states_hold_at_every_clock() -> None:
    flash = made("flash.wait_states=3")[0].flash
    assert [flash.wait_states(mhz) for mhz in (1, 90, 180)] == [3, 3, 3]
    assert flash.ladder_source == SOURCE


def test_wait_states_keep_the_bus_and_reach_an_overridden_maximum() -> None:
    h7 = load_board("nucleo-h743zi")
    flash = made("flash.wait_states=2", board=h7)[0].flash
    for old in h7.flash.ladder:
        assert (flash.step(old.up_to_mhz).wait_states, flash.step(old.up_to_mhz).bus_ratio) == (2, old.bus_ratio)
    faster = made("max_clock_mhz=240", "flash.wait_states=7")[0]
    assert faster.max_clock_mhz.value == 240
    assert faster.flash.wait_states(240) == 7
    assert "--set flash.wait_states=N" in refusal("max_clock_mhz=240").hint


def test_a_cache_is_changed_in_part_removed_and_added() -> None:
    old = F446.flash.icache
    assert old is not None
    cache = made("flash.icache.bytes=2048", "flash.icache.ways=4")[0].flash.icache
    assert cache is not None
    assert (cache.bytes, cache.line_bytes, cache.ways) == (2048, 16, 4)
    assert cache.inferred == f"bytes, ways {SOURCE}; the rest: {old.inferred}"
    assert made("flash.dcache=none")[0].flash.dcache is None
    bare = load_board("nrf52840-dk")
    assert bare.flash.dcache is None
    parts = ("flash.dcache.bytes=64", "flash.dcache.line_bytes=8", "flash.dcache.ways=2")
    added = made(*parts, board=bare)[0].flash.dcache
    assert added is not None
    assert (added.bytes, added.source) == (64, f"bytes, line_bytes, ways {SOURCE}")
    assert refusal(*parts[1:], board=bare).hint == "also --set flash.dcache.bytes=VALUE"
    as_wide = made("flash.icache.line_bytes=none", "flash.icache.ways=none")[0].flash
    assert as_wide.icache is not None
    assert (as_wide.icache.line_of(8), as_wide.icache.ways_of(8)) == (8, 128)


def test_a_yes_or_no_and_what_stands_in_a_list() -> None:
    board = made("flash.prefetch=false", "memories.sram.wait_states=1", "flash.ladder.5.wait_states=4")[0]
    assert (board.flash.prefetch, board.flash.prefetch_source) == (False, SOURCE)
    assert board.memory("sram").wait_states == Figure(value=1, source=SOURCE)
    assert board.flash.wait_states(180) == 4
    assert board.flash.ladder_source.startswith(f"ladder.5.wait_states {SOURCE}; the rest: ")
    assert board.memory("sram").source == F446.memory("sram").source
    assert made("memories.sram.bytes=0x8000")[0].memory("sram").bytes == 32768


def test_a_choice_called_none_is_not_a_removal() -> None:
    assert made("core.fpu=none")[1].fpu == "none"
    assert "expected a valid number" in refusal("flash.width_bytes=none").message


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("a.b=3", "3"), ("a.b = 0x10 ", "16"), ("a.b=3.0", "3"), ("a.b=2.50", "2.5"), ("a.b=true", "true"),
        ("a.b=write_back", "write_back"), ('a.b="x"', "x"), ("a.b=one,two", "one,two"), ("a.b=[ 'one', 'two' ]", "one,two"),
    ],
)  # fmt: skip
def test_one_meaning_has_one_spelling(text: str, spelt: str) -> None:
    found = parse_override(text)
    assert (found.key, found.value) == ("a.b", spelt)
    assert parse_override(str(found)) == found


@pytest.mark.parametrize("text", ["", "a", "a=", "=3", "A=3", "a..b=3", "a.=3", ".a=3", "a b=3", "a-b=3"])
def test_what_is_no_override_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not understood") as caught:
        parse_override(text)
    assert "flash.wait_states=3" in caught.value.hint


@pytest.mark.parametrize(
    "value", ["-1", "nan", "inf", "1e400", "99999999999999999999", "{ a = 1 }", "[1]", "[]", "1979-05-27", '""', "3\nb = 4",
              "<b>", "'a b'", "[" * 2000, "é"],
)  # fmt: skip
def test_a_value_that_no_figure_has_is_refused(value: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_override(f"flash.width_bytes={value}")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("flash.wait_state=3", "unknown key 'wait_state' in flash", "flash.wait_states"),
        ("wait_states=3", "unknown key 'wait_states'", "flash.wait_states"),
        ("latency.load=3", "unknown key 'latency'", "core.latency.load"),
        ("core.latency.lod=3", "unknown key 'lod' in core.latency", "core.latency.load"),
        ("flash.zzz=3", "unknown key 'zzz' in flash", "flash.width_bytes, flash.ladder.…"),
        ("zzz=3", "unknown key 'zzz'", "memories.…, flash.…, core.…"),
        ("memories.ram.bytes=8", "unknown key 'ram' in memories", "memories.sram.bytes"),
        ("flash.ladder.0.wait_states=99", "flash.ladder.0.wait_states: must be at most 64, found 99", "at most 64"),
        ("memories.flash.wait_states=3", "unknown key 'wait_states' in memories.flash", "flash.wait_states"),
        ("memories.flash.line_fill_cycles=3", "unknown key 'line_fill_cycles' in memories.flash", "memories.sram.line"),
        ("memories.sram.bytes=12", "memories.sram.bytes", ""),
        ("flash.ladder.9.wait_states=8", "unknown key '9' in flash.ladder", "flash.ladder."),
        ("flash.prefetch.x=3", "unknown key 'x' in flash.prefetch", "flash.prefetch"),
        ("flash.wait_states.x=3", "unknown key 'wait_states' in flash", "flash.wait_states"),
        ("flash.dcache=4096", "flash.dcache is a table", ", or flash.dcache=none"),
        ("memories.sram=3", "memories.sram is a table", "memories.sram.bytes"),
        ("flash=3", "flash is a table", "flash.icache.…"),
        ("core.latency=3", "core.latency is a table", "core.latency.load,"),
        ("vendor=x", "'vendor' is no figure", "known: "),
        ("port=stm32l4", "'port' is no figure", "known: "),
        ("price_usd=3", "'price_usd' is no figure", "known: "),
        ("core.architecture=armv6-m", "'architecture' in core is no figure", "known: core.dsp"),
        ("core.dsp=false", "'dsp' of armv7e-m is true", "boards show"),
        ("flash.icache.bytes=4294967296", "flash.icache.bytes: must be at most 1.67772e+07", "at most"),
        ("core=cortex-m7", "'core' is no figure", "core."),
        ("flash.icache.source=x", "'source' in flash.icache is no figure", "flash.icache"),
        ("core.log.0.before_validation=true", "'log' in core is no figure", "core.latency.…"),
        ("placement.code=sram", "the placement is no figure", "--place code=MEMORY"),
        ("flash.prefetch=3", "flash.prefetch: expected true or false, found 3", "write true or false"),
        ("flash.width_bytes=7", "'width_bytes' must be a power of two", "bytes, not bits"),
        ("flash.wait_states=x", "wait states are whole cycles", "a number"),
        ("flash.wait_states=1.5", "wait states are whole cycles", "a number"),
        ("flash.wait_states=99", "=99: flash.wait_states: must be at most 64, found 99", "at most 64"),
        ("flash.icache.ways=3", "must be a multiple of line_bytes * ways", "change the ways"),
        ("core.latency.load=0.0001", "'latency.load' must be a multiple of 0.001", "boards show"),
        ("core.latency.load=1000000", "more than 100000", "look it up again"),
        ("core.issue_width=2", "'issue_width' is 1, or 2 with", "boards show"),
        ("max_clock_mhz=170", "default_clock_mhz is above max_clock_mhz", "lower it"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_one_message_and_a_hint(text: str, message: str, hint: str) -> None:
    error = refusal(text)
    assert message in error.message
    assert "also" not in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (("flash.prefetch=true", "flash.prefetch=false"), "flash.prefetch is given twice"),
        (("flash.prefetch=true", "flash.prefetch=true"), "flash.prefetch is given twice"),
        (("flash.dcache.ways=2", "flash.dcache=none"), "contradict each other"),
        (("flash.wait_states=3", "flash.ladder.0.wait_states=1"), "contradict each other"),
    ],
)
def test_overrides_that_contradict_each_other_are_refused(texts: tuple[str, ...], why: str) -> None:
    assert why in refusal(*texts).message


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_every_key_is_found_again(board: Board) -> None:
    core = load_core(board.core)
    keys = override_keys(board, core)
    assert len(set(keys)) == len(keys)
    assert {f"core.{key}" for key, _ in core.figures()} <= set(keys)
    for key in keys:
        if key != WAIT_STATES:
            item: Frozen = core if key.startswith("core.") else board
            value_at(item, key.removeprefix("core."))  # no KeyError
    board_figures = {k for k, _ in figures(board) if not k.startswith(("price_usd", "current"))}
    assert board_figures <= set(keys)


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_every_figure_can_be_overridden_with_its_own_value(board: Board) -> None:
    core = load_core(board.core)
    for key in override_keys(board, core):
        item: Frozen = core if key.startswith("core.") else board
        at = None if key == WAIT_STATES else value_at(item, key.removeprefix("core."))
        if isinstance(at, bool | int | float | str):
            text = str(at).lower() if isinstance(at, bool) else str(at)
            new_board, new_core = override(board, core, [parse_override(f"{key}={text}")])
            found = value_at(new_core if key.startswith("core.") else new_board, key.removeprefix("core."))
            assert found == at
            # what a run is made with has changed, if only in its source
            plain = new_board == board and new_core == core
            assert plain or (board_sha256(new_board), core_sha256(new_core)) != (board_sha256(board), core_sha256(core))


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_every_key_takes_a_value_or_refuses_it_with_a_hint(board: Board) -> None:
    """Tables that a core leaves out are keys too."""
    core = load_core(board.core)
    for key in override_keys(board, core):
        for value in ("3", "none"):
            try:
                override(board, core, [parse_override(f"{key}={value}")])
            except UsageError as error:
                assert key.split(".")[-1] in str(error), (key, value)  # noqa: PT017
                assert error.hint, (key, value)  # noqa: PT017


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_every_figure_of_a_memory_that_is_left_out_can_be_given(board: Board) -> None:
    core = load_core(board.core)
    absent = [k for k in override_keys(board, core) if k.startswith("memories.") and value_at(board, k) is None]
    assert not any(k.startswith("memories.flash.") for k in absent)
    override(board, core, [parse_override(f"{key}=1") for key in absent])


@pytest.mark.parametrize("name", ["nucleo-h743zi", "nucleo-l4r5zi"])
def test_every_hint_leads_to_a_key(name: str) -> None:
    board = load_board(name)
    core = load_core(board.core)
    keys = [k for k in override_keys(board, core) if not k.startswith("core.")]
    typed = (
        {k[:-1] for k in keys}
        | {k.split(".", 1)[1] for k in keys if "." in k}
        | {f"memories.flash.{x}" for x in RAM_ONLY}
    )
    for key in sorted(typed - set(keys)):
        error = refusal(f"{key}=3", board=board)
        assert "[" not in error.message, key  # an index is no key that can be typed
        if error.hint.startswith("did you mean "):
            meant = error.hint.removeprefix("did you mean ").removesuffix("?").split(" or ")
            assert set(meant) <= set(override_keys(board, core)), key


def test_the_notes_say_what_the_description_says() -> None:
    keys = (
        "flash.wait_states=3",
        "flash.dcache=none",
        "flash.miss_extra_cycles=2",
        "flash.prefetch=false",
        "core.latency.load=3",
    )
    notes = override_notes(F446, M4, [parse_override(k) for k in keys])
    said = [n.split("; the description ")[1] for n in notes]
    assert said[1].startswith("says bytes 128, line_bytes 16, ways 8")
    assert said[:1] + said[2:] == ["says 0 to 5, by the clock.", "leaves it out.", "says true.", "says 2."]
    assert notes[0].startswith("flash.wait_states=3 was set on the command line")
    assert override_notes(F446, M4, [Override("flash.dcache.bytes", "8")])[0].endswith("says 128.")


def test_a_figure_is_replaced_by_its_key() -> None:
    one = Figure(value=1, source="test")
    board = made("memories.sram.wait_states=2")[0]
    assert with_figure(board, "memories.sram.wait_states", one).memory("sram").wait_states == one
    assert with_figure(board, "flash.width_bytes", one).flash.width_bytes == one
    for key in ("flash.nothing", "nothing", "memories.moon.wait_states", "name.x"):
        with pytest.raises(KeyError):
            with_figure(board, key, one)
    for key in ("flash.nothing", "memories.moon.bytes"):
        with pytest.raises(KeyError):
            value_at(board, key)


H743 = load_board("nucleo-h743zi")


@pytest.mark.parametrize(
    ("board", "texts", "why"),
    [
        (H743, ["memories.axi_sram.wait_states=3"], "a cache is in front of axi_sram: what misses waits line_fill_cycles"),
        (H743, ["memories.axi_sram.wait_states=3", "flash.dcache=none"], None),
        (H743, ["memories.axi_sram.write_wait_states=3", "flash.dcache.policy=write_through"], None),
        (H743, ["memories.axi_sram.write_back_cycles=3", "flash.dcache.policy=write_through"], "passes every write on"),
        (H743, ["memories.axi_sram.fetch_wait_states=3"], "a missed line waits line_fill_cycles"),
        (H743, ["memories.axi_sram.fetch_wait_states=3", "flash.icache.also_serves=none"], None),
        (H743, ["memories.axi_sram.line_fill_cycles=3"], None),
        (H743, ["memories.axi_sram.line_fill_cycles=3", "flash.icache=none", "flash.dcache=none"], "no cache is in front"),
        (H743, ["memories.dtcm.line_fill_cycles=3"], "no cache is in front of dtcm"),
        (H743, ["memories.dtcm.write_back_cycles=3"], "no data cache is in front of dtcm"),
        (H743, ["memories.dtcm.wait_states=3"], None),
        (H743, ["flash.uncached_read_cycles=3"], "a cache is in front of the flash"),
        (H743, ["flash.uncached_read_cycles=3", "flash.dcache=none"], None),
        (H743, ["flash.miss_extra_cycles=3"], None),
        (H743, ["flash.miss_extra_cycles=3", "flash.icache=none", "flash.dcache=none"], "no cache is in front of the flash"),
        (H743, ["flash.icache.policy=write_through"], "no data of a RAM goes through this cache"),
        (H743, ["flash.dcache.policy=write_through"], None),
        (F446, ["flash.dcache.policy=write_through"], "no data of a RAM goes through this cache"),
        (F446, ["flash.width_bytes=16.0"], "the description says the same"),
        (F446, ["flash.prefetch=true"], "the description says the same"),
        (F446, ["flash.width_bytes=32"], "every line takes as many reads of the flash"),
        (F446, ["flash.width_bytes=8"], None),
        (F446, ["flash.width_bytes=32", "flash.dcache=none"], None),
        (load_board("nucleo-l4r5zi"), ["flash.width_bytes=16"], None),
        (F446, ["memories.sram.wait_states=0"], None),
        (load_board("nucleo-g0b1re"), ["flash.dcache=none"], "the description says the same"),
        (F446, ["flash.dcache.also_serves=none"], "the description says the same"),
        (F446, ["core.latency.load=2"], "the description says the same"),
        (F446, ["core.latency.load=3"], None),
        (F446, ["max_clock_mhz=180"], "the description says the same"),
        (F446, ["memories.sram.bytes=0x8000"], "it decides what fits"),
    ],
)  # fmt: skip
def test_what_cannot_make_a_difference_is_known(board: Board, texts: list[str], why: str | None) -> None:
    core = load_core(board.core)
    first, *_ = overrides = [parse_override(t) for t in texts]
    found = without_effect(board, core, override(board, core, overrides)[0], first)
    assert (found is None) == (why is None), found
    assert found is None or why is None or why in found


@pytest.mark.parametrize(
    ("key", "only"),
    [
        ("flash.wait_states", True), ("flash.ladder.0.wait_states", True), ("flash.prefetch", True),
        ("flash.miss_extra_cycles", True), ("memories.sram.wait_states", True), ("memories.sram.bytes", False),
        ("flash.width_bytes", False), ("flash.dcache.bytes", False), ("flash.dcache", False), ("flash.unified", False),
        ("default_clock_mhz", False), ("max_clock_mhz", True), ("nothing.at.all", False),
    ],
)  # fmt: skip
def test_which_keys_only_change_what_things_cost(key: str, only: bool) -> None:
    assert only_times(Board, key) is only
    assert only_times(Core, "latency.load")
    assert not only_times(Core, "dsp")
