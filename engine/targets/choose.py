"""Which targets can execute a firmware, and which of them a core is run on. A further target is one entry of ``TARGETS``.

Emulators are imported only when one of them runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.errors import ToolError, UsageError
from engine.firmware.mps2 import has_mps2_machine, mps2_core, mps2_machine
from engine.targets.llvm_tools import find_llvm_tool
from engine.targets.objdump import OBJDUMP_DECODES
from engine.targets.types import Relink, Target

AUTO = "auto"
ABSENT = "absent"
"""Version of a target that is not on this machine."""

UNICORN_CORES = frozenset({"cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"})


@dataclass(frozen=True)
class TargetChoice:
    """One target: which cores it runs, how to make it, its version here (or ``ABSENT``), and what a record must say."""

    name: str
    has: Callable[[Core], bool]
    make: Callable[[Board, Core, Relink], Target]
    version: Callable[[], str]
    note: Callable[[Core], str]


def _make_unicorn(board: Board, core: Core, _relink: Relink) -> Target:
    from engine.targets.unicorn_target import UnicornTarget

    return UnicornTarget(board, core.name)


def _make_qemu(board: Board, core: Core, relink: Relink) -> Target:
    from engine.targets.qemu.target import QemuTarget

    return QemuTarget(board, core, relink)


def _qemu_version() -> str:
    from engine.targets.qemu.find import find_qemu

    try:
        return find_qemu().version
    except ToolError:
        return ABSENT


def _qemu_note(core: Core) -> str:
    stand_in = mps2_core(core)
    if stand_in == core.name:
        return ""
    return f"executed on a {stand_in} (QEMU's {mps2_machine(core)}): QEMU has no machine with a {core.name}"


TARGETS = (
    TargetChoice(
        "unicorn",
        lambda core: core.name in UNICORN_CORES,
        _make_unicorn,
        lambda: metadata.version("unicorn"),
        lambda _: "",
    ),
    TargetChoice("qemu", has_mps2_machine, _make_qemu, _qemu_version, _qemu_note),
)
"""In order of preference."""

NAMES = tuple(t.name for t in TARGETS)


def lacking(choice: TargetChoice, core: Core) -> str | None:
    """What this machine lacks of what runs a core's code on a target and decodes it; None if nothing."""
    if choice.version() == ABSENT:
        return choice.name
    if core.architecture == OBJDUMP_DECODES and find_llvm_tool("llvm-objdump") is None:
        return "llvm-objdump"
    return None


def choose_target(name: str, core: Core) -> TargetChoice:
    """The target of that name, or for ``auto`` the first one that has the core: a choice that no installation changes.

    Raises UsageError for an unknown name, and for a core that the target does not have.
    """
    if name != AUTO and name not in NAMES:
        raise UsageError(f"no target '{name}'", hint=f"one of {AUTO}, {', '.join(NAMES)}")
    able = [t for t in TARGETS if t.has(core)]
    found = next((t for t in able if name in (AUTO, t.name)), None)
    if found is None:
        others = f"use --target {able[0].name}" if able else "see `whycycles boards` for the cores that can be run"
        what = f"the target {name}" if name != AUTO else "no target"
        raise UsageError(f"{what} {'has no core' if name != AUTO else 'has a core'} {core.name}", hint=others)
    return found
