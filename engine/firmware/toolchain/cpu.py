"""From a core's description to compiler flags: the same table serves clang and gcc."""

from __future__ import annotations

from dataclasses import dataclass

from engine.catalog.core import Core, Fpu
from engine.errors import UsageError

# Which -mcpu schedules for an architecture when the core has no name of its own that compilers know.
_GENERIC = {
    "armv6-m": "cortex-m0plus",
    "armv7-m": "cortex-m3",
    "armv7e-m": "cortex-m4",
    "armv8-m.main": "cortex-m33",
    "armv8.1-m.main": "cortex-m55",
}
_TRIPLE = {
    "armv6-m": "thumbv6m-none-eabi",
    "armv7-m": "thumbv7m-none-eabi",
    "armv7e-m": "thumbv7em-none-eabi",
    "armv8-m.main": "thumbv8m.main-none-eabi",
    "armv8.1-m.main": "thumbv8.1m.main-none-eabi",
}
_KNOWN = ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "cortex-m85")
_ZIG_FPU = {"fpv4-sp-d16": "vfp4d16sp", "fpv5-sp-d16": "fp_armv8d16sp", "fpv5-d16": "fp_armv8d16"}


@dataclass(frozen=True)
class Cpu:
    """Code generation for one core. ``hard_float``: floats travel in FPU registers (AAPCS-VFP).

    ``mfpu`` is empty for soft float, and where ``mcpu`` already says which FPU there is. ``zig_cpu`` names the same core to
    ``zig build-lib``. ``like_mcpu``: what to call the core to a compiler that does not know it yet: an older core that runs the
    same instructions.
    """

    core: str
    triple: str
    mcpu: str
    mfpu: str
    zig_cpu: str
    hard_float: bool
    like_mcpu: str = ""

    @property
    def float_flags(self) -> tuple[str, ...]:
        """Flags for the FPU and for how floats are passed, the same for both compilers."""
        fpu = (f"-mfpu={self.mfpu}",) if self.mfpu else ()
        return (*fpu, "-mfloat-abi=hard" if self.hard_float else "-mfloat-abi=soft")


def cpu_for(core: Core) -> Cpu:
    """Compiler target of a core.

    DSP and FPU follow the core's description, not the compiler's default for that CPU name.

    Raises UsageError for an architecture the firmware has no start-up for.
    """
    if core.architecture not in _GENERIC:
        raise UsageError(
            f"core '{core.name}' is {core.architecture}: no compiler target for it",
            hint=f"firmware can be built for {', '.join(_GENERIC)}",
        )
    if core.architecture == "armv8.1-m.main":
        return _vector_cpu(core)
    base = core.name if core.name in _KNOWN else _GENERIC[core.architecture]
    if base == "cortex-m4" and core.fpu is Fpu.DP:
        base = "cortex-m7"
    zig_base = base.replace("-", "_")
    mcpu = base
    zig = zig_base
    if base == "cortex-m33":
        mcpu = base if core.dsp else f"{base}+nodsp"
        zig = f"{zig_base}+dsp" if core.dsp else zig_base
    mfpu = _mfpu(base, core.fpu)
    if mfpu:
        zig = f"{zig}+{_ZIG_FPU[mfpu]}"
    triple = _TRIPLE[core.architecture] + ("hf" if mfpu else "")
    return Cpu(core=core.name, triple=triple, mcpu=mcpu, mfpu=mfpu, zig_cpu=zig, hard_float=bool(mfpu))


def _vector_cpu(core: Core) -> Cpu:
    """Armv8.1-M: the name of the core implies DSP, FPU and MVE, and compilers have no -mfpu for it."""
    if not core.mve or not core.dsp or core.fpu is Fpu.NONE:
        raise UsageError(
            f"core '{core.name}' is {core.architecture} without MVE, DSP or FPU: no compiler target for it",
            hint="describe it with dsp = true, mve = true and an fpu",
        )
    base = core.name if core.name in _KNOWN else _GENERIC[core.architecture]
    return Cpu(
        core=core.name,
        triple=_TRIPLE[core.architecture] + "hf",
        mcpu=base,
        mfpu="",
        zig_cpu=f"{base.replace('-', '_')}+dsp+mve_fp",
        hard_float=True,
        like_mcpu="cortex-m55",
    )


def _mfpu(base: str, fpu: Fpu) -> str:
    if fpu is Fpu.NONE:
        return ""
    if fpu is Fpu.DP:
        return "fpv5-d16"
    return "fpv4-sp-d16" if base == "cortex-m4" else "fpv5-sp-d16"
