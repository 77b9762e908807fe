"""What a user chooses for one run, resolved to real things."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace

from engine.catalog.board import Board, MemoryKind, Placement, placement_problem
from engine.catalog.core import Core
from engine.catalog.load import board_sha256, list_boards, load_board, load_core
from engine.catalog.override_text import Override, parse_override
from engine.catalog.overrides import override
from engine.errors import UsageError
from engine.firmware.types import CompilerName, KernelLibrary, Lowering
from engine.models.library import ModelRef, resolve_model
from engine.targets.choose import AUTO, TargetChoice, choose_target

OPTS = ("O0", "O1", "O2", "O3", "Os")
_MOST_OF_A_NAME = 100
PARTS = tuple(Placement.model_fields)


@dataclass(frozen=True)
class RunSettings:
    """One run as a user writes it; ``model`` and ``board`` are names or paths.

    ``place`` holds (part, memory), ``set`` (key, value) overrides as ``parse_place`` and ``parse_set`` give them.
    """

    model: str
    board: str
    kernels: KernelLibrary = KernelLibrary.CMSIS_NN
    compiler: CompilerName = CompilerName.CLANG
    opt: str = "O2"
    clock_mhz: float | None = None
    place: tuple[tuple[str, str], ...] = ()
    lowering: Lowering = Lowering.TFLM
    set: tuple[tuple[str, str], ...] = ()
    target: str = AUTO


@dataclass(frozen=True, eq=False)
class ResolvedRun:
    """The same run with its model, board and core loaded.

    ``catalogued`` are board and core as their files say, ``described`` and ``core`` the same with the figures that were set;
    ``board`` is ``described`` with the placement overrides applied, ``target`` what runs it.
    """

    settings: RunSettings
    model: ModelRef
    catalogued: tuple[Board, Core]
    described: Board
    board: Board
    core: Core
    clock_mhz: float
    target: TargetChoice

    @property
    def id(self) -> str:
        """Name of the run."""
        return run_id(self.settings, self.model.name, self.catalogued[0], self.clock_mhz)


def run_id(settings: RunSettings, model: str, catalogued: Board, clock_mhz: float) -> str:
    """Name of a run: the same settings give the same name on every machine. ``catalogued`` is the board as its file says.

    A board that is not of the catalogue carries a digest, as its description may change under its name. A target is named if ``auto``
    means another one.
    """
    known = catalogued.name in {b.name for b in list_boards()}
    board = catalogued.name if known else f"{catalogued.name}-{board_sha256(catalogued)[:6]}"
    parts = [slug(model), board, settings.kernels.value, f"{settings.compiler.value}-{settings.opt.lower()}"]
    parts.append(f"{clock_mhz:g}mhz")
    parts += [f"{part}-in-{memory}" for part, memory in sorted(settings.place)]
    parts += _set_parts(overrides_of(settings))
    if settings.lowering is not Lowering.TFLM:
        parts.append(settings.lowering.value)
    core = load_core(catalogued.core)
    target = choose_target(settings.target, core)
    if target != choose_target(AUTO, core):
        parts.append(target.name)
    return "_".join(parts)


def resolve(settings: RunSettings) -> ResolvedRun:
    """Load what the settings name. Raises UsageError, CatalogError or ModelError.

    A placement may name a kind of memory ("sram") where no memory is called so: the activations' if it is of that kind, else the
    board's first. The settings of the result name the memory, and no part that lies there anyway: one run has one name.
    """
    if settings.opt not in OPTS:
        raise UsageError(f"no optimisation level '{settings.opt}'", hint=f"one of {', '.join(OPTS)}")
    if settings.lowering is Lowering.MICROTVM and settings.kernels is not KernelLibrary.CMSIS_NN:
        raise UsageError(
            f"the microtvm lowering calls CMSIS-NN's kernels, not {settings.kernels}",
            hint="use --kernels cmsis-nn, or leave --lowering out",
        )
    catalogued = load_board(settings.board)
    check_own_name(catalogued)
    table = load_core(catalogued.core)
    described, core = override(catalogued, table, overrides_of(settings))
    place = _named(described, settings.place)
    board = _place(described, place)
    return ResolvedRun(
        replace(settings, place=place),
        resolve_model(settings.model),
        (catalogued, table),
        described,
        board,
        core,
        clock_of(board, settings.clock_mhz),
        choose_target(settings.target, core),
    )


def clock_of(board: Board, clock_mhz: float | None) -> float:
    """The clock a board is asked to run at (None: its default), in MHz. Raises UsageError for one it does not have."""
    clock = float(board.default_clock_mhz if clock_mhz is None else clock_mhz)
    # written so that NaN is refused too
    if not 0 < clock <= board.max_clock_mhz.value:
        raise UsageError(
            f"{board.name} does not run at {clock:g} MHz",
            hint=f"choose a clock above 0 and up to {board.max_clock_mhz.value:g} MHz",
        )
    return clock


def check_own_name(board: Board) -> None:
    """A user's board must not pass for one of the catalogue. Raises UsageError."""
    for known in list_boards():
        if known.name == board.name and board_sha256(known) != board_sha256(board):
            raise UsageError(
                f"the board file calls itself {board.name}, but the catalogue's {board.name} is another board",
                hint="change `name` (and `title`) in the board file",
            )


