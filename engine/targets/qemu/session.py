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
from engine.errors import CheckFailedError
from engine.firmware.mps2 import mps2_machine, sentinel_address
from engine.firmware.types import Firmware
from engine.targets import layout as at
from engine.targets import state as shared
from engine.targets.device import Limits
from engine.targets.image import Image
from engine.targets.memory_system import MemorySystem
from engine.targets.qemu.machine import QemuMachine
from engine.targets.qemu.process import Process
from engine.targets.session import Session
from engine.targets.state import State

TRACE_EVENTS = 1 << 16
_PIPE_BYTES = 1 << 20
_READER = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


class TraceReader:
    """Feeds what the plugin reports to the memory run of the board; ``state`` and ``system`` are that run's."""

    def __init__(self, firmware: Firmware, image: Image, board: Board, emulated: Board, core: Core, limit: int) -> None:
        """``firmware`` and ``image`` are those linked for the board, ``emulated`` is the board as QEMU has it. Caches are empty."""
        from engine.targets.qemu.trace import read_trace

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
            firmware, image, board, limit, -1, core.data_port_bytes, moves=np.array(rows, np.int64)
        )
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

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.pipe)

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
        sentinel = sentinel_address(core)
        fresh = shared.plugin_state(
            firmware, image, limits.per_inference(firmware), sentinel, slots,
            watch=watch or reader is not None, trace_events=TRACE_EVENTS if reader else 0,
        )  # fmt: skip
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._file.write(fresh.tobytes())
        self._file.flush()
        state = np.memmap(self._file, np.int64, mode="r+")
        try:
            self._process = Process(
                mps2_machine(core), firmware.elf, self._file.fileno(), reader.plugin_end if reader else None
            )
        finally:
            if reader is not None:
                os.close(reader.plugin_end)
        self.version = self._process.qemu.version
        super().__init__(firmware, image, QemuMachine(firmware, image, self._process, sentinel, limits))
        self.state = state
        self.device.failed = self._failed
        if reader is not None:
            self.device.trace_pipe, self.device.read_trace = reader.pipe, reader.read

    def infer(self, data: bytes) -> bytes:
        """See ``Session.infer``; what was traced has been fed to the reader when it returns."""
        self.state[at.H_TRACE_ON] = int(self.tracing)
        if self.reader is None or not self.tracing:
            return super().infer(data)
        self.reader.begin()
        output = super().infer(data)
        self.reader.finish(self.state)
        self.check()
        if self.reader.state[at.H_WORK] != self.state[at.H_WORK]:
            raise CheckFailedError(
                f"the plugin traced {self.reader.state[at.H_WORK]} bytes of executed code and counted {self.state[at.H_WORK]}",
                hint="report this with the ELF",
            )
        return output

    def check(self) -> None:
        """See ``Session.check``; the reader may have found an error too."""
        super().check()
        if self.reader is not None:
            self.explain(self.reader.state)

    def _failed(self) -> bool:
        return bool(self.state[at.H_ERROR] or (self.reader is not None and self.reader.state[at.H_ERROR]))

    def __enter__(self) -> QemuSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, trace)
        if self.reader is not None:
            self.reader.close()
        self._file.close()
