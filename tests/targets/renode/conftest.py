from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.catalog.load import load_core
from engine.firmware.assemble import harness_sources
from engine.firmware.image import read_image
from engine.firmware.info import info_source
from engine.firmware.link import link
from engine.firmware.mps2 import mps2_board
from engine.firmware.toolchain import Source, Tree, compile_all, cpu_for, toolchain
from engine.firmware.types import ArenaTensor, CompilerName, Firmware
from engine.paths import FIRMWARE_DIR
from tests.firmware.toy import OUTPUT, toy_objects
from tests.targets import kit

FAKE = Path(__file__).with_name("fake_renode.py")
Toy = Callable[..., Firmware]


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An executable `renode` that behaves as recorded."""
    path = tmp_path_factory.mktemp("fake") / "renode"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W ignore "{FAKE}" "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def renode(fake: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, found through RENODE_PATH."""
    monkeypatch.setenv("RENODE_PATH", str(fake))
    return fake


_MODEL = """
#include "whycycles.h"
const char wc_model_name[] = "small";
uint8_t wc_arena[4096] __attribute__((aligned(16), section(".wc_arena")));
const uint32_t wc_arena_bytes = sizeof wc_arena;
const uint32_t wc_input_count = 1, wc_output_count = 1, wc_layer_count = 3;
const wc_io_t wc_inputs[] = {{"in", (int8_t *)wc_arena, 64}};
const wc_io_t wc_outputs[] = {{"out", (int8_t *)wc_arena + 1024, 64}};
const char *const wc_layer_names[] = {"dense", "rescale", "odd"};
volatile int32_t wc_status;
"""


@pytest.fixture(scope="session")
def small_net(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """Three small layers with IT blocks, floats, a table branch and recursion, linked for the MPS2 board of a core."""
    built: dict[str, Firmware] = {}

    def make(core: str) -> Firmware:
        if core not in built:
            folder, table = tmp_path_factory.mktemp("small"), load_core(core)
            tools, cpu, board = toolchain(CompilerName.CLANG), cpu_for(table), mps2_board(table)
            (folder / "model.c").write_text(_MODEL + kit.SMALL_NET)
            info = info_source(model="small", facts=(), outputs=[OUTPUT], stimulus_bytes=64, layer_count=3)
            (folder / "info.c").write_text(info)
            includes = tuple(Tree(FIRMWARE_DIR / name, name) for name in ("harness", "harness/libc"))
            own = [Source(Tree(folder, "model"), name, includes) for name in ("model.c", "info.c")]
            objects = compile_all(tools, cpu, "O2", (*harness_sources("bare"), *own))
            elf = folder / "firmware.elf"
            link(tools, cpu, objects, board, elf)
            made = kit.describe(elf, core, kit.Source("", 3))
            built[core] = dataclasses.replace(made, sections=read_image(elf, board).sections)
        return built[core]

    return make


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """The toy model with the whole harness and the MPS2 port; ``hook`` is C that wc_infer executes before its layers."""
    built: dict[tuple[str, str], Firmware] = {}

    def make(core: str = "cortex-m4", hook: str = "") -> Firmware:
        if (core, hook) not in built:
            folder = tmp_path_factory.mktemp("toy")
            tools, cpu = toolchain(CompilerName.CLANG), cpu_for(load_core(core))
            extra = f"#define TOY_HOOK {hook}\n" if hook else ""
            objects = toy_objects(folder, tools, cpu, "O2", "mps2", extra=extra)
            link(tools, cpu, objects, mps2_board(load_core(core)), folder / "firmware.elf")
            made = kit.describe(folder / "firmware.elf", core, kit.Source("", 2))
            built[core, hook] = _described(made)
        return built[core, hook]

    return make


def _described(made: Firmware) -> Firmware:
    return dataclasses.replace(
        made,
        inputs=(ArenaTensor(tensor=0, name="in", offset=0, bytes=8, first=0, last=0),),
        outputs=(ArenaTensor(tensor=1, name="out", offset=32, bytes=2, first=0, last=0),),
    )
