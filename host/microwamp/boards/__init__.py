"""Boards and what goes onto them, found in the source tree and in an installed wheel alike.

board("RPI_PICO").uarts[0].url          facts of boards/NAME/board.toml
device_files("armv6m")                  what `microwamp deploy` puts on a board
"""

from __future__ import annotations

import difflib
import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wamp
from wamp.errors import ConfigurationError

from . import bytecode

_HERE = Path(__file__).resolve()

#: How a board is proven: the words of docs/boards.md.
PROOFS = {
    "run": "run in CI, as itself",
    "emulated": "run in CI on emulated silicon",
    "compiled": "compiled and type-checked only, never run",
}


@dataclass(frozen=True)
class Uart:
    """A UART with pins that are free. receive: octets of its buffer; window: the link's."""

    id: int
    tx: int
    rx: int
    receive: int
    window: int

    @property
    def url(self) -> str:
        """What the board's program gives to `wamp.Client`."""
        return f"serial:{self.id}?tx={self.tx}&rx={self.rx}"


@dataclass(frozen=True)
class Console:
    """kind: "usb", "usb-serial-jtag", "uart" or "stdout". url: for the board's program."""

    kind: str
    url: str
    receive: int
    window: int


@dataclass(frozen=True)
class Modem:
    """What the lines of its console's port do to a board.

    dtr, rts: "none", "reset" or "boot". hupcl: what closing the port does, "none" or "reset".
    crosswise: both set together do nothing. settle_ms: time to start after a reset by them.
    """

    dtr: str
    rts: str
    hupcl: str
    crosswise: bool
    settle_ms: int


@dataclass(frozen=True)
class Flashing:
    """method: "uf2", "esptool" or "none"; the rest is that method's own."""

    method: str
    drive: str = ""
    families: tuple[int, ...] = ()
    offset: int = 0
    esptool_chip: str = ""
    image_chip: int = 0


@dataclass(frozen=True)
class Board:
    """One folder of boards/. usb, bootloader: "vid:pid" of its console and of its boot loader."""

    name: str
    title: str
    port: str
    chip: str
    arches: tuple[str, ...]
    led: str
    wifi: bool
    proof: str
    usb: tuple[str, ...]
    bootloader: tuple[str, ...]
    console: Console
    modem: Modem
    flashing: Flashing
    uarts: tuple[Uart, ...]
    flash: dict[str, Any]
    folder: Path


def source_tree() -> Path | None:
    """The repository, if this package is part of one; None for an installed wheel."""
    root = _HERE.parents[3]
    return root if (root / "boards" / "RPI_PICO" / "board.toml").is_file() else None


def _data(*parts: str) -> Path:
    """A folder of device data: boards, app."""
    root = source_tree()
    if root is None:
        return _HERE.parents[1].joinpath("_device", *parts)
    return root.joinpath("firmware", *parts) if parts[0] == "app" else root.joinpath(*parts)


def boards() -> dict[str, Board]:
    """All boards by name."""
    folders = sorted(path.parent for path in _data("boards").glob("*/board.toml"))
    return {folder.name: _load(folder) for folder in folders}


def board(name: str) -> Board:
    """A board by its name as upstream spells it. Raises ConfigurationError."""
    found = boards()
    if name not in found:
        near = difflib.get_close_matches(name.upper(), found, 3, 0.4)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        raise ConfigurationError(f"BOARD {name} is not known; known: {', '.join(found)}{hint}")
    return found[name]


@functools.lru_cache
def _load(folder: Path) -> Board:
    with open(folder / "board.toml", "rb") as file:
        facts = tomllib.load(file)
    flashing = dict(facts["flashing"])
    flashing["families"] = tuple(flashing.get("families", ()))
    return Board(
        name=facts["name"],
        title=facts["title"],
        port=facts["port"],
        chip=facts["chip"],
        arches=tuple(facts["bytecode"]),
        led=facts["led"],
        wifi=facts["wifi"],
        proof=facts["proof"],
        usb=tuple(facts["usb"]["ids"]),
        bootloader=tuple(facts["usb"]["bootloader"]),
        console=Console(**facts["console"]),
        modem=Modem(**facts["modem"]),
        flashing=Flashing(**flashing),
        uarts=tuple(Uart(**uart) for uart in facts.get("uart", ())),
        flash=facts.get("flash", {}),
        folder=folder,
    )


def library() -> Path:
    """The sources of the device library."""
    return Path(wamp.__path__[0]).resolve()


def application() -> Path:
    """The sources of the default application; main.py lies beside it."""
    return _data("app", "wampapp")


def bytecode_folder() -> Path:
    """The bytecode: what the wheel brought, or compiled now. Raises bytecode.CompileError."""
    root = source_tree()
    if root is None:
        return _data("mpy")
    packages = library(), application(), bytecode.accelerators(root)
    return bytecode.compile_packages(packages, root / "build" / "mpy")


def device_files(arch: str | None) -> dict[str, bytes]:
    """What goes on a board with stock MicroPython, by path.

    arch: the board's processor, of bytecode.ARCHES; None: bytecode without machine code.
    """
    folder = bytecode_folder()
    files = {}
    for kind in ("any", arch):
        if kind is not None:
            for path in sorted((folder / kind).glob("*/*.mpy")):
                files[f"/lib/{path.parent.name}/{path.name}"] = path.read_bytes()
    return files


def main_program() -> bytes:
    """The main.py that starts the default application."""
    return (application().parent / "main.py").read_bytes()
