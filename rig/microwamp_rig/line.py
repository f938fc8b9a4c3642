"""A serial cable with faults, between a board's port and the port that the host opens.

Two `Direction`s, `to_host` and `to_board`, each a pipe of octets:

    read -> cut? -> faults (drift, bits, drop, duplicate, insert) -> queue -> paced? -> write

Cut: octets are lost. A break: the wire is held low, so octets are lost, and the receiver reads one
that is 0, as a tty without PARMRK does. Stalled: they wait. The queue is bounded: when it is full
nothing more is read, so octets wait with the sender as they would with a slow cable. On the host's
side nobody may have the port open; then octets to the host are lost, as on a wire.

Faults come from a seeded generator and depend only on the position of an octet in its direction
(and the rates): the same octets suffer the same faults however they are cut into reads. Only drift
takes the line for idle between two reads.
"""

from __future__ import annotations

import asyncio
import errno
import math
import os
import random
import select
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from microwamp_rig.pty import Pty, make_raw
from microwamp_rig.waveform import Drift

_READ = 4096
_HUNG_UP_S = 0.02  # how often to look whether the host opened its port
_TICK_S = 0.002  # step of the pacing
_BURST_S = 0.01  # what a late tick may catch up
_BITS_PER_OCTET = 10  # 8N1


@dataclass(frozen=True)
class Rates:
    """Probabilities of faults in one direction; 0 is none, at most 1.

    bit_error: that a bit is flipped. drop, duplicate, insert: that an octet is lost, comes twice,
    has a random octet put before it.
    """

    bit_error: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    insert: float = 0.0


@dataclass
class Counters:
    """What one direction did, in octets (`flipped`: bits)."""

    read: int = 0
    written: int = 0
    flipped: int = 0
    dropped: int = 0
    duplicated: int = 0
    inserted: int = 0
    framing: int = 0
    """Octets without a stop bit, read at another rate than they were sent at."""
    breaks: int = 0
    lost: int = 0
    """Octets sent while the line was cut or held low, or to a host that had no port open."""


class _Gaps:
    """Positions of rare, independent events: distances between them are geometric."""

    def __init__(self, rate: float, rng: random.Random) -> None:
        if not 0.0 <= rate <= 1.0:
            raise ValueError(f"a rate is between 0 and 1, not {rate}")
        self.rate = rate
        self._rng = rng
        self._left = self._draw()

    def _draw(self) -> int:
        if self.rate <= 0.0:
            return -1
        if self.rate >= 1.0:
            return 0
        return int(math.log(1.0 - self._rng.random()) / math.log1p(-self.rate))

    def within(self, count: int) -> list[int]:
        """The events among the next `count` positions, ascending from 0."""
        hits: list[int] = []
        if self._left < 0:
            return hits
        position = self._left
        while position < count:
            hits.append(position)
            position += 1 + self._draw()
        self._left = position - count
        return hits


