"""The object cache: an object is named by everything that decides its bytes, so a warm cache compiles nothing."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.errors import BuildError
from engine.firmware.toolchain.cpu import Cpu
from engine.firmware.toolchain.process import Together, check
from engine.firmware.toolchain.types import Source, Toolchain, Tree
from engine.paths import cache_dir
from engine.scratch import scratch

_FORMAT = "object-1"
_HEADERS = (".h", ".inc", ".hpp")


def compile_all(toolchain: Toolchain, cpu: Cpu, opt: str, sources: tuple[Source, ...]) -> tuple[Path, ...]:
    """Objects of all sources, in their order; only those not in the cache are compiled, two or more at a time.

    Raises BuildError with the compiler's first complaint.
    """
    digests = {tree: tree_digest(tree) for source in sources for tree in (source.tree, *source.includes)}
    pool = ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2))
    together = Together()
    try:
        return tuple(pool.map(lambda source: _compile(toolchain, cpu, opt, source, digests, together), sources))
    except BaseException:
        # one has failed, or the user has had enough: nobody waits for the others
        pool.shutdown(wait=False, cancel_futures=True)
        together.stop()
        raise
    finally:
        pool.shutdown()


def tree_digest(tree: Tree) -> str:
    """SHA-256 over the names and contents of all headers below a folder."""
    digest = hashlib.sha256(tree.name.encode())
    for path in sorted(p for p in tree.path.rglob("*") if p.suffix in _HEADERS):
        digest.update(f"\0{path.relative_to(tree.path).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _key(toolchain: Toolchain, cpu: Cpu, opt: str, source: Source, digests: dict[Tree, str]) -> str:
    parts = [_FORMAT, toolchain.name, toolchain.version, cpu.core, *toolchain.flags(cpu, opt), "|", *source.flags, "|"]
    parts += [source.name, str(source.third_party), digests[source.tree], *(digests[tree] for tree in source.includes)]
    digest = hashlib.sha256("\0".join(parts).encode())
    try:
        digest.update(source.path.read_bytes())
    except OSError as error:
        raise BuildError(
            f"cannot read the source {source.name}: {error.strerror}", hint="is the installation complete?"
        ) from error
    return digest.hexdigest()


def _compile(
    toolchain: Toolchain, cpu: Cpu, opt: str, source: Source, digests: dict[Tree, str], together: Together
) -> Path:
    key = _key(toolchain, cpu, opt, source, digests)
    done = cache_dir() / "objects" / key[:2] / f"{key[2:]}.o"
    if done.is_file():
        return done
    done.parent.mkdir(parents=True, exist_ok=True)
    with scratch(done.parent) as folder:
        made = folder / "object.o"
        command = toolchain.compile_command(source, cpu, opt, made)
        check(command, what=f"compiling {source.name}", cwd=made.parent, together=together)
        made.replace(done)
    return done
