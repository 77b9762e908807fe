"""How much of a point's error may be the kernels' version: measured by simulation, kept beside the published rows.

The microTVM rows of MLPerf Tiny v1.0 name no kernel version. TVM's scripts installed CMSIS_5 5.8.0 (github.com/apache/tvm pull requests 9247 of 11 October 2021
and 11148 of 27 April 2022), then its commit 977abe98 (11273 of 11 May 2022), then 51263182 (12723 of 7 September 2022). What differs from 4.0.0 in what these models run:

- ``read_and_pad`` rotates in an instruction of its own until github.com/ARM-software/CMSIS_5 pull request 1290 (20 to 24 August 2021), so in 5.8.0 and not in
  977abe98. Fully connected layers had ``__SXTAB16_RORn`` before 5.8.0 (pull request 1133 of 22 February 2021).
- ``arm_depthwise_conv_3x3_s8`` multiplies without SIMD until github.com/ARM-software/CMSIS-NN pull request 7 (1 November 2022), so in all of them.
- ``arm_depthwise_conv_s8`` (the first layer of KWS here) indexes until CMSIS_5 pull request 1537 (29 July 2022) counts pointers up, so in 5.8.0 and 977abe98.

The shares are those of simulations: the kept runs of ``measurements/other_kernels.json`` over those with 4.0.0, both with gcc -O2. They are no correction: no error has one.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass

from engine.errors import RecordError
from engine.paths import measurements_dir
from engine.validate.reference import ReferenceRow
from engine.words import change_text


@dataclass(frozen=True)
class KernelShare:
    """The published build's kernels may take ``low`` to ``high`` (0.05: 5 %) more time than those we run, or less; ``how`` that is known."""

    low: float
    high: float
    how: str

    @property
    def note(self) -> str:
        """One sentence for people."""
        return f"the kernels of the published build may change the time by {change_text(self.low)} to {change_text(self.high)} ({self.how})"


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
