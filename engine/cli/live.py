"""``whycycles run --live``: a run's layers while it runs, as lines that stay and a foot that moves, or as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from engine.cli.shell import console, plural, progress_console

if TYPE_CHECKING:
    from engine.pipeline.live import LiveLayer, LiveStep
    from engine.pipeline.settings import ResolvedRun
    from engine.records.measured import MeasuredRecord
    from engine.records.run import RunRecord

_WIDTH = 100
_BAR = 24


def run_live(run: ResolvedRun, *, fresh: bool, as_json: bool) -> RunRecord:
    """Make a run and show each layer as soon as its numbers are final; a kept run's layers are shown from its record.

    With ``as_json``: a line of JSON for the start, each layer and the record. Raises what making a run raises.
    """
    from engine.energy.attribute import with_energy
    from engine.pipeline.keep import kept, make
    from engine.pipeline.live import kept_layers, live_layers

    record = None if fresh else kept(run)
    view = _Json(run, replayed=record is not None) if as_json else _Lines(run, replayed=record is not None)
    if record is None:
        with view.open():
            record = make(run, view.progress, again=True, follower=live_layers(view.tell))
    else:
        for layer in kept_layers(record, run):
            view.tell(layer)
    view.close(with_energy(record, run.board))
    return record


class _Lines:
    """For people: on a terminal with a foot that says what is going on, else plain lines."""

    def __init__(self, run: ResolvedRun, *, replayed: bool) -> None:
        self._out = console()
        self._width = min(self._out.width, _WIDTH)
        self._show: Callable[[str], None] = lambda _: None
        self._name = run.id
        self._advised: dict[str, int] = {}
        how = (
            "replayed from the kept record; --fresh runs it again"
            if replayed
            else f"live on {run.target.name}: a layer appears once its numbers are final; the output is checked at the end"
        )
        self._out.print(Text(run.id, style="bold"), width=self._width)
        self._out.print(Text(f"Warm cycles, simulated; {how}.", style="dim"), width=self._width)
        self._out.print()
        self._row(_HEAD, style="bold")
        self._flush()

    @contextmanager
    def open(self) -> Iterator[None]:
        """While the run goes on."""
        if not self._out.is_terminal:
            # results may be in a file, with somebody in front of the terminal
            with progress_console().status(self._name) as status:
                self._show = status.update
                yield
            return
        spinner = Spinner("dots", style="cyan")
        with Live(spinner, console=self._out, transient=True, refresh_per_second=12):
            self._show = lambda step: spinner.update(text=Text(step, style="cyan", no_wrap=True, overflow="ellipsis"))
            yield

    def progress(self, step: str) -> None:
        """What the run does now."""
        self._show(step)

    def tell(self, event: LiveStep | LiveLayer) -> None:
        """One event of the run."""
        from engine.pipeline.live import LiveLayer

        if isinstance(event, LiveLayer):
            self._layer(event)
            self.progress(_counting(event))
        else:
            self.progress(_watching(event))

    def close(self, record: RunRecord) -> None:
        """The last line: what is between the layers."""
        self._row(
            (
                "",
                "between layers",
                count_text(record.glue.counters.instructions),
                count_text(record.glue.cycles),
                "",
                "",
            )
        )
        self._out.print()
        self._flush()

    def _layer(self, live: LiveLayer) -> None:
        layer, told = live.layer, live.explained
        ipc = "-" if told.ipc is None else f"{told.ipc:.2f}"
        verdict = told.verdict.short if layer.cycles else "-"
        name = told.title.rsplit(" #", 1)[0]
        why = told.rules[-1].title.lower() if len(told.rules) > 2 else ""
        self._row(
            (str(layer.index), name, count_text(layer.counters.instructions), count_text(layer.cycles), ipc, verdict),
            style="bold",
        )
        self._row(("", layer.kernel, "", "", "", why), style="dim")
        for advice in told.advice:
            first = self._advised.setdefault(advice, layer.index)
            self._say(f"→ {advice}" if first == layer.index else f"→ as layer {first}")
        self._flush()

    def _row(self, cells: tuple[str, ...], *, style: str = "") -> None:
        grid = Table.grid(padding=(0, 2, 0, 0))
        fixed = 3 + 12 + 12 + 5 + 6 * 2
        bound = 26 if self._width >= 80 else 12
        grid.add_column(justify="right", width=3, no_wrap=True)
        grid.add_column(width=max(10, self._width - fixed - bound), overflow="fold")
        for width in (12, 12, 5):
            grid.add_column(justify="right", width=width, no_wrap=True)
        grid.add_column(width=bound, overflow="fold")
        grid.add_row(*(Text(c, style=style) for c in cells))
        self._out.print(grid, width=self._width)

    def _say(self, text: str) -> None:
        grid = Table.grid()
        grid.add_column(width=5)
        grid.add_column(overflow="fold")
        grid.add_row("", text)
        self._out.print(grid, width=self._width)

    def _flush(self) -> None:
        self._out.file.flush()


_HEAD = ("#", "operator", "instructions", "cycles", "IPC", "bound by")


class JsonLines:
    """For programs: one object per line, each with an ``event``."""

    def __init__(self, run: ResolvedRun, target: str, *, replayed: bool) -> None:
        self.say({"event": "start", "run": run.id, "target": target, "replayed": replayed})
        self._show: Callable[[str], None] = lambda _: None
        self._name = run.id

    @contextmanager
    def open(self) -> Iterator[None]:
        """While the run goes on; progress is said on a terminal's stderr alone."""
        with progress_console().status(self._name) as status:
            self._show = status.update
            yield

    def progress(self, step: str) -> None:
        """What the run does now."""
        self._show(f"{self._name}: {step}")

    def layer(self, live: LiveLayer) -> None:
        """A layer as simulated."""
        told = live.explained
        self.say({
            "event": "layer", "position": live.position, "layers": live.layers, "verdict": told.verdict.value,
            "rule": told.rules[-1].name if told.rules else None, "advice": list(told.advice),
            "layer": live.layer.model_dump(mode="json", by_alias=True),
        })  # fmt: skip

    def close(self, record: RunRecord | MeasuredRecord) -> None:
        """The whole record, last."""
        self.say({"event": "record", "record": record.model_dump(mode="json", by_alias=True)})

    def say(self, event: dict[str, object]) -> None:
        """One line, at once."""
        click.echo(json.dumps(event, ensure_ascii=False))


class _Json(JsonLines):
    """What an emulated run tells."""

    def __init__(self, run: ResolvedRun, *, replayed: bool) -> None:
        super().__init__(run, run.target.name, replayed=replayed)

    def tell(self, event: LiveStep | LiveLayer) -> None:
        """One event of the run."""
        from engine.pipeline.live import LiveLayer

        if isinstance(event, LiveLayer):
            self.layer(event)
        else:
            self.progress(_watching(event))


def _watching(step: LiveStep) -> str:
    if step.inference > 1:
        return f"memory run, inference {step.inference}: until caches and buffers end as they began"
    moved = f", {step.moved_bytes / 1024:,.0f} KiB of data moved" if step.passed else ""
    return f"{_bar(step.passed, step.layers)} memory run, first inference: {step.passed} of {plural(step.layers, 'layer')}{moved}"


def _counting(live: LiveLayer) -> str:
    done = live.position + 1
    return f"{_bar(done, live.layers)} counting run: {done} of {plural(live.layers, 'layer')}"


def _bar(done: int, of: int) -> str:
    full = _BAR * done // max(1, of)
    return "━" * full + "╌" * (_BAR - full)


def count_text(value: int) -> str:
    """A number for people."""
    return f"{value:,}"
