"""The engine's counters against hand: every micro-kernel executed on the emulator and compared with its derivation."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from engine.catalog.board import Board
from engine.targets.llvm_tools import find_llvm_tool
from tests.targets import kit as targets
from tests.timing.micro import flash, m0plus, m3, m4, m7, m33, m55, m85
from tests.timing.micro.kit import Count, Kernel, board_of, count

KERNELS = tuple(k for part in (m0plus, m3, m4, m33, m7, m55, m85, flash) for k in part.KERNELS)

Counter = Callable[[Kernel], Count]

NEEDS_QEMU = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None or find_llvm_tool("llvm-objdump") is None,
    reason="Helium needs qemu-system-arm, and llvm-objdump (extra 'llvm')",
)


def parameters() -> list[object]:
    """Kernels as parameters."""
    return [
        pytest.param(
            k,
            id=f"{k.core}-{k.name}",
            marks=[NEEDS_QEMU] if k.core in targets.VECTOR_CPU else [],
        )
        for k in KERNELS
    ]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Counter:
    """Counts of the engine; kernels of one core and board share an ELF, built when the first of them is asked for."""
    done: dict[tuple[str, Board], dict[str, Count]] = {}

    def ask(kernel: Kernel) -> Count:
        board = board_of(kernel)
        for (core, known), counts in done.items():
            if core == kernel.core and known == board:
                return counts[kernel.name]
        group = [k for k in KERNELS if k.core == kernel.core and board_of(k) == board]
        counts = done[kernel.core, board] = count(tmp_path_factory.mktemp("micro"), group)
        return counts[kernel.name]

    return ask


@pytest.mark.parametrize("kernel", parameters())
def test_counts_as_derived_by_hand(kernel: Kernel, counted: Counter) -> None:
    found = counted(kernel)
    across = "\n(depends on what survives a branch)" if kernel.crosses_blocks else ""
    assert found.cycles == kernel.cycles, f"{kernel.derivation}{across}\nthe engine: {found}"
    if kernel.causes:
        assert found.causes == kernel.causes, kernel.derivation


def test_kernels_are_named_once_and_add_up() -> None:
    names = [(k.core, k.name) for k in KERNELS]
    assert len(set(names)) == len(names)
    for k in KERNELS:
        if k.causes:
            assert sum(n for _, n in k.causes) == k.cycles, k.name
