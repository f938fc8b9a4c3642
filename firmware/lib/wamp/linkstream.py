"""The stream of the serial link: every octet exactly once and in order (docs/link.md, section 4).

Positions, windows, acknowledgement, loss, fragments and round-trip time. `link.Link` adds frames
on the line, connections and timers.
"""

from binascii import crc32
from struct import pack_into, unpack_from

from .linkframe import OVERHEAD, PAYLOAD_MAX, SYNC, const

len = len  # a builtin found in the module costs MicroPython 3 us less than one that is not
bytes = bytes

# As in linkframe; a constant of the same module costs MicroPython nothing to look up.
_T_DATA = const(0)
_T_ACK = const(1)
_T_PROBE = const(2)
_T_CLOSE = const(3)

WINDOW_MAX = 255 << 6  # octets: what the credit's octet can say

STREAM = 0  # the event (STREAM, octets)

# States of the connection
IS_CLOSED = 0
IS_OPENING = 1
IS_OPEN = 2

_RTO_MIN = 100
RTO_MAX = 1000
RTO_FIRST = 500
_FRAGMENT_MIN = 64
_FRAGMENT_FIRST = 256
_GROW_AFTER = 16  # fragments' worth of octets without a loss


def _power(n):
    size = 256
    while size < n:
        size <<= 1
    return size


def diff(a, b):
    """a - b in milliseconds, right across a wrap of the clock as long as it is under 6 days."""
    return ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000


