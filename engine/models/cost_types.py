"""What an operator costs before any hardware is chosen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OperatorCost:
    """Cost of one operator, from its shapes alone.

    ``arithmetic_intensity`` is 2 * MACs divided by all bytes touched once (input, weights, bias, output), in ops/byte.
    """

    index: int
    op: str
    name: str
    output_shape: tuple[int, ...]
    macs: int
    parameters: int
    weight_bytes: int
    input_bytes: int
    output_bytes: int
    arithmetic_intensity: float


@dataclass(frozen=True)
class Lifetime:
    """An activation that lives in the arena from operator ``first`` to operator ``last``, both inclusive."""

    tensor: int
    name: str
    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class ModelCost:
    """Cost of a whole model. ``peak_bytes`` is the largest sum of activations alive at once: no plan can be smaller."""

    operators: tuple[OperatorCost, ...]
    lifetimes: tuple[Lifetime, ...]
    peak_bytes: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(o.macs for o in self.operators)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return sum(o.parameters for o in self.operators)
