"""What the firmware builder hands on: the ELF, its layers, its memory plan and its sizes.

Interface of every firmware (symbols in the ELF, see firmware/harness/whycycles.h):

``Reset_Handler``   start-up; initialises .data/.bss, then calls ``main``
``wc_idle``         entered by ``main`` once, when the device is ready for commands (a host without a UART stops here)
``wc_infer``        ``void wc_infer(void)``: one inference, input already in place
``wc_layer_begin``  noinline marker (a test of one pointer, a time stamp where layers are timed); the n-th call opens layer n
``wc_layer_end``    the same; closes the layer that is open
``wc_arena``        the arena; tensors lie at ``ArenaTensor.offset``

Instructions of ``wc_infer`` outside begin/end, and the markers themselves, are the glue.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

GLUE = "glue"


class KernelLibrary(StrEnum):
    """Kernel libraries a model can be lowered to."""

    REFERENCE = "reference"
    CMSIS_NN = "cmsis-nn"


class Lowering(StrEnum):
    """Whose choices the lowering follows where kernels are called in more than one way.

    ``tflm``: TensorFlow Lite Micro's, one kernel per operator as the operator says. ``microtvm``: Apache TVM's of 2022 with its
    CMSIS-NN back end (see ``engine.firmware.lowering.microtvm``); for the library ``cmsis-nn`` only.
    """

    TFLM = "tflm"
    MICROTVM = "microtvm"


class CompilerName(StrEnum):
    """Compilers a firmware can be built with."""

    CLANG = "clang"
    GCC = "gcc"


@dataclass(frozen=True)
class Compiler:
    """The compiler that made an ELF; ``flags`` as given, without paths."""

    name: CompilerName
    version: str
    opt: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class KernelLibraryInfo:
    """Where the kernels came from."""

    library: KernelLibrary
    version: str


@dataclass(frozen=True)
class ArenaTensor:
    """A tensor (or a kernel's scratch buffer: ``tensor`` is None) placed in the arena; lifetimes are inclusive."""

    tensor: int | None
    name: str
    offset: int
    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class ArenaPlan:
    """The memory plan: ``bytes`` is the arena's size, ``lower_bound_bytes`` the largest sum alive at once."""

    bytes: int
    lower_bound_bytes: int
    tensors: tuple[ArenaTensor, ...]


@dataclass(frozen=True)
class LoweredLayer:
    """One layer as lowered: an operator and the kernel call that does it.

    ``kernel`` is the function that does the work ("arm_convolve_1x1_s8_fast", "wc_conv_2d_s8"); ``library`` whose it is.
    ``index`` is the operator's; a layer that is no operator of the model (float conversion) has an index behind the last one.
    """

    index: int
    name: str
    op: str
    kernel: str
    library: KernelLibrary
    macs: int
    weight_bytes: int
    output_shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class FloatInput:
    """A firmware that takes float32 input for an int8 model: real = scale * (q - zero_point), quantised on the device."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class Section:
    """A named part of the image: ``memory`` is the board memory it occupies, ``kind`` code|weights|constants|data|arena|bss|stack."""

    name: str
    kind: str
    memory: str
    address: int
    bytes: int


@dataclass(frozen=True)
class Firmware:
    """A linked firmware for one board (or an MPS2 board), ready to run.

    ``layers`` in the order of execution: the n-th is region n of an execution. ``inputs``/``outputs`` are placements in the
    arena of the model's inputs and outputs. With ``float_input`` the input is float32 (see ``engine.firmware.stimulus``).
    """

    elf: Path
    elf_sha256: str
    model: str
    model_sha256: str
    board: str
    core: str
    compiler: Compiler
    kernels: KernelLibraryInfo
    layers: tuple[LoweredLayer, ...]
    arena: ArenaPlan
    inputs: tuple[ArenaTensor, ...]
    outputs: tuple[ArenaTensor, ...]
    sections: tuple[Section, ...]
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int
    lowering: Lowering = Lowering.TFLM
    float_input: FloatInput | None = None
    port: str = "bare"
