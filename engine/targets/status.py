"""What this machine can execute on, for ``whycycles doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

from engine.errors import WhycyclesError


@dataclass(frozen=True)
class TargetStatus:
    """One target: usable or not, with its version, what it offers, and what is missing otherwise."""

    name: str
    available: bool
    version: str
    detail: str


def targets_status() -> tuple[TargetStatus, ...]:
    """Every target this version has. Never raises: a broken installation is an unavailable target with the reason."""
    return (_unicorn(), _qemu(), _renode())


def _renode() -> TargetStatus:
    try:
        from engine.targets.renode.find import find_renode

        found = find_renode()
    except WhycyclesError as error:
        return TargetStatus("renode", False, "", f"{error.message}; {error.hint}")
    return TargetStatus("renode", True, found.version, f"{found.runtime}, {found.path}; a third count, no M55 or M85")


def _unicorn() -> TargetStatus:
    try:
        from engine.targets.machine import SUPPORTED_CORES
        from engine.targets.unicorn_target import UnicornTarget

        tools = ", ".join(f"{name} {metadata.version(name)}" for name in ("capstone", "numba"))
    except Exception as error:  # any failure to import native code must not stop the doctor
        return TargetStatus("unicorn", False, "", f"cannot be used: {error}; reinstall with pip install unicorn")
    return TargetStatus("unicorn", True, UnicornTarget.version, f"cores {', '.join(SUPPORTED_CORES)}; with {tools}")


def _qemu() -> TargetStatus:
    from engine.catalog.load import list_cores
    from engine.firmware.mps2 import has_mps2_machine, mps2_core
    from engine.targets.qemu.process import check_plugin

    try:
        qemu = check_plugin()
    except WhycyclesError as error:
        return TargetStatus("qemu", False, "", f"{error.message}; {error.hint}")
    cores = [
        c.name if mps2_core(c) == c.name else f"{c.name} (on {mps2_core(c)})"
        for c in list_cores()
        if has_mps2_machine(c)
    ]
    return TargetStatus("qemu", True, qemu.version, f"cores {', '.join(cores)}; our plugin is compiled and taken")
