"""Small firmwares made from C or assembly that follow the firmware interface, and the board they run on."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from engine.catalog.board import Board, Memory, MemoryKind, Placement
from engine.catalog.figure import Figure
from engine.catalog.flash import Cache, ClockStep, FlashInterface
from engine.firmware.types import (
    ArenaPlan,
    ArenaTensor,
    Compiler,
    CompilerName,
    Firmware,
    KernelLibrary,
    KernelLibraryInfo,
    LoweredLayer,
    Section,
)

FLASH, RAM = 0x08000000, 0x20000000
STACK_BYTES = 2048
CPU = {
    "cortex-m0plus": "cortex_m0plus",
    "cortex-m3": "cortex_m3",
    "cortex-m4": "cortex_m4+vfp4d16sp",
    "cortex-m7": "cortex_m7+fp_armv8d16",
    "cortex-m33": "cortex_m33+dsp+fp_armv8d16sp",
}
CORES = tuple(CPU)
VECTOR_CPU = {"cortex-m55": "cortex_m55+dsp+mve_fp", "cortex-m85": "cortex_m85+dsp+mve_fp"}
"""Cores that only QEMU has."""

_LINKER = """
ENTRY(Reset_Handler)
SECTIONS {
  . = FLASH;
  .vectors : { KEEP(*(.vectors.first)) KEEP(*(.vectors)) }
  .text : { *(.text*) }
  .rodata : { *(.rodata*) *(.ARM.extab*) . = ALIGN(4); }
  __load = .;
  .data RAM : AT(__load) { __data = .; *(.data*) . = ALIGN(4); __data_end = .; }
  .bss (NOLOAD) : { __bss = .; *(.bss*) *(COMMON) . = ALIGN(16); __bss_end = .; }
  .stack RAM + 0xf800 (NOLOAD) : { . = . + 2048; __stack_top = .; }
  /DISCARD/ : { *(.ARM.exidx*) *(.comment) }
}
"""

_HARNESS = """
#include <stdint.h>
extern uint32_t __load[], __data[], __data_end[], __bss[], __bss_end[], __stack_top[];
void Reset_Handler(void);
__attribute__((section(".vectors"), used)) void wc_fault(void) { for (;;) __asm volatile(""); }
#define F (void *)wc_fault
__attribute__((section(".vectors.first"), used)) const void *const vectors[] = {
  __stack_top, (void *)Reset_Handler, F, F, F, F, F, F, 0, 0, 0, F, F, 0, F, F};
__attribute__((noinline)) void wc_idle(void) { __asm volatile("nop"); }
__attribute__((noinline)) void wc_layer_begin(void) { __asm volatile(""); }
__attribute__((noinline)) void wc_layer_end(void) { __asm volatile(""); }
void wc_infer(void);
volatile int32_t wc_status;
__attribute__((aligned(16))) uint8_t wc_arena[4096];
int main(void) { wc_idle(); for (;;) wc_infer(); }
void Reset_Handler(void) {
#if defined(__ARM_FP) && __ARM_FP
  *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20;
  __asm volatile("dsb"); __asm volatile("isb");
#endif
  volatile uint32_t *d = __data, *s = __load;
  while (d < __data_end) *d++ = *s++;
  for (d = __bss; d < __bss_end;) *d++ = 0;
  main();
  for (;;) { }
}
"""


@dataclass(frozen=True)
class Source:
    """What makes up one small firmware: ``code`` is C, or assembly when ``language`` is "assembler-with-cpp"."""

    code: str
    layers: int = 1
    language: str = "c"
    opt: str = "-O2"


def board(core: str, *, flash: FlashInterface | None = None) -> Board:
    """A board with 512 KB flash and 64 KB RAM."""
    made_up = "made up for tests"
    return Board(
        name="test-board",
        title="test board",
        vendor="nobody",
        mcu="none",
        core=core,
        default_clock_mhz=100,
        max_clock_mhz=Figure(value=100, source=made_up),
        memories=(
            Memory(name="flash", kind=MemoryKind.FLASH, origin=FLASH, bytes=512 * 1024, source=made_up),
            Memory(name="sram", kind=MemoryKind.SRAM, origin=RAM, bytes=64 * 1024, source=made_up),
        ),
        placement=Placement(code="flash", weights="flash", activations="sram", stack="sram"),
        flash=flash or flash_interface(),
    )


def flash_interface(
    width: int = 16, icache: Cache | None = None, dcache: Cache | None = None, *, unified: bool = False
) -> FlashInterface:
    """A flash interface without prefetch."""
    return FlashInterface(
        width_bytes=Figure(value=width, source="made up for tests"),
        ladder=(ClockStep(up_to_mhz=100, wait_states=3),),
        ladder_source="made up for tests",
        prefetch=False,
        prefetch_source="made up for tests",
        icache=icache,
        dcache=dcache,
        unified=unified,
    )


def cache(size: int, line: int, ways: int, *, also_serves: tuple[str, ...] = ()) -> Cache:
    """A cache of that geometry."""
    return Cache(bytes=size, line_bytes=line, ways=ways, also_serves=also_serves, source="made up for tests")


def figure(value: float) -> Figure:
    """A figure that nothing stands behind."""
    return Figure(value=value, source="made up for tests")


def zig(*arguments: str) -> None:
    """Run zig cc; its messages are shown if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "ziglang", "cc", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def build(folder: Path, core: str, source: Source, memories: Board | None = None) -> Firmware:
    """Compile and link one firmware: input 64 bytes at arena offset 0, output 64 bytes at offset 1024.

    ``memories`` is a board whose ``flash`` and ``sram`` lie elsewhere.
    """
    places = {m.name: m.origin for m in (memories or board(core)).memories}
    script = _LINKER.replace("FLASH", hex(places["flash"])).replace("RAM", hex(places["sram"]))
    abi = "eabihf" if core in VECTOR_CPU else "eabi"
    flags = [
        "-target",
        f"thumb-freestanding-{abi}",
        f"-mcpu={(CPU | VECTOR_CPU)[core]}",
        "-ffreestanding",
        "-fno-sanitize=all",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "harness.c").write_text(_HARNESS)
    (folder / "link.ld").write_text(script)
    name = "model.c" if source.language == "c" else "model.S"
    (folder / name).write_text(source.code)
    elf = folder / "firmware.elf"
    zig(
        *flags, source.opt, "-nostdlib", "-Wl,-u,wc_arena", "-Wl,--build-id=none", "-g0", f"-Wl,-T,{folder / 'link.ld'}",
        str(folder / "harness.c"), str(folder / name), "-o", str(elf), "-lcompiler_rt",
    )  # fmt: skip
    return describe(elf, core, source, places["sram"])


