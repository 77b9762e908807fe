"""The UART command set, driven as a host would, on an emulated MPS2 board."""

from __future__ import annotations

import re
import shutil
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.firmware.image import part_checksums
from engine.firmware.info import OutputScale, info_source
from engine.firmware.link import link
from engine.firmware.mps2 import mps2_board
from engine.firmware.toolchain import cpu_for, toolchain
from engine.firmware.types import CompilerName
from tests.firmware.machine import Machine
from tests.firmware.toy import CORES, INPUT_BYTES, OUTPUT, expected, toy_objects

BANNER = ["m-timestamp-mode-performance", "m-lap-us-#", "m-init-done", "m-ready"]
STIMULUS = bytes([1, 2, 3, 4, 5, 6, 7, 0xF8])


@cache
def elf(core: str) -> Path:
    folder = Path(mkdtemp())
    tools, cpu = toolchain(CompilerName.CLANG), cpu_for(CORES[core])
    objects = toy_objects(folder, tools, cpu, "O2", "mps2")
    link(tools, cpu, objects, mps2_board(CORES[core]), folder / "f.elf")
    return folder / "f.elf"


@pytest.fixture(scope="module", autouse=True)
def _clean() -> Iterator[None]:
    yield
    for core in CORES:
        if elf.cache_info().currsize:
            shutil.rmtree(elf(core).parent, ignore_errors=True)
    elf.cache_clear()


def device(core: str = "cortex-m4") -> Machine:
    machine = Machine(elf(core), mps2_board(CORES[core]))
    machine.to_idle()
    assert masked(machine.talk("")) == BANNER
    return machine


def masked(lines: list[str]) -> list[str]:
    return [re.sub(r"^m-lap-us-\d+$", "m-lap-us-#", line) for line in lines]


def load(machine: Machine, data: bytes = STIMULUS) -> None:
    half = len(data) // 2
    assert machine.talk(f"db load {len(data)}%") == [f"m-[Expecting {len(data)} bytes]", "m-ready"]
    assert machine.talk(f"db {data[:half].hex()}%") == ["m-ready"]
    assert machine.talk(f"db {data[half:].hex().upper()}%") == ["m-load-done", "m-ready"]


@pytest.mark.parametrize("core", CORES)
def test_a_session_of_the_official_runner(core: str) -> None:
    machine = device(core)
    assert machine.talk("name%") == ["m-name-dut-[whycycles]", "m-ready"]
    assert machine.talk("profile%") == ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]", "m-ready"]
    assert masked(machine.talk("timestamp%")) == ["m-lap-us-#", "m-ready"]
    load(machine)
    real = ",".join(f"{OUTPUT.scale * (q - OUTPUT.zero_point):.6f}" for q in expected(STIMULUS))
    # several inferences, although the model overwrites its input
    assert masked(machine.talk("infer 3 2%")) == [
        "m-warmup-start-2",
        "m-warmup-done",
        "m-infer-start-3",
        "m-lap-us-#",
        "m-lap-us-#",
        "m-infer-done",
        f"m-results-[{real}]",
        "m-ready",
    ]
    assert machine.talk("results%") == [f"m-results-[{real}]", "m-ready"]
    raw = bytes(q & 0xFF for q in expected(STIMULUS)).hex()
    crc = zlib.crc32(bytes.fromhex(raw))
    assert machine.talk("wc output%") == [f"m-wc-output-[0,0,{raw}]", f"m-wc-crc-[output,0x{crc:08x}]", "m-ready"]


def test_time_stamps_rise() -> None:
    machine = device()
    laps = [int(line.removeprefix("m-lap-us-")) for line in machine.talk("timestamp%timestamp%") if "lap" in line]
    assert laps[1] > laps[0] > 0


def test_warm_up_is_ten_unless_given_and_one_inference() -> None:
    machine = device()
    load(machine)
    lines = machine.talk("infer%")
    assert lines[0] == "m-warmup-start-10"
    assert "m-infer-start-1" in lines


