"""The reliable serial link below RawSocket: docs/link.md, version 1.

Pure: octets in, events and frames out. `Link` is the initiator's end (the device); the acceptor's
(the bridge) is `linkacceptor.Acceptor`, the same with the other half of the handshake. The owner
passes octets and the time to `receive`, calls `tick` when `timeout` says so, and writes what
`output` gives until it gives None. What happens seldom stands in `linkcontrol`.

Time is a count of milliseconds that may wrap at any multiple of 2^30.
"""

import sys
from binascii import crc32
from struct import pack_into

try:
    from micropython import const
except ImportError:  # CPython
    const = int

len = len  # a builtin found in the module costs MicroPython 3 us less than one that is not
bytes = bytes

# Events
STREAM = 0  # (STREAM, octets)
OPENED = 1  # (OPENED, UTC in seconds or 0) at the initiator, (OPENED, name) at the acceptor
CLOSED = 2  # (CLOSED, (code, text))
CONSOLE = 3  # (CONSOLE, octets)

# As in linkframe; a constant of the same module costs MicroPython nothing to look up.
_DATA = const(0)
_ACK = const(1)
_PROBE = const(2)
_CLOSE = const(3)
_FREE = const(8)  # from here on: no connection, empty seed
_RESIDUE = const(0x2144DF1C)  # CRC-32 of whatever ends with its own CRC-32, lowest octet first

# States, as in linkcontrol
_OPENING = const(1)
_OPEN = const(2)

_RTO_MIN = const(40)  # an acknowledgement may wait for 20 ms, a garbage collection takes 27
_RTO_MAX = const(1000)
_KEEPALIVE = const(2500)
_BODY = const(250)  # silence in mid-frame
_CLEAN = const(75000)  # octets without a loss from which on a line counts as clean
_LOSSY = const(2048)  # so many after a loss, the end of what is sent is asked for at once
_PARTS = const(64)  # frames under way at most
_AHEAD = const(4096)  # octets under way at most: what is lost is cut into up to 128 parts


def diff(a, b):
    """a - b in milliseconds, right across a wrap of the clock as long as it is under 6 days."""
    return ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000


