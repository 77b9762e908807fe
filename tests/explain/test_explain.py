import json
import re

from hypothesis import given, settings
from rich.console import Console

from engine.catalog.load import load_board, load_core
from engine.catalog.override_text import parse_override
from engine.catalog.overrides import override_board
from engine.explain.bottleneck import Bottleneck
from engine.explain.explain import bound_by, explain_run
from engine.explain.hardware import Hardware, hardware_of
from engine.explain.sentences import numbered
from engine.explain.terminal import render, render_layer
from engine.explain.types import Explanation
from engine.records.cause import Evidence
from engine.records.run import Cycles
from tests.builders.records import (
    ELEMENTWISE,
    PATIENT,
    ZERO_STACK,
    kws_record,
    make_counters,
    make_layer,
    make_record,
    make_region,
    make_stack,
    mixed_layer,
    records,
)  # fmt: skip

NONE = Hardware(None, None)
EMPTY = make_record([make_layer(0, op="RESHAPE")], glue=make_region(ZERO_STACK))


def hardware():
    return Hardware(load_board("nucleo-l4r5zi"), load_core("cortex-m4"))


def texts(found: Explanation):
    yield from (found.text, found.sentence, *found.advice)
    for layer in found.layers:
        yield from (layer.sentence, layer.interval_note, layer.roofline_note, *layer.advice)


def shown(found, record, width=80, **options):
    console = Console(width=width, record=True, highlight=False, file=open("/dev/null", "w"), **options)  # noqa: PTH123, SIM115
    with console.file:
        render(found, record, console)
        for layer in found.layers:
            render_layer(layer, record, console)
    return console.export_text(styles=options.get("force_terminal", False))


@given(records())
@PATIENT
def test_any_record_is_explained_in_clean_sentences(record):
    found = explain_run(record, NONE)
    for text in texts(found):
        assert not re.search(r"\b(nan|inf|None)\b|[{}]|\s\s|\.\.", text), text
    assert len(found.layers) == len(record.layers)
    for region in (found, *found.layers):
        assert sum(p.percent for p in region.bar) == (100 if region.cycles else 0)
        assert sum(p.cycles for p in region.bar) == region.cycles
    assert Explanation.model_validate_json(found.to_json()) == found


@given(records(max_layers=2))
@settings(PATIENT, max_examples=25)
def test_any_record_is_rendered_within_its_width(record):
    found = explain_run(record, hardware())
    for width in (80, 100, 40):
        assert max(len(line) for line in shown(found, record, width).splitlines()) <= width


def test_an_operator_without_cycles_says_so():
    layer = explain_run(EMPTY, NONE).layers[0]
    assert layer.verdict is Bottleneck.UNKNOWN
    assert layer.sentence == "Reshape #0 takes no cycles: there is nothing to explain."
    assert (layer.bar, layer.advice, layer.rules, layer.ipc, layer.share_of_run) == ((), (), (), None, None)
    assert "No layer takes any cycles." in explain_run(EMPTY, NONE).text


def test_the_verdict_of_kws_names_numbers_layers_and_doubt():
    record = kws_record()
    found = explain_run(record, NONE)
    assert found.verdict is Bottleneck.COMPUTE_BOUND
    assert f"{record.cycles.warm:,} cycles" in found.sentence
    assert "50.0 ms (simulated)" in found.sentence
    per_mac = record.instructions / record.macs
    assert f"{per_mac:.2f} instructions" in found.sentence
    # four pointwise layers of 968,704 cycles
    assert "Conv2d #2, #4, #6 and #8 hold 65 % of the cycles" in found.where
    assert "−4.0 % to +5.0 %" in found.certainty
    assert f"{record.cycles.cold - record.cycles.warm:,} cycles more" in found.cold


