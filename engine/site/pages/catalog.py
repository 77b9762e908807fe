"""Pages of boards, cores and models: what the catalogue says, and the runs that used it."""

from __future__ import annotations

import re

from engine.catalog.access_waits import used_figures
from engine.catalog.alternatives import alternatives
from engine.catalog.assumptions import Assumption, assumptions
from engine.catalog.board import Board, MemoryKind
from engine.catalog.left_out import taken_for_granted
from engine.catalog.load import NO_PART_IN_RUN
from engine.catalog.walk import figures
from engine.firmware.ports import board_port
from engine.records.measured import silicon_status
from engine.site.catalog_charts import ladder_chart, lifetimes_chart
from engine.site.ceilings_chart import boards_chart
from engine.site.energy_view import measured_firmwares
from engine.site.render import Renderer
from engine.site.text import slug
from engine.site.world import Run, World
from engine.words import change_text

_TABLE = re.compile(r"reference/[a-z_]+\.csv")
"""How board files cite the project's own collections of published figures."""

_NO_BOARD = "the description of this board was not at hand where the site was built; the record keeps its hash."
_NO_CORE = "the table of this core was not at hand where the site was built; the record keeps its hash."
_NO_MODEL = "the model file was not at hand where the site was built; the record keeps its SHA-256."


def write_boards(renderer: Renderer, world: World) -> None:
    """The index of boards and a page for each, also for boards that only records know."""
    used = sorted({r.record.board for r in world.runs})
    ceilings = world.default_ceilings
    overview = boards_chart(world.boards, ceilings)
    strangers = [name for name in used if name not in world.boards]
    renderer.page(
        "boards",
        "boards.md.j2",
        {"ceilings": overview} if overview else {},
        boards=list(world.boards.values()),
        strangers=strangers,
        flash={b.name: _size(b, MemoryKind.FLASH) for b in world.boards.values()},
        ram={b.name: _size(b, MemoryKind.SRAM, MemoryKind.DTCM, MemoryKind.ITCM) for b in world.boards.values()},
        counts={name: len(world.of_board(name)) for name in [*world.boards, *strangers]},
        silicon={name: silicon_status(name) for name in world.boards},
    )
    for b in world.boards.values():
        parts = b.placement.model_dump()
        charts = {"ladder": ladder_chart(b)}
        if b.name in ceilings and (beside := boards_chart(world.boards, ceilings, b.name)) is not None:
            charts["ceilings"] = beside
        renderer.page(
            f"boards/{slug(b.name)}",
            "board.md.j2",
            charts,
            b=b,
            silicon=silicon_status(b.name),
            port=board_port(b) if b.port is not None else None,
            ceilings=ceilings.get(b.name),
            core=world.cores.get(b.core),
            runs=world.of_board(b.name),
            alternatives=alternatives(b),
            moves=_moves(world.of_board(b.name)),
            unvaried=_unvaried(b, world),
            left_out=list(taken_for_granted(b)),
            otherwise=world.made_otherwise(b.name),
            firmwares=measured_firmwares(b.name),
            figures_list=[(key, f) for key, f in figures(b) if key.split(".")[0] not in NO_PART_IN_RUN],
            used={*used_figures(b), "max_clock_mhz"},
            tables=sorted(set(_TABLE.findall(b.model_dump_json(exclude=set(NO_PART_IN_RUN))))),
            holds={m.name: ", ".join(part for part, memory in parts.items() if memory == m.name) for m in b.memories},
        )
    for name in strangers:
        _stranger(renderer, "boards", "Boards", name, _NO_BOARD, world.of_board(name))


def _moves(runs: tuple[Run, ...]) -> dict[tuple[str, str], str]:
    """How far each alternative of a board moves its runs that were analysed: "from to" in percent, by key and value."""
    found: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        for a in run.analysis.alternatives if run.analysis else ():
            found.setdefault((a.key, a.alternative), []).append(a.effect_share)
    return {key: _span(min(shares), max(shares)) for key, shares in found.items()}


def _span(low: float, high: float) -> str:
    """Two changes as one text; one where they read alike."""
    ends = dict.fromkeys(change_text(x) for x in (low, high))
    return " to ".join(ends)


def _unvaried(board: Board, world: World) -> list[Assumption]:
    """What the board infers and nobody varies; its core's figures are on the core's page."""
    core = world.cores.get(board.core)
    found = assumptions(board, core) if core else ()
    return [a for a in found if a.unvaried and a.key.startswith("board.")]


def _size(board: Board, *kinds: MemoryKind) -> int:
    return sum(m.bytes for m in board.memories if m.kind in kinds)


def write_cores(renderer: Renderer, world: World) -> None:
    """The index of cores and a page with the timing table of each."""
    cores = list(world.cores.values())
    figures = {c.name: list(c.figures()) for c in cores}
    inferred = {name: sum(f.inferred is not None for _, f in rows) for name, rows in figures.items()}
    renderer.page(
        "cores",
        "cores.md.j2",
        cores=cores,
        counted={name: (len(rows), inferred[name]) for name, rows in figures.items()},
        counts={c.name: len(world.of_core(c.name)) for c in cores},
    )
    for c in cores:
        renderer.page(
            f"cores/{slug(c.name)}",
            "core.md.j2",
            c=c,
            figures_list=figures[c.name],
            inferred=inferred[c.name],
            boards=[b for b in world.boards.values() if b.core == c.name],
            runs=world.of_core(c.name),
        )
    # a board or a record may name a core that has no table here
    named = {r.record.core for r in world.runs} | {b.core for b in world.boards.values()}
    for name in sorted(named - set(world.cores)):
        _stranger(renderer, "cores", "Cores", name, _NO_CORE, world.of_core(name))


def write_models(renderer: Renderer, world: World) -> None:
    """The index of models and a page for each."""
    names = world.model_names
    renderer.page(
        "models",
        "models.md.j2",
        names=names,
        models=world.models,
        counts={name: len(world.of_model(name)) for name in names},
    )
    for name in names:
        info = world.models.get(name)
        runs = world.of_model(name)
        if info is None:
            _stranger(renderer, "models", "Models", name, _NO_MODEL, runs)
            continue
        renderer.page(
            f"models/{slug(name)}",
            "model.md.j2",
            {"lifetimes": lifetimes_chart(name, info.cost)},
            name=name,
            i=info,
            runs=runs,
        )


def _stranger(renderer: Renderer, folder: str, kind: str, name: str, reason: str, runs: tuple[Run, ...]) -> None:
    renderer.page(
        f"{folder}/{slug(name)}", "stranger.md.j2", name=name, kind=kind, index=f"{folder}/", reason=reason, runs=runs
    )
