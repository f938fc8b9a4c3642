"""A firmware file (UF2) for the emulated RP2040: what is in it, and whether it can run there.

Format: https://github.com/microsoft/uf2; the description inside the firmware is the pico-sdk's
"binary info" (pico/binary_info/structure.h).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

FLASH_BASE = 0x10000000
FLASH_SIZE = 2 * 1024 * 1024  # a Pico's

#: Variable that names the firmware file; without it `build/RPI_PICO/firmware.uf2` of the project.
VARIABLE = "MICROWAMP_FIRMWARE"

_BLOCK = 512
_MAGIC = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
_NOT_MAIN_FLASH = 0x00000001
_HAS_FAMILY = 0x00002000
_RP2040 = 0xE48BFF56
_FAMILIES = {
    0xE48BFF57: "an RP2350 (absolute)",
    0xE48BFF58: "an RP2350 (data)",
    0xE48BFF59: "an RP2350 (ARM)",
    0xE48BFF5A: "an RP2350 (RISC-V)",
    0xE48BFF5B: "an RP2350 (ARM, non-secure)",
    0xC47E5767: "an ESP32-S3",
    0xBFDD4EEE: "an ESP32-S2",
    0x1C5F21B0: "an ESP32",
    0xADA52840: "an nRF52840",
    0x68ED2B88: "a SAMD21",
    0x55114460: "a SAMD51",
}

_BOOT2 = 256  # octets of the second-stage boot loader, the last four of which are its CRC
_INFO_BEGIN, _INFO_END = 0x7188EBF2, 0xE71AA390
_ID_AND_STRING, _BLOCK_DEVICE = 6, 7
_PROGRAM, _VERSION, _BOARD = 0x02031C86, 0x11A9BC3A, 0xB63CFFBB


class FirmwareError(RuntimeError):
    """This firmware cannot run on the emulated board; the text says why and what to do."""


@dataclass(frozen=True)
class Firmware:
    """A checked firmware. image: the flash from its beginning, as far as the firmware goes.
    fs_start, fs_size: where its file system is, in octets from the beginning of the flash."""

    path: Path
    image: bytes
    version: str
    board: str
    fs_start: int
    fs_size: int

    @classmethod
    def load(cls, path: Path | str | None = None) -> Firmware:
        """Reads and checks a firmware file; raises FirmwareError. None: the project's own."""
        found = find(path)
        image = _flash(found, _read(found))
        if _crc32(image[: _BOOT2 - 4]) != struct.unpack_from("<I", image, _BOOT2 - 4)[0]:
            raise FirmwareError(
                f"{found} does not begin with a boot loader of the RP2040 (its checksum is wrong),"
                " so the chip would not start it: use a firmware.uf2 built for the RP2040"
            )
        strings, device = _describe(image)
        if strings.get(_PROGRAM) != "MicroPython" or device is None:
            program = strings.get(_PROGRAM, "a program that does not say its name")
            raise FirmwareError(f"{found} holds {program}, not MicroPython with a file system")
        start, size = device
        return cls(
            found, image, strings.get(_VERSION, ""), strings.get(_BOARD, "pico"), start, size
        )


def find(path: Path | str | None = None) -> Path:
    """The firmware file: `path`, or $MICROWAMP_FIRMWARE, or what `make firmware` built."""
    if path is None:
        named = os.environ.get(VARIABLE)
        path = named or Path(__file__).parents[3] / "build" / "RPI_PICO" / "firmware.uf2"
    path = Path(path)
    if not path.is_file():
        raise FirmwareError(
            f"there is no firmware at {path}: build it with `make firmware`, or set {VARIABLE} to"
            " the path of a firmware.uf2 for RPI_PICO"
        )
    return path


def _read(path: Path) -> list[tuple[int, bytes]]:
    """The blocks for the main flash: (address, octets)."""
    octets = path.read_bytes()
    blocks = []
    foreign = ""
    for start in range(0, len(octets), _BLOCK):
        block = octets[start : start + _BLOCK]
        if len(block) < _BLOCK or (
            struct.unpack_from("<2I", block) + struct.unpack_from("<I", block, 508) != _MAGIC
        ):
            raise FirmwareError(f"{path} is not a UF2 file, or is damaged at octet {start}")
        flags, address, size, _, _, family = struct.unpack_from("<6I", block, 8)
        if flags & _NOT_MAIN_FLASH:
            continue
        if flags & _HAS_FAMILY and family != _RP2040:
            foreign = _FAMILIES.get(family, f"a chip of the family {family:#010x}")
            continue
        if size > 476:
            raise FirmwareError(f"{path} is damaged at octet {start}: a block of {size} octets")
        blocks.append((address, block[32 : 32 + size]))
    if foreign and len(blocks) < 2:
        raise FirmwareError(
            f"{path} is a firmware for {foreign}; the emulated board has an RP2040: "
            "build it with BOARD=RPI_PICO"
        )
    if not blocks:
        raise FirmwareError(f"{path} is empty")
    return blocks


def _flash(path: Path, blocks: list[tuple[int, bytes]]) -> bytes:
    end = max(address + len(octets) for address, octets in blocks)
    if min(blocks)[0] < FLASH_BASE or end > FLASH_BASE + FLASH_SIZE:
        raise FirmwareError(
            f"{path} is not for this board's flash ({FLASH_SIZE >> 20} MiB at {FLASH_BASE:#x}): it"
            f" reaches from {min(blocks)[0]:#x} to {end:#x}"
        )
    image = bytearray(b"\xff") * max(end - FLASH_BASE, _BOOT2)
    for address, octets in blocks:
        image[address - FLASH_BASE : address - FLASH_BASE + len(octets)] = octets
    return bytes(image)


def _crc32(octets: bytes) -> int:
    """CRC-32/MPEG-2, which the boot ROM computes over the boot loader."""
    crc = 0xFFFFFFFF
    for octet in octets:
        crc ^= octet << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def _describe(image: bytes) -> tuple[dict[int, str], tuple[int, int] | None]:
    """What the firmware says of itself: strings by id, and its block device (start, size)."""
    strings: dict[int, str] = {}
    device: tuple[int, int] | None = None
    for place in range(_BOOT2, min(_BOOT2 + 256, len(image) - 20), 4):
        begin, first, last, _, end = struct.unpack_from("<5I", image, place)
        if begin == _INFO_BEGIN and end == _INFO_END:
            break
    else:
        return strings, device
    try:
        for pointer in range(first - FLASH_BASE, min(last - FLASH_BASE, len(image) - 4), 4):
            entry = struct.unpack_from("<I", image, pointer)[0] - FLASH_BASE
            kind = struct.unpack_from("<H", image, entry)[0]
            if kind == _ID_AND_STRING:
                key, text = struct.unpack_from("<2I", image, entry + 4)
                text -= FLASH_BASE
                strings[key] = image[text : image.index(b"\0", text)].decode("utf-8", "replace")
            elif kind == _BLOCK_DEVICE:
                _, start, size = struct.unpack_from("<3I", image, entry + 4)
                device = start - FLASH_BASE, size
    except (struct.error, ValueError):
        pass  # a damaged description: what was found so far must do
    return strings, device
