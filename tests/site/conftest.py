"""One small site, built once: hand-made records on two catalogue boards, one of the user's, and one with a hostile name.

The first and the hostile run have an analysis, the others have none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.catalog.load import list_boards, load_board
from engine.explain.analysis import Analysis
from engine.pipeline.local import layer_validations_path
from engine.records.counters import Counters
from engine.records.layer_validation import EventCounts, LayerValidation, LayerValidations, read_layer_validations
from engine.records.run import Layer, RunRecord
from engine.site.build import SiteReport, build_site
from tests.builders.analyses import make_analysis, make_validations
from tests.builders.records import ELEMENTWISE, kws_layers, kws_record, make_record, mixed_layer

HOSTILE = '<img src=x onerror=alert(1)> "a|b" `c` {{ 7*7 }} [d](e)'


def site_records() -> list[RunRecord]:
    """Two models, two boards, two kernel libraries; two runs that tie, one whose board and model nobody knows."""
    bigger = [*kws_layers(), mixed_layer(13, "CONV_2D", macs=9_000_000, mix=ELEMENTWISE, output_shape=(1, 8, 8, 16))]
    runs = [
        kws_record(board="nucleo-l4r5zi", core="cortex-m4", clock_mhz=120),
        kws_record(board="nucleo-l4r5zi", core="cortex-m4", clock_mhz=120, kernels="reference"),
        kws_record(board="nucleo-h743zi", core="cortex-m7", clock_mhz=480),
        make_record(bigger, model="ic"),
        make_record(bigger, model=HOSTILE, board="my-board", id="hostile.my-board", output_matches_oracle=None),
    ]
    runs[-1] = runs[-1].model_copy(
        update={"notes": (HOSTILE,), "layers": (_with_helium(runs[-1].layers[0]), *runs[-1].layers[1:])}
    )
    return runs


def _with_helium(layer: Layer) -> Layer:
    """A layer of ten vector multiplies of 8 lanes, half under a predicate, of which 70 lanes take part, some perhaps not."""
    more = {
        "mve_instructions": 10, "mve_mac_instructions": 10, "mve_predicated_instructions": 5, "mve_beats": 40, "mve_beats_masked": 5,
        "mve_mac_lanes": 80, "mve_mac_lanes_active": 70, "mve_mac_lanes_unknown": 8,
    }  # fmt: skip
    return layer.model_copy(update={"counters": Counters(**(layer.counters.model_dump() | more))})


def layer_validations() -> LayerValidations:
    """The committed ones; the first as if made before stalls were compared, the second with stalls of both sides."""
    plain, with_stalls, *others = read_layer_validations(layer_validations_path()).results
    return LayerValidations(results=(_stalling(plain, None), _stalling(with_stalls, 4), *others))


def _stalling(result: LayerValidation, share: int | None) -> LayerValidation:
    def counts(c: EventCounts) -> EventCounts:
        stalls = None if share is None else c.cycles // share
        return c.model_copy(update={"stall_cycles": stalls, "mve_stall_cycles": stalls})

    points = [
        p.model_copy(
            update={"published": counts(p.published), "simulated": counts(p.simulated), "mve_waits": share and 7}
        )
        for p in result.points
    ]
    return result.model_copy(update={"points": tuple(points)})


def site_analyses(records: list[RunRecord]) -> list[Analysis]:
    return [make_analysis(records[0]), make_analysis(records[-1], function=HOSTILE)]


def build(records: list[RunRecord], out: Path, *, notebooks: bool = False, staging: Path | None = None) -> SiteReport:
    """The small site of these records."""
    return build_site(
        records,
        out,
        boards=BOARDS,
        analyses=site_analyses(records),
        validations=make_validations(),
        layer_validations=layer_validations(),
        notebooks=notebooks,
        staging=staging,
    )


@dataclass(frozen=True)
class Built:
    """A built site, and how to build it again."""

    out: Path
    records: list[RunRecord]
    report: SiteReport

    def again(self, records: list[RunRecord] | None = None) -> SiteReport:
        return build(self.records if records is None else records, self.out)


BOARDS = list_boards()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder of the tests' own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WHYCYCLES_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def built(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The small site, without notebooks."""
    assert load_board("nucleo-l4r5zi").core == "cortex-m4"
    out = tmp_path_factory.mktemp("out") / "site"
    records = site_records()
    return Built(out, records, build(records, out))
