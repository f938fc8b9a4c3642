"""Firmware onto boards: a look at what the file is for, then UF2 drive, picotool or esptool."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from wamp.errors import ConfigurationError, TransportError

from . import Board, boards, source_tree
from .remote import Remote

FAMILIES = {
    0xE48BFF56: "RP2040",
    0xE48BFF59: "RP2350 (ARM)",
    0xE48BFF5A: "RP2350 (RISC-V)",
    0x1C5F21B0: "ESP32",
    0xC47E5767: "ESP32-S3",
    0xD42BA06C: "ESP32-C3",
}
# A block that the RP2350's boot loader wants at the end of memory; it belongs to every family.
_ABSOLUTE = 0xE48BFF57
_CHIPS = {0: "ESP32", 2: "ESP32-S2", 5: "ESP32-C3", 9: "ESP32-S3", 13: "ESP32-C6"}

_XIP = 0x10000000  # where RP2 chips see their flash
_MAGIC = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
_FAMILY_PRESENT = 0x2000
_TABLE = 0x8000  # of ESP32 partitions, in flash
_SIZE_MAX = 16 << 20
_DRIVE_S = 20.0
_TOOL_S = 600.0
_INFO = "INFO_UF2.TXT"


def find(board: Board, given: str | None) -> Path:
    """The firmware file: the one given, else the one built here. Raises ConfigurationError."""
    end = "uf2" if board.flashing.method == "uf2" else "bin"
    if given is not None:
        return Path(given)
    root = source_tree()
    if root is not None:
        built = root / "build" / board.name / f"firmware.{end}"
        if built.is_file():
            return built
    raise ConfigurationError(
        f"no firmware for {board.name}: give --firmware FILE.{end}. `make firmware"
        f" BOARD={board.name}` in the source tree builds one with the library frozen in;"
        f" micropython.org/download/{board.name} has MicroPython's own (--download stable fetches"
        " it), on which `microwamp deploy` puts the library"
    )


def download(board: Board, version: str, folder: Path, say: Callable[[str], None]) -> Path:
    """MicroPython's own firmware through mpflash, kept in `folder`. version: "stable" or "1.25.0".

    Raises ConfigurationError without mpflash, TransportError if there is no such firmware.
    """
    program = shutil.which("mpflash")
    if program is None:
        raise ConfigurationError(
            "mpflash is missing: pip install mpflash (or take the file from"
            f" micropython.org/download/{board.name} and give --firmware)"
        )
    folder.mkdir(parents=True, exist_ok=True)
    words = [program, "download", "--board", board.name, "--version", version]
    run(words, say, {**os.environ, "MPFLASH_FIRMWARE": str(folder)})
    end = "uf2" if board.flashing.method == "uf2" else "bin"
    found = {}
    for path in (folder / board.port).glob(f"{board.name}-v*.{end}"):
        number = path.name.removeprefix(f"{board.name}-v").removesuffix(f".{end}")
        if re.fullmatch(r"\d+(\.\d+)*", number):  # no preview
            found[tuple(map(int, number.split(".")))] = path
    if version != "stable":
        wanted = folder / board.port / f"{board.name}-v{version.removeprefix('v')}.{end}"
        found = {(): wanted} if wanted.exists() else {}
    if not found:
        raise TransportError(
            f"mpflash found no firmware {version} for {board.name}: is there a network, and such a"
            f" version on micropython.org/download/{board.name}?"
        )
    return found[max(found)]


def check(board: Board, path: Path) -> bytes:
    """The octets of a firmware that is whole and for this board. Raises ConfigurationError."""
    try:
        size = path.stat().st_size
        octets = path.read_bytes() if size <= _SIZE_MAX else b""
    except OSError as e:
        raise ConfigurationError(f"firmware {path} cannot be read: {e.strerror}") from e
    if size > _SIZE_MAX or not octets:
        raise ConfigurationError(f"firmware {path} has {size:,} octets: it is none")
    if board.flashing.method == "uf2":
        _check_uf2(board, path, octets)
    elif board.flashing.method == "esptool":
        _check_esp(board, path, octets)
    else:
        raise ConfigurationError(f"{board.name} is not flashed")
    return octets


def _check_uf2(board: Board, path: Path, octets: bytes) -> None:
    if octets[:4] != struct.pack("<I", _MAGIC[0]):
        raise ConfigurationError(f"firmware {path} is not UF2, as {board.name} needs it")
    if len(octets) % 512:
        raise ConfigurationError(f"firmware {path} is cut off: download it again")
    seen: dict[int, set[int]] = {}
    total = 0
    room = board.flash["firmware"][1]
    for start in range(0, len(octets), 512):
        head = struct.unpack_from("<8I", octets, start)
        end = struct.unpack_from("<I", octets, start + 508)[0]
        if (head[0], head[1], end) != _MAGIC:
            raise ConfigurationError(f"firmware {path} is damaged at octet {start:,}")
        flags, target, size, number, count, family = head[2:]
        if not flags & _FAMILY_PRESENT:
            raise ConfigurationError(f"firmware {path} does not say what chip it is for")
        if family == _ABSOLUTE:
            continue
        if family not in board.flashing.families:
            what = FAMILIES.get(family, f"the family {family:#x}")
            raise ConfigurationError(
                f"firmware {path} is for {what}, and {board.name} has the chip {board.chip}"
            )
        if not 0 < size <= 476 or not _XIP <= target <= _XIP + room - size:
            raise ConfigurationError(
                f"firmware {path} reaches beyond the {room:,} octets that {board.name} has for it"
            )
        seen.setdefault(family, set()).add(number)
        total = count
    if len(seen) != 1 or len(next(iter(seen.values()))) != total:
        raise ConfigurationError(f"firmware {path} is not whole: download it again")


def _check_esp(board: Board, path: Path, octets: bytes) -> None:
    if octets[0] != 0xE9 or len(octets) < 16:
        raise ConfigurationError(
            f"firmware {path} is no image for an ESP32 (.bin), as {board.name} needs it"
        )
    chip = struct.unpack_from("<H", octets, 12)[0]
    if chip != board.flashing.image_chip:
        raise ConfigurationError(
            f"firmware {path} is for {_CHIPS.get(chip, f'chip {chip}')}, and {board.name} has the"
            f" chip {board.chip}"
        )
    table = _TABLE - board.flashing.offset
    if octets[table : table + 2] != b"\xaa\x50":
        raise ConfigurationError(
            f"firmware {path} is not whole: it has no partition table where {board.name} has it."
            " Take the file whose name begins with the board's, not micropython.bin"
        )
    if board.flashing.offset + len(octets) > board.flash["firmware"][1]:
        raise ConfigurationError(f"firmware {path} would reach into the file system")


# -- RP2 ------------------------------------------------------------------------------------------


def drives(mounts: Path = Path("/proc/mounts")) -> list[Path]:
    """Mounted drives of UF2 boot loaders."""
    found = []
    for line in mounts.read_text(errors="replace").splitlines():
        words = line.split(" ")
        if len(words) > 2 and words[2] == "vfat":
            path = Path(words[1].encode().decode("unicode_escape"))
            if (path / _INFO).is_file():
                found.append(path)
    return found


def _board_id(drive: Path) -> list[str]:
    # RP2350's says "Board-ID: RP2350", RP2040's "Board-ID: RPI-RP2".
    info = (drive / _INFO).read_text(errors="replace")
    return [line.partition(":")[2].strip() for line in info.splitlines() if "Board-ID" in line]


def boards_of(drive: Path) -> list[str]:
    """Names of the boards that a boot loader's drive may be of."""
    try:
        names = _board_id(drive)
    except OSError:
        return []
    return [board.name for board in boards().values() if [board.flashing.drive] == names]


