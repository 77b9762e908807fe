"""Advice with numbers: gains from the analysis, costs from the record, silence where nothing is worth saying."""

from __future__ import annotations

import re

from engine.catalog.load import load_board
from engine.explain.analysis import Analysis, PlacementEffect
from engine.explain.explain import explain_run
from engine.explain.remedies import with_remedies
from engine.records.run import RunRecord
from engine.timing.mechanism import Mechanism
from tests.builders.analyses import make_analysis
from tests.builders.records import kws_record


def with_gain(analysis: Analysis, mechanism: Mechanism, share: float) -> Analysis:
    """The analysis with that share of every region's cycles gained by one mechanism and nothing by the others."""

    def changed(gains):  # type: ignore[no-untyped-def]
        whole = gains.cycles
        return gains.model_copy(
            update={
                "gains": tuple(
                    g.model_copy(
                        update={
                            "gain_cycles": int(whole * share) if g.mechanism is mechanism else 0,
                            "gain_cycles_interval": (0, int(2 * whole * share)) if g.mechanism is mechanism else (0, 0),
                        }
                    )
                    for g in gains.gains
                )
            }
        )

    return analysis.model_copy(update={"run": changed(analysis.run), "regions": tuple(map(changed, analysis.regions))})


def told(record: RunRecord, analysis: Analysis) -> tuple[tuple[str, ...], tuple[str, ...]]:
    board = load_board(record.board)
    explanation = with_remedies(explain_run(record), record, analysis, board)
    return explanation.advice, explanation.layers[0].advice


def test_weights_in_ram_are_priced() -> None:
    record = kws_record()
    run, layer = told(record, with_gain(make_analysis(record), Mechanism.PERFECT_DATA_READ, 0.1))
    ram = record.placement.activations
    assert run[0].startswith(f"Weights in {ram} (--place weights={ram}): at most −")
    assert "of RAM" in run[0]
    assert not layer or not layer[0].startswith("Weights of") or "of the layer; costs" in layer[0]


def test_no_gain_exceeds_what_the_flash_stalled() -> None:
    record = kws_record()
    run, _ = told(record, with_gain(make_analysis(record), Mechanism.PERFECT_DATA_READ, 0.9))
    stalls = sum(r.stack.data_read + r.stack.data_write for r in (*record.layers, record.glue))
    (share,) = re.findall(r"at most −(\d+) %", run[0])
    assert int(share) == round(100 * min(0.9, stalls / record.cycles.warm))


def test_no_command_is_named_that_does_not_fit_or_stalls_itself() -> None:
    record = kws_record()
    analysis = with_gain(make_analysis(record), Mechanism.PERFECT_DATA_READ, 0.5)
    board = load_board(record.board)
    small = tuple(m if m.kind.value == "flash" else m.model_copy(update={"bytes": 8}) for m in board.memories)
    tight = board.model_copy(update={"memories": small})
    plain = explain_run(record)
    assert with_remedies(plain, record, analysis, tight).advice == plain.advice


def test_what_the_trace_tells_is_said_instead_of_a_bound() -> None:
    record = kws_record()
    analysis = with_gain(make_analysis(record), Mechanism.PERFECT_DATA_READ, 0.1)
    ram = record.placement.activations

    def estimated(share: float, *ends: float) -> str:
        effect = PlacementEffect(part="weights", memory=ram, effect_cycles=-1, effect_share=share, effect_shares=ends)  # type: ignore[arg-type]
        return told(record, analysis.model_copy(update={"placements": (effect,)}))[0][0]

    said = f"Weights in {ram} (--place weights={ram}): −3.1 %"
    assert estimated(-0.031, -0.033, -0.029).startswith(f"{said} (−2.9 % to −3.3 %), estimated from the trace")
    assert estimated(-0.031, -0.031, -0.031).startswith(f"{said}, estimated from the trace")
    assert "Weights in" not in estimated(-0.01, -0.3, 0.0)  # whatever the bound says
    assert "Weights in" not in estimated(0.05, 0.05, 0.05)


def test_little_is_not_worth_saying() -> None:
    record = kws_record()
    plain = explain_run(record)
    run, layer = told(record, with_gain(make_analysis(record), Mechanism.PERFECT_DATA_READ, 0.01))
    assert (run, layer) == (plain.advice, plain.layers[0].advice)


def test_without_an_analysis_the_advice_is_the_rules() -> None:
    record = kws_record()
    plain = explain_run(record)
    assert with_remedies(plain, record, None, load_board(record.board)) is plain
