"""The driver: encodings are what the text beside them says, calls reach, tables hold what was asked for."""

from __future__ import annotations

import dataclasses
import struct

import capstone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.load import load_core
from engine.errors import ExecutionError, UsageError
from engine.firmware.types import ArenaTensor
from engine.targets.image import Image
from engine.targets.renode.driver import CODE, encode_bl, make_driver, takeovers
from engine.targets.renode.machines import renode_machine
from tests.targets.conftest import Builder
from tests.targets.renode.conftest import Toy

THUMB = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)


def test_code_is_what_is_written_beside_it() -> None:
    code = struct.pack(f"<{len(CODE)}H", *(half for half, _ in CODE))
    texts = [f"{mnemonic} {operands}".strip() for _, _, mnemonic, operands in THUMB.disasm_lite(code, 0)]
    assert texts == [text for _, text in CODE]


@settings(deadline=None)
@given(at=st.integers(0, 0x3FFFF).map(lambda n: 2 * n), distance=st.integers(-(1 << 23) + 2, (1 << 23) - 3))
def test_calls_go_where_they_should(at: int, distance: int) -> None:
    at += 0x1000_0000
    target = at + 2 * distance
    ((_, size, mnemonic, operands),) = THUMB.disasm_lite(encode_bl(at, target), at)
    assert (size, mnemonic, int(operands.removeprefix("#"), 16)) == (4, "bl", target)


def test_every_call_of_wc_idle_is_taken_over(toy: Toy) -> None:
    image = Image(toy().elf)
    idle = image.symbol("wc_idle")
    assert idle is not None
    calls = takeovers(image, 0x80_0000)
    assert calls
    for at, code in calls:
        assert image.instructions[at].operands == f"#{idle.address:#x}"
        assert code == encode_bl(at, 0x80_0000)


def test_a_firmware_that_never_says_ready_is_refused(make: Builder) -> None:
    image = Image(make("cortex-m4", "void wc_infer(void) {}").elf)
    image.instructions = {a: i for a, i in image.instructions.items() if i.mnemonic != "bl"}
    with pytest.raises(ExecutionError, match="never calls wc_idle"):
        takeovers(image, 0x80_0000)


def test_inputs_too_large_for_the_driver_are_refused(toy: Toy) -> None:
    firmware = toy()
    big = dataclasses.replace(firmware, inputs=(ArenaTensor(0, "in", 0, 600_000, 0, 0),))
    with pytest.raises(UsageError, match="do not fit"):
        make_driver(renode_machine(load_core("cortex-m4")), big, Image(firmware.elf), [bytes(600_000)] * 2)


def test_a_missing_symbol_is_named(toy: Toy) -> None:
    image = Image(toy().elf)
    image._by_name.pop("wc_arena")
    with pytest.raises(ExecutionError, match="no symbol 'wc_arena'"):
        make_driver(renode_machine(load_core("cortex-m4")), toy(), image, [bytes(8)])
