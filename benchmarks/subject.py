"""What the benchmarks of a target share: the firmware that it runs, and the options that name it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from engine.catalog.board import Board
from engine.catalog.load import load_board, load_core
from engine.firmware.build import build
from engine.firmware.types import CompilerName, Firmware, KernelLibrary
from engine.models.library import resolve_model
from engine.models.reader import read_graph
from engine.targets.image import Image
from engine.targets.unicorn_target import UnicornTarget


@dataclass(frozen=True)
class Subject:
    """A built firmware, the bytes of one input, and the target that runs it."""

    board: Board
    firmware: Firmware
    image: Image
    data: bytes
    target: UnicornTarget


def subject_of(arguments: argparse.Namespace) -> Subject:
    """The model, board and kernels that the options of ``parser_for`` name, built."""
    board = load_board(arguments.board)
    firmware = build(
        read_graph(resolve_model(arguments.model).path),
        model=arguments.model,
        library=KernelLibrary(arguments.kernels),
        board=board,
        core=load_core(board.core),
        compiler=CompilerName.CLANG,
        opt="O2",
    )
    data = bytes(n * 37 % 256 for n in range(sum(t.bytes for t in firmware.inputs)))
    return Subject(board, firmware, Image(firmware.elf), data, UnicornTarget(board))


def parser_for(doc: str | None) -> argparse.ArgumentParser:
    """A parser with the options of all; ``doc`` is the docstring of the benchmark."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--model", default="kws", help="zoo name or path to a .tflite")
    parser.add_argument("--board", default="nucleo-l4r5zi")
    parser.add_argument("--kernels", default="cmsis-nn", choices=[k.value for k in KernelLibrary])
    parser.add_argument("--json", action="store_true")
    return parser
