"""The default target: Unicorn with native hooks. Two runs: one counts control flow, one watches memory; outputs must agree."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.catalog.board import Board, Memory
from engine.catalog.load import load_core
from engine.errors import CheckFailedError, ExecutionError, UsageError
from engine.firmware.types import Firmware
from engine.targets import layout as at
from engine.targets import state as shared
from engine.targets.image import Image
from engine.targets.machine import Limits, Machine
from engine.targets.types import Execution, MemoryProfile, Profile
from engine.targets.untyped import binding, unicorn, unicorn_const

if TYPE_CHECKING:
    from engine.targets.state import State

_FIRST_SLOTS = 1 << 14
_MOST_SLOTS = 1 << 22
EXIT_BYTES = 2  # the breakpoint an inference returns to
_STEADY_TRIES = 4  # inferences until the memory system repeats itself
_STOP_TEXT = {
    at.Stop.BUDGET: ("ran away: more code executed than any real kernel needs", "an endless loop, most likely"),
    at.Stop.BEGIN_INSIDE_LAYER: ("wc_layer_begin inside an open layer", "every begin needs its end"),
    at.Stop.END_OUTSIDE_LAYER: ("wc_layer_end without an open layer", "every end needs its begin"),
    at.Stop.TOO_MANY_LAYERS: (
        "more layers opened than the firmware describes",
        "build firmware and layer list together",
    ),
    at.Stop.OUTSIDE_CODE: ("jump out of the code", "a function pointer or a return address was overwritten"),
}


class UnicornTarget:
    """Executes a firmware on one emulated core with the memories of one board."""

    name = "unicorn"
    version = str(unicorn.__version__)

    def __init__(self, board: Board, core: str | None = None, *, limits: Limits | None = None) -> None:
        """``core`` defaults to the board's; ``limits`` bound run-aways."""
        self.board, self.core, self.limits = board, core or board.core, limits or Limits()

    def run(self, firmware: Firmware, inputs: Sequence[bytes]) -> Execution:
        """See ``Target.run``. The memory run uses the first input only."""
        check_inputs(firmware, inputs)
        image = Image(firmware.elf)
        profile, outputs = self.count(firmware, image, inputs)
        memory = self._watch(firmware, image, inputs[0])
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
            outputs=outputs,
            stack_high_water_bytes=max(memory.stack),
            stack_by_region_bytes=memory.stack,
        )

    def count(self, firmware: Firmware, image: Image, inputs: Sequence[bytes]) -> tuple[Profile, tuple[bytes, ...]]:
        """The counting run alone: the profile of the second inference of ``inputs[0]``, and every output."""
        slots = _FIRST_SLOTS
        while True:
            session = Counting(self, firmware, image, slots)
            try:
                return session.run(inputs)
            except _TableFullError:
                slots *= 4
                if slots > _MOST_SLOTS:
                    raise ExecutionError(
                        f"more than {_MOST_SLOTS // 2} different edges in one inference",
                        hint="report this with the ELF",
                    ) from None

    def _watch(self, firmware: Firmware, image: Image, data: bytes) -> _Watched:
        return Watching(self, firmware, image).run(data)


def code_bytes(image: Image, profile: Profile) -> int:
    """Bytes of code that a profile's blocks hold, each as often as it was entered."""
    ends = np.array(sorted(image.block_ends), np.int64)
    starts = profile.dst.astype(np.int64)
    return int(((ends[np.searchsorted(ends, starts, "right")] - starts) * profile.count).sum())


def check_inputs(firmware: Firmware, inputs: Sequence[bytes]) -> None:
    """Raises UsageError unless every entry has the size of all model inputs together."""
    need = sum(t.bytes for t in firmware.inputs)
    if not inputs:
        raise UsageError("no input to run", hint="give at least one")
    for n, entry in enumerate(inputs):
        if len(entry) != need:
            raise UsageError(f"input {n} has {len(entry)} bytes, the model takes {need}", hint="check the input file")


class _TableFullError(Exception):
    """The edge table was too small; run again with a larger one."""


def native_address(name: str) -> int:
    """Address of a function of the Unicorn library."""
    return ctypes.cast(getattr(binding.uclib, name), ctypes.c_void_p).value or 0


