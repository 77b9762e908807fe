"""The recordings, and what of them tests need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "recorded"
CORES = ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33")
"""Cores whose code Renode may run."""
TRANSCRIPTS = sorted(p.stem for p in (RECORDED / "transcripts").glob("*.json"))


def transcript(name: str) -> dict[str, Any]:
    """One recorded session."""
    found: dict[str, Any] = json.loads((RECORDED / "transcripts" / f"{name}.json").read_text())
    return found


def output(name: str) -> str:
    """What the process of a session printed."""
    return str(transcript(name)["meta"].get("process_output") or "")


def commands(name: str) -> list[tuple[str, bool]]:
    """Monitor commands of a session, and whether they passed."""
    return [
        (e["args"][1][0], e["response"]["status"] == "PASS")
        for e in transcript(name)["exchanges"]
        if e.get("method") == "run_keyword"
        and e["args"][0] == "ExecuteCommand"
        and len(e["args"]) > 1
        and e["args"][1]
        and "response" in e
    ]


def errors(name: str) -> list[str]:
    """Error texts of a session's failed keywords."""
    return [
        e["response"]["error"]
        for e in transcript(name)["exchanges"]
        if isinstance(e.get("response"), dict) and e["response"].get("status") == "FAIL"
    ]
