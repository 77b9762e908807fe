"""The page on the agreement of emulators: every firmware, every difference, and absence with a reason."""

from __future__ import annotations

import json
from pathlib import Path

from engine.records.agreement import Agreement, AgreementCase, Disagreement, EmulatorRun
from engine.site.chart import Draughtsman
from engine.site.pages.agreement import write_agreement_page
from engine.site.render import Renderer
from engine.site.staging import Staging

HOSTILE = "<img src=x onerror=alert(1)> {{ 7*7 }} | `x`"


def _case(**changes: object) -> AgreementCase:
    made = AgreementCase(
        model="kws",
        model_sha256="0" * 64,
        kernels="cmsis-nn",
        core="cortex-m0plus",
        elf_sha256="1" * 64,
        emulators=(
            EmulatorRun(name="unicorn", version="2.1.4", machine="cortex-m0plus"),
            EmulatorRun(name="qemu", version="7.2.22", machine="cortex-m3"),
        ),
        layers=13,
        instructions=22_515_993,
        loads=8_049_361,
        stores=1_227_405,
        read_bytes=4,
        write_bytes=5,
        differences=(),
    )
    return made.model_copy(update=changes)


def _page(tmp_path: Path, *cases: AgreementCase) -> tuple[str, Path]:
    docs = Staging(tmp_path / "docs")
    found = Agreement(engine_version="1", compiler="clang 1 -O2", cases=cases) if cases else None
    write_agreement_page(Renderer(docs, Draughtsman(docs, tmp_path / "cache")), found)
    folder = docs.root / "targets" / "agreement"
    return (folder / "index.md").read_text("utf-8"), folder


def test_firmwares_that_agree(tmp_path: Path) -> None:
    text, folder = _page(tmp_path, _case(), _case(kernels="reference"))
    assert "All 2 firmwares are counted alike, layer by layer, by qemu 7.2.22 and unicorn 2.1.4." in text
    assert "22,515,993" in text
    assert "qemu (as cortex-m3)" in text
    assert "qemu has no cortex-m0plus: it runs that code on a cortex-m3" in text
    assert "no independent truth" in text
    assert Agreement.model_validate(json.loads((folder / "agreement.json").read_text("utf-8"))).cases[0] == _case()
    assert (folder / "agreement.schema.json").is_file()


def test_differences_are_shown_and_names_stay_text(tmp_path: Path) -> None:
    wrong = Disagreement(
        layer="layer 3 (conv)", counter="loads", one="unicorn", one_value="1", other="qemu", other_value="2"
    )
    text, _ = _page(tmp_path, _case(model=HOSTILE, differences=(wrong,)), _case(failures=("qemu: locked up",)))
    assert "2 of 2 firmwares are not counted alike" in text
    assert "layer 3 (conv): loads 1 (unicorn) and 2 (qemu)" in text
    assert "qemu: locked up" in text
    assert "<img" not in text


def test_without_any_the_page_says_how_to_get_one(tmp_path: Path) -> None:
    text, folder = _page(tmp_path)
    assert "Absent: no comparison is kept in this checkout" in text
    assert not (folder / "agreement.json").exists()
