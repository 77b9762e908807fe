"""Notes of the hooks: complete lines only, rising counts, paired markers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ExecutionError
from engine.targets.renode.events import progress, read_events, region_instructions
from tests.targets.renode.conftest import Toy
from tests.targets.renode.recordings import transcript

RUN = "ready 100\ninfer 110\nopen 115\nclose 200\nopen 207\nclose 300\nback 320\ninfer 330\nopen 335\nclose 420\nopen 427\nclose 520\nback 540\ndone 550\n"


def text(lines: str) -> str:
    return "".join(f"{line} 0x10\n" for line in lines.splitlines())


def test_layers_begin_behind_the_marker(toy: Toy) -> None:
    # from the instruction behind the return (noted at the return itself) to the first of wc_layer_end
    assert region_instructions(read_events(text(RUN)), toy()) == ((84, 92, 34), (84, 92, 34))


def test_the_last_return_tried_is_the_one_taken(toy: Toy) -> None:
    tried = RUN.replace("open 115\n", "open 113\nopen 115\n")
    assert region_instructions(read_events(text(tried)), toy())[0] == (84, 92, 34)


def test_recorded_notes_have_the_same_form() -> None:
    """The spin of the demo firmware: 2 n instructions, and 6 around it."""
    (event,) = (e["event"] for e in transcript("success_cortex-m4")["exchanges"] if "hook_file" in e.get("event", {}))
    lines = [line.replace("begin", "open").replace("end", "close") for line in event["hook_file"]]
    noted = read_events("".join(f"{line}\n" for line in lines))
    assert [b.executed - a.executed for a, b in zip(noted[::2], noted[1::2], strict=True)][:2] == [2006, 2_000_006]
    assert {e.pc for e in noted} == {0x110, 0x114}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("open 207\nclose 300\n", ""), "1 of 2 layers"),
        (("close 300\n", ""), "1 of 2 layers"),
        (("open 207\n", ""), "wc_layer_end without an open layer"),
        (("infer 110\n", ""), "wc_layer_begin outside wc_infer"),
        (("infer 110\nopen 115\nclose 200\nopen 207\nclose 300\n", ""), "without having been entered"),
        (("back 320", "back 20"), "went from 300 to 20"),
        (("ready", "steady"), "a hook wrote"),
        (("back 320", "back " + "3" * 5000), "a hook wrote"),
        (("back 320", "back ³20"), "a hook wrote"),
    ],
)
def test_what_cannot_be_is_refused(toy: Toy, change: tuple[str, str], message: str) -> None:
    with pytest.raises(ExecutionError, match=message):
        region_instructions(read_events(text(RUN.replace(*change, 1))), toy())


def test_where_a_run_was(toy: Toy) -> None:
    events = read_events(text(RUN))
    said = [progress(events[:n], toy()) for n in range(len(events) + 1)]
    assert said[0] == ", during start-up"
    assert said[1] == ", before the first inference"
    assert said[2] == ", between layers of inference 1"
    assert said[3] == ", in layer 0 (layer0) of inference 1"
    assert said[5] == ", in layer 1 (layer1) of inference 1"
    assert said[7] == ", after inference 1"
    assert said[9] == ", in layer 0 (layer0) of inference 2"
    assert progress(read_events(text("ready 1\ninfer 2\nopen 3\nfault 4")), toy()) == said[3]


@settings(deadline=None)
@given(st.text(max_size=60))
def test_half_a_line_and_nonsense(tail: str) -> None:
    try:
        found = read_events(text(RUN) + tail)
    except ExecutionError:
        return
    assert len(found) >= 14
