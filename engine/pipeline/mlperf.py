"""Sessions as MLPerf Tiny's runner holds them, against any firmware that speaks its protocol. Our client, not an official result.

Performance (mlcommons/tiny:benchmark/runner/tests_performance.yaml@22b2dc07, script.py@09f3bf8a): five inputs, each inferred in a loop
between two time stamps for long enough, the median throughput counts. Accuracy (main.py@05b1d3b7): one inference per input; top-1 against
the label, for anomaly detection the area under the ROC curve.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from engine.errors import BadInputError, ExecutionError, UsageError
from engine.firmware.ports import board_port
from engine.firmware.stimulus import stimulus
from engine.models.graph import Graph
from engine.models.inputs import make_inputs
from engine.models.oracle import expected_outputs
from engine.models.reader import read_graph
from engine.models.real_values import real_outputs
from engine.pipeline.board import QEMU, board_firmware, connected, refuse_unnamed
from engine.pipeline.mlperf_data import Labelled, read_labelled
from engine.pipeline.prepare import Progress
from engine.pipeline.settings import ResolvedRun
from engine.records.measured import EMULATED
from engine.targets.board.session import Session

WINDOWS = 5
_WARMUPS = 10
_LONG_S, _ASKEW = (
    5.0,
    4.0,
)  # a loop of this length here, and of less than a quarter of it there: the device's timer is not believed


class Window(BaseModel):
    """One window of a performance session."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inferences: int
    seconds: float
    per_second: float


class MlperfSession(BaseModel):
    """What a session gave. ``score`` is top-1, AUC or agreement with the oracle, between 0 and 1; null in a performance session."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["performance", "accuracy"]
    label: str
    device: str
    profile: str
    model: str
    windows: tuple[Window, ...] = ()
    per_second: float | None = None
    latency_ms: float | None = None
    score: float | None = None
    score_is: str = ""
    inputs: int = 0
    largest_difference: float | None = None
    notes: tuple[str, ...] = ()


def performance_session(
    run: ResolvedRun,
    where: str,
    *,
    baud: int,
    seconds: float,
    emulated: bool = False,
    progress: Progress = lambda _: None,
) -> MlperfSession:
    """Five windows of at least ``seconds`` each. Raises UsageError, ToolError, ExecutionError, and what building raises."""
    refuse_unnamed(where, emulated)
    graph = read_graph(run.model.path)
    firmware = board_firmware(run, graph)
    inputs = stimulus(firmware, make_inputs(graph, count=WINDOWS))
    with connected(firmware, board_port(run.board), where, baud) as session:
        windows: list[Window] = []
        for n, data in enumerate(inputs):
            progress(f"window {n + 1} of {WINDOWS}")
            session.load(data)
            windows.append(_window(session, seconds))
        rate = statistics.median(w.per_second for w in windows)
        return MlperfSession(
            mode="performance", **_about(session, where, emulated),
            windows=tuple(windows), per_second=rate, latency_ms=1000 / rate, inputs=len(inputs),
        )  # fmt: skip


def _window(session: Session, seconds: float) -> Window:
    """Loop longer and longer until one takes ``seconds`` of the device's time. Raises ExecutionError if that does not go on."""
    count, warmups = 1, 0  # the first tells how long to wait for the next
    while True:
        start = session.device.clock()
        micros = session.infer(count, warmups).micros
        here = session.device.clock() - start
        if here > _LONG_S and micros * 1e-6 * (count + warmups) / count < here / _ASKEW:
            raise ExecutionError(
                f"{count + warmups} inferences took {here:.0f} s here, {count} of them {micros / 1e6:g} s by the device's timer",
                hint="that timer stands still or is slow: check the device's clock",
            )
        if micros >= seconds * 1e6 and warmups:
            return Window(inferences=count, seconds=micros / 1e6, per_second=count / (micros / 1e6))
        warmups = _WARMUPS
        # a little more than is needed; never more than ten times as much on the word of one short loop
        count = min(10 * count, max(count + 1, math.ceil(1.05 * count * seconds * 1e6 / max(1, micros))))


def accuracy_session(
    run: ResolvedRun,
    where: str,
    *,
    baud: int,
    data: Path | None,
    count: int,
    emulated: bool = False,
    progress: Progress = lambda _: None,
) -> MlperfSession:
    """One inference per input of a data set, or of ``count`` generated ones. Raises as ``performance_session``, BadInputError for the data."""
    refuse_unnamed(where, emulated)
    graph = read_graph(run.model.path)
    firmware = board_firmware(run, graph)
    wanted = sum(t.bytes for t in firmware.inputs)
    labelled = read_labelled(data, wanted) if data is not None else None
    with connected(firmware, board_port(run.board), where, baud) as session:
        about = _about(session, where, emulated)
        if labelled is None:
            inputs = make_inputs(graph, count=count)
            found = _infer_all(session, stimulus(firmware, inputs), progress)
            return _against_oracle(about, graph, run, inputs, found)
        total = sum(len(x.windows) for x in labelled)
        answers = iter(_infer_all(session, [w for x in labelled for w in x.windows], progress, total))
        return _against_labels(about, labelled, [[next(answers) for _ in x.windows] for x in labelled])