@pytest.mark.parametrize("core", CORES)
def test_cycles_per_layer_where_the_core_counts_them(core: str) -> None:
    machine = device(core)
    load(machine)
    lines = machine.talk("wc layers 2 1%")
    # emulated counters that move by 100 cycles, or 250 us, at every read: one read opens a layer, the next closes it
    step, counter = (250, "us") if core == "cortex-m0plus" else (100, "cycles")
    run = f"m-wc-run-[{5 * step},{step},{step},{8 * step}]"
    assert lines == [
        "m-wc-layer-[0,dot_0]",
        "m-wc-layer-[1,copy_1]",
        f"m-wc-counter-[{counter}]",
        f"m-wc-marker-[{step}]",
        run,
        run,
        "m-ready",
    ]
    machine.uc.mem_write(machine.symbols["wc_cycle_stamps"], bytes(16))
    machine.talk("infer 1 0%")
    assert bytes(machine.uc.mem_read(machine.symbols["wc_cycle_stamps"], 16)) == bytes(16), (
        "a plain inference logs nothing"
    )


def test_any_number_of_inferences_is_timed() -> None:
    machine = device()
    load(machine)
    runs = [line for line in machine.talk("wc layers 19 3%") if line.startswith("m-wc-run-")]
    assert runs == ["m-wc-run-[500,100,100,800]"] * 19


def test_a_loop_is_timed_and_says_its_sum() -> None:
    machine = device()
    load(machine)
    assert machine.talk("wc loop 5 2%") == ["m-wc-loop-[5,250,255]", "m-ready"]


def test_checksums_are_those_of_the_elf_and_of_what_was_loaded() -> None:
    machine = device()
    load(machine)
    told = dict(
        re.fullmatch(r"m-wc-crc-\[(\w+),0x([0-9a-f]{8})\]", line).groups() for line in machine.talk("wc crc%")[:-1]
    )
    assert {part: int(crc, 16) for part, crc in told.items()} == {
        **part_checksums(elf("cortex-m4")),
        "input": zlib.crc32(STIMULUS),
    }


def test_a_reset_is_asked_of_the_core() -> None:
    machine = device()
    machine.talk("wc reset%")
    assert bytes(machine.uc.mem_read(0xE000_ED0C, 4)) == (0x05FA_0004).to_bytes(4, "little")


def test_the_map_names_every_part() -> None:
    machine = device()
    parts = [re.fullmatch(r"m-wc-map-\[(\w+),(0x[0-9a-f]{8}),(\d+)\]", line) for line in machine.talk("wc map%")[:-1]]
    found = {p[1]: (int(p[2], 16), int(p[3])) for p in parts if p}
    assert set(found) == {"code", "constants", "weights", "data", "bss", "arena", "stack"}
    assert found["stack"] == (0x2000_0000, 4096)
    assert found["arena"] == (machine.symbols["wc_arena"], 48)
    assert found["weights"][1] == 16


def test_stack_use_is_seen() -> None:
    machine = device()
    used = re.fullmatch(r"m-wc-stack-\[(\d+),4096\]", machine.talk("wc stack%")[0])
    assert used
    assert 64 < int(used[1]) < 2048


def test_facts_about_the_build() -> None:
    assert device().talk("wc id%") == [
        "m-wc-model-[toy]",
        "m-wc-core-[cortex-m4]",
        "m-wc-clock-hz-[25000000]",
        "m-wc-clock-source-[FPGA oscillator]",
        "m-ready",
    ]


def test_the_buffer_can_be_read_back() -> None:
    machine = device()
    load(machine)
    assert machine.talk("db print%") == ["m-buffer-01-02-03-04-05-06-07-f8", "m-ready"]
    assert machine.talk("db print 3%") == ["m-buffer-01-02-03", "m-ready"]
    assert machine.talk("db print 9 6%") == ["m-buffer-07-f8", "m-ready"]
    assert machine.talk("db print 9 60%") == ["m-ready"]


