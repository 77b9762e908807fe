"""One QEMU with one firmware: the array it shares with our plugin, and the reader of the plugin's trace."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import tempfile
from types import TracebackType

import numpy as np

from engine.catalog.board import Board, MemoryKind
from engine.catalog.core import Core
from engine.errors import CheckFailedError, ExecutionError
from engine.firmware.mps2 import mps2_machine, return_address
from engine.firmware.types import Firmware
from engine.targets import layout as at
from engine.targets import state as shared
from engine.targets.device import Limits
from engine.targets.image import Image
from engine.targets.memory_system import MemorySystem
from engine.targets.qemu.machine import QemuMachine
from engine.targets.qemu.process import Process
from engine.targets.session import TRACE_WORDS, Session, place_of
from engine.targets.state import State

TRACE_EVENTS = 1 << 16
_PIPE_BYTES = 1 << 20
_STOP_TEXT = {
    at.Stop.OUTSIDE_MEMORY: ("access to an address without memory,", "check pointers and tensor offsets"),
    at.Stop.WRITE_TO_FLASH: ("write to flash at", "place what is written in a RAM section"),
}
_READER = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


class TraceReader:
    """Feeds what the plugin reports to the memory run of the board; ``state`` and ``system`` are that run's."""

    def __init__(self, firmware: Firmware, image: Image, board: Board, emulated: Board, core: Core, limit: int) -> None:
        """``firmware`` and ``image`` are those linked for the board, ``emulated`` is the board as QEMU has it. Caches are empty."""
        from engine.targets.qemu.trace import read_trace

        self._firmware, self._image = firmware, image
        self._feed = _READER(read_trace.address)
        self.state, self.system = self._memory_run(firmware, image, board, emulated, core, limit)
        self.pipe, self.plugin_end = os.pipe()
        with contextlib.suppress(OSError, AttributeError):  # only speed depends on it
            fcntl.fcntl(self.pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._received = 0
        self._part = b""

    @staticmethod
    def _memory_run(
        firmware: Firmware, image: Image, board: Board, emulated: Board, core: Core, limit: int
    ) -> tuple[State, MemorySystem]:
        here = {m.name: m for m in emulated.memories}
        rows = [
            (here[m.name].origin, here[m.name].end, m.origin - here[m.name].origin, int(m.kind is MemoryKind.FLASH))
            if m.name in here
            else (0, 0, 0, 0)
            for m in board.memories
        ]
        made, system = shared.memory_state(
            firmware, image, board, limit, -1, core.data_port_bytes, moves=np.array(rows, np.int64),
            record_words=TRACE_WORDS,
        )  # fmt: skip
        return made, system

    def begin(self) -> None:
        """Before an inference."""
        shared.begin_inference(self.state)

    def read(self) -> None:
        """Take from the pipe what is there."""
        data = self._part + os.read(self.pipe, _PIPE_BYTES)
        self._received += len(data) - len(self._part)
        whole = len(data) & -8
        self._part = data[whole:]
        self._consume(np.frombuffer(data, np.int64, whole // 8))

    def finish(self, plugin: State) -> None:
        """After an inference, on a stopped machine: take the rest, from the pipe and from the plugin's own buffer."""
        sent = int(plugin[at.H_TRACE_CHUNKS]) * int(plugin[at.H_TRACE_SIZE]) * 8
        while self._received < sent:
            self.read()
        first = int(plugin[at.H_TRACE])
        self._consume(plugin[first : first + int(plugin[at.H_TRACE_FILL])])
        plugin[at.H_TRACE_FILL] = plugin[at.H_TRACE_CHUNKS] = self._received = 0

    def check(self) -> None:
        """Raises ExecutionError for an access that the board would not allow."""
        error = at.Stop(int(self.state[at.H_ERROR]))
        if error is at.Stop.NONE:
            return
        what, hint = _STOP_TEXT.get(error, (f"the trace makes no sense ({error.name})", "report this with the ELF"))
        raise ExecutionError(
            f"{what} 0x{self.state[at.H_ERROR_AT]:08x} by code at {self._image.describe(int(self.state[at.H_BLOCK]))}"
            f"{place_of(self._firmware, self.state)}",
            hint=hint,
        )

    def close(self) -> None:
        """Close the pipe."""
        for end in (self.pipe, self.plugin_end):
            os.close(end)

    def _consume(self, events: State) -> None:
        self._feed(None, self.state.ctypes.data, events.ctypes.data, events.size)


class QemuSession(Session):
    """Use it as a context manager. With a ``reader``, every inference is traced while ``tracing`` is true."""

    device: QemuMachine

    def __init__(
        self,
        firmware: Firmware,
        image: Image,
        core: Core,
        limits: Limits,
        slots: int,
        *,
        watch: bool = False,
        reader: TraceReader | None = None,
    ) -> None:
        """Start QEMU; ``firmware`` is one linked for its machine. ``watch``: add up data accesses too. Raises ToolError."""
        self.reader, self.tracing = reader, reader is not None
        sentinel = return_address(core)
        fresh = shared.plugin_state(
            firmware, image, limits.per_inference(firmware), sentinel, slots,
            watch=watch or reader is not None, trace_events=TRACE_EVENTS if reader else 0,
        )  # fmt: skip
        with contextlib.ExitStack() as stack:
            if reader is not None:
                stack.callback(reader.close)
            if any(p.runs_at <= sentinel < p.runs_at + len(p.data) for p in image.segments):
                raise ExecutionError(
                    f"the firmware fills the code memory of QEMU's {mps2_machine(core)} to its end",
                    hint="use a smaller model, or --target unicorn if it has the core",
                )
            file = stack.enter_context(tempfile.TemporaryFile())
            file.write(fresh.tobytes())
            file.flush()
            state = np.memmap(file, np.int64, mode="r+")
            process = Process(mps2_machine(core), firmware.elf, file.fileno(), reader.plugin_end if reader else None)
            stack.enter_context(process)
            super().__init__(firmware, image, QemuMachine(firmware, image, process, sentinel, limits))
            self._open = stack.pop_all()
        self.state = state
        self.device.failed = self._failed
        self.device.work = lambda: int(state[at.H_WORK])
        self.device.last_code = lambda: (
            f", last in {image.describe(int(state[at.H_BLOCK]))}" if state[at.H_BLOCK] else ""
        )
        if reader is not None:
            self.device.trace_pipe, self.device.read_trace = reader.pipe, reader.read

    def infer(self, data: bytes) -> bytes:
        """See ``Session.infer``; what was traced has been fed to the reader when it returns."""
        self.state[at.H_TRACE_ON] = int(self.tracing)
        shared.take_lanes(self.state)  # those of the inference before
        if self.reader is None or not self.tracing:
            return super().infer(data)
        self.reader.begin()
        output = super().infer(data)
        self.reader.finish(self.state)
        self.check()
        self._compare(self.reader)
        return output

    def _compare(self, reader: TraceReader) -> None:
        """What the plugin counted itself must be what its trace says."""
        counted = int(self.state[at.H_WORK]), shared.take_totals(self.state)[:, at.T_READS :]
        traced = int(reader.state[at.H_WORK]), shared.totals(reader.state)[:, at.T_READS :]
        if counted[0] != traced[0] or not np.array_equal(counted[1], traced[1]):
            raise CheckFailedError(
                f"the plugin traced {traced[0]} bytes of executed code and {traced[1].sum()} bytes and accesses of data, "
                f"but counted {counted[0]} and {counted[1].sum()}",
                hint="report this with the ELF",
            )

    def check(self) -> None:
        """See ``Session.check``; the reader may have found an error too."""
        super().check()
        if self.reader is not None:
            self.reader.check()

    def _failed(self) -> bool:
        return bool(self.state[at.H_ERROR] or (self.reader is not None and self.reader.state[at.H_ERROR]))

    def __enter__(self) -> QemuSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
