"""From the name of a model to its file: the zoo, the MLPerf Tiny reference models, or any path."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.catalog.problems import alike
from engine.errors import ModelError, UsageError
from engine.models.download import digest, fetch
from engine.models.zoo.card import ZOO, load_card, zoo_names
from engine.paths import cache_dir


class Origin(StrEnum):
    """Where a model comes from."""

    ZOO = "zoo"
    REFERENCE = "reference"
    FILE = "file"


@dataclass(frozen=True)
class ModelRef:
    """A model that has a name. ``path`` is where its file lies, or (``list_models`` only) where it would be put."""

    name: str
    title: str
    path: Path
    origin: Origin
    sha256: str

    @property
    def present(self) -> bool:
        """Whether the file is on this machine."""
        return self.path.is_file()


@dataclass(frozen=True)
class _Reference:
    name: str
    title: str
    folder: str
    file: str
    sha256: str


# Folders and digests: github.com/mlcommons/tiny, benchmark/training/<task>/trained_models at the commit below.
_REFERENCES = (
    _Reference(
        "mlperf-tiny/kws",
        "MLPerf Tiny keyword spotting: DS-CNN, 12 classes",
        "keyword_spotting",
        "kws_ref_model.tflite",
        "aeea436800704fce17b17292e4412630ad856e9d777c044c64ef748a880bd0ae",
    ),
    _Reference(
        "mlperf-tiny/ic",
        "MLPerf Tiny image classification: ResNet-8, 10 classes",
        "image_classification",
        "pretrainedResnet_quant.tflite",
        "3c002613d1b2475eb51dd78dfb85a546c8ae658dee71cf6ade43b022fe205415",
    ),
    _Reference(
        "mlperf-tiny/vww",
        "MLPerf Tiny visual wake words: MobileNetV1 0.25, 2 classes",
        "visual_wake_words",
        "vww_96_int8.tflite",
        "597a384c8c2c8a1276f04702f25013b7838f2f814f1ca7c174d295b73e3d6b7b",
    ),
    _Reference(
        "mlperf-tiny/ad",
        "MLPerf Tiny anomaly detection: fully connected autoencoder",
        "anomaly_detection",
        "ad01_int8.tflite",
        "87cf24194ef93d1d9b11a591d805526b98008e351655d29883c825c9c106ba24",
    ),
    _Reference(
        "mlperf-tiny/sww",
        "MLPerf Tiny streaming wake word: 1D DS-CNN, 3 classes",
        "streaming_wakeword",
        "str_ww_ref_model.tflite",
        "3af8550895ba7d5c584277102b5075c52dcfa63ba9d2b2240f37c4e6abd5dd2b",
    ),
)

# A pinned commit first; the branch serves where that commit does not hold a file yet. The digest decides either way.
SOURCES = (
    "https://raw.githubusercontent.com/mlcommons/tiny/4addd0fa08d216e20637637874e084895f289da4/benchmark/training",
    "https://raw.githubusercontent.com/mlcommons/tiny/master/benchmark/training",
)


def list_models() -> tuple[ModelRef, ...]:
    """All models that have a name, the zoo first. Nothing is downloaded. Raises ModelError for a broken model card."""
    zoo = tuple(_zoo_ref(name) for name in zoo_names())
    return zoo + tuple(_listed(reference) for reference in _REFERENCES)


def resolve_model(name: str) -> ModelRef:
    """The model called ``name`` (``kws``, ``mlperf-tiny/kws``) or lying at that path, with its file checked.

    A reference model that is on neither this machine's ``WHYCYCLES_MODELS`` folder nor in the cache is downloaded.
    Raises UsageError for an unknown name or a missing file, ModelError for a file with the wrong content, ToolError
    when a download is needed and fails.
    """
    if name in zoo_names():
        ref = _zoo_ref(name)
        _check(ref, "restore the committed file")
        return ref
    for reference in _REFERENCES:
        if name == reference.name:
            return _obtain(reference)
    return _from_path(name)


def _zoo_ref(name: str) -> ModelRef:
    card = load_card(name)
    return ModelRef(name, card.title, ZOO / card.file, Origin.ZOO, card.sha256)


def _check(ref: ModelRef, hint: str) -> None:
    try:
        found = digest(ref.path)
    except OSError as error:
        raise ModelError(f"{ref.path}: cannot be read ({error.strerror or error})", hint=hint) from error
    if found != ref.sha256:
        raise ModelError(f"{ref.path}: is not {ref.name} (SHA-256 {found} instead of {ref.sha256})", hint=hint)


def _local(reference: _Reference) -> Path | None:
    folder = os.environ.get("WHYCYCLES_MODELS")
    path = Path(folder) / "mlperf-tiny" / reference.file if folder else None
    return path if path is not None and path.is_file() else None


def _cached(reference: _Reference) -> Path:
    return cache_dir() / "models" / "mlperf-tiny" / reference.file


def _listed(reference: _Reference) -> ModelRef:
    path = _local(reference) or _cached(reference)
    return ModelRef(reference.name, reference.title, path, Origin.REFERENCE, reference.sha256)


def _obtain(reference: _Reference) -> ModelRef:
    ref = _listed(reference)
    if _local(reference) is not None:
        _check(ref, "put the original file there, or unset WHYCYCLES_MODELS to download it")
        return ref
    try:
        intact = digest(ref.path) == ref.sha256
    except OSError:
        intact = False
    if not intact:
        urls = tuple(f"{base}/{reference.folder}/trained_models/{reference.file}" for base in SOURCES)
        fetch(urls, ref.sha256, ref.path)
    return ref


def _from_path(name: str) -> ModelRef:
    path = Path(name)
    known = [*zoo_names(), *(reference.name for reference in _REFERENCES)]
    try:
        if path.is_file():
            return _file_ref(path)
        folder = bool(name) and path.is_dir()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{name!r}: cannot be read ({reason})", hint="check the path and its permissions") from error
    if folder:
        raise UsageError(f"{name} is a folder", hint="give the path of a .tflite file inside it")
    if path.suffix.lower() == ".tflite":
        raise UsageError(f"there is no file {name}", hint="check the path, or use one of: " + ", ".join(known))
    close = alike(name, tuple(known))
    guess = f"did you mean {' or '.join(close)}? " if close else ""
    raise UsageError(
        f"there is no model called {name!r}",
        hint=f"{guess}known are {', '.join(known)}, or give the path of a .tflite file",
    )


def _file_ref(path: Path) -> ModelRef:
    sha256 = digest(path)
    name = path.stem
    # A file of the user's that shares its name with a zoo model must not be taken for it in a record.
    if name in zoo_names() and load_card(name).sha256 != sha256:
        name = f"{name}-{sha256[:8]}"
    return ModelRef(name, f"{path.name}, a file of yours", path, Origin.FILE, sha256)
