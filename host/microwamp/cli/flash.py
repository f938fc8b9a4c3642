"""`microwamp flash BOARD [PORT]`: firmware onto a board."""

import argparse
import json
import os
import re
import sys
from pathlib import Path

from wamp.errors import ConfigurationError

from .. import boards
from ..boards import flashing, remote


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    names = ", ".join(name for name in boards.boards() if name != "UNIX")
    parser.add_argument("board", metavar="BOARD", help=names)
    parser.add_argument(
        "port",
        metavar="PORT",
        nargs="?",
        help="RP2: a board that runs MicroPython, to be brought into its boot loader;"
        " ESP32: its port, needed",
    )
    parser.add_argument(
        "--firmware", metavar="FILE", help=".uf2 or .bin (default: what was built here)"
    )
    parser.add_argument(
        "--download",
        metavar="VERSION",
        help='MicroPython\'s own firmware, "stable" or a number, through mpflash',
    )
    parser.add_argument("--drive", metavar="FOLDER", help="the boot loader's drive, for RP2")
    parser.add_argument(
        "--baud", type=int, default=460800, help="of esptool (default 460800; slower if it fails)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done, write nothing"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Flash; raises ConfigurationError, TransportError."""
    board = boards.board(options.board)
    if options.download is None:
        path = flashing.find(board, options.firmware)
    elif options.firmware is not None:
        raise ConfigurationError("--firmware or --download, not both")
    elif not re.fullmatch(r"stable|v?\d+(\.\d+){1,2}", options.download):
        raise ConfigurationError(f'--download {options.download}: "stable" or a number as 1.25.0')
    else:
        path = flashing.download(
            board, options.download, _cache(), lambda line: _say(options, line)
        )
    octets = flashing.check(board, path)
    if board.flashing.method == "esptool":
        how = _esp32(options, board, path)
    else:
        how = _rp2(options, board, path, octets)
    done = {"board": board.name, "firmware": str(path), "octets": len(octets), "how": how}
    if options.json:
        print(json.dumps({**done, "dry_run": options.dry_run}))
    else:
        verb = "would go" if options.dry_run else "went"
        print(f"{path} ({len(octets):,} octets) {verb} onto {board.name}: {how}")
    return 0


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "microwamp" / "firmware"


def _say(options: argparse.Namespace, line: str) -> None:
    if not options.json:
        print(f"  {line}", file=sys.stderr)


def _esp32(options: argparse.Namespace, board: boards.Board, path: Path) -> str:
    if options.port is None:
        raise ConfigurationError(f"{board.name} is flashed through its port: name it (PORT)")
    if options.drive is not None:
        raise ConfigurationError(f"--drive is for boards with a UF2 drive, not for {board.name}")
    remote.check_port(options.port)
    command = flashing.esptool(board, options.port, options.baud, path)
    how = " ".join(["esptool", *command[3:]])
    if not options.dry_run:
        flashing.run_esptool(
            board, options.port, options.baud, path, lambda line: _say(options, line)
        )
    return how


def _rp2(options: argparse.Namespace, board: boards.Board, path: Path, octets: bytes) -> str:
    drive = Path(options.drive) if options.drive is not None else None
    if drive is not None:
        flashing.check_drive(board, drive)
    elif options.port is not None and options.dry_run:
        remote.check_port(options.port)
        return f"machine.bootloader() on {options.port}, then its drive {board.flashing.drive}"
    elif options.port is not None:
        flashing.enter_boot_loader(board, options.port, 115200)
        drive = flashing.wait_for_drive(board, 20.0)
    elif not flashing.drives() and (command := flashing.picotool(path)) is not None:
        if not options.dry_run:
            flashing.run_picotool(command, lambda line: _say(options, line))
        return "picotool " + " ".join(command[1:])
    else:
        drive = flashing.wait_for_drive(board, 0.0)
    flashing.check_drive(board, drive)
    if not options.dry_run:
        flashing.copy(board, octets, drive)
    return f"the drive {drive}"
