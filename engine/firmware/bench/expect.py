"""The checksums a benchmark firmware must answer, computed on the host from what each benchmark is said to do."""

from __future__ import annotations

from engine.firmware.bench.types import STEP, WORD_BYTES, Benchmark, Plan, Work

_MASK = 0xFFFFFFFF


def expected_output(plan: Plan, seed: bytes) -> bytes:
    """The output for a seed (4 bytes, little-endian): one 32-bit checksum for each benchmark, in their order."""
    value = int.from_bytes(seed, "little")
    constant = {b.memory for b in plan.buffers if b.constant}
    return b"".join(_checksum(b, value, constant).to_bytes(WORD_BYTES, "little") for b in plan.benchmarks)


def _checksum(b: Benchmark, seed: int, constant: set[str]) -> int:
    match b.work:
        case Work.MAC:
            return _mac(b, seed) & _MASK
        case Work.READ:
            return _read(b, 0 if b.memory in constant else seed) & _MASK
        case Work.COPY:
            return _copied(b, 0 if b.memory in constant else seed) & _MASK


def _mac(b: Benchmark, seed: int) -> int:
    a, factor = seed, (2 * seed + 3) & _MASK
    match b.instructions:
        case "MULS+ADDS":
            total = 0
            for _ in range(b.macs):
                a = a * factor & _MASK
                total += a
            return total
        case "SMLAD":
            halves = zip(_halves(a), _halves(factor), strict=True)
            return b.macs // 2 * sum(x * y for x, y in halves)
        case "VMLADAV":
            return b.macs // 4 * sum(x * y for x, y in zip(_bytes(a), _bytes(factor), strict=True))
        case "VFMA.F32":
            return b.macs * ((seed & 3) + 1) * ((seed >> 2 & 3) + 1)
        case _:
            return b.macs * a * factor


def _halves(word: int) -> tuple[int, int]:
    """The two signed halfwords of a word."""
    low, high = word & 0xFFFF, word >> 16
    return low - (low >> 15 << 16), high - (high >> 15 << 16)


def _bytes(word: int) -> tuple[int, ...]:
    """The four signed bytes of a word."""
    return tuple(b - (b >> 7 << 8) for b in word.to_bytes(WORD_BYTES, "little"))


def _read(b: Benchmark, base: int) -> int:
    p = b.pattern
    assert p is not None
    words = (block * p.step_bytes // WORD_BYTES + p.sampled_word for block in range(p.blocks))
    return b.passes * sum(base + i * STEP for i in words)


def _copied(b: Benchmark, base: int) -> int:
    p = b.pattern
    assert p is not None
    words = p.touched_bytes // WORD_BYTES
    return words * base + STEP * (words * (words - 1) // 2)
