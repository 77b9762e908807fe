"""The committed models are what their cards say, and their samples are what the oracle says."""

from __future__ import annotations

import hashlib
import math
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite

from engine.errors import ModelError, UsageError
from engine.models.zoo.card import ZOO, ModelCard, load_card, load_samples, zoo_names

NAMES = ("ic", "kws")
ALLOWED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "AVERAGE_POOL_2D", "RESHAPE", "SOFTMAX"}
SHAPES = {"ic": (1, 32, 32, 3), "kws": (1, 49, 10, 1)}
CLASSES = {"ic": 10, "kws": 12}


@pytest.fixture(params=NAMES)
def card(request: pytest.FixtureRequest) -> ModelCard:
    return load_card(request.param)


def test_the_zoo_holds_exactly_these_models() -> None:
    assert zoo_names() == NAMES


def test_card_describes_the_file(card: ModelCard) -> None:
    content = (ZOO / card.file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == card.sha256
    assert len(content) == card.size_bytes
    assert len(content) < 150_000


def test_samples_file_is_the_one_the_card_names(card: ModelCard) -> None:
    content = (ZOO / card.samples.file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == card.samples.sha256
    assert len(content) <= 80_000


def _tensors(graph: Any, count: int, index: Any) -> Iterator[Any]:
    for i in range(count):
        yield graph.Tensors(index(i))


def test_card_agrees_with_the_flatbuffer(card: ModelCard) -> None:
    model = tflite.Model.GetRootAs((ZOO / card.file).read_bytes(), 0)
    assert model.SubgraphsLength() == 1
    graph = model.Subgraphs(0)
    names = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
    found = tuple(
        names[model.OperatorCodes(graph.Operators(i).OpcodeIndex()).BuiltinCode()]
        for i in range(graph.OperatorsLength())
    )
    assert found == card.operators
    assert set(found) <= ALLOWED
    for end, tensor in ((card.input, graph.Tensors(graph.Inputs(0))), (card.output, graph.Tensors(graph.Outputs(0)))):
        assert tuple(int(n) for n in tensor.ShapeAsNumpy()) == end.shape
        assert tensor.Type() == tflite.TensorType.INT8
        assert tensor.Quantization().Scale(0) == pytest.approx(end.scale, rel=1e-7)
        assert tensor.Quantization().ZeroPoint(0) == end.zero_point
    assert card.input.shape == SHAPES[card.name]
    assert len(card.labels) == CLASSES[card.name] == card.output.shape[-1]


def test_convolution_weights_are_per_channel_and_all_is_int8(card: ModelCard) -> None:
    model = tflite.Model.GetRootAs((ZOO / card.file).read_bytes(), 0)
    graph = model.Subgraphs(0)
    for i, name in enumerate(card.operators):
        operator = graph.Operators(i)
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            weights, output = graph.Tensors(operator.Inputs(1)), graph.Tensors(operator.Outputs(0))
            assert weights.Quantization().ScaleLength() == output.Shape(3)
        assert graph.Tensors(operator.Outputs(0)).Type() == tflite.TensorType.INT8


def test_oracle_reproduces_the_sample_outputs(card: ModelCard) -> None:
    try:
        from tflite_micro import runtime
    except ImportError as error:
        pytest.skip(f"tflite-micro cannot be imported here: {error}")
    samples = load_samples(card.name)
    interpreter = runtime.Interpreter.from_bytes((ZOO / card.file).read_bytes())
    for example, wanted in zip(samples.inputs, samples.outputs, strict=True):
        interpreter.set_input(example[None], 0)
        interpreter.invoke()
        np.testing.assert_array_equal(interpreter.get_output(0)[0], wanted)


def test_samples_are_varied_and_cover_every_class(card: ModelCard) -> None:
    samples = load_samples(card.name)
    assert len(samples.labels) >= 20
    assert set(samples.labels.tolist()) == set(range(len(card.labels)))
    assert len({example.tobytes() for example in samples.inputs}) == len(samples.inputs)
    # probabilities: each row sums to 1 up to the rounding of its entries
    sums = ((samples.outputs.astype(int) - card.output.zero_point) * card.output.scale).sum(axis=1)
    assert np.all(np.abs(sums - 1) <= 0.5 * card.output.scale * len(card.labels) + card.output.scale)


def test_accuracy_of_the_card_is_plausible_on_the_samples(card: ModelCard) -> None:
    accuracy = card.accuracy
    assert accuracy.int8 == pytest.approx(accuracy.int8_correct / accuracy.held_back_examples, abs=5.1e-5)
    assert abs(accuracy.int8 - accuracy.float32) < 0.03
    samples = load_samples(card.name)
    n = len(samples.labels)
    right = int((samples.outputs.argmax(axis=1) == samples.labels).sum())
    p = accuracy.int8
    chance_of_so_few = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(right + 1))
    assert chance_of_so_few > 1e-4, f"{right} of {n} right does not go with {p:.1%}"
    assert sum(g.examples for g in accuracy.groups) in (0, accuracy.held_back_examples)


def test_recipe_exists(card: ModelCard) -> None:
    assert (ZOO.parents[2] / f"{card.training.recipe.replace('.', '/')}.py").is_file()


def test_unknown_name_says_what_there_is() -> None:
    with pytest.raises(UsageError, match="nonesuch") as caught:
        load_card("nonesuch")
    assert all(name in caught.value.hint for name in NAMES)


def _copy(folder: Path) -> Path:
    for path in ZOO.glob("kws*"):
        shutil.copy(path, folder)
    return folder


def _leaves(tree: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for key, value in tree.items():
        yield (key,)
        if isinstance(value, dict) and key != "tools":
            yield from ((key, *rest) for rest in _leaves(value))


def test_every_field_of_a_card_is_required() -> None:
    text = (ZOO / "kws.toml").read_text(encoding="utf-8")
    for leaf in _leaves(tomllib.loads(text)):
        if leaf == ("accuracy", "groups"):
            continue  # a model may have one group only
        tree = tomllib.loads(text)
        place = tree
        for key in leaf[:-1]:
            place = place[key]
        del place[leaf[-1]]
        with pytest.raises(ValueError, match="Field required"):
            ModelCard.model_validate(tree)


@pytest.mark.parametrize("spoilt", [b"name = ", b"\xff\xfe", b'name = "kws"\n', b"size_bytes = -1\n"])
def test_broken_card_is_one_message(tmp_path: Path, spoilt: bytes) -> None:
    (_copy(tmp_path) / "kws.toml").write_bytes(spoilt)
    with pytest.raises(ModelError, match=r"kws\.toml"):
        load_card("kws", tmp_path)


@pytest.mark.parametrize("spoilt", [b"", b"PK\x03\x04 not really", None])
def test_broken_samples_are_one_message(tmp_path: Path, spoilt: bytes | None) -> None:
    path = _copy(tmp_path) / "kws_samples.npz"
    if spoilt is None:
        np.savez_compressed(path, inputs=np.zeros(3), labels=np.zeros(3), outputs=np.zeros(3))
    else:
        path.write_bytes(spoilt)
    with pytest.raises(ModelError, match=r"kws_samples\.npz"):
        load_samples("kws", tmp_path)
