"""Whatever goes wrong with QEMU or inside it ends in one error that says what, where and what to do."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from engine.catalog.load import load_core
from engine.errors import CheckFailedError, ExecutionError, ToolError, UsageError, WhycyclesError
from engine.targets.device import Limits
from engine.targets.qemu import machine, plugin, stub
from engine.targets.qemu.find import find_qemu
from engine.targets.qemu.target import QemuTarget
from tests.targets import kit
from tests.targets.conftest import Builder
from tests.targets.test_faults import in_layer

QEMU = shutil.which("qemu-system-arm")
REAL = pytest.mark.skipif(QEMU is None, reason="qemu-system-arm is not installed")
FEW = Limits(2_000_000, 20)
CULPRIT = "void culprit(void);"


def fails(make: Builder, code: str, core: str = "cortex-m4", layers: int = 1, limits: Limits = FEW) -> WhycyclesError:
    target = QemuTarget(kit.board(core), load_core(core), lambda m: make(core, code, layers, memories=m), limits=limits)
    with pytest.raises(WhycyclesError) as caught:
        target.run(make(core, code, layers), [bytes(64)])
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


@REAL
@pytest.mark.parametrize(
    "core", ["cortex-m4", *(pytest.param(c, marks=pytest.mark.slow) for c in ("cortex-m0plus", "cortex-m33"))]
)
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('__asm volatile("udf #0");', "undefined instruction"),
        ('__asm volatile("bkpt #3");', "exception"),
        ("*(volatile int *)0x70000000 = 1;", "access to an address without memory 0x70000000"),
        ("(void)*(volatile int *)0x70000004;", "access to an address without memory 0x70000004"),
        ("*(volatile int *)((unsigned)culprit & ~3u) = 1;", "write to flash at 0x080"),
        ("*(volatile int *)0xe000ed08;", "access to an address without memory, 0xe000ed08"),
        ('for (;;) __asm volatile("");', "ran away"),
        ('__asm volatile("mov sp, %0; udf #0" :: "r"(0));', "fault while the stack pointer was outside memory"),
    ],
)
def test_faults_name_function_and_layer(make: Builder, core: str, body: str, words: str) -> None:
    error = fails(make, in_layer(body, CULPRIT), core)
    assert isinstance(error, ExecutionError)
    assert words in error.message
    assert "culprit" in error.message
    assert "layer 0 (layer0)" in error.message


@REAL
def test_jumps_to_where_no_code_is(make: Builder) -> None:
    assert "jump" in fails(make, in_layer("((void (*)(void))0x70000001)();")).message
    code = in_layer("wc_arena[0] = 0x70; wc_arena[1] = 0x47; ((void (*)(void))(wc_arena + 1))();")
    assert "out of the code" in fails(make, code).message


@REAL
def test_limits_hold_in_layers_and_at_start_up(make: Builder) -> None:
    code = in_layer('for (;;) __asm volatile("");')
    error = fails(make, code, limits=Limits(10**15, 0.3))
    assert "did not finish within 0.3 s, in layer 0 (layer0)" in error.message
    assert "start-up" in fails(make, in_layer(""), limits=Limits(10, 20)).message


@REAL
def test_a_core_that_sleeps_is_told_at_once(make: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_STILL_S", 0.3)
    error = fails(make, in_layer('__asm volatile("wfi");', CULPRIT), limits=Limits(10**15, 10_000))
    assert "the core has executed nothing for 0.3 s, last in " in error.message
    assert "in layer 0 (layer0)" in error.message
    assert "WFI" in error.hint


@REAL
def test_what_the_harness_must_keep(make: Builder) -> None:
    assert "layer 0 (layer0) reported an error" in fails(make, in_layer("wc_status = 1;")).message
    assert "1 of 2 layers" in fails(make, in_layer(""), layers=2).message
    assert "more layers" in fails(make, in_layer(""), layers=0).message
    assert "begin inside" in fails(make, in_layer("wc_layer_begin();"), layers=2).message
    assert "end without" in fails(make, in_layer("wc_layer_end();")).message
    assert isinstance(fails(make, in_layer("wc_arena[1024] = n++;", "static int n;")), CheckFailedError)
    full = in_layer("volatile uint8_t big[2100]; for (int i = 0; i < 2100; i++) big[i] = i;")
    assert "stack" in fails(make, full).message


@REAL
def test_links_that_differ_in_more_than_addresses_are_refused(make: Builder) -> None:
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    other = kit.board("cortex-m4")
    target = QemuTarget(other, load_core("cortex-m4"), lambda _: firmware)
    with pytest.raises((CheckFailedError, WhycyclesError)) as caught:
        target.run(firmware, [bytes(64)])
    assert caught.value.hint


@REAL
def test_inputs_of_the_wrong_size(make: Builder) -> None:
    for inputs in ([], [bytes(63)], [bytes(64), bytes(65)]):
        with pytest.raises(UsageError):
            QemuTarget(kit.board("cortex-m4")).run(make("cortex-m4", kit.SMALL_NET, 3), inputs)


@REAL
def test_qemu_ends_with_the_run(make: Builder) -> None:
    fails(make, in_layer('for (;;) __asm volatile("");'), limits=Limits(10**15, 0.2))
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    if children.is_file():
        names = [Path(f"/proc/{pid}/comm").read_text().strip() for pid in children.read_text().split()]
        assert not [n for n in names if n.startswith("qemu")]


# ---- a QEMU that is not one, or not the right one ----

FAKE = """#!{python}
import os, signal, sys, time
if "--version" in sys.argv:
    print("{version}")
    sys.exit(0)
{body}
"""
# answers like the debugger stub of a machine that stands at reset, then does `then` when it is told to run
STUB = """
registers = {{13: "00100020", 15: "00000000"}}
def say(text):
    os.write(1, b"$%s#%02x" % (text, sum(text) & 255))