def check_drive(board: Board, drive: Path) -> None:
    """Raises ConfigurationError unless a drive is that of this board's boot loader."""
    try:
        names = _board_id(drive)
    except OSError:
        raise ConfigurationError(
            f"{drive} is no drive of a UF2 boot loader: it has no {_INFO}"
        ) from None
    if names != [board.flashing.drive]:
        shown = ", ".join(names) or "nothing"
        raise ConfigurationError(
            f"{drive} is the drive of another board: its {_INFO} says {shown}, and {board.name}"
            f" would say {board.flashing.drive}"
        )


def enter_boot_loader(board: Board, port: str, baud: int) -> None:
    """From MicroPython into the boot loader. Raises ConfigurationError for another chip."""
    with Remote(port, baud) as remote:
        facts = remote.facts()
        chip = board.chip.replace("-", "")
        if not facts.machine.endswith(f"with {chip}"):
            raise ConfigurationError(
                f"port {port}: there is a {facts.machine}, and {board.name} has the chip"
                f" {board.chip}"
            )
        with contextlib.suppress(TransportError):
            remote.exec("import machine\nmachine.bootloader()", 1.0)


def wait_for_drive(
    board: Board,
    limit_s: float,
    found: Callable[[], list[Path]] = drives,
    labels: Path = Path("/dev/disk/by-label"),
) -> Path:
    """The one drive of a boot loader. Raises TransportError if there is none in time."""
    end = time.monotonic() + limit_s
    while True:
        paths = found()
        if len(paths) > 1:
            raise ConfigurationError(
                f"several boot loaders are there: say which with --drive ({_list(paths)})"
            )
        if paths:
            return paths[0]
        if time.monotonic() >= end:
            device = labels / board.flashing.drive
            if device.exists():
                raise TransportError(
                    f"the drive {board.flashing.drive} is there and not mounted: `sudo mount"
                    f" {device} FOLDER`, then --drive FOLDER"
                )
            raise TransportError(
                f"no drive {board.flashing.drive} is there: hold BOOTSEL while plugging the board"
                " in, and let the system mount it (or say where with --drive)"
            )
        time.sleep(0.2)


