"""What the site shows beside runs on boards: estimates of NPUs, runs on this machine, how far emulators agree."""

from __future__ import annotations

from dataclasses import dataclass

from engine.records.agreement import Agreement
from engine.records.host import HostRecord
from engine.records.host_store import dump_host
from engine.records.npu import NpuRecord
from engine.records.npu_store import dump_npu


@dataclass(frozen=True)
class OtherTargets:
    """Records of targets that are no boards, and the kept comparison of those that emulate one."""

    npus: tuple[NpuRecord, ...] = ()
    hosts: tuple[HostRecord, ...] = ()
    agreement: Agreement | None = None

    def content(self) -> bytes:
        """All records as text: what a site depends on."""
        agreed = "" if self.agreement is None else self.agreement.model_dump_json()
        return "".join([*map(dump_npu, self.npus), *map(dump_host, self.hosts), agreed]).encode()
