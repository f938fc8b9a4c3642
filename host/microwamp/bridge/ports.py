"""Which tty a board is on: identities, and a look at what is plugged in every second."""

import asyncio
import errno
import os
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from serial.tools import list_ports

from .config import Discover, usb

# How often the names in /dev are looked at; what changed is then asked for its identity.
EVERY_S: Final = 1.0
_NAMES: Final = ("ttyACM", "ttyUSB", "cu.usb", "tty.usb")


class Found(NamedTuple):
    """A serial port of a USB device."""

    path: str
    vid: int
    pid: int
    serial: str

    @property
    def identity(self) -> str:
        """usb:VID:PID:SERIAL; without a serial number, the tty."""
        if not self.serial:
            return self.path
        return f"usb:{self.vid:04X}:{self.pid:04X}:{self.serial}"


def scan() -> list[Found]:
    """All serial ports on USB, by pyserial. Nothing is opened."""
    return [
        Found(one.device, one.vid, one.pid, one.serial_number or "")
        for one in list_ports.comports()
        if one.vid is not None and one.pid is not None
    ]


def names() -> frozenset[tuple[str, int, int]]:
    """What tells that something was plugged in or out: a tty that comes back is a new node."""
    found = set()
    for name in os.listdir("/dev"):
        if name.startswith(_NAMES):
            try:
                status = os.stat("/dev/" + name)
            except OSError:
                continue
            found.add((name, status.st_ino, status.st_ctime_ns))
    return frozenset(found)


class Ports:
    """What is plugged in. `watch` keeps it true; `path` says where an identity is now."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self._names: frozenset[tuple[str, int, int]] | None = None
        self._tries = 0
        self._forced = False

    async def watch(self, changed: Callable[[], None]) -> None:
        """Look for ever; changed() is called when something is."""
        while True:
            if await self.look():
                changed()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> bool:
        """Look once; says whether something has changed."""
        now = await asyncio.to_thread(names)
        if now == self._names:
            return False
        # sysfs may follow the node by a moment; so whatever is not there yet is asked for again.
        found = await asyncio.to_thread(scan)
        self._tries = 0 if len({one.path for one in found}) >= len(now) else self._tries + 1
        self._names = None if 0 < self._tries < 4 else now
        forced, self._forced = self._forced, False
        before, self.found = self.found, found
        return forced or before != found

    def again(self) -> None:
        """Let the next look count as a change."""
        self._names = None
        self._forced = True

    def path(self, identity: str) -> str:
        """The tty of an identity; paths and URLs stand for themselves. Raises OSError with the
        reason."""
        wanted = usb(identity)
        if wanted is None:
            return identity
        there = [
            one
            for one in self.found
            if (one.vid, one.pid) == wanted[:2] and wanted.serial in (None, one.serial)
        ]
        if not there:
            raise OSError(errno.ENODEV, "no such board is plugged in")
        # A composite device has several; the first is the console of all boards known here.
        if len({one.serial for one in there}) > 1 or (len(there) > 1 and not there[0].serial):
            raise OSError(
                errno.ENOTUNIQ,
                f"{len(there)} such boards are plugged in ("
                + ", ".join(sorted(one.identity for one in there)[:4])
                + "): give the serial number",
            )
        return min(one.path for one in there)

    def discovered(self, rule: Discover, taken: Iterable[str]) -> list[str]:
        """Identities of boards that match, without those on a tty that is `taken`."""
        taken = {os.path.realpath(path) for path in taken}
        first: dict[str, Found] = {}
        for one in sorted(self.found):
            real = os.path.realpath(one.path)
            if (one.vid, one.pid) in rule.match and real not in taken:
                first.setdefault(one.identity, one)
        return list(first)
