"""What an ELF says it was built for, against what a core has."""

from __future__ import annotations

from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from engine.catalog.core import Fpu
from engine.catalog.load import load_core
from engine.errors import BadInputError
from engine.targets.attributes import BuildAttributes, check_runs_on, read_attributes
from tests.targets.conftest import Builder
from tests.targets.kit import SMALL_NET
from tests.targets.renode.recordings import CORES

RECORDED = Path(__file__).parent / "renode" / "recorded" / "firmware"
RUNS = {
    "m0plus": {"cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"},
    "m3": {"cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"},
    "m4": {"cortex-m4", "cortex-m7", "cortex-m33"},
    "m7": {"cortex-m7"},
    "m33": {"cortex-m33"},
    "m55": set(),
}


def attributes(elf: Path) -> BuildAttributes | None:
    with elf.open("rb") as stream:
        return read_attributes(ELFFile(stream))


@pytest.mark.parametrize("name", RUNS)
def test_code_runs_on_its_core_and_those_above(name: str) -> None:
    built = attributes(RECORDED / f"demo-{name}.elf")
    for core in (load_core(c) for c in CORES):
        if core.name in RUNS[name]:
            check_runs_on(built, core, "demo.elf")
        else:
            with pytest.raises(BadInputError, match=f"demo.elf was built for .*; the {core.name} ") as error:
                check_runs_on(built, core, "demo.elf")
            assert error.value.hint


def test_what_is_missing_is_named() -> None:
    helium = attributes(RECORDED / "demo-m55.elf")
    assert helium is not None
    assert (helium.architecture, helium.fpu, helium.dsp, helium.mve) == ("armv8.1-m.main", Fpu.DP, True, True)
    with pytest.raises(BadInputError, match=r"DSP, double-precision FPU and MVE; the cortex-m33 .*has no MVE"):
        check_runs_on(helium, load_core("cortex-m33"), "demo.elf")


@pytest.mark.parametrize("core", CORES)
def test_our_own_builds_pass_on_their_core(make: Builder, core: str) -> None:
    built = attributes(make(core, SMALL_NET, 3).elf)
    assert built is not None
    check_runs_on(built, load_core(core), "ours.elf")


def test_an_elf_without_attributes_has_none(tmp_path: Path) -> None:
    data = (RECORDED / "demo-m4.elf").read_bytes()
    path = tmp_path / "no-attributes.elf"
    # the section keeps its place under another name
    path.write_bytes(data.replace(b".ARM.attributes", b".XXX.attributes"))
    assert attributes(path) is None
