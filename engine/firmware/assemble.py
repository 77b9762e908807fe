"""From a lowered model to a linked firmware: compile, link, account for every byte. Cached by content."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.firmware.boot_block import seal
from engine.firmware.cmsis_nn import CmsisNn
from engine.firmware.image import read_image
from engine.firmware.info import OutputScale, info_source
from engine.firmware.link import link
from engine.firmware.lowering import LoweredModel
from engine.firmware.ports import harness_sources, port_named
from engine.firmware.toolchain import Cpu, Source, Toolchain, Tree, compile_all
from engine.firmware.types import Compiler, Firmware, KernelLibraryInfo, Lowering
from engine.paths import FIRMWARE_DIR, cache_dir
from engine.scratch import scratch, unusable

_ELF, _JSON = "firmware.elf", "firmware.json"
_ADAPTER = TypeAdapter(Firmware)


@dataclass(frozen=True, eq=False)
class Job:
    """What to make: where and with what. ``kernels_folder``: the folder of ``firmware/`` that our own kernels lie in.

    ``facts``: what the device tells about itself; ``scales``: of each output; ``buffers``: memories with a section of their own
    (see ``linker_script``); ``memory_map``: link for that board's addresses instead of ``board``'s, the objects are the same;
    ``port_flags``: see ``engine.firmware.ports``.
    """

    lowered: LoweredModel
    model: str
    model_sha256: str
    board: Board
    core: Core
    tools: Toolchain
    cpu: Cpu
    opt: str
    port: str
    port_flags: tuple[str, ...]
    stack_bytes: int
    kernels: KernelLibraryInfo
    facts: tuple[tuple[str, str], ...]
    scales: tuple[OutputScale, ...]
    needs: Mapping[str, int]
    lowering: Lowering = Lowering.TFLM
    cmsis_nn: CmsisNn | None = None
    kernels_folder: str = "kernels"
    buffers: tuple[str, ...] = ()
    memory_map: Board | None = None


def assemble(job: Job, key: str) -> Firmware:
    """Compile and link a job, and keep it under ``key``. Raises DoesNotFitError, ToolError and BuildError."""
    folder = _folder(key)
    lowered = job.lowered
    linked_for = job.memory_map or job.board
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch(folder.parent) as work:
            elf = work / _ELF
            objects = _objects(elf.parent, job)
            boot_block = port_named(job.port).boot_block
            link(
                job.tools, job.cpu, objects, linked_for, elf,
                stack_bytes=job.stack_bytes, needs=job.needs, buffers=job.buffers, boot_block=boot_block,
            )  # fmt: skip
            if boot_block:
                seal(elf)
            image = read_image(elf, linked_for)
            firmware = Firmware(
                elf=Path(_ELF),
                elf_sha256=image.sha256,
                model=job.model,
                model_sha256=job.model_sha256,
                board=linked_for.name,
                core=job.core.name,
                compiler=Compiler(job.tools.name, job.tools.version, job.opt, job.tools.flags(job.cpu, job.opt)),
                kernels=job.kernels,
                layers=lowered.layers,
                arena=lowered.arena,
                inputs=lowered.inputs,
                outputs=lowered.outputs,
                sections=image.sections,
                flash_bytes=image.flash_bytes,
                ram_bytes=image.ram_bytes,
                stack_bytes=image.stack_bytes,
                lowering=job.lowering,
                float_input=lowered.float_input,
                port=job.port,
            )
            _store(firmware, elf, folder)
    except OSError as error:
        raise unusable(error) from error
    return dataclasses.replace(firmware, elf=folder / _ELF)


def kept_firmware(key: str) -> Firmware | None:
    """The firmware kept under a key; None if there is none, or if it is damaged."""
    folder = _folder(key)
    try:
        firmware = _ADAPTER.validate_json((folder / _JSON).read_bytes())
        elf = (folder / _ELF).read_bytes()
    except (OSError, ValidationError):
        return None
    if hashlib.sha256(elf).hexdigest() != firmware.elf_sha256:
        return None
    return dataclasses.replace(firmware, elf=folder / _ELF)


def _folder(key: str) -> Path:
    return cache_dir() / "firmware" / key


def _objects(work: Path, job: Job) -> tuple[Path, ...]:
    libc, harness, kernels = _tree("harness/libc"), _tree("harness"), _tree(job.kernels_folder)
    lowered, cmsis_nn = job.lowered, job.cmsis_nn
    arm = cmsis_nn.includes if cmsis_nn else ()
    generated = work / "model"
    generated.mkdir()
    (generated / "model.c").write_text(lowered.source, encoding="utf-8")
    info = info_source(
        model=job.model,
        facts=job.facts,
        outputs=list(job.scales),
        stimulus_bytes=sum(t.bytes for t in lowered.inputs),
        layer_count=len(lowered.layers),
    )
    (generated / "info.c").write_text(info, encoding="utf-8")
    own = Tree(generated, "model")
    sources = [
        *harness_sources(job.port, job.port_flags),
        Source(own, "model.c", (harness, kernels, *arm, libc)),
        *((Source(own, "info.c", (harness, libc)),) if port_named(job.port).has_uart else ()),
        *(Source(kernels, p.name, (harness, kernels, libc)) for p in lowered.kernel_sources),
    ]
    if cmsis_nn is not None and lowered.cmsis_nn_sources:
        sources += cmsis_nn.sources(lowered.cmsis_nn_sources, libc, mve=job.core.mve)
    return compile_all(job.tools, job.cpu, job.opt, tuple(sources))


def _tree(name: str) -> Tree:
    return Tree(FIRMWARE_DIR / name, name)


def _store(firmware: Firmware, elf: Path, folder: Path) -> None:
    # the JSON comes last: a folder without it counts as absent
    folder.mkdir(parents=True, exist_ok=True)
    elf.replace(folder / _ELF)
    text = elf.with_name(_JSON)
    content = json.loads(_ADAPTER.dump_json(firmware))
    text.write_text(json.dumps(content, indent=1), encoding="utf-8")
    text.replace(folder / _JSON)
