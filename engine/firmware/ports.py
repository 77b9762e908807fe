"""Ports: what a firmware stands on. Each is a folder of ``firmware/ports``; a board's description names the one it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

from engine.catalog.board import Board
from engine.errors import UsageError
from engine.firmware.toolchain import Source, Tree
from engine.paths import FIRMWARE_DIR


@dataclass(frozen=True)
class Clocks:
    """Core clocks a port can set, in MHz: from ``low`` to ``high`` in steps of ``step``.

    A step of 2 where the timer that counts microseconds runs at half the core clock: it divides by whole numbers.
    """

    low: int
    high: int
    step: int = 1

    def has(self, mhz: float) -> bool:
        """Whether the port can set this clock exactly."""
        return self.low <= mhz <= self.high and mhz % self.step == 0


@dataclass(frozen=True)
class Port:
    """One port.

    ``uart``, ``marker`` and ``counter`` say to people which pins serve the protocol, which pin marks inferences for a meter, and what
    counts cycles. ``clocks`` is None where the port sets none; ``defines`` are for the C compiler; ``boot_block``: the image begins
    with a second boot stage; ``uf2_family``: for devices that take UF2 files; ``qemu``: the machine that emulates it, with the
    number of its serial port that the protocol is on.
    """

    name: str
    title: str
    uart: str = ""
    marker: str = ""
    counter: str = ""
    clocks: Clocks | None = None
    sources: tuple[str, ...] = ("port.c",)
    defines: tuple[str, ...] = ()
    boot_block: bool = False
    uf2_family: int | None = None
    qemu: tuple[str, int] | None = field(default=None)

    @property
    def has_uart(self) -> bool:
        """Whether it speaks the protocol; without, nothing of it is linked."""
        return bool(self.uart)

    @property
    def on_a_board(self) -> bool:
        """Whether it is for hardware that can be bought, and so sets a clock."""
        return self.clocks is not None


_DWT = "DWT CYCCNT, every cycle"

PORTS = MappingProxyType({
    p.name: p
    for p in (
        Port("bare", "no UART: what emulators run"),
        Port("mps2", "Arm MPS2 boards as QEMU and Renode model them", uart="CMSDK UART 0", counter=_DWT, defines=("WC_UART",)),
        Port(
            "stm32f4", "STM32F405", uart="USART2: TX PA2, RX PA3 (3.3 V; a USB-serial adapter is needed)", marker="PC0", counter=_DWT,
            clocks=Clocks(50, 168, 2), defines=("WC_UART",), qemu=("netduinoplus2", 1),
        ),
        Port(
            "stm32h7", "STM32H743", uart="USART3 on PD8 and PD9: the ST-LINK's virtual COM port", marker="PG12 (D7)", counter=_DWT,
            clocks=Clocks(96, 480, 2), defines=("WC_UART",),
        ),
        Port(
            "stm32l4", "STM32L4R5", uart="LPUART1 on PG7 and PG8: the ST-LINK's virtual COM port", marker="PF13 (D7)", counter=_DWT,
            clocks=Clocks(32, 120, 2), defines=("WC_UART",),
        ),
        Port(
            "rp2040", "RP2040", uart="UART0: TX GP0, RX GP1 (3.3 V; a USB-serial adapter or a debug probe is needed)", marker="GP2",
            counter="SysTick joined with the 1 µs timer, every cycle (the Cortex-M0+ has no DWT counter)",
            clocks=Clocks(63, 133), sources=("port.c", "boot2.c"), defines=("WC_UART", "WC_PORT_CYCLES"), boot_block=True,
            uf2_family=0xE48BFF56,
        ),
    )
})  # fmt: skip
"""Every port, by name."""


def port_named(name: str) -> Port:
    """The port of that name. Raises UsageError."""
    if name not in PORTS:
        raise UsageError(f"unknown port '{name}'", hint=f"one of {', '.join(PORTS)}")
    return PORTS[name]


def board_port(board: Board) -> Port:
    """The port that a board's description names. Raises UsageError for a board that names none, or one that does not exist."""
    if board.port is None:
        able = ", ".join(p.name for p in PORTS.values() if p.on_a_board)
        raise UsageError(
            f"{board.name} names no port, so no firmware for the board itself can be built",
            hint=f'write port = "NAME" into its TOML if one of {able} fits its microcontroller and pins',
        )
    port = port_named(board.port)
    if not port.on_a_board:
        raise UsageError(
            f"{board.name}: port '{port.name}' is not for hardware", hint="name the port of its microcontroller"
        )
    return port


def port_flags(port: Port, board: Board, clock_mhz: float) -> tuple[str, ...]:
    """Compiler flags for the port's and the harness's sources: its defines, and what the board's clock asks for.

    Raises UsageError for a clock that the port cannot set.
    """
    flags = [f"-D{name}=1" for name in port.defines]
    if port.clocks is not None:
        if not port.clocks.has(clock_mhz):
            steps = f", in steps of {port.clocks.step}" if port.clocks.step > 1 else ", whole MHz"
            raise UsageError(
                f"the port {port.name} cannot set {clock_mhz:g} MHz",
                hint=f"it sets {port.clocks.low} to {port.clocks.high} MHz{steps}: choose one with --clock",
            )
        flags += [
            f"-DWC_CLOCK_HZ={round(clock_mhz * 1_000_000)}u",
            f"-DWC_WAIT_STATES={board.flash.wait_states(clock_mhz)}u",
            f"-DWC_PREFETCH={int(board.flash.prefetch)}u",
        ]
    return tuple(flags)


def harness_sources(name: str, flags: tuple[str, ...] | None = None) -> tuple[Source, ...]:
    """Start-up, libc, harness and port: the C that is the same for every model. ``flags``: see ``port_flags``; by default the port's own defines."""
    port = port_named(name)
    own = tuple(f"-D{d}=1" for d in port.defines) if flags is None else flags
    libc, harness, ports, common = (
        Tree(FIRMWARE_DIR / folder, folder) for folder in ("harness/libc", "harness", "ports", "ports/common")
    )
    includes = (harness, ports, libc)
    files = ("main", "markers", *(("protocol", "extensions", "timing", "text") if port.has_uart else ()))
    # in mem.c alone: a memcpy that is compiled into a call of memcpy never ends
    itself = ("-fno-builtin",)
    return (
        Source(ports, "common/startup.c", includes),
        *(Source(harness, f"{file}.c", includes, own) for file in files),
        Source(libc, "mem.c", includes, itself),
        *(Source(ports, f"{name}/{file}", (harness, ports, common, libc), own) for file in port.sources),
    )