def _infer_all(
    session: Session, inputs: Sequence[bytes], progress: Progress, total: int | None = None
) -> list[tuple[float, ...]]:
    found = []
    for n, data in enumerate(inputs):
        progress(f"input {n + 1} of {total or len(inputs)}")
        session.load(data)
        found.append(session.infer(1, 0).results)
    return found


def _against_oracle(about: dict[str, str], graph: Graph, run: ResolvedRun, inputs: Sequence[bytes], found: Sequence[tuple[float, ...]]) -> MlperfSession:  # fmt: skip
    expected = expected_outputs(graph, run.model.path, inputs)
    if expected.outputs is None:
        raise UsageError(f"nothing says what should come out: {expected.note}", hint="give labelled inputs with --data")
    wanted = [real_outputs(graph, raw) for raw in expected.outputs]
    pairs = list(zip(found, wanted, strict=True))
    for got, want in pairs:
        if len(got) != len(want):
            raise BadInputError(
                f"the device gives {len(got)} results, {run.model.name} has {len(want)}",
                hint="is another model flashed?",
            )
    differences = [float(np.max(np.abs(np.array(got) - want))) for got, want in pairs]
    if len(wanted[0]) <= 1 or len(wanted[0]) > 100:
        # no classes: an agreement of reconstructions, to the last printed digit
        score = sum(
            d < 1e-4 * max(1.0, float(np.max(np.abs(w)))) for d, w in zip(differences, wanted, strict=True)
        ) / len(pairs)
        kind = "agreement with the oracle (every result, to the printed digits)"
    else:
        score = sum(int(np.argmax(got)) == int(np.argmax(want)) for got, want in pairs) / len(pairs)
        kind = "top-1 agreement with the oracle"
    return MlperfSession(
        mode="accuracy", **about, score=score, score_is=kind, inputs=len(pairs), largest_difference=max(differences),
        notes=(f"generated inputs, compared with {expected.note}: no accuracy of the model",),
    )  # fmt: skip


def _against_labels(about: dict[str, str], labelled: Sequence[Labelled], found: Sequence[Sequence[tuple[float, ...]]]) -> MlperfSession:  # fmt: skip
    lengths = {len(r) for results in found for r in results}
    if len(lengths) != 1 or not min(lengths):
        raise BadInputError(
            f"the device prints {' or '.join(map(str, sorted(lengths)))} results per inference",
            hint="is the firmware of this model flashed?",
        )
    anomaly = (
        any(len(x.windows) > 1 for x in labelled)
        or len(found[0][0]) == 1
        or 4 * len(found[0][0]) == len(labelled[0].windows[0])
    )
    if anomaly:
        scores = [
            float(np.mean([_anomaly(w, r) for w, r in zip(x.windows, rs, strict=True)]))
            for x, rs in zip(labelled, found, strict=True)
        ]
        score, kind = _auc([x.label for x in labelled], scores), "area under the ROC curve"
    else:
        score = sum(int(np.argmax(rs[0])) == x.label for x, rs in zip(labelled, found, strict=True)) / len(labelled)
        kind = "top-1 accuracy"
    return MlperfSession(mode="accuracy", **about, score=score, score_is=kind, inputs=len(labelled))


def _anomaly(window: bytes, results: tuple[float, ...]) -> float:
    """What the device calls the anomaly, or how badly it reconstructs its input."""
    if len(results) == 1:
        return results[0]
    values = np.frombuffer(window, "<f4")
    if len(values) != len(results):
        raise BadInputError(
            f"{len(results)} results for an input of {len(values)} values", hint="is this an autoencoder?"
        )
    return float(np.mean((values - np.array(results)) ** 2))


def _auc(labels: Sequence[int], scores: Sequence[float]) -> float:
    """The chance that an anomaly scores above a normal input; ties count half."""
    bad = [s for label, s in zip(labels, scores, strict=True) if label]
    good = [s for label, s in zip(labels, scores, strict=True) if not label]
    if not bad or not good:
        raise BadInputError(
            "all inputs have the same label", hint="an ROC curve needs normal inputs (0) and anomalies (1)"
        )
    wins = sum((b > g) + 0.5 * (b == g) for b in bad for g in good)
    return wins / (len(bad) * len(good))


def _about(session: Session, where: str, emulated: bool) -> dict[str, str]:
    i = session.identity
    label = EMULATED if emulated or where == QEMU else "measured"
    return {"label": label, "device": i.name, "profile": i.profile, "model": i.model}
