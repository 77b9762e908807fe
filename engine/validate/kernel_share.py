"""How much of a point's error may be the kernels' version: measured by simulation, kept beside the published rows.

The microTVM rows of MLPerf Tiny v1.0 name no kernel version. microTVM of that time built CMSIS_5 5.8.0 or its commit 977abe98
(github.com/apache/tvm pull requests 9247, 11148 and 11273); as far as revision headers show, the inner loops that these models run are those of 4.0.0, but whether the
intrinsic header folds the rotation into SXTB16, as today's does, or issues a separate ROR, depends on the header the build used.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass

from engine.errors import RecordError
from engine.paths import measurements_dir
from engine.validate.reference import ReferenceRow
from engine.words import share_text


@dataclass(frozen=True)
class KernelShare:
    """The published build's kernels take ``low`` to ``high`` (0.05: 5 %) longer than those we run; ``how`` that is known."""

    low: float
    high: float
    how: str

    @property
    def note(self) -> str:
        """One sentence for people."""
        return f"the kernels of the published build may take {share_text(self.low)} to {share_text(self.high)} longer than those run here ({self.how})"


def kernel_share(row: ReferenceRow) -> KernelShare | None:
    """The share known for a row; None where nothing is. Raises RecordError for a broken table."""
    path = measurements_dir() / "published" / "kernel_share.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                if (line["board"], line["model"], line["framework"]) == (row.board, row.model, row.framework):
                    return KernelShare(float(line["share_low"]), float(line["share_high"]), line["how"])
    except (OSError, KeyError, ValueError) as error:
        raise RecordError(f"{path} cannot be read: {error}", hint="restore the file of the project") from None
    return None
