"""Exact event counts of one region."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = int
_WIDEST_ACCESS_BYTES = 16


class Counters(BaseModel):
    """Event counts of one region over one inference; instruction classes partition ``instructions``.

    Instruction classes are by decoding (issued, not executed, inside IT blocks). ``*_bytes`` are data accesses. ``flash_*``
    events come from the simulated flash interface of the board, warm inference.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    # instruction classes: they sum to ``instructions``
    instructions: Count = Field(ge=0)
    mac_instructions: Count = Field(ge=0, description="MLA, MLS, SMLAL, SMLABB …: one product accumulated")
    simd_mac_instructions: Count = Field(ge=0, description="SMLAD, SMLALD …: two or more products accumulated")
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
    mac_lanes: Count = Field(ge=0, description="products accumulated by MAC and SIMD MAC instructions")
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

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        classes = {k: getattr(self, k) for k in type(self).model_fields if k.endswith("_instructions")}
        if sum(classes.values()) != self.instructions:
            raise ValueError(
                f"the instruction classes sum to {sum(classes.values())}, instructions is {self.instructions}"
            )
        at_most(self, "blocks", "instructions")
        at_most(self, "taken_branches", "blocks")
        at_most(self, "mac_lanes", "simd_lane_slots")
        at_most(self, "flash_fetch_misses", "flash_fetch_lines")
        at_most(self, "flash_read_misses", "flash_read_lines")
        if self.mac_lanes < self.mac_instructions + 2 * self.simd_mac_instructions:
            raise ValueError(f"mac_lanes is {self.mac_lanes}, less than the MAC instructions accumulate")
        for what, moved, accesses in (
            ("read", self.flash_read_bytes + self.ram_read_bytes, self.read_accesses),
            ("written", self.ram_write_bytes, self.write_accesses),
        ):
            if not accesses <= moved <= _WIDEST_ACCESS_BYTES * accesses:
                raise ValueError(f"{moved} bytes were {what} in {accesses} accesses: 1 to {_WIDEST_ACCESS_BYTES} each")
        return self


def at_most(counts: BaseModel, part: str, whole: str) -> None:
    """Raises ValueError if one count is larger than another that holds it."""
    if getattr(counts, part) > getattr(counts, whole):
        raise ValueError(f"{part} is {getattr(counts, part)}, more than {whole} ({getattr(counts, whole)})")
