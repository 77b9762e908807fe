"""Ports against register models of their chips: clock, wait states, UART, timer, marker pin, and a chip whose oscillators never start."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from elftools.elf.elffile import ELFFile

from engine.catalog.load import load_board, load_core
from engine.errors import UsageError
from engine.firmware.boot_block import boot_checksum, seal
from engine.firmware.link import link
from engine.firmware.ports import PORTS, board_port, port_flags
from engine.firmware.toolchain import cpu_for, toolchain
from engine.firmware.types import CompilerName
from tests.firmware.chips import F4, H7, L4, Chip, Rp2040, Stm32
from tests.firmware.machine import Machine
from tests.firmware.toy import expected, toy_objects

CHIPS: dict[str, type[Chip]] = {
    "olimex-stm32-h405": F4,
    "nucleo-h743zi": H7,
    "nucleo-l4r5zi": L4,
    "raspberry-pi-pico": Rp2040,
}
STIMULUS = bytes([1, 2, 3, 4, 5, 6, 7, 0xF8])


@cache
def elf(board_name: str, mhz: float, compiler: CompilerName = CompilerName.CLANG) -> Path:
    folder, board = Path(mkdtemp()), load_board(board_name)
    port, tools, cpu = board_port(board), toolchain(compiler), cpu_for(load_core(board.core))
    objects = toy_objects(folder, tools, cpu, "O2", port.name, flags=port_flags(port, board, mhz))
    link(tools, cpu, objects, board, folder / "f.elf", boot_block=port.boot_block)
    if port.boot_block:
        seal(folder / "f.elf")
    return folder / "f.elf"


@pytest.fixture(scope="module", autouse=True)
def _clean() -> Iterator[None]:
    yield
    for name in CHIPS:
        shutil.rmtree(elf(name, load_board(name).default_clock_mhz).parent, ignore_errors=True)
    elf.cache_clear()


def started(name: str, mhz: float | None = None, *, dead: bool = False) -> Chip:
    board = load_board(name)
    chip = CHIPS[name](elf(name, mhz or board.default_clock_mhz), board, dead=dead)
    chip.to_idle()
    return chip


def test_every_port_for_hardware_is_tested_here() -> None:
    assert {board_port(load_board(name)).name for name in CHIPS} == {p.name for p in PORTS.values() if p.on_a_board}


@pytest.mark.parametrize("name", CHIPS)
def test_a_port_sets_clock_wait_states_uart_and_timer(name: str) -> None:
    chip, board = started(name), load_board(name)
    assert chip.core_hz() == board.default_clock_mhz * 1e6
    assert chip.baud() == pytest.approx(115200, rel=0.005)
    assert chip.timer_hz() == 1e6
    if isinstance(chip, Stm32):
        assert all(chip.pin_function(port, pin) == function for port, pin, function in chip.uart_pins)
    said = chip.talk("wc id%")
    assert f"m-wc-clock-hz-[{board.default_clock_mhz * 1e6:.0f}]" in said
    assert not any("problem" in line for line in said)


@pytest.mark.parametrize("name", CHIPS)
def test_a_session_with_cycles_and_the_marker_pin(name: str) -> None:
    chip = started(name)
    chip.talk(f"db load 8%db {STIMULUS.hex()}%")
    lines = chip.talk("wc layers 2 1%")
    assert "m-wc-counter-[cycles]" in lines
    assert sum(line.startswith("m-wc-run-[") for line in lines) == 2
    raw = bytes(q & 0xFF for q in expected(STIMULUS)).hex()
    assert chip.talk("wc output%")[0] == f"m-wc-output-[0,0,{raw}]"
    assert chip.marks() == [0, 1, 0, 1, 0], "low at first, then high around each of the two"
    chip.talk("infer 3 1%")
    assert chip.marks()[5:] == [1, 0], "high around the loop"


@pytest.mark.parametrize("name", CHIPS)
def test_a_chip_whose_oscillators_never_start_still_talks_and_says_so(name: str) -> None:
    chip = started(name, dead=True)
    said = chip.talk("wc id%")
    assert f"m-wc-clock-hz-[{chip.reset_hz}]" in said
    assert any(line.startswith("m-wc-clock-problem-[") for line in said)
    assert chip.core_hz() == chip.reset_hz
    assert chip.baud() == pytest.approx(115200, rel=0.02)


@pytest.mark.parametrize(("name", "mhz"), [("nucleo-l4r5zi", 80), ("nucleo-h743zi", 240), ("olimex-stm32-h405", 84)])
def test_lower_clocks(name: str, mhz: float) -> None:
    chip = started(name, mhz)
    assert chip.core_hz() == mhz * 1e6
    assert chip.baud() == pytest.approx(115200, rel=0.005)
    assert chip.timer_hz() == 1e6


@pytest.mark.parametrize(
    ("name", "mhz"),
    [
        ("nucleo-l4r5zi", 81),
        ("nucleo-h743zi", 50),
        ("nucleo-h743zi", 301),
        ("olimex-stm32-h405", 51),
        ("raspberry-pi-pico", 62.5),
    ],
)
def test_clocks_that_a_port_cannot_set_are_refused(name: str, mhz: float) -> None:
    board = load_board(name)
    with pytest.raises(UsageError, match="cannot set"):
        port_flags(board_port(board), board, mhz)


def test_the_h7_turns_both_caches_on_after_clearing_them() -> None:
    chip = started("nucleo-h743zi")
    assert chip.bits(0xE000_ED14, 16, 2) == 3
    cleared = [value for address, value in chip.written if address == 0xE000_EF60]
    assert sorted(cleared) == sorted(way << 30 | line << 5 for way in range(4) for line in range(128))
    assert (0xE000_EF50, 0) in chip.written


def test_an_early_h7_is_not_run_beyond_its_400_mhz() -> None:
    board = load_board("nucleo-h743zi")
    chip = H7(elf("nucleo-h743zi", board.default_clock_mhz), board)
    chip.registers[H7.IDCODE] = 0x1003_6450
    chip.to_idle()
    assert "m-wc-clock-problem-[revision Y runs at 400 MHz at most, its bus at 200 MHz]" in chip.talk("wc id%")
    assert chip.core_hz() == 64e6


@pytest.mark.parametrize(("mhz", "overdriven"), [(200, False), (202, True), (240, True), (242, False), (400, False), (402, True)])  # fmt: skip
def test_the_h7_has_the_voltage_that_its_core_and_its_bus_need(mhz: int, overdriven: bool) -> None:
    chip = started("nucleo-h743zi", mhz)
    assert chip.core_hz() == mhz * 1e6
    assert any(address == 0x5800_042C and value & 1 for address, value in chip.written) == overdriven


def test_the_l4_halves_its_bus_before_it_takes_the_fast_clock() -> None:
    written = [value for address, value in started("nucleo-l4r5zi").written if address == 0x4002_1008]
    assert written == [0x80, 0x83, 0x03]


@pytest.mark.parametrize("name", CHIPS)
def test_a_reset_is_asked_of_the_hardware(name: str) -> None:
    chip = started(name)
    chip._input += b"wc reset%"
    del chip.written[:]
    chip.uc.emu_start(chip._pc | 1, 0, count=20_000)
    if isinstance(chip, Rp2040):
        assert chip.written[-1] == (0x4005_8000, 1 << 31)
        assert (0x4005_801C, 0) in chip.written, "or the boot ROM jumps somewhere else"
    else:
        assert chip.written[-1] == (0xE000_ED0C, 0x05FA_0004)


@pytest.mark.parametrize("name", CHIPS)
def test_every_vector_points_to_a_handler(name: str) -> None:
    path, board = elf(name, load_board(name).default_clock_mhz), load_board(name)
    interrupts = {"olimex-stm32-h405": 82, "nucleo-h743zi": 150, "nucleo-l4r5zi": 95, "raspberry-pi-pico": 26}[name]
    chip = CHIPS[name](path, board)
    start = chip.symbols["wc_vectors"]
    assert start == board.memories[0].origin + (0x100 if name == "raspberry-pi-pico" else 0) or name == "nucleo-h743zi"
    table = bytes(chip.uc.mem_read(start + 4, 4 * (15 + interrupts)))
    words = [int.from_bytes(table[i : i + 4], "little") for i in range(0, len(table), 4)]
    assert words[0] == chip.symbols["Reset_Handler"] | 1
    assert set(words[15:]) == {chip.symbols["wc_fault"] | 1}


# --- the RP2040's own: cycles without a cycle counter, and the second boot stage


@pytest.mark.parametrize("start", [0, (1 << 24) - 300, (1 << 32) - 300, 125 * ((1 << 32) - 3)])
def test_cycles_of_the_rp2040_are_exact_over_every_wrap(start: int) -> None:
    chip = started("raspberry-pi-pico")
    assert isinstance(chip, Rp2040)
    # the phase is set when SysTick starts, so time only moves on from there
    chip.now += start
    stamps = []
    for gap in (0, 7, 5_000_000, 8_000_000, 77):
        chip.now += gap
        # a counter read is one step after the timer's
        stamps.append((chip.call("wc_port_cycles"), chip.now))
    first, true_first = stamps[0]
    assert [(c - first) % (1 << 32) for c, _ in stamps] == [(t - true_first) % (1 << 32) for _, t in stamps]


def boot_stage(compiler: CompilerName = CompilerName.CLANG) -> bytes:
    with elf("raspberry-pi-pico", 125, compiler).open("rb") as stream:
        return bytes(ELFFile(stream).get_section_by_name(".boot2").data())


def test_the_boot_stage_is_sealed() -> None:
    block = boot_stage()
    assert len(block) == 256
    assert int.from_bytes(block[252:], "little") == boot_checksum(block[:252])
    # the check value that the parameters of this CRC are known by (CRC-32/MPEG-2)
    assert boot_checksum(b"123456789") == 0x0376_E6E7


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
def test_the_boot_stage_is_the_same_from_both_compilers() -> None:
    assert boot_stage(CompilerName.GCC) == boot_stage()


@pytest.mark.parametrize("status", [2, 0])
def test_the_boot_stage_sets_the_flash_up_and_enters_the_program(status: int) -> None:
    board = load_board("raspberry-pi-pico")
    chip = Rp2040(elf("raspberry-pi-pico", 125), board)
    chip.flash_status2 = status
    copy = 0x2004_1F00
    chip.uc.mem_write(copy, boot_stage())
    chip._pc = copy
    chip._run(chip.symbols["Reset_Handler"])
    assert chip._pc == chip.symbols["Reset_Handler"]
    assert chip.reg(0xE000_ED08) == 0x1000_0100
    assert chip.symbols["wc_vectors"] == 0x1000_0100
    # the byte behind a status command only clocks the answer in
    enabling = [0x06, 0x01, 0, 2, 0x05, 0x05]
    assert chip.flash_commands == [0x35, 0x35, *(() if status == 2 else enabling), 0xEB, 0xA0]
    assert chip.reg(Rp2040.SSI + 0x14) == 2
    assert chip.reg(Rp2040.SSI + 0xF4) == 0xA000_2022
    assert chip.reg(Rp2040.SSI + 8) == 1
    Machine.to_idle(chip)