class Session:
    """A machine with native hooks attached; knows how to explain why they stopped it."""

    def __init__(self, target: UnicornTarget, firmware: Firmware, image: Image) -> None:
        self.firmware, self.image = firmware, image
        self.machine = Machine(firmware, image, target.board, target.core, target.limits)
        self.machine.check = self._check
        self.limit = target.limits.per_inference(firmware)
        self.stop_address = native_address("uc_emu_stop")
        self.state: State = np.zeros(at.HEADER, np.int64)

    def attach(self, kind: int, callback_address: int, begin: int = 1, end: int = 0) -> None:
        """Attach a native callback over [begin, end]; begin > end means everywhere."""
        handle = binding.uc_hook_h()
        status = binding.uclib.uc_hook_add(
            self.machine.uc._uch,
            ctypes.byref(handle),
            kind,
            ctypes.c_void_p(callback_address),
            ctypes.c_void_p(self.state.ctypes.data),
            ctypes.c_uint64(begin),
            ctypes.c_uint64(end),
        )
        if status != unicorn_const.UC_ERR_OK:
            raise ExecutionError(f"unicorn refused a hook: {unicorn.UcError(status)}", hint="reinstall unicorn")

    def boot(self) -> None:
        """Reset and run to ``wc_idle``: hooks are attached (they must be before translation) and guard, but count nothing."""
        self.machine.reset(self.where)

    def infer(self, data: bytes) -> bytes:
        """One inference with the hooks counting."""
        shared.begin_inference(self.state)
        self.state[at.H_ACTIVE] = 1
        output = self.machine.infer_once(data, self.where)
        self.state[at.H_ACTIVE] = 0
        opened, layers = int(self.state[at.H_OPENED]), len(self.firmware.layers)
        if opened != layers or self.state[at.H_REGION] != layers or self.state[at.H_PENDING] >= 0:
            raise ExecutionError(
                f"{opened} of {layers} layers were opened and closed by their markers",
                hint="every layer needs one wc_layer_begin and one wc_layer_end",
            )
        return output

    def where(self) -> str:
        """ ", in layer 3 (conv_2d)" for error messages, empty outside inferences."""
        if not self.state[at.H_ACTIVE]:
            return ", during start-up"
        region = int(self.state[at.H_REGION])
        layers = self.firmware.layers
        return f", in layer {region} ({layers[region].name})" if region < len(layers) else ", between layers"

    def _check(self) -> None:
        error = at.Stop(int(self.state[at.H_ERROR]))
        if error is at.Stop.TABLE_FULL:
            raise _TableFullError
        if error is not at.Stop.NONE:
            what, hint = _STOP_TEXT[error]
            place = self.image.describe(int(self.state[at.H_ERROR_AT]))
            raise ExecutionError(f"{what}, at {place}{self.where()}", hint=hint)


class Counting(Session):
    """The run that counts edges; ``slots`` is the size of its table, a power of two."""

    def __init__(self, target: UnicornTarget, firmware: Firmware, image: Image, slots: int) -> None:
        from engine.targets.edge_hook import count_edge

        super().__init__(target, firmware, image)
        self.state = shared.counting_state(firmware, image, self.limit, self.machine.sentinel, self.stop_address, slots)
        self.attach(unicorn_const.UC_HOOK_BLOCK, count_edge.address)

    def run(self, inputs: Sequence[bytes]) -> tuple[Profile, tuple[bytes, ...]]:
        """Boot, count ``inputs[0]`` cold and warm (they must agree), then run the others for their outputs."""
        self.boot()
        cold_output = self.infer(inputs[0])
        cold = shared.take_profile(self.state)
        outputs = [self.infer(inputs[0])]
        warm = shared.take_profile(self.state)
        if not same_profile(cold, warm) or cold_output != outputs[0]:
            raise CheckFailedError(
                "the second inference of the same input took another path or gave another output than the first",
                hint="the firmware keeps state between inferences; whycycles expects it to be a pure function",
            )
        for data in inputs[1:]:
            outputs.append(self.infer(data))
            shared.take_profile(self.state)
        return warm, tuple(outputs)


def same_profile(a: Profile, b: Profile) -> bool:
    """Are two profiles equal, edge by edge?"""
    return all(
        np.array_equal(x, y) for x, y in ((a.region, b.region), (a.src, b.src), (a.dst, b.dst), (a.count, b.count))
    )


class _Watched:
    """What the memory run saw; ``stack`` holds bytes of stack in use per region, ``code_bytes`` those run by an inference."""

    def __init__(
        self, cold: MemoryProfile, warm: MemoryProfile, output: bytes, stack: tuple[int, ...], code_bytes: int
    ) -> None:
        self.cold, self.warm, self.output, self.stack, self.code_bytes = cold, warm, output, stack, code_bytes


class Watching(Session):
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
            self.machine.sentinel,
            self.stop_address,
            (native_address("uc_reg_read"), native_address("uc_reg_write")),
            load_core(target.core).data_port_bytes,
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

    def run(self, data: bytes) -> _Watched:
        """Cold inference, then further ones until the memory system repeats itself."""
        self.boot()
        before = self._remembered()
        output = self.infer(data)
        executed = int(self.state[at.H_WORK])
        cold = warm = shared.take_memory(self.state, self.board)
        for _ in range(_STEADY_TRIES):
            after = self._remembered()
            if np.array_equal(before, after):
                break  # the last inference began as it ended: every further one is the same
            before = after
            if self.infer(data) != output or int(self.state[at.H_WORK]) != executed:
                raise CheckFailedError(
                    "a repeated inference gave another output or took another path", hint="report this with the ELF"
                )
            warm = shared.take_memory(self.state, self.board)
        return _Watched(cold, warm, output, self._stack(), executed)

    def _remembered(self) -> NDArray[np.int64]:
        return self.system.remembered(self.state[self.state[at.H_STREAMS] :])

    def _stack(self) -> tuple[int, ...]:
        """Bytes between the initial stack pointer and the lowest address stored to; at least what ``main`` holds."""
        top, idle = self.machine.stack_top, self.machine.stack_idle
        low, _ = shared.stack_limits(self.firmware)
        lows = shared.stack_lows(self.state)
        if low and min(lows) <= low and self.firmware.stack_bytes:
            raise ExecutionError(
                f"the stack ({self.firmware.stack_bytes} bytes) is full: its lowest word was written",
                hint="give the firmware a larger stack",
            )
        return tuple(top - min(idle, depth) for depth in lows)
