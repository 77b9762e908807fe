"""A placement estimated from the stored profile against the same placement linked and executed.

No tolerance: a section moves as a block, so blocks, accesses and control flow are those of the linked run, and where the linker puts
the sections is computed. Whatever differs by a cycle is a mistake in that, not noise.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.errors import DoesNotFitError, UsageError
from engine.firmware.stimulus import stimulus
from engine.firmware.types import CompilerName
from engine.pipeline import placed as module
from engine.pipeline import prepare as preparing
from engine.pipeline.fingerprint import execution_key
from engine.pipeline.placed import Estimate, placed, run_command
from engine.pipeline.prepare import Prepared, prepare
from engine.pipeline.rethink import what_if, what_if_placed
from engine.pipeline.settings import ResolvedRun, RunSettings, parse_place, parse_set, resolve
from engine.targets.store import load_execution
from engine.targets.types import Execution
from engine.timing.timing import TimedRun, time_execution


def run_of(
    model: str = "kws", board: str = "nucleo-l4r5zi", place: str = "", compiler: CompilerName = CompilerName.CLANG
) -> ResolvedRun:
    places = tuple(parse_place(p) for p in place.split(",")) if place else ()
    return resolve(RunSettings(model, board, place=places, compiler=compiler))


def timed(made: Prepared) -> TimedRun:
    return time_execution(made.stored)


def compared(wanted: ResolvedRun, base: ResolvedRun) -> Estimate:
    """The estimate, checked against the link."""
    estimate, linked = placed(prepare(base), wanted), prepare(wanted)
    assert estimate.made.run.id == linked.run.id
    assert estimate.made.firmware.elf_sha256 != linked.firmware.elf_sha256
    for what in ("sections", "flash_bytes", "ram_bytes"):
        assert getattr(estimate.made.firmware, what) == getattr(linked.firmware, what), what
    assert estimate.made.execution.warm == linked.execution.warm
    assert estimate.made.execution.cold == linked.execution.cold
    assert timed(estimate.made) == timed(linked)
    return estimate


@pytest.mark.parametrize("place", ["weights=sram", "code=sram"])
def test_the_estimate_is_the_linked_run(place: str) -> None:
    base = run_of()
    found = compared(run_of(place=place), base)
    assert timed(found.made).warm_cycles < timed(prepare(base)).warm_cycles
    assert "estimate from the stored profile" in found.note
    assert "linked run may differ" in found.note
    assert found.command == f"whycycles run kws --board nucleo-l4r5zi --place {place}1"


PLACES = {
    "nucleo-l4r5zi": ("weights=sram3", "code=sram2,weights=sram3", "activations=sram3,stack=sram2"),
    "nucleo-h743zi": ("weights=sram", "code=sram", "code=sram,weights=sram", "activations=dtcm"),
    "raspberry-pi-pico": ("code=sram",),
    "stm32f746g-disco": ("code=itcm", "activations=dtcm"),
    "nucleo-u575zi": ("weights=sram", "code=sram"),
}
BOTH = [(board, place) for board, places in PLACES.items() for place in places]
SMALL = [
    ("nucleo-h743zi", "weights=dtcm"),
    ("raspberry-pi-pico", "code=sram,weights=sram"),
    ("stm32f746g-disco", "weights=dtcm"),
]
MATRIX = [("kws", *x) for x in (*BOTH, *SMALL)] + [("mlperf-tiny/ad", *x) for x in BOTH]


COMPILERS = [
    CompilerName.CLANG,
    pytest.param(
        CompilerName.GCC,
        marks=pytest.mark.skipif(
            shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
        ),
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(("model", "board", "place"), MATRIX)
def test_every_placement_of_every_kind_of_board(model: str, board: str, place: str, compiler: CompilerName) -> None:
    compared(run_of(model, board, place, compiler), run_of(model, board, "", compiler))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")
@pytest.mark.parametrize("place", ["weights=dtcm", "weights=sram", "code=itcm"])
def test_a_trace_of_qemu(place: str) -> None:
    compared(run_of("mlperf-tiny/ad", "apollo510-evb", place), run_of("mlperf-tiny/ad", "apollo510-evb"))


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [("code=sram", "weights=sram"), ("weights=sram", ""), ("code=sram2", "")])
def test_from_a_run_that_was_placed_itself(before: str, after: str) -> None:
    compared(run_of(place=after), run_of(place=before))


def test_nothing_is_linked_or_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = prepare(run_of())
    for name in ("engine.firmware.assemble.link", "engine.targets.unicorn_target.UnicornTarget.run"):
        monkeypatch.setattr(name, None)
    answer = what_if_placed(made, run_of(place="weights=sram"))
    monkeypatch.undo()
    linked = what_if(prepare(run_of(place="weights=sram")))
    assert answer.estimate is not None
    assert linked.estimate is None
    assert answer.model_copy(update={"estimate": None}) == linked
    assert answer.estimate.from_cycles == timed(made).warm_cycles
    assert answer.estimate.cycles_change == answer.cycles / answer.estimate.from_cycles - 1 < 0
    # data elsewhere changes no power: the energy falls as the cycles do
    assert answer.estimate.energy_change == pytest.approx(answer.estimate.cycles_change)


def test_code_in_ram_has_the_power_of_code_in_ram() -> None:
    answer = what_if_placed(prepare(run_of()), run_of(place="code=sram"))
    linked = what_if(prepare(run_of(place="code=sram")))
    assert (answer.energy_uj, answer.energy_note) == (linked.energy_uj, linked.energy_note)


def test_what_does_not_fit_is_refused_with_the_command_that_links() -> None:
    wanted = run_of("ic", "nucleo-f411re", place="weights=sram")
    with pytest.raises(DoesNotFitError, match=r"weights in sram .* would overflow 'sram' \(131072 bytes\)") as error:
        placed(prepare(run_of("ic", "nucleo-f411re")), wanted)
    assert "whycycles run ic --board nucleo-f411re --place weights=sram" in error.value.hint
    with pytest.raises(DoesNotFitError, match="'sram'"):
        prepare(wanted)  # the link says so too


def test_what_only_a_link_can_tell_is_refused_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    made = prepare(run_of())
    wanted = run_of(place="weights=sram")
    sections = tuple(replace(s, address=s.address + 32) if s.kind == "weights" else s for s in made.firmware.sections)
    odd = replace(made, firmware=replace(made.firmware, sections=sections))
    with pytest.raises(UsageError, match="where the linker script puts them") as error:
        placed(odd, wanted)
    assert error.value.hint == f"link and run it: {run_command(wanted)}"
    monkeypatch.setattr(module, "load_trace", lambda _key: None)
    bare = replace(made, execution=replace(made.execution, trace=None))
    with pytest.raises(UsageError, match="no stored trace") as error:
        placed(bare, wanted)
    assert error.value.hint == f"link and run it: {run_command(wanted)}"


@pytest.mark.parametrize(
    "figure", ["flash.icache.bytes=2048", "flash.wait_states=3", "memories.sram1.wait_states=1", "flash.dcache=none"]
)
def test_other_memories_are_asked_of_the_stored_trace(figure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = run_of()
    prepare(stored)
    run = resolve(RunSettings("kws", "nucleo-l4r5zi", set=(parse_set(figure),)))
    with monkeypatch.context() as patch:
        wanting = _but_not_of(run)
        patch.setattr(preparing, "execute", None)
        patch.setattr(preparing, "load_execution", wanting)
        found = prepare(run, like=stored)
    executed = prepare(run, again=True)
    assert (found.execution.cold, found.execution.warm) == (executed.execution.cold, executed.execution.warm)
    assert found.execution.alternatives == executed.execution.alternatives
    assert timed(found) == timed(executed)


def _but_not_of(run: ResolvedRun) -> Callable[[str], Execution | None]:
    """The store without what an earlier test may have executed of that run."""
    made = prepare(run)
    key = execution_key(run.target, made.firmware, run.board, stimulus(made.firmware, made.inputs))
    return lambda asked: None if asked == key else load_execution(asked)


def test_the_command_says_what_differs_from_the_defaults() -> None:
    settings = RunSettings("kws", "nucleo-l4r5zi", opt="O3", clock_mhz=80, set=(("core.latency.load", "3"),))
    assert run_command(resolve(settings)) == (
        "whycycles run kws --board nucleo-l4r5zi --opt O3 --clock 80 --set core.latency.load=3"
    )
