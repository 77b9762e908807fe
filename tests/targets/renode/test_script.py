"""The generated script: only commands that were seen to work, no port, paths the Monitor can read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.catalog.load import load_core
from engine.errors import ExecutionError, ToolError
from engine.targets.image import Image
from engine.targets.renode.driver import Driver, make_driver
from engine.targets.renode.machines import renode_machine
from engine.targets.renode.script import Tracing, monitor_path, render_script, watches
from tests.targets.conftest import Builder
from tests.targets.renode.conftest import Toy
from tests.targets.renode.recordings import CORES, TRANSCRIPTS, commands

# in FACTS.md or Renode's documentation, but in no session
_DOCUMENTED = {
    "cpu VectorTableOffset N",
    "sysbus LoadBinary @ N",
    "sysbus.uart0 CreateFileBackend @ true",
}


def shape(command: str) -> str:
    command = re.sub(r'"[^"]*"', "S", command)
    command = re.sub(r"@(\\ |\S)+", "@", command)
    return re.sub(r"\b(0x[0-9a-fA-F]+|\d+\.\d+)\b", "N", command)


def script(toy: Toy, folder: Path, tracing: Tracing | None = None) -> list[str]:
    image, driver = ready(toy)
    patches = [(0x108, folder / "call-0.bin")]
    return render_script(folder, image, 0, driver, patches, 1.5, tracing).splitlines()


def ready(toy: Toy) -> tuple[Image, Driver]:
    firmware = toy()
    image = Image(firmware.elf)
    return image, make_driver(renode_machine(load_core(firmware.core)), firmware, image, [bytes(8)])


def test_every_command_was_seen_to_work(toy: Toy, tmp_path: Path) -> None:
    seen = {shape(text) for name in TRANSCRIPTS for text, passed in commands(name) if passed}
    for line in script(toy, tmp_path, Tracing(accesses=True)):
        assert shape(line) in seen | _DOCUMENTED, line


def test_hooks_have_the_recorded_form(toy: Toy, tmp_path: Path) -> None:
    recorded = [text for text, _ in commands("success_cortex-m4") if "AddHook" in text]
    form = re.compile(
        r"cpu AddHook 0x[0-9a-f]+ \"f=open\('[^']+','a'\); f\.write\('\w+ %d 0x%x ?' % \(cpu\.ExecutedInstructions, pc\) \+ chr\(10\)\); f\.close\(\)\""
    )
    ours = [line for line in script(toy, tmp_path) if "AddHook" in line]
    assert all(form.fullmatch(text) for text in recorded + ours)
    # no Thumb bit, no line end, one address per hook
    addresses = [int(line.split()[2], 16) for line in ours]
    assert not any(a & 1 for a in addresses)
    assert len(set(addresses)) == len(addresses) == 7


def test_one_run_and_no_port(toy: Toy) -> None:
    text = "\n".join(script(toy, Path("/tmp/x")))
    assert text.count("RunFor") == 1
    assert 'emulation RunFor "1.500000"' in text
    assert not re.search(r"[Ss]erver|[Pp]ort|start\b|GDB", text)


def test_blanks_are_escaped_and_odd_paths_refused(tmp_path: Path) -> None:
    assert monitor_path(Path("/a b/c-1_2.elf")) == r"@/a\ b/c-1_2.elf"
    for name in ("a'b", 'a"b', "a;b", "a#b", "a$b", "a\\b", "a\nb"):
        with pytest.raises(ToolError, match="cannot be given the path"):
            monitor_path(tmp_path / name)


@pytest.mark.parametrize("core", CORES)
def test_markers_are_found_in_every_build(small_net: Toy, core: str) -> None:
    firmware = small_net(core)
    image = Image(firmware.elf)
    driver = make_driver(renode_machine(load_core(core)), firmware, image, [bytes(64)])
    names = [w.name for w in watches(image, driver)]
    assert names == ["ready", "infer", "open", "close", "back", "done", "fault"]


def test_a_marker_that_never_returns_is_refused(make: Builder) -> None:
    firmware = make("cortex-m4", "void wc_infer(void) {}")
    image = Image(firmware.elf)
    driver = make_driver(renode_machine(load_core("cortex-m4")), firmware, image, [bytes(64)])
    image.instructions = {a: i for a, i in image.instructions.items() if not i.ends_block}
    with pytest.raises(ExecutionError, match="wc_layer_begin never returns"):
        watches(image, driver)
