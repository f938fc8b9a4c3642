"""Build the firmware of a board, or the 32-bit unix port: see README.md in this folder."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import shutil
import struct
import sys
from pathlib import Path

import sources
import toolchain
from common import BUILD, ROOT, BuildError, fail, lock, run, same, say, step

BOARDS = ROOT / "boards"
DEBIAN_BOARDS = ("RPI_PICO", "RPI_PICO2")  # those whose sources are all in Debian
# Where it starts in flash: no linker script checks that.
FILE_SYSTEM = {"RPI_PICO": 0xA0000, "RPI_PICO2": 0x100000}
OLDEST = (1, 23)

# The firmware's family in a UF2 file, by the chip's name in board.json; of the RP2350's ARM cores.
FAMILIES = {"rp2040": 0xE48BFF56, "rp2350": 0xE48BFF59}
RP2_FLASH = 0x10000000
UF2_MAGIC = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
UF2_FAMILY_PRESENT = 0x2000
UF2_EXTENSION_PRESENT = 0x8000
UF2_ABSOLUTE = 0xE48BFF57  # the family of what belongs to no partition
UF2_IGNORE_BLOCK = 0x9957E304
IMAGE_START = 0xFFFFDED3  # the RP2350's boot ROM starts nothing without this in the first 4 KiB


class Build:
    """One tree of sources and how to build in it without writing into it."""

    def __init__(self, mpy_dir: str | None, jobs: int, stock: bool = False) -> None:
        self.stock = stock
        pinned = not mpy_dir
        self.tree = checkout(mpy_dir) if mpy_dir else sources.tree()
        self.jobs = f"-j{jobs}"
        # Paths below the repository are hashed relative to it, so a build in another clone hits
        # the cache too. The version of the pinned sources comes from us, that of others from their
        # own git or mpconfig.h: git must not find this repository, or another one, around them.
        self.env = {"CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "1"}
        # Upstream's generators walk sets: the same sources shall give the same firmware.
        self.env["PYTHONHASHSEED"] = "0"
        self.env["GIT_CEILING_DIRECTORIES"] = str(self.tree.parent)
        if pinned:
            self.env["MICROPY_GIT_TAG"] = sources.MICROPYTHON_TAG
            self.env["SOURCE_DATE_EPOCH"] = sources.MICROPYTHON_DATE

    def folder(self, name: str, *inputs: str) -> Path:
        """build/NAME, emptied if it was made from another tree or with other settings."""
        path = BUILD / name
        stamp = "\n".join([str(self.tree), *inputs])
        if not same(path / "inputs", stamp):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
            (path / "inputs").write_text(stamp)
        (path / "build.log").unlink(missing_ok=True)
        return path

    def mpy_lib(self) -> Path:
        """micropython-lib; the builds insist on its README even if nothing is taken from it."""
        own = self.tree / "lib" / "micropython-lib"
        if (own / "README.md").exists():
            return own
        empty = BUILD / "micropython-lib"
        empty.mkdir(exist_ok=True)
        (empty / "README.md").write_text("Empty: our manifests take nothing from here.\n")
        return empty

    def mpy_cross(self) -> None:
        """The compiler to bytecode, which freezes the modules; later steps find it in env."""
        folder = self.folder("mpy-cross")
        cc = " ".join([*toolchain.launcher(), "gcc"])
        with step("building mpy-cross"):
            make = ["make", self.jobs, "-C", str(self.tree / "mpy-cross")]
            run([*make, f"BUILD={folder}", f"CC={cc}"], env=self.env, log=folder / "build.log")
        self.env["MICROPY_MPYCROSS"] = str(folder / "mpy-cross")

    def manifest(self, board: str, port: Path, folder: Path) -> Path:
        """boards/BOARD/manifest.py, or what upstream freezes for the board and our library.

        Stock: what MicroPython's own firmware has, nothing of ours.
        """
        if self.stock:
            path = folder / "manifest.py"
            modules = 'freeze("$(PORT_DIR)/modules")\n'
            text = modules + 'include("$(MPY_DIR)/extmod/asyncio")\n'
            if not same(path, text):
                path.write_text(text)
            return path
        own = BOARDS / board / "manifest.py"
        if own.exists():
            return own
        boards = port / "boards"
        theirs = [path for path in (boards / board, boards) if (path / "manifest.py").exists()]
        include = str(theirs[0] / "manifest.py") if theirs else "$(MPY_DIR)/extmod/asyncio"
        library = str(ROOT / "firmware" / "lib")
        path = folder / "manifest.py"
        path.write_text(f"include({include!r})\npackage('wamp', base_path={library!r})\n")
        return path

    def firmware(self, board: str) -> None:
        port = find_port(self.tree, board)
        chip = json.loads((port / "boards" / board / "board.json").read_text()).get("mcu")
        rp2 = port.name == "rp2" and chip in FAMILIES
        toolchain.ensure(toolchain.ARM if rp2 else toolchain.HOST)
        self.mpy_cross()
        if rp2:
            self.rp2(board, port, chip)
        else:
            self.other(board, port)

    def rp2(self, board: str, port: Path, chip: str) -> None:
        needed = ("lib/pico-sdk/pico_sdk_init.cmake", "lib/tinyusb/src", "lib/mbedtls/library")
        absent = [path for path in needed if not (self.tree / path).exists()]
        if absent:
            fail(
                f"{self.tree} lacks submodules ({', '.join(absent)});"
                f" run: make -C {port} BOARD={board} submodules"
            )
        variables = toolchain.without_libstdcxx(BUILD / "no-libstdc++")
        # GCC 14 sees an overflow in Mbed TLS that is none; -Werror would make it the end.
        variables["CFLAGS"] = "-Wno-error=array-bounds"
        settings: dict[str, object] = {
            "MICROPY_BOARD": board,
            "MICROPY_LIB_DIR": self.mpy_lib(),
            "PICO_NO_PICOTOOL": 1,  # else the SDK would fetch and build it, for the UF2 alone
            "Python3_EXECUTABLE": sys.executable,
        }
        for language in ("C", "CXX") if toolchain.launcher() else ():
            settings[f"CMAKE_{language}_COMPILER_LAUNCHER"] = "ccache"
        words = [f"-D{key}={value}" for key, value in settings.items()]
        name = f"{board}-stock" if self.stock else board
        folder = self.folder(name, json.dumps([words, variables]))
        manifest = self.manifest(board, port, folder)
        log = folder / "build.log"
        env = {**self.env, **variables}
        objects = folder / "obj"
        with step(f"building the firmware of {name}"):
            if not any((objects / name).exists() for name in ("Makefile", "build.ninja")):
                words.append(f"-DMICROPY_FROZEN_MANIFEST={manifest}")
                run(["cmake", "-S", port, "-B", objects, *words], env=env, log=log)
            run(["cmake", "--build", objects, self.jobs], env=env, log=log)
        elf, binary, uf2 = (objects / f"firmware.{end}" for end in ("elf", "bin", "uf2"))
        run(["arm-none-eabi-objcopy", "-O", "binary", elf, binary], log=log)
        convert = [sys.executable, str(self.tree / "tools" / "uf2conv.py"), "-c"]
        where = ["-b", hex(RP2_FLASH), "-f", hex(FAMILIES[chip])]
        run([*convert, *where, "-o", uf2, binary], log=log)
        size = check_uf2(uf2, FAMILIES[chip])
        if chip == "rp2350":
            if struct.pack("<I", IMAGE_START) not in binary.read_bytes()[:4096]:
                fail(f"{binary} has no image definition: the RP2350 would not start it")
            uf2.write_bytes(absolute_block() + uf2.read_bytes())
        room = FILE_SYSTEM.get(board, size)
        if size > room:
            fail(f"the firmware is {size - room:,} octets too large: it reaches the file system")
        os.replace(uf2, folder / "firmware.uf2")
        say(f"{(folder / 'firmware.uf2').relative_to(ROOT)}: {size:,} octets of {room:,}")

    def other(self, board: str, port: Path) -> None:
        """Every other port through its own Makefile, with what that needs (ESP-IDF, picotool)."""
        folder = self.folder(f"{board}-stock" if self.stock else board)
        manifest = self.manifest(board, port, folder)
        log = folder / "build.log"
        objects = folder / "obj"
        with step(f"building the firmware of {board} with {port.name}'s own Makefile"):
            words = [f"BOARD={board}", f"BUILD={objects}", f"FROZEN_MANIFEST={manifest}"]
            run(["make", self.jobs, "-C", port, *words], env=self.env, log=log)
        made = [p for p in sorted(objects.glob("firmware.*")) if p.suffix != ".map"]
        for path in made:
            shutil.copy2(path, folder / path.name)
        if not made:
            fail(f"{port.name} built no firmware.* (see {log})")
        say("built " + ", ".join(str((folder / p.name).relative_to(ROOT)) for p in made))

    def unix32(self) -> None:
        if os.uname().sysname != "Linux" or os.uname().machine != "x86_64":
            fail("the 32-bit unix port is built on x86-64 Linux only (gcc -m32)")
        toolchain.ensure(toolchain.UNIX32)
        self.mpy_cross()
        folder = self.folder("unix32")
        manifest = folder / "manifest.py"
        # asyncio only: the library is imported from its sources, so that edits are seen at once.
        text = 'include("$(MPY_DIR)/extmod/asyncio")\n'
        if not same(manifest, text):
            manifest.write_text(text)
        switches: dict[str, object] = {
            "MICROPY_FORCE_32BIT": 1,
            # Each of these wants a 32-bit library of its own, or a submodule.
            **dict.fromkeys(("MICROPY_PY_BTREE", "MICROPY_PY_FFI", "MICROPY_PY_SSL"), 0),
            "MICROPY_SSL_MBEDTLS": 0,
            "MPY_LIB_DIR": self.mpy_lib(),
            "FROZEN_MANIFEST": manifest,
            "BUILD": folder / "obj",
            "CC": " ".join([*toolchain.launcher(), "gcc", "-m32"]),
        }
        with step("building the 32-bit unix port"):
            words = [f"{key}={value}" for key, value in switches.items()]
            make = ["make", self.jobs, "-C", str(self.tree / "ports" / "unix")]
            run([*make, *words], env=self.env, log=folder / "build.log")
        program = folder / "micropython"
        shutil.copy2(folder / "obj" / "micropython", program)
        check = "import sys, asyncio; print(sys.maxsize)"
        if run([program, "-X", "heapsize=234k", "-c", check]).strip() != str(2**31 - 1):
            fail(f"{program} does not behave like a 32-bit MicroPython")
        say(f"{program.relative_to(ROOT)}: {program.stat().st_size:,} octets")


def checkout(mpy_dir: str) -> Path:
    """A MicroPython source tree of a version we support, or an error that says why not."""
    tree = Path(mpy_dir).expanduser().resolve()
    config = tree / "py" / "mpconfig.h"
    if not config.is_file() or not (tree / "ports").is_dir():
        fail(f"MPY_DIR={mpy_dir} is no MicroPython checkout: it has no py/mpconfig.h or no ports")
    found = re.findall(r"MICROPY_VERSION_(?:MAJOR|MINOR) (\d+)", config.read_text())
    version = tuple(int(number) for number in found)
    if len(version) != 2 or version < OLDEST:
        shown = ".".join(found) or "of unknown version"
        fail(f"MPY_DIR={mpy_dir} is MicroPython {shown}; 1.23 or newer is needed")
    return tree


def find_port(tree: Path, board: str) -> Path:
    """The port that has this board."""
    configs = tree.glob("ports/*/boards/*/mpconfigboard.*")
    found = {path.parent.name: path.parents[2] for path in configs}
    if board not in found:
        near = difflib.get_close_matches(board.upper(), found, 8, 0.5)
        hint = f" Nearest: {', '.join(near)}." if near else ""
        fail(
            f"BOARD={board} is none of the {len(found)} boards of {tree}.{hint}"
            f" All: ls -d {tree}/ports/*/boards/*/"
        )
    return found[board]


def absolute_block() -> bytes:
    """What the SDK has picotool put before an image for an RP2350, as chips of the first stepping
    want it: a block for the end of memory, which is not written."""
    flags = UF2_FAMILY_PRESENT | UF2_EXTENSION_PRESENT
    head = (*UF2_MAGIC[:2], flags, RP2_FLASH + 0xFFFF00, 256, 0, 2, UF2_ABSOLUTE)
    data = b"\xef" * 256 + struct.pack("<I", UF2_IGNORE_BLOCK)
    return struct.pack("<8I", *head) + data.ljust(476, b"\0") + struct.pack("<I", UF2_MAGIC[2])


def check_uf2(path: Path, wanted: int) -> int:
    """The size of the image in flash; BuildError unless it is one whole image of that family."""
    data = path.read_bytes()
    count = len(data) // 512
    address = RP2_FLASH
    for index in range(count):
        block = data[512 * index : 512 * index + 512]
        start, second, flags, target = struct.unpack_from("<4I", block)
        size, number, total, family = struct.unpack_from("<4I", block, 16)
        end = struct.unpack_from("<I", block, 508)[0]
        if (start, second, end) != UF2_MAGIC:
            fail(f"{path}: block {index} is not UF2")
        if not flags & UF2_FAMILY_PRESENT or family != wanted:
            fail(f"{path}: block {index} is for the family {family:#x}, not for {wanted:#x}")
        if (target, number, total) != (address, index, count) or not 0 < size <= 476:
            fail(f"{path}: block {index} is out of order")
        address += size
    if not count or len(data) % 512:
        fail(f"{path} is not a whole number of UF2 blocks")
    return address - RP2_FLASH


def main() -> int:
    parser = argparse.ArgumentParser(prog="firmware/build/build.py", description=__doc__)
    parser.add_argument("what", choices=("sources", "firmware", "unix32"))
    parser.add_argument("--board", default="RPI_PICO", help="a board, named as upstream names it")
    parser.add_argument("--mpy-dir", help="MicroPython checkout instead of Debian's sources")
    parser.add_argument("--stock", action="store_true", help="with nothing of ours frozen in")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    try:
        if not options.mpy_dir:
            if options.what == "firmware" and options.board not in DEBIAN_BOARDS:
                fail(
                    f"BOARD={options.board} is not known; from Debian's sources:"
                    f" {', '.join(DEBIAN_BOARDS)}. For any other board give"
                    " MPY_DIR=<MicroPython checkout> as well."
                )
            sources.check_system()
        with lock():
            build = Build(options.mpy_dir, options.jobs, options.stock)
            if options.what == "firmware":
                build.firmware(options.board)
            elif options.what == "unix32":
                build.unix32()
    except BuildError as e:
        print("firmware: error:", e, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
