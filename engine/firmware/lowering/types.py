"""What a lowered operator and a lowered model consist of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.firmware.types import ArenaPlan, ArenaTensor, FloatInput, KernelLibrary, LoweredLayer

NO_KERNEL = "none"
"""``LoweredLayer.kernel`` of an operator that costs nothing (RESHAPE in place)."""


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant array of the generated C: ``weights`` go to section .wc_weights, quantisation parameters to .rodata."""

    name: str
    values: NDArray[np.int8] | NDArray[np.int32]
    weights: bool


@dataclass(frozen=True)
class Struct:
    """A constant structure of the generated C; ``initialiser`` without the outer braces."""

    name: str
    ctype: str
    initialiser: str


@dataclass(frozen=True, eq=False)
class Call:
    """The kernel call that does one operator.

    Arguments are C expressions; ``T<n>`` stands for tensor n's storage, ``S<n>`` for the scratch buffer of operator n.
    ``checked``: the function returns a status that is not 0 on error. ``sources``: C files that must be linked, ours
    (in firmware/kernels) or CMSIS-NN's (by name; what it calls besides is found where the files are). ``alias``: the output is the input's storage.
    """

    kernel: str
    library: KernelLibrary
    arguments: tuple[str, ...] = ()
    constants: tuple[Constant, ...] = ()
    structs: tuple[Struct, ...] = ()
    sources: tuple[str, ...] = ()
    scratch_bytes: int = 0
    macs: int = 0
    checked: bool = False
    alias: bool = False

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights and biases."""
        return sum(c.values.nbytes for c in self.constants if c.weights)


@dataclass(frozen=True)
class LoweredModel:
    """A model as C: ``source`` is the whole of model.c, which includes whycycles.h and the kernel library's header.

    ``kernel_sources``: our own C files to link. ``cmsis_nn_sources``: names of CMSIS-NN's files to link, with
    all that they call; empty if the library is not needed. ``inputs`` must be written before every inference: their storage is reused.
    """

    library: KernelLibrary
    source: str
    layers: tuple[LoweredLayer, ...]
    arena: ArenaPlan
    inputs: tuple[ArenaTensor, ...]
    outputs: tuple[ArenaTensor, ...]
    kernel_sources: tuple[Path, ...]
    cmsis_nn_sources: tuple[str, ...]
    float_input: FloatInput | None = None
