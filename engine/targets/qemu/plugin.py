"""Compiling our plugin on this machine, with the compiler that comes with the package; kept by content."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from engine.errors import BuildError, ToolError
from engine.firmware.toolchain.process import check
from engine.paths import cache_dir
from engine.scratch import scratch, unusable
from engine.targets import layout

_SOURCE = Path(__file__).with_name("plugin.c")
_PREFIXES = ("H_", "T_", "TRACE_", "TOTALS", "LANES")
FIRST_API = 1
"""Version of QEMU's plugin interface to try first (QEMU 7.2's); a QEMU that wants another one says so."""


def plugin_library(api: int) -> Path:
    """The plugin as a shared library for that version of the interface. Raises ToolError where it cannot be compiled."""
    # for any processor of its kind, as the cache may be another machine's tomorrow
    command = [
        sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-O2", "-std=gnu11", "-mcpu=baseline", f"-DAPI={api}", *_names(),
    ]  # fmt: skip
    key = hashlib.sha256("\0".join([*command, _SOURCE.read_text("utf-8")]).encode()).hexdigest()[:24]
    done = cache_dir() / "qemu" / f"plugin-{key}.so"
    if done.is_file():
        return done
    try:
        done.parent.mkdir(parents=True, exist_ok=True)
        with scratch(done.parent) as folder:
            made = folder / "plugin.so"
            check([*command, str(_SOURCE), "-o", str(made)], what="compiling the QEMU plugin", cwd=made.parent)
            made.replace(done)
    except BuildError as error:
        raise ToolError(
            error.message, hint="reinstall the Python package 'ziglang'; or use --target unicorn"
        ) from error
    except OSError as error:
        raise unusable(error) from error
    return done


def _names() -> list[str]:
    """The shared array's layout as macros: one source for both sides."""
    values = {name: int(value) for name, value in vars(layout).items() if name.startswith(_PREFIXES)}
    values |= {f"STOP_{stop.name}": int(stop) for stop in layout.Stop}
    return [f"-D{name}={value}" for name, value in values.items()]
