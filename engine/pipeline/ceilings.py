"""The ceilings of a board: its benchmark firmware built, executed, checked and timed; kept until something changes."""

from __future__ import annotations

from pathlib import Path

import engine
from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.catalog.load import board_sha256, core_sha256, list_boards, load_board, load_core
from engine.counters.count import count_regions
from engine.counters.decode import Decoder
from engine.errors import CheckFailedError, RecordError
from engine.firmware.bench.build import build_benchmarks
from engine.firmware.bench.expect import expected_output
from engine.firmware.bench.plan import plan_benchmarks
from engine.firmware.bench.types import Benchmark, Plan
from engine.firmware.types import Firmware
from engine.paths import cache_dir
from engine.pipeline.fingerprint import ceilings_fingerprint
from engine.pipeline.prepare import Progress, execute
from engine.pipeline.settings import check_own_name, clock_of
from engine.records.cause import Evidence
from engine.records.ceilings import (
    CeilingsProvenance,
    MeasuredCeiling,
    MeasuredCeilings,
    SkippedCeiling,
    ceilings_dir,
    ceilings_id,
    committed_ceilings,
    dump_ceilings,
    rate,
    read_ceilings,
    write_ceilings,
)
from engine.records.counters import Counters
from engine.records.run import PlacementUsed
from engine.records.store import write_atomically
from engine.targets.choose import AUTO, choose_target
from engine.timing.retime import REAL, Retiming
from engine.timing.stored import StoredRun
from engine.timing.table import End

_SEEDS = tuple(seed.to_bytes(4, "little") for seed in (0x1B2D_3F57, 0xDEAD_BEEF))
"""Inputs: the checksums of both must be right; the first one is profiled."""

_SLACK_BYTES = 256
"""What a benchmark may move beside its own bytes: registers that its function saves, arguments on the stack."""


def ceilings_of_board(name: str, clock_mhz: float | None = None, *, fresh: bool = False) -> MeasuredCeilings:
    """The ceilings of a board (a name, or a path to a TOML), measured unless nothing has changed since they were.

    Raises UsageError or CatalogError for the board or the clock, and what ``measure_ceilings`` raises.
    """
    board = load_board(name)
    check_own_name(board)
    core, clock = load_core(board.core), clock_of(board, clock_mhz)
    found = None if fresh else _kept(board, core, clock)
    if found is None:
        found = measure_ceilings(board, core, clock)
        folder = _folder(board, clock)
        (folder / "fingerprint").unlink(missing_ok=True)
        write_ceilings(found, folder / "ceilings.json")
        write_atomically(folder / "fingerprint", ceilings_fingerprint(board, core, clock).encode())
    return found


def known_ceilings(board: Board, core: Core, clock_mhz: float) -> MeasuredCeilings | None:
    """The ceilings of a board as described, if they are committed or kept on this machine; nothing is measured."""
    made = committed_ceilings(board.name, clock_mhz, board_sha256(board), core_sha256(core))
    return made if made is not None else _kept(board, core, clock_mhz)


def different_from_committed(found: MeasuredCeilings) -> bool:
    """Whether there are committed ceilings of this name, and other ones; they differ too if they cannot be read.

    Another version of the emulator alone makes no difference.
    """
    path = ceilings_dir() / f"{found.id}.json"
    if not path.is_file():
        return False
    try:
        version = read_ceilings(path).provenance.target_version
    except RecordError:
        return True
    provenance = found.provenance.model_copy(update={"target_version": version})
    return path.read_text("utf-8") != dump_ceilings(found.model_copy(update={"provenance": provenance}))


def update_committed(found: MeasuredCeilings) -> None:
    """Write the committed file, if it is not the same already."""
    path = ceilings_dir() / f"{found.id}.json"
    if not path.is_file() or different_from_committed(found):
        write_ceilings(found, path)


