"""What is known about the models that have runs: the zoo's cards, and graphs of all that can be found."""

from __future__ import annotations

from collections.abc import Sequence

from engine.models.cost import model_cost
from engine.models.library import Origin, list_models
from engine.models.reader import read_graph
from engine.models.zoo.card import ModelCard, load_card
from engine.records.run import RunRecord
from engine.site.world import ModelInfo
from engine.words import share_text


def known_models(records: Sequence[RunRecord]) -> tuple[ModelInfo, ...]:
    """Models of the zoo with graph, cost and card, and reference models that have runs and lie on this machine.

    A model is taken for the one of a record only if its hash is the record's. Raises ModelError if a zoo model is broken.
    """
    hashes = {(r.model, r.provenance.model_sha256) for r in records}
    found = []
    for ref in list_models():
        if ref.origin is Origin.ZOO or ((ref.name, ref.sha256) in hashes and ref.path.is_file()):
            graph = read_graph(ref.path)
            card = card_rows(load_card(ref.name)) if ref.origin is Origin.ZOO else (("title", ref.title),)
            found.append(ModelInfo(ref.name, graph, model_cost(graph), card))
    return tuple(found)


def card_rows(card: ModelCard) -> tuple[tuple[str, str], ...]:
    """The card as rows of text, in the order a doubter asks."""
    a, d, t = card.accuracy, card.data, card.training
    rows = [
        ("title", card.title),
        ("task", card.task),
        ("description", card.description),
        (
            "accuracy, int8",
            f"{share_text(a.int8, 2)} ({a.int8_correct} of {a.held_back_examples} held-back examples; {a.int8_measured_with})",
        ),
        *((f"accuracy on {g.name}", f"{share_text(g.int8, 2)} of {g.examples}") for g in a.groups),
        ("accuracy, float32", share_text(a.float32, 2)),
        *((f"limit {i}", text) for i, text in enumerate(card.limits, 1)),
        ("data", d.description),
        ("training examples", f"{d.training_examples}"),
        ("held back", d.split_rule),
        ("licence of the data", d.licence_note),
        ("labels", ", ".join(card.labels)),
        ("input", f"{card.input.meaning} ({_endpoint(card.input.shape, card.input.scale, card.input.zero_point)})"),
        (
            "output",
            f"{card.output.meaning} ({_endpoint(card.output.shape, card.output.scale, card.output.zero_point)})",
        ),
        ("recipe", f"python -m {t.recipe} (seed {t.seed}, {t.epochs} epochs)"),
        ("made with", ", ".join(f"{k} {v}" for k, v in t.tools.items())),
        ("SHA-256", card.sha256),
    ]
    return tuple(rows)


def _endpoint(shape: tuple[int, ...], scale: float, zero_point: int) -> str:
    return f"int8 {' × '.join(str(d) for d in shape)}, scale {scale:.6g}, zero point {zero_point}"
