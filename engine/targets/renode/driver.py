"""What runs beside the firmware: a few instructions that place inputs, call ``wc_infer`` and send the outputs to the UART.

The image stays as it is, but for the one call of ``wc_idle``, which becomes a call of the driver: once the device is ready, the
driver works through a table of steps, then sleeps. The emulator itself has only to note counts at addresses.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import ExecutionError, UsageError
from engine.firmware.types import Firmware
from engine.targets.image import Image
from engine.targets.renode.machines import DRIVER_BYTES, RenodeMachine

# A step is four words: from, to, bytes, whether `to` moves on (else each byte is stored as a word at one address: a register).
# No bytes: `from` is called; where that is 0 too, it is the end. Encodings and text are compared by a test.
CODE = (
    (0x4C0C, "ldr r4, [pc, #0x30]"),
    (0xCC0F, "ldm r4!, {r0, r1, r2, r3}"),  # next, at 2
    (0x2A00, "cmp r2, #0"),
    (0xD00E, "beq #0x26"),
    (0x2B00, "cmp r3, #0"),
    (0xD006, "beq #0x1a"),
    (0x7805, "ldrb r5, [r0]"),  # copy, at 0xc
    (0x700D, "strb r5, [r1]"),
    (0x3001, "adds r0, #1"),
    (0x3101, "adds r1, #1"),
    (0x3A01, "subs r2, #1"),
    (0xD1F9, "bne #0xc"),
    (0xE7F3, "b #2"),
    (0x7805, "ldrb r5, [r0]"),  # store, at 0x1a
    (0x600D, "str r5, [r1]"),
    (0x3001, "adds r0, #1"),
    (0x3A01, "subs r2, #1"),
    (0xD1FA, "bne #0x1a"),
    (0xE7ED, "b #2"),
    (0x2800, "cmp r0, #0"),  # call, at 0x26
    (0xD001, "beq #0x2e"),
    (0x4780, "blx r0"),
    (0xE7E9, "b #2"),  # returned, at 0x2c
    (0xBF00, "nop"),  # done, at 0x2e
    (0xBF30, "wfi"),
    (0xE7FD, "b #0x30"),
)  # fmt: skip
_RETURNED, _DONE = 0x2C, 0x2E
_HEAD = len(CODE) * 2 + 4  # the instructions and the address of the table
_UART_DATA, _UART_CTRL, _UART_BAUDDIV = 0x00, 0x08, 0x10
_TX_ENABLE, _BAUDDIV_LEAST = 1, 16
STATUS_BYTES = 4
"""Bytes of ``wc_status``, which precede the outputs."""


@dataclass(frozen=True)
class Driver:
    """A driver for some inferences. ``image`` lies at ``address``; ``returned`` and ``done`` are addresses to watch.

    ``answer_bytes``: what each inference sends: ``wc_status``, then the outputs.
    """

    address: int
    image: bytes
    returned: int
    done: int
    answer_bytes: int


def make_driver(machine: RenodeMachine, firmware: Firmware, image: Image, inputs: Sequence[bytes]) -> Driver:
    """A driver that runs one inference per entry of ``inputs``. Raises UsageError if they are too large, ExecutionError as ``require``."""
    arena, infer = require(image, "wc_arena"), require(image, "wc_infer")
    status = image.symbol("wc_status")
    data = bytes([_BAUDDIV_LEAST, _TX_ENABLE, *bytes(STATUS_BYTES)])
    steps = 3 + len(inputs) * (2 + len(firmware.inputs) + len(firmware.outputs))  # at most
    base = machine.driver + _HEAD + 16 * steps
    table = [(base, machine.uart + _UART_BAUDDIV, 1, 0), (base + 1, machine.uart + _UART_CTRL, 1, 0)]
    for entry in inputs:
        at = base + len(data)
        for tensor in firmware.inputs:
            table += [(at, arena + tensor.offset, tensor.bytes, 1)] if tensor.bytes else []
            at += tensor.bytes
        data += entry
        table.append((infer | 1, 0, 0, 0))
        # a firmware without a status sends the zeros that lie before the inputs
        table.append((base + 2 if status is None else status.address, machine.uart + _UART_DATA, STATUS_BYTES, 0))
        table += [(arena + t.offset, machine.uart + _UART_DATA, t.bytes, 0) for t in firmware.outputs if t.bytes]
    table.append((0, 0, 0, 0))
    code = struct.pack(f"<{len(CODE)}HI", *(half for half, _ in CODE), machine.driver + _HEAD)
    whole = (code + b"".join(struct.pack("<4I", *step) for step in table)).ljust(base - machine.driver, b"\0") + data
    if len(whole) > DRIVER_BYTES:
        raise UsageError(
            f"{len(inputs)} inputs of {len(inputs[0])} bytes do not fit the driver's {DRIVER_BYTES} bytes",
            hint="run fewer inputs at a time",
        )
    answer = STATUS_BYTES + sum(t.bytes for t in firmware.outputs)
    return Driver(machine.driver, whole, machine.driver + _RETURNED, machine.driver + _DONE, answer)


def takeovers(image: Image, driver: int) -> tuple[tuple[int, bytes], ...]:
    """Where ``wc_idle`` is called, as load addresses, and the call of the driver to write there. Raises ExecutionError."""
    idle = require(image, "wc_idle")
    calls = [i.address for i in image.instructions.values() if i.mnemonic == "bl" and _target(i.operands) == idle]
    if not calls:
        raise ExecutionError(
            f"{image.path.name} never calls wc_idle by a BL", hint="link the harness of this version in, unchanged"
        )
    return tuple((image.stored_at(at), encode_bl(at, driver)) for at in calls)


def encode_bl(at: int, target: int) -> bytes:
    """A BL at one address to another, as ARMv6-M and later encode it (T1). The distance is even and below 16 MB."""
    offset = target - (at + 4)
    sign = (offset >> 24) & 1
    j1, j2 = (1 ^ (offset >> bit) & 1 ^ sign for bit in (23, 22))
    first = 0xF000 | sign << 10 | (offset >> 12) & 0x3FF
    second = 0xD000 | j1 << 13 | j2 << 11 | (offset >> 1) & 0x7FF
    return struct.pack("<2H", first, second)


def require(image: Image, name: str) -> int:
    """Address of a symbol that every firmware has. Raises ExecutionError."""
    symbol = image.symbol(name)
    if symbol is None:
        raise ExecutionError(
            f"{image.path.name} has no symbol '{name}'", hint="link the harness in and keep its symbols"
        )
    return symbol.address & ~1


def _target(operands: str) -> int | None:
    text = operands.strip().removeprefix("#")
    return int(text, 16) if text.startswith("0x") else None
