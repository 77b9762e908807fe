"""The QEMU target: exact control flow from the plugin, memory events from its trace, all told in the board's addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.catalog.load import load_core
from engine.errors import CheckFailedError
from engine.firmware.mps2 import emulated_board, mps2_core
from engine.firmware.types import Firmware
from engine.targets import state as shared
from engine.targets.attributes import check_runs_on
from engine.targets.device import Limits
from engine.targets.image import Image
from engine.targets.qemu.find import find_qemu
from engine.targets.qemu.session import QemuSession, TraceReader
from engine.targets.session import check_inputs, code_bytes, count_inferences, with_room
from engine.targets.types import Counted, Event, Execution, Follow, LaneProfile, Profile, RegionCounts, Relink
from engine.targets.watch import MemoryRun, Watched, watch_inferences


class QemuTarget:
    """Executes a firmware on the MPS2 machine of a core, as if that had the memories of one board."""

    name = "qemu"

    def __init__(
        self, board: Board, core: Core | None = None, relink: Relink | None = None, *, limits: Limits | None = None
    ) -> None:
        """``core`` defaults to the board's. ``relink`` is needed unless the firmware is linked for an MPS2 board. Raises ToolError."""
        self.board, self.core = board, core or load_core(board.core)
        self.limits = limits or Limits()
        self.version = find_qemu().version
        self._relink = relink

    def run(self, firmware: Firmware, inputs: Sequence[bytes], follow: Follow | None = None) -> Execution:
        """See ``Target.run``. The first input is traced; the others run for their outputs."""
        check_inputs(firmware, inputs)
        image = Image(firmware.elf)
        check_runs_on(image.attributes, self.core, firmware.elf.name)
        emulated, twin = self._twin(firmware)
        twin_image = image if twin is firmware else Image(twin.elf)

        def tell(event: Event) -> None:
            assert follow is not None
            if isinstance(event, Counted):
                event = Counted(event.region, _moved(event.profile, emulated, self.board))
            follow(event)

        told = tell if follow else None

        def attempt(slots: int) -> tuple[Watched, LaneProfile, Profile, tuple[bytes, ...]]:
            reader = TraceReader(firmware, image, self.board, emulated, self.core, self.limits.per_inference(firmware))
            with QemuSession(twin, twin_image, self.core, self.limits, slots, reader=reader) as session:
                session.boot()
                run = MemoryRun(reader.state, reader.system, self.board, self.core, firmware, image)
                watched = watch_inferences(session, run, inputs[0], told)
                lanes = shared.take_lanes(session.state)
                shared.take_profile(session.state)
                session.tracing = False
                profile, outputs = count_inferences(session, inputs, told)
            return watched, lanes, profile, outputs

        watched, lanes, profile, outputs = with_room(attempt)
        profile = _moved(profile, emulated, self.board)
        if watched.output != outputs[0] or watched.code_bytes != code_bytes(image, profile):
            raise CheckFailedError(
                "a traced inference and one that was not differ in output or in the code they executed",
                hint="report this with the ELF",
            )
        return Execution(
            target=self.name,
            target_version=self.version,
            profile=profile,
            cold=watched.cold,
            warm=watched.warm,
            alternatives=watched.alternatives,
            outputs=outputs,
            stack_high_water_bytes=max(watched.stack),
            stack_by_region_bytes=watched.stack,
            lanes=replace(lanes, address=_on_board(lanes.address, emulated, self.board)),
            trace=watched.trace,
        )

    def region_counts(self, firmware: Firmware, inputs: Sequence[bytes]) -> RegionCounts:
        """What QEMU itself counted in a warm inference of ``inputs[0]``: instructions as it translated them, accesses as it made them.

        ``firmware`` is one linked for the core's MPS2 board. Nothing of this goes through our decoder.
        """
        check_inputs(firmware, inputs)
        image = Image(firmware.elf)
        check_runs_on(image.attributes, self.core, firmware.elf.name)

        def attempt(slots: int) -> tuple[NDArray[np.int64], tuple[bytes, ...]]:
            with QemuSession(firmware, image, self.core, self.limits, slots, watch=True) as session:
                session.boot()
                session.infer(inputs[0])
                shared.take_totals(session.state)
                outputs = [session.infer(inputs[0])]
                totals = shared.take_totals(session.state)
                outputs += [session.infer(data) for data in inputs[1:]]
                return totals, tuple(outputs)

        totals, outputs = with_room(attempt)
        instructions, reads, read_bytes, writes, write_bytes = (tuple(column) for column in totals.T.tolist())
        return RegionCounts(
            target=self.name,
            target_version=self.version,
            machine=mps2_core(self.core),
            instructions=instructions,
            outputs=outputs,
            loads=reads,
            stores=writes,
            read_bytes=read_bytes,
            write_bytes=write_bytes,
        )

    def _twin(self, firmware: Firmware) -> tuple[Board, Firmware]:
        """The board as QEMU has it, and the firmware linked for that. Raises CheckFailedError if that is not the same code."""
        if self._relink is None:
            return self.board, firmware
        emulated = emulated_board(self.board, self.core, firmware.sections)
        twin = self._relink(emulated)
        if _layout(firmware, self.board) != _layout(twin, emulated):
            raise CheckFailedError(
                f"the links for {self.board.name} and for QEMU's machine differ in more than addresses",
                hint="report this with the model and the options: their counts could not be compared",
            )
        return emulated, twin


def _layout(firmware: Firmware, board: Board) -> list[tuple[str, str, int, int]]:
    """Every section with its memory, its place in that, and its size."""
    return sorted((s.name, s.memory, s.address - board.memory(s.memory).origin, s.bytes) for s in firmware.sections)


def _moved(profile: Profile, emulated: Board, board: Board) -> Profile:
    """A profile in the board's addresses, sorted again."""
    src, dst = (_on_board(addresses, emulated, board) for addresses in (profile.src, profile.dst))
    order = np.lexsort((dst, src, profile.region))
    return Profile(profile.region[order], src[order], dst[order], profile.count[order])


def _on_board(addresses: NDArray[np.uint32], emulated: Board, board: Board) -> NDArray[np.uint32]:
    """Addresses of the emulator as the board's; 0 is the entry and stays."""
    old = addresses.astype(np.int64)
    new = old.copy()
    for memory in emulated.memories:
        inside = (old >= memory.origin) & (old < memory.end) & (old != 0)
        new[inside] += board.memory(memory.name).origin - memory.origin
    return new.astype(np.uint32)