def describe(elf: Path, core: str, source: Source, ram: int = RAM) -> Firmware:
    """The record that goes with such an ELF."""
    placed = ArenaTensor(tensor=0, name="in", offset=0, bytes=64, first=0, last=0)
    return Firmware(
        elf=elf,
        elf_sha256=hashlib.sha256(elf.read_bytes()).hexdigest(),
        model="test",
        model_sha256="0" * 64,
        board="test-board",
        core=core,
        compiler=Compiler(CompilerName.CLANG, "test", source.opt, ()),
        kernels=KernelLibraryInfo(KernelLibrary.REFERENCE, "test"),
        layers=tuple(
            LoweredLayer(n, f"layer{n}", "TEST", "kernel", KernelLibrary.REFERENCE, 0, 0) for n in range(source.layers)
        ),
        arena=ArenaPlan(4096, 4096, (placed,)),
        inputs=(placed,),
        outputs=(ArenaTensor(tensor=1, name="out", offset=1024, bytes=64, first=0, last=0),),
        sections=(Section("stack", "stack", "sram", ram + 0xF800, STACK_BYTES),),
        flash_bytes=0,
        ram_bytes=0,
        stack_bytes=STACK_BYTES,
    )


SMALL_NET = """
#include <stdint.h>
extern uint8_t wc_arena[];
void wc_layer_begin(void); void wc_layer_end(void);
static const int8_t weights[64 * 16] = {1, 2, 3, -4, 5, 6, -7, 8, [100] = 3, [500] = -9, [1023] = 11};
static const float scale[16] = {0.5f, 1.25f, 2.0f, 0.75f, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3};
__attribute__((noinline)) static void dense(const int8_t *in, int32_t *out) {
  for (int o = 0; o < 16; o++) {
    int32_t sum = 0;
    for (int i = 0; i < 64; i++) sum += in[i] * weights[o * 64 + i];
    out[o] = sum;
  }
}
__attribute__((noinline)) static void rescale(const int32_t *in, int32_t *out) {
  for (int o = 0; o < 16; o++) {
    int64_t wide = (int64_t)in[o] * 1518500250 + (1 << 30);
    int32_t v = (int32_t)(wide >> 31);
    v = v > 127 ? 127 : v < -128 ? -128 : v;
    out[o] = (int32_t)((float)v * scale[o]) / (o + 1) + (int32_t)((uint32_t)v % 7u);
  }
}
__attribute__((noinline)) static int depth(int n) {
  volatile int here[8];
  here[n & 7] = n;
  return n ? depth(n - 1) + here[n & 7] : 0;
}
__attribute__((noinline)) static int pick(int k) {
  switch (k & 7) {
    case 0: return 11; case 1: return depth(3); case 2: return 13; case 3: return k * 5;
    case 4: return depth(6); case 5: return k ^ 99; case 6: return -k; default: return k + 1;
  }
}
__attribute__((noinline)) static void odd(const int8_t *in, int32_t *out) {
  for (int i = 0; i < 16; i++) out[i] += pick(in[i]);
}
void wc_infer(void) {
  int32_t *sums = (int32_t *)(wc_arena + 512), *out = (int32_t *)(wc_arena + 1024);
  wc_layer_begin(); dense((int8_t *)wc_arena, sums); wc_layer_end();
  wc_layer_begin(); rescale(sums, out); wc_layer_end();
  wc_layer_begin(); odd((int8_t *)wc_arena, out); wc_layer_end();
}
"""
"""Three layers: a dot product, fixed point with floats and divides, and a switch with recursion."""
