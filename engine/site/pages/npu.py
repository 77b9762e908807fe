"""Pages of NPUs: what Vela estimates, grouped by the configuration within which figures may be compared, and a page per estimate."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from engine.catalog.npu import SETTABLE, list_npus, load_npu, npu_names
from engine.explain.npu import explain_npu, layer_sentence
from engine.models.library import list_models
from engine.records.npu import NpuRecord, NpuResource
from engine.records.npu_comparable import npu_config
from engine.records.npu_store import dump_npu, npu_json_schema
from engine.site.exports import npu_layers_csv, npus_csv
from engine.site.npu_charts import npu_config_chart, npu_layer_label, npu_layers_chart
from engine.site.render import Renderer
from engine.site.text import slug


@dataclass(frozen=True)
class ConfigGroup:
    """Estimates that may be compared with each other. ``key`` is for anchors and chart names."""

    key: str
    first: NpuRecord
    records: tuple[NpuRecord, ...]


def write_npus(renderer: Renderer, records: Sequence[NpuRecord], model_order: Sequence[str]) -> None:
    """The index and a page per estimate; without any the index says how to get one. ``model_order``: models as the site lists them."""
    groups = _groups(records, model_order)
    if records:
        renderer.staging.write("npus/npus.csv", npus_csv(records))
        renderer.staging.write("npus/layers.csv", npu_layers_csv(records))
        renderer.staging.write("npus/npu.schema.json", json.dumps(npu_json_schema(), indent=1) + "\n")
    renderer.page(
        "npus",
        "npus.md.j2",
        {g.key: npu_config_chart(g.key, g.records) for g in groups if len(g.records) > 1},
        groups=groups,
        npus=list_npus(),
        explain=explain_npu,
        low=[r for r in records if r.macs < r.model_macs],
    )
    for r in records:
        _write_npu(renderer, r)


def _write_npu(renderer: Renderer, r: NpuRecord) -> None:
    folder = f"npus/{slug(r.id)}"
    renderer.staging.write(f"{folder}/record.json", dump_npu(r))
    renderer.staging.write(f"{folder}/layers.csv", npu_layers_csv([r]))
    renderer.page(
        folder,
        "npu.md.j2",
        {"layers": npu_layers_chart(r)},
        r=r,
        x=explain_npu(r),
        used=[m for m in NpuResource if r.busy_cycles(m)],
        label=npu_layer_label,
        sentence=layer_sentence,
        command=_command(r),
        listed=r.npu in npu_names(),
    )


def _groups(records: Sequence[NpuRecord], model_order: Sequence[str]) -> tuple[ConfigGroup, ...]:
    # then the models that have a name but no run
    order = {name: n for n, name in enumerate(dict.fromkeys([*model_order, *(m.name for m in list_models())]))}
    found: dict[tuple[str, str, str, str | None], list[NpuRecord]] = {}
    for r in sorted(
        records, key=lambda r: (_family(r), npu_config(r)[:3], order.get(r.model, len(order)), r.macs_per_cycle)
    ):
        found.setdefault(npu_config(r), []).append(r)
    groups: list[ConfigGroup] = []
    for rs in found.values():
        name = slug(f"{rs[0].system_config}-{rs[0].memory_mode}".lower().replace("_", "-"))
        # another version or configuration file has the same names
        again = sum(g.key.startswith(name) for g in groups)
        groups.append(ConfigGroup(f"{name}-{again + 1}" if again else name, rs[0], tuple(rs)))
    return tuple(groups)


def _family(r: NpuRecord) -> str:
    return r.accelerator.rsplit("-", 1)[0]


def _command(r: NpuRecord) -> str:
    """The command line that makes this estimate again; what is not in the catalogue is a placeholder."""
    known = {m.name: m.sha256 for m in list_models()}.get(r.model) == r.provenance.model_sha256
    words = ["whycycles", "run", r.model if known else "path/to/MODEL.tflite", "--board"]
    if r.npu not in npu_names():
        return shlex.join([*words, "path/to/NPU.toml"])
    npu = load_npu(r.npu)
    words.append(r.npu)
    for key in SETTABLE:
        if getattr(r, key) != getattr(npu, key):
            words += ["--set", f"{key}={getattr(r, key)}"]
    if r.host is not None and r.host.board != npu.host_board:
        words += ["--host-board", r.host.board]
    return shlex.join(words)
