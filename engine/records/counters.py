"""Exact event counts of one region."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = int
_WIDEST_ACCESS_BYTES = 16
_BEATS = 4  # of a Helium instruction


def _vector_count(description: str) -> Any:
    """A count that only cores with Helium and low-overhead loops have: absent where it is 0, as in records of other cores."""
    return Field(default=0, ge=0, exclude_if=lambda count: count == 0, description=description)


class Counters(BaseModel):
    """Event counts of one region over one inference; instruction classes partition ``instructions``.

    Instruction classes are by decoding (issued, not executed, inside IT blocks). ``*_bytes`` are data accesses. ``flash_*``
    events come from the simulated flash interface of the board, warm inference.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    # instruction classes: they sum to ``instructions``
    instructions: Count = Field(ge=0)
    mac_instructions: Count = Field(ge=0, description="MLA, MLS, SMLAL, SMLABB …: one product accumulated")
    simd_mac_instructions: Count = Field(ge=0, description="SMLAD, SMLALD, VMLADAV …: two or more products accumulated")
    alu_instructions: Count = Field(ge=0, description="other integer arithmetic, logic, moves, SIMD packing")
    multiply_instructions: Count = Field(ge=0, description="multiply without accumulation")
    divide_instructions: Count = Field(ge=0)
    load_instructions: Count = Field(ge=0)
    store_instructions: Count = Field(ge=0)
    branch_instructions: Count = Field(ge=0, description="branches, calls, returns (also POP/LDM to PC)")
    fp_instructions: Count = Field(
        ge=0, description="floating-point arithmetic and moves (loads and stores count above)"
    )
    system_instructions: Count = Field(ge=0, description="IT, NOP, barriers, MRS/MSR, hints")
    # control flow
    blocks: Count = Field(ge=0, description="basic blocks entered")
    taken_branches: Count = Field(ge=0)
    # work
    mac_lanes: Count = Field(
        ge=0, description="products of MAC, SIMD MAC and vector multiply instructions, predicated lanes included"
    )
    simd_lane_slots: Count = Field(
        ge=0, description="MAC, SIMD MAC and multiply instructions times the lanes the core offers"
    )
    # data
    read_accesses: Count = Field(ge=0)
    write_accesses: Count = Field(ge=0)
    flash_read_bytes: Count = Field(ge=0, description="constants read from flash")
    ram_read_bytes: Count = Field(ge=0)
    ram_write_bytes: Count = Field(ge=0)
    stack_high_water_bytes: Count = Field(ge=0)
    # flash interface
    flash_fetch_lines: Count = Field(ge=0)
    flash_fetch_misses: Count = Field(ge=0)
    flash_read_lines: Count = Field(ge=0)
    flash_read_misses: Count = Field(ge=0)
    # Helium (MVE): part of the classes above, which count its instructions too
    mve_instructions: Count = _vector_count("Helium instructions, each four beats of 32 bits")
    mve_mac_instructions: Count = _vector_count("integer vector multiplies, with or without accumulation")
    mve_load_instructions: Count = _vector_count("vector loads")
    mve_store_instructions: Count = _vector_count("vector stores")
    mve_predicated_instructions: Count = _vector_count(
        "in a VPT block or a tail-predicated loop: lanes may be left out"
    )
    mve_beats: Count = _vector_count("four per Helium instruction; absent in records made before beats were counted")
    mve_beats_masked: Count = _vector_count("beats of a predicated instruction in which no lane takes part")
    mve_beats_unknown: Count = _vector_count(
        "beats of predicated instructions whose lanes nothing shows: some may belong to the masked ones"
    )
    mve_mac_lanes: Count = _vector_count("lanes of integer vector multiplies, part of mac_lanes")
    mve_mac_lanes_active: Count = _vector_count("of these, lanes that take part; those not known count as such")
    mve_mac_lanes_unknown: Count = _vector_count(
        "of the active ones, lanes under a predicate that no load or store beside them shows: so active is an upper bound"
    )
    folded_loop_ends: Count = _vector_count(
        "loop ends (LE, LETP) that the core's loop buffer saves: issued instructions without them are what retires"
    )

    @property
    def retired_instructions(self) -> int:
        """What a core with a loop buffer retires: issued instructions without the loop ends it saves."""
        return self.instructions - self.folded_loop_ends

    @property
    def active_lanes(self) -> int:
        """Products of lanes that take part, or that are not known not to."""
        return self.mac_lanes - self.mve_mac_lanes + self.mve_mac_lanes_active

    @property
    def lanes_are_exact(self) -> bool:
        """Is ``active_lanes`` a count? Else it is an upper bound."""
        if not self.mve_mac_instructions or not self.mve_predicated_instructions:
            return True
        return self.mve_beats > 0 and not self.mve_mac_lanes_unknown

    @property
    def beats_are_exact(self) -> bool:
        """Is ``mve_beats_masked`` a count? Else it is a lower bound."""
        if not self.mve_predicated_instructions:
            return True
        return self.mve_beats > 0 and not self.mve_beats_unknown

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        classes = {
            k: getattr(self, k)
            for k in type(self).model_fields
            if k.endswith("_instructions") and not k.startswith("mve_")
        }
        if sum(classes.values()) != self.instructions:
            raise ValueError(
                f"the instruction classes sum to {sum(classes.values())}, instructions is {self.instructions}"
            )
        at_most(self, "blocks", "instructions")
        at_most(self, "taken_branches", "blocks")
        at_most(self, "mac_lanes", "simd_lane_slots")
        at_most(self, "mve_instructions", "instructions")
        for part in (
            "mve_mac_instructions",
            "mve_load_instructions",
            "mve_store_instructions",
            "mve_predicated_instructions",
        ):
            at_most(self, part, "mve_instructions")
        at_most(self, "folded_loop_ends", "branch_instructions")
        at_most(self, "mve_mac_lanes", "mac_lanes")
        at_most(self, "mve_mac_lanes_active", "mve_mac_lanes")
        at_most(self, "mve_mac_lanes_unknown", "mve_mac_lanes_active")
        if self.mve_beats not in (0, _BEATS * self.mve_instructions):
            raise ValueError(f"{self.mve_instructions} Helium instructions have no {self.mve_beats} beats")
        if self.mve_beats_masked + self.mve_beats_unknown > self.mve_beats:
            raise ValueError(
                f"{self.mve_beats_masked} masked and {self.mve_beats_unknown} unknown beats are more than {self.mve_beats}"
            )
        at_most(self, "flash_fetch_misses", "flash_fetch_lines")
        at_most(self, "flash_read_misses", "flash_read_lines")
        if self.mac_lanes < self.mac_instructions + 2 * self.simd_mac_instructions:
            raise ValueError(f"mac_lanes is {self.mac_lanes}, less than the MAC instructions accumulate")
        for what, moved, accesses in (
            ("read", self.flash_read_bytes + self.ram_read_bytes, self.read_accesses),
            ("written", self.ram_write_bytes, self.write_accesses),
        ):
            least = 0 if self.mve_predicated_instructions else accesses  # lanes left out move nothing
            if not least <= moved <= _WIDEST_ACCESS_BYTES * accesses:
                raise ValueError(f"{moved} bytes were {what} in {accesses} accesses: 1 to {_WIDEST_ACCESS_BYTES} each")
        return self


def at_most(counts: BaseModel, part: str, whole: str) -> None:
    """Raises ValueError if one count is larger than another that holds it."""
    if getattr(counts, part) > getattr(counts, whole):
        raise ValueError(f"{part} is {getattr(counts, part)}, more than {whole} ({getattr(counts, whole)})")
