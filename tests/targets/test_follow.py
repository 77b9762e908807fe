"""Following an inference: every region once and in order, complete when it is told, nothing after a failure."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from engine.targets import layout as at
from engine.targets.follow import POLL_S, following
from engine.targets.session import same_profile
from engine.targets.types import Counted, Event, Moved, Profile, Settled, Watching
from engine.targets.unicorn_target import UnicornTarget
from tests.targets import kit
from tests.targets.conftest import Builder
from tests.targets.test_unicorn import INPUT, LIMITS


def header(layers: int) -> np.typing.NDArray[np.int64]:
    state = np.zeros(at.HEADER, np.int64)
    state[at.H_LAYERS] = layers
    return state


def test_what_is_told_adds_up_to_the_execution(make: Builder) -> None:
    told: list[Event] = []
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    execution = UnicornTarget(kit.board("cortex-m4"), limits=LIMITS).run(firmware, [INPUT], told.append)
    assert isinstance(told[0], Watching)
    assert [e.region for e in told if isinstance(e, Moved)] == [0, 1, 2, 3]
    (settled,) = (e for e in told if isinstance(e, Settled))
    assert (settled.cold, settled.warm) == (execution.cold, execution.warm)
    counted = [e for e in told if isinstance(e, Counted)]
    assert told[-4:] == counted
    assert [e.region for e in counted] == [0, 1, 2, 3]
    columns = ([getattr(e.profile, name) for e in counted] for name in ("region", "src", "dst", "count"))
    assert same_profile(Profile(*(np.concatenate(c) for c in columns)), execution.profile)
    read = sum(e.read_bytes for e in told if isinstance(e, Moved))
    assert read == sum(e.read_bytes for e in execution.warm.events)


def test_a_layer_is_told_when_the_next_one_opens() -> None:
    state, seen, second = header(3), [], threading.Event()

    def ended(region: int) -> None:
        seen.append(region)
        if region == 1:
            second.set()

    with following(state, ended):
        state[at.H_OPENED] = 3
        assert second.wait(10)
        assert seen == [0, 1]
    assert seen == [0, 1, 2, 3]


def test_nothing_is_told_after_a_failure() -> None:
    state, seen = header(2), []
    state[at.H_OPENED] = 2  # an earlier inference's

    def fail() -> None:
        with following(state, seen.append):
            threading.Event().wait(3 * POLL_S)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert seen == []
    assert "following" not in {t.name for t in threading.enumerate()}


def test_what_the_listener_raises_reaches_the_caller() -> None:
    state, raised = header(2), threading.Event()

    def ended(_: int) -> None:
        raised.set()
        raise ValueError("mine")

    def infer() -> None:
        with following(state, ended):
            state[at.H_OPENED] = 2
            assert raised.wait(10)

    with pytest.raises(ValueError, match="mine"):
        infer()
