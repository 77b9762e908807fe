"""The page of the energy models: the fitted one, its rivals, and what each is off by on results it did not see."""

from __future__ import annotations

import json
from collections import Counter

from engine.energy.committed import model_path
from engine.energy.judge import defeats
from engine.energy.predictors import FITTED_MODEL, POWER_MODEL
from engine.records.energy_model import read_energy_model
from engine.site.energy_chart import residual_chart
from engine.site.render import Renderer


def write_energy(renderer: Renderer) -> None:
    """Coefficients, judgements, residuals, rows used and left out. Raises RecordError if the committed model is broken."""
    model = read_energy_model(model_path())
    plain = json.dumps(model.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"
    renderer.staging.write("validation/energy/model.json", plain)
    renderer.page(
        "validation/energy",
        "energy.md.j2",
        {"residuals": residual_chart(model)},
        model=model,
        excluded=Counter(e.reason for e in model.excluded).most_common(),
        defeats={name: defeats(model, name) for name in (POWER_MODEL, FITTED_MODEL)},
        held=tuple(dict.fromkeys(j.held_out for j in model.judgements)),
    )
