"""What texts and hints say of installing: the project is on no package index, so its extras come from the checkout."""

import re
import tomllib
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
TEXTS = [
    path
    for folder, suffixes in (("engine", ("*.py", "*.j2")), ("site_src", ("*.md", "*.ipynb")), (".", ("*.md",)))
    for suffix in suffixes
    for path in ((REPO / folder).glob(suffix) if folder == "." else (REPO / folder).rglob(suffix))
]


def test_nothing_is_said_to_be_on_an_index() -> None:
    wrong = [str(p) for p in TEXTS if re.search(r"pip install ['\"]?whycycles", p.read_text(encoding="utf-8"))]
    assert len(TEXTS) > 100
    assert wrong == []


def test_every_extra_that_is_named_exists() -> None:
    extras = set(
        tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    )
    named = {x for p in TEXTS for x in re.findall(r"pip install -e '\.\[(\w+)\]'", p.read_text(encoding="utf-8"))}
    assert {"board", "power", "train"} <= named <= extras
