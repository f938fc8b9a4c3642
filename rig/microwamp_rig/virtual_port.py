"""Serial ports on a line in virtual time, for the library's own device and bridge.

`VirtualCable.open_port` takes the place of `wamp._posixport.open_port`: `cable.board.path` is the
port of a device, `cable.host.path` that of a bridge. Between them are `Wire`s of `virtual_link`
with their faults: bit errors, bursts, lost, doubled and inserted octets, stuck, stalled, cut,
clocks that drift, breaks. Each end can be unplugged; the board's can be read slowly, and be deaf
while flash is erased: its program stands still meanwhile, if it runs in the context of
`VirtualCable.processor`. For an event loop of `virtual_loop.virtual_time`.

A port is open as long as somebody has a descriptor of it: `VirtualPort.fileno` is a real one,
which can be duplicated, passed on and closed, and what comes meanwhile is kept. `open_port` with
the option `fd` goes on with such a port, as with a tty that was handed over.
"""

from __future__ import annotations

import asyncio
import os
import random
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from microwamp_rig.virtual_link import CLEAN, Faults, Wire
from microwamp_rig.virtual_loop import Processor
from wamp import _posixport

_FIFO = 32  # octets that a UART keeps while interrupts are off (RP2040)
_DEVICE_ROOM = 4096
_HOST_ROOM = 65536  # what a tty keeps for a program that does not read


class Tty:
    """What the system keeps of a port while somebody has a descriptor of it.

    Those are the writing ends of a pipe, so its reading end tells when the last was closed.
    """

    def __init__(self) -> None:
        self._watched, self.fd = os.pipe()
        os.set_blocking(self._watched, False)
        self._forget = weakref.finalize(self, os.close, self._watched)
        self._inode = os.fstat(self._watched).st_ino
        self.kept = b""  # octets that nobody has read
        self.hung_up = False

    @property
    def open(self) -> bool:
        """Whether anybody has a descriptor."""
        if not self._forget.alive:
            return False
        try:
            os.read(self._watched, 1)
        except BlockingIOError:
            return True
        self._forget()
        return False

    def is_of(self, fd: int) -> bool:
        """Whether that is a descriptor of this port."""
        return os.fstat(fd).st_ino == self._inode


class VirtualPort(_posixport.Port):
    """What `_posixport.open_port` gives for an end of a cable."""

    def __init__(self, end: End, options: Mapping[str, int | None]) -> None:
        super().__init__(end.path, options)
        self._end = end
        self._given = options.get("fd")
        self._tty: Tty | None = None
        self._fd = -1
        self._arrived = asyncio.Event()
        self._paused = False
        self._woken = False
        self._on_octets: Callable[[bytes], object] | None = None
        self._on_lost: Callable[[OSError], object] | None = None

    async def open(self) -> None:
        self.plug_in()

    def plug_in(self) -> None:
        """Open it, or go on with a descriptor. Raises OSError."""
        end = self._end
        if self._given is not None:
            self._fd = self._given
            if end.tty is not None and end.tty.is_of(self._given):
                self._tty = end.tty
                end.port = self
            return  # else it has hung up since
        if not end.plugged:
            raise FileNotFoundError(2, "No such file or directory")
        if end.tty is not None and end.tty.open:
            raise OSError(16, "it is in use by another program")
        self._tty = end.tty = Tty()
        self._fd = self._tty.fd
        end.port = self

    def fileno(self) -> int:
        return self._fd

    def listen(
        self, on_octets: Callable[[bytes], object], on_lost: Callable[[OSError], object]
    ) -> None:
        self._on_octets, self._on_lost = on_octets, on_lost
        if self._gone():
            asyncio.get_running_loop().call_soon(self.hang_up)
        self.resume()

    def _gone(self) -> bool:
        return self._tty is None or self._tty.hung_up

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        if self._tty is not None and self._tty.kept and self._on_octets is not None:
            self._on_octets(self._take())

    def _take(self) -> bytes:
        assert self._tty is not None
        octets, self._tty.kept = self._tty.kept, b""
        return octets

    def wake(self) -> None:
        self._woken = True
        self._arrived.set()

    async def read(self) -> bytes:
        """What is there. Raises OSError when the line has hung up."""
        loop, end, tty = asyncio.get_running_loop(), self._end, self._tty
        while True:
            if tty is None or tty.hung_up or end.port is not self:
                raise OSError(5, "the line has hung up")
            late = max(end.ready_at, end.deaf_until) - loop.time()
            if tty.kept and late <= 1e-6:  # timers may ring a nanosecond early
                end.ready_at = loop.time() + end.every_s
                return self._take()
            if self._woken:
                self._woken = False
                return b""
            self._arrived.clear()
            if tty.kept:
                loop.call_later(late, self._arrived.set)
            await self._arrived.wait()

    def write(self, octets: bytes | memoryview) -> bool:
        if self._end.port is self:
            self._end.send(bytes(octets))
        return self.busy()

    def busy(self) -> bool:
        return self._end.port is self and self._end.late() > 0

    async def drain(self) -> None:
        """Until nothing waits."""
        while self.busy():
            await asyncio.sleep(self._end.late())

    def close(self) -> None:
        """Close at once."""
        if self._end.port is self:
            self._end.port = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._tty is not None and not self._tty.open:
            self._tty = None  # nobody has it any more
        self._arrived.set()

    # -- the line's side

    def came(self) -> None:
        """Octets have arrived."""
        loop = asyncio.get_running_loop()
        if self._on_octets is None or self._paused:
            self._arrived.set()
        elif loop.time() + 1e-6 < self._end.deaf_until:
            loop.call_at(self._end.deaf_until, self.resume)
        else:
            self._on_octets(self._take())

    def hang_up(self) -> None:
        """The end was unplugged."""
        self._arrived.set()
        if self._on_lost is not None:
            on_lost, self._on_lost = self._on_lost, None
            on_lost(OSError(5, "the line has hung up"))


