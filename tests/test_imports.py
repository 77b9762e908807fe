"""The way of the data is readable from the folders: imports go one way, between modules and between the folders of ``engine/``."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
MODULES = {
    ".".join(path.relative_to(REPO).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (REPO / "engine").rglob("*.py")
}


def imported(module: str) -> Iterator[str]:
    """Modules of the engine that a module names in an import, at its top or within a function."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            members = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in members)


def folder(module: str) -> str:
    return ".".join(module.split(".")[:2])


@pytest.mark.parametrize("unit", [str, folder], ids=["modules", "folders"])
def test_no_circle(unit: type[str]) -> None:
    arrows: dict[str, set[str]] = {}
    for module in MODULES:
        if module != "engine":
            arrows.setdefault(unit(module), set()).update(
                unit(name) for name in imported(module) if unit(name) not in (unit(module), "engine")
            )
    assert len(arrows) > 10
    try:
        graphlib.TopologicalSorter(arrows).prepare()
    except graphlib.CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None
