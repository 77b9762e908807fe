"""The checksum at the end of the RP2040's second boot stage: without it the boot ROM does not start the program.

RP2040 Datasheet section 2.8.1.3.1, as raspberrypi/pico-sdk:src/rp2_common/boot_stage2 pads it: CRC-32 with polynomial 0x04c11db7, first value all ones,
bits not reflected, result not inverted, over the 252 bytes before it.
"""

from __future__ import annotations

from pathlib import Path

from elftools.elf.elffile import ELFFile

from engine.errors import BuildError

BOOT_BYTES = 256
_CODE_BYTES = BOOT_BYTES - 4
_POLYNOMIAL = 0x04C11DB7


def boot_checksum(code: bytes) -> int:
    """The checksum of the first 252 bytes of a boot block."""
    crc = 0xFFFFFFFF
    for byte in code:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (_POLYNOMIAL if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def seal(elf: Path) -> None:
    """Write the checksum into the ELF's section ``.boot2``. Raises BuildError where that is not 256 bytes."""
    with elf.open("rb") as stream:
        section = ELFFile(stream).get_section_by_name(".boot2")
        if section is None or section["sh_size"] != BOOT_BYTES:
            raise BuildError("the second boot stage is not 256 bytes", hint="report this as a bug")
        at, code = int(section["sh_offset"]), bytes(section.data()[:_CODE_BYTES])
    with elf.open("r+b") as stream:
        stream.seek(at + _CODE_BYTES)
        stream.write(boot_checksum(code).to_bytes(4, "little"))