def test_help_lists_every_command() -> None:
    text = "\n".join(device().talk("help%"))
    for command in (
        "name",
        "profile",
        "timestamp",
        "load N",
        "HH[HH]*",
        "print",
        "infer N",
        "results",
        "wc layers",
        "wc reset",
    ):
        assert command in text


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("", "Empty command"),
        ("   ", "Empty command"),
        ("nothing", "Unknown command: nothing"),
        ("na\x01me", "Unknown command: na?me"),
        ("db", "Command 'db' requires a subcommand"),
        ("db load", "Command 'db load' requires the # of bytes"),
        ("db load 0", "Command 'db load' must be >0 bytes"),
        ("db load -4", "Command 'db load' must be >0 bytes"),
        ("db load 99999999999999999999", "Command 'db load' must be >0 bytes"),
        ("db load 9", "Supplied buffer size 9 exceeds maximum of 8"),
        ("db load 2147483647", "Supplied buffer size 2147483647 exceeds maximum of 8"),
        ("db load 2147483648", "Command 'db load' must be >0 bytes"),
        ("db 00", "No bytes expected: use 'db load N' first"),
        ("db 0", "Insufficent number of hex digits"),
        ("db print x", "Command 'db print' takes the # of bytes and an offset"),
        ("infer 0", "Inference iterations must be >0"),
        ("infer x", "Inference iterations must be >0"),
        ("infer 1 -1", "Inference warmup must be >=0"),
        ("infer 1", f"Input has 0 bytes, expected {INPUT_BYTES}"),
        ("wc", "Command 'wc' requires a subcommand"),
        ("wc layers 0", "Inference iterations must be >0"),
        ("wc layers 1 x", "Inference warmup must be >=0"),
        ("wc layers 1", f"Input has 0 bytes, expected {INPUT_BYTES}"),
        ("wc nothing", "Unknown command: wc nothing"),
        ("x" * 161, "Command too long"),
        ("db " + "00" * 5000, "Command too long"),
    ],
)
def test_errors(command: str, error: str) -> None:
    machine = device()
    assert machine.talk(command + "%") == [f"e-[{error}]", "m-ready"]
    assert machine.talk("name%") == ["m-name-dut-[whycycles]", "m-ready"], "still alive"


def test_a_bad_digit_leaves_the_rest_expected() -> None:
    machine = device()
    assert machine.talk("db load 8%db 01zz%")[2:] == ["e-[Invalid hex digit 'zz']", "m-ready"]
    assert machine.talk("db 02030405060708%") == ["m-load-done", "m-ready"]
    assert machine.talk("db 09%")[0].startswith("e-[No bytes expected")
    assert machine.talk("db print%")[0] == "m-buffer-01-02-03-04-05-06-07-08"


def test_digits_beyond_the_announced_bytes_are_disregarded() -> None:
    machine = device()
    assert machine.talk("db load 2%db 0102030405060708%")[2:] == ["m-load-done", "m-ready"]
    assert machine.talk("infer 1 0%") == ["e-[Input has 2 bytes, expected 8]", "m-ready"]


def test_a_failing_layer_is_reported_not_its_results() -> None:
    machine = device()
    load(machine, bytes(7) + bytes([100]))
    assert masked(machine.talk("infer 1 0%"))[-2:] == ["e-[Layer 1 failed]", "m-ready"]
    assert "m-infer-done" not in machine.talk("infer 2 0%")
    assert machine.talk("wc loop%") == ["e-[A layer failed]", "m-ready"]
    assert machine.talk("wc layers%")[-2:] == ["e-[A layer failed]", "m-ready"]


def test_line_ends_around_commands_are_ignored() -> None:
    machine = device()
    assert machine.talk("\r\nname\r\n%\n") == ["m-name-dut-[whycycles]", "m-ready"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=400),
            st.sampled_from(
                [b"db load 8%", b"db 0102%", b"infer 1 0%", b"wc output%", b"db print 4294967296 1%", b"%%%", b"\0%"]
            ),
        ),
        max_size=8,
    )
)
def test_garbage_neither_kills_nor_corrupts(garbage: list[bytes]) -> None:
    machine = device()
    before = bytes(machine.uc.mem_read(0, 0x2000))
    for part in garbage:
        for line in machine.talk(part):
            assert all(" " <= c <= "~" for c in line)
    assert machine.talk("%name%")[-2:] == ["m-name-dut-[whycycles]", "m-ready"]
    assert bytes(machine.uc.mem_read(0, 0x2000)) == before, "code and constants are untouched"
    load(machine)
    assert "m-infer-done" in machine.talk("infer 1 0%")


def test_generated_facts_are_harmless_c() -> None:
    text = info_source(
        model='evil"\\\n??/%]',
        facts=[("a", 'x";int y;//')],
        outputs=[OutputScale(1e30, 0), OutputScale(2**-20, 3)],
        stimulus_bytes=4,
        layer_count=0,
    )
    assert "x_;int y;//" in text
    assert "??" not in text
    assert "INT64_C(18014398509481983)" in text
    assert "INT64_C(953674)" in text
