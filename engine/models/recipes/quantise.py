"""Trained Keras model → fully int8 ``.tflite``, checked, and run through the oracle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import CheckFailedError
from engine.models.recipes.tools import need

ALLOWED = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "ADD",
    "AVERAGE_POOL_2D",
    "RESHAPE",
    "SOFTMAX",
)


@dataclass(frozen=True)
class Affine:
    """Per-tensor quantisation, real = scale * (q - zero_point)."""

    shape: tuple[int, ...]
    scale: float
    zero_point: int

    def quantise(self, real: NDArray[np.float32]) -> NDArray[np.int8]:
        """Round half to even and saturate, as the committed samples were made."""
        scaled = np.rint(real.astype(np.float64) / self.scale) + self.zero_point
        saturated: NDArray[np.int8] = np.clip(scaled, -128, 127).astype(np.int8)
        return saturated


def to_int8(model: Any, calibration: NDArray[np.float32]) -> bytes:
    """Post-training quantisation: int8 in and out, convolution weights per channel, dense weights per tensor, batch 1.

    ``calibration`` is [n, *input shape]; it must span the input's full range, for it fixes the input scale.
    """
    tf = need("tensorflow")
    freeze = need("tensorflow.python.framework.convert_to_constants").convert_variables_to_constants_v2

    def inference(x: Any) -> Any:
        return model(x, training=False)

    signature = tf.TensorSpec([1, *calibration.shape[1:]], tf.float32, name="input")
    concrete = freeze(tf.function(inference).get_concrete_function(signature))

    def representative() -> Iterator[list[NDArray[np.float32]]]:
        for example in calibration:
            yield [example[None].astype(np.float32)]

    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], None)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    # MLPerf Tiny's reference models have per-tensor dense weights, and small kernel libraries expect them.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return bytes(converter.convert())


def operators(content: bytes) -> tuple[str, ...]:
    """Operator names in execution order; raises CheckFailedError for one the zoo does not allow."""
    model = need("tflite").Model.GetRootAs(content, 0)
    builtin = need("tflite").BuiltinOperator
    names = {value: key for key, value in vars(builtin).items() if isinstance(value, int)}
    graph = model.Subgraphs(0)
    found = []
    for i in range(graph.OperatorsLength()):
        code = model.OperatorCodes(graph.Operators(i).OpcodeIndex())
        found.append(names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())])
    strangers = sorted(set(found) - set(ALLOWED))
    if strangers:
        raise CheckFailedError(
            f"the converter emitted operators the zoo does not allow: {', '.join(strangers)}",
            hint="change the Keras layers or pin the TensorFlow version named in the model card",
        )
    return tuple(found)


def parameters(content: bytes) -> int:
    """Weights and biases in the file, after batch normalisation has been folded away."""
    graph = need("tflite").Model.GetRootAs(content, 0).Subgraphs(0)
    constants: dict[int, int] = {}
    for i, name in enumerate(operators(content)):
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            for tensor in graph.Operators(i).InputsAsNumpy()[1:]:
                if tensor >= 0:
                    constants[int(tensor)] = int(np.prod(graph.Tensors(tensor).ShapeAsNumpy()))
    return sum(constants.values())


class Oracle:
    """TFLite Micro's reference kernels (package ``tflite-micro``), one example at a time."""

    name = "tflite-micro"

    def __init__(self, content: bytes) -> None:
        self._interpreter = need("tflite_micro").runtime.Interpreter.from_bytes(content)
        self.input = self._affine(self._interpreter.get_input_details(0))
        self.output = self._affine(self._interpreter.get_output_details(0))

    @staticmethod
    def _affine(details: dict[str, Any]) -> Affine:
        parameters = details["quantization_parameters"]
        return Affine(
            shape=tuple(int(n) for n in details["shape"]),
            scale=float(parameters["scales"][0]),
            zero_point=int(parameters["zero_points"][0]),
        )

    def run(self, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
        """Outputs [n, classes] for ``inputs`` [n, *input shape]."""
        results = []
        for example in inputs:
            self._interpreter.set_input(np.ascontiguousarray(example[None]), 0)
            self._interpreter.invoke()
            results.append(np.array(self._interpreter.get_output(0), dtype=np.int8)[0])
        return np.stack(results)
