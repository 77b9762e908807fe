"""A measured energy for the terminal: the inference, its layers, and what must be known before believing it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from engine.records.cause import Evidence
from engine.records.energy import MeasuredEnergy
from engine.words import name_title, share_text

_LABEL = {
    Evidence.MEASURED: "measured",
    Evidence.SIMULATED: "of whatever the meter is wired to: an emulator ran the inferences",
}


def render_measured_energy(found: MeasuredEnergy, out: Console) -> None:
    """Print it."""
    out.print(
        f"{found.run}: {found.net_nj / 1e3:,.1f} µJ per inference ({_LABEL[found.evidence]}), at most {found.error_nj / 1e3:,.1f} µJ off; "
        f"{found.gross_nj / 1e3:,.1f} µJ with the idle board's {found.idle_mw:.3g} mW",
        soft_wrap=True,
    )
    low, high = found.spread_nj
    out.print(
        f"{found.windows} window{'s' if found.windows > 1 else ''} of {found.inferences} inference{'s' if found.inferences > 1 else ''}, {found.inference_ms:.4g} ms each: "
        f"{low / 1e3:,.1f} to {high / 1e3:,.1f} µJ. {found.meter.name}, {found.meter.settings or 'as it was set'}, {found.meter.rate_hz:,.0f} Hz",
        soft_wrap=True,
    )
    for complaint in found.meter.complaints:
        out.print(f"note: {complaint}")
    if not found.layers:
        return
    resolved = [x for x in found.layers if x.net_nj is not None]
    reasons = {x.reason for x in found.layers}
    if not resolved and len(reasons) == 1:
        out.print(f"No energy by layer: {reasons.pop()}.", soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("layer")
    for name in ("µJ", "off by at most", "share"):
        table.add_column(name, justify="right")
    for layer in found.layers:
        if layer.net_nj is None or layer.error_nj is None:
            table.add_row(name_title(layer.name), "-", "", layer.reason or "")
        else:
            share = share_text(layer.net_nj / found.net_nj) if found.net_nj else ""
            table.add_row(name_title(layer.name), f"{layer.net_nj / 1e3:,.2f}", f"{layer.error_nj / 1e3:,.2f}", share)
    out.print()
    out.print(table)
    out.print(f"Layers were cut by {found.shares}; what could not be resolved is {found.unresolved_nj / 1e3:,.2f} µJ.")
