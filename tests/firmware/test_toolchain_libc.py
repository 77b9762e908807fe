"""memcpy, memmove and memset of the firmware's libc, on every alignment, in an emulator."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.firmware.link import link
from engine.firmware.mps2 import mps2_board
from engine.firmware.toolchain import cpu_for, toolchain
from engine.firmware.types import CompilerName
from tests.firmware.machine import Machine
from tests.firmware.toy import CORES, toy_objects

AREA, SIZE = 0x2010_0000, 256
KINDS = [
    pytest.param((compiler, core), marks=[GCC] if compiler is CompilerName.GCC else [])
    for GCC in [
        pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
    ]
    for compiler in CompilerName
    for core in ("cortex-m0plus", "cortex-m4")
]
FUNCTIONS = """
#include <string.h>
void __aeabi_memset(void *, size_t, int), __aeabi_memclr(void *, size_t);
void *const toy_kept[] = {memcpy, memmove, memset, memcmp, __aeabi_memset, __aeabi_memclr};
/* the linker would drop functions that nothing refers to */
#define TOY_HOOK __asm volatile("" : : "r"(toy_kept))
"""


@cache
def machine(kind: tuple[CompilerName, str]) -> Machine:
    compiler, core = kind
    folder = Path(mkdtemp())
    try:
        tools, cpu, board = toolchain(compiler), cpu_for(CORES[core]), mps2_board(CORES[core])
        objects = toy_objects(folder, tools, cpu, "O2", "mps2", extra=FUNCTIONS)
        link(tools, cpu, objects, board, folder / "f.elf")
        made = Machine(folder / "f.elf", board)
        made.to_idle()
        return made
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=100, deadline=None)
@given(
    content=st.binary(min_size=SIZE, max_size=SIZE),
    to=st.integers(0, 100),
    start=st.integers(0, 100),
    count=st.integers(0, 120),
    function=st.sampled_from(["memmove", "memcpy", "memset", "__aeabi_memclr", "__aeabi_memset", "memcmp"]),
)
def test_memory_functions(
    kind: tuple[CompilerName, str], content: bytes, to: int, start: int, count: int, function: str
) -> None:
    m = machine(kind)
    expected = bytearray(content)
    if function in ("memcpy", "memcmp"):
        start = to + count  # no overlap
        count = min(count, SIZE - start)
    m.uc.mem_write(AREA, content)
    if function in ("memmove", "memcpy"):
        expected[to : to + count] = content[start : start + count]
        assert m.call(function, AREA + to, AREA + start, count) == AREA + to
    elif function == "memset":
        expected[to : to + count] = bytes([start]) * count
        assert m.call(function, AREA + to, start | 0x500, count) == AREA + to
    elif function == "memcmp":
        a, b = content[to : to + count], content[start : start + count]
        result = m.call(function, AREA + to, AREA + start, count)
        signed = result - 2**32 if result >= 2**31 else result
        assert (signed > 0) - (signed < 0) == (a > b) - (a < b)
    else:
        expected[to : to + count] = (bytes([start]) if function == "__aeabi_memset" else b"\0") * count
        m.call(function, AREA + to, count, start)
    assert bytes(m.uc.mem_read(AREA, SIZE)) == bytes(expected)