class Link:
    """One end of the link; opens a connection with `open`, one after the other.

    window: octets we let the peer have under way; the buffers are allocated once, as the next
    higher power of two. fragment: longest payload we accept, 64 to 1,024. lost_ms: silence after
    which the connection is given up, 100 to 25,500. send_buffer: octets that `send` takes and
    keeps until the peer has them. name: software of the device, for the bridge's log.

    is_open: whether a connection is up (possibly silent for up to lost_ms). fill: octets of a
    frame that has not come whole. rto: milliseconds after which `tick` is due at the latest when
    `put` was used. The counters are for diagnosis.
    """

    def __init__(self, window=4096, fragment=1024, lost_ms=10000, send_buffer=4096, name=""):
        from .linkcontrol import prepare

        prepare(self, window, fragment, lost_ms, send_buffer, name)

    def open(self, epoch, now):
        """Begin a connection. epoch: a fresh random number, 1 to 2^32 - 1."""
        from .linkcontrol import begin

        begin(self, epoch, now)

    def close(self, code=0, text="", at_once=False):
        """End the connection after what was sent; CLOSED follows when the peer knows.

        at_once: instead, one RESET is left for `output`, and no event follows.
        """
        from .linkcontrol import close

        close(self, code, text, at_once)

    # -- the stream, outwards

    def send(self, data):
        """Queue octets of the stream, which must not change any more; returns how many were
        taken: all, as far as `send_buffer` allows. They go out with the next calls of `output`."""
        n = 0
        if self._state == _OPEN and self._close_at < 0:
            n = min(len(data), self._buffer - self._end + self._una)
        if n:
            self._queue.append(memoryview(data)[:n])
            self._end += n
        return n

    def put(self, data, now):
        """`send` and `output` in one step, for the usual case: one piece that fits a frame, and
        nothing else to send. Returns the frame, or None (and has done nothing) in other cases."""
        n = len(data)
        start = self._end
        stop = start + n
        flight = self._flight
        if (
            self._odd
            or n > self._cut
            or stop > self._limit
            or start != self._nxt
            or len(flight) >= _PARTS
        ):
            return None
        if not flight:
            self._at = (now + self.rto) & 0x3FFFFFFF
            self._timed = stop
            self._timed_at = now
        flight.append([start, stop, self._order, data])
        self._order += 1
        self._end = self._nxt = stop
        self._owe = 0
        self.sent += 1
        out = self._out
        ack = self._next_in
        out[2] = n >> 8
        out[3] = n & 255
        out[4] = (n * 11859 >> 11 & 255) ^ 0x5A
        out[5] = start >> 8 & 255
        out[6] = start & 255
        out[7] = ack >> 8 & 255
        out[8] = ack & 255
        out[9] = self._credit
        view = self._out_view
        n += 10
        view[10:n][:] = data
        pack_into("<I", out, n, crc32(view[2:n], self._tx_seed))
        return view[: n + 4]

    def pending(self):
        """Octets taken by `send` that the peer has not acknowledged."""
        return self._end - self._una

    def output(self, now):
        """The next frame to write, as octets or a view that the next call overwrites; or None."""
        if self._control:
            self.sent += 1
            return self._control.pop(0)
        if self._state == _OPEN and self._owe < 2:
            flight = self._flight
            if self._odd:
                for part in flight:
                    if part[2] < 0:
                        from .linkloss import cut

                        cut(self, part)
                        return self._emit(part, now)
            nxt = self._nxt
            if nxt < self._end and nxt < self._limit and len(flight) < _PARTS:
                if nxt == self._close_at:
                    octets = self._closing
                    self._nxt = nxt + 1
                else:
                    # Small pieces share a frame.
                    queue = self._queue
                    octets = bytearray()
                    room = min(self._cut, self._limit - nxt)
                    while queue and room:
                        piece = queue[0][:room]
                        octets += piece
                        room -= len(piece)
                        if len(piece) < len(queue[0]):
                            queue[0] = queue[0][len(piece) :]
                        else:
                            queue.pop(0)
                    self._nxt = nxt + len(octets)
                part = [nxt, self._nxt, 0, octets]
                flight.append(part)
                return self._emit(part, now)
            if flight:
                if self._good < _LOSSY and self._asked < self._order:
                    self._probe = True
            elif nxt < self._end and diff(self._at, now) > _RTO_MAX:
                # No credit: ask for it when none comes by itself.
                self._at = (now + _RTO_MAX) & 0x3FFFFFFF
            if self._probe:
                self._probe = False
                self._odd = True
                self._asked = self._order = self._order + 1
                return self._seal(_PROBE, self._order, 0)
            if self._odd:
                lossy = self._good < _LOSSY or (flight and self._asked == self._order)
                self._odd = bool(lossy or self._beyond or self._close_at >= 0)
        if self._owe and self._tx_seed is not None:
            self._owe = self._silent = n = 0
            if self._beyond:
                from .linkloss import pairs

                n = pairs(self)
            return self._seal(_ACK, self._echo, n)
        return None

    def _emit(self, part, now):
        """The frame of a part of the flight."""
        octets = part[3]
        n = len(octets)
        part[2] = self._order
        self._order += 1
        if not self._timed:
            self._timed = part[1]
            self._timed_at = now
        if len(self._flight) == 1:
            self._at = (now + self.rto) & 0x3FFFFFFF
        self._owe = 0
        self._out_view[10 : 10 + n][:] = octets
        return self._seal(_CLOSE if part[0] == self._close_at else _DATA, part[0], n)

    def _seal(self, kind, seq, n):
        """Complete the frame whose n octets of payload stand in _out; returns a view of it."""
        w = kind << 11 | n
        out = self._out
        check = (w * 11859 >> 11 & 255) ^ 0x5A
        ack = self._next_in & 0xFFFF
        pack_into(">HBHHB", out, 2, w, check, seq & 0xFFFF, ack, self._credit)
        self.sent += 1
        n += 10
        view = self._out_view
        pack_into("<I", out, n, crc32(view[2:n], self._tx_seed))
        return view[: n + 4]

    # -- input

    def receive(self, data, now):
        """Take octets as they came from the line; returns a list of events."""
        found = []
        at = 0
        n = len(data)
        view = self._view
        while at < n:
            fill = self.fill
            if fill:
                # The rest of a frame, and whatever follows it as far as there is room.
                part = min(n - at, len(view) - fill)
                view[fill : fill + part][:] = data[at : at + part]
                self.fill = fill + part
                at += part
                self._look(0, now, found)
            else:
                # Whole frames are taken where they lie.
                at = self._parse(data, at, n, now, found)
                if at < n:
                    self.fill = n - at
                    view[: n - at][:] = data[at:]
                    at = n
        self._since = now
        return found

    def _look(self, i, now, found):
        """Take the frames among the octets that were kept, from octet i on."""
        end = self.fill
        i = self._parse(self._view, i, end, now, found)
        self.fill = end - i
        if i:
            self._view[: end - i][:] = bytes(self._view[i:end])  # the two may overlap

    def _parse(self, view, i, end, now, found):
        """Take the frames in view[i:end]; returns where the first incomplete one begins."""
        while i < end:
            if view[i] != 0xF8 or (i + 1 < end and view[i + 1] != 0xC1):
                from .linkcontrol import noise

                i = noise(self, view, i, end, found)
                continue
            if end - i < 14:
                break
            w = view[i + 2] << 8 | view[i + 3]
            n = w & 2047
            j = i + 14 + n
            sound = (w * 11859 >> 11 & 255) ^ 0x5A == view[i + 4] and n <= self._fragment
            if sound:
                if j > end:
                    break
                seed = self._rx_seed if w < _FREE << 11 else 0
            if not sound or seed is None or crc32(view[i + 2 : j], seed) != _RESIDUE:
                from .linkcontrol import damage

                damage(self, sound, now)
                i += 2
                continue
            self._damaged = False
            self.received += 1
            seq = view[i + 5] << 8 | view[i + 6]
            if self._state == _OPEN and w < _FREE << 11:
                self._heard = now
                # Acknowledgement first: it may make room for what the events cause to be sent.
                una = self._una
                got = una + (((view[i + 7] << 8 | view[i + 8]) - una) & 0xFFFF)
                if got <= self._nxt:
                    limit = got + min(view[i + 9] << 6, _AHEAD)
                    if limit > self._limit:
                        self._limit = limit
                    if got > una:
                        if una < self._timed <= got:
                            # Twice the longest time of late.
                            rto = self.rto
                            new = 2 * diff(now, self._timed_at) - rto
                            rto += new if new > 0 else new >> 2
                            self.rto = min(max(rto, _RTO_MIN), _RTO_MAX)
                            self._timed = 0
                        self._una = got
                        self._at = (now + self.rto) & 0x3FFFFFFF
                        if self._good < _CLEAN:
                            # As in linkloss: the root of 14 octets of frame times those between
                            # two losses.
                            self._good += got - una
                            if self._good > self._gap:
                                self._gap = self._good
                                cut = 2 * self._cut
                                if cut * cut <= 14 * self._gap and cut <= self._peer_fragment:
                                    self._cut = cut
                    flight = self._flight
                    if flight:
                        ack = _ACK << 11 <= w < _CLOSE << 11
                        if self._odd or (ack and n):
                            from .linkloss import settle

                            settle(self, got, seq, view[i + 10 : j - 4] if ack else None)
                        else:
                            while flight and flight[0][1] <= got:
                                flight.pop(0)
                        if -1 < self._close_at < got:
                            w = _CLOSE << 11  # ours has arrived: that is all there is to say
                if not self._flight:
                    self._at = (now + _KEEPALIVE) & 0x3FFFFFFF
                if w < _ACK << 11:
                    if seq == self._next_in & 0xFFFF and not self._beyond:
                        self._owe = self._owe or 1
                        self._next_in += n
                        found.append((STREAM, bytes(view[i + 10 : j - 4])))
                    else:
                        from .linkloss import take

                        take(self, seq, view[i + 10 : j - 4], found)
                elif _PROBE << 11 <= w < _CLOSE << 11:
                    self._echo = seq
                    self._owe = 2
                    self._odd = True
            if w >= _CLOSE << 11 or self._state != _OPEN:
                from .linkcontrol import other

                other(self, w >> 11, seq, view[i + 9], bytes(view[i + 10 : j - 4]), now, found)
            i = j
        return i

    # -- time

    def timeout(self, now):
        """Milliseconds until `tick` has something to do; -1 for never."""
        wait = -1
        if self._state:
            wait = diff(self._at, now)
            if self._state == _OPEN:
                wait = min(wait, self._lost_ms - diff(now, self._heard))
        if self.fill:
            body = _BODY - diff(now, self._since)
            if body < wait or not self._state:
                wait = body
        elif not self._state:
            return -1
        return max(wait, 0)

    def tick(self, now):
        """Do what is due; returns a list of events."""
        found = []
        if self.fill and diff(now, self._since) >= _BODY:
            self._since = now
            from .linkcontrol import damage

            damage(self, self.fill > 1, now)
            self._look(min(self.fill, 2), now, found)
        if self._state:
            quiet = diff(now, self._heard)
            if self._state == _OPENING or quiet >= self._lost_ms:
                from .linkcontrol import late

                late(self, quiet, now, found)
            elif diff(now, self._at) >= 0:
                # Every time as long as the silence is by now: 40, 80, 160 ms, up to a second.
                self.timeouts += len(self._flight) > 0
                self._probe = True
                self._at = (now + min(max(self.rto, quiet), _RTO_MAX)) & 0x3FFFFFFF
        return found


if sys.maxsize == 0x7FFFFFFF:
    try:
        from ._accel import put, receive

        Link.put = put
        Link.receive = receive
    except (ImportError, SyntaxError, ValueError):
        pass  # not there, or for another processor