def test_the_interval_says_what_of_it_no_source_gives():
    record = kws_record()
    warm = record.cycles.warm
    assert "no source" not in explain_run(record, hardware()).certainty
    moved = record.model_copy(update={"alternatives_interval": (warm - warm // 100, warm + warm // 50)})
    assert "moves it by \u22121.0 % to +2.0 %, which is in the interval" in explain_run(moved, hardware()).certainty
    same = record.model_copy(update={"alternatives_interval": (warm, warm)})
    assert "does not move it" in explain_run(same, hardware()).certainty


def test_the_interval_is_given_in_time_too_with_what_it_does_not_cover():
    record = kws_record()
    found = explain_run(record, hardware())
    low, high = found.latency_interval_ms
    assert f"{low:.1f} ms to {high:.1f} ms" in found.certainty
    assert "not an error against silicon (board silicon: untested)" in found.caveat
    assert found.caveat in found.text
    assert "error against silicon" in shown(found, record, width=200)
    assert "board silicon: not known here" in explain_run(record, NONE).caveat
    measured = record.model_copy(update={"evidence": Evidence.MEASURED})
    assert explain_run(measured, hardware()).caveat == ""


def test_a_cold_inference_that_is_no_slower_says_why():
    record = kws_record()
    warm = record.cycles.warm
    same = record.model_copy(update={"cycles": Cycles(cold=warm, warm=warm)})
    board = load_board("nucleo-l4r5zi")
    said = explain_run(same, hardware()).cold
    # half and a quarter of 96,000 bytes of flash against caches of 1,024 and 256
    assert "(72,000 bytes) are larger than the flash caches (1,280 bytes)" in said
    bare = board.model_copy(update={"flash": board.flash.model_copy(update={"icache": None, "dcache": None})})
    assert "no flash cache to warm" in explain_run(same, Hardware(bare, None)).cold
    quick = override_board(board, [parse_override("flash.wait_states=0")])
    found = explain_run(same, Hardware(quick, None)).cold
    assert found.endswith("flash answers without a wait state at this clock, so nothing that misses costs a cycle.")
    late = override_board(quick, [parse_override("flash.miss_extra_cycles=1")])
    assert "larger than the flash caches" in explain_run(same, Hardware(late, None)).cold
    large = board.flash.model_copy(update={"icache": board.flash.icache.model_copy(update={"bytes": 2**20})})
    roomy = board.model_copy(update={"flash": large})
    for unexplained in (Hardware(roomy, None), NONE):
        assert explain_run(same, unexplained).cold.endswith("takes the same number of cycles.")
    assert "larger than" not in explain_run(record, hardware()).cold


def test_layers_are_named_until_there_are_very_many():
    assert numbered([3]) == "#3"
    assert numbered(range(9)) == "#0, #1, #2, #3, #4, #5, #6, #7 and #8"
    assert numbered(range(50)).endswith("#19 and 30 more")


def test_layers_shares_and_glue_are_the_whole_run():
    found = explain_run(kws_record(), NONE)
    assert abs(sum(x.share_of_run for x in found.layers) + found.glue_share - 1) < 1e-12


def test_what_is_unknown_about_the_hardware_is_said():
    record = kws_record(board="no-such-board", core="no-such-core")
    found = explain_run(record)
    assert any("does not describe no-such-board: caches not judged" in n for n in found.notes)
    assert found.layers[0].roofline is None
    assert found.layers[0].roofline_note == "the core's ceilings are not known"


def test_a_changed_description_is_not_the_one_of_the_run():
    board, core = load_board("nucleo-l4r5zi"), load_core("cortex-m4")
    record = kws_record()
    assert (hardware_of(record).board, hardware_of(record).core) == (board, core)
    stale = record.model_copy(
        update={"provenance": record.provenance.model_copy(update={"board_sha256": "0" * 64, "core_sha256": "0" * 64})}
    )
    assert (hardware_of(stale).board, hardware_of(stale).core) == (None, None)
    assert len(hardware_of(stale).notes) == 2


def test_a_board_with_a_cache_turns_flash_waits_into_cache_misses():
    counts = make_counters(flash_fetch_lines=100, flash_fetch_misses=40)
    record = make_record([make_layer(0, stack=make_stack(instruction_fetch=50, mac=50), counters=counts)])
    with_cache = explain_run(record, hardware()).layers[0]
    board = load_board("nucleo-l4r5zi")
    flash = board.flash.model_copy(update={"icache": None, "dcache": None})
    without = explain_run(record, Hardware(board.model_copy(update={"flash": flash}), None)).layers[0]
    assert (with_cache.verdict, without.verdict) == (Bottleneck.MEMORY_BOUND_CACHE, Bottleneck.MEMORY_BOUND_FLASH)
    assert "40 of 100 flash lines fetched missed" in with_cache.sentence
    assert bound_by(with_cache) == "memory-bound (cache): instruction cache misses"


def test_doubt_that_could_change_the_class_is_named():
    glue = make_region(make_stack(other_alu=620, load_store_issue=380))
    sure = explain_run(make_record(glue=glue, interval=(0.99, 1.01)), NONE)
    unsure = explain_run(make_record(glue=glue, interval=(0.8, 1.4)), NONE)
    assert (sure.verdict, sure.holds_over_interval, sure.could_also_be) == (Bottleneck.COMPUTE_BOUND, True, ())
    assert not unsure.holds_over_interval
    assert unsure.could_also_be == (Bottleneck.MEMORY_BOUND_BANDWIDTH, Bottleneck.MIXED)
    assert "could also be" in unsure.certainty


def test_a_wrong_or_unchecked_output_is_never_called_right():
    wrong = explain_run(make_record(output_matches_oracle=False), NONE)
    unchecked = explain_run(make_record(output_matches_oracle=None), NONE)
    assert "WRONG" in wrong.text
    assert "was not checked" in unchecked.text
    assert "is right" not in wrong.text + unchecked.text


def test_tiny_layers_give_no_advice_for_the_run():
    found = explain_run(kws_record(), NONE)
    assert all("softmax" not in a.lower() and "pool" not in a.lower() for a in found.advice)
    assert found.layers[12].advice


def test_a_layer_without_macs_is_judged_per_output_element():
    layer = mixed_layer(0, "ADD", macs=0, mix=ELEMENTWISE, output_shape=(1, 4, 4, 8))
    sentence = explain_run(make_record([layer]), NONE).layers[0].sentence
    assert "per output element" in sentence
    assert "MAC" not in sentence


def test_the_card_is_readable_without_colour_and_at_80_columns():
    record = kws_record()
    found = explain_run(record, hardware())
    plain = shown(found, record)
    assert "\x1b" not in plain
    for cause in ("MAC", "other ALU", "load/store issue", "instruction fetch"):
        assert cause in plain
    for layer in record.layers:
        assert layer.kernel in plain
        assert f"{layer.cycles:,}" in plain
    assert "MMMM" in plain
    assert "AAAA" in plain
    assert "\x1b" in shown(found, record, force_terminal=True)


def test_names_are_data_and_never_markup():
    layer = make_layer(0, op="CUSTOM", kernel="[red]x[/red]", stack=make_stack(mac=10))
    record = make_record([layer])
    assert "[red]x[/red]" in shown(explain_run(record, NONE), record)


def test_the_json_has_the_names_that_people_script_against():
    data = json.loads(explain_run(kws_record(), hardware()).to_json())
    assert data["verdict"] == "compute_bound"
    assert data["layers"][0]["bar"][0]["cause"] == "mac"
    assert data["layers"][0]["roofline"]["roof"] == "data port"
    assert data["layers"][10]["roofline"] is None