class End:
    """One end of a cable.

    batch: octets that its port lets wait for the wire. every_s: between two reads of a program
    that is slow.
    """

    def __init__(self, path: str, out: Wire, into: Wire, batch: int, room: int) -> None:
        self.path = path
        self.out = out
        self.into = into
        self.batch = batch
        self.room = room
        self.every_s = 0.0
        self.ready_at = 0.0
        self.deaf_until = 0.0
        self.plugged = True
        self.tty: Tty | None = None
        self.port: VirtualPort | None = None  # who reads it
        self.lost = 0  # octets for which nobody had the port open
        self.receiver: End | None = None
        self._timer: asyncio.TimerHandle | None = None

    def send(self, octets: bytes) -> None:
        now = asyncio.get_running_loop().time() * 1e6
        # Who erases flash sends nothing meanwhile.
        self.out.free_at = max(self.out.free_at, self.deaf_until * 1e6)
        self.out.send(octets, now)
        if self.receiver is not None:
            self.receiver.look()

    def late(self) -> float:
        """Seconds until the wire has carried all but `batch` octets."""
        now = asyncio.get_running_loop().time() * 1e6
        waiting = self.out.waiting(now) - self.batch
        return 0.0 if waiting <= 0 else waiting * self.out.octet_us / 1e6 + 1e-6

    def look(self) -> None:
        """Take what has arrived, and come back for what is on its way."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        octets = self.into.receive(loop.time() * 1e6 + 1e-3)
        if octets:
            self._keep(octets, _FIFO if loop.time() < self.deaf_until else self.room)
        coming = self.into.next()
        if coming is not None and self._timer is None:
            self._timer = loop.call_at(max(coming / 1e6, loop.time()), self.look)

    def _keep(self, octets: bytes, room: int) -> None:
        """Give it to who has the port open; what there is no room for is lost."""
        tty = self.tty
        if tty is None or not tty.open:
            self.lost += len(octets)
            return
        tty.kept += octets[: max(room - len(tty.kept), 0)]
        if self.port is not None:
            self.port.came()

    def unplug(self) -> None:
        """The port is gone; who has it open sees it hang up. Again is no error."""
        self.plugged = False
        if self.tty is not None:
            self.tty.hung_up = True
            self.tty = None
        port, self.port = self.port, None
        if port is not None:
            port.hang_up()

    def replug(self) -> None:
        """It is there again."""
        self.plugged = True


class VirtualCable:
    """Two ends, `board` and `host`, and the wires `up` (to the host) and `down`."""

    def __init__(self, seed: int, baud: int = 115200, faults: Faults = CLEAN) -> None:
        rng = random.Random(seed)
        self.up, self.down = (Wire(rng, baud, faults) for _ in range(2))
        batch = max(min(2048, baud // 250), 32)
        self.board = End(f"virtual/{seed}/board", self.up, self.down, batch, _DEVICE_ROOM)
        self.host = End(f"virtual/{seed}/host", self.down, self.up, 4096, _HOST_ROOM)
        self.board.receiver, self.host.receiver = self.host, self.board
        self.processor = Processor()  # the board's

    async def open_port(self, path: str, options: Mapping[str, int | None]) -> Any:
        """In the place of `_posixport.open_port`."""
        ends = {self.board.path: self.board, self.host.path: self.host}
        if path not in ends:
            raise FileNotFoundError(2, "No such file or directory")
        port = VirtualPort(ends[path], options)
        await port.open()
        return port

    def drift(self, rate: float) -> None:
        """The board's clock is faster by this part than the host's."""
        self.down.drift.rate = rate
        self.up.drift.rate = 1 / (1 + rate) - 1

    def erase(self, ms: float) -> None:
        """The board erases flash: its program stands still, its UART is not read, nothing is
        sent."""
        self.board.deaf_until = asyncio.get_running_loop().time() + ms / 1000
        self.processor.stop(ms / 1000)

    def resume(self) -> None:
        """What was stalled goes on."""
        for end in (self.board, self.host):
            end.look()

    def clean(self) -> None:
        """No faults from now on, both ends plugged in."""
        for end in (self.board, self.host):
            end.into.clean()
            end.every_s = 0.0
            end.replug()
        self.resume()
