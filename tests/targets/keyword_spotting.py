"""A whole model as firmware of a board, and an input for it."""

from __future__ import annotations

from engine.catalog.board import Board
from engine.catalog.load import load_core
from engine.firmware.build import build
from engine.firmware.types import CompilerName, Firmware, KernelLibrary
from engine.models.library import resolve_model
from engine.models.reader import read_graph

DATA = bytes((11 * n + 5) % 256 for n in range(490))


def keyword_spotting(board: Board) -> Firmware:
    """The zoo's ``kws`` with CMSIS-NN, clang -O2, linked for the board."""
    return build(
        read_graph(resolve_model("kws").path),
        model="kws",
        library=KernelLibrary.CMSIS_NN,
        board=board,
        core=load_core(board.core),
        compiler=CompilerName.CLANG,
        opt="O2",
    )
