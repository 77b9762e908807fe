"""A .tflite file as plain mutable records, and its serialisation. Tests set any field to any value to make hostile files."""

from __future__ import annotations

from dataclasses import dataclass, field

import flatbuffers
import numpy as np
import tflite


@dataclass
class QuantSpec:
    """QuantizationParameters; None leaves the vector out of the file."""

    scales: list[float] | None
    zero_points: list[int] | None
    axis: int = 0


@dataclass
class TensorSpec:
    """One tensor; ``buffer`` 0 is the empty buffer of activations. ``type`` is a tflite.TensorType value."""

    name: str | bytes | None
    shape: list[int] | None
    type: int = tflite.TensorType.INT8
    buffer: int = 0
    quant: QuantSpec | None = None
    signature: list[int] | None = None
    variable: bool = False


@dataclass
class OperatorSpec:
    """One operator; ``options`` is the (table name, {field: value}) of its options, or None."""

    opcode: int
    inputs: list[int] | None
    outputs: list[int] | None
    options: tuple[str, dict[str, int | float | bool | list[int]]] | None = None
    custom_options: bytes | None = None


@dataclass
class OpcodeSpec:
    """One operator code. Old writers fill only ``deprecated``."""

    builtin: int
    deprecated: int
    custom: str | bytes | None = None
    version: int = 1


@dataclass
class BufferSpec:
    """One buffer; ``offset``/``size`` (> 1) say that the data lies outside the flatbuffer."""

    data: bytes | None = None
    offset: int = 0
    size: int = 0


@dataclass
class SubgraphSpec:
    """One subgraph."""

    tensors: list[TensorSpec] = field(default_factory=list)
    operators: list[OperatorSpec] = field(default_factory=list)
    inputs: list[int] | None = field(default_factory=list)
    outputs: list[int] | None = field(default_factory=list)
    name: str | bytes | None = "main"


@dataclass
class SignatureSpec:
    """One SignatureDef."""

    key: str | None
    subgraph: int
    inputs: list[tuple[str, int]]
    outputs: list[tuple[str, int]]


@dataclass
class ModelSpec:
    """A whole file."""

    subgraphs: list[SubgraphSpec] | None = field(default_factory=list)
    opcodes: list[OpcodeSpec] | None = field(default_factory=list)
    buffers: list[BufferSpec] | None = field(default_factory=lambda: [BufferSpec()])
    signatures: list[SignatureSpec] = field(default_factory=list)
    version: int = 3
    description: str | bytes = "built by a test"
    identifier: bytes = b"TFL3"

    def serialise(self) -> bytes:
        """The file's bytes. Raises ValueError, OverflowError or TypeError where a field cannot be encoded at all."""
        return _Writer().model(self)


