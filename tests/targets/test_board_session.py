"""The client of boards against a fake device: whatever happens on the line, a number is right or there is an error."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.errors import CheckFailedError, ExecutionError
from engine.targets.board import answers
from engine.targets.board.device import Device, GarbledError
from engine.targets.board.measure import Measurement, _clock_check, measure_device
from engine.targets.board.session import Session
from tests.builders.damage import damaged
from tests.targets.fake_board import CYCLES, FACTS, INPUT_BYTES, LAYERS, MARKER, OUTPUT_BYTES, FakeBoard, answer

INPUTS = tuple(bytes((i * 31 + k) & 0xFF for i in range(INPUT_BYTES)) for k in range(2))
REPEATS = 20


def session(board: FakeBoard) -> Session:
    return Session(Device(board, board.clock))


def measured(board: FakeBoard, repeats: int = REPEATS) -> Measurement:
    return measure_device(session(board), INPUTS, OUTPUT_BYTES, repeats)


def outcome(board: FakeBoard) -> Measurement | None:
    """What is measured; None where the user is told what is wrong."""
    try:
        return measured(board)
    except ExecutionError:
        return None


def right(found: Measurement) -> None:
    """Every number of it is what the fake device would give."""
    assert found.outputs == tuple(answer(x) for x in INPUTS)
    assert found.warm is not None
    assert found.cold is not None
    assert (found.warm.names, found.warm.counter, found.warm.marker) == (LAYERS, "cycles", MARKER)
    assert [(r.total, r.layers) for r in found.warm.runs] == [(sum(CYCLES) + 40, CYCLES)] * REPEATS
    assert len(found.cold.runs) == 3
    assert found.loop.micros == 100
    facts = found.identity.facts
    assert facts is not None
    assert (facts.model, facts.clock_hz, facts.clock_problem) == ("kws", 120_000_000, None)


def test_a_quiet_line() -> None:
    board = FakeBoard()
    found = measured(board)
    right(found)
    assert (found.retries, found.restarts) == (0, 0)
    assert board.resets == 3
    assert board.commands.count("wc layers 8 10") == 1, "ten to warm up, once"
    assert board.commands.count("wc layers 8 1") == 1
    assert board.commands.count("wc layers 4 1") == 1


def test_a_plain_firmware_gives_whole_inferences() -> None:
    found = measured(FakeBoard(plain=True))
    assert (found.warm, found.cold, found.outputs, found.identity.facts) == (None, None, None, None)
    assert found.singles_us == (10,) * REPEATS
    assert found.loop.each_us == 10
    assert found.results[0] == tuple(float(x) for x in answer(INPUTS[0])[:3])


def test_a_plain_firmware_is_never_taken_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckFailedError, match="not ours"):
        session(FakeBoard(plain=True)).verify(None)  # type: ignore[arg-type]


# --- what a line does

Faults = dict[int, tuple[str, bytes]]


def _on_the_way(faults: Faults) -> Callable[[int, bytes], bytes]:
    """Bytes lost, repeated, changed or added at some places of a stream."""

    def on_the_way(n: int, byte: bytes) -> bytes:
        kind, extra = faults.get(n, ("", b""))
        return {"lose": b"", "repeat": byte + byte, "change": extra, "add": byte + extra}.get(kind, byte)

    return on_the_way


def _noise() -> st.SearchStrategy[Callable[[int, bytes], bytes]]:
    kinds = st.sampled_from(["lose", "repeat", "change", "add"])
    places = st.integers(1, 9000)
    return st.dictionaries(places, st.tuples(kinds, st.binary(min_size=1, max_size=3)), max_size=6).map(_on_the_way)


@settings(max_examples=150, deadline=None)
@given(_noise(), _noise(), st.lists(st.integers(1, 4000), max_size=2), st.none() | st.integers(1, 6000))
def test_a_result_is_right_or_an_error(
    to_host: Callable[[int, bytes], bytes],
    to_device: Callable[[int, bytes], bytes],
    restarts: list[int],
    unplugged: int | None,
) -> None:
    board = FakeBoard(to_host=to_host, to_device=to_device, restarts_at=tuple(restarts), unplugged_at=unplugged)
    found = outcome(board)
    if found is not None:
        right(found)
    assert board.now < 2000, "it ends"


@settings(max_examples=60, deadline=None)
@given(_noise(), _noise(), st.lists(st.integers(1, 4000), max_size=2), st.none() | st.integers(1, 6000))
# a byte that Python calls a digit and no number: "¹00"
@example(_on_the_way({}), _on_the_way({578: ("add", b"\t\xb9")}), [], None)
@example(_on_the_way({}), _on_the_way({309: ("add", b"\xb2"), 891: ("add", b"\xa1\x01")}), [735, 2032], None)
def test_a_plain_firmware_on_a_bad_line_ends_too(
    to_host: Callable[[int, bytes], bytes],
    to_device: Callable[[int, bytes], bytes],
    restarts: list[int],
    unplugged: int | None,
) -> None:
    board = FakeBoard(
        plain=True, to_host=to_host, to_device=to_device, restarts_at=tuple(restarts), unplugged_at=unplugged
    )
    found = outcome(board)
    if found is not None:
        # the plain protocol has no checksums, so times may be wrong; nothing of ours is claimed
        assert len(found.singles_us) == REPEATS
        assert found.outputs is None
    assert board.now < 2000


class Losing(FakeBoard):
    """The ends of some of its answers to ``infer`` and ``wc`` are lost, counted from 1."""

    lost: frozenset[int] = frozenset()
    answered = 0

    def _send(self, text: str) -> None:
        if self.commands and self.commands[-1].startswith(("infer", "wc l")):
            self.answered += 1
            if self.answered in self.lost:
                text = text.replace("m-ready", "m-raedy")
        super()._send(text)


@settings(max_examples=100, deadline=None)
@given(st.booleans(), st.sets(st.integers(1, 30), max_size=12))
@example(True, {1, 3, 4, 6, 7, 8})
@example(True, {1, 3, 4, 5, 6, 8})
@example(False, {1, 2, 3, 4, 5, 7})
def test_lost_answers_teach_no_patience(plain: bool, lost: set[int]) -> None:
    board = Losing(plain=plain)
    board.lost = frozenset(lost)
    outcome(board)
    assert board.now < 2000, "the silence of a lost answer is not how long an inference takes"


def test_patience_is_learned_from_an_answer_alone() -> None:
    s = session(board := Losing(plain=True))
    board.lost = frozenset({1})
    s.load(INPUTS[0])
    s.infer(1, 0)
    assert board.now > 120, "the first answer was lost, and may have been long in coming"
    assert s.infer(1, 0).micros == 10
    start, board.lost = board.now, frozenset(range(board.answered + 1, 99))
    with pytest.raises(ExecutionError, match="does not answer 'infer 10 10' properly"):
        s.infer(10, 10)
    assert board.now - start < 30


def test_a_changed_number_of_inferences_is_asked_for_again() -> None:
    sent = bytearray()

    def more(n: int, byte: bytes) -> bytes:
        sent.extend(byte)
        return b"19" if sent.endswith(b"infer 1") and sent.count(b"infer") == 4 else byte

    board = FakeBoard(plain=True, to_device=more)
    found = measured(board)
    assert any(c.startswith("infer 19") for c in board.commands)
    assert (found.singles_us, found.retries) == ((10,) * REPEATS, 1)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3000))
def test_garbage_instead_of_a_device(garbage: bytes) -> None:
    board = FakeBoard(dead=True)
    board._waiting += garbage
    with pytest.raises(ExecutionError, match="does not answer"):
        session(board)
    assert board.now < 60


def test_a_device_that_never_stops_talking() -> None:
    board = FakeBoard(dead=True)
    board.read = lambda timeout_s: (setattr(board, "now", board.now + 0.01), b"x" * 99)[1]  # type: ignore[method-assign]
    with pytest.raises(ExecutionError, match="does not answer in MLPerf Tiny's protocol"):
        session(board)


def test_one_restart_in_the_middle_loads_the_input_again() -> None:
    quiet = FakeBoard()
    measured(quiet)
    # in the middle of what is sent after the cold runs
    board = FakeBoard(restarts_at=(quiet._received - 700,))
    found = measured(board)
    right(found)
    assert found.restarts + found.retries >= 1


def test_restarts_without_end_are_an_error() -> None:
    board = FakeBoard(restarts_at=tuple(range(150, 50_000, 40)))
    with pytest.raises(ExecutionError, match=r"restarting|does not answer"):
        measured(board)


def test_a_refusal_is_told_in_the_devices_words() -> None:
    board = FakeBoard()
    s = session(board)
    s.load(bytes(INPUT_BYTES - 1))
    with pytest.raises(ExecutionError, match=f"Input has {INPUT_BYTES - 1} bytes, expected {INPUT_BYTES}"):
        s.layers(1, 0)


# --- answers


def test_a_counter_of_32_bits_may_wrap_within_an_inference() -> None:
    layers = (3 << 30, 2 << 30)
    total = (sum(layers) + 50) % (1 << 32)
    found = measured(FakeBoard(run=lambda n: (total, *layers)))
    assert found.warm is not None
    assert {r.total for r in found.warm.runs} == {sum(layers) + 50}


def test_a_layer_longer_than_the_counter_is_noticed() -> None:
    s = session(FakeBoard(run=lambda n: (100, 60, 40)))
    s.loop = lambda count, warmups: count * 40_000_000  # type: ignore[method-assign]
    with pytest.raises(ExecutionError, match="longer than the 32-bit cycle counter"):
        measure_device(s, INPUTS, OUTPUT_BYTES, REPEATS)


@pytest.mark.parametrize(
    ("lines", "read"),
    [
        (("m-wc-layer-[0,a]", "m-wc-counter-[cycles]", "m-wc-marker-[1]", "m-wc-run-[5,4,11]"), "layers"),
        (("m-wc-layer-[1,a]", "m-wc-counter-[cycles]", "m-wc-marker-[1]", "m-wc-run-[5,4,10]"), "layers"),
        (("m-wc-layer-[0,a]", "m-wc-counter-[cycle]", "m-wc-marker-[1]", "m-wc-run-[5,4,10]"), "layers"),
        (("m-wc-layer-[0,a]", "m-wc-counter-[cycles]", "m-wc-run-[5,4,10]"), "layers"),
        (("m-wc-layer-[0,a]", "m-wc-counter-[cycles]", "m-wc-marker-[1]"), "layers"),
        (("m-wc-loop-[2,50,53]",), "loop"),
        (("m-wc-loop-[3,50,53]",), "loop"),
        ((), "loop"),
        (("m-wc-output-[0,0,0102]", "m-wc-crc-[output,0x00000000]"), "output"),
        (("m-wc-output-[0,1,01]", "m-wc-output-[0,0,01]"), "output"),
        (("m-lap-us-1",), "laps"),
        (("m-lap-us-1", "m-lap-us-2", "m-results-[1,,x]"), "laps"),
        (("m-infer-start-2", "m-lap-us-1", "m-lap-us-2", "m-results-[1]"), "laps"),
        (("m-warmup-start-1", "m-lap-us-1", "m-lap-us-2", "m-results-[1]"), "laps"),
        (("m-infer-start-l", "m-lap-us-1", "m-lap-us-2", "m-results-[1]"), "laps"),
        (("m-wc-layer-[0,a]", "m-wc-counter-[cycles]", "m-wc-marker-[1]", f"m-wc-run-[5,4,{'1' * 5000}]"), "layers"),
        (("m-wc-layer-[0,a]", "m-wc-counter-[cycles]", f"m-wc-marker-[{'1' * 5000}]", "m-wc-run-[5,4,10]"), "layers"),
        (("m-wc-output-[0," + "0" * 5000 + ",01]",), "output"),
    ],
)
def test_answers_that_cannot_be_whole(lines: tuple[str, ...], read: str) -> None:
    readers: dict[str, Callable[[], object]] = {
        "layers": lambda: answers.layer_runs(lines, 1),
        "loop": lambda: answers.loop(lines, 2),
        "output": lambda: answers.output_bytes(lines, 2),
        "laps": lambda: answers.laps(lines, 1, 0),
    }
    with pytest.raises(GarbledError):
        readers[read]()


ANSWERS: dict[str, Callable[[tuple[str, ...]], object]] = {
    "wc id": answers.facts,
    "wc crc": answers.checksums,
    "timestamp": answers.lap,
    "infer 1 0": lambda lines: answers.laps(lines, 1, 0),
    "wc loop 2 0": lambda lines: answers.loop(lines, 2),
    "wc layers 2 0": lambda lines: answers.layer_runs(lines, 2),
    "wc output": lambda lines: answers.output_bytes(lines, OUTPUT_BYTES),
}


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(sorted(ANSWERS)))
def test_a_damaged_answer_is_an_answer_or_garbled(data: st.DataObject, command: str) -> None:
    board = FakeBoard()
    board._input += INPUTS[0]
    lines = data.draw(damaged("\n".join(board._answer(command.split())))).split("\n")
    with contextlib.suppress(GarbledError):
        ANSWERS[command](tuple(lines))


def test_the_microsecond_counter_may_wrap() -> None:
    found = answers.laps(("m-lap-us-4294967290", "m-lap-us-10", "m-results-[1.5]"), 1, 0)
    assert (found.micros, found.results) == (16, (1.5,))


def test_facts_without_a_clock_are_asked_for_again() -> None:
    with pytest.raises(GarbledError):
        answers.facts(tuple(f"m-wc-{k}-[{v}]" for k, v in FACTS.items() if k != "clock-hz"))
    assert answers.facts(("e-[Unknown command: wc]",)) is None


def test_a_device_that_never_stops_talking_is_given_up() -> None:
    class Babbler(FakeBoard):
        def read(self, timeout_s: float) -> bytes:
            self.now += 0.001
            return b"m-temperature-23\r\n" * 100

    board = Babbler()
    with pytest.raises(ExecutionError, match="does not answer in MLPerf Tiny's protocol"):
        session(board)
    with pytest.raises(ExecutionError, match="does not answer"):
        Device(board, board.clock).ask("timestamp", answers.lap)


def test_a_clock_that_stands_still_is_no_fact() -> None:
    lines = tuple(f"m-wc-{k}-[{0 if k == 'clock-hz' else v}]" for k, v in FACTS.items())
    with pytest.raises(GarbledError, match="stands still"):
        answers.facts(lines)


@pytest.mark.parametrize("seconds", [10.0, 4000.0, 4294.0, 4295.0, 9000.0, 20_000.0])
@pytest.mark.parametrize("rate", [0.9, 1.0, 1.1])
def test_the_device_s_clock_is_compared_over_its_wraps(seconds: float, rate: float) -> None:
    begin = (1 << 32) - 1000
    after = (begin + round(seconds * rate * 1e6)) % (1 << 32)
    assert _clock_check((begin, 5.0), (after, 5.0 + seconds)).ratio == pytest.approx(rate)


def test_a_restart_in_the_middle_is_no_time_of_the_device_s_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    class Restarting(FakeBoard):
        """Its timer begins anew at every restart."""

        since = 0.0

        def read(self, timeout_s: float) -> bytes:
            self.now += 0.2
            return super().read(timeout_s)

        def _restart(self) -> None:
            self.since = self.now
            super()._restart()

        def _micros(self) -> int:
            return int((self.now - self.since) * 1e6)

    quiet = Restarting()
    monkeypatch.setattr("engine.targets.board.measure.time.monotonic", quiet.clock)
    found = measured(quiet)
    assert found.clock.ratio == pytest.approx(1, abs=0.02)
    assert found.clock.seconds > 2
    for share in range(1, 20):
        board = Restarting(restarts_at=(quiet._received * share // 20,))
        monkeypatch.setattr("engine.targets.board.measure.time.monotonic", board.clock)
        found = measured(board)
        assert found.clock.ratio == pytest.approx(1, abs=0.02) or found.clock.seconds < 2
