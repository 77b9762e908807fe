"""What an ELF says it was built for, against what a core has."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.catalog.core import Fpu
from engine.catalog.load import list_cores, load_core
from engine.errors import BadInputError
from engine.targets.attributes import check_attributes, read_attributes
from tests.targets.conftest import Builder
from tests.targets.kit import CORES, SMALL_NET

RECORDED = Path(__file__).parent / "renode" / "recorded" / "firmware"
RUNS = {
    "m0plus": {"cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"},
    "m3": {"cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"},
    "m4": {"cortex-m4", "cortex-m7", "cortex-m33"},
    "m7": {"cortex-m7"},
    "m33": {"cortex-m33"},
    "m55": set(),
}


@pytest.mark.parametrize("name", RUNS)
def test_code_runs_on_its_core_and_those_above(name: str) -> None:
    for core in (load_core(c) for c in CORES):
        if core.name in RUNS[name]:
            check_attributes(RECORDED / f"demo-{name}.elf", core)
        else:
            with pytest.raises(BadInputError, match=f"which a {core.name} does not have"):
                check_attributes(RECORDED / f"demo-{name}.elf", core)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(BadInputError, match=r"v8\.1-M\.mainline.*double-precision instructions, Helium instructions"):
        check_attributes(RECORDED / "demo-m55.elf", load_core("cortex-m33"))
    helium = read_attributes(RECORDED / "demo-m55.elf")
    assert (helium.fpu, helium.dsp, helium.mve) == (Fpu.DP, True, True)


@pytest.mark.parametrize("core", CORES)
def test_our_own_builds_pass_on_their_core(make: Builder, core: str) -> None:
    check_attributes(make(core, SMALL_NET, 3).elf, load_core(core))


def test_every_core_has_a_row() -> None:
    for core in list_cores():
        with pytest.raises(BadInputError, match=r"no readable|not a readable|no \.ARM"):
            check_attributes(Path(__file__), core)


def test_an_elf_without_attributes_is_refused(tmp_path: Path) -> None:
    data = (RECORDED / "demo-m4.elf").read_bytes()
    broken = tmp_path / "no-attributes.elf"
    # the section keeps its place under another name
    broken.write_bytes(data.replace(b".ARM.attributes", b".XXX.attributes"))
    with pytest.raises(BadInputError, match="does not say which architecture"):
        read_attributes(broken)