def parse_set(text: str) -> tuple[str, str]:
    """``flash.wait_states=3`` as a (key, value) pair, the value in its shortest spelling. Raises UsageError."""
    parsed = parse_override(text)
    return parsed.key, parsed.value


def overrides_of(settings: RunSettings) -> tuple[Override, ...]:
    """The figures that a run sets, by key."""
    return tuple(Override(key, value) for key, value in sorted(settings.set))


def parse_place(text: str) -> tuple[str, str]:
    """``weights=sram`` as a (part, memory) pair; a memory, or a kind of one (see ``resolve``). Raises UsageError."""
    part, equals, memory = text.partition("=")
    if not equals or part not in PARTS or not memory or "," in memory:
        raise UsageError(
            f"--place {text} is not understood",
            hint=f"write PART=MEMORY, PART one of {', '.join(PARTS)}; one --place for each part",
        )
    return part, memory


def _named(board: Board, overrides: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The overrides with kinds of memories replaced by memories, without those that change nothing. Raises UsageError."""
    found: dict[str, str] = {}
    for part, memory in overrides:
        if part in found:
            raise UsageError(f"--place {part}={memory}: {part} is placed twice", hint="leave one of the two out")
        found[part] = _memory_of(board, memory)
    return tuple((part, memory) for part, memory in found.items() if memory != getattr(board.placement, part))


def _memory_of(board: Board, name: str) -> str:
    """The memory that a placement means by a name; a name that means none stays as it is."""
    if name in {m.name for m in board.memories} or name not in tuple(MemoryKind):
        return name
    of_kind = [m.name for m in board.memories if m.kind is MemoryKind(name)]
    return board.placement.activations if board.placement.activations in of_kind else next(iter(of_kind), name)


def _place(board: Board, overrides: tuple[tuple[str, str], ...]) -> Board:
    if not overrides:
        return board
    names = [m.name for m in board.memories]
    for part, memory in overrides:
        if memory not in names:
            raise UsageError(f"{board.name} has no memory '{memory}' for its {part}", hint=f"one of {', '.join(names)}")
    placement = board.placement.model_copy(update=dict(overrides))
    problem = placement_problem(placement, board.memories)
    if problem is not None:
        raise UsageError(f"{board.name}: {problem}", hint=problem.hint)
    return board.model_copy(update={"placement": placement})


def _set_parts(overrides: tuple[Override, ...]) -> list[str]:
    """What the overrides add to a run's name; their digest where they would make it longer than a file name may be."""
    parts = [f"{o.key}-{slug(o.value)}" for o in overrides]
    if sum(map(len, parts)) <= _MOST_OF_A_NAME:
        return parts
    return [f"{len(parts)}-set-{hashlib.sha256(' '.join(map(str, overrides)).encode()).hexdigest()[:8]}"]


def slug(name: str) -> str:
    """A name as a part of a file name: lower-case letters, digits, dots and dashes."""
    return re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.") or "model"
