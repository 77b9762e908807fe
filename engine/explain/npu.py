"""Why a model takes what Vela says it takes on an NPU: sentences, remedies, and what stands in doubt."""

from __future__ import annotations

from dataclasses import dataclass

from engine.records.npu import MEMORIES, NpuLayer, NpuMemory, NpuRecord, NpuResource, Where
from engine.words import layer_title, op_title, share_text

_IDLE = 0.25
"""Occupancy of the MAC engine below which its bound layers are said to leave it idle: three of four MACs do nothing."""


@dataclass(frozen=True)
class NpuExplanation:
    """``sentence`` is the verdict, ``gain`` what removing the bottleneck would bring, ``caveat`` what kind of figure this is."""

    sentence: str
    gain: str
    advice: tuple[str, ...]
    fallback: str
    caveat: str


def explain_npu(record: NpuRecord) -> NpuExplanation:
    """Explain an estimate."""
    return NpuExplanation(_verdict(record), _gain(record), _advice(record), _fallback(record), _caveat(record))


def layer_sentence(layer: NpuLayer, record: NpuRecord) -> str:
    """What bounds one operator, in one sentence."""
    if layer.where is Where.CPU:
        return "runs on the host core: the NPU has no operation for it"
    if layer.where is Where.REMOVED:
        return "costs nothing: Vela needs no operation for it"
    if layer.bottleneck is None:
        return "costs nothing that Vela counts"
    share = _percent(layer.cycles, record.cycles)
    rest = f"{layer.cycles_without_bottleneck:,} cycles if {_free(layer.bottleneck)}"
    if layer.bottleneck is NpuResource.NPU:
        busy = f"its MACs are busy {100 * (layer.utilisation or 0):.1f} % of the time"
        return f"{layer.cycles:,} cycles ({share}), bound by the NPU itself: {busy}; {rest}"
    return f"{layer.cycles:,} cycles ({share}), bound by {layer.bottleneck.label}; {rest}"


def _verdict(record: NpuRecord) -> str:
    bound = record.bottleneck
    layers = [x for x in record.layers if x.cycles]
    waiting = sum(x.bottleneck is bound for x in layers)
    what = "the NPU's own work" if bound is NpuResource.NPU else f"what {bound.label} delivers"
    return (
        f"{_time(record)} bound by {what}: {waiting} of {len(layers)} layers, "
        f"{_percent(record.bound_cycles(bound), record.cycles)} of {record.cycles:,} cycles. The MAC engine is busy "
        f"{100 * record.utilisation:.1f} % of {'that' if record.cpu_layers else 'the'} time."
    )


def _time(record: NpuRecord) -> str:
    """How long it takes, up to the NPU's part: what the host core does is neither left out of it nor explained as the NPU's."""
    on_npu = f"{record.npu_latency_ms:.3f} ms"
    if not record.cpu_layers:
        return f"{record.model} takes {on_npu} on {record.npu},"
    if record.latency_ms is None:
        return (
            f"{record.model} takes {on_npu} on {record.npu} without {_operators(len(record.cpu_layers))} on the host core, "
            "whose time is absent; the NPU's part is"
        )
    on_cpu = record.latency_ms - record.npu_latency_ms
    return (
        f"{record.model} takes {record.latency_ms:.3f} ms on {record.npu} and its host core, which needs {on_cpu:.3f} ms "
        f"({100 * on_cpu / record.latency_ms:.1f} %) of it; the NPU's {on_npu} are"
    )


def _operators(count: int) -> str:
    return f"{count} operator{'' if count == 1 else 's'}"


def _gain(record: NpuRecord) -> str:
    without = record.cycles_without.of(record.bottleneck)
    return (
        f"If {_free(record.bottleneck)}: {without:,} cycles, {_percent(record.cycles - without, record.cycles)} less."
    )


def _free(resource: NpuResource) -> str:
    return "the NPU itself took no time" if resource is NpuResource.NPU else f"{resource.label} were infinitely fast"


def _advice(record: NpuRecord) -> tuple[str, ...]:
    if record.bottleneck is not NpuResource.NPU:
        return _memory_advice(record, next(m for m in record.memories if m.memory is record.bottleneck))
    idle = [
        x
        for x in record.layers
        if x.bottleneck is NpuResource.NPU and x.model_macs and x.utilisation is not None and x.utilisation < _IDLE
    ]
    cycles = sum(x.cycles for x in idle)
    if not idle:
        return ("The MAC engine is well used: fewer MACs in the model, or an accelerator with more, would help.",)
    kinds = ", ".join(dict.fromkeys(op_title(x.op) for x in idle))
    return (
        f"{_percent(cycles, record.cycles)} of the cycles go to {'a layer' if len(idle) == 1 else f'{len(idle)} layers'} with under {share_text(_IDLE, 0)} of the MAC engine busy ({kinds}): "
        "depthwise convolutions, few channels and fully connected layers leave most of it idle, and more MACs per cycle help least there.",
    )


def _memory_advice(record: NpuRecord, memory: NpuMemory) -> tuple[str, ...]:
    weights, maps = memory.weight_read_bytes, memory.feature_map_read_bytes + memory.feature_map_write_bytes
    label = memory.memory.label
    found = [
        f"One inference moves {memory.total_bytes:,} bytes through {label} at no more than {memory.peak_gb_s:.2g} GB/s "
        f"({weights:,} of them weights, {maps:,} feature maps)."
    ]
    if weights > maps:
        per_byte = record.model_macs / weights if weights else 0.0
        found.append(
            f"Mostly weights: {per_byte:.1f} MACs per byte read. The layers it bounds wait for them however many MACs the NPU has: fewer "
            "weights, weights that compress better, or a faster memory for them help; more MACs per cycle do not."
        )
        sram = next((m.used_bytes for m in record.memories if m.memory is NpuResource.SRAM), 0)
        if record.memory_mode != "Sram_Only":
            found.append(
                f"With SRAM for all ({(sram + memory.used_bytes) / 1024:.0f} KB): --set memory_mode=Sram_Only estimates it."
            )
    else:
        found.append("Mostly feature maps: smaller ones, or a larger fast memory for them, help.")
    return tuple(found)


def _fallback(record: NpuRecord) -> str:
    if not record.cpu_layers:
        return "No operator falls back to the host core."
    named = ", ".join(op_title(x.op) if x.index is None else layer_title(x.op, x.index) for x in record.cpu_layers)
    text = f"{len(record.cpu_layers)} of {len(record.layers)} operators fall back to the host core ({named})"
    if record.host is None or record.latency_ms is None:
        return f"{text}; absent: {record.latency_note}."
    on_cpu = record.latency_ms - record.npu_latency_ms
    return (
        f"{text}: {on_cpu:.3f} ms on the {record.host.core} of {record.host.board} at {record.host.clock_mhz:g} MHz (simulated), "
        f"{record.latency_ms:.3f} ms together."
    )


def _caveat(record: NpuRecord) -> str:
    used = ", ".join(f"{m.memory.label} {m.peak_gb_s:.3g} GB/s" for m in record.memories if m.memory in MEMORIES)
    note = f" {record.latency_note[0].upper()}{record.latency_note[1:]}." if record.latency_ms is not None else ""
    return (
        f"Predicted: {record.evidence_note} for {record.system_config}, {record.memory_mode} ({record.clock_mhz:g} MHz, {used}). "
        f"Comparable only within this configuration.{note}"
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "0 %"
