"""Everything the pages talk about, looked up once: runs, what explains them, boards, cores, models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.catalog.load import board_sha256, core_sha256, list_boards
from engine.energy.attribute import with_energy
from engine.errors import RecordError
from engine.explain.analysis import Analysis
from engine.explain.explain import bound_by, explain_run
from engine.explain.hardware import Hardware, board_as_run, core_as_run, hardware_of
from engine.explain.remedies import with_remedies
from engine.explain.types import Explanation
from engine.models.cost_types import ModelCost
from engine.models.graph import Graph
from engine.models.library import Origin, list_models
from engine.records.ceilings import MeasuredCeilings
from engine.records.run import RunRecord
from engine.site.ranking import Place, places


@dataclass(frozen=True, eq=False)
class ModelInfo:
    """A model that can be looked into: its graph, its cost and its card as (name, text) rows."""

    name: str
    graph: Graph
    cost: ModelCost
    card: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Run:
    """A run with its explanation and its place in the ranking of its model. Its record carries its energy.

    ``analysis`` is None where the run was not re-simulated where the site is built; ``hardware`` is what explained it.
    """

    record: RunRecord
    explanation: Explanation
    place: Place
    analysis: Analysis | None = None
    hardware: Hardware | None = None

    @property
    def why(self) -> str:
        """Class and rule in few words."""
        return bound_by(self.explanation)


@dataclass(frozen=True, eq=False)
class World:
    """The input of all pages. ``runs`` are grouped by model (zoo, reference, the user's own; least work first), fastest first."""

    runs: tuple[Run, ...]
    boards: dict[str, Board]
    cores: dict[str, Core]
    models: dict[str, ModelInfo]
    engine_version: str
    ceilings: tuple[MeasuredCeilings, ...] = ()

    @property
    def default_ceilings(self) -> dict[str, MeasuredCeilings]:
        """By board: its measured ceilings at the clock that its runs use unless told otherwise."""
        found = {}
        for board in self.boards.values():
            core = self.cores.get(board.core)
            made = None if core is None else _ceilings(self.ceilings, board, core, board.default_clock_mhz)
            if made is not None:
                found[board.name] = made
        return found

    def of_model(self, name: str) -> tuple[Run, ...]:
        """Runs of a model, fastest first."""
        return tuple(r for r in self.runs if r.record.model == name)

    def of_board(self, name: str) -> tuple[Run, ...]:
        """Runs on a board."""
        return tuple(r for r in self.runs if r.record.board == name)

    def of_core(self, name: str) -> tuple[Run, ...]:
        """Runs on a core."""
        return tuple(r for r in self.runs if r.record.core == name)

    def board_of(self, record: RunRecord) -> Board | None:
        """The board a record was made with, set figures included; None if what has this name here is described otherwise."""
        board = self.boards.get(record.board)
        return None if board is None else board_as_run(board, record)

    def made_otherwise(self, name: str) -> tuple[Run, ...]:
        """Runs that name a board of another description than the one known by this name."""
        return tuple(r for r in self.of_board(name) if self.board_of(r.record) is None)

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of all models that have runs or can be looked into: models with runs first, in the order of ``runs``."""
        return tuple(dict.fromkeys([*(r.record.model for r in self.runs), *self.models]))


def make_world(
    records: Sequence[RunRecord],
    boards: Sequence[Board],
    cores: Sequence[Core],
    models: Sequence[ModelInfo],
    engine_version: str,
    analyses: Sequence[Analysis] = (),
    *,
    ceilings: Sequence[MeasuredCeilings] = (),
) -> World:
    """Explain and rank all runs; a board with a catalogue name is the catalogue's. Raises RecordError if two runs have one id."""
    seen: set[str] = set()
    for r in records:
        if r.id in seen:
            raise RecordError(f"two records have the id {r.id}", hint="remove one of the two files")
        seen.add(r.id)
    board_by_name = {b.name: b for b in boards}
    # a user's file must not change the catalogue's pages by carrying one of its names
    board_by_name |= {b.name: b for b in list_boards() if b.name in board_by_name}
    core_by_name = {c.name: c for c in cores}
    work = {r.model: r.macs for r in records}
    hardware = {r.id: _hardware(r, board_by_name, core_by_name, ceilings) for r in records}
    shown = [with_energy(r, hardware[r.id].board) for r in records]
    runs = [
        _run(p, hardware[p.record.id], _analysis(p.record, analyses))
        for name in sorted(work, key=lambda n: (_standing(n), work[n], n))
        for p in places([r for r in shown if r.model == name])
    ]
    by_name = {m.name: m for m in sorted(models, key=lambda m: (m.cost.macs, m.name))}
    return World(tuple(runs), board_by_name, core_by_name, by_name, engine_version, tuple(ceilings))


def _run(place: Place, hardware: Hardware, analysis: Analysis | None) -> Run:
    explanation = with_remedies(explain_run(place.record, hardware), place.record, analysis, hardware.board)
    return Run(place.record, explanation, place, analysis, hardware)


def _analysis(record: RunRecord, analyses: Sequence[Analysis]) -> Analysis | None:
    """The analysis of a run, if there is one of these very cycles."""
    cycles = tuple(x.cycles for x in (*record.layers, record.glue))
    return next((a for a in analyses if a.id == record.id and tuple(r.cycles for r in a.regions) == cycles), None)


def _standing(model: str) -> int:
    """Where a model stands in lists: the project's own first, then the reference models, then everybody's."""
    origins = {m.name: m.origin for m in list_models()}
    return (Origin.ZOO, Origin.REFERENCE, Origin.FILE).index(origins.get(model, Origin.FILE))


def _hardware(
    record: RunRecord, boards: dict[str, Board], cores: dict[str, Core], ceilings: Sequence[MeasuredCeilings]
) -> Hardware:
    """What explains a run: the catalogue's, or a user's own board that the catalogue does not know."""
    found = _described(record, boards, cores)
    if found.measured is not None or found.board is None or found.core is None:
        return found
    # with the figures that the run set: ceilings of the board without them are not its own
    return replace(found, measured=_ceilings(ceilings, found.board, found.core, record.clock_mhz))


def _ceilings(
    ceilings: Sequence[MeasuredCeilings], board: Board, core: Core, clock_mhz: float
) -> MeasuredCeilings | None:
    wanted = (board_sha256(board), core_sha256(core), clock_mhz)
    return next(
        (c for c in ceilings if (c.provenance.board_sha256, c.provenance.core_sha256, c.clock_mhz) == wanted), None
    )


def _described(record: RunRecord, boards: dict[str, Board], cores: dict[str, Core]) -> Hardware:
    known = hardware_of(record)
    own = boards.get(record.board)
    board = None if own is None else board_as_run(own, record)
    if known.board is not None or board is None:
        return known
    table = cores.get(record.core)
    core = None if table is None else core_as_run(table, record)
    notes = tuple(n for n in known.notes if record.board not in n)
    return replace(known, board=board, core=core, notes=notes)
