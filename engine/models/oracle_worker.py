"""The oracle in a process of its own: lengths and bytes of model and inputs on stdin, outputs on stdout."""

from __future__ import annotations

import struct
import sys

from engine.errors import WhycyclesError
from engine.models.oracle import Oracle


def main() -> int:
    """Run all inputs; 0 if every output was written."""
    message = sys.stdin.buffer.read()
    parts, at = [], 0
    while at < len(message):
        size: int = struct.unpack_from("<Q", message, at)[0]
        parts.append(message[at + 8 : at + 8 + size])
        at += 8 + size
    try:
        outputs = Oracle(parts[0]).run_many(parts[1:])
    except WhycyclesError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    sys.stdout.buffer.write(b"".join(outputs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