class _Writer:
    """Writes children before parents, as flatbuffers demand."""

    def __init__(self) -> None:
        self.b = flatbuffers.Builder(1024)

    def string(self, text: str | bytes | None) -> int:
        return 0 if text is None else self.b.CreateString(text)

    def vector(self, values: list[int] | list[float] | None, dtype: type[np.generic]) -> int:
        if values is None:
            return 0
        array = np.array(values, dtype=dtype)
        if array.size == 0:
            self.b.StartVector(array.itemsize, 0, array.itemsize)
            return self.b.EndVector()
        return self.b.CreateNumpyVector(array)

    def blob(self, data: bytes | None, alignment: int = 16) -> int:
        if data is None:
            return 0
        self.b.StartVector(1, len(data), alignment)
        self.b.head -= len(data)
        self.b.Bytes[self.b.head : self.b.head + len(data)] = data
        return self.b.EndVector()

    def offsets(self, items: list[int]) -> int:
        self.b.StartVector(4, len(items), 4)
        for item in reversed(items):
            self.b.PrependUOffsetTRelative(item)
        return self.b.EndVector()

    def quantisation(self, spec: QuantSpec | None) -> int:
        if spec is None:
            return 0
        scales = self.vector(spec.scales, np.float32)
        zero_points = self.vector(spec.zero_points, np.int64)
        tflite.QuantizationParametersStart(self.b)
        if spec.scales is not None:
            tflite.QuantizationParametersAddScale(self.b, scales)
        if spec.zero_points is not None:
            tflite.QuantizationParametersAddZeroPoint(self.b, zero_points)
        tflite.QuantizationParametersAddQuantizedDimension(self.b, spec.axis)
        return tflite.QuantizationParametersEnd(self.b)

    def tensor(self, spec: TensorSpec) -> int:
        name = self.string(spec.name)
        shape = self.vector(spec.shape, np.int32)
        signature = self.vector(spec.signature, np.int32)
        quant = self.quantisation(spec.quant)
        tflite.TensorStart(self.b)
        tflite.TensorAddShape(self.b, shape)
        tflite.TensorAddType(self.b, spec.type)
        tflite.TensorAddBuffer(self.b, spec.buffer)
        tflite.TensorAddName(self.b, name)
        tflite.TensorAddQuantization(self.b, quant)
        tflite.TensorAddIsVariable(self.b, spec.variable)
        tflite.TensorAddShapeSignature(self.b, signature)
        return tflite.TensorEnd(self.b)

    def options(self, spec: OperatorSpec) -> tuple[int, int]:
        if spec.options is None:
            return 0, 0
        table, fields = spec.options
        vectors = {name: self.vector(value, np.int32) for name, value in fields.items() if isinstance(value, list)}
        getattr(tflite, f"{table}Start")(self.b)
        for name, value in fields.items():
            getattr(tflite, f"{table}Add{name}")(self.b, vectors.get(name, value))
        return getattr(tflite.BuiltinOptions, table), getattr(tflite, f"{table}End")(self.b)

    def operator(self, spec: OperatorSpec) -> int:
        inputs = self.vector(spec.inputs, np.int32)
        outputs = self.vector(spec.outputs, np.int32)
        custom = self.blob(spec.custom_options)
        kind, options = self.options(spec)
        tflite.OperatorStart(self.b)
        tflite.OperatorAddOpcodeIndex(self.b, spec.opcode)
        tflite.OperatorAddInputs(self.b, inputs)
        tflite.OperatorAddOutputs(self.b, outputs)
        tflite.OperatorAddBuiltinOptionsType(self.b, kind)
        tflite.OperatorAddBuiltinOptions(self.b, options)
        tflite.OperatorAddCustomOptions(self.b, custom)
        return tflite.OperatorEnd(self.b)

    def subgraph(self, spec: SubgraphSpec) -> int:
        tensors = self.offsets([self.tensor(t) for t in spec.tensors])
        operators = self.offsets([self.operator(o) for o in spec.operators])
        inputs = self.vector(spec.inputs, np.int32)
        outputs = self.vector(spec.outputs, np.int32)
        name = self.string(spec.name)
        tflite.SubGraphStart(self.b)
        tflite.SubGraphAddTensors(self.b, tensors)
        tflite.SubGraphAddInputs(self.b, inputs)
        tflite.SubGraphAddOutputs(self.b, outputs)
        tflite.SubGraphAddOperators(self.b, operators)
        tflite.SubGraphAddName(self.b, name)
        return tflite.SubGraphEnd(self.b)

    def opcode(self, spec: OpcodeSpec) -> int:
        custom = self.string(spec.custom)
        tflite.OperatorCodeStart(self.b)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(self.b, spec.deprecated)
        tflite.OperatorCodeAddCustomCode(self.b, custom)
        tflite.OperatorCodeAddVersion(self.b, spec.version)
        tflite.OperatorCodeAddBuiltinCode(self.b, spec.builtin)
        return tflite.OperatorCodeEnd(self.b)

    def buffer(self, spec: BufferSpec) -> int:
        data = self.blob(spec.data)
        tflite.BufferStart(self.b)
        if spec.data is not None:
            tflite.BufferAddData(self.b, data)
        tflite.BufferAddOffset(self.b, spec.offset)
        tflite.BufferAddSize(self.b, spec.size)
        return tflite.BufferEnd(self.b)

    def tensor_map(self, entry: tuple[str, int]) -> int:
        name = self.string(entry[0])
        tflite.TensorMapStart(self.b)
        tflite.TensorMapAddName(self.b, name)
        tflite.TensorMapAddTensorIndex(self.b, entry[1])
        return tflite.TensorMapEnd(self.b)

    def signature(self, spec: SignatureSpec) -> int:
        inputs = self.offsets([self.tensor_map(entry) for entry in spec.inputs])
        outputs = self.offsets([self.tensor_map(entry) for entry in spec.outputs])
        key = self.string(spec.key)
        tflite.SignatureDefStart(self.b)
        tflite.SignatureDefAddInputs(self.b, inputs)
        tflite.SignatureDefAddOutputs(self.b, outputs)
        tflite.SignatureDefAddSignatureKey(self.b, key)
        tflite.SignatureDefAddSubgraphIndex(self.b, spec.subgraph)
        return tflite.SignatureDefEnd(self.b)

    def model(self, spec: ModelSpec) -> bytes:
        buffers = None if spec.buffers is None else self.offsets([self.buffer(x) for x in spec.buffers])
        graphs = None if spec.subgraphs is None else self.offsets([self.subgraph(x) for x in spec.subgraphs])
        opcodes = None if spec.opcodes is None else self.offsets([self.opcode(x) for x in spec.opcodes])
        signatures = self.offsets([self.signature(x) for x in spec.signatures]) if spec.signatures else None
        description = self.string(spec.description)
        tflite.ModelStart(self.b)
        tflite.ModelAddVersion(self.b, spec.version)
        for add, offset in (
            (tflite.ModelAddOperatorCodes, opcodes),
            (tflite.ModelAddSubgraphs, graphs),
            (tflite.ModelAddBuffers, buffers),
            (tflite.ModelAddSignatureDefs, signatures),
            (tflite.ModelAddDescription, description),
        ):
            if offset is not None:
                add(self.b, offset)
        self.b.Finish(tflite.ModelEnd(self.b), file_identifier=spec.identifier)
        return bytes(self.b.Output())
