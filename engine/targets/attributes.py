"""What an ELF says it was built for: the build attributes of the Arm ABI, and whether a core can run that.

Tag numbers and values: "Addenda to, and Errata in, the ABI for the Arm Architecture", build attributes; read with pyelftools and checked
against what both compilers write for every core of the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import ARMAttributesSection

from engine.catalog.core import Core, Fpu
from engine.errors import BadInputError

_ARCHITECTURES = {11: "armv6-m", 12: "armv6-m", 10: "armv7-m", 13: "armv7e-m", 16: "armv8-m.base", 17: "armv8-m.main", 21: "armv8.1-m.main"}  # fmt: skip
_RUNS = {
    "armv6-m": ("armv6-m",),
    "armv7-m": ("armv6-m", "armv7-m"),
    "armv7e-m": ("armv6-m", "armv7-m", "armv7e-m"),
    "armv8-m.main": ("armv6-m", "armv7-m", "armv7e-m", "armv8-m.base", "armv8-m.main"),
    "armv8.1-m.main": ("armv6-m", "armv7-m", "armv7e-m", "armv8-m.base", "armv8-m.main", "armv8.1-m.main"),
}
"""Architecture of a core to those whose code it runs, extensions apart."""

_MICROCONTROLLER = ord("M")
_SINGLE_ONLY = 1


@dataclass(frozen=True)
class BuildAttributes:
    """``architecture`` as in the catalogue (else the number of the tag); ``fpu``: what the code may use, at most; ``mve``: integer or float."""

    architecture: str
    dsp: bool
    fpu: Fpu
    mve: bool

    @property
    def needs(self) -> str:
        """For people: ``armv8.1-m.main with DSP, double-precision FPU and MVE``."""
        fpu = {Fpu.NONE: "", Fpu.SP: "single-precision FPU", Fpu.DP: "double-precision FPU"}[self.fpu]
        named = [x for x in ("DSP" if self.dsp else "", fpu, "MVE" if self.mve else "") if x]
        listed = " and ".join(filter(None, (", ".join(named[:-1]), named[-1]))) if named else ""
        return self.architecture + (f" with {listed}" if listed else "")


def read_attributes(elf: ELFFile) -> BuildAttributes | None:
    """The attributes of a whole file; None where it carries none, as hand-written objects may. Raises BadInputError for broken ones."""
    section = elf.get_section_by_name(".ARM.attributes")
    if not isinstance(section, ARMAttributesSection):
        return None
    try:
        tags = _tags(section)
    except (ELFError, AssertionError, LookupError, ValueError) as error:
        raise BadInputError(f"the ELF's build attributes cannot be read: {error}", hint="build it again") from error
    number = tags.get("TAG_CPU_ARCH")
    if number is None:
        return None
    known = _ARCHITECTURES.get(number)
    if known is None or (known == "armv7-m" and tags.get("TAG_CPU_ARCH_PROFILE") != _MICROCONTROLLER):
        return BuildAttributes(f"architecture {number} of another profile", False, Fpu.NONE, False)
    fpu = Fpu.NONE
    if tags.get("TAG_FP_ARCH", 0):
        fpu = Fpu.SP if tags.get("TAG_ABI_HARDFP_USE") == _SINGLE_ONLY else Fpu.DP
    dsp = known == "armv7e-m" or tags.get("TAG_DSP_EXTENSION", 0) != 0
    return BuildAttributes(known, dsp, fpu, tags.get("TAG_MVE_ARCH", 0) != 0)


def _tags(section: ARMAttributesSection) -> dict[str, int]:
    found: dict[str, int] = {}
    for vendor in section.iter_subsections():
        for scope in vendor.iter_subsubsections():
            found |= {a.tag: a.value for a in scope.iter_attributes() if isinstance(a.value, int)}
    return found


def check_runs_on(attributes: BuildAttributes | None, core: Core, name: str) -> None:
    """Raises BadInputError if code with these attributes cannot run on a core; ``name`` of the ELF, for the message."""
    if attributes is None:
        return
    lacks = []
    if attributes.architecture not in _RUNS[core.architecture]:
        lacks.append(f"is {core.architecture}")
    if attributes.dsp and not core.dsp:
        lacks.append("has no DSP extension")
    if attributes.mve and not core.mve:
        lacks.append("has no MVE (Helium)")
    if attributes.fpu is not Fpu.NONE and core.fpu is Fpu.NONE:
        lacks.append("has no FPU")
    elif attributes.fpu is Fpu.DP and core.fpu is Fpu.SP:
        lacks.append("has a single-precision FPU")
    if lacks:
        raise BadInputError(
            f"{name} was built for {attributes.needs}; the {core.name} {' and '.join(lacks)}",
            hint=f"build it for the {core.name}, or run it on a board with another core",
        )
