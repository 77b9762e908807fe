"""Compilers: what they say about themselves, what their flags really do, and that objects hold no path."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from engine.catalog.load import load_board, load_core
from engine.errors import BuildError, ToolError, UsageError
from engine.firmware.cmsis_nn import CMSIS_NN_PATH, find_cmsis_nn
from engine.firmware.ports import board_port, harness_sources, port_flags
from engine.firmware.toolchain import (
    OPTS,
    Source,
    Toolchain,
    Tree,
    check_opt,
    compile_all,
    compilers,
    cpu_for,
    gcc,
    objects,
    process,
    toolchain,
)
from engine.firmware.toolchain.objects import tree_digest
from engine.firmware.types import CompilerName
from engine.paths import FIRMWARE_DIR
from engine.targets.attributes import read_attributes
from tests.firmware.toy import CORES

LIBC = Tree(FIRMWARE_DIR / "harness" / "libc", "harness/libc")
GCC = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
BOTH = pytest.mark.parametrize("name", [CompilerName.CLANG, pytest.param(CompilerName.GCC, marks=GCC)])


def sections(path: Path) -> dict[str, bytes]:
    with path.open("rb") as stream:
        return {s.name: s.data() for s in ELFFile(stream).iter_sections() if s.name.startswith(".text")}


def code(path: Path) -> str:
    return hashlib.sha256(repr(sorted(sections(path).items())).encode()).hexdigest()


def compile_text(text: str, folder: Path, tools: Toolchain, core: str = "cortex-m4", opt: str = "O2") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "a.c").write_text(text, encoding="utf-8")
    return compile_all(tools, cpu_for(CORES[core]), opt, (Source(Tree(folder, "a"), "a.c", (LIBC,)),))[0]


def disassemble(path: Path) -> str:
    import capstone

    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8)
    decoder.skipdata = True
    return "\n".join(f"{i.mnemonic} {i.op_str}" for data in sections(path).values() for i in decoder.disasm(data, 0))


def test_clang_is_always_there_and_says_where_it_comes_from() -> None:
    status = {s.name: s for s in compilers()}
    assert set(status) == set(CompilerName)
    assert status[CompilerName.CLANG].available
    assert "ziglang" in (status[CompilerName.CLANG].version or "")


def test_a_missing_gcc_is_absent_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    status = {s.name: s for s in compilers()}[CompilerName.GCC]
    assert not status.available
    assert "PATH" in (status.reason or "")
    with pytest.raises(ToolError) as raised:
        toolchain(CompilerName.GCC)
    assert "clang" in raised.value.hint


@BOTH
@pytest.mark.parametrize(
    ("core", "mcpu", "mfpu"),
    [
        ("cortex-m0plus", "cortex-m0plus", ""),
        ("cortex-m3", "cortex-m3", ""),
        ("cortex-m4", "cortex-m4", "fpv4-sp-d16"),
        ("cortex-m7", "cortex-m7", "fpv5-d16"),
        ("cortex-m33", "cortex-m33", "fpv5-sp-d16"),
        ("cortex-m55", "cortex-m55", ""),  # the name implies what it has
    ],
)
def test_flags_follow_the_core(name: CompilerName, core: str, mcpu: str, mfpu: str) -> None:
    flags = toolchain(name).flags(cpu_for(load_core(core)), "O2")
    assert f"-mcpu={mcpu}" in flags
    assert (f"-mfpu={mfpu}" in flags) == bool(mfpu)
    hard = bool(mfpu) or core == "cortex-m55"
    assert ("-mfloat-abi=hard" if hard else "-mfloat-abi=soft") in flags
    assert not any("/" in flag for flag in flags)
    assert "-fno-builtin" not in flags


def test_a_core_without_start_up_is_refused() -> None:
    core = CORES["cortex-m33"].model_copy(update={"name": "cortex-m52", "architecture": "armv8.1-m.main"})
    with pytest.raises(UsageError, match=r"armv8\.1-m.main without MVE"):
        cpu_for(core)


@BOTH
@pytest.mark.parametrize("core", ["cortex-m55", "cortex-m85"])
def test_cores_with_helium_get_helium(name: CompilerName, core: str, tmp_path: Path) -> None:
    cpu = cpu_for(load_core(core))
    text = "#if !__ARM_FEATURE_MVE || !__ARM_FEATURE_DSP || !__ARM_FP\n#error\n#endif\nfloat half(float x) { return x / 2; }\n"
    (tmp_path / "a.c").write_text(text, encoding="utf-8")
    made = compile_all(toolchain(name), cpu, "O2", (Source(Tree(tmp_path, "a"), "a.c", (LIBC,)),))[0]
    with made.open("rb") as stream:
        attributes = read_attributes(ELFFile(stream))
    assert attributes is not None
    assert (attributes.architecture, attributes.mve, attributes.dsp) == ("armv8.1-m.main", True, True)


@GCC
def test_a_compiler_that_does_not_know_a_core_builds_for_the_one_like_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcc, "_knows", lambda _compiler, mcpu: mcpu != "cortex-m85")
    flags = toolchain(CompilerName.GCC).flags(cpu_for(load_core("cortex-m85")), "O2")
    assert "-mcpu=cortex-m55" in flags


def test_a_core_of_the_users_own_gets_a_generic_target() -> None:
    core = CORES["cortex-m4"].model_copy(update={"name": "my-core"})
    assert cpu_for(core).mcpu == "cortex-m4"
    undsp = CORES["cortex-m33"].model_copy(update={"dsp": False})
    assert cpu_for(undsp).mcpu == "cortex-m33+nodsp"


@BOTH
def test_every_optimisation_level_is_an_axis_of_its_own(name: CompilerName) -> None:
    """`zig cc` gave the same code for -O1, -O2 and -O3; a level that changes nothing must not be offered."""
    cmsis_nn = find_cmsis_nn()
    source = cmsis_nn.sources(("arm_nn_mat_mult_nt_t_s8.c", "arm_convolve_s8.c"), LIBC)
    cpu = cpu_for(CORES["cortex-m4"])
    seen = {opt: tuple(code(o) for o in compile_all(toolchain(name), cpu, opt, source)) for opt in OPTS}
    assert len(set(seen.values())) == len(OPTS), seen


def test_unknown_optimisation_level() -> None:
    assert check_opt("-O2") == "O2"
    with pytest.raises(UsageError, match="O9"):
        check_opt("O9")


@BOTH
def test_dsp_fpu_and_divide_are_emitted_where_the_core_has_them(name: CompilerName, tmp_path: Path) -> None:
    text = """#include <arm_acle.h>
    #include <stdint.h>
    int divide(int a, int b) { return a / b; }
    float multiply(float a, float b) { return a * b; }
    #ifdef __ARM_FEATURE_DSP
    int32_t dot(uint32_t a, uint32_t b, int32_t c) { return __smlad(a, b, c); }
    #endif
    """
    for core in CORES:
        listing = disassemble(compile_text(text, tmp_path / core, toolchain(name), core))
        assert ("smlad" in listing) == CORES[core].dsp, core
        assert ("vmul.f32" in listing) == (CORES[core].fpu != "none"), core
        assert ("sdiv" in listing) == (core != "cortex-m0plus"), core


@BOTH
def test_a_four_byte_memcpy_is_a_load(name: CompilerName, tmp_path: Path) -> None:
    text = """#include <string.h>
    #include <stdint.h>
    int32_t read4(const int8_t *p) { int32_t v; memcpy(&v, p, 4); return v; }
    """
    listing = disassemble(compile_text(text, tmp_path / "src", toolchain(name)))
    assert "bl " not in listing
    assert "push" not in listing
    assert "ldr r0, [r0]" in listing


@BOTH
def test_objects_are_the_same_bytes_in_every_folder(
    name: CompilerName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '#include "own.h"\nconst char *where(void) { return __FILE__; }\nint twice(int x) { return OWN * x; }\n'
    made = []
    for place in ("one", "a/much/longer/other place"):
        root = tmp_path / place
        (root / "inc").mkdir(parents=True)
        (root / "inc" / "own.h").write_text("#define OWN 2\n", encoding="utf-8")
        (root / "src").mkdir()
        (root / "src" / "a.c").write_text(text, encoding="utf-8")
        monkeypatch.setenv("WHYCYCLES_CACHE", str(root / "cache"))
        source = Source(Tree(root / "src", "model"), "a.c", (Tree(root / "inc", "inc"), LIBC))
        made.append(compile_all(toolchain(name), cpu_for(CORES["cortex-m4"]), "O2", (source,))[0].read_bytes())
    assert made[0] == made[1]
    assert str(tmp_path).encode() not in made[0]
    assert b"/model/a.c" in made[0]


@BOTH
def test_a_warm_cache_compiles_nothing_and_a_change_compiles_again(
    name: CompilerName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "cache"))
    ran: list[str] = []
    real = objects.check
    monkeypatch.setattr(objects, "check", lambda command, **k: ran.append(k["what"]) or real(command, **k))
    tools, folder = toolchain(name), tmp_path / "src"
    (folder / "inc").mkdir(parents=True)
    header = folder / "inc" / "n.h"
    header.write_text("#define N 1\n", encoding="utf-8")
    (folder / "a.c").write_text('#include "n.h"\nint n(void) { return N; }\n', encoding="utf-8")
    source = Source(Tree(folder, "a"), "a.c", (Tree(folder / "inc", "inc"),))
    cpu = cpu_for(CORES["cortex-m3"])
    first = compile_all(tools, cpu, "O2", (source,))
    assert compile_all(tools, cpu, "O2", (source,)) == first
    assert len(ran) == 1
    header.write_text("#define N 2\n", encoding="utf-8")
    second = compile_all(tools, cpu, "O2", (source,))
    assert len(ran) == 2
    assert code(second[0]) != code(first[0])
    compile_all(tools, cpu, "O3", (source,))
    compile_all(tools, cpu_for(CORES["cortex-m4"]), "O2", (source,))
    assert len(ran) == 4


def test_a_header_digest_depends_on_name_and_content(tmp_path: Path) -> None:
    seen = set()
    for name, text in (("a.h", "1"), ("b.h", "1"), ("b.h", "2")):
        for old in tmp_path.glob("*.h"):
            old.unlink()
        (tmp_path / name).write_text(text, encoding="utf-8")
        seen.add(tree_digest(Tree(tmp_path, "t")))
    assert len(seen) == 3


@BOTH
def test_a_broken_source_is_one_message(name: CompilerName, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"compiling a/a\.c failed: .*error") as raised:
        compile_text("int f( { return 1; }\n", tmp_path / "src", toolchain(name))
    assert "\n" not in raised.value.message
    assert raised.value.hint


@BOTH
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m33"])
def test_our_own_c_has_no_warnings(name: CompilerName, core: str, tmp_path: Path) -> None:
    tools = toolchain(name)
    for source in dict.fromkeys((*harness_sources("bare"), *harness_sources("mps2"))):
        command = tools.compile_command(source, cpu_for(CORES[core]), "O2", tmp_path / "a.o")
        done = subprocess.run([*command, "-Werror"], capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr


@BOTH
def test_ports_for_boards_have_no_warnings(name: CompilerName, tmp_path: Path) -> None:
    tools = toolchain(name)
    for board in (load_board(b) for b in ("olimex-stm32-h405", "nucleo-h743zi", "nucleo-l4r5zi", "raspberry-pi-pico")):
        flags = port_flags(board_port(board), board, board.default_clock_mhz)
        for source in harness_sources(board_port(board).name, flags):
            command = tools.compile_command(source, cpu_for(CORES[board.core]), "O2", tmp_path / "a.o")
            done = subprocess.run([*command, "-Werror"], capture_output=True, text=True, cwd=tmp_path, check=False)
            assert done.returncode == 0, done.stderr


def test_inherited_search_paths_do_not_reach_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sneaky.h").write_text("#define SNEAKY 1\n", encoding="utf-8")
    monkeypatch.setenv("CPATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"sneaky\.h"):
        compile_text("#include <sneaky.h>\n", tmp_path / "src", toolchain(CompilerName.CLANG))


def test_cmsis_nn_of_the_wheel() -> None:
    found = find_cmsis_nn()
    assert found.version == "4.0.0 (bakenn 1.0.0)"
    names = {Path(s.file).name for s in found.sources(("arm_depthwise_conv_s8_opt.c", "arm_fully_connected_s8.c"))}
    assert {"arm_depthwise_conv_s8.c", "arm_q7_to_q15_with_offset.c", "arm_nn_vec_mat_mult_t_s8.c"} <= names
    assert "bakenn_cmsis_memory.c" not in names
    with pytest.raises(BuildError, match=r"arm_nothing\.c"):
        found.sources(("arm_nothing.c",))


def test_cmsis_nn_from_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = find_cmsis_nn().tree.path
    checkout = tmp_path / "CMSIS-NN"
    shutil.copytree(bundled, checkout)
    (checkout / "ARM.CMSIS-NN.pdsc").write_text('<releases><release version="9.8.7" date="x">', encoding="utf-8")
    monkeypatch.setenv(CMSIS_NN_PATH, str(checkout))
    first = find_cmsis_nn()
    assert first.version.startswith("9.8.7 (checkout ")
    assert first.tree.path == checkout
    changed = next(checkout.glob("Source/*/arm_convolve_s8.c"))
    changed.write_text(changed.read_text(encoding="utf-8") + "\n/* changed */\n", encoding="utf-8")
    assert find_cmsis_nn().version != first.version
    monkeypatch.setenv(CMSIS_NN_PATH, str(tmp_path))
    with pytest.raises(ToolError, match="no checkout"):
        find_cmsis_nn()


def test_a_tool_ends_with_what_it_started(tmp_path: Path) -> None:
    # the shell stands for a compiler driver, the sleep for the compiler it starts
    script = f"sleep 60 & echo $! > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; wait"
    together = process.Together()
    with ThreadPoolExecutor() as pool:
        call = pool.submit(process.run, ["sh", "-c", script], what="waiting", together=together)
        while not (tmp_path / "pid").exists():
            time.sleep(0.01)
        together.stop()
        assert call.result(timeout=30).returncode == -signal.SIGTERM
    stat = Path(f"/proc/{int((tmp_path / 'pid').read_text())}/stat")
    for _ in range(100):
        # an orphan whose new parent has not asked for it yet is dead too
        if not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("the sleep goes on")


def test_a_tool_started_too_late_ends_with_the_others() -> None:
    together = process.Together()
    together.stop()
    assert process.run(["sleep", "60"], what="waiting", together=together).returncode == -signal.SIGTERM


def test_a_tool_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "TIMEOUT_S", 0.05)
    with pytest.raises(ToolError, match="no answer after"):
        process.run(["sleep", "60"], what="waiting")
