"""Every way a firmware can misbehave ends in one error that names the place and says what to do."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from engine.errors import BadInputError, CheckFailedError, ExecutionError, ToolError, UsageError, WhycyclesError
from engine.targets.device import Limits
from engine.targets.unicorn_target import UnicornTarget
from tests.targets import kit
from tests.targets.conftest import Builder

FEW = Limits(2_000_000, 20)


def in_layer(body: str, before: str = "") -> str:
    return f"""
#include <stdint.h>
extern uint8_t wc_arena[];
extern volatile int32_t wc_status;
void wc_layer_begin(void); void wc_layer_end(void);
{before}
__attribute__((noinline)) void culprit(void) {{ {body} }}
void wc_infer(void) {{ wc_layer_begin(); culprit(); wc_layer_end(); }}
"""


def fails(make: Builder, code: str, core: str = "cortex-m4", layers: int = 1) -> WhycyclesError:
    firmware = make(core, code, layers)
    with pytest.raises(WhycyclesError) as caught:
        UnicornTarget(kit.board(core), limits=FEW).run(firmware, [bytes(64)])
    assert caught.value.hint
    assert "Traceback" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4", "cortex-m33"])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('__asm volatile("udf #0");', ("exception", "undefined")),
        ('__asm volatile(".short 0xffff, 0xffff");', ("exception", "undefined")),
        ('__asm volatile("bkpt #3");', ("exception",)),
        ("*(volatile int *)0x60000000 = 1;", ("write", "0x60000000")),
        ("(void)*(volatile int *)0x70000004;", ("read", "0x70000004")),
        ("*(volatile int *)0x08000040 = 1;", ("write to flash", "0x08000040")),
        ('for (;;) __asm volatile("");', ("ran away",)),
    ],
)
def test_faults_name_function_and_layer(make: Builder, core: str, body: str, words: tuple[str, ...]) -> None:
    error = fails(make, in_layer(body), core)
    assert isinstance(error, ExecutionError)
    assert any(w in error.message for w in words), error.message
    assert "culprit" in error.message
    assert "layer 0 (layer0)" in error.message


def test_peripherals_are_there_for_a_ports_start_up_alone(make: Builder) -> None:
    firmware = make("cortex-m4", in_layer("*(volatile int *)0x40021000 = 1;"))
    with pytest.raises(ExecutionError, match="0x40021000"):
        UnicornTarget(kit.board("cortex-m4"), limits=FEW).run(
            dataclasses.replace(firmware, port="stm32l4"), [bytes(64)]
        )


def test_a_wild_jump(make: Builder) -> None:
    error = fails(make, in_layer("((void (*)(void))0x50000001)();"))
    assert isinstance(error, ExecutionError)
    assert "jump" in error.message or "exception" in error.message


def test_jump_into_data(make: Builder) -> None:
    error = fails(make, in_layer("wc_arena[0] = 0x70; wc_arena[1] = 0x47; ((void (*)(void))(wc_arena + 1))();"))
    assert "out of the code" in error.message


def test_the_wall_clock_ends_what_the_budget_allows(make: Builder) -> None:
    firmware = make("cortex-m4", in_layer('for (;;) __asm volatile("");'))
    with pytest.raises(ExecutionError, match="did not finish within"):
        UnicornTarget(kit.board("cortex-m4"), limits=Limits(10**15, 0.3)).run(firmware, [bytes(64)])


def test_start_up_is_guarded_too(make: Builder) -> None:
    code = in_layer("") + "__attribute__((used)) void unused(void) {}\n"
    firmware = make("cortex-m4", code)
    with pytest.raises(ExecutionError, match="start-up"):
        UnicornTarget(kit.board("cortex-m4"), limits=Limits(10, 20)).run(firmware, [bytes(64)])


def test_the_kernels_own_error(make: Builder) -> None:
    error = fails(make, in_layer("wc_status = 1;"))
    assert "layer 0 (layer0) reported an error" in error.message


def test_markers_must_match_the_layers(make: Builder) -> None:
    assert "1 of 2 layers" in fails(make, in_layer(""), layers=2).message
    assert "more layers" in fails(make, in_layer(""), layers=0).message
    assert "begin inside" in fails(make, in_layer("wc_layer_begin();"), layers=2).message
    assert "end without" in fails(make, in_layer("wc_layer_end();")).message


def test_state_between_inferences_is_found(make: Builder) -> None:
    code = in_layer("wc_arena[1024] = n++;", before="static int n;")
    assert isinstance(fails(make, code), CheckFailedError)


def test_a_full_stack_is_found(make: Builder) -> None:
    code = in_layer("volatile uint8_t big[2100]; for (int i = 0; i < 2100; i++) big[i] = i;")
    assert "stack" in fails(make, code).message


def test_inputs_of_the_wrong_size(make: Builder) -> None:
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    target = UnicornTarget(kit.board("cortex-m4"))
    for inputs in ([], [bytes(63)], [bytes(64), bytes(65)]):
        with pytest.raises(UsageError):
            target.run(firmware, inputs)


def test_a_core_unicorn_lacks(make: Builder) -> None:
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    with pytest.raises(ToolError, match="cortex-m55"):
        UnicornTarget(kit.board("cortex-m4"), "cortex-m55").run(firmware, [bytes(64)])


def test_an_elf_for_another_memory_map(make: Builder) -> None:
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    board = kit.board("cortex-m4")
    flash, sram = board.memories
    elsewhere = board.model_copy(update={"memories": (flash.model_copy(update={"origin": 0x10000000}), sram)})
    with pytest.raises(ExecutionError, match="has no memory"):
        UnicornTarget(elsewhere).run(firmware, [bytes(64)])


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"not an elf at all" * 20])
def test_no_elf(make: Builder, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.elf"
    path.write_bytes(content)
    firmware = dataclasses.replace(make("cortex-m4", kit.SMALL_NET, 3), elf=path)
    with pytest.raises(BadInputError):
        UnicornTarget(kit.board("cortex-m4")).run(firmware, [bytes(64)])
