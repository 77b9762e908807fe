"""The generated ``info.c``: facts a device tells its host about the firmware it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.firmware.templates import template

# Names under which MLPerf Tiny's runner looks for stimuli (mlcommons/tiny benchmark/api/internally_implemented.h).
_RUNNER_MODELS = {"kws": "kws01", "ic": "ic01", "vww": "vww01", "ad": "ad01", "sww": "sww01"}
_PICO = 10**12
# The largest scale that the device's 64-bit arithmetic can multiply with any 9-bit difference.
_MAX_PICO = (2**63 - 1) // 512


@dataclass(frozen=True)
class OutputScale:
    """How the raw bytes of one output become real values: ``scale * (q - zero_point)``."""

    scale: float
    zero_point: int

    @property
    def scale_pico(self) -> int:
        """The scale in 1e-12; larger ones than the device can handle are cut (no real model has them)."""
        return min(round(self.scale * _PICO), _MAX_PICO)


def info_source(
    *,
    model: str,
    facts: Sequence[tuple[str, str]],
    outputs: Sequence[OutputScale],
    stimulus_bytes: int,
    layer_count: int,
) -> str:
    """Text of ``info.c``. ``facts`` are (key, value) pairs for ``wc id``; texts are reduced to printable ASCII."""
    short = model.rsplit("/", 1)[-1]
    return template("harness/info.c.j2").render(
        runner_model=_quote(_RUNNER_MODELS.get(short, short)),
        facts=[(_quote(key), _quote(value)) for key, value in facts],
        outputs=list(outputs),
        stimulus_bytes=stimulus_bytes,
        layer_count=max(1, layer_count),
    )


def _quote(text: str) -> str:
    # '[' and ']' delimit values in the protocol; '?' would form trigraphs
    plain = "".join(c if " " <= c <= "~" and c not in '"\\[]?%' else "_" for c in text)
    return f'"{plain}"'