while True:
    data = os.read(0, 4096)
    if not data:
        sys.exit(0)
    for packet in data.split(b"$")[1:]:
        packet = packet.split(b"#")[0]
        if packet == b"c":
            {then}
        elif packet[:1] == b"p":
            say(registers.get(int(packet[1:], 16), "00000000").encode())
        elif packet[:1] == b"q":
            say(b"l<target/>")
        else:
            say(b"OK")
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    def install(body: str = "", version: str = "QEMU emulator version 7.2.1") -> None:
        path = tmp_path / "qemu-system-arm"
        path.write_text(FAKE.format(python=sys.executable, version=version, body=body))
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return install


def refused(make: Builder) -> WhycyclesError:
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    with pytest.raises(WhycyclesError) as caught:
        QemuTarget(kit.board("cortex-m4"), limits=FEW).run(firmware, [bytes(64)])
    assert caught.value.hint
    return caught.value


def test_no_qemu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="not installed") as caught:
        find_qemu()
    assert "apt install" in caught.value.hint


@pytest.mark.parametrize(
    ("version", "message"),
    [("QEMU emulator version 6.2.0", "too old"), ("hello", "does not say its version")],
)
def test_a_qemu_that_is_too_old_or_none(fake: object, version: str, message: str) -> None:
    fake("", version)  # type: ignore[operator]
    with pytest.raises(ToolError, match=message):
        find_qemu()


def test_a_qemu_that_cannot_be_run(fake: object, tmp_path: Path) -> None:
    fake()  # type: ignore[operator]
    (tmp_path / "qemu-system-arm").write_text("#!/no/such/interpreter\n")
    with pytest.raises(ToolError, match="cannot be run"):
        find_qemu()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("qemu-system-arm: -plugin: invalid option", "does not take our plugin"),
        ("qemu-system-arm: unsupported machine type", "did not start its machine mps2-an386: .*unsupported machine"),
        ("", "did not start its machine mps2-an386: exit code 1"),
    ],
)
def test_a_qemu_that_does_not_start(make: Builder, fake: object, said: str, message: str) -> None:
    fake(f"print({said!r}, file=sys.stderr); sys.exit(1)")  # type: ignore[operator]
    error = refused(make)
    assert isinstance(error, ToolError)
    with pytest.raises(WhycyclesError, match=message):
        raise error


def test_another_plugin_interface_is_served_or_refused(make: Builder, fake: object, tmp_path: Path) -> None:
    log = tmp_path / "log"
    body = f"""
open({str(log)!r}, "a").write(sys.argv[sys.argv.index("-plugin") + 1].split(",")[0] + "\\n")
print("TCG plugin x requires API version 1, but this QEMU supports only a minimum version of 2", file=sys.stderr)
sys.exit(1)
"""
    fake(body)  # type: ignore[operator]
    assert "does not take our plugin" in refused(make).message
    first, second = log.read_text().split()
    assert first != second
    assert Path(second).is_file()


@pytest.mark.parametrize(
    ("then", "message"),
    [
        ("sys.exit(3)", "QEMU ended with code 3, during start-up"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "QEMU was killed by signal 9, during start-up"),
        (
            "os.write(2, b'x: warning: a feature'); os.kill(os.getpid(), signal.SIGKILL)",
            "QEMU was killed by signal 9, during start-up",
        ),
        ("os.write(2, b'qemu: fatal: oh no'); sys.exit(1)", "ended with code 1, during start-up: qemu: fatal: oh no"),
    ],
)
def test_a_qemu_that_dies_in_a_run(make: Builder, fake: object, then: str, message: str) -> None:
    fake(STUB.format(then=then))  # type: ignore[operator]
    error = refused(make)
    assert isinstance(error, ExecutionError)
    assert message in error.message


def test_a_qemu_that_says_nothing(make: Builder, fake: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stub, "_ANSWER_S", 0.2)
    fake("time.sleep(60)")  # type: ignore[operator]
    assert "did not start" in refused(make).message


def test_a_qemu_that_hangs_in_a_run(make: Builder, fake: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """It executes nothing and does not stop: known long before the limit of a run that executes."""
    monkeypatch.setattr(machine, "_STILL_S", 0.2)
    monkeypatch.setattr(machine, "_PATIENCE_S", 0.2)
    fake(STUB.format(then="time.sleep(10_000)"))  # type: ignore[operator]
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    with pytest.raises(ExecutionError, match="QEMU no longer answers, during start-up"):
        QemuTarget(kit.board("cortex-m4"), limits=Limits(10**15, 10_000)).run(firmware, [bytes(64)])


def test_a_plugin_that_cannot_be_compiled(
    make: Builder, fake: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = tmp_path / "plugin.c"
    source.write_text("this is no C\n")
    monkeypatch.setattr(plugin, "_SOURCE", source)
    fake()  # type: ignore[operator]
    error = refused(make)
    assert isinstance(error, ToolError)
    assert "compiling the QEMU plugin failed" in error.message
    assert "ziglang" in error.hint
