"""Pages that compare runs: one per model, with a matrix to choose from and a section per pair."""

from __future__ import annotations

from dataclasses import dataclass

from engine.explain.compare import Comparison, LayerDelta
from engine.records.cause import Cause
from engine.site.chart import Chart, Table
from engine.site.compare_chart import mechanism_chart, share
from engine.site.exports import difference_csv
from engine.site.pairs import Matrix, Pair, matrix_of
from engine.site.render import Renderer
from engine.site.text import slug
from engine.site.world import World
from engine.words import name_title

_LAYERS = 10


@dataclass(frozen=True, eq=False)
class Section:
    """A pair as shown: its figure's name, cycles by cause and by layer (None where nothing was computed)."""

    pair: Pair
    figure: str
    by_cause: Table | None
    by_layer: Table | None


@dataclass(frozen=True, eq=False)
class Group:
    """Pairs of one kind, under one heading."""

    anchor: str
    title: str
    lead: str
    sections: tuple[Section, ...]


def write_comparisons(renderer: Renderer, world: World) -> None:
    """The index and a page for every model with two runs or more."""
    matrices = [matrix_of(name, runs) for name in world.model_names if len(runs := world.of_model(name)) > 1]
    renderer.page("compare", "compare.md.j2", matrices=matrices)
    for matrix in matrices:
        _write_model(renderer, matrix)


def _write_model(renderer: Renderer, matrix: Matrix) -> None:
    folder = f"compare/{slug(matrix.model)}"
    charts: dict[str, Chart] = {}
    numbers = {id(pair): f"pair-{n}" for n, pair in enumerate(matrix.pairs, 1)}
    for pair in matrix.pairs:
        name = numbers[id(pair)]
        if _differs(pair.found):
            charts[name] = mechanism_chart(name, pair.found, pair.a.record.id, pair.b.record.id)
            renderer.staging.write(f"{folder}/{name}.csv", difference_csv(pair.found))
    groups = (
        ("boards", "Boards", "Each board against the fastest with the same kernels, compiler and options; every difference is B minus A, and A is the fastest.", matrix.between_boards),
        ("kernels", "Kernel libraries", "The same board, clock and compiler; A runs the reference kernels, B those of CMSIS-NN.", matrix.between_kernels),
        ("others", "Other choices", "The same board and kernels, another clock, compiler, option, placement or figure of the hardware; A is the plainest run: set up as most on its board.", matrix.others),
    )  # fmt: skip
    renderer.page(
        folder,
        "compare_model.md.j2",
        charts,
        matrix=matrix,
        groups=[
            Group(anchor, title, lead, tuple(_section(p, numbers[id(p)]) for p in pairs))
            for anchor, title, lead, pairs in groups
            if pairs
        ],
    )


def _differs(found: Comparison) -> bool:
    return found.comparable and any(found.by_mechanism.values())


def _section(pair: Pair, figure: str) -> Section:
    found = pair.found
    if not _differs(found) or found.delta_cycles is None:
        return Section(pair, "", None, None)
    return Section(pair, figure, _causes(found, found.delta_cycles), _layers(found, found.delta_cycles))


def _causes(found: Comparison, total: int) -> Table:
    rows = [
        (c.label, _cycles(found.by_cause[c]), share(found.by_cause[c], total))
        for c in sorted(Cause, key=lambda c: -abs(found.by_cause[c]))
        if found.by_cause[c]
    ]
    return Table(
        ("cause", "B minus A (cycles)", "of the difference"), (*rows, ("sum", _cycles(total), share(total, total)))
    )


def _layers(found: Comparison, total: int) -> Table:
    ranked = sorted((x for x in found.by_layer if x.delta_cycles), key=lambda x: -abs(x.delta_cycles))
    rows = [
        (name_title(x.name), _cycles(x.delta_cycles), share(x.delta_cycles, total), _mostly(x))
        for x in ranked[:_LAYERS]
    ]
    rest = ranked[_LAYERS:]
    if rest:
        cycles = sum(x.delta_cycles for x in rest)
        rows.append((f"{len(rest)} more", _cycles(cycles), share(cycles, total), ""))
    rows.append(("sum", _cycles(total), share(total, total), ""))
    return Table(("layer", "B minus A (cycles)", "of the difference", "mostly"), tuple(rows), left=frozenset({0, 3}))


def _mostly(layer: LayerDelta) -> str:
    cause = max(Cause, key=lambda c: abs(layer.by_cause[c]))
    return f"{cause.label} {_cycles(layer.by_cause[cause])}"


def _cycles(value: int) -> str:
    return f"{value:+,}".replace("-", "\u2212") if value else "0"
