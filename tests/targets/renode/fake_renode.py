"""A stand-in for Renode that behaves as recorded: options, Monitor commands, platforms, hooks, traces, and its ways to fail.

It shares nothing with the engine. Code runs in Unicorn; instructions are counted by block and, at hooks, within one. Where real
Renode refuses, hangs or goes on silently, so does this. ``FAKE_RENODE`` asks for trouble: ``deaf`` (never starts),
``stuck`` (starts, never ends), ``fatal`` (crashes at the first hook), ``killed`` (dies by a signal), ``version=X`` and ``cpu-halted``.
Memory accesses are traced rightly only for code without conditional stores: watching those disturbs Unicorn.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

OPTIONS = {
    "-p", "--plain", "--disable-xwt", "--disable-gui", "--hide-monitor", "--hide-log", "--hide-analyzers", "--console",
    "--keep-temporary-files",
}  # fmt: skip
WITH_VALUE = {"-P", "--port", "-e", "--execute", "--config", "--pid-file", "--robot-server-port"}
CPU_TYPES = {"cortex-m0+": "M3", "cortex-m3": "M3", "cortex-m4": "M4", "cortex-m7": "M7", "cortex-m33": "M33"}
TYPES = {
    "IRQControllers.NVIC": {"priorityMask", "systickFrequency"},
    "CPU.CortexM": {"cpuType", "nvic", "PerformanceInMips"},
    "Memory.MappedMemory": {"size"},
    "Miscellaneous.DWT": {"frequency"},
    "UART.CMSDK_APB_UART": {"frequency"},
}
TROUBLE = os.environ.get("FAKE_RENODE", "")
VERSION = TROUBLE.removeprefix("version=") if TROUBLE.startswith("version=") else "1.16.1"
BANNER = f"Renode v{VERSION}.0\n  build: v{VERSION}-src\n  build type: Release\n  runtime: Mono 4.0.30319.42000\n"


class MonitorError(Exception):
    """A command failed; the text is what real Renode says behind the command."""


class Log:
    """Console and, once asked for, a file."""

    def __init__(self) -> None:
        self.file: Path | None = None

    def __call__(self, level: str, text: str) -> None:
        print(f"12:00:00.0000 [{level}] {text}", file=sys.__stdout__, flush=True)
        if self.file:
            with self.file.open("a") as stream:
                stream.write(f"[{level}] {text}\n")


LOG = Log()


def load_platform(path: Path) -> dict[str, tuple[str, int | None, dict[str, str]]]:
    """Entries of a .repl: name to (type, address, attributes). Refuses what real Renode refused, in its words."""
    found: dict[str, tuple[str, int | None, dict[str, str]]] = {}
    current = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"At {path}:{number}"
        if not line.strip() or line.startswith("//"):
            continue
        if head := re.fullmatch(r"(\w+): ([\w.]+) @ sysbus(?: (0x[0-9A-Fa-f]+))?", line):
            if head[2] not in TYPES:
                mark = "^" * len(line)
                raise MonitorError(f"Error E04: Could not resolve type: '{head[2]}'.\n{where}:1:\n{line}\n{mark}")
            current = head[1]
            found[current] = (head[2], int(head[3], 16) if head[3] else None, {})
        elif attribute := re.fullmatch(r"    (\w+): (.+)", line):
            kind = found[current][0]
            if attribute[1] not in TYPES[kind]:
                raise MonitorError(f"Error E99: no such property {attribute[1]} of {kind}\n{where}:5:\n{line}\n")
            found[current][2][attribute[1]] = attribute[2].strip('"')
        elif connection := re.fullmatch(r"    \w+ -> (\w+)@\d+", line):
            if connection[1] not in found and connection[1] != "cpu":
                raise MonitorError(f"Error E08: no such peripheral {connection[1]}\n{where}:5:\n{line}\n")
        else:
            word = line.split()[1] if len(line.split()) > 1 else line
            raise MonitorError(
                f"Error E00: Syntax error, unexpected '{word[0]}'; expected colon or arrow\n{where}:10:\n{line}\n         ^\n"
            )
    if found["cpu"][2]["cpuType"] not in CPU_TYPES:
        raise MonitorError(
            f"Error E38: Exception was thrown during construction of 'cpu':\nUnknown CPU type\n\nAt {path}:10:6:\n"
            "cpu: CPU.CortexM @ sysbus\n     ^\n"
        )
    return found


class Bus:
    """What hooks may touch of the bus."""

    def __init__(self, uc: Any) -> None:
        self._uc = uc

    def ReadByte(self, address: int) -> int:
        return int(self._uc.mem_read(address, 1)[0])


class Cpu:
    """What hooks see as ``cpu``."""

    def __init__(self, machine: Machine) -> None:
        self._machine, self.Bus = machine, Bus(machine.uc)

    @property
    def ExecutedInstructions(self) -> int:
        return self._machine.executed_at(self._machine.hook_pc)


class Machine:
    """One CPU with its memories, as the platform says."""

    def __init__(self, platform: dict[str, tuple[str, int | None, dict[str, str]]]) -> None:
        import capstone
        import unicorn
        from unicorn import arm_const, unicorn_const

        self.arm, self.uconst, self.unicorn = arm_const, unicorn_const, unicorn
        self.capstone = capstone.Cs(
            capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8
        )
        kind = CPU_TYPES[platform["cpu"][2]["cpuType"]]
        self.mips = int(platform["cpu"][2]["PerformanceInMips"])
        self.uc = unicorn.Uc(unicorn_const.UC_ARCH_ARM, unicorn_const.UC_MODE_THUMB | unicorn_const.UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(getattr(arm_const, f"UC_CPU_ARM_CORTEX_{kind}"))
        self.memories: list[tuple[int, int]] = []
        self.uart_file: Path | None = None
        self.uart_enabled = False
        for kind, address, attributes in platform.values():
            if kind == "Memory.MappedMemory" and address is not None:
                size = int(attributes["size"], 0)
                self.uc.mem_map(address, size)
                self.memories.append((address, address + size))
            elif kind == "UART.CMSDK_APB_UART" and address is not None:
                self.uc.mmio_map(address, 0x1000, lambda *_: 0, None, self._uart_write, None)
        self.uc.mem_map(0xE0000000, 0x100000)
        self.hooks: dict[int, list[Any]] = {}
        self.vectors: int | None = None
        self.executed, self.block, self.hook_pc = 0, 0, 0
        self.sizes: dict[int, list[int]] = {}
        self.trace: list[tuple[int, int]] | None = None
        self.accesses: list[tuple[int, int, int, int, int]] | None = None
        self.trace_path = Path()
        self.failed: str | None = None
        self.asleep = False

    def _uart_write(self, _uc: Any, offset: int, _size: int, value: int, _data: object) -> None:
        if offset == 0x08:
            self.uart_enabled = bool(value & 1)
        elif offset == 0 and self.uart_enabled and self.uart_file:
            with self.uart_file.open("ab") as stream:
                stream.write(bytes([value & 0xFF]))

    def write(self, address: int, data: bytes) -> None:
        if not any(a <= address and address + len(data) <= b for a, b in self.memories):
            LOG("WARNING", f"sysbus: Tried to access bytes at non-existing peripheral in range <0x{address:08X}>.")
            return
        self.uc.mem_write(address, data)

    def load_elf(self, path: Path) -> None:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile

        try:
            with path.open("rb") as stream:
                for segment in ELFFile(stream).iter_segments("PT_LOAD"):
                    if segment["p_filesz"]:
                        LOG(
                            "INFO",
                            f"sysbus: Loading block of {segment['p_filesz']} bytes length at 0x{segment['p_paddr']:X}.",
                        )
                        self.write(segment["p_paddr"], segment.data())
        except ELFError:
            text = f"Could not load ELF from path: {path}"
            raise MonitorError(f"Error while loading ELF: {text}\n{text}") from None

    # -- counting -------------------------------------------------------------------------------------------------

    def _decoded(self, address: int, size: int) -> list[int]:
        """Addresses of the instructions of a piece of code, those that an IT block skips included."""
        key = address << 16 | size
        if key not in self.sizes:
            code = bytes(self.uc.mem_read(address, size))
            found = [a for a, *_ in self.capstone.disasm_lite(code, address)]
            at = found[-1] + 2 if found else address
            assert at <= address + size, "an instruction capstone does not know"
            self.sizes[key] = found
        return self.sizes[key]

    def executed_at(self, pc: int) -> int:
        return self.executed + sum(a < pc for a in self._decoded(*self.current))

    def _on_block(self, _uc: Any, address: int, size: int, _data: object) -> None:
        self.finish_block()
        if self.executed > self.limit:
            self.over = True
            self.uc.emu_stop()
            return
        self.current = (address, size)
        if self.trace is not None:
            self.trace.append(self.current)

    def finish_block(self) -> None:
        if self.current is not None:
            self.executed += len(self._decoded(*self.current))
        self.current = None

    current: Any = None
    limit, over = 0, False

    def _on_hook(self, _uc: Any, address: int, _size: int, _data: object) -> None:
        self.hook_pc = address
        for code in self.hooks[address]:
            if TROUBLE == "fatal":
                self._die("System.IO.DirectoryNotFoundException: Could not find a part of the path")
            try:
                exec(code, {"cpu": self.cpu, "self": self.cpu, "pc": address, "chr": chr, "open": open})
            except (ImportError, OSError) as error:
                self._die(f"IronPython.Runtime.Exceptions.ImportException: {error}")
            except Exception as error:
                LOG("ERROR", f"cpu: Python runtime error: {error}")

    def _die(self, text: str) -> None:
        print(f"\n[ERROR] FATAL UNHANDLED EXCEPTION: {text}\n  at System.IO.FileStream..ctor ()", flush=True)
        os._exit(1)

    def _on_unmapped(self, _uc: Any, access: int, address: int, size: int, value: int, _data: object) -> bool:
        pc = int(self.uc.reg_read(self.arm.UC_ARM_REG_PC))
        width = {1: "Byte", 2: "Word", 4: "DoubleWord", 8: "QuadWord"}[size]
        if access == self.uconst.UC_MEM_FETCH_UNMAPPED:
            LOG("WARNING", f"sysbus: [cpu: 0x{address:X}] ReadByte from non existing peripheral at 0x{address:X}.")
            text = f"Trying to execute code outside RAM or ROM at 0x{address:X}"
            LOG("ERROR", f"cpu: CPU abort [PC=0x{address:X}]: {text}.")
            self.failed = "abort"
            return False
        if access == self.uconst.UC_MEM_WRITE_UNMAPPED:
            end = f"Write{width} to non existing peripheral at 0x{address:X}, value 0x{value & 0xFFFFFFFF:X}."
        else:
            end = f"Read{width} from non existing peripheral at 0x{address:X}."
        LOG("WARNING", f"sysbus: [cpu: 0x{pc & ~1:X}] {end}")
        self.uc.mem_map(address & -4096, 4096)
        return True

    def _on_access(self, _uc: Any, access: int, address: int, size: int, value: int, _data: object) -> None:
        if self.accesses is not None and self.trace:
            write = access == self.uconst.UC_MEM_WRITE
            io = not any(a <= address < b for a, b in self.memories)
            kind = (0 if io else 2) + int(write)
            # with the first instruction of its block: reading the PC here would disturb an IT block
            where = (len(self.trace) - 1, self.trace[-1][0])
            # a register each: what moves eight bytes in one access moves two
            for half in range(max(1, size // 4)):
                self.accesses.append((*where, kind, address + 4 * half, value & 0xFFFFFFFF))

    def _on_interrupt(self, _uc: Any, _number: int, _data: object) -> None:
        """UDF and the like: a UsageFault (vector 6), straight to its handler."""
        table = self.vectors or 0
        handler = int.from_bytes(self.uc.mem_read(table + 4 * 6, 4), "little")
        self.pending = handler
        self.uc.emu_stop()

    pending: int | None = None

    def run_for(self, seconds: float) -> None:
        """Run so much virtual time, or until the CPU sleeps; a CPU that stopped stops time, so the call never returns."""
        const = self.uconst
        self.cpu = Cpu(self)
        table = self.vectors or 0
        word = [int.from_bytes(self.uc.mem_read(table + 4 * n, 4), "little") for n in (0, 1)]
        if not any(word) or TROUBLE == "cpu-halted":
            LOG("ERROR", "cpu: PC does not lay in memory or PC and SP are equal to zero. CPU was halted.")
            return
        LOG("INFO", f"cpu: Setting initial values: PC = 0x{word[1]:X}, SP = 0x{word[0]:X}.")
        self.uc.reg_write(self.arm.UC_ARM_REG_SP, word[0])
        self.uc.hook_add(const.UC_HOOK_BLOCK, self._on_block)
        self.uc.hook_add(const.UC_HOOK_MEM_UNMAPPED, self._on_unmapped)
        self.uc.hook_add(const.UC_HOOK_INTR, self._on_interrupt)
        if self.accesses is not None:
            # hooks on reads everywhere can disturb the program
            low, high = min(a for a, _ in self.memories), max(b for _, b in self.memories)
            self.uc.hook_add(const.UC_HOOK_MEM_READ | const.UC_HOOK_MEM_WRITE, self._on_access, None, low, high)
        for address in self.hooks:
            self.uc.hook_add(const.UC_HOOK_CODE, self._on_hook, None, address, address)
        self.limit = int(seconds * self.mips * 1e6)
        pc = word[1]
        LOG("INFO", "whycycles: Machine started.")
        while True:
            try:
                self.uc.emu_start(pc | 1, 0xFFFFFFFE)
            except self.unicorn.UcError as error:
                if self.failed != "abort" and error.errno != const.UC_ERR_INSN_INVALID:
                    raise
                if self.failed != "abort":
                    self._on_interrupt(None, 0, None)
            if self.failed == "abort":
                time.sleep(3600)  # virtual time stands still
            pc = int(self.uc.reg_read(self.arm.UC_ARM_REG_PC))
            if self.pending is not None:
                pc, self.pending = self.pending, None
                continue
            if self.over:
                break
            if bytes(self.uc.mem_read((pc & ~1) - 2, 2)) == b"\x30\xbf":
                break  # asleep: nothing will wake it, and the rest of the time passes at once
        self.finish_block()
        LOG("INFO", "whycycles: Machine paused.")

    def write_trace(self) -> None:
        if self.trace is None:
            return
        extra: dict[tuple[int, int], bytes] = {}
        for n, pc, kind, address, value in self.accesses or ():
            body = struct.pack("<BBQQQ", 1, kind, address, value, address)
            extra[n, pc] = extra.get((n, pc), b"") + body
        out = bytearray(b"ReTrace\x04\x04\x00")
        for n, (address, size) in enumerate(self.trace):
            for pc in self._decoded(address, size):
                out += struct.pack("<I", pc) + extra.get((n, pc), b"") + b"\0"
        if self.trace_path.exists():
            self.trace_path.rename(self.trace_path.with_name(self.trace_path.name + ".1"))
        self.trace_path.write_bytes(bytes(out))
        self.trace = None


class Monitor:
    """Commands, one a line, as recorded; anything else is refused."""

    def __init__(self) -> None:
        self.machine: Machine | None = None
        self.named = False
        self.quit = False

    def tokens(self, line: str) -> list[str]:
        found, at = [], 0
        pattern = re.compile(r'\s*(?:"((?:[^"])*)"|(@(?:\\ |[^\s"])+)|([^\s"@]+))')
        while at < len(line.rstrip()):
            match = pattern.match(line, at)
            if match is None:
                raise MonitorError("")
            found.append(next(g for g in match.groups() if g is not None))
            at = match.end()
        return found

    def run(self, line: str) -> bool:
        try:
            words = self.tokens(line)
        except MonitorError:
            LOG("WARNING", f"Monitor: Could not tokenize here:\n    {line}\n")
            print(f"Could not tokenize here:\n{line}", flush=True)
            return False
        try:
            self.execute(words, line)
        except MonitorError as error:
            if str(error).startswith("No such command"):
                print(error, flush=True)
            else:
                print(f"There was an error executing command '{line.strip()}': \n{error}", flush=True)
            return False
        return True

    def path(self, word: str, *, must_exist: bool) -> Path:
        if not word.startswith("@"):
            raise MonitorError("Parameters did not match the signature")
        path = Path(word[1:].replace("\\ ", " "))
        if must_exist and not path.exists():
            raise MonitorError("Parameters did not match the signature")
        return path

    def execute(self, words: list[str], line: str) -> None:
        match words:
            case ["quit"]:
                self.quit = True
            case ["version"]:
                print(f"Renode, version {VERSION} (v{VERSION}-src)\n", flush=True)
            case ["logFile", path, "true"]:
                LOG.file = self.path(path, must_exist=False)
                LOG.file.write_text("")
            case ["logLevel", "1", "file"]:
                pass
            case ["mach", "create", _]:
                if self.named:
                    raise MonitorError("Given machine is already added or name is already taken.")
                self.named = True
                LOG("INFO", "System bus created.")
            case ["machine", "LoadPlatformDescription", path]:
                where = self.path(path, must_exist=False)
                if not where.exists():
                    raise MonitorError(f"Could not find file '{where}'.")
                self.machine = Machine(load_platform(where))
            case ["emulation", "SetGlobalAdvanceImmediately", "true"] | ["emulation", "SetGlobalQuantum", _]:
                pass
            case [("sysbus" | "cpu" | "sysbus.uart0" | "emulation" | "tr") as device, *rest] if self.machine:
                self.device(self.machine, device, rest, line)
            case _:
                raise MonitorError(f"No such command or device: {words[0]}")

    def device(self, machine: Machine, device: str, words: list[str], line: str) -> None:
        match [device, *words]:
            case ["sysbus", "LoadELF", path]:
                machine.load_elf(self.path(path, must_exist=True))
            case ["sysbus", "LoadBinary", path, address]:
                machine.write(int(address, 0), self.path(path, must_exist=True).read_bytes())
            case ["cpu", "VectorTableOffset", address]:
                machine.vectors = int(address, 0)
            case ["sysbus.uart0", "CreateFileBackend", path, "true"]:
                machine.uart_file = self.path(path, must_exist=False)
                machine.uart_file.write_bytes(b"")
            case ["cpu", "AddHook", address, text]:
                if int(address, 0) & 1:
                    raise MonitorError("hooks are at addresses without the Thumb bit")
                try:
                    code = compile(text, "hook", "exec")
                except SyntaxError as error:
                    raise MonitorError(f"[FatalError] unexpected token (Line 1, Column {error.offset})") from None
                machine.hooks.setdefault(int(address, 0), []).append(code)
            case ["cpu", "CreateExecutionTracing", "tr", path, form, "true"]:
                if form not in ("PC", "Opcode", "PCAndOpcode"):
                    raise MonitorError("Parameters did not match the signature")
                machine.trace_path = self.path(path, must_exist=False)
                if not machine.trace_path.parent.is_dir():
                    raise MonitorError(f"File {machine.trace_path} could not be created")
                machine.trace = []
            case ["tr", "TrackMemoryAccesses"] if machine.trace is not None:
                machine.accesses = []
            case ["cpu", "DisableExecutionTracing"]:
                machine.write_trace()
            case ["emulation", "RunFor", seconds]:
                machine.run_for(float(seconds))
            case _:
                text = f"sysbus.{device} does not provide a field, method or property {words[0]}."
                raise MonitorError(text)


def serve(monitor: Monitor, port: int, port_file: Path) -> None:
    """The robot server, on this machine only; one request at a time."""
    import contextlib
    import io
    from xmlrpc.server import SimpleXMLRPCServer

    def run_keyword(name: str, arguments: list[str]) -> dict[str, object]:
        if name == "StopRemoteServer":
            monitor.quit = True
            return {"status": "PASS"}
        if name != "ExecuteCommand" or not arguments:
            raise ValueError(name)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            fine = monitor.run(arguments[0].removeprefix("command="))
        if fine:
            return {"status": "PASS", "return": said.getvalue()}
        text = f"KeywordException: Could not execute command '{arguments[0]}': {said.getvalue()}"
        return {"status": "FAIL", "error": text, "traceback": "KeywordException:   at Antmicro.Renode"}

    with SimpleXMLRPCServer(("127.0.0.1", port), logRequests=False) as server:
        server.register_function(lambda: ["StartEmulation", "ExecuteCommand"], "get_keyword_names")
        server.register_function(run_keyword)
        port_file.write_text("")
        time.sleep(0.1)
        port_file.write_text(str(server.server_address[1]))
        while not monitor.quit:
            server.handle_request()


def parse(arguments: list[str]) -> tuple[dict[str, str], list[str], str | None]:
    """Options with their values, commands to execute, script. Unknown ones end the process with exit code 0, as in real Renode."""
    given: dict[str, str] = {}
    execute: list[str] = []
    script, at = None, 0
    while at < len(arguments):
        word = arguments[at]
        if word in WITH_VALUE:
            at += 1
            given[word] = arguments[at]
            execute += [arguments[at]] if word in ("-e", "--execute") else []
        elif word in OPTIONS:
            given[word] = ""
        elif word.startswith("-"):
            print(
                f"Unexpected options detected: {word}\n\nRenode {VERSION}.0\n\nusage: renode [options] [file-to-include / snapshot]"
            )
            sys.exit(0)
        else:
            script = word
        at += 1
    return given, execute, script


def main() -> None:
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-v"]):
        sys.stdout.write(BANNER)
        return
    given, execute, script = parse(arguments)
    if TROUBLE == "deaf":
        time.sleep(3600)
    if TROUBLE == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if "--hide-monitor" in given and "--console" in given:
        print("--hide-monitor and --console cannot be set at the same time")
        return
    windows = not {"--disable-gui", "--disable-xwt"} & given.keys()
    if windows or not {"--console", "--robot-server-port"} & given.keys():
        print("this would open a port or a window")
        sys.exit(3)
    # what it does to a shared folder for temporary files
    temporary = Path(os.environ.get("TMPDIR", "/tmp"))
    for other in temporary.glob("renode-*"):
        if other.name.removeprefix("renode-").isdigit():
            shutil.rmtree(other)
    own = temporary / f"renode-{os.getpid()}"
    own.mkdir()
    LOG("INFO", "Loaded monitor commands from: scripts/monitor.py")
    monitor = Monitor()
    if "--robot-server-port" in given:
        serve(monitor, int(given["--robot-server-port"]), own / "robot_port")
    # it makes a Monitor command of the path as it stands: `i @PATH`
    words = monitor.tokens(f"i @{script}") if script else []
    lines = monitor.path(words[1], must_exist=True).read_text().splitlines() if len(words) == 2 else []
    for line in lines:
        if line.strip() and not line.startswith("#") and not monitor.run(line):
            break
        if monitor.quit:
            break
    if TROUBLE == "stuck":
        time.sleep(3600)
    for line in execute:
        monitor.run(line)
    while not monitor.quit:
        line = sys.stdin.readline()
        if not line:
            time.sleep(3600)  # at the end of its input the console does not end
        monitor.run(line)
    shutil.rmtree(own)


if __name__ == "__main__":
    main()
