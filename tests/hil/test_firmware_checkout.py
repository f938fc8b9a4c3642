"""`make firmware BOARD=... MPY_DIR=<checkout>`: firmware from somebody's own MicroPython sources.

They are the tree of the pinned sources here; nothing may be written into it. What is built is for
the RP2350, which no emulator runs: looked at is what its boot ROM and `microwamp flash` look at.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from microwamp import boards
from microwamp.boards import flashing

pytestmark = [pytest.mark.hil, pytest.mark.emulated]

ROOT = Path(__file__).parents[2]
CHECKOUT = ROOT / "build" / "src" / "micropython"
NEEDED = ("Makefile", "firmware", "boards")


def listed(folder: Path) -> dict[str, tuple[int, int]]:
    found = ((path, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): (stat.st_size, stat.st_mtime_ns) for path, stat in found}


def test_firmware_for_an_rp2350_from_a_checkout(tmp_path: Path) -> None:
    """In a copy of this repository, whose own products stay as they are."""
    root = tmp_path / "microwamp"
    root.mkdir()
    for name in NEEDED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, root / name)
    before = listed(CHECKOUT)
    done = subprocess.run(
        ["make", "firmware", "BOARD=RPI_PICO2", f"MPY_DIR={CHECKOUT}", f"PYTHON={sys.executable}"],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1000,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert listed(CHECKOUT) == before
    path = root / "build" / "RPI_PICO2" / "firmware.uf2"
    octets = flashing.check(boards.boards()["RPI_PICO2"], path)
    image = b"".join(octets[at + 32 : at + 288] for at in range(512, len(octets), 512))
    stack, entry = struct.unpack_from("<2I", image)
    assert 0x20000000 < stack <= 0x20082000 and 0x10000000 < entry < 0x10100000 and entry & 1
    for text in (b"wampapp", b"cryptosign", b"Raspberry Pi Pico2"):
        assert text in image, text
