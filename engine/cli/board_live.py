"""``whycycles run --live --port``: the layers of a board while it runs, as a table that moves, as plain lines, or as JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from engine.cli.live import JsonLines, count_text
from engine.cli.shell import console, progress_console
from engine.words import counter_unit

if TYPE_CHECKING:
    from engine.pipeline.board_live import MeasuredSoFar, SimulatedLayers
    from engine.pipeline.settings import ResolvedRun
    from engine.records.measured import MeasuredRecord

_WIDTH = 100
_MOVED = 0.01
"""Plain lines name the layers whose p50 moved by more than this."""


def live_view(run: ResolvedRun, *, emulated: bool, as_json: bool) -> _Lines | _Json:
    """What shows a measurement while it goes on; ``emulated``: no board is behind the port."""
    from engine.records.cause import Evidence
    from engine.records.measured import EMULATED

    label = EMULATED if emulated else Evidence.MEASURED.value
    return _Json(run, label) if as_json else _Lines(run, label, emulated=emulated)


class _Lines:
    """For people: on a terminal one table that moves, else a table of the first block and what changes after it."""

    def __init__(self, run: ResolvedRun, label: str, *, emulated: bool) -> None:
        self._out = console()
        self._width = min(self._out.width, _WIDTH)
        self._name = run.id
        self._column = "emulated time" if emulated else label
        self._show: Callable[[str], None] = lambda _: None
        self._redraw: Callable[[], None] = lambda: None
        self._simulated: SimulatedLayers | None = None
        self._now: MeasuredSoFar | None = None
        self._printed: MeasuredSoFar | None = None
        self._out.print(Text(run.id, style="bold"), width=self._width)
        text = f"p50: {label}, warm, with its marker. Cycles, class and advice: simulated from the same ELF. The output is checked at the end."
        self._out.print(Text(text, style="dim"), width=self._width)
        self._out.print()
        self._out.file.flush()

    @contextmanager
    def open(self) -> Iterator[None]:
        """While the measurement goes on."""
        if not self._out.is_terminal:
            # results may be in a file, with somebody in front of the terminal
            with progress_console().status(self._name) as status:
                self._show = lambda step: status.update(f"{self._name}: {step}")
                yield
            return
        spinner = Spinner("dots", style="cyan")

        def drawn(*, done: bool = False) -> RenderableType:
            if self._simulated is None:
                return Text() if done else spinner
            # advice takes lines that a terminal may not have; the last drawing scrolls
            table = self._table(advice=True)
            if not done and len(self._out.render_lines(table)) >= self._out.height - 1:
                table = self._table(advice=False)
            return table if done else Group(table, spinner)

        with Live(spinner, console=self._out, refresh_per_second=8) as live:
            self._show = lambda step: spinner.update(text=Text(step, style="cyan", no_wrap=True, overflow="ellipsis"))
            self._redraw = lambda: live.update(drawn())
            try:
                yield
            finally:
                live.update(drawn(done=True))

    def progress(self, step: str) -> None:
        """What the measurement does now."""
        self._show(step)

    def tell(self, event: SimulatedLayers | MeasuredSoFar) -> None:
        """One event of the measurement."""
        from engine.pipeline.board_live import SimulatedLayers

        if isinstance(event, SimulatedLayers):
            self._simulated = event
        else:
            self._now = event
        if self._out.is_terminal:
            self._redraw()
        elif self._now is not None:
            self._print(self._now)

    def close(self, record: MeasuredRecord) -> None:
        """Behind the layers comes the card."""
        if record.by_layer is None:
            self._out.print(Text("The firmware on the device is not ours: it has no layers to show.", style="dim"))
        self._out.print()
        self._out.file.flush()

    def _print(self, now: MeasuredSoFar) -> None:
        before = self._printed
        if before is None:
            self._out.print(self._table(advice=True), width=self._width)
        elif now.done >= 2 * before.done or now.done == now.of:
            moved = [
                f"layer {i} {count_text(old)} → {count_text(new)}"
                for i, (old, new) in enumerate(zip(before.layers, now.layers, strict=True))
                if abs(new - old) > _MOVED * old
            ]
            text = f"p50 of {now.done}: {count_text(now.whole)} {counter_unit(now.counter)}; {', '.join(moved) or 'no layer moved by more than 1 %'}"
            self._out.print(text, width=self._width)
        else:
            return
        self._printed = now
        self._out.file.flush()

    def _table(self, *, advice: bool) -> Group:
        now, simulated = self._now, self._simulated
        assert simulated is not None
        unit = f"{counter_unit(now.counter)}, p50 of {now.done}" if now else "p50"
        rows: list[RenderableType] = [
            self._row(
                ("#", "operator", f"{self._column}\n{unit}", "simulated\ncycles", "bound by\n(simulated)"), "bold"
            )
        ]
        advised: dict[str, int] = {}
        for n, live in enumerate(simulated.layers):
            layer, told = live.layer, live.explained
            name = told.title.rsplit(" #", 1)[0]
            ticks = count_text(now.layers[n]) if now else "…"
            verdict = told.verdict.short if layer.cycles else "-"
            rows.append(self._row((str(n), name, ticks, count_text(layer.cycles), verdict)))
            for text in told.advice if advice else ():
                first = advised.setdefault(text, n)
                rows.append(_indented(Text(f"→ {text}" if first == n else f"→ as layer {first}", style="dim")))
        if now is not None:
            rows.append(self._row(("", "inference", count_text(now.whole), count_text(simulated.whole), ""), "bold"))
        return Group(*rows)

    def _row(self, cells: tuple[str, ...], style: str = "") -> Table:
        grid = Table.grid(padding=(0, 2, 0, 0))
        bound = 26 if self._width >= 80 else 12
        grid.add_column(justify="right", width=3, no_wrap=True)
        grid.add_column(width=max(10, self._width - 3 - 18 - 11 - bound - 4 * 2), overflow="fold")
        for width in (18, 11):
            grid.add_column(justify="right", width=width, overflow="fold")
        grid.add_column(width=bound, overflow="fold")
        grid.add_row(*(Text(c, style=style) for c in cells))
        return grid


def _indented(text: Text) -> Table:
    grid = Table.grid()
    grid.add_column(width=5)
    grid.add_column(overflow="fold")
    grid.add_row("", text)
    return grid


class _Json(JsonLines):
    """For programs: the simulated layers, then all layers after each block."""

    def __init__(self, run: ResolvedRun, label: str) -> None:
        super().__init__(run, "board", replayed=False)
        self._label = label

    def tell(self, event: SimulatedLayers | MeasuredSoFar) -> None:
        """One event of the measurement."""
        from engine.pipeline.board_live import SimulatedLayers

        if isinstance(event, SimulatedLayers):
            for live in event.layers:
                self.layer(live)
            return
        self.say({
            "event": "measured", "label": self._label, "counter": event.counter, "statistic": "p50", "inferences": event.done,
            "of": event.of, "marker": event.marker, "inference": event.whole, "layers": list(event.layers),
        })  # fmt: skip