class Stream:
    """Both directions of one connection after another; see `link.Link` for the arguments.

    is_open: whether a connection is up (possibly silent for up to lost_ms). rto: milliseconds
    after which `tick` is due at the latest when `put` was used. The counters are for diagnosis.
    """

    def __init__(self, window, fragment, send_buffer):
        # MicroPython moves all that lies behind a slice that is assigned to. So octets are copied
        # with `view[a:b][:] = octets`, where nothing lies behind.
        self._view = memoryview(bytearray(fragment + OVERHEAD + 512))  # input that is incomplete
        self._out = bytearray(PAYLOAD_MAX + OVERHEAD)
        self._out_view = memoryview(self._out)
        self._out[0:2] = SYNC
        self._ring = memoryview(bytearray(_power(send_buffer)))
        self._hold = memoryview(bytearray(_power(window)))  # octets received beyond a gap
        self._fragment = fragment
        self._peer_fragment = PAYLOAD_MAX
        self._tx_seed = self._rx_seed = None
        self.window = min(window, WINDOW_MAX)
        self._control = []  # frames that go out before the stream's
        self._become(IS_CLOSED)
        self.received = self.sent = self.damaged = self.resent = self.timeouts = 0
        self._reset_stream(0)

    def _become(self, state):
        # An attribute and no property: one property in a class makes MicroPython search the class
        # at every assignment to an attribute, ten times the cost of the assignment.
        self._state = state
        self.is_open = state == IS_OPEN

    def _reset_stream(self, now):
        self._una = self._nxt = self._end = 0
        self._limit = 0
        self._flight = []  # [start, end, order, sent at, times sent]; order -1: to be sent again
        self._order = 0
        self._again = 0  # how many of _flight are to be sent again
        self._close = None  # payload of our CLOSE
        self._close_at = -1  # its position
        self._srtt = 0
        self._rttvar = 0
        self.rto = RTO_FIRST
        self._rto_at = None
        self._probe_at = None
        self._probe = False
        self._owe = False
        self._next_in = 0
        self._beyond = []  # [start, end] of octets held beyond a gap
        self._credit = 0
        self._cut = min(_FRAGMENT_FIRST, self._peer_fragment)
        self._good = 0
        self._verified = False
        self._heard = now

    def send(self, data):
        """Queue octets of the stream; returns how many were taken, up to `room()`.

        They go out with the next calls of `output`.
        """
        n = len(data)
        room = self.room()
        if n > room:
            n = room
        if n:
            ring = self._ring
            size = len(ring)
            i = self._end & (size - 1)
            if i + n <= size:
                ring[i : i + n][:] = data if n == len(data) else memoryview(data)[:n]
            else:
                data = memoryview(data)
                ring[i:][:] = data[: size - i]
                ring[: i + n - size][:] = data[size - i : n]
            self._end += n
        return n

    def put(self, data, now):
        """`send` and `output` in one step, for the usual case: one piece that fits a frame, and
        nothing else to send. Returns the frame, or None (and has done nothing) in other cases."""
        n = len(data)
        start = self._end
        stop = start + n
        ring = self._ring
        i = start & (len(ring) - 1)
        if (
            start != self._nxt
            or stop > self._limit
            or n > self._cut
            or i + n > len(ring)
            or stop - self._una > len(ring)
            or self._state != IS_OPEN
            or self._close is not None
            or self._again
            or self._control
            or self._beyond
        ):
            return None
        ring[i : i + n][:] = data
        self._out_view[10 : 10 + n][:] = data
        self._end = self._nxt = stop
        self._flight.append([start, stop, self._order, now, 1])
        self._order += 1
        self._owe = False
        if self._rto_at is None:
            self._rto_at = (now + self.rto) & 0x3FFFFFFF
        return self._seal(_T_DATA, start, n)

    def room(self):
        """Octets that `send` would take now; 0 while there is no connection."""
        if self._state != IS_OPEN or self._close is not None:
            return 0
        return len(self._ring) - self._end + self._una

    def pending(self):
        """Octets taken by `send` that the peer has not acknowledged."""
        return self._end - self._una

    def set_window(self, octets):
        """What we can take now, at most `window` of the constructor: holds the peer back."""
        self.window = min(octets, len(self._hold), WINDOW_MAX)
        if octets >> 6 > self._credit and self._credit << 6 < self._fragment:
            self._owe = True

    def _take(self, seq, payload, found):
        """Octets of the stream: hand up what is in order, hold what lies beyond a gap.

        payload: a view of octets that will be overwritten.
        """
        self._owe = True
        next_in = self._next_in
        n = len(payload)
        if seq == next_in & 0xFFFF and not self._beyond:
            found.append((STREAM, bytes(payload)))
            self._next_in = next_in + n
            return
        start = next_in + ((seq - next_in + 0x8000) & 0xFFFF) - 0x8000
        end = start + n
        if end <= next_in:
            return
        if start <= next_in:
            found.append((STREAM, bytes(payload[next_in - start :])))
            self._next_in = end
            self._fill_gap(found)
            return
        hold = self._hold
        size = len(hold)
        if end > next_in + size:
            return  # beyond every credit we gave
        i = start & (size - 1)
        if i + n <= size:
            hold[i : i + n][:] = payload
        else:
            k = size - i
            hold[i:][:] = payload[:k]
            hold[: n - k][:] = payload[k:]
        merged = []
        for a, b in self._beyond:
            if b < start or a > end:
                merged.append((a, b))
            else:
                start = min(a, start)
                end = max(b, end)
        merged.append((start, end))
        merged.sort()
        self._beyond = merged

    def _fill_gap(self, found):
        hold = self._hold
        size = len(hold)
        while self._beyond and self._beyond[0][0] <= self._next_in:
            end = self._beyond.pop(0)[1]
            while self._next_in < end:
                i = self._next_in & (size - 1)
                n = min(end - self._next_in, size - i)
                found.append((STREAM, bytes(hold[i : i + n])))
                self._next_in += n

    def _acknowledge(self, got, pairs, now):
        """Drop what the peer has; whatever was sent before the newest of that is lost.

        got: the position up to which it has all. pairs: a view of (start, end) as on the line.
        """
        flight = self._flight
        if not pairs and len(flight) == 1 and flight[0][1] == got:
            # The usual case: one frame was under way, and it arrived.
            part = flight.pop()
            if part[2] < 0:
                self._again -= 1
            elif part[4] == 1:
                self._measure(diff(now, part[3]))
            self._good += got - self._una
            self._una = got
            self._rto_at = None
            self._grow()
            return
        newest = -1
        sent_at = None
        una = self._una
        spans = []
        for i in range(0, len(pairs) - 3, 4):
            a, b = unpack_from(">HH", pairs, i)
            spans.append((una + ((a - una) & 0xFFFF), una + ((b - una) & 0xFFFF)))
        left = []
        for part in flight:
            start, end, order = part[0], part[1], part[2]
            done = end <= got
            if not done:
                for a, b in spans:
                    if a <= start and end <= b:
                        done = True
            if not done:
                if start < got:
                    part[0] = got
                left.append(part)
                continue
            if order < 0:
                self._again -= 1
            elif order > newest:
                newest = order
                if part[4] == 1:
                    sent_at = part[3]
            self._good += end - start
        self._una = got
        if len(left) == len(flight):
            return
        self._flight = left
        self._grow()
        if sent_at is not None:
            self._measure(diff(now, sent_at))
        for part in left:
            if 0 <= part[2] < newest:
                self._mark_lost(part)
        # Progress: the timer starts anew for what is left.
        self._rto_at = (now + self.rto) & 0x3FFFFFFF if left else None

    def _grow(self):
        """Longer fragments after a while without a loss."""
        if self._good >= self._cut * _GROW_AFTER:
            self._good = 0
            self._cut = min(self._cut * 2, self._peer_fragment)

    def _measure(self, rtt):
        """RFC 6298, with a floor that leaves room for garbage collection and flash writes."""
        if not self._srtt:
            self._srtt = rtt
            self._rttvar = rtt >> 1
        else:
            error = rtt - self._srtt
            self._srtt += error >> 3
            self._rttvar += ((error if error >= 0 else -error) - self._rttvar) >> 2
        self.rto = min(max(self._srtt + 4 * self._rttvar, _RTO_MIN), RTO_MAX)

    def _mark_lost(self, part):
        part[2] = -1
        self._again += 1
        self._good = 0
        half = max(_FRAGMENT_MIN, (part[1] - part[0]) >> 1)
        if half < self._cut:
            self._cut = half

    def _window_credit(self):
        return self.window >> 6

    def _next_frame(self, now):
        """The frame that is due next, or None: reports of gaps, what was lost, new octets."""
        if self._owe and self._beyond:
            return self._send_ack(_T_ACK)
        if self._again:
            for part in self._flight:
                if part[2] < 0:
                    return self._send_again(part, now)
        nxt = self._nxt
        end = self._end if self._close is None else self._close_at
        if nxt < end and nxt < self._limit:
            stop = min(nxt + self._cut, end, self._limit)
            self._flight.append([nxt, stop, self._order, now, 1])
            self._nxt = stop
            return self._send_data(nxt, stop, now)
        if nxt == self._close_at and nxt < self._limit:
            self._flight.append([nxt, nxt + 1, self._order, now, 1])
            self._nxt = nxt + 1
            return self._send_close(now)
        if self._probe:
            self._probe = False
            return self._send_ack(_T_PROBE)
        if self._owe:
            return self._send_ack(_T_ACK)
        return None

    def _send_again(self, part, now):
        self.resent += 1
        start = part[0]
        part[2] = self._order
        part[3] = now
        part[4] += 1
        self._again -= 1
        if start == self._close_at:
            return self._send_close(now)
        if part[1] - start > self._cut:
            # Cut anew: the rest becomes a part of its own that is still to be sent.
            rest = [start + self._cut, part[1], -1, now, part[4]]
            part[1] = rest[0]
            self._again += 1
            self._flight.insert(self._flight.index(part) + 1, rest)
        return self._send_data(start, part[1], now)

    def _send_data(self, start, stop, now):
        out = self._out_view
        ring = self._ring
        size = len(ring)
        n = stop - start
        i = start & (size - 1)
        if i + n <= size:
            out[10 : 10 + n][:] = ring[i : i + n]
        else:
            k = size - i
            out[10 : 10 + k][:] = ring[i:]
            out[10 + k : 10 + n][:] = ring[: n - k]
        return self._send_sequenced(_T_DATA, start, n, now)

    def _send_close(self, now):
        n = len(self._close)
        self._out_view[10 : 10 + n][:] = self._close
        return self._send_sequenced(_T_CLOSE, self._close_at, n, now)

    def _send_sequenced(self, kind, start, n, now):
        self._order += 1
        if self._rto_at is None:
            self._rto_at = (now + self.rto) & 0x3FFFFFFF
        if not self._beyond:
            self._owe = False
        return self._seal(kind, start, n)

    def _send_ack(self, kind):
        self._owe = False
        n = 0
        for a, b in self._beyond[:4]:
            pack_into(">HH", self._out, 10 + n, a & 0xFFFF, b & 0xFFFF)
            n += 4
        return self._seal(kind, self._nxt, n)

    def _seal(self, kind, seq, n):
        """Complete the frame whose n octets of payload stand in _out; returns a view of it."""
        out = self._out
        w = kind << 11 | n
        self._credit = credit = self.window >> 6
        pack_into(
            ">HBHHB",
            out,
            2,
            w,
            (w * 11859 >> 11 & 255) ^ 0x5A,
            seq & 0xFFFF,
            self._next_in & 0xFFFF,
            credit,
        )
        n += 10
        view = self._out_view
        pack_into(">I", out, n, crc32(view[2:n], self._tx_seed))
        self.sent += 1
        return view[: n + 4]
