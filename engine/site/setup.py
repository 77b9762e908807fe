"""How runs of one model are set up, in words: what tells them apart, and which of them are of hardware that exists."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence

from engine.explain.sentences import board_as_set
from engine.records.run import RunRecord

_CHOICES: tuple[Callable[[RunRecord], str], ...] = (
    lambda r: f"{r.clock_mhz:g} MHz",
    lambda r: f"{r.compiler} {r.opt}",
    lambda r: f"{r.lowering} lowering",
    lambda r: f"code in {r.placement.code}",
    lambda r: f"weights in {r.placement.weights}",
    lambda r: f"activations in {r.placement.activations}",
    lambda r: f"stack in {r.placement.stack}",
)


def as_built(record: RunRecord) -> bool:
    """Whether the board is the one that can be bought: no figure of it was set for the run."""
    return not record.overrides


def setups(records: Sequence[RunRecord]) -> dict[str, tuple[str, ...]]:
    """By run id: what is unlike most runs of its board, so that no two runs of one model, board and kernels read the same.

    Where a board's runs have no most frequent choice, all of them say theirs. Runs that nothing tells apart say their id.
    """
    usual = {board: [_usual([c(r) for r in mine]) for c in _CHOICES] for board, mine in _by(records, _board).items()}
    found = {
        r.id: tuple(text for c, most in zip(_CHOICES, usual[_board(r)], strict=True) if (text := c(r)) != most)
        for r in records
    }
    read = {r.id: (board_as_set(r), r.kernels, found[r.id]) for r in records}
    count = Counter(read.values())
    return {i: apart if count[read[i]] == 1 else (*apart, i) for i, apart in found.items()}


def _usual(values: Sequence[str]) -> str | None:
    """The most frequent one; None if two are equally frequent."""
    first, *rest = Counter(values).most_common(2)
    return None if rest and rest[0][1] == first[1] else first[0]


def _by(records: Sequence[RunRecord], key: Callable[[RunRecord], Hashable]) -> dict[Hashable, list[RunRecord]]:
    groups: dict[Hashable, list[RunRecord]] = defaultdict(list)
    for r in records:
        groups[key(r)].append(r)
    return groups


def _board(record: RunRecord) -> str:
    return record.board


def difference(a: RunRecord, b: RunRecord) -> tuple[str, str]:
    """What each of two runs of one board and kernel library has that the other has not; never empty."""
    choices = (lambda r: ", ".join(r.overrides) or "as built", *_CHOICES)
    apart = [c for c in choices if c(a) != c(b)] or [lambda r: r.id]
    return ", ".join(c(a) for c in apart), ", ".join(c(b) for c in apart)
