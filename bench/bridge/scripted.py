"""The two ends of a bridge, scripted: a device on a pty that speaks the link, and its router.

Both know just enough of WAMP to get a session: the device says HELLO and publishes, the router
answers WELCOME and PUBLISHED. The link is the library's own.
"""

from __future__ import annotations

import os
import time

import cbor2

from microwamp_rig.pty import Pty
from wamp import messages
from wamp.link import CLOSED, STREAM, Link

HANDSHAKE = b"\x7f\xf3\x00\x00"
_ROLES = {"roles": {"publisher": {}, "caller": {}}}


def framed(message: object) -> bytes:
    """A message as RawSocket carries it."""
    octets = cbor2.dumps(message)
    return len(octets).to_bytes(4, "big") + octets


HELLO = framed([messages.HELLO, "devices", _ROLES])
WELCOME = framed([messages.WELCOME, 1, {"roles": {"broker": {}}}])
_EMPTY = len(framed([messages.PUBLISH, 1 << 17, {"acknowledge": True}, "com.example.x", [b""]]))


def publish(request: int, octets: int) -> bytes:
    """A PUBLISH that takes `octets` on the stream, with its prefix; request: below 2^16."""
    payload = bytes(octets - _EMPTY)
    number = (1 << 17) + request  # always five octets of CBOR
    return framed([messages.PUBLISH, number, {"acknowledge": True}, "com.example.x", [payload]])


def published(octets: bytes) -> bytes:
    """The PUBLISHED for a whole PUBLISH with its prefix."""
    return framed([messages.PUBLISHED, cbor2.loads(octets[4:])[1], 1])


def whole(octets: bytearray) -> list[bytes]:
    """Take the whole RawSocket frames, prefixes included, off the front."""
    found = []
    while len(octets) >= 4:
        n = 4 + int.from_bytes(octets[1:4], "big")
        if len(octets) < n:
            break
        found.append(bytes(octets[:n]))
        del octets[:n]
    return found


def ms() -> int:
    """The link's clock."""
    return int(time.monotonic() * 1000) & 0x3FFFFFFF


class Device:
    """A device on a pty of its own; whoever owns it polls `fd` and calls `readable` and `tick`.

    joined: it has its WELCOME. came: whole frames that the owner takes away.
    """

    def __init__(self, number: int = 0) -> None:
        # Not held: with the bridge's end closed a read says EIO, and nobody reads in vain.
        self.pty = Pty()
        self.fd = self.pty.fd
        self.link = Link(4096, 1024, 10000, 1 << 17, f"scripted {number}")
        self.stream = bytearray()
        self.came: list[bytes] = []
        self.opened = self.shaken = self.joined = False
        self.connections = 0
        self._rest = b""

    def connect(self) -> None:
        """Begin a connection."""
        self.stream.clear()
        self.shaken = self.joined = False
        self.connections += 1
        self.link.open(int.from_bytes(os.urandom(4), "big") | 1, ms())
        self.flush()

    def send(self, octets: bytes) -> None:
        """A message of the stream."""
        frame = self.frame(octets)
        if frame is None:
            self.link.send(octets)
            self.flush()
        else:
            self._write(frame)

    def readable(self) -> None:
        """Take what came from the line, if anything, and answer it."""
        try:
            octets = os.read(self.fd, 65536)
        except BlockingIOError:
            return
        self.take(octets)

    def take(self, octets: bytes) -> None:
        """Take octets of the line, and answer them."""
        self._handle(self.link.receive(octets, ms()))
        self.flush()

    def frame(self, octets: bytes) -> bytes | memoryview | None:
        """The frame that carries a message, to be written at once; None where it is not one."""
        return None if self._rest else self.link.put(octets, ms())

    def tick(self) -> int:
        """Do what is due; returns the milliseconds until the next time, -1 for never."""
        now = ms()
        wait = self.link.timeout(now)
        if wait == 0 or self._rest:
            self._handle(self.link.tick(now))
            self.flush()
            wait = 5 if self._rest else self.link.timeout(now)
        return wait

    def flush(self) -> None:
        """Write what the link wants sent."""
        if self._rest:
            rest, self._rest = self._rest, b""
            self._write(rest)
        while not self._rest:
            frame = self.link.output(ms())
            if frame is None:
                return
            self._write(frame)

    def _write(self, octets: bytes | memoryview) -> None:
        try:
            n = os.write(self.fd, octets)
        except BlockingIOError:
            n = 0
        self._rest = bytes(octets[n:])

    def _handle(self, events: list[tuple[int, object]]) -> None:
        for kind, value in events:
            if kind == STREAM:
                assert isinstance(value, bytes)
                self.stream += value
            elif kind == CLOSED:
                self.connect()
        if self.link.is_open and not self.opened:
            self.opened = True
            self.link.send(HANDSHAKE)
        if not self.shaken and len(self.stream) >= 4:
            self.shaken = True
            del self.stream[:4]
            self.link.send(HELLO)
        if self.shaken:
            self.came += whole(self.stream)
            if self.came and not self.joined:
                self.joined = True
                del self.came[0]

    def close(self) -> None:
        """Let the pty go."""
        self.pty.close()