def measure_ceilings(
    board: Board, core: Core, clock_mhz: float, progress: Progress = lambda _: None
) -> MeasuredCeilings:
    """Build, execute, check and time the benchmarks of a board.

    Raises DoesNotFitError, ToolError, BuildError, ExecutionError; CheckFailedError where a checksum or a count is not what the
    benchmark is said to do.
    """
    progress("building the benchmarks")
    plan = plan_benchmarks(board, core)
    firmware = build_benchmarks(plan, board, core)
    progress("executing")

    def relink(memory_map: Board) -> Firmware:
        return build_benchmarks(plan, board, core, memory_map=memory_map)

    execution = execute(choose_target(AUTO, core), board, core, firmware, relink, _SEEDS)
    for seed, output in zip(_SEEDS, execution.outputs, strict=True):
        _check_output(plan, output, expected_output(plan, seed))
    progress("timing")
    decoder = Decoder.of(firmware)
    for benchmark, counters in zip(plan.benchmarks, count_regions(firmware, execution, board, decoder), strict=False):
        _check_counts(benchmark, counters)
    retiming = Retiming(StoredRun(decoder.blocks(execution.profile), execution, firmware, board, core, clock_mhz))
    low, cycles, high = (retiming.cycles(REAL, end) for end in (End.LOW, End.VALUE, End.HIGH))
    return MeasuredCeilings(
        schema_version=1,
        id=ceilings_id(_file_name(board), clock_mhz),
        board=board.name,
        core=core.name,
        clock_mhz=clock_mhz,
        placement=PlacementUsed(**board.placement.model_dump()),
        target=execution.target,
        evidence=Evidence.SIMULATED,
        benchmarks=tuple(
            _ceiling(b, cycles[n], (min(cycles[n], low[n]), max(cycles[n], high[n])))
            for n, b in enumerate(plan.benchmarks)
        ),
        skipped=tuple(SkippedCeiling(name=s.name, reason=s.reason) for s in plan.skipped),
        provenance=CeilingsProvenance(
            engine_version=engine.__version__,
            elf_sha256=firmware.elf_sha256,
            board_sha256=board_sha256(board),
            core_sha256=core_sha256(core),
            compiler=firmware.compiler.name.value,
            compiler_version=firmware.compiler.version,
            compiler_flags=firmware.compiler.flags,
            target_version=execution.target_version,
        ),
    )


def _ceiling(b: Benchmark, cycles: int, interval: tuple[int, int]) -> MeasuredCeiling:
    return MeasuredCeiling(
        name=b.name,
        work=b.work.value,
        instructions=b.instructions,
        memory=b.memory,
        target=b.target,
        working_set_bytes=b.working_set_bytes,
        resident=b.resident,
        macs=b.macs,
        bytes=b.bytes,
        cycles=cycles,
        cycles_interval=interval,
        per_cycle=rate(b.macs or b.bytes, cycles),
    )


def _check_output(plan: Plan, output: bytes, expected: bytes) -> None:
    for n, b in enumerate(plan.benchmarks):
        got, want = output[4 * n : 4 * n + 4], expected[4 * n : 4 * n + 4]
        if got != want:
            raise CheckFailedError(
                f"benchmark {b.name} answered {got.hex()}, the host computed {want.hex()}",
                hint="it did not do the work it is timed for: report this with the board's description",
            )


def _check_counts(b: Benchmark, c: Counters) -> None:
    """The counted work must be the benchmark's: bytes up to what calling it moves, products exactly."""
    moved = c.flash_read_bytes + c.ram_read_bytes + c.ram_write_bytes
    if not b.bytes <= moved <= b.bytes + _SLACK_BYTES:
        raise CheckFailedError(f"benchmark {b.name} moved {moved} bytes, not {b.bytes}", hint="report this")
    if c.mac_lanes and c.mac_lanes != b.macs:
        raise CheckFailedError(f"benchmark {b.name} did {c.mac_lanes} MACs, not {b.macs}", hint="report this")


def _kept(board: Board, core: Core, clock_mhz: float) -> MeasuredCeilings | None:
    folder = _folder(board, clock_mhz)
    try:
        if (folder / "fingerprint").read_text("utf-8") != ceilings_fingerprint(board, core, clock_mhz):
            return None
        return read_ceilings(folder / "ceilings.json")
    except (OSError, RecordError):
        return None


def _folder(board: Board, clock_mhz: float) -> Path:
    return cache_dir() / "ceilings" / ceilings_id(_file_name(board), clock_mhz)


def _file_name(board: Board) -> str:
    """The board's name; one that is not of the catalogue carries a digest, as its description may change under its name."""
    known = board.name in {b.name for b in list_boards()}
    return board.name if known else f"{board.name}-{board_sha256(board)[:6]}"
