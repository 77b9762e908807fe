"""The published JSON Schema of a run record."""

from __future__ import annotations

from engine.records.run import RunRecord

SCHEMA_VERSION = 1


def json_schema() -> dict[str, object]:
    """JSON Schema (2020-12) of a run record as written to disk."""
    schema = RunRecord.model_json_schema(by_alias=True, mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"whycycles-run-{SCHEMA_VERSION}",
        **schema,
    }
