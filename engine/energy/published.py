"""Powers and energies that somebody measured with a meter and published, one row per board, firmware and model.

The table holds the closed MLPerf Tiny results whose inference ran on the core itself (accelerators are left out), and Ambiq's of a
Cortex-M55 at a stated clock (left out: those in a mode whose clock is not given, and one whose time, power and energy contradict each
other). ``firmware`` names one build for one board; ``platform`` the operating system it says it was built with, where it says so.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engine.errors import RecordError
from engine.paths import measurements_dir

_RESULT = re.compile(r"tiny_results_(v[\d.]+):closed/([^/]+)/results/(.+)/[^/]+/performance")
_PLATFORMS = ("zephyr", "mbed")


@dataclass(frozen=True)
class PublishedPower:
    """One row. ``regulator`` "smps" where the result says that a switching one was used: its power hardly follows the supply's voltage.

    ``voltage_v`` None: the source gives no supply; then the power is taken as it is, and teaches no interval.
    """

    board: str
    clock_mhz: float
    voltage_v: float | None
    regulator: str
    power_mw: float
    latency_ms: float
    energy_uj: float
    model: str
    framework: str
    kernels: str
    platform: str
    firmware: str
    submitter: str
    source: str

    @property
    def id(self) -> str:
        """Name of the row: firmware and model."""
        return f"{self.firmware} {self.model}"

    @property
    def submission(self) -> str:
        """Where the results of the firmware lie: the source without the model."""
        if not self.source.endswith("/performance"):
            return self.source
        return self.source.removesuffix("/performance").rpartition("/")[0]

    def power_at(self, clock_mhz: float, voltage_v: float | None) -> float:
        """Power in mW with the same current per MHz at another clock; behind a linear regulator also with the same current at another voltage."""
        scale = clock_mhz / self.clock_mhz
        if self.regulator == "smps" or voltage_v is None or self.voltage_v is None:
            return self.power_mw * scale
        return self.power_mw * scale * (voltage_v / self.voltage_v)


@cache
def published_power(path: Path | None = None) -> tuple[PublishedPower, ...]:
    """The published powers that come with the project. Raises RecordError for a broken row."""
    path = path or measurements_dir() / "published" / "power.csv"
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                found.append(
                    PublishedPower(
                        board=row["board"],
                        clock_mhz=_positive(row["clock_mhz"]),
                        voltage_v=_positive(row["voltage_v"]) if row["voltage_v"] else None,
                        regulator=row["regulator"],
                        power_mw=_positive(row["power_mw"]),
                        latency_ms=_positive(row["latency_ms"]),
                        energy_uj=_positive(row["energy_uj"]),
                        model=row["model"],
                        framework=row["framework"],
                        kernels=row["kernels"],
                        platform=row["platform"],
                        firmware=row["firmware"],
                        submitter=row["submitter"],
                        source=row["source"],
                    )
                )
            except (KeyError, TypeError, ValueError) as error:
                raise RecordError(f"{path} line {line}: {error}", hint="restore the file of the project") from None
    return tuple(found)


def firmware_of(board: str, framework: str, kernels: str, source: str) -> str:
    """Name of the firmware behind a published result: by its address; where it has none, by framework and kernels, if only one has them."""
    address = _RESULT.search(source)
    if address:
        return " ".join(address.groups())
    same = {r.firmware for r in published_power() if (r.board, r.framework, r.kernels) == (board, framework, kernels)}
    return same.pop() if len(same) == 1 else ""


def platform_of(firmware: str, *texts: str) -> str:
    """Operating system of a published result: as the table says of its firmware, else the one its texts name; "" where neither does."""
    for row in published_power():
        if row.firmware == firmware:
            return row.platform
    words = " ".join(texts).lower()
    named = [p for p in _PLATFORMS if p in words]
    return named[0] if len(named) == 1 else ""


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(f"'{text}' is no number above 0")
    return value
