"""What an ELF was built for, by the build attributes of the Arm ABI, against what a core has.

Emulators run instructions that the core they stand for does not have (Renode's M0+ and M3 run DSP instructions, and any of
its cores decodes some Helium), so a wrong ``-mcpu`` would go unnoticed without this.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import ARMAttributesSection

from engine.catalog.core import Core, Fpu
from engine.errors import BadInputError

# Values of Tag_CPU_arch, as LLVM's ARMBuildAttributes.h lists and readelf spells them.
_NAMES = {
    10: "v7-M",
    11: "v6-M",
    12: "v6S-M",
    13: "v7E-M",
    16: "v8-M.baseline",
    17: "v8-M.mainline",
    21: "v8.1-M.mainline",
}
_V6M = frozenset({11, 12})
_V7M = _V6M | {10}
_V7EM = _V7M | {13}
_V8M = _V7EM | {16, 17}
_RUNS = {
    "armv6-m": _V6M,
    "armv7-m": _V7M,
    "armv7e-m": _V7EM,
    "armv8-m.main": _V8M,
    "armv8.1-m.main": _V8M | {21},
}
_SINGLE_PRECISION = 1  # Tag_ABI_HardFP_use
_DSP_ARCHITECTURE = 13


@dataclass(frozen=True)
class BuildAttributes:
    """What the code of an ELF may use: ``architecture`` is Tag_CPU_arch; a feature that no tag names is absent."""

    architecture: int
    fpu: Fpu
    dsp: bool
    mve: bool

    @property
    def name(self) -> str:
        """The architecture for people."""
        return _NAMES.get(self.architecture, f"architecture {self.architecture}")


def read_attributes(elf: Path) -> BuildAttributes:
    """The build attributes of an ELF. Raises BadInputError if it is no Arm ELF or carries none."""
    tags: dict[str, int] = {}
    try:
        with elf.open("rb") as stream:
            section = ELFFile(stream).get_section_by_name(".ARM.attributes")
            if isinstance(section, ARMAttributesSection):
                tags = _file_tags(section)
    except (ELFError, OSError) as error:
        raise BadInputError(f"{elf} is not a readable ELF: {error}", hint="build the firmware again") from error
    if "TAG_CPU_ARCH" not in tags:
        raise BadInputError(
            f"{elf} does not say which architecture it was built for (no .ARM.attributes)",
            hint="link without discarding that section",
        )
    architecture = tags["TAG_CPU_ARCH"]
    single = tags.get("TAG_ABI_HARDFP_USE") == _SINGLE_PRECISION
    fpu = Fpu.NONE if not tags.get("TAG_FP_ARCH") else Fpu.SP if single else Fpu.DP
    dsp = architecture == _DSP_ARCHITECTURE or bool(tags.get("TAG_DSP_EXTENSION"))
    return BuildAttributes(architecture, fpu, dsp, bool(tags.get("TAG_MVE_ARCH")))


def check_attributes(elf: Path, core: Core) -> None:
    """Refuse an ELF whose code may use what the core does not have. Raises BadInputError."""
    built = read_attributes(elf)
    missing = []
    if built.architecture not in _RUNS[core.architecture]:
        missing.append(f"{built.name} instructions")
    if built.dsp and not core.dsp:
        missing.append("DSP instructions")
    if built.fpu is not Fpu.NONE and core.fpu is Fpu.NONE:
        missing.append("floating-point instructions")
    elif built.fpu is Fpu.DP and core.fpu is Fpu.SP:
        missing.append("double-precision instructions")
    if built.mve and not core.mve:
        missing.append("Helium instructions")
    if missing:
        raise BadInputError(
            f"{elf.name} was built for {built.name}: it may use {', '.join(missing)}, which a {core.name} does not have",
            hint=f"build it for {core.name} (-mcpu)",
        )


def _file_tags(section: ARMAttributesSection) -> dict[str, int]:
    """Numeric tags that hold for the whole file."""
    return {
        a.tag: a.value
        for vendor in section.iter_subsections("aeabi")
        for part in vendor.iter_subsubsections("TAG_FILE")
        for a in part.iter_attributes()
        if isinstance(a.value, int)
    }
