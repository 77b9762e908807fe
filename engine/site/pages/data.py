"""Downloads, the record format, rules and causes, the assets of the charts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vl_convert

from engine.explain.bottleneck import Bottleneck
from engine.explain.rules import rule_table
from engine.records.counters import Counters
from engine.records.schema import SCHEMA_VERSION, json_schema
from engine.records.store import write_atomically
from engine.site import palette
from engine.site.chart import VL_CONVERT
from engine.site.exports import layers_csv, runs_csv
from engine.site.meaning import CAUSE_MEANING, CAUSE_REMEDY
from engine.site.render import Renderer
from engine.site.world import World


@dataclass(frozen=True)
class Download:
    """A file that readers may want."""

    name: str
    bytes: int
    what: str


def write_downloads(renderer: Renderer, world: World) -> None:
    """All records as two CSV files and one JSON file, and the page that lists them."""
    records = [r.record for r in world.runs]
    dumped = [r.model_dump(mode="json", by_alias=True) for r in records]
    contents = [
        (
            "runs.csv",
            runs_csv(records),
            "one row per run: latency and energy with intervals, memory, cycles by cause, counters",
        ),
        ("layers.csv", layers_csv(records), "one row per layer of every run: cycles, cycles by cause, counters"),
        (
            "records.json",
            json.dumps(dumped, separators=(",", ":"), ensure_ascii=False),
            "all records, as one JSON list",
        ),
    ]
    files = []
    for name, text, what in contents:
        renderer.staging.write(f"downloads/{name}", text)
        files.append(Download(name, len(text.encode()), what))
    renderer.page("downloads", "downloads.md.j2", files=files)


def method_values() -> dict[str, Any]:
    """What the templates under ``site_src/method`` may use."""
    fields = []
    properties = json_schema()["properties"]
    assert isinstance(properties, dict)
    for name, spec in properties.items():
        fields.append((name, _type(spec), spec.get("description", _NOTES.get(name, ""))))
    return {
        "bottlenecks": tuple(Bottleneck),
        "rules": rule_table(),
        "meaning": CAUSE_MEANING,
        "remedy": CAUSE_REMEDY,
        "counters": [(name, field.description or _COUNTERS[name]) for name, field in Counters.model_fields.items()],
        "fields": fields,
        "schema_version": SCHEMA_VERSION,
    }


def _type(spec: dict[str, Any]) -> str:
    if "$ref" in spec:
        return str(spec["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in spec:
        return " or ".join(_type(s) for s in spec["anyOf"])
    if "const" in spec:
        return json.dumps(spec["const"])
    return str(spec.get("type", "any"))


_GLOBALS = "window.vegaEmbed = vegaEmbed;"
"""What the bundle puts where ``whycycles.js`` finds it."""

_NOTES = {
    "schema": "version of this format",
    "id": "name of the run, unique among all records",
    "model": "zoo name, reference name, or the name of a user's file",
    "board": "name of the board description",
    "core": "name of the core table",
    "kernels": "kernel library",
    "compiler": "compiler; its version and flags are in the provenance",
    "opt": "optimisation level",
    "target": "what executed the firmware",
    "evidence": "where the cycles come from",
    "output_matches_oracle": "whether the output was identical; null if it was not compared",
    "cycles": "cold and warm, see the method page",
    "cycles_interval": "lowest and highest warm cycles that the bounds of figures and the other designs of a board allow",
    "latency_ms": "warm cycles at the clock",
    "instructions": "issued in one warm inference",
    "macs": "multiply-accumulates the model asks for",
    "memory": "flash and RAM of the image, and its parts",
    "layers": "one entry per operator",
    "glue": "what runs between the layers",
    "energy": "of the board's power model, or why there is none; absent in files that are kept",
    "notes": "anything a reader should know",
    "provenance": "hashes and versions of everything that went in",
}

_COUNTERS = {
    "instructions": "all issued instructions",
    "divide_instructions": "UDIV, SDIV",
    "load_instructions": "loads, one per instruction also where several registers are loaded",
    "store_instructions": "stores, one per instruction also where several registers are stored",
    "taken_branches": "branches, calls and returns that changed the flow",
    "read_accesses": "data reads, one per word, halfword or byte accessed",
    "write_accesses": "data writes, one per word, halfword or byte accessed",
    "ram_read_bytes": "bytes read from RAM",
    "ram_write_bytes": "bytes written to RAM",
    "stack_high_water_bytes": "deepest use of the stack; a maximum, not a sum",
    "flash_fetch_lines": "flash lines asked for by instruction fetch",
    "flash_fetch_misses": "of these, not in the cache or buffer",
    "flash_read_lines": "flash lines asked for by data reads",
    "flash_read_misses": "of these, not in the cache or buffer",
}


def write_assets(renderer: Renderer, cache: Path) -> None:
    """Schema, palette and the one shared bundle of Vega, Vega-Lite and Vega-Embed."""
    staging = renderer.staging
    staging.write("record/run.schema.json", json.dumps(json_schema(), indent=1) + "\n")
    staging.write("assets/palette.json", json.dumps(palette.DARK, indent=1) + "\n")
    bundle = cache / f"vega-embed-{VL_CONVERT}.js"
    if not bundle.is_file():
        write_atomically(bundle, vl_convert.javascript_bundle(snippet=_GLOBALS).encode())
    staging.write("assets/vega.js", bundle.read_bytes())