def _list(paths: list[Path]) -> str:
    return ", ".join(map(str, paths))


def copy(board: Board, octets: bytes, drive: Path) -> None:
    """Copy a firmware to a boot loader's drive and wait until the board has taken it."""
    check_drive(board, drive)
    target = drive / "firmware.uf2"
    try:
        with open(target, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
    except OSError as e:
        # The board goes away with the last block: that is how it says that it has all.
        if (drive / _INFO).exists():
            raise TransportError(f"{target} could not be written: {e.strerror}") from e
    end = time.monotonic() + _DRIVE_S
    while (drive / _INFO).exists():
        if time.monotonic() > end:
            raise TransportError(
                f"the board still shows its drive {drive} after {_DRIVE_S:.0f} s: it did not take"
                " the firmware; unplug it and try again"
            )
        time.sleep(0.1)


def picotool(path: Path) -> list[str] | None:
    """The command of picotool for a board in its boot loader, None if it is not installed."""
    program = shutil.which("picotool")
    return None if program is None else [program, "load", "-v", "-x", str(path)]


def run_picotool(command: list[str], say: Callable[[str], None]) -> None:
    """Run it; raises TransportError."""
    try:
        run(command, say)
    except TransportError as e:
        if "No accessible" in str(e):
            raise TransportError(f"{e}: hold BOOTSEL while plugging the board in") from e
        raise


# -- ESP32 ----------------------------------------------------------------------------------------


def esptool(board: Board, port: str, baud: int, path: Path) -> list[str]:
    """The command of esptool. Raises ConfigurationError if it is not installed."""
    import importlib.util

    if importlib.util.find_spec("esptool") is None:
        raise ConfigurationError("esptool is missing: pip install 'microwamp[deploy]'")
    words = [sys.executable, "-m", "esptool", "--chip", board.flashing.esptool_chip]
    words += ["--port", port, "--baud", str(baud)]
    return [*words, "write-flash", hex(board.flashing.offset), str(path)]


# What esptool says when it fails, and what that means: the last line of it is advice.
_ESPTOOL = (
    (
        r"This chip is ([\w-]+),? not",
        ConfigurationError,
        "there is an {found}, and {board.name} has the chip {board.chip}",
    ),
    (
        r"No serial data received|Failed to connect",
        TransportError,
        "no boot loader answers: hold BOOT (GPIO0 to ground) while pressing RESET, and try again",
    ),
    (
        r"serial exception|disconnected|Packet content transfer stopped|Invalid head of packet",
        TransportError,
        "the board stopped answering: was the cable pulled? Its boot loader is in ROM: flash it"
        " again, slower if need be (--baud 115200)",
    ),
)


def run_esptool(
    board: Board, port: str, baud: int, path: Path, say: Callable[[str], None]
) -> None:
    """Run it; raises TransportError, or ConfigurationError where another chip answers."""
    try:
        run(esptool(board, port, baud, path), say)
    except TransportError as e:
        for pattern, kind, text in _ESPTOOL:
            seen = re.search(pattern, str(e))
            if seen is not None:
                found = seen[1] if seen.groups() else ""
                raise kind(f"port {port}: " + text.format(found=found, board=board)) from e
        raise


def run(
    command: list[str], say: Callable[[str], None], env: Mapping[str, str] | None = None
) -> None:
    """Run a tool, its lines to `say`. Raises TransportError with what it says went wrong."""
    name = "esptool" if "esptool" in command else Path(command[0]).name
    last = wrong = ""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
    ) as child:
        assert child.stdout is not None
        timer = threading.Timer(_TOOL_S, child.kill)
        timer.start()
        try:
            for raw in child.stdout:
                text = raw.decode("utf-8", "replace")
                line = "".join(c if c.isprintable() else " " for c in text).strip()
                if line:
                    last = line
                    wrong = line if re.match(r"(A fatal )?error\b", line, re.I) else wrong
                    say(line)
        finally:
            timer.cancel()
    if child.returncode == -signal.SIGKILL:
        raise TransportError(f"{name} did not end within {_TOOL_S:.0f} s, and was ended")
    if child.returncode:
        reason = (wrong or last)[-300:] or f"status {child.returncode}"
        raise TransportError(f"{name} failed: {reason}")
