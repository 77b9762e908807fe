"""May two runs be compared, and what differs between them? Decided before any difference is computed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from engine.records.run import Layer, RunRecord

_TARGET_FLAGS = ("--target=", "-target", "-mcpu=", "-march=", "-mtune=", "-mfpu=", "-mfloat-abi=")


class Choice(StrEnum):
    """What a user chooses for a run besides the model; a comparison is about these."""

    BOARD = "board"
    CORE = "core"
    CLOCK = "clock"
    PLACEMENT = "placement"
    KERNELS = "kernels"
    COMPILER = "compiler"


@dataclass(frozen=True)
class Comparability:
    """The answer. ``reasons``: why not; or, where the two may be compared, what the reader must know before believing a difference."""

    comparable: bool
    reasons: tuple[str, ...]


def comparable(a: RunRecord, b: RunRecord) -> Comparability:
    """May ``b`` be compared with ``a``? Only the same model, layer by layer, by the same kind of evidence, with a right output."""
    blockers = _blockers(a, b)
    return Comparability(not blockers, blockers or _warnings(a, b))


def choices_that_differ(a: RunRecord, b: RunRecord) -> frozenset[Choice]:
    """The choices in which two runs differ.

    A board or core whose description changed differs although its name is the same. Compiler flags that only name the core
    are no choice of their own.
    """
    one, two = a.provenance, b.provenance
    found = {
        Choice.BOARD: a.board != b.board or one.board_sha256 != two.board_sha256,
        Choice.CORE: a.core != b.core or one.core_sha256 != two.core_sha256,
        Choice.CLOCK: a.clock_mhz != b.clock_mhz,
        # memories of different boards have different names: no choice of its own
        Choice.PLACEMENT: a.placement != b.placement and a.board == b.board,
        Choice.KERNELS: _kernels_differ(a, b),
        Choice.COMPILER: (a.compiler, a.opt, one.compiler_version, _flags(a))
        != (b.compiler, b.opt, two.compiler_version, _flags(b)),
    }
    return frozenset(choice for choice, differs in found.items() if differs)


def same_kernel(a: RunRecord, b: RunRecord, one: Layer, two: Layer) -> bool:
    """Whether a layer is computed by the same kernel of the same version in both runs."""
    if (one.kernel, one.library) != (two.kernel, two.library):
        return False
    # only the chosen library carries the recorded version
    chosen = one.library == a.kernels == b.kernels
    return not chosen or a.provenance.kernels_version == b.provenance.kernels_version


def intervals_overlap(a: RunRecord, b: RunRecord) -> bool:
    """Whether the intervals of the two latencies share a point: then nothing says which run is faster."""
    fa, fb = clock(a), clock(b)
    (low_a, high_a), (low_b, high_b) = a.cycles_interval, b.cycles_interval
    return low_a / fa <= high_b / fb and low_b / fb <= high_a / fa


def clock(record: RunRecord) -> Fraction:
    """The core clock in MHz (cycles per µs), as the decimal number that was written down."""
    return Fraction(str(record.clock_mhz))


def _blockers(a: RunRecord, b: RunRecord) -> tuple[str, ...]:
    found: list[str] = []
    if a.schema_version != b.schema_version:
        found.append(f"the records have different schemas ({a.schema_version} and {b.schema_version})")
    if a.provenance.model_sha256 != b.provenance.model_sha256:
        named = f"{a.model} and {b.model}" if a.model != b.model else f"two different files, both called {a.model}"
        found.append(f"they run different models ({named})")
    elif difference := _first_layer_that_differs(a, b):
        found.append(difference)
    if a.evidence != b.evidence:
        found.append(
            f"one is {a.evidence.value} and the other {b.evidence.value}: "
            "their difference would mix the hardware's with the method's"
        )
    for name, record in (("A", a), ("B", b)):
        if record.output_matches_oracle is False:
            note = record.oracle_note.rstrip(". ")
            found.append(f"the output of {name} is wrong ({note}), so its numbers describe another computation")
    return tuple(found)


def _first_layer_that_differs(a: RunRecord, b: RunRecord) -> str:
    if len(a.layers) != len(b.layers):
        return f"their layers do not correspond ({len(a.layers)} and {len(b.layers)})"
    for one, two in zip(a.layers, b.layers, strict=True):
        if (one.op, one.name, one.output_shape, one.macs) != (two.op, two.name, two.output_shape, two.macs):
            return f"their layers do not correspond: layer {one.index} is {one.name} in A and {two.name} in B, or of another size"
    return ""


def _warnings(a: RunRecord, b: RunRecord) -> tuple[str, ...]:
    one, two = a.provenance, b.provenance
    found: list[str] = []
    if one.engine_version != two.engine_version:
        found.append(f"made by different engine versions ({one.engine_version} and {two.engine_version})")
    if one.input_sha256 != two.input_sha256:
        found.append("made with different inputs")
    if a.overrides or b.overrides:
        given = [f"{', '.join(r.overrides)} in {name}" for name, r in (("A", a), ("B", b)) if r.overrides]
        found.append(f"figures of the hardware were set for the run alone: {'; '.join(given)}")
    if a.overrides == b.overrides and a.board == b.board and one.board_sha256 != two.board_sha256:
        found.append(f"made with different descriptions of the board {a.board}")
    if a.overrides == b.overrides and a.core == b.core and one.core_sha256 != two.core_sha256:
        found.append(f"made with different tables of the core {a.core}")
    if a.target != b.target:
        found.append(f"run on different targets ({a.target} and {b.target})")
    unchecked = [name for name, r in (("A", a), ("B", b)) if r.output_matches_oracle is None]
    if unchecked:
        found.append(f"the output of {' and '.join(unchecked)} was not checked")
    if intervals_overlap(a, b):
        found.append("a tie: the latency intervals overlap")
    return tuple(found)


def _kernels_differ(a: RunRecord, b: RunRecord) -> bool:
    if (a.kernels, a.lowering, a.provenance.kernels_version) != (b.kernels, b.lowering, b.provenance.kernels_version):
        return True
    # one library may pick another kernel for another core: that is the core's doing, not a choice of kernels
    pairs = zip(a.layers, b.layers, strict=False)
    return a.core == b.core and any((x.kernel, x.library) != (y.kernel, y.library) for x, y in pairs)


def _flags(record: RunRecord) -> tuple[str, ...]:
    return tuple(f for f in record.provenance.compiler_flags if not f.startswith(_TARGET_FLAGS))
