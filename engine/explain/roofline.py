"""Roofline: how near a layer comes to what the core multiplies and what its memories deliver, at most.

Operations are 2 per MAC. The x axis is *counted* intensity: operations per byte that the core really loaded and stored, so
that the sloped roofs are bandwidths. (A record's ``arithmetic_intensity`` counts every tensor byte once instead.) Roofs are measured by
micro-benchmarks where they are known (``engine.explain.measured_roofs``), else derived from the core's table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field

from engine.catalog.core import Core
from engine.catalog.figure import Figure
from engine.explain.facts import ratio
from engine.records.run import Layer

OPS_PER_MAC = 2
REGISTER_BYTES = 4
"""A core register, and so a single transfer, is 32 bits wide in every M-profile architecture."""

VECTOR_BYTES = 16
"""A Helium register is 128 bits wide."""


class Ceiling(BaseModel):
    """A limit per core cycle. ``inferred``: at least one figure behind it, or the formula itself, has no hard source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float = Field(gt=0)
    low: float = Field(gt=0)
    high: float = Field(gt=0)
    unit: str
    inferred: bool
    basis: str


class Ceilings(BaseModel):
    """The roofs of a core on a board.

    ``flash`` and ``ram`` bound the bytes of constants and of all other data; derived from a core's table both are its data port. ``below``:
    what is slower and bounds no layer, because another instruction or a cache does better. ``ridge_ops_per_byte``: the
    intensity where the faster of the two meets ``compute``. ``origin``: where the roofs come from, as a sentence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    compute: Ceiling
    flash: Ceiling
    ram: Ceiling
    below: tuple[Ceiling, ...] = ()
    measured: bool
    origin: str
    ridge_ops_per_byte: float

    @property
    def slopes(self) -> tuple[Ceiling, ...]:
        """The sloped roofs, each once, the highest first."""
        return tuple(dict.fromkeys(sorted((self.flash, self.ram), key=lambda c: -c.value)))


class RooflinePoint(BaseModel):
    """A layer under the roofs. ``roof`` is the one that bounds it, ``of_roof`` achieved / attainable (1.0: on it)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    counted_intensity: float
    ops_per_cycle: float
    gops: float
    roof: str
    attainable_ops_per_cycle: float
    of_roof: float
    inferred: bool
    basis: str


def ceilings_of(core: Core, why: str = "") -> Ceilings | None:
    """The roofs of a core, from its pipeline table; ``why`` ends the sentence that says so.

    None for a table that gives 0 cycles for what bounds a roof.
    """
    bounding = [core.issue.mac, core.issue.multiply, core.issue.load, core.issue.multiple_per_register]
    if core.vector is not None:
        bounding.append(core.vector.occupancy)
    if any(f.lowest <= 0 for f in bounding):
        return None
    compute, port = _compute(core), _port(core)
    return Ceilings(
        compute=compute,
        flash=port,
        ram=port,
        measured=False,
        origin=f"Roofs derived from the core's table{f': {why}' if why else ''}.",
        ridge_ops_per_byte=compute.value / port.value,
    )


def point_of(layer: Layer, clock_mhz: float, ceilings: Ceilings) -> RooflinePoint | None:
    """Where a layer lies; None for one without MACs, without cycles or without data accesses.

    Attainable is the lower of ``compute`` and ops / (flash bytes / flash + other bytes / ram); the slope named is the one that
    takes more of that time.
    """
    c = layer.counters
    ops = OPS_PER_MAC * layer.macs
    ram_bytes = c.ram_read_bytes + c.ram_write_bytes
    intensity = ratio(ops, c.flash_read_bytes + ram_bytes)
    achieved = ratio(ops, layer.cycles)
    if not intensity or not achieved:
        return None
    # one port moves all bytes, so the times add up
    moving = (c.flash_read_bytes / ceilings.flash.value, ram_bytes / ceilings.ram.value)
    sloped = ops / sum(moving)
    slope = ceilings.flash if moving[0] > moving[1] else ceilings.ram
    roof = ceilings.compute if ceilings.compute.value <= sloped else slope
    attainable = min(ceilings.compute.value, sloped)
    return RooflinePoint(
        counted_intensity=intensity,
        ops_per_cycle=achieved,
        gops=achieved * clock_mhz / 1000.0,
        roof=roof.name,
        attainable_ops_per_cycle=attainable,
        of_roof=achieved / attainable,
        inferred=roof.inferred,
        basis=roof.basis,
    )


