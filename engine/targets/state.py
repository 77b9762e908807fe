"""Building and reading the array that Python and the native hooks share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.catalog.alternatives import simulated_alternatives
from engine.catalog.board import Board
from engine.firmware.types import Firmware
from engine.targets import layout as at
from engine.targets.image import Image
from engine.targets.memory_system import MemorySystem
from engine.targets.types import LaneProfile, MemoryEvents, MemoryProfile, Profile

State = NDArray[np.int64]


class _Builder:
    """Appends tables behind the header and notes where they begin."""

    def __init__(self) -> None:
        self.parts: list[State] = [np.zeros(at.HEADER, np.int64)]
        self.size = at.HEADER
        self._spare = 0

    @property
    def header(self) -> State:
        return self.parts[0]

    def add(self, table: State) -> int:
        begin = self.size
        self.parts.append(table)
        self.size += table.size
        return begin

    def reserve(self, words: int) -> int:
        """Room behind everything else, of which the system gives memory only for what is written; no table may be added then."""
        self._spare = words
        return self.size

    def build(self) -> State:
        whole = np.zeros(self.size + self._spare, np.int64)
        np.concatenate(self.parts, out=whole[: self.size])
        return whole


def _common(firmware: Firmware, image: Image, limit: int, exit_address: int, stop_address: int) -> _Builder:
    b = _Builder()
    h = b.header
    layers = len(firmware.layers)
    h[at.H_LAYERS] = layers
    h[at.H_LIMIT] = 2 * limit
    h[at.H_STOP] = stop_address
    h[at.H_EXIT] = exit_address
    for slot, name in ((at.H_BEGIN, "wc_layer_begin"), (at.H_END, "wc_layer_end")):
        symbol = image.symbol(name)
        h[slot] = -1 if symbol is None else symbol.address & ~1
        if slot == at.H_BEGIN and symbol is not None:
            h[at.H_BEGIN_END] = h[slot] + max(2, symbol.bytes)
    start, end = image.code[0].start & ~1, max(c.end for c in image.code)
    h[at.H_CODE_START], h[at.H_CODE_END] = start, end
    h[at.H_ENDS] = b.add(_bits(image.block_ends, start, end))
    begin_inference(h)
    return b


def _bits(addresses: frozenset[int], start: int, end: int) -> State:
    """A bit per halfword of [start, end), set at some addresses; with slack, as code may end beyond the last instruction."""
    words = np.zeros(((end - start) >> 7) + 64, np.uint64)
    halves = (np.fromiter(addresses, np.int64, len(addresses)) - start) >> 1
    np.bitwise_or.at(words, halves >> 6, np.uint64(1) << (halves & 63).astype(np.uint64))
    return words.view(np.int64)


def begin_inference(state: State) -> None:
    """Control flow before the first block of an inference: in the glue, no block before."""
    state[at.H_PREV_END] = 0
    state[at.H_BLOCK] = 0
    state[at.H_REGION] = state[at.H_LAYERS]
    state[at.H_PENDING] = -1
    state[at.H_OPENED] = 0
    state[at.H_WORK] = 0
    state[at.H_ERROR] = 0


def counting_state(
    firmware: Firmware, image: Image, limit: int, exit_address: int, stop_address: int, slots: int
) -> State:
    """State of a counting run; ``slots`` is a power of two, the table is full at half of it."""
    b = _common(firmware, image, limit, exit_address, stop_address)
    _add_edges(b, slots)
    return b.build()


def _add_totals(b: _Builder) -> None:
    b.header[at.H_TOTALS] = b.add(np.zeros((int(b.header[at.H_LAYERS]) + 1) * at.TOTALS, np.int64))


def _add_edges(b: _Builder, slots: int) -> None:
    b.header[at.H_MASK] = slots - 1
    b.header[at.H_TABLE] = b.header[at.H_LAST] = b.add(np.zeros(4 * slots, np.int64))


def plugin_state(
    firmware: Firmware, image: Image, limit: int, exit_address: int, slots: int, *, watch: bool, trace_events: int
) -> State:
    """State for QEMU's plugin: edges and totals per region, and room for a trace; ``watch``: look at data accesses too."""
    b = _common(firmware, image, limit, exit_address, 0)
    h = b.header
    code = int(h[at.H_CODE_START]), int(h[at.H_CODE_END])
    found = image.instructions.values()
    h[at.H_WIDE] = b.add(_bits(frozenset(i.address for i in found if i.size == 4), *code))
    h[at.H_PAIR] = b.add(_bits(frozenset(i.address for i in found if i.mnemonic in ("ldrd", "strd")), *code))
    _add_totals(b)
    vectors = np.array(image.predicated_transfers if watch else (), np.int64)
    h[at.H_VECTOR_COUNT], h[at.H_VECTORS] = vectors.size, b.add(vectors)
    h[at.H_LANES] = b.add(np.zeros((int(h[at.H_LAYERS]) + 1) * vectors.size * at.LANES, np.int64))
    h[at.H_WATCH], h[at.H_TRACE_SIZE] = int(watch), trace_events
    h[at.H_TRACE] = b.add(np.zeros(trace_events, np.int64))
    _add_edges(b, slots)
    return b.build()


