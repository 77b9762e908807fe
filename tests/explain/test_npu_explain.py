"""Sentences about estimates: they name what bounds, what would help, and what kind of figure it is."""

from __future__ import annotations

import io

from rich.console import Console

from engine.explain.npu import explain_npu, layer_sentence
from engine.explain.npu_terminal import render_npu, render_npu_comparison
from engine.records.npu import CpuLayer, NpuHost, NpuRecord, NpuResource, Where
from engine.records.npu_store import committed_npus
from tests.builders.npu_records import busy, npu_layer, npu_record


def _card(record: NpuRecord) -> str:
    out = io.StringIO()
    render_npu(record, Console(file=out, width=120, highlight=False, markup=False))
    return out.getvalue()


def test_a_model_that_waits_for_flash() -> None:
    found = explain_npu(npu_record())
    assert "bound by what off-chip flash delivers: 1 of 2 layers, 66.7 % of 1,500 cycles" in found.sentence
    assert "0.003 ms on ethos-u55-128 without 1 operator on the host core, whose time is absent" in found.sentence
    assert found.gain == "If off-chip flash were infinitely fast: 800 cycles, 46.7 % less."
    assert "1,020 bytes through off-chip flash at no more than 0.5 GB/s" in found.advice[0]
    assert "34.0 MACs per byte" in found.advice[1]
    assert "memory_mode=Sram_Only" in found.advice[2]
    assert "softmax #2" in found.fallback
    assert "absent: 1 of 1 operators on the CPU are not timed" in found.fallback
    assert "vendor tool's estimate (Vela 5.2.0)" in found.caveat
    assert "Comparable only within this configuration" in found.caveat


def test_all_in_sram_is_not_advised_where_it_is_so() -> None:
    assert not any("Sram_Only" in a for a in explain_npu(npu_record(memory_mode="Sram_Only")).advice)


def test_a_model_that_waits_for_the_npu_itself() -> None:
    layers = (
        npu_layer(0, "DEPTHWISE_CONV_2D", busy(npu=900, sram=10), macs=900),
        npu_layer(1, "CONV_2D", busy(npu=100, sram=90), macs=12_000),
    )
    record = npu_record(layers=layers, bottleneck=NpuResource.NPU, latency_note="without its driver")
    found = explain_npu(record)
    assert "toy takes 0.002 ms on ethos-u55-128, bound by the NPU's own work: 2 of 2 layers" in found.sentence
    assert (
        "90.0 % of the cycles go to a layer with under 25 % of the MAC engine busy (depthwise conv2d)"
        in found.advice[0]
    )
    assert "its MACs are busy 0.8 % of the time" in layer_sentence(layers[0], record)
    assert found.fallback == "No operator falls back to the host core."
    assert found.caveat.endswith("Without its driver.")


def test_what_falls_back_is_timed_on_its_host() -> None:
    timed = CpuLayer(index=2, name="tensor 2", op="SOFTMAX", cycles=120_000, latency_ms=1.0, reason="")
    host = NpuHost(board="nucleo-l4r5zi", core="cortex-m4", clock_mhz=120, run="x")
    found = explain_npu(npu_record(cpu_layers=(timed,), host=host, latency_ms=1.003))
    assert "1.000 ms on the cortex-m4 of nucleo-l4r5zi at 120 MHz (simulated), 1.003 ms together" in found.fallback
    assert "takes 1.003 ms on ethos-u55-128 and its host core, which needs 1.000 ms (99.7 %) of it" in found.sentence
    assert "the NPU's 0.003 ms are bound by what off-chip flash delivers" in found.sentence


def test_layers_that_cost_nothing() -> None:
    record = npu_record()
    assert "host core" in layer_sentence(record.layers[2], record)
    assert "no operation" in layer_sentence(npu_layer(3, "RESHAPE", busy(), where=Where.REMOVED), record)
    assert "nothing that Vela counts" in layer_sentence(npu_layer(3, "RESHAPE", busy()), record)


def test_the_card_says_all_of_it_and_shows_every_layer() -> None:
    for record in (npu_record(notes=("a [bold]note[/bold].",)), committed_npus()[0]):
        text = _card(record)
        assert record.id in text
        assert text.count("\n") > len(record.layers) + 6
        assert "Predicted: vendor tool's estimate" in text
    assert "a [bold]note[/bold]." in _card(npu_record(notes=("a [bold]note[/bold].",)))


def test_two_side_by_side_or_why_not() -> None:
    out = io.StringIO()
    console = Console(file=out, width=120, highlight=False, markup=False)
    render_npu_comparison(npu_record(), npu_record(memory_mode="Sram_Only"), console)
    assert "may not be compared" in out.getvalue()
    assert "B is A" not in out.getvalue()
    found = {r.id: r for r in committed_npus()}
    one, two = (next(r for i, r in found.items() if i.startswith(f"kws_ethos-u55-{n}_")) for n in (32, 256))
    render_npu_comparison(one, two, console)
    assert f"B is A {two.cycles - one.cycles:+,} cycles" in out.getvalue()
