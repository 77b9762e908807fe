"""A firmware on Renode: instructions per region at the markers, or every executed instruction by a trace."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from elftools.elf.elffile import ELFFile

from engine.catalog.core import Core
from engine.errors import BadInputError, CheckFailedError, ExecutionError
from engine.firmware.types import Firmware
from engine.targets.attributes import check_runs_on, read_attributes
from engine.targets.device import check_status
from engine.targets.image import Image
from engine.targets.renode import script as files
from engine.targets.renode.blocks import entry_regions, inference_slice, profile_of
from engine.targets.renode.driver import STATUS_BYTES, Driver, make_driver, require, takeovers
from engine.targets.renode.events import Event, progress, read_events, region_instructions
from engine.targets.renode.find import Renode, find_renode
from engine.targets.renode.machines import RenodeMachine, renode_machine
from engine.targets.renode.platform import render_platform
from engine.targets.renode.process import RenodeLimits, run_script
from engine.targets.renode.trace import AccessKind, Trace
from engine.targets.session import check_inputs
from engine.targets.types import Profile, RegionCounts

NAME = "renode"
MOST_TRACED = 20_000_000
"""Instructions of one inference that are traced at most: half a minute and 100 MB; with memory accesses a minute and more."""


@dataclass(frozen=True, eq=False)
class Traced:
    """One inference, instruction by instruction. ``loads`` and ``stores``: accesses per region, None unless asked for.

    Renode notes one access per register that a multiple transfer moves.
    """

    profile: Profile
    output: bytes
    loads: tuple[int, ...] | None
    stores: tuple[int, ...] | None


def count(
    firmware: Firmware,
    core: Core,
    inputs: Sequence[bytes],
    *,
    renode: Renode | None = None,
    limits: RenodeLimits | None = None,
) -> RegionCounts:
    """Run one inference per input, the first input twice, and count the second (warm) one. ``firmware`` is linked for MPS2.

    Raises ToolError (no Renode, a core it must not run), BadInputError (code for another core), ExecutionError (faults, accesses
    without memory, time-outs) and CheckFailedError (cold and warm inference differ).
    """
    check_inputs(firmware, inputs)
    machine = renode_machine(core)
    renode = renode or find_renode()
    with _prepared(firmware, core, machine, [inputs[0], *inputs]) as run:
        run.execute(renode, limits or RenodeLimits())
        regions = region_instructions(run.events(), firmware)
        outputs = run.outputs()
    if regions[0] != regions[1] or outputs[0] != outputs[1]:
        raise CheckFailedError(
            "on Renode the second inference of the same input took another path or gave another output than the first",
            hint="the firmware keeps state between inferences; whycycles expects it to be a pure function",
        )
    return RegionCounts(NAME, renode.version, machine.runs_as, regions[1], outputs[1:])


def trace(
    firmware: Firmware,
    core: Core,
    data: bytes,
    *,
    accesses: bool = False,
    most: int = MOST_TRACED,
    renode: Renode | None = None,
    limits: RenodeLimits | None = None,
) -> Traced:
    """Trace one inference; a run without a trace comes first, because tracing is 100 to 300 times slower.

    Raises ExecutionError if the inference has more than ``most`` instructions, else what ``count`` raises.
    """
    renode = renode or find_renode()
    limits = limits or RenodeLimits()
    regions = count(firmware, core, [data], renode=renode, limits=limits).instructions
    if sum(regions) > most:
        raise ExecutionError(
            f"an inference of {sum(regions):,} instructions is too long to trace (at most {most:,})",
            hint="trace a smaller model, or raise the limit",
        )
    with _prepared(firmware, core, renode_machine(core), [data]) as run:
        run.execute(renode, limits, files.Tracing(accesses))
        return run.traced(accesses)


@dataclass(frozen=True)
class _Run:
    """A folder with all that one run of Renode needs, and what it leaves there."""

    folder: Path
    firmware: Firmware
    image: Image
    driver: Driver
    patches: tuple[tuple[int, Path], ...]
    inferences: int

    def execute(self, renode: Renode, limits: RenodeLimits, tracing: files.Tracing | None = None) -> None:
        """Run until the driver is done. Raises ExecutionError if it never is."""
        macs = sum(layer.macs for layer in self.firmware.layers)
        each = limits.instructions if limits.instructions is not None else 50_000_000 + 400 * macs
        seconds = files.virtual_seconds(limits.start_up_instructions + each * self.inferences)
        script = self.folder / files.SCRIPT
        vectors = min(s.address for s in self.image.segments)
        text = files.render_script(self.folder, self.image, vectors, self.driver, self.patches, seconds, tracing)
        script.write_text(text, encoding="utf-8")
        done = run_script(
            renode,
            self.folder,
            script,
            limits,
            done=self._done,
            must_end=tracing is not None,
            describe=self.image.describe,
        )
        if not done:
            raise ExecutionError(
                f"did not finish within {seconds:.3f} s of virtual time{progress(self.events(), self.firmware)}",
                hint="the code probably loops for ever, or waits for a peripheral that is not emulated",
            )

    def events(self) -> tuple[Event, ...]:
        """What the hooks noted so far."""
        path = self.folder / files.EVENTS
        return read_events(path.read_text("ascii", errors="replace")) if path.exists() else ()

    def outputs(self) -> tuple[bytes, ...]:
        """Output bytes per inference. Raises ExecutionError if some are missing or a kernel reported an error."""
        sent = (self.folder / files.UART).read_bytes()
        size = self.driver.answer_bytes
        if len(sent) != size * self.inferences:
            raise ExecutionError(
                f"{len(sent)} of {size * self.inferences} bytes of output came over the UART",
                hint="report this with the ELF and Renode's version",
            )
        answers = [sent[at : at + size] for at in range(0, len(sent), size)]
        for answer in answers:
            check_status(self.firmware, answer[:STATUS_BYTES])
        return tuple(answer[STATUS_BYTES:] for answer in answers)

    def traced(self, accesses: bool) -> Traced:
        """The profile of the only inference, and its accesses per region."""
        found = Trace(self.folder / files.TRACE)
        pcs = found.pcs()
        part = inference_slice(pcs, self.image, self.driver.returned)
        regions = entry_regions(pcs[part], self.image, self.firmware)
        profile = profile_of(pcs[part], regions, self.image)
        (output,) = self.outputs()
        if not accesses:
            return Traced(profile, output, None, None)
        counts = np.zeros((2, len(self.firmware.layers) + 1), np.int64)
        for n, entry in enumerate(found.entries()):
            if part.start <= n < part.stop:
                for access in entry.accesses:
                    counts[int(access.kind in (AccessKind.WRITE, AccessKind.IO_WRITE)), regions[n - part.start]] += 1
        return Traced(profile, output, tuple(counts[0].tolist()), tuple(counts[1].tolist()))

    def _done(self) -> bool:
        events = self.events()
        for event in events:
            if event.name == "fault":
                raise ExecutionError(
                    f"the firmware faulted{progress(events, self.firmware)}",
                    hint="look for an undefined instruction, an unaligned access or a trap; build for this core (-mcpu)",
                )
        return any(e.name == "done" for e in events)


def _check_core(elf: Path, core: Core) -> None:
    """Renode's cores run much that theirs have not, so a wrong -mcpu would go unnoticed. Raises BadInputError."""
    with elf.open("rb") as stream:
        attributes = read_attributes(ELFFile(stream))
    if attributes is None:
        raise BadInputError(
            f"{elf.name} does not say which core it was built for", hint="link without discarding .ARM.attributes"
        )
    check_runs_on(attributes, core, elf.name)


@contextmanager
def _prepared(firmware: Firmware, core: Core, machine: RenodeMachine, inputs: Sequence[bytes]) -> Iterator[_Run]:
    """A temporary folder with everything in it: a name that Renode leaves alone, paths that its Monitor can read."""
    image = Image(firmware.elf)
    _check_core(firmware.elf, core)
    require(image, "Reset_Handler")
    driver = make_driver(machine, firmware, image, inputs)
    with tempfile.TemporaryDirectory(prefix="whycycles-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        shutil.copyfile(firmware.elf, folder / files.ELF)
        (folder / files.PLATFORM).write_text(render_platform(machine), encoding="utf-8")
        (folder / files.DRIVER).write_bytes(driver.image)
        patches = []
        for n, (address, code) in enumerate(takeovers(image, driver.address)):
            path = folder / f"call-{n}.bin"
            path.write_bytes(code)
            patches.append((address, path))
        yield _Run(folder, firmware, image, driver, tuple(patches), len(inputs))
