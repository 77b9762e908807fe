"""The emulators whose counts must agree, each with a function that gives them in the common form. Another one is an entry here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.catalog.core import Core
from engine.counters.decode import Decoder
from engine.errors import CheckFailedError, WhycyclesError
from engine.firmware.mps2 import has_mps2_machine, mps2_board
from engine.firmware.types import Firmware
from engine.targets import layout
from engine.targets.choose import UNICORN_CORES
from engine.targets.session import same_profile
from engine.targets.types import RegionCounts


@dataclass(frozen=True)
class Emulator:
    """``missing`` says why it is not here ("" if it is); ``count`` runs a firmware that is linked for its core's MPS2 board.

    ``count`` gives the counts of a warm inference of the first input, and the output of every input. It raises ExecutionError,
    ToolError or CheckFailedError. ``trace`` does the same and compares every block, slowly; None where ``count`` sees them all.
    """

    name: str
    has: Callable[[Core], bool]
    missing: Callable[[], str]
    count: Callable[[Firmware, Core, Sequence[bytes]], RegionCounts]
    trace: Callable[[Firmware, Core, Sequence[bytes]], RegionCounts] | None = None


def _count_on_unicorn(firmware: Firmware, core: Core, inputs: Sequence[bytes]) -> RegionCounts:
    """Instructions from block counts and our decoder, accesses from the memory hooks."""
    from engine.targets.unicorn_target import UnicornTarget

    target = UnicornTarget(mps2_board(core), core.name)
    decoder = Decoder.of(firmware)
    profile, outputs = target.count(firmware, decoder.image, inputs)
    watched = target.watch(firmware, decoder.image, inputs[0])
    instructions = np.zeros(len(firmware.layers) + 1, np.int64)
    lengths = [len(decoder.block(int(start)).instructions) for start in profile.dst]
    np.add.at(instructions, profile.region, profile.count * np.array(lengths, np.int64))
    reads, read_bytes, writes, write_bytes = (tuple(c) for c in watched.totals[:, layout.T_READS :].T.tolist())
    return RegionCounts(
        target=target.name,
        target_version=target.version,
        machine=core.name,
        instructions=tuple(instructions.tolist()),
        outputs=outputs,
        loads=reads,
        stores=writes,
        read_bytes=read_bytes,
        write_bytes=write_bytes,
    )


def _count_on_qemu(firmware: Firmware, core: Core, inputs: Sequence[bytes]) -> RegionCounts:
    """Instructions as QEMU translated them, accesses as it made them: nothing of ours decodes."""
    from engine.targets.qemu.target import QemuTarget

    return QemuTarget(mps2_board(core), core).region_counts(firmware, inputs)


def _qemu_missing() -> str:
    from engine.targets.qemu.find import find_qemu

    return _why_not(find_qemu)


def _why_not(find: Callable[[], object]) -> str:
    try:
        find()
    except WhycyclesError as error:
        return f"{error.message} ({error.hint})"
    return ""


def _count_on_renode(firmware: Firmware, core: Core, inputs: Sequence[bytes]) -> RegionCounts:
    """Instructions by Renode's own counter, read at the markers; it counts no accesses."""
    from engine.targets.renode.target import count

    return count(firmware, core, inputs)


def _trace_on_renode(firmware: Firmware, core: Core, inputs: Sequence[bytes]) -> RegionCounts:
    """The same with loads and stores from an execution trace, whose edges between blocks must be Unicorn's; without, where that is too long."""
    from engine.targets.renode.target import MOST_TRACED, count, trace
    from engine.targets.unicorn_target import UnicornTarget

    counts = count(firmware, core, inputs)
    if sum(counts.instructions) > MOST_TRACED:
        return counts
    traced = trace(firmware, core, inputs[0], accesses=True)
    ours, _ = UnicornTarget(mps2_board(core), core.name).count(firmware, Decoder.of(firmware).image, inputs[:1])
    if not same_profile(traced.profile, ours):
        raise CheckFailedError(
            "the trace has other edges between blocks than unicorn counted",
            hint="one of the two emulators, or the reading of the trace, is wrong: report this with the ELF",
        )
    return replace(counts, loads=traced.loads, stores=traced.stores)


def _renode_has(core: Core) -> bool:
    from engine.targets.renode.machines import renode_machine

    try:
        renode_machine(core)
    except WhycyclesError:
        return False
    return True


def _renode_missing() -> str:
    from engine.targets.renode.find import find_renode

    return _why_not(find_renode)


EMULATORS = (
    Emulator("unicorn", lambda core: core.name in UNICORN_CORES, str, _count_on_unicorn),
    Emulator("qemu", has_mps2_machine, _qemu_missing, _count_on_qemu),
    Emulator("renode", _renode_has, _renode_missing, _count_on_renode, _trace_on_renode),
)
"""The first one that has a core is what the others are compared with."""
