"""The notes that the hooks left: counts of executed instructions at markers, turned into instructions per region."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from engine.errors import ExecutionError
from engine.firmware.types import Firmware

_LINE = re.compile(r"^(ready|infer|open|close|back|done|fault) ([0-9]{1,19}) 0x([0-9a-f]{1,16})$")
_HINT = "report this with the ELF and Renode's version"


@dataclass(frozen=True)
class Event:
    """The CPU was about to execute the instruction at ``pc``, after ``executed`` others since reset."""

    name: str
    executed: int
    pc: int


def read_events(text: str) -> tuple[Event, ...]:
    """Every complete line. Raises ExecutionError for one that no hook of ours writes, and for counts that run backwards."""
    found: list[Event] = []
    for line in text.splitlines(keepends=True):
        if not line.endswith("\n"):
            break  # still being written
        match = _LINE.match(line.strip())
        if match is None:
            raise ExecutionError(f"a hook wrote '{line.strip()[:80]}'", hint=_HINT)
        found.append(Event(match[1], int(match[2]), int(match[3], 16)))
    for before, after in pairwise(found):
        if after.executed < before.executed:
            raise ExecutionError(
                f"the count of executed instructions went from {before.executed} to {after.executed}", hint=_HINT
            )
    return tuple(found)


def region_instructions(events: tuple[Event, ...], firmware: Firmware) -> tuple[tuple[int, ...], ...]:
    """Instructions per region (layers, then the glue) of each inference that has returned.

    A layer lasts from the instruction behind the return of ``wc_layer_begin`` to the first of ``wc_layer_end``; the rest of
    ``wc_infer``, the markers included, is the glue. Raises ExecutionError where markers do not pair.
    """
    done: list[tuple[int, ...]] = []
    layers: list[int] = []
    start = opened = -1
    for event in events:
        if event.name == "infer":
            start, opened, layers = event.executed, -1, []
        elif event.name == "open":
            if start < 0:
                raise ExecutionError("wc_layer_begin outside wc_infer", hint="only generated code may call the markers")
            # a marker may try several returns: the last one tried is the one taken, and it is an instruction itself
            opened = event.executed + 1
        elif event.name == "close":
            if opened < 0:
                raise ExecutionError("wc_layer_end without an open layer", hint="every end needs its begin")
            layers.append(event.executed - opened)
            opened = -1
        elif event.name == "back":
            if start < 0:
                raise ExecutionError("wc_infer returned without having been entered", hint=_HINT)
            if len(layers) != len(firmware.layers) or opened >= 0:
                raise ExecutionError(
                    f"{len(layers)} of {len(firmware.layers)} layers were opened and closed by their markers",
                    hint="every layer needs one wc_layer_begin and one wc_layer_end",
                )
            done.append((*layers, event.executed - start - sum(layers)))
            start = -1
    return tuple(done)


def progress(events: tuple[Event, ...], firmware: Firmware) -> str:
    """Where a run that did not finish was, for messages: ", in layer 3 (conv_2d) of inference 2"."""
    names = [e.name for e in events if e.name != "fault"]
    if "ready" not in names:
        return ", during start-up"
    inference = names.count("infer")
    if not inference:
        return ", before the first inference"
    since = names[len(names) - 1 - names[::-1].index("infer") :]
    if "back" in since:
        return f", after inference {inference}"
    closed = since.count("close")
    if since[-1] == "open" and closed < len(firmware.layers):
        return f", in layer {closed} ({firmware.layers[closed].name}) of inference {inference}"
    return f", between layers of inference {inference}"