class Direction:
    """One direction of a `Line`."""

    def __init__(
        self,
        name: str,
        seed: int,
        baud: int | None,
        buffer: int,
        read: Callable[[], bytes],
        write: Callable[[bytearray], int | None],
        watch: Callable[[bool, bool], None],
    ) -> None:
        self.name = name
        self.counters = Counters()
        self.connected = True
        self.stalled = False
        self._seed = seed
        self._buffer = buffer
        self._octets_per_s = None if baud is None else baud / _BITS_PER_OCTET
        self._allowance = 0.0  # octets that may be written now, when paced
        self._paced_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._read = read
        self._write = write
        self._watch = watch
        self._queue = bytearray()
        self._octet_rng = random.Random(f"{seed} {name} octets")
        self._low = False
        self._drift = Drift(random.Random(f"{seed} {name} drift"))
        self.rates = Rates()

    @property
    def rates(self) -> Rates:
        return self._rates

    @rates.setter
    def rates(self, rates: Rates) -> None:
        def gaps(kind: str, rate: float) -> _Gaps:
            return _Gaps(rate, random.Random(f"{self._seed} {self.name} {kind}"))

        self._rates = rates
        self._bit_errors = gaps("bit_error", rates.bit_error)
        self._drops = gaps("drop", rates.drop)
        self._duplicates = gaps("duplicate", rates.duplicate)
        self._inserts = gaps("insert", rates.insert)

    @property
    def drift(self) -> float:
        """How much faster the receiver's clock is than the sender's; 0.03 is 3 %."""
        return self._drift.rate

    @drift.setter
    def drift(self, rate: float) -> None:
        if not -0.5 <= rate <= 0.5:
            raise ValueError(f"a drift is between -0.5 and 0.5, not {rate}")
        self._drift.rate = rate

    @property
    def waiting(self) -> int:
        """Octets in the queue."""
        return len(self._queue)

    def cut(self) -> None:
        self.connected = False
        self.lose()

    def restore(self) -> None:
        self.connected = True

    def begin_break(self) -> None:
        if not self._low:
            self._low = True
            self.lose()
            self.counters.breaks += 1
            self._queue.append(0)
            self.pump()

    def end_break(self) -> None:
        self._low = False

    def stall(self) -> None:
        self.stalled = True

    def resume(self) -> None:
        self.stalled = False
        self.pump()

    def lose(self) -> None:
        """Empties the queue."""
        self.counters.lost += len(self._queue)
        self._queue.clear()
        self.pump()

    def readable(self) -> None:
        """The sender's end has octets: the event loop's callback."""
        octets = self._read()
        self.counters.read += len(octets)
        if not self.connected or self._low:
            self.counters.lost += len(octets)
            return
        self._queue += self._spoil(octets)
        self.pump()

    def pump(self) -> None:
        """Writes what may be written now, and asks to be called for the rest."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        want_write = False
        if self._queue and not self.stalled:
            count = self._allowed(len(self._queue))
            if count:
                written = self._write(self._queue[:count])
                if written is None:  # there is nobody
                    self.lose()
                    return
                else:
                    self.counters.written += written
                    self._allowance -= written
                    del self._queue[:written]
                    want_write = written < count
            if self._queue and not want_write:
                self._timer = asyncio.get_running_loop().call_later(_TICK_S, self.pump)
        self._watch(len(self._queue) < self._buffer, want_write)

    def _allowed(self, count: int) -> int:
        if self._octets_per_s is None:
            self._allowance = count
            return count
        now = asyncio.get_running_loop().time()
        earned = (now - self._paced_at) * self._octets_per_s
        self._paced_at = now
        # What an idle line did not carry is gone, not saved up.
        most = max(1.0, _BURST_S * self._octets_per_s)
        self._allowance = min(self._allowance + earned, most)
        return min(count, int(self._allowance))

    def _spoil(self, octets: bytes) -> bytes:
        counters = self.counters
        if self._drift.rate:
            octets = self._drift.read(octets)
            counters.framing = self._drift.framing
        data = bytearray(octets)
        for bit in self._bit_errors.within(8 * len(data)):
            data[bit >> 3] ^= 1 << (bit & 7)
            counters.flipped += 1
        octets = bytes(data)
        drops = self._drops.within(len(data))
        duplicates = self._duplicates.within(len(data))
        inserts = self._inserts.within(len(data))
        counters.dropped += len(drops)
        counters.duplicated += len(duplicates)
        counters.inserted += len(inserts)
        # Position, what to do there (0 insert, 1 duplicate, 2 drop), the octet to put in.
        events = [(n, 0, self._octet_rng.randrange(256)) for n in inserts]
        events += [(n, 1, octets[n]) for n in duplicates]
        events += [(n, 2, 0) for n in drops]
        for position, kind, octet in sorted(events, reverse=True):  # positions below stay true
            if kind == 2:
                del data[position]
            else:
                data.insert(position, octet)
        return bytes(data)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Line:
    """The cable. `Line(board.port)`; the host opens `line.port`, a path that stays the same over
    `unplug` and `replug` (between them it does not exist, as with a USB adapter).

    baud: pace of both directions at 8N1; None: as fast as it goes.
    seed: of the faults. buffer: octets that a direction holds at most.

    Use as `async with Line(...) as line`, or `start` and `close`, within a running event loop.
    """

    def __init__(
        self,
        board_port: str,
        *,
        baud: int | None = None,
        seed: int = 0,
        buffer: int = 65536,
    ) -> None:
        self._board_port = board_port
        self._folder = Path(tempfile.mkdtemp(prefix="microwamp-line-"))
        self.port = str(self._folder / "tty")
        self._board_fd = -1
        self._pty: Pty | None = None
        self._host_open = False
        self._host_timer: asyncio.TimerHandle | None = None
        self._readers: set[int] = set()  # descriptors that the event loop watches for us
        self._writers: set[int] = set()
        self.to_host = Direction(
            "to_host",
            seed,
            baud,
            buffer,
            self._read_board,
            self._write_host,
            self._watch_to_host,
        )
        self.to_board = Direction(
            "to_board",
            seed,
            baud,
            buffer,
            self._read_host,
            self._write_board,
            self._watch_to_board,
        )

    # -- life ------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Opens the board's port, with OSError if it cannot be, and offers the host's."""
        if self._board_fd >= 0:
            raise RuntimeError("the line is started already")
        fd = os.open(self._board_port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        make_raw(fd)
        self._board_fd = fd
        self._watch_reader(fd, self.to_host.readable)
        self.replug()

    def close(self) -> None:
        """Unplugs both ends. Again is no error."""
        self.unplug()
        self.to_host.stop()
        self.to_board.stop()
        if self._board_fd >= 0:
            self._unwatch(self._board_fd)
            os.close(self._board_fd)
            self._board_fd = -1
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- faults ----------------------------------------------------------------------------------

    def cut(self) -> None:
        """Both directions lose everything from now on, what is under way included."""
        self.to_host.cut()
        self.to_board.cut()

    def restore(self) -> None:
        """Ends `cut`."""
        self.to_host.restore()
        self.to_board.restore()

    def stall(self) -> None:
        """Nothing arrives until `resume`, then everything does."""
        self.to_host.stall()
        self.to_board.stall()

    def resume(self) -> None:
        """Ends `stall`."""
        self.to_host.resume()
        self.to_board.resume()

    def begin_break(self) -> None:
        """Both wires are held low until `end_break`."""
        self.to_host.begin_break()
        self.to_board.begin_break()

    def end_break(self) -> None:
        """Ends `begin_break`."""
        self.to_host.end_break()
        self.to_board.end_break()

    def set_drift(self, rate: float) -> None:
        """The board's clock is faster than the host's by this part, 0.03 is 3 %: so each end
        reads the other's octets at a wrong rate."""
        self.to_board.drift = rate
        self.to_host.drift = 1 / (1 + rate) - 1

    def set_rates(self, rates: Rates) -> None:
        """The same fault rates in both directions (each has its own random numbers)."""
        self.to_host.rates = rates
        self.to_board.rates = rates

    def unplug(self) -> None:
        """The host's adapter goes: who has the port open sees it hang up, its path is gone. The
        board notices nothing. Again is no error."""
        if self._pty is None:
            return
        if self._host_timer is not None:
            self._host_timer.cancel()
            self._host_timer = None
        self._unwatch(self._pty.fd)
        Path(self.port).unlink(missing_ok=True)
        self._pty.close()
        self._pty = None
        self._host_open = False
        self.to_host.lose()

    def replug(self) -> None:
        """Ends `unplug`: a new port under the same path."""
        if self._pty is not None:
            return
        self._pty = Pty(hold=False)
        os.symlink(self._pty.path, self.port)
        self._look_for_host()

    # -- the host's end --------------------------------------------------------------------------

    @property
    def opened(self) -> bool:
        """Whether somebody has the host's port open."""
        if not self._host_open:
            self._look_for_host()
        return self._host_open

    def _look_for_host(self) -> None:
        """The kernel reports a hang-up as long as nobody has the port open, and no event when
        somebody opens it: so look, now and then."""
        if self._pty is None or self._host_open:
            return
        if self._host_timer is not None:
            self._host_timer.cancel()
            self._host_timer = None
        poll = select.poll()
        poll.register(self._pty.fd, select.POLLIN)
        if any(event & select.POLLHUP for _, event in poll.poll(0)):
            loop = asyncio.get_running_loop()
            self._host_timer = loop.call_later(_HUNG_UP_S, self._look_for_host)
        else:
            self._host_open = True
            self._watch_reader(self._pty.fd, self.to_board.readable)

    def _host_left(self) -> None:
        if self._pty is not None and self._host_open:
            self._unwatch(self._pty.fd)
            self._host_open = False
            self.to_host.lose()
            self._look_for_host()

    def _read_host(self) -> bytes:
        assert self._pty is not None
        try:
            return os.read(self._pty.fd, _READ)
        except BlockingIOError:
            return b""
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._host_left()
            return b""

    def _write_host(self, octets: bytearray) -> int | None:
        if not self.opened or self._pty is None:
            return None
        return _write(self._pty.fd, octets)

    def _watch_to_board(self, read: bool, write: bool) -> None:
        if self._pty is not None and self._host_open:
            self._watch_reader(self._pty.fd, self.to_board.readable if read else None)
        self._watch_writer(self._board_fd, self.to_board.pump if write else None)

    # -- the board's end -------------------------------------------------------------------------

    def _read_board(self) -> bytes:
        try:
            octets = os.read(self._board_fd, _READ)
        except BlockingIOError:
            return b""
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            octets = b""
        if not octets:  # the board's port itself hung up: nothing will ever come again
            self._unwatch(self._board_fd)
            os.close(self._board_fd)
            self._board_fd = -1
        return octets

    def _write_board(self, octets: bytearray) -> int | None:
        return None if self._board_fd < 0 else _write(self._board_fd, octets)

    def _watch_to_host(self, read: bool, write: bool) -> None:
        self._watch_reader(self._board_fd, self.to_host.readable if read else None)
        if self._pty is not None and self._host_open:
            self._watch_writer(self._pty.fd, self.to_host.pump if write else None)

    # -- the event loop --------------------------------------------------------------------------

    def _watch_reader(self, fd: int, callback: Callable[[], None] | None) -> None:
        if fd < 0 or (fd in self._readers) == (callback is not None):
            return
        loop = asyncio.get_running_loop()
        if callback is None:
            self._readers.discard(fd)
            loop.remove_reader(fd)
        else:
            self._readers.add(fd)
            loop.add_reader(fd, callback)

    def _watch_writer(self, fd: int, callback: Callable[[], None] | None) -> None:
        if fd < 0 or (fd in self._writers) == (callback is not None):
            return
        loop = asyncio.get_running_loop()
        if callback is None:
            self._writers.discard(fd)
            loop.remove_writer(fd)
        else:
            self._writers.add(fd)
            loop.add_writer(fd, callback)

    def _unwatch(self, fd: int) -> None:
        self._watch_reader(fd, None)
        self._watch_writer(fd, None)


def _write(fd: int, octets: bytearray) -> int | None:
    """How many octets were taken; None if the other end hung up."""
    try:
        return os.write(fd, octets)
    except BlockingIOError:
        return 0
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return None
