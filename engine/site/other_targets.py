"""What the site shows beside runs on boards: estimates of NPUs."""

from __future__ import annotations

from dataclasses import dataclass

from engine.records.npu import NpuRecord
from engine.records.npu_store import dump_npu


@dataclass(frozen=True)
class OtherTargets:
    """Records of targets that are no boards."""

    npus: tuple[NpuRecord, ...] = ()

    def content(self) -> bytes:
        """All records as text: what a site depends on."""
        return "".join(dump_npu(r) for r in self.npus).encode()
