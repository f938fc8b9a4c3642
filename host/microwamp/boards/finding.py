"""Boards on this machine's ports, by names that stay, and what commonly stands in the way."""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import boards

# Programs that open ports of their own accord, and what to do about them.
_MEDDLERS = {
    "ModemManager": "ModemManager talks to new ports for some seconds, as if they were modems:"
    " ID_MM_DEVICE_IGNORE=1 in a udev rule, or `systemctl stop ModemManager`",
    "brltty": "brltty takes USB-serial chips for Braille displays: `apt remove brltty`",
}
# The chips that brltty's udev rules claim (CH340, CP210x).
_BRLTTY_CHIPS = ("1a86:7523", "10c4:ea60")
_BUSY_S = 1.0  # how long a port may be in use before that is an error


@dataclass
class Port:
    """A port. name: the stable one, if there is; boards: what it may be, by its USB ids."""

    device: str
    name: str
    usb: str
    serial: str
    product: str
    boards: list[str]
    boot: bool


@dataclass
class Trap:
    """Something that stands in the way. port: "" if it is the machine's."""

    port: str
    text: str


def ports(by_id: Path = Path("/dev/serial/by-id")) -> list[Port]:
    """USB ports and those with a stable name, the stable name first."""
    from serial.tools import list_ports

    stable = {os.path.realpath(path): str(path) for path in sorted(by_id.glob("*"))}
    return [describe(info, stable) for info in list_ports.comports() if info.vid is not None]


def describe(info: Any, stable: dict[str, str]) -> Port:
    """One of pyserial's ports, with what we know of its USB ids."""
    usb = f"{info.vid:04x}:{info.pid:04x}"
    names = [board.name for board in boards().values() if usb in board.usb]
    boot = [board.name for board in boards().values() if usb in board.bootloader]
    return Port(
        device=info.device,
        name=stable.get(os.path.realpath(info.device), info.device),
        usb=usb,
        serial=info.serial_number or "",
        product=info.product or info.description or "",
        boards=names or boot,
        boot=not names and bool(boot),
    )


def traps(found: list[Port], proc: Path = Path("/proc")) -> list[Trap]:
    """What stands in the way of these ports: permissions, other programs."""
    result = []
    running = _running(proc)
    for name, text in _MEDDLERS.items():
        chips = name != "brltty" or any(port.usb in _BRLTTY_CHIPS for port in found)
        if name in running and chips:
            result.append(Trap("", text))
    for port in found:
        text = trap(port.device, proc)
        if text:
            result.append(Trap(port.device, text))
    return result


def trap(device: str, proc: Path = Path("/proc")) -> str:
    """What stands in the way of a port, or "": a program that has it open, locked or not."""
    text = refusal(device, proc)
    if not text:
        holders = _holders(device, proc)
        text = f"in use by {holders}" if holders else ""
    return text


def refusal(device: str, proc: Path = Path("/proc")) -> str:
    """Why a port cannot be opened, or "". Opens it, but says nothing to it."""
    if not os.path.exists(device):
        return "it does not exist; `microwamp ports` lists them"
    if not os.access(device, os.R_OK | os.W_OK):
        return f"no permission: `sudo usermod -aG {_group(device)} $USER`, then log in anew"
    try:
        fd = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as e:
        return f"it cannot be opened: {e.strerror}"
    try:
        if not _locked(fd):
            return f"in use by {_holders(device, proc) or 'another program'}; stop it first"
    finally:
        os.close(fd)
    return ""


def _locked(fd: int) -> bool:
    """Takes the lock that pyserial takes. Who only looks, as a modem manager does when a port
    appears, has it for a moment; so has a process that is just being started by one that did."""
    end = time.monotonic() + _BUSY_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        else:
            return True


def _group(device: str) -> str:
    import grp

    try:
        return grp.getgrgid(os.stat(device).st_gid).gr_name
    except (KeyError, OSError):
        return "dialout"


def _running(proc: Path) -> set[str]:
    names = set()
    for path in proc.glob("[0-9]*/comm"):
        try:
            names.add(path.read_text().strip())
        except OSError:
            continue
    return names


def _holders(device: str, proc: Path) -> str:
    """Programs, by name and process id, that have a device open; those we may look at."""
    real = os.path.realpath(device)
    found = []
    for folder in proc.glob("[0-9]*"):
        try:
            links = list((folder / "fd").iterdir())
        except OSError:
            continue
        for link in links:
            try:
                if os.readlink(link) == real and int(folder.name) != os.getpid():
                    name = (folder / "comm").read_text().strip()
                    found.append(f"{name} (process {folder.name})")
                    break
            except OSError:
                continue
    return ", ".join(found[:3]) + (" and others" if len(found) > 3 else "")
