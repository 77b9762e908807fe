"""An execution's edges and traffic to exact counters, one set per layer and one for the glue.

Instruction counts are block counts times decoding. Accesses and bytes are those the memory run saw; decoding bounds them
from below (unconditional instructions) and above (with those in IT blocks), and a run outside the bounds is refused.
Lanes and beats that a predicate leaves out: see ``engine.counters.lanes``.
An edge belongs to the region of the block it enters, so the return of ``wc_layer_begin`` is the layer's taken branch and
its call of ``wc_layer_end`` the glue's. On cores with Helium accesses are counted by decoding as well: an emulator shows a vector access
element by element.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from engine.catalog.board import Board, MemoryKind
from engine.catalog.load import load_core
from engine.counters.decode import Decoder
from engine.counters.flow import LoopEnd, is_loop_end, may_fall_through
from engine.counters.lanes import LaneUse, count_lanes
from engine.counters.types import Block, Instruction, Vector
from engine.counters.types import InstructionClass as Kind
from engine.errors import CheckFailedError
from engine.firmware.types import Firmware
from engine.records.counters import Counters
from engine.targets.types import Execution


@dataclass
class _Sums:
    """Weighted sums over the blocks of one region."""

    instructions: int = 0
    mac: int = 0
    simd_mac: int = 0
    alu: int = 0
    multiply: int = 0
    divide: int = 0
    load: int = 0
    store: int = 0
    branch: int = 0
    fp: int = 0
    system: int = 0
    mac_lanes: int = 0
    read_low: int = 0
    read_high: int = 0
    write_low: int = 0
    write_high: int = 0
    blocks: int = 0
    taken: int = 0
    read_transfers: int = 0
    write_transfers: int = 0
    mve: int = 0
    mve_mac: int = 0
    mve_load: int = 0
    mve_store: int = 0
    mve_predicated: int = 0
    folded: int = 0
    lanes: LaneUse = field(default_factory=LaneUse)

    def add(self, other: _Sums, times: int) -> None:
        """Add a block's sums, executed that many times."""
        for x in fields(self):
            value = getattr(other, x.name)
            if value and isinstance(value, int):
                setattr(self, x.name, getattr(self, x.name) + value * times)


def count_regions(
    firmware: Firmware, execution: Execution, board: Board, decoder: Decoder | None = None
) -> tuple[Counters, ...]:
    """Counters of one warm inference: one per layer, then the glue. They add up to the inference exactly.

    Raises CheckFailedError if an edge contradicts the code, an instruction is unknown, or the bytes the memory run saw
    cannot be those of the counted instructions.
    """
    decoder = decoder or Decoder.of(firmware)
    sums = _sum_regions(execution, decoder, len(firmware.layers) + 1)
    return tuple(_counters(region, sums[region], firmware, execution, board) for region in range(len(sums)))


def add_up(parts: tuple[Counters, ...]) -> Counters:
    """The inference as the sum of its regions; the stack's high-water mark is the highest."""
    totals = {name: sum(getattr(p, name) for p in parts) for name in Counters.model_fields}
    totals["stack_high_water_bytes"] = max(p.stack_high_water_bytes for p in parts)
    return Counters(**totals)


def is_taken(source: Block, destination: int) -> bool:
    """Was the branch that ends ``source`` taken? A conditional branch to the next instruction counts as not taken."""
    return destination != source.end or not may_fall_through(source.instructions[-1])


def check_edge(decoder: Decoder, source: int, destination: int) -> None:
    """Raises CheckFailedError if the code of block ``source`` cannot lead to ``destination``."""
    block = decoder.block(source)
    last = block.instructions[-1]
    if destination == block.end and may_fall_through(last):
        return
    if last.target is not None and destination != last.target:
        image = decoder.image
        raise CheckFailedError(
            f"counted an edge from {image.describe(source)} to {image.describe(destination)}, but that block ends in "
            f"'{last.mnemonic} {last.operands}'",
            hint="the target's block boundaries are wrong, so its counts are: report this with the ELF",
        )


def _sum_regions(execution: Execution, decoder: Decoder, regions: int) -> list[_Sums]:
    profile = execution.profile
    sums = [_Sums() for _ in range(regions)]
    static: dict[int, _Sums] = {}
    ends: dict[tuple[int, int], LoopEnd] = {}
    left_loop: dict[tuple[int, int], int] = {}
    entered: dict[int, dict[int, int]] = {}
    for region, source, destination, count in zip(
        profile.region.tolist(), profile.src.tolist(), profile.dst.tolist(), profile.count.tolist(), strict=True
    ):
        if destination not in static:
            static[destination] = _block_sums(decoder.block(destination))
        sums[region].add(static[destination], count)
        counts = entered.setdefault(region, {})
        counts[destination] = counts.get(destination, 0) + count
        if source:
            check_edge(decoder, source, destination)
            left = decoder.block(source)
            taken = is_taken(left, destination)
            sums[region].taken += count if taken else 0
            if is_loop_end(last := left.instructions[-1]):  # blocks that lead into a loop end in the same LE as its own
                ends.setdefault((region, last.address), LoopEnd()).add(left, taken, count)
                left_loop[region, last.address] = left_loop.get((region, last.address), 0) + (0 if taken else count)
    for (region, _), end in ends.items():
        sums[region].folded += end.folded
    blocks = {r: {start: (decoder.block(start), n) for start, n in by.items()} for r, by in entered.items()}
    for region, lanes in count_lanes(decoder.image, blocks, left_loop, execution.lanes).items():
        sums[region].lanes = lanes
    return sums


