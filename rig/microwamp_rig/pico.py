"""`microwamp-rig pico`: an emulated Raspberry Pi Pico, as if it were plugged in here.

Without a firmware it is a new board whose BOOTSEL button was held: a folder plays the drive of its
boot loader and takes the firmware that `microwamp flash RPI_PICO --drive FOLDER` copies there.
Then it runs that firmware, with an empty file system, and its console and UART0 are ports that
other programs can open. It keeps its own time, some thirty times slower than the chip when it is
busy.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

from microwamp_rig.board import BoardError
from microwamp_rig.rp2040 import Firmware, FirmwareError, Rp2040Board

_INFO = "INFO_UF2.TXT"
_INFO_TEXT = "UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n"
_LOOK_S = 0.1
_BLOCK = 512


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "--firmware",
        metavar="FILE",
        help="start with this .uf2 (default: as a new board in its boot loader)",
    )
    parser.add_argument(
        "--drive",
        metavar="FOLDER",
        type=Path,
        default=Path("RPI-RP2"),
        help="the drive of its boot loader (default: RPI-RP2, made here)",
    )
    parser.add_argument("--port", metavar="PATH", type=Path, help="a link to its console's port")
    parser.add_argument("--uart", metavar="PATH", type=Path, help="a link to the port at UART0")
    parser.add_argument("--seed", type=int, default=0, help="of its chance (default: 0)")


def run(options: argparse.Namespace) -> int:
    """Until a signal comes; raises FirmwareError, BoardError, OSError."""
    return asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> int:
    task = asyncio.create_task(_live(options))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        pass
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    return 0


async def _live(options: argparse.Namespace) -> None:
    if options.firmware is not None:
        firmware = Firmware.load(options.firmware)
    else:
        firmware = await _boot_loader(options.drive)
    board = Rp2040Board(firmware=firmware, seed=options.seed, uart="pty", console="pty")
    async with board:
        with _link(options.port, board.console_port), _link(options.uart, board.port):
            version = f"MicroPython {firmware.version}".strip()
            print(
                f"{version}: console {options.port or board.console_port},"
                f" UART0 {options.uart or board.port}",
                flush=True,
            )
            await board.ended()


async def _boot_loader(drive: Path) -> Firmware:
    """Show the drive until a firmware has come that the board can run."""
    made = not drive.exists()
    drive.mkdir(parents=True, exist_ok=True)
    info = drive / _INFO
    if any(path.name != _INFO for path in drive.iterdir()):
        raise BoardError(f"{drive} is not empty: name another folder with --drive")
    info.write_text(_INFO_TEXT)
    print(f"boot loader: its drive is {drive}", flush=True)
    try:
        while True:
            await asyncio.sleep(_LOOK_S)
            for path in sorted(drive.glob("*.uf2")):
                if not _is_whole(path):
                    continue
                try:
                    firmware = Firmware.load(path)
                except FirmwareError as error:
                    # The chip's own would ignore it, without a word.
                    path.unlink()
                    print(f"boot loader: {error}", flush=True)
                    continue
                path.unlink()
                return firmware
    finally:
        info.unlink(missing_ok=True)
        if made:
            with contextlib.suppress(OSError):
                drive.rmdir()


def _is_whole(path: Path) -> bool:
    """Whether all the blocks are there that a UF2 file announces; True for what is none."""
    octets = path.read_bytes()
    if len(octets) < _BLOCK:
        return False
    start = 0
    while start + _BLOCK <= len(octets):
        magic, _, _, _, _, _, count, _ = struct.unpack_from("<8I", octets, start)
        if magic != 0x0A324655:
            return True
        start += count * _BLOCK if count else _BLOCK
    return start == len(octets)


@contextlib.contextmanager
def _link(path: Path | None, port: str) -> Iterator[None]:
    """A name for a port, as long as the board is there; one of an earlier board is replaced."""
    if path is None:
        yield
        return
    if path.is_symlink():
        path.unlink()
    os.symlink(port, path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
