"""The page that says how far the emulators agree on the same code."""

from __future__ import annotations

import json

from engine.records.agreement import Agreement
from engine.site.render import Renderer


def write_agreement_page(renderer: Renderer, agreement: Agreement | None) -> None:
    """The kept comparison, ELF by ELF; without one the page says how to get it."""
    if agreement is not None:
        plain = agreement.model_dump(mode="json", by_alias=True)
        schema = Agreement.model_json_schema(by_alias=True, mode="serialization")
        renderer.staging.write(
            "targets/agreement/agreement.json", json.dumps(plain, indent=1, ensure_ascii=False) + "\n"
        )
        renderer.staging.write("targets/agreement/agreement.schema.json", json.dumps(schema, indent=1) + "\n")
    cases = agreement.cases if agreement else ()
    renderer.page(
        "targets/agreement",
        "agreement.md.j2",
        agreement=agreement,
        emulators=sorted({(e.name, e.version) for c in cases for e in c.emulators}),
        wrong=[c for c in cases if not c.agrees],
        stand_ins=sorted({(e.name, c.core, e.machine) for c in cases for e in c.emulators if e.machine != c.core}),
    )
