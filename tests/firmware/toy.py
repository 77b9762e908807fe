"""A hand-written two-layer model: enough to build and drive the harness."""

from __future__ import annotations

from pathlib import Path

from engine.catalog.core import Core
from engine.catalog.load import load_core
from engine.firmware.info import OutputScale, info_source
from engine.firmware.ports import harness_sources
from engine.firmware.toolchain import Cpu, Source, Toolchain, Tree, compile_all
from engine.paths import FIRMWARE_DIR

CORES: dict[str, Core] = {
    name: load_core(name) for name in ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33")
}

INPUT_BYTES = 8
OUTPUT = OutputScale(0.5, -3)

MODEL = r"""
#ifndef TOY_HOOK
#define TOY_HOOK
#endif
#include "whycycles.h"
#include <string.h>
const char wc_model_name[] = "toy";
uint8_t wc_arena[48] __attribute__((aligned(16), section(".wc_arena")));
const uint32_t wc_arena_bytes = sizeof wc_arena;
const uint32_t wc_input_count = 1, wc_output_count = 1, wc_layer_count = 2;
const wc_io_t wc_inputs[] = {{"in", (int8_t *)wc_arena, 8}};
const wc_io_t wc_outputs[] = {{"out", (int8_t *)wc_arena + 32, 2}};
const char *const wc_layer_names[] = {"dot_0", "copy_1"};
volatile int32_t wc_status;
const volatile int8_t toy_weights[16] __attribute__((section(".wc_weights"))) = {1, 2, 3, 4, 5, 6, 7, 8, -1, 1, -1, 1, -1, 1, -1, 1};
int32_t toy_divisor = 3; /* lives in .data */

void wc_infer(void)
{
    int8_t *const in = wc_inputs[0].data;
    wc_status = 0;
    TOY_HOOK;
    wc_layer_begin();
    for (int o = 0; o < 2; ++o) {
        int64_t sum = 0;
        for (int i = 0; i < 8; ++i)
            sum += (int64_t)in[i] * toy_weights[8 * o + i];
        wc_arena[16 + o] = (uint8_t)(sum / toy_divisor);
    }
    wc_layer_end();
    wc_layer_begin();
    memcpy(wc_arena + 32, wc_arena + 16, 2);
    in[0] = 99; /* models may reuse their input's memory */
    if (in[7] == 100)
        wc_status = 2;
    wc_layer_end();
}
"""


def expected(stimulus: bytes) -> list[int]:
    """What the toy model computes (C division rounds towards zero)."""
    x = [b - 256 if b > 127 else b for b in stimulus]
    weights = ((1, 2, 3, 4, 5, 6, 7, 8), (-1, 1, -1, 1, -1, 1, -1, 1))
    sums = [sum(a * b for a, b in zip(x, w, strict=True)) for w in weights]
    wrapped = [int(s / 3) & 0xFF for s in sums]
    return [v - 256 if v > 127 else v for v in wrapped]


def toy_objects(
    folder: Path,
    tools: Toolchain,
    cpu: Cpu,
    opt: str,
    port: str,
    *,
    extra: str = "",
    flags: tuple[str, ...] | None = None,
) -> tuple[Path, ...]:
    """Objects of the toy model with the whole harness; ``flags`` are the port's (see ``port_flags``)."""
    (folder / "model.c").write_text(extra + MODEL, encoding="utf-8")
    facts = (("model", "toy"), ("core", cpu.core))
    info = info_source(
        model="mlperf-tiny/kws", facts=facts, outputs=[OUTPUT], stimulus_bytes=INPUT_BYTES, layer_count=2
    )
    (folder / "info.c").write_text(info, encoding="utf-8")
    includes = tuple(Tree(FIRMWARE_DIR / name, name) for name in ("harness", "harness/libc"))
    own = Tree(folder, "model")
    return compile_all(
        tools,
        cpu,
        opt,
        (*harness_sources(port, flags), Source(own, "model.c", includes), Source(own, "info.c", includes)),
    )
