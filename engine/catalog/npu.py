"""An NPU: accelerator, MACs per cycle, and the system that Vela is told it sits in. One TOML file each in ``npus/``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from engine.catalog.figure import Figure, Frozen, Origin, RefusalError
from engine.catalog.problems import near
from engine.catalog.toml_file import load_toml, read_toml
from engine.errors import CatalogError, UsageError

NPUS_DIR = Path(__file__).parent / "npus"
"""NPUs that come with the project, one TOML file each."""

BUILT_IN_CONFIG = "Arm/vela.ini"
"""The configuration file that comes with Vela, as its ``--config`` names it."""

_COPY = "compare with the example files in engine/catalog/npus/"

Accelerator = Literal[
    "ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256", "ethos-u65-256", "ethos-u65-512", "ethos-u85-128",
    "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024", "ethos-u85-2048",
]  # fmt: skip
"""The configurations that Vela compiles for."""

SETTABLE = ("system_config", "memory_mode")
"""Keys that ``--set`` may change for one run."""


class Npu(Frozen):
    """An NPU as the engine needs it.

    ``system_config`` and ``memory_mode`` name sections of ``vela_config``: Vela's own file, or (a path from the TOML file's folder) the
    user's. ``clock_mhz`` is what that system configuration says; Vela's answer is checked against it. ``host_board``: the board whose
    core runs what the NPU cannot.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    vendor: str
    accelerator: Accelerator
    macs_per_cycle: Figure
    clock_mhz: Figure
    system_config: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    system_config_source: Origin
    memory_mode: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    memory_mode_source: Origin
    vela_config: str = BUILT_IN_CONFIG
    host_board: str | None = None
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.macs_per_cycle.value != int(self.accelerator.rsplit("-", 1)[1]):
            raise RefusalError(
                f"macs_per_cycle is {self.macs_per_cycle.value}, but the accelerator is {self.accelerator}",
                "the last number of the accelerator's name is its MACs per cycle",
            )
        if self.clock_mhz.value <= 0:
            raise RefusalError(
                "clock_mhz must be greater than 0", "write the core_clock of the system configuration in MHz"
            )
        return self


def accelerators() -> tuple[str, ...]:
    """Names that ``accelerator`` may have."""
    return get_args(Accelerator)


def npu_names() -> tuple[str, ...]:
    """Names of the NPUs of the catalogue."""
    return tuple(sorted((p.stem for p in NPUS_DIR.glob("*.toml")), key=_order))


def list_npus() -> tuple[Npu, ...]:
    """All NPUs of the catalogue: by family, smallest first."""
    return tuple(load_npu(name) for name in npu_names())


def is_npu(name_or_path: str) -> bool:
    """Whether this names an NPU: one of the catalogue, or a TOML file that has an accelerator."""
    if name_or_path in npu_names():
        return True
    path = Path(name_or_path)
    if path.suffix != ".toml" or not path.is_file():
        return False
    try:
        return "accelerator" in read_toml(path, _COPY)
    except CatalogError:
        return False


def load_npu(name_or_path: str) -> Npu:
    """The NPU of that name, or the one described by a TOML file of the user's.

    Raises UsageError for an unknown name, and for a file that takes a catalogue name for something else; CatalogError for a file that
    cannot be read or is no valid NPU, or names a Vela configuration that does not exist.
    """
    if name_or_path in npu_names():
        return load_toml(Npu, NPUS_DIR / f"{name_or_path}.toml", _COPY)
    if not name_or_path.endswith(".toml"):
        raise UsageError(
            f"unknown NPU '{name_or_path}'",
            hint=near(name_or_path, npu_names()) + "; an NPU of your own is a path to its TOML file",
        )
    path = Path(name_or_path)
    npu = load_toml(Npu, path, _COPY)
    if npu.vela_config != BUILT_IN_CONFIG:
        ini = path.parent / npu.vela_config
        if not ini.is_file():
            raise CatalogError(
                f"{path}: vela_config: no such file: {ini}", hint="give its path from the TOML file's folder"
            )
        npu = npu.model_copy(update={"vela_config": str(ini.resolve())})
    if npu.name in npu_names() and npu != load_npu(npu.name):
        raise UsageError(
            f"the file calls itself {npu.name}, but the catalogue's {npu.name} is another NPU",
            hint="change `name` (and `title`) in the file",
        )
    return npu


def npu_sha256(npu: Npu) -> str:
    """Hash of the description's content; of a user's Vela configuration its content counts, not its path."""
    digest = hashlib.sha256(npu.model_dump_json(exclude={"vela_config"}).encode())
    digest.update((vela_config_sha256(npu) or "").encode())
    return digest.hexdigest()


def vela_config_sha256(npu: Npu) -> str | None:
    """Hash of the user's Vela configuration; None for Vela's own. Raises CatalogError if it cannot be read."""
    if npu.vela_config == BUILT_IN_CONFIG:
        return None
    try:
        return hashlib.sha256(Path(npu.vela_config).read_bytes()).hexdigest()
    except OSError as error:
        raise CatalogError(f"{npu.vela_config}: cannot be read: {error.strerror}", hint="check the path") from None


def _order(name: str) -> tuple[str, int]:
    family, _, macs = name.rpartition("-")
    return family, int(macs) if macs.isdecimal() else 0
