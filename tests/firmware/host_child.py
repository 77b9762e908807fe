"""Runs inferences of a shared library in a process of its own: a trap or fault there must not end the tests.

Reads a pickled (library, arena bytes, input places, output places, layers, list of inputs) from stdin; writes the outputs.
"""

import ctypes
import pickle
import sys


def main() -> None:
    library, arena_bytes, inputs, outputs, layers, rounds = pickle.load(sys.stdin.buffer)
    dll = ctypes.CDLL(library)
    arena = (ctypes.c_uint8 * arena_bytes).in_dll(dll, "wc_arena")
    status = ctypes.c_int32.in_dll(dll, "wc_status")
    results = []
    for values in rounds:
        ctypes.memset(arena, 0x55, arena_bytes)  # kernels must not rely on what the arena held
        for (offset, size), data in zip(inputs, values, strict=True):
            arena[offset : offset + size] = data
        dll.wc_infer()
        if dll.host_layers() != layers or status.value:
            sys.exit(f"layers or status wrong: status {status.value}")
        results.append([bytes(arena[offset : offset + size]) for offset, size in outputs])
    sys.stdout.buffer.write(pickle.dumps(results))


if __name__ == "__main__":
    main()
