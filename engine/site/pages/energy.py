"""The page of the energy models: the fitted one, its rivals, and what each is off by on results it did not see."""

from __future__ import annotations

import json
from collections import Counter

from engine.energy.committed import model_path
from engine.energy.judge import AIMED_AT, defeats
from engine.energy.predictors import FITTED_MODEL, POWER_MODEL
from engine.explain.sentences import join
from engine.records.energy_model import EnergyModel, read_energy_model
from engine.site.energy_chart import residual_chart
from engine.site.render import Renderer
from engine.words import share_text


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
        result=result_sentence(model),
        cmsis_nn=sum(r.kernels == "cmsis-nn" for r in model.training),
        run_here=sum(r.simulated_cycles is not None for r in model.training),
        held=tuple(dict.fromkeys(j.held_out for j in model.judgements)),
    )


def result_sentence(model: EnergyModel) -> str:
    """The power model's error in the columns that were aimed at, whether that is met, and whether a baseline is better."""
    own = next(j for j in model.judgements if (j.predictor, j.held_out) == (POWER_MODEL, "model"))
    columns = f"{share_text(own.cmsis_nn_mape)} with the published latency ({met(own.cmsis_nn_mape)})"
    if own.simulated_mape is not None:
        columns += f" and {share_text(own.simulated_mape)} with the simulated one ({met(own.simulated_mape)})"
    lost = sorted({d.baseline for d in defeats(model, POWER_MODEL)})
    beaten = f"it does not beat {join(lost)} everywhere" if lost else "it beats every baseline in every column"
    return f"On published CMSIS-NN energies the {POWER_MODEL} is off by {columns}, on average and with each model held out; {beaten}."


def met(error: float) -> str:
    """Whether an error is as small as was aimed at."""
    return f"{'meets' if error <= AIMED_AT else 'misses'} the {share_text(AIMED_AT, 0)} aimed at"