def _block_sums(block: Block) -> _Sums:
    sums = _Sums(blocks=1)
    for i in block.instructions:
        sums.instructions += 1
        setattr(sums, i.kind.value, getattr(sums, i.kind.value) + 1)
        sums.mac_lanes += i.lanes
        sums.read_high += i.load_bytes
        sums.write_high += i.store_bytes
        sums.read_transfers += i.transfers if i.load_bytes else 0
        sums.write_transfers += i.transfers if i.store_bytes else 0
        if not i.in_it_block and not (i.vector and i.vector.predicated):
            sums.read_low += i.load_bytes
            sums.write_low += i.store_bytes
        if i.vector is not None:
            _add_vector(sums, i, i.vector)
    return sums


def _add_vector(sums: _Sums, i: Instruction, vector: Vector) -> None:
    sums.mve += 1
    sums.mve_mac += i.kind in (Kind.SIMD_MAC, Kind.MULTIPLY)
    sums.mve_load += i.load_bytes > 0
    sums.mve_store += i.store_bytes > 0
    sums.mve_predicated += vector.predicated


def _counters(region: int, sums: _Sums, firmware: Firmware, execution: Execution, board: Board) -> Counters:
    seen = [e for e in execution.warm.events if e.region == region]
    kinds = {m.name: m.kind for m in board.memories}
    flash = [e for e in seen if kinds[e.memory] is MemoryKind.FLASH]
    flash_read = sum(e.read_bytes for e in flash)
    read = sum(e.read_bytes for e in seen)
    written = sum(e.write_bytes for e in seen)
    name = firmware.layers[region].name if region < len(firmware.layers) else "the glue"
    _check_bytes(f"reads of {name}", read, sums.read_low, sums.read_high)
    _check_bytes(f"writes of {name}", written, sums.write_low, sums.write_high)
    core = load_core(firmware.core)
    return Counters(
        instructions=sums.instructions,
        mac_instructions=sums.mac,
        simd_mac_instructions=sums.simd_mac,
        alu_instructions=sums.alu,
        multiply_instructions=sums.multiply,
        divide_instructions=sums.divide,
        load_instructions=sums.load,
        store_instructions=sums.store,
        branch_instructions=sums.branch,
        fp_instructions=sums.fp,
        system_instructions=sums.system,
        blocks=sums.blocks,
        taken_branches=sums.taken,
        mac_lanes=sums.mac_lanes,
        simd_lane_slots=(sums.mac + sums.simd_mac + sums.multiply) * core.mac_lanes,
        read_accesses=sums.read_transfers if core.mve else sum(e.reads for e in seen),
        write_accesses=sums.write_transfers if core.mve else sum(e.writes for e in seen),
        flash_read_bytes=flash_read,
        ram_read_bytes=read - flash_read,
        ram_write_bytes=written,
        stack_high_water_bytes=execution.stack_by_region_bytes[region],
        flash_fetch_lines=sum(e.fetch_lines for e in flash),
        flash_fetch_misses=sum(e.fetch_misses for e in flash),
        flash_read_lines=sum(e.read_lines for e in flash),
        flash_read_misses=sum(e.read_misses for e in flash),
        mve_instructions=sums.mve,
        mve_mac_instructions=sums.mve_mac,
        mve_load_instructions=sums.mve_load,
        mve_store_instructions=sums.mve_store,
        mve_predicated_instructions=sums.mve_predicated,
        folded_loop_ends=sums.folded,
        mve_beats=sums.lanes.beats,
        mve_beats_masked=sums.lanes.masked_beats,
        mve_beats_unknown=sums.lanes.unknown_beats,
        mve_mac_lanes=sums.lanes.lanes,
        mve_mac_lanes_active=sums.lanes.active,
        mve_mac_lanes_unknown=sums.lanes.unknown,
    )


def _check_bytes(what: str, seen: int, low: int, high: int) -> None:
    if not low <= seen <= high:
        raise CheckFailedError(
            f"{what}: the memory run saw {seen} bytes, the counted instructions move {low} to {high}",
            hint="counting and watching saw different programs, or memory outside the board's: report this with the ELF",
        )
