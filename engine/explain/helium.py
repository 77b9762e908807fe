"""What a layer's Helium instructions use of their lanes and beats: rows for a table and a sentence, each exact or a bound that says so."""

from __future__ import annotations

from dataclasses import dataclass

from engine.records.counters import Counters
from engine.records.run import RunRecord
from engine.words import layer_title, share_text

OLD = "which lanes predicates leave out was not counted when this record was made"
HIDDEN = "no load or store under the same predicate shows the lanes of the others"


@dataclass(frozen=True)
class HeliumRow:
    """One layer's Helium instructions; ``lanes`` those that its integer vector multiplies offer, ``active`` those that take part.

    ``lanes_exact``: else ``active`` is an upper bound; ``beats_exact``: else ``masked_beats``, those without a lane, are a lower bound.
    """

    name: str
    instructions: int
    predicated: int
    beats: int
    masked_beats: int
    beats_exact: bool
    lanes: int
    active: int
    lanes_exact: bool


def helium_row(name: str, c: Counters) -> HeliumRow | None:
    """The row of a region; None where it has no Helium instruction."""
    if not c.mve_instructions:
        return None
    lanes = c.mve_mac_lanes if c.mve_beats else _offered(c)
    return HeliumRow(
        name=name,
        instructions=c.mve_instructions,
        predicated=c.mve_predicated_instructions,
        beats=c.mve_beats or 4 * c.mve_instructions,
        masked_beats=c.mve_beats_masked,
        beats_exact=c.beats_are_exact,
        lanes=lanes,
        active=c.mve_mac_lanes_active if c.mve_beats else lanes,
        lanes_exact=c.lanes_are_exact,
    )


def helium_rows(record: RunRecord) -> tuple[HeliumRow, ...]:
    """Rows of the layers and the glue that have Helium instructions."""
    regions = [(layer_title(x.op, x.index), x.counters) for x in record.layers] + [("glue", record.glue.counters)]
    return tuple(row for name, counters in regions if (row := helium_row(name, counters)))


def helium_text(c: Counters) -> str:
    """Sentences on a region's Helium instructions; "" where it has none."""
    row = helium_row("", c)
    if row is None:
        return ""
    predicated = f" ({row.predicated:,} under a predicate)" if row.predicated else ""
    found = [f"{row.instructions:,} Helium instructions{predicated} in {row.beats:,} beats"]
    if row.masked_beats or row.beats_exact:
        bound = "" if row.beats_exact else "at least "
        found.append(
            f"{bound}{row.masked_beats:,} beats ({share_text(row.masked_beats / row.beats)}) have no lane to work on"
        )
    if row.lanes:
        bound = "exactly" if row.lanes_exact else "at most"
        share = share_text(row.active / row.lanes)
        found.append(f"vector multiplies use {bound} {row.active:,} of their {row.lanes:,} lanes ({share})")
    if row.beats_exact and row.lanes_exact:
        return "; ".join(found) + "."
    why = HIDDEN if c.mve_beats else OLD
    return "; ".join(found) + f". Bounds, because {why}."


def _offered(c: Counters) -> int:
    """Lanes of vector multiplies in a record that does not keep them apart: all products but those of scalar MACs."""
    return max(0, c.mac_lanes - c.mac_instructions) if c.mve_mac_instructions else 0
