"""Serial ports on a line in virtual time, for the library's own device and bridge.

`VirtualCable.open_port` takes the place of `wamp._posixport.open_port`: `cable.board.path` is the
port of a device, `cable.host.path` that of a bridge. Between them are `Wire`s of `virtual_link`
with their faults: bit errors, bursts, lost, doubled and inserted octets, stuck, stalled, cut,
clocks that drift, breaks. Each end can be unplugged; the board's can be read slowly, and be deaf
while flash is erased. For an event loop of `virtual_time`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from microwamp_rig.boardtime import library_time
from microwamp_rig.virtual_link import CLEAN, Faults, Wire
from wamp import _posixport

_FIFO = 32  # octets that a UART keeps while interrupts are off (RP2040)
_DEVICE_ROOM = 4096
_HOST_ROOM = 65536  # what a tty keeps for a program that does not read


@contextmanager
def virtual_time() -> Iterator[asyncio.Runner]:
    """A Runner whose event loop does not wait: where nothing is to be done, its clock jumps to the
    next timer. For what talks within this process: an answer from elsewhere comes too late."""
    from microwamp_rig.rp2040.loop import EmulatedLoop

    with library_time(), asyncio.Runner(loop_factory=lambda: EmulatedLoop(alone=True)) as runner:
        yield runner


class VirtualPort(_posixport.Port):
    """What `_posixport.open_port` gives for an end of a cable."""

    def __init__(self, end: End, options: Mapping[str, int | None]) -> None:
        super().__init__(end.path, options)
        self._end = end
        self._arrived = asyncio.Event()
        self._kept = b""
        self._paused = False
        self._woken = False
        self._hung_up = False
        self._on_octets: Callable[[bytes], object] | None = None
        self._on_lost: Callable[[OSError], object] | None = None

    async def open(self) -> None:
        """Plug in. Raises OSError."""
        end = self._end
        if not end.plugged:
            raise FileNotFoundError(2, "No such file or directory")
        if end.port is not None:
            raise OSError(16, "it is in use by another program")
        end.port = self
        self._hung_up = False

    def listen(
        self, on_octets: Callable[[bytes], object], on_lost: Callable[[OSError], object]
    ) -> None:
        self._on_octets, self._on_lost = on_octets, on_lost
        self.resume()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        if self._kept and self._on_octets is not None:
            octets, self._kept = self._kept, b""
            self._on_octets(octets)

    def wake(self) -> None:
        self._woken = True
        self._arrived.set()

    async def read(self) -> bytes:
        """What is there. Raises OSError when the line has hung up."""
        loop, end = asyncio.get_running_loop(), self._end
        while True:
            if self._hung_up or end.port is not self:
                raise OSError(5, "the line has hung up")
            late = max(end.ready_at, end.deaf_until) - loop.time()
            if self._kept and late <= 0:
                octets, self._kept = self._kept, b""
                end.ready_at = loop.time() + end.every_s
                return octets
            if self._woken:
                self._woken = False
                return b""
            self._arrived.clear()
            if self._kept:
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
        self._kept = b""
        self._arrived.set()

    # -- the line's side

    def take(self, octets: bytes, room: int) -> None:
        """Octets have arrived; what there is no room for is lost."""
        if self._on_octets is not None and not self._paused:
            self._on_octets(octets)
            return
        self._kept += octets[: max(room - len(self._kept), 0)]
        self._arrived.set()

    def hang_up(self) -> None:
        """The end was unplugged."""
        self._hung_up = True
        self._end.port = None
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
        self.port: VirtualPort | None = None
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
            if self.port is None:
                self.lost += len(octets)
            else:
                deaf = loop.time() < self.deaf_until
                self.port.take(octets, _FIFO if deaf else self.room)
        coming = self.into.next()
        if coming is not None and self._timer is None:
            self._timer = loop.call_at(max(coming / 1e6, loop.time()), self.look)

    def unplug(self) -> None:
        """The port is gone; who has it open sees it hang up. Again is no error."""
        self.plugged = False
        if self.port is not None:
            self.port.hang_up()

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
        """The board erases flash: its UART is not read, nothing is sent."""
        self.board.deaf_until = asyncio.get_running_loop().time() + ms / 1000

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