def totals(state: State) -> NDArray[np.int64]:
    """What a plugin or a memory run added up so far, [region][TOTALS]: a view."""
    first, regions = int(state[at.H_TOTALS]), int(state[at.H_LAYERS]) + 1
    return state[first : first + regions * at.TOTALS].reshape(regions, at.TOTALS)


def take_totals(state: State) -> NDArray[np.int64]:
    """The same as a copy; emptied for the next inference."""
    cells = totals(state)
    found = cells.copy()
    cells[:] = 0
    return found


def take_lanes(state: State) -> LaneProfile:
    """What vector loads and stores that may leave lanes out have moved so far; emptied for the next inference."""
    vectors, regions = int(state[at.H_VECTOR_COUNT]), int(state[at.H_LAYERS]) + 1
    first = int(state[at.H_LANES])
    cells = state[first : first + regions * vectors * at.LANES].reshape(regions, vectors, at.LANES)
    addresses = state[state[at.H_VECTORS] :][:vectors]
    region, vector, moved = np.nonzero(cells)
    found = LaneProfile(
        region.astype(np.int32),
        addresses[vector].astype(np.uint32),
        moved.astype(np.int8),
        cells[region, vector, moved],
    )
    cells[:] = 0
    return found


def take_profile(state: State) -> Profile:
    """The edges counted so far, sorted; the table is emptied for the next inference."""
    table = _edges(state)
    used = table[(table[:, 0] != 0) & (table[:, 0] & 0xFFFFFFFF != state[at.H_EXIT])]
    profile = _sorted(used)
    table[:] = 0
    state[at.H_USED] = 0
    state[at.H_LAST] = state[at.H_TABLE]
    return profile


def region_profile(state: State, region: int) -> Profile:
    """The edges counted so far in one region; the table stays as it is, and may be written meanwhile."""
    table = _edges(state).copy()
    return _sorted(table[(table[:, 0] != 0) & (table[:, 0] & 0xFFFFFFFF != state[at.H_EXIT]) & (table[:, 1] == region)])


def _edges(state: State) -> State:
    return state[state[at.H_TABLE] :][: 4 * (int(state[at.H_MASK]) + 1)].reshape(-1, 4)


