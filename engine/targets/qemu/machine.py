"""A firmware in one of QEMU's MPS2 machines, driven through the debugger stub; its faults become errors that explain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from engine.errors import ExecutionError
from engine.firmware.types import Firmware
from engine.targets.device import Device, Limits, Where
from engine.targets.image import Image
from engine.targets.qemu.process import Process
from engine.targets.qemu.stub import LR, PC, SP, StubGoneError, StubRefusedError, StubSilentError

_POLL_S = 0.05  # how often a running machine is asked whether the plugin found an error
_STILL_S = 30.0  # that a running machine may execute nothing: the longest kernel executes something all the time
_PATIENCE_S = 10.0  # until a machine that was told to stop has stopped
_CFSR, _BFAR = 0xE000ED28, 0xE000ED38
_CAUSES = (
    # bit of the Configurable Fault Status Register (Armv7-M ARM, B3.2.15), what it means, what to do
    (1 << 12 | 1 << 4, "fault while the stack pointer was outside memory", "look at what sets the stack pointer"),
    (1 << 16, "undefined instruction", "build for this core (-mcpu) and check that code was not overwritten"),
    (1 << 17, "instruction in a state the core does not have", "check function pointers: they need the Thumb bit"),
    (1 << 18, "return to an address that cannot be returned to", "a return address was overwritten, most likely"),
    (1 << 19, "coprocessor or FPU instruction the core does not have", "build for this core (-mcpu, -mfpu)"),
    (1 << 24, "unaligned access of an instruction that allows none", "align the data"),
    (1 << 25, "division by zero", "check the divisor"),
    (1 << 8, "jump to an address without memory", "check function pointers and the stack"),
    (1 << 9, "access to an address without memory", "check pointers and tensor offsets"),
    (1 << 10, "access to an address without memory", "check pointers and tensor offsets"),
    (1 << 0, "jump to an address that holds no code", "check function pointers and the stack"),
    (1 << 1, "access that the memory protection refuses", "check pointers and the stack's size"),
)
_ADDRESS_VALID = 1 << 15
_OTHER_HINT = "look at the instruction at this address: a breakpoint, a trap, or code for another core"


class QemuMachine(Device):
    """A process with a firmware.

    ``failed``, asked while it runs, says whether to stop it, ``work`` how much code it has executed, ``last_code`` what it ran last;
    ``trace_pipe`` is read by ``read_trace``.
    """

    def __init__(self, firmware: Firmware, image: Image, process: Process, sentinel: int, limits: Limits) -> None:
        """The machine stands before its first instruction."""
        super().__init__(firmware, image, limits)
        self._process, self._stub = process, process.stub
        self.sentinel = sentinel
        self._fault = self.require("wc_fault")
        self.failed: Callable[[], bool] = lambda: False
        self.work: Callable[[], int] = int
        self.last_code: Callable[[], str] = str
        self.trace_pipe = -1
        self.read_trace: Callable[[], None] = lambda: None

    def reset(self, where: Where) -> None:
        """See ``Device.reset``."""
        with self._talking(where):
            self.stack_top = self._stub.register(SP)
            # QEMU runs code that shares a page of 1 KB with a breakpoint one instruction at a time: only the start-up's page keeps one
            self._stub.set_breakpoint(self._fault)
            self._stub.set_breakpoint(self.idle)
            self._run(self.idle, where)
            self._stub.clear_breakpoint(self.idle)
            self.stack_idle = self._stub.register(SP)
            self._stub.set_breakpoint(self.sentinel)

    def read(self, address: int, size: int) -> bytes:
        """See ``Device.read``."""
        with self._talking(str):
            return self._stub.read(address, size)

    def write(self, address: int, data: bytes) -> None:
        """See ``Device.write``."""
        with self._talking(str):
            self._stub.write(address, data)

    def call(self, function: int, where: Where) -> None:
        """See ``Device.call``."""
        with self._talking(where):
            for register, value in ((SP, self.stack_idle), (LR, self.sentinel | 1), (PC, function)):
                self._stub.set_register(register, value)
            self._run(self.sentinel, where)

    @contextmanager
    def _talking(self, where: Where) -> Iterator[None]:
        """What goes wrong between us and QEMU, as an error for people."""
        try:
            yield
        except StubGoneError as error:
            silent = isinstance(error, StubSilentError)
            raise self._process.gone(f"{where()}{self.last_code()}", silent=silent) from None
        except StubRefusedError as error:
            raise ExecutionError(f"QEMU refused a request: {error}{where()}", hint="report this with the ELF") from None

    def _run(self, until: int, where: Where) -> None:
        end = time.monotonic() + self.limits.wall_seconds
        still, done = 0, -1  # in polls: while this program is stopped itself (Ctrl-Z), none passes
        self._stub.resume()
        while self._stub.wait(_POLL_S, self.trace_pipe, self.read_trace) is None:
            if self.failed():
                self._halt()
                self._explain(where)
            still, done = (still + 1, done) if self.work() == done else (0, self.work())
            if still * _POLL_S > _STILL_S:
                self._halt()
                raise ExecutionError(
                    f"the core has executed nothing for {_STILL_S:g} s{self.last_code()}{where()}",
                    hint="it sleeps (WFI, WFE), most likely, and no interrupt is enabled that would wake it",
                )
            if time.monotonic() > end:
                self._halt()
                raise ExecutionError(
                    f"code at {self.image.describe(self._stub.register(PC))} did not finish within "
                    f"{self.limits.wall_seconds:g} s{where()}",
                    hint="the code probably loops for ever, or waits for a peripheral that is not emulated",
                )
        if self._stub.register(PC) != until:
            self._explain(where)
        if self.check is not None:
            self.check()

    def _halt(self) -> None:
        self._stub.interrupt()
        end = time.monotonic() + _PATIENCE_S
        while self._stub.wait(_POLL_S, self.trace_pipe, self.read_trace) is None:
            if time.monotonic() > end:
                raise StubSilentError("does not stop")

    def _explain(self, where: Where) -> NoReturn:
        """Raise the error the plugin or the trace's reader noted, or the fault the core took: it stands at its handler."""
        if self.check is not None:
            self.check()
        status = int.from_bytes(self._stub.read(_CFSR, 4), "little")
        try:  # the place is in the frame that the core pushed
            at = int.from_bytes(self._stub.read(self._stub.register(SP) + 24, 4), "little")
            place = f" by code at {self.image.describe(at)}"
        except StubRefusedError:
            place = self.last_code()
        what, hint = next(((w, h) for bit, w, h in _CAUSES if status & bit), ("exception", _OTHER_HINT))
        address = int.from_bytes(self._stub.read(_BFAR, 4), "little")
        data = f" 0x{address:08x}" if status & _ADDRESS_VALID else ""
        raise ExecutionError(f"{what}{data}{place}{where()}", hint=hint)
