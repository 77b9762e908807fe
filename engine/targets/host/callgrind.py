"""Valgrind's callgrind over our program: a dump at every marker, so its counts fall apart into layers."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from engine.errors import ExecutionError, ToolError
from engine.firmware.host import HostProgram
from engine.records.host import HostCache, HostCounts, HostLayer, HostMachine, HostSimulation
from engine.records.store import listed
from engine.targets.digits import whole
from engine.targets.host.process import TIMEOUT_S, run_pinned

HINT = "install valgrind (apt install valgrind)"
"""How to get the tool."""

_WARM_UP = 1
_EVENTS = ("Ir", "Dr", "Dw", "I1mr", "D1mr", "D1mw", "ILmr", "DLmr", "DLmw", "Bc", "Bcm", "Bi", "Bim")
_LAYER = "--dump-before=wc_layer_end"
_CREATOR = re.compile(r"^creator: (\S+)", re.MULTILINE)
_CACHE = re.compile(r"^desc: ((?:I1|D1|LL) cache: .*)$", re.MULTILINE)


@dataclass(frozen=True)
class _Part:
    """One dump: what caused it, and what was counted since the one before, by event."""

    trigger: str
    counts: dict[str, int]


def find_valgrind() -> Path:
    """The tool on the PATH. Raises ToolError."""
    found = shutil.which("valgrind")
    if found is None:
        raise ToolError("valgrind is not installed", hint=HINT)
    return Path(found)


def simulate(
    program: HostProgram,
    data: bytes,
    machine: HostMachine,
    cpu: int,
    *,
    valgrind: Path | None = None,
    timeout_s: float = TIMEOUT_S,
) -> HostSimulation:
    """Count the second inference of an input, layer by layer, with caches as large as this machine's.

    Raises ToolError where valgrind is missing or writes something else than its format, ExecutionError where it hangs or fails.
    """
    tool = valgrind or find_valgrind()
    with tempfile.TemporaryDirectory(prefix="whycycles-callgrind-") as folder:
        out = Path(folder) / "callgrind.out"
        command: list[str | Path] = [
            tool, "--tool=callgrind", "--cache-sim=yes", "--branch-sim=yes", *cache_options(machine), "--combine-dumps=yes",
            "--dump-line=no", "--dump-after=wc_layer_begin", _LAYER, f"--callgrind-out-file={out}", program.path, "count", str(_WARM_UP),
        ]  # fmt: skip
        run_pinned(command, what="callgrind", cpu=cpu, stdin=data, timeout_s=timeout_s)
        try:
            text = out.read_text("utf-8", errors="replace")
        except OSError as error:
            raise ToolError(f"callgrind ended well, but left no counts: {error.strerror}", hint=HINT) from None
    return parse_callgrind(text, program)


def cache_options(machine: HostMachine) -> list[str]:
    """Valgrind's options for the machine's own caches; those it cannot simulate (sets that are no power of two) it chooses itself."""
    first = machine.cache(1, "data", "unified")
    chosen = (("I1", machine.cache(1, "instruction", "unified")), ("D1", first), ("LL", machine.last_level))
    return [f"--{name}={c.bytes},{c.ways},{c.line_bytes}" for name, c in chosen if c is not None and _simulable(c)]


def _simulable(cache: HostCache) -> bool:
    sets, rest = divmod(cache.bytes, cache.ways * cache.line_bytes) if cache.ways else (0, 1)
    return not rest and sets > 0 and sets & (sets - 1) == 0


def parse_callgrind(text: str, program: HostProgram) -> HostSimulation:
    """Layers of the last inference in callgrind's output. Raises ToolError for another format, ExecutionError for missing layers."""
    creator = _CREATOR.search(text)
    parts = [p for p in _parts(text) if p.trigger == _LAYER]
    wanted = (_WARM_UP + 1) * len(program.layers)
    if creator is None or not text.startswith("# callgrind format"):
        raise ToolError("callgrind's output is not in callgrind's format", hint=HINT)
    if len(parts) != wanted:
        raise ExecutionError(
            f"callgrind saw {len(parts)} layers instead of {wanted}", hint="report this with the version of valgrind"
        )
    try:
        layers = tuple(
            HostLayer(index=x.index, name=x.name, op=x.op, kernel=x.kernel, macs=x.macs, **_counts(part.counts))
            for x, part in zip(program.layers, parts[-len(program.layers) :], strict=True)
        )
    except ValidationError as error:
        raise ToolError(f"callgrind's counts contradict each other: {listed(error)[0]}", hint=HINT) from None
    total = {name: sum(getattr(x, name) for x in layers) for name in HostCounts.model_fields}
    return HostSimulation(
        tool=creator[1], caches=tuple(dict.fromkeys(_CACHE.findall(text))), layers=layers, total=HostCounts(**total)
    )


def _parts(text: str) -> Sequence[_Part]:
    found: list[_Part] = []
    events: list[str] = []
    trigger = ""
    for line in text.splitlines():
        word, _, rest = line.partition(": ")
        if word == "desc" and rest.startswith("Trigger: "):
            trigger = rest.removeprefix("Trigger: ")
        elif word == "events":
            events = rest.split()
            if missing := set(_EVENTS) - set(events):
                raise ToolError(f"callgrind does not count {sorted(missing)[0]}", hint=HINT)
        elif word == "summary":
            numbers = [n for word in rest.split() if (n := whole(word)) is not None]
            if len(numbers) > len(events) or len(numbers) != len(rest.split()):
                raise ToolError(f"callgrind's summary is not understood: {line[:60]!r}", hint=HINT)
            # zeros at the end are left out
            values = numbers + [0] * (len(events) - len(numbers))
            found.append(_Part(trigger, dict(zip(events, values, strict=True))))
    return found


def _counts(c: dict[str, int]) -> dict[str, int]:
    return {
        "instructions": c["Ir"],
        "reads": c["Dr"],
        "writes": c["Dw"],
        "i1_misses": c["I1mr"],
        "d1_misses": c["D1mr"] + c["D1mw"],
        "ll_misses": c["DLmr"] + c["DLmw"],
        "branches": c["Bc"] + c["Bi"],
        "mispredictions": c["Bcm"] + c["Bim"],
    }