def _sorted(used: State) -> Profile:
    """Rows of the table as a profile."""
    key = used[:, 0].view(np.uint64) if used.flags.c_contiguous else used[:, 0].copy().view(np.uint64)
    src = (key >> np.uint64(32)).astype(np.uint32)
    dst = (key & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    region = used[:, 1].astype(np.int32)
    order = np.lexsort((dst, src, region))
    return Profile(region[order], src[order], dst[order], used[order, 2].copy())


def memory_state(
    firmware: Firmware,
    image: Image,
    board: Board,
    limit: int,
    exit_address: int,
    port_bytes: int,
    *,
    stop_address: int = 0,
    register_functions: tuple[int, int] = (0, 0),
    moves: State | None = None,
    rows: State | None = None,
    record_words: int = 0,
) -> tuple[State, MemorySystem]:
    """State of a memory run: counters, streams with empty caches, stack depths; ``port_bytes``: width of the core's data port.

    ``stop_address`` and ``register_functions`` are Unicorn's, for hooks inside it; ``moves`` [memory][MOVE] is for the reader of QEMU's trace,
    ``rows`` [section][ROW] for the replay of a recorded one; ``record_words``: room to record one.
    """
    b = _common(firmware, image, limit, exit_address, stop_address)
    h = b.header
    regions = len(firmware.layers) + 1
    conditional = frozenset(i.address for i in image.instructions.values() if i.condition and i.touches_memory)
    h[at.H_CONDITIONAL] = b.add(_bits(conditional, int(h[at.H_CODE_START]), int(h[at.H_CODE_END])))
    h[at.H_REGISTERS], h[at.H_REGISTERS + 1] = register_functions
    h[at.H_MEMORIES] = len(board.memories)
    h[at.H_PORT_MASK] = port_bytes - 1
    h[at.H_SYSTEMS] = systems = 1 + len(simulated_alternatives(board))
    h[at.H_EVENTS] = b.add(np.zeros(systems * regions * len(board.memories) * at.EVENTS, np.int64))
    _add_totals(b)
    h[at.H_STACK_LOW], h[at.H_STACK_HIGH] = stack_limits(firmware)
    h[at.H_DEPTH] = b.add(np.full(regions, h[at.H_STACK_HIGH], np.int64))
    table = b.add(np.zeros(at.MEMORY * len(board.memories) * systems, np.int64))
    h[at.H_MEMORY_TABLE] = table
    h[at.H_MOVES] = 0 if moves is None else b.add(moves.ravel())
    if rows is not None:
        h[at.H_ROWS] = h[at.H_LAST_ROW] = b.add(rows.ravel())
        h[at.H_ROWS_COUNT] = len(rows)
    h[at.H_CONTEXTS] = b.add(np.zeros(at.PREDICTION * at.PREDICTIONS, np.int64))
    h[at.H_STREAMS] = b.size
    system = MemorySystem.of(board, b.size)
    b.add(system.build())
    h[at.H_STREAMS_END] = b.size
    h[at.H_RECORD_ROOM] = record_words
    b.reserve(record_words)
    state = b.build()
    of_memories = [
        (m.origin, m.end, *streams)
        for one in (system, *system.others)
        for m, streams in zip(board.memories, one.by_memory, strict=True)
    ]
    state[table : table + at.MEMORY * len(of_memories)] = np.array(of_memories, np.int64).ravel()
    return state, system


def begin_recording(state: State) -> None:
    """Record events from here on, if the state has room for any."""
    forget_contexts(state)
    state[at.H_RECORD] = state[at.H_STREAMS_END] if state[at.H_RECORD_ROOM] else 0
    state[at.H_RECORD_FILL] = 0


def take_recording(state: State) -> State | None:
    """End the recording; its words, or None if it did not fit."""
    fill, first, hits = int(state[at.H_RECORD_FILL]), int(state[at.H_RECORD]), int(state[at.H_HITS])
    state[at.H_RECORD] = 0
    if not first or fill > state[at.H_RECORD_ROOM]:
        return None
    return np.append(state[first : first + fill], np.int64(hits << at.W_HITS | at.W_NONE << at.W_KIND))


def forget_contexts(state: State) -> None:
    """Empty the predictor of a recorded trace."""
    first = int(state[at.H_CONTEXTS])
    state[first : first + at.PREDICTION * at.PREDICTIONS] = 0
    state[at.H_HITS] = state[at.H_AFTER_BLOCK] = state[at.H_SINCE] = 0


def stack_limits(firmware: Firmware) -> tuple[int, int]:
    """Lowest address of the stack and the first one behind it; (0, 0) where the firmware names no stack section."""
    for section in firmware.sections:
        if section.kind == "stack":
            return section.address, section.address + section.bytes
    return 0, 0


def take_systems(state: State, board: Board) -> tuple[MemoryProfile, ...]:
    """Events so far on the board, and on each of its simulated alternatives in their order; the accumulators are emptied, the caches keep their lines."""
    systems, regions, memories = int(state[at.H_SYSTEMS]), int(state[at.H_LAYERS]) + 1, len(board.memories)
    first, table = state[at.H_EVENTS], state[at.H_MEMORY_TABLE]
    cells = state[first : first + systems * regions * memories * at.EVENTS].reshape(-1, regions, memories, at.EVENTS)
    rows = state[table : table + systems * memories * at.MEMORY].reshape(systems, memories, at.MEMORY)
    found = []
    for counted, row in zip(cells, rows, strict=True):
        own = counted.copy()
        own[..., : at.E_FETCH] = cells[0][..., : at.E_FETCH]  # accesses are the program's
        for stream, columns in ((at.M_FETCH, slice(at.E_FETCH, at.E_READ)), (at.M_DATA, slice(at.E_READ, None))):
            same = row[:, stream] == at.AS_DESCRIBED
            own[:, same, columns] = cells[0][:, same, columns]
        found.append(
            MemoryProfile(
                tuple(
                    MemoryEvents(region, memory.name, *(int(v) for v in own[region, n]))
                    for region in range(regions)
                    for n, memory in enumerate(board.memories)
                    if own[region, n].any()
                )
            )
        )
    cells[:] = 0
    return tuple(found)


def stack_lows(state: State) -> tuple[int, ...]:
    """Lowest stack address each region stored to (the stack's top where it stored nothing)."""
    first = state[at.H_DEPTH]
    return tuple(int(v) for v in state[first : first + state[at.H_LAYERS] + 1])
