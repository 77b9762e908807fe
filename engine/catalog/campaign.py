"""A campaign: a matrix of runs, one TOML file each in ``campaigns/``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from engine.catalog.figure import Frozen
from engine.catalog.problems import near
from engine.catalog.toml_file import load_toml
from engine.errors import UsageError

_FOLDER = Path(__file__).parent / "campaigns"


class NpuMatrix(Frozen):
    """Every combination of models and NPUs is one estimate."""

    models: tuple[str, ...] = Field(min_length=1)
    npus: tuple[str, ...] = Field(min_length=1)


class Campaign(Frozen):
    """Every combination of models, boards, kernel libraries, compilers and optimisation levels is one run; ``estimates`` are beside them."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    models: tuple[str, ...] = Field(min_length=1)
    boards: tuple[str, ...] = Field(min_length=1)
    kernels: tuple[Literal["reference", "cmsis-nn"], ...] = Field(min_length=1)
    compilers: tuple[Literal["clang", "gcc"], ...] = Field(min_length=1)
    opts: tuple[Literal["O0", "O1", "O2", "O3", "Os"], ...] = Field(min_length=1)
    estimates: tuple[NpuMatrix, ...] = ()


def campaign_names() -> tuple[str, ...]:
    """Names of the campaigns that come with the project."""
    return tuple(sorted(p.stem for p in _FOLDER.glob("*.toml")))


def load_campaign(name_or_path: str) -> Campaign:
    """A campaign by name, or from a path to a TOML file. Raises UsageError or CatalogError."""
    path = Path(name_or_path)
    if not name_or_path.endswith(".toml"):
        path = _FOLDER / f"{name_or_path}.toml"
        if not path.is_file():
            raise UsageError(
                f"no campaign is called '{name_or_path}'",
                hint=near(name_or_path, campaign_names(), "a campaign of your own is a path to its TOML file"),
            )
    return load_toml(Campaign, path, "see engine/catalog/campaigns/default.toml for an example")
