"""What a record cannot say: a file of a record, of ceilings, of an NPU or of a host against its schema, its own sums and the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic_core import from_json

from engine.catalog.board import Board, Placement, placement_problem
from engine.catalog.load import list_boards, load_board, load_core
from engine.catalog.override_text import parse_override
from engine.catalog.overrides import override
from engine.errors import RecordError, UsageError, WhycyclesError
from engine.firmware.types import CompilerName, KernelLibrary, Lowering
from engine.pipeline.local import BOARD
from engine.pipeline.rerun import choices_of, own_board
from engine.pipeline.settings import OPTS, clock_of, run_id
from engine.records.cause import Evidence
from engine.records.ceilings import MeasuredCeilings, ceilings_problems, is_ceilings
from engine.records.host_store import host_problems
from engine.records.measured import measured_problems
from engine.records.npu_store import npu_problems
from engine.records.run import ORACLE_AGREES, PlacementUsed, RunRecord
from engine.records.store import record_problems, record_text
from engine.targets.choose import NAMES


def file_problems(path: Path) -> tuple[str, ...]:
    """Everything that is wrong with a file of a record or of ceilings; empty if it is valid.

    Raises RecordError if it cannot be read or is no JSON.
    """
    text = record_text(path)
    try:
        content = from_json(text)
    except ValueError as error:
        raise RecordError(f"{path} is not JSON: {error}", hint="name a record file (JSON)") from None
    other = next(
        (found for found in (npu_problems(path), host_problems(path), measured_problems(path)) if found is not None),
        None,
    )
    if other is not None:
        return other
    if is_ceilings(content):
        return ceilings_problems(text) or tuple(_of_ceilings(MeasuredCeilings.model_validate_json(text)))
    return record_problems(text) or contradictions(RunRecord.model_validate_json(text), path.with_name(BOARD))


def contradictions(record: RunRecord, beside: Path | None = None) -> tuple[str, ...]:
    """Where a valid record contradicts its own words or the catalogue.

    A board of the user's is looked for ``beside`` the record (a board TOML) and among the runs of this machine.
    """
    found = [*_outcome(record), *_unknown_names(record)]
    if record.evidence not in (Evidence.SIMULATED, Evidence.MEASURED):
        return tuple(found)
    own = own_board(record) or (beside if beside is not None and beside.is_file() else None)
    try:
        board = load_board(own or record.board)
    except WhycyclesError as error:
        return (*found, f"board: {error.message}")
    found += _hardware(record, board)
    # only choices that are known make a name
    return tuple(found or _id(record, board, own))


def _outcome(record: RunRecord) -> Iterator[str]:
    """The output and the note on it must say the same; a wrong output makes every number of the run void."""
    agrees = record.oracle_note.endswith(ORACLE_AGREES)
    if record.output_matches_oracle is False:
        yield f"output_matches_oracle is false, so the numbers do not count: {record.oracle_note}"
    elif record.output_matches_oracle is True and not agrees:
        yield f"output_matches_oracle is true, but oracle_note does not say so: {record.oracle_note}"
    elif record.output_matches_oracle is None and agrees:
        yield f"output_matches_oracle is null, but oracle_note says: {record.oracle_note}"


def _unknown_names(record: RunRecord) -> Iterator[str]:
    named: list[tuple[str, str, Iterable[str]]] = [
        ("kernels", record.kernels, KernelLibrary),
        ("compiler", record.compiler, CompilerName),
        ("lowering", record.lowering, Lowering),
        ("opt", record.opt, OPTS),
        ("target", record.target, NAMES if record.evidence is Evidence.SIMULATED else [record.target]),
        *((f"layers.{n}.library", x.library, KernelLibrary) for n, x in enumerate(record.layers)),
    ]
    for where, name, known in named:
        if name not in tuple(known):
            yield f"{where} is '{name}', none of {', '.join(known)}"


def _hardware(record: RunRecord, catalogued: Board) -> Iterator[str]:
    """Core, clock, placement and memories must be those of the board, with the figures that were set for the run."""
    if record.board != catalogued.name:
        yield f"board is {record.board}, but the board file kept with the run describes {catalogued.name}"
    yield from _of_board(record, catalogued)
    try:
        board, _ = override(catalogued, load_core(catalogued.core), [parse_override(x) for x in record.overrides])
    except WhycyclesError as error:
        yield f"overrides: {error.message}"
        return
    yield from _clock(record, board)
    yield from _placement(record.placement, board)
    memories = {m.name: m for m in board.memories}
    for part in record.memory.parts:
        memory = memories.get(part.memory)
        if memory is None:
            yield f"memory.parts: {part.name} lies in '{part.memory}', which {board.name} lacks"
        elif not memory.origin <= part.address <= part.address + part.bytes <= memory.end:
            yield f"memory.parts: {part.name} (0x{part.address:08x}, {part.bytes} bytes) lies outside '{part.memory}'"
    regions = [*((f"layers.{n}", x) for n, x in enumerate(record.layers)), ("glue", record.glue)]
    for where, region in regions:
        for traffic in region.memories:
            if traffic.memory not in memories:
                yield f"{where}.memories: {board.name} has no memory '{traffic.memory}'"


def _of_ceilings(found: MeasuredCeilings) -> Iterator[str]:
    """A board that is not of the catalogue is the user's own: nothing is known of it."""
    board = next((b for b in list_boards() if b.name == found.board), None)
    if board is None:
        return
    yield from _of_board(found, board)
    yield from _clock(found, board)
    yield from _placement(found.placement, board)
    names = {m.name for m in board.memories}
    for b in found.benchmarks:
        for memory in {b.memory, b.target} - names - {""}:
            yield f"benchmark {b.name}: {board.name} has no memory '{memory}'"


def _of_board(found: RunRecord | MeasuredCeilings, board: Board) -> Iterator[str]:
    if found.core != board.core:
        yield f"core is {found.core}, but {board.name} has a {board.core}"


def _clock(found: RunRecord | MeasuredCeilings, board: Board) -> Iterator[str]:
    try:
        clock_of(board, found.clock_mhz)
    except WhycyclesError as error:
        yield f"clock_mhz: {error.message} (up to {board.max_clock_mhz.value:g} MHz)"


def _placement(used: PlacementUsed, board: Board) -> Iterator[str]:
    problem = placement_problem(Placement(**used.model_dump()), board.memories)
    if problem is not None:
        yield str(problem)


def _id(record: RunRecord, board: Board, own: Path | None) -> Iterator[str]:
    choices = choices_of(record, record.model, str(own or record.board))
    try:
        named = run_id(choices, record.model, board, record.clock_mhz)
    except UsageError as error:
        yield f"target: {error.message}"
        return
    if record.id != named:
        yield f"id is {record.id}, but its choices make it {named}"
