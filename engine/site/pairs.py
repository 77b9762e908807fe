"""Which runs of a model are worth comparing: boards with the same kernels, kernels on one board, other choices on one board."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from engine.explain.compare import Comparison, compare
from engine.explain.compare_energy import energy_delta
from engine.records.comparable import intervals_overlap
from engine.records.run import RunRecord
from engine.site.setup import as_built, difference
from engine.site.text import slug
from engine.site.world import Run

K = TypeVar("K", bound=Hashable)

MOST_OTHER = 24
"""Pairs of other choices on one page at most; the rest is for the command line."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two runs of one model, ``b`` against ``a``. ``anchor`` is unique on the page."""

    a: Run
    b: Run
    title: str
    found: Comparison

    @property
    def anchor(self) -> str:
        """Address within the page."""
        return f"{slug(self.b.record.id)}-vs-{slug(self.a.record.id)}"

    @property
    def times(self) -> float | None:
        """How many times as long B takes as A; None where they may not be compared or A takes no time."""
        a, b = self.a.record.latency_ms, self.b.record.latency_ms
        return b / a if self.found.comparable and a else None

    @property
    def tie(self) -> bool:
        """Whether their intervals overlap."""
        return intervals_overlap(self.a.record, self.b.record)


@dataclass(frozen=True, eq=False)
class Cell:
    """The plainest run of a variant on a board, and the pair that compares it with the fastest board (None for that one)."""

    run: Run
    pair: Pair | None


@dataclass(frozen=True, eq=False)
class Row:
    """A board: one cell per variant (None where there is no run), and the pair of kernel libraries on it."""

    board: str
    cells: tuple[Cell | None, ...]
    kernels: Pair | None


@dataclass(frozen=True, eq=False)
class Matrix:
    """All comparisons of one model. ``variants`` name the columns; ``boards`` has one row per board, the fastest first."""

    model: str
    variants: tuple[str, ...]
    rows: tuple[Row, ...]
    others: tuple[Pair, ...]
    left_out: int

    @property
    def contested(self) -> frozenset[int]:
        """Columns with more than one board."""
        return frozenset(i for i in range(len(self.variants)) if sum(row.cells[i] is not None for row in self.rows) > 1)

    @property
    def between_boards(self) -> tuple[Pair, ...]:
        """Pairs of boards, variant by variant."""
        return tuple(
            cell.pair
            for i in range(len(self.variants))
            for row in self.rows
            if (cell := row.cells[i]) is not None and cell.pair is not None
        )

    @property
    def between_kernels(self) -> tuple[Pair, ...]:
        """Pairs of kernel libraries, board by board."""
        return tuple(row.kernels for row in self.rows if row.kernels is not None)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All of them, in the order of the page."""
        return (*self.between_boards, *self.between_kernels, *self.others)


def matrix_of(model: str, runs: Sequence[Run]) -> Matrix:
    """Choose and compare; ``runs`` are of one model, fastest first. The table holds boards as they are, no altered ones."""
    real = [r for r in runs if as_built(r.record)]
    variants = _groups(real, lambda r: (r.kernels, r.compiler, r.opt, r.lowering))
    best = {
        v: dict(sorted(((b, _plainest(mine)) for b, mine in _groups(group, lambda r: r.board).items()), key=_latency))
        for v, group in variants.items()
    }
    columns = sorted(best, key=lambda v: (v[0] != "cmsis-nn", v))
    boards = tuple(dict.fromkeys(r.record.board for r in real))
    names = {v: _variant_name(v, columns) for v in columns}
    rows = []
    for board in boards:
        cells = []
        for v in columns:
            run = best[v].get(board)
            fastest = next(iter(best[v].values()))
            pair = None
            if run is not None and run is not fastest:
                pair = _pair(fastest, run, f"{board} against {fastest.record.board}, {names[v]}")
            cells.append(None if run is None else Cell(run, pair))
        rows.append(Row(board, tuple(cells), _kernels(board, real)))
    shown = {frozenset((p.a.record.id, p.b.record.id)) for row in rows for p in _row_pairs(row)}
    others = []
    for (board, kernels), mine in _groups(runs, lambda r: (r.board, r.kernels)).items():
        base = _plainest([r for r in mine if as_built(r.record)] or mine)
        for run in mine:
            if run is not base and frozenset((base.record.id, run.record.id)) not in shown:
                a, b = difference(base.record, run.record)
                others.append((base, run, f"{board}, {kernels}: {b} against {a}"))
    return Matrix(
        model,
        tuple(names[v] for v in columns),
        tuple(rows),
        tuple(_pair(a, b, title) for a, b, title in others[:MOST_OTHER]),
        max(0, len(others) - MOST_OTHER),
    )


def _plainest(runs: Sequence[Run]) -> Run:
    """The run that is least unlike others of its board; the fastest of equals."""
    return min(runs, key=lambda r: len(r.place.setup))


def _latency(of_board: tuple[str, Run]) -> float:
    return of_board[1].record.latency_ms


def _row_pairs(row: Row) -> Iterable[Pair]:
    yield from (c.pair for c in row.cells if c is not None and c.pair is not None)
    if row.kernels is not None:
        yield row.kernels


def _groups(runs: Sequence[Run], key: Callable[[RunRecord], K]) -> dict[K, list[Run]]:
    found: dict[K, list[Run]] = {}
    for run in runs:
        found.setdefault(key(run.record), []).append(run)
    return found


def _pair(a: Run, b: Run, title: str) -> Pair:
    one, two = a.record, b.record
    known = (a.hardware, b.hardware) if a.hardware is not None and b.hardware is not None else None
    found = compare(one, two, known)
    if found.comparable and one.energy is not None and two.energy is not None:
        found = found.model_copy(update={"energy": energy_delta(one, two, one.energy, two.energy)})
    return Pair(a, b, title, found)


def _kernels(board: str, runs: Sequence[Run]) -> Pair | None:
    """The fastest run of CMSIS-NN on a board and the run of the reference kernels that differs from it in nothing else."""
    mine = [r for r in runs if r.record.board == board]
    for fast in (r for r in mine if r.record.kernels == "cmsis-nn"):
        for slow in (r for r in mine if r.record.kernels == "reference"):
            if _setting(fast.record) == _setting(slow.record):
                return _pair(slow, fast, f"cmsis-nn against reference on {board}")
    return None


def _setting(r: RunRecord) -> tuple[object, ...]:
    return (r.compiler, r.opt, r.lowering, r.clock_mhz, r.placement, r.provenance.board_sha256)


def _variant_name(variant: tuple[str, str, str, str], columns: Sequence[tuple[str, str, str, str]]) -> str:
    """As short as it can be: the kernels, and what else differs between the columns."""
    kernels, compiler, opt, lowering = variant
    name = kernels
    if len({c[1:3] for c in columns}) > 1:
        name += f", {compiler} {opt}"
    return name if lowering == "tflm" else f"{name}, {lowering} lowering"