def _compute(core: Core) -> Ceiling:
    if core.vector is not None:
        figures: tuple[Figure, ...] = (core.vector.occupancy,)
        how = f"one VMLADAV of {core.mac_lanes} products at a time"
    elif core.architecture == "armv6-m":
        figures = (core.issue.multiply, core.issue.alu)
        how = "no MAC instruction: one MULS and one ADDS per product"
    else:
        figures = (core.issue.mac,)
        kind = "SMLAD" if core.mac_lanes > 1 else "MLA"
        how = f"one {kind} of {core.mac_lanes} product{'s' if core.mac_lanes > 1 else ''} at a time"
    ops = OPS_PER_MAC * core.mac_lanes
    cycles, low, high = _add(figures)
    return Ceiling(
        name="MAC issue",
        value=ops / cycles,
        low=ops / high,
        high=ops / low,
        unit="ops/cycle",
        inferred=_inferred(figures),
        basis=f"{how}, {_cycles(cycles)}; {_origin(core, figures)}",
    )


def _port(core: Core) -> Ceiling:
    if core.vector is not None:
        return _vector_port(core, core.vector.occupancy)
    # the faster of two steady streams of words: single loads back to back (paired where the core can), or one long LDM
    load, multiple = core.issue.load, core.issue.multiple_per_register
    figures: tuple[Figure, ...] = (load,)
    cycles, low, high, how = float(load.value), float(load.lowest), float(load.highest), "loads back to back"
    if core.dual_issue is not None:
        extra = core.dual_issue.load_load
        figures, how = (load, extra), "loads back to back in pairs"
        cycles, low, high = cycles * (1 + extra.value) / 2, low * (1 + extra.lowest) / 2, high * (1 + extra.highest) / 2
    if multiple.value < cycles:
        figures, how = (multiple,), "registers of a long LDM"
        cycles, low, high = float(multiple.value), float(multiple.lowest), float(multiple.highest)
    return Ceiling(
        name="data port",
        value=REGISTER_BYTES / cycles,
        low=REGISTER_BYTES / high,
        high=REGISTER_BYTES / low,
        unit="bytes/cycle",
        inferred=_inferred(figures),
        basis=f"{REGISTER_BYTES}-byte {how}, {_cycles(cycles)} each; {_origin(core, figures)}",
    )


def _vector_port(core: Core, held: Figure) -> Ceiling:
    return Ceiling(
        name="data port",
        value=VECTOR_BYTES / held.value,
        low=VECTOR_BYTES / held.highest,
        high=VECTOR_BYTES / held.lowest,
        unit="bytes/cycle",
        inferred=held.inferred is not None,
        basis=f"{VECTOR_BYTES}-byte vector loads back to back, {_cycles(float(held.value))} each; {_origin(core, (held,))}",
    )


def _cycles(value: float) -> str:
    return f"{value:g} cycle{'s' if value != 1 else ''}"


def _add(figures: tuple[Figure, ...]) -> tuple[float, float, float]:
    return sum(f.value for f in figures), sum(f.lowest for f in figures), sum(f.highest for f in figures)


def _inferred(figures: tuple[Figure, ...]) -> bool:
    return any(f.inferred is not None for f in figures)


def _origin(core: Core, figures: tuple[Figure, ...]) -> str:
    said = "; ".join(dict.fromkeys(f.source if f.source is not None else f"inferred: {f.inferred}" for f in figures))
    return source_names(core, said)


def source_names(core: Core, text: str) -> str:
    """``text`` with the core table's source keys ("trm:") replaced by the names of the documents."""
    for key, document in core.sources.items():
        named = f"{document_name(document)}:".replace("\\", r"\\")
        text = re.sub(_key(key), named, text)
    return text


def keys_in(core: Core, texts: Iterable[str]) -> tuple[str, ...]:
    """The core table's source keys that ``texts`` name, in the table's order."""
    said = "\n".join(texts)
    return tuple(key for key in core.sources if re.search(_key(key), said))


def document_name(document: str) -> str:
    """Only the document: where it was read and at which commit is on the core's page."""
    return re.split(r" \(|[,;@] ?", document, maxsplit=1)[0]


def _key(key: str) -> str:
    return rf"(?<![\w.-]){re.escape(key)}:(?= )"
