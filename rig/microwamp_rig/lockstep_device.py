"""MicroPython's side of `lockstep`: time, poll and a UART that are somebody else's.

Imported before anything else. It takes the places of the modules `time`, `select` and `machine`,
and of `os.urandom`, so that asyncio and the library above them are MicroPython's own, as on a
board. Where asyncio waits, everything that was sent goes out through a socket, and the answer says
how late it is now and what has come. So what a program does depends on these answers alone, not on
how fast the machine is.

Variables: MICROWAMP_LOCKSTEP, the descriptor of the socket; MICROWAMP_SEED.
`await commands.take()`: the next word of the other side. `say(text)`: a line for it.
"""

import os
import select
import struct
import sys
import time

_socket = open(int(os.getenv("MICROWAMP_LOCKSTEP")), "r+b")
_POLLIN = 1
# A few days after the system's own clock: asyncio's queue, which is C, takes that one's time for
# what is to be done at once, and so finds it due.
_start = time.ticks_add(time.ticks_ms(), 1 << 28)
_ms = 0
_said = []


def _read(n):
    octets = b""
    while len(octets) < n:
        part = _socket.read(n - len(octets))
        if not part:
            sys.exit()  # whoever started us is gone
        octets += part
    return octets


def _exchange(wait_ms):
    """Give what was sent and said, wait, take what has come."""
    global _ms
    uart = UART.one
    out = b"" if uart is None else bytes(uart.out)
    if uart is not None:
        uart.out = bytearray()
    said = "\n".join(_said).encode()
    _said.clear()
    _socket.write(struct.pack("<iII", wait_ms, len(out), len(said)) + out + said)
    _ms, octets, command = struct.unpack("<III", _read(12))
    octets = _read(octets)
    if uart is not None:
        uart.into += octets
    if command:
        commands.append(_read(command).decode())


def say(text):
    """A line for the other side."""
    _said.append(text)


class Commands:
    """Words of the other side."""

    def __init__(self):
        self._words = []
        self.append = self._words.append

    def any(self):
        return len(self._words)

    async def take(self):
        """The next of them."""
        from wamp._port import readable

        if not self._words:
            await readable(self)
        return self._words.pop(0)


commands = Commands()


class UART:
    """As machine.UART: what is written takes its time to go out."""

    one = None

    def __init__(self, number, baud, **options):
        if UART.one is not None:
            self.into = UART.one.into  # the pins are the same
        else:
            self.into = bytearray()
        UART.one = self
        self.out = bytearray()
        self._octet_ms = 10000 / baud
        self._free_at = 0.0

    def any(self):
        return len(self.into)

    def readinto(self, buffer):
        n = min(len(buffer), len(self.into))
        buffer[:n] = self.into[:n]
        self.into = self.into[n:]
        return n

    def write(self, octets):
        self.out += octets
        self._free_at = max(self._free_at, _ms) + len(octets) * self._octet_ms
        return len(octets)

    def txdone(self):
        return self._free_at <= _ms


class Pin:
    """As machine.Pin."""

    def __init__(self, number):
        self.number = number


class _Poll:
    def __init__(self):
        self._streams = []

    def register(self, stream, events):
        self._streams.append(stream)

    def unregister(self, stream):
        self._streams.remove(stream)

    def modify(self, stream, events):
        pass  # nothing waits for writing

    def ipoll(self, wait_ms):
        found = self._ready()
        while not found and wait_ms:
            _exchange(wait_ms)
            found = self._ready()
            if wait_ms > 0:
                break  # asyncio looks at its queue, and comes again
        return found

    def _ready(self):
        return [(stream, _POLLIN) for stream in self._streams if stream.any()]


class _Instead:
    """A module with some of its functions replaced."""

    def __init__(self, module, **others):
        self._module = module
        for name in others:
            setattr(self, name, others[name])

    def __getattr__(self, name):
        return getattr(self._module, name)


class _Nothing:
    pass


_random = int(os.getenv("MICROWAMP_SEED") or "1")


def _urandom(n):
    global _random
    octets = bytearray(n)
    for i in range(n):
        _random = (_random * 1103515245 + 12345) & 0x7FFFFFFF
        octets[i] = _random >> 16 & 0xFF
    return bytes(octets)


def _ticks_ms():
    return time.ticks_add(_start, _ms)


sys.modules["time"] = _Instead(time, ticks_ms=_ticks_ms)
sys.modules["select"] = _Instead(select, poll=_Poll)
sys.modules["machine"] = _Instead(_Nothing(), UART=UART, Pin=Pin)
sys.modules["os"] = _Instead(os, urandom=_urandom)
