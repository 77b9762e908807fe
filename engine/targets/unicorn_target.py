"""The default target: Unicorn with native hooks. Two runs: one watches memory, one counts control flow; outputs must agree."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from engine.catalog.board import Board, Memory
from engine.catalog.load import load_core
from engine.errors import CheckFailedError, ExecutionError
from engine.firmware.types import Firmware
from engine.targets import state as shared
from engine.targets.attributes import check_runs_on
from engine.targets.device import Limits
from engine.targets.image import Image
from engine.targets.machine import Machine
from engine.targets.session import (
    TRACE_WORDS,
    Session,
    check_inputs,
    code_bytes,
    count_inferences,
    with_room,
)
from engine.targets.types import Execution, Follow, Profile
from engine.targets.untyped import binding, unicorn, unicorn_const
from engine.targets.watch import MemoryRun, Watched, watch_inferences

EXIT_BYTES = 2  # the breakpoint an inference returns to


class UnicornTarget:
    """Executes a firmware on one emulated core with the memories of one board."""

    name = "unicorn"
    version = str(unicorn.__version__)

    def __init__(self, board: Board, core: str | None = None, *, limits: Limits | None = None) -> None:
        """``core`` defaults to the board's; ``limits`` bound run-aways."""
        self.board, self.core, self.limits = board, core or board.core, limits or Limits()

    def run(self, firmware: Firmware, inputs: Sequence[bytes], follow: Follow | None = None) -> Execution:
        """See ``Target.run``. The memory run uses the first input only."""
        check_inputs(firmware, inputs)
        image = Image(firmware.elf)
        check_runs_on(image.attributes, load_core(self.core), firmware.elf.name)
        # memory first: a region's cycles are known as soon as its instructions are counted
        memory = self.watch(firmware, image, inputs[0], follow)
        profile, outputs = self.count(firmware, image, inputs, follow)
        if memory.output != outputs[0]:
            raise CheckFailedError(
                "the run that watches memory gave another output than the run that counts",
                hint="the emulator's memory hooks disturbed the program: report this with the ELF",
            )
        if memory.code_bytes != code_bytes(image, profile) + EXIT_BYTES:
            raise CheckFailedError(
                f"the run that watches memory executed {memory.code_bytes} bytes of code, "
                f"the one that counts {code_bytes(image, profile) + EXIT_BYTES}",
                hint="the emulator's memory hooks disturbed the program: report this with the ELF",
            )
        return Execution(
            target=self.name,
            target_version=self.version,
            profile=profile,
            cold=memory.cold,
            warm=memory.warm,
            alternatives=memory.alternatives,
            outputs=outputs,
            stack_high_water_bytes=max(memory.stack),
            stack_by_region_bytes=memory.stack,
            trace=memory.trace,
        )

    def watch(self, firmware: Firmware, image: Image, data: bytes, follow: Follow | None = None) -> Watched:
        """The memory run alone."""
        session = Watching(self, firmware, image)
        session.boot()
        run = MemoryRun(session.state, session.system, self.board, load_core(self.core), firmware, image)
        return watch_inferences(session, run, data, follow)

    def count(
        self, firmware: Firmware, image: Image, inputs: Sequence[bytes], follow: Follow | None = None
    ) -> tuple[Profile, tuple[bytes, ...]]:
        """The counting run alone: the profile of the second inference of ``inputs[0]``, and every output."""

        def attempt(slots: int) -> tuple[Profile, tuple[bytes, ...]]:
            session = Counting(self, firmware, image, slots)
            session.boot()
            return count_inferences(session, inputs, follow)

        return with_room(attempt)


def native_address(name: str) -> int:
    """Address of a function of the Unicorn library."""
    return ctypes.cast(getattr(binding.uclib, name), ctypes.c_void_p).value or 0


class UnicornSession(Session):
    """A machine with native hooks attached."""

    device: Machine

    def __init__(self, target: UnicornTarget, firmware: Firmware, image: Image) -> None:
        super().__init__(firmware, image, Machine(firmware, image, target.board, target.core, target.limits))
        self.limit = target.limits.per_inference(firmware)
        self.stop_address = native_address("uc_emu_stop")

    def attach(self, kind: int, callback_address: int, begin: int = 1, end: int = 0) -> None:
        """Attach a native callback over [begin, end]; begin > end means everywhere."""
        handle = binding.uc_hook_h()
        status = binding.uclib.uc_hook_add(
            self.device.uc._uch,
            ctypes.byref(handle),
            kind,
            ctypes.c_void_p(callback_address),
            ctypes.c_void_p(self.state.ctypes.data),
            ctypes.c_uint64(begin),
            ctypes.c_uint64(end),
        )
        if status != unicorn_const.UC_ERR_OK:
            raise ExecutionError(f"unicorn refused a hook: {unicorn.UcError(status)}", hint="reinstall unicorn")


class Counting(UnicornSession):
    """The run that counts edges; ``slots`` is the size of its table, a power of two."""

    def __init__(self, target: UnicornTarget, firmware: Firmware, image: Image, slots: int) -> None:
        from engine.targets.edge_hook import count_edge

        super().__init__(target, firmware, image)
        self.state = shared.counting_state(firmware, image, self.limit, self.device.sentinel, self.stop_address, slots)
        self.attach(unicorn_const.UC_HOOK_BLOCK, count_edge.address)


class Watching(UnicornSession):
    """The run that watches memory: every fetch and access goes through the simulated memory system of the board."""

    def __init__(self, target: UnicornTarget, firmware: Firmware, image: Image) -> None:
        """Attach the hooks; the caches are empty."""
        from engine.targets.memory_hook import data_access, fetch_block

        super().__init__(target, firmware, image)
        self.board = target.board
        self.state, self.system = shared.memory_state(
            firmware,
            image,
            target.board,
            self.limit,
            self.device.sentinel,
            load_core(target.core).data_port_bytes,
            stop_address=self.stop_address,
            record_words=TRACE_WORDS,
            register_functions=(native_address("uc_reg_read"), native_address("uc_reg_write")),
        )
        self.attach(unicorn_const.UC_HOOK_BLOCK, fetch_block.address)
        # a read that crosses a page calls MEM_READ three times, MEM_READ_AFTER once
        kinds = unicorn_const.UC_HOOK_MEM_READ_AFTER | unicorn_const.UC_HOOK_MEM_WRITE
        # one hook around all of them: each further one slows every access down
        used = self._used()
        self.attach(kinds, data_access.address, min(m.origin for m in used), max(m.end for m in used) - 1)

    def _used(self) -> tuple[Memory, ...]:
        """Memories that hold a part of the firmware."""
        parts = [s.address for s in self.firmware.sections] + [s.runs_at for s in self.image.segments]
        return tuple(m for m in self.board.memories if any(m.origin <= a < m.end for a in parts))
