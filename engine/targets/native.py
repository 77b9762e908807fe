"""Numba, typed: decorators for native kernels and hooks. Import it only where emulation starts: numba is slow to import."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from engine.paths import cache_dir
from engine.targets.untyped import arm_const

numba: Any = import_module("numba")
types: Any = numba.types
carray: Any = numba.carray
_ir: Any = import_module("llvmlite.ir")
_extending: Any = import_module("numba.extending")


def _sources_sha256() -> str:
    """Numba's own check sees only the file of the callback, not what is inlined into it."""
    names = (
        "native",
        "layout",
        "region_hook",
        "edge_hook",
        "memory_hook",
        "cache_sim",
        "trace_code",
        "replay_hook",
        "qemu/trace",
    )
    files = (Path(__file__).parent / f"{name}.py" for name in names)
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()


numba.config.CACHE_DIR = str(cache_dir() / "numba" / _sources_sha256()[:16])

STATE = types.CPointer(types.int64)
BLOCK_HOOK = types.void(types.voidptr, types.uint64, types.uint32, STATE)
MEMORY_HOOK = types.void(types.voidptr, types.int32, types.uint64, types.int32, types.int64, STATE)
REPLAY = types.void(types.voidptr, STATE, STATE, types.int64)
TRACE_READER = types.void(types.voidptr, STATE, STATE, types.int64)
EVERYTHING = (1 << 40,)  # shape given to carray: the hooks index by what the header says

# without reference counting, which would cost more than the work itself: all arrays are views of one state that Python holds
_FAST: Any = {"error_model": "numpy", "_nrt": False}

F = TypeVar("F", bound=Callable[..., Any])


class NativeHook(Protocol):
    """A compiled callback."""

    @property
    def address(self) -> int:
        """Where it lies in this process."""


def inlined(function: F) -> F:
    """Compile for use inside hooks."""
    compiled: F = numba.njit(inline="always", **_FAST)(function)
    return compiled


def compiled(function: F) -> F:
    """Compile for use from Python."""
    result: F = numba.njit(**_FAST)(function)
    return result


def hook(signature: Any) -> Callable[[Callable[..., None]], NativeHook]:
    """Compile as a C callback, kept on disk between processes. Its work belongs in a ``compiled`` function: see ``_FAST``."""

    def wrap(function: Callable[..., None]) -> NativeHook:
        callback: NativeHook = numba.cfunc(signature, cache=True)(function)
        return callback

    return wrap


def _call_stop(_context: Any, function: Any, engine: Any) -> Any:
    """Code for ``function(engine)`` by address: a ctypes function baked into a hook could not be cached on disk."""

    def generate(_ctx: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = _ir.FunctionType(_ir.IntType(32), [_ir.IntType(8).as_pointer()])
        return builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), [arguments[1]])

    return types.int32(types.int64, types.voidptr), generate


stop_emulation: Any = _extending.intrinsic(_call_stop)


def _clear_it_state(_context: Any, functions: Any, engine: Any, state: Any, scratch: Any) -> Any:
    """Code for "read CPSR into a state slot, clear its IT bits, write it back", by the addresses of uc_reg_read/uc_reg_write."""

    def generate(_ctx: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        i8, i32, i64 = _ir.IntType(8), _ir.IntType(32), _ir.IntType(64)
        kind = _ir.FunctionType(i32, [i8.as_pointer(), i32, i8.as_pointer()]).as_pointer()
        slot = builder.gep(arguments[2], [arguments[3]])
        value = builder.bitcast(slot, i32.as_pointer())
        register = _ir.Constant(i32, arm_const.UC_ARM_REG_CPSR)

        def call(index: int) -> Any:
            at = builder.load(builder.gep(arguments[2], [builder.add(arguments[0], _ir.Constant(i64, index))]))
            raw = builder.bitcast(slot, i8.as_pointer())
            return builder.call(builder.inttoptr(at, kind), [arguments[1], register, raw])

        call(0)
        builder.store(builder.and_(builder.load(value), _ir.Constant(i32, ~_IT_BITS & 0xFFFFFFFF)), value)
        return call(1)

    return types.int32(types.int64, types.voidptr, STATE, types.int64), generate


_IT_BITS = 0x0600FC00
clear_it_state: Any = _extending.intrinsic(_clear_it_state)
"""``clear_it_state(H_REGISTERS, engine, state, H_SCRATCH)``: see memory_hook for why."""
