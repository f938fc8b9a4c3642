"""The reliable serial link below RawSocket: docs/link.md, version 1.

Pure: octets in, events and frames out. `Link` is the initiator's end (the device); the acceptor's
(the bridge) is `linkacceptor.Acceptor`, the same with the other half of the handshake. The owner
passes octets and the time to `receive`, calls `tick` when `timeout` says so, and writes what
`output` gives until it gives None.

Time is a count of milliseconds that may wrap at any multiple of 2^30.
"""

from binascii import crc32
from struct import pack, unpack_from

from .errors import LocalProtocolError
from .linkframe import (
    BY_PEER,
    LOST,
    NO_CONNECTION,
    PAYLOAD_MAX,
    SYNC,
    T_ACCEPT,
    T_ANNOUNCE,
    T_CLOSE,
    T_CONSOLE,
    T_OPEN,
    T_REFUSE,
    T_RESET,
    VERSION_1,
    const,
    frame,
    reason,
)
from .linkstream import (
    IS_CLOSED,
    IS_OPEN,
    IS_OPENING,
    RTO_FIRST,
    RTO_MAX,
    STREAM,
    Stream,
    diff,
)

len = len  # a builtin found in the module costs MicroPython 3 us less than one that is not
bytes = bytes

# Events, besides (STREAM, octets)
OPENED = 1  # (OPENED, UTC in seconds or 0) at the initiator, (OPENED, name) at the acceptor
CLOSED = 2  # (CLOSED, (code, text))
CONSOLE = 3  # (CONSOLE, octets)

# As in linkframe; a constant of the same module costs MicroPython nothing to look up.
_T_ACK = const(1)
_T_PROBE = const(2)
_T_CLOSE = const(3)
_T_FREE = const(8)  # from here on: no connection, empty seed

_KEEPALIVE = 2500
_PROBE_EVERY = 1000
_BODY = 1000
_ANSWER_EVERY = 500


class Link(Stream):
    """One end of the link.

    window: octets that may be under way towards us, 256 to 16,384 (our line's buffer must hold
    them). send_buffer: octets that `send` takes before the peer has acknowledged them. Both are
    allocated once, as the next higher power of two. fragment: longest payload we accept, 64 to
    1,024. lost_ms: silence after which the connection is given up, 100 to 25,500. name: software
    of the device, for the bridge's log.
    """

    def __init__(
        self, window=4096, fragment=PAYLOAD_MAX, lost_ms=10000, send_buffer=4096, name=""
    ):
        if not 64 <= fragment <= PAYLOAD_MAX or not 256 <= window <= 16384:
            raise LocalProtocolError("link: fragment is 64 to 1024, window 256 to 16384 octets")
        if not 256 <= send_buffer <= 16384 or not 100 <= lost_ms <= 25500:
            raise LocalProtocolError("link: send_buffer is 256 to 16384, lost_ms 100 to 25500")
        super().__init__(window, fragment, send_buffer)
        self._lost_ms = self._lost_own = lost_ms
        self._name = name
        self._fill = 0  # octets in _in
        self._since = None  # when an incomplete frame began to be waited for
        self._damaged = False  # the octets that follow are no text
        self._control = []  # frames that go out before the stream's
        self._epoch = 0
        self._answered = None
        self._open_at = None
        self._open_wait = 0

    # -- what the owner asks for

    def open(self, epoch, now):
        """Begin a connection. epoch: a fresh random number, 1 to 2^32 - 1."""
        self._become(IS_OPENING)
        self._epoch = epoch
        self._tx_seed = self._rx_seed = None
        self._open_wait = 250
        self._control = []
        self._send_open(now)

    def console(self, text):
        """Queue console text (octets, at most 1,024) outside the stream; it may get lost."""
        if self._state == IS_OPEN and len(self._control) < 8:
            text = bytes(text[: self._peer_fragment])
            self._control.append(self._rare(T_CONSOLE, text))

    def close(self, code=BY_PEER, text=""):
        """End the connection after what was sent; CLOSED follows when the peer knows."""
        if self._state == IS_OPEN:
            if self._close is None:
                self._close = bytes((code,)) + text.encode()[:120]
                self._close_at = self._end
                self._end += 1
        else:
            self._become(IS_CLOSED)

    def reset(self, code=BY_PEER, text=""):
        """End the connection now; one RESET is left for `output`, no event follows."""
        if self._state == IS_OPEN:
            self._control = [self._rare(T_RESET, bytes((code,)) + text.encode()[:120])]
        self._become(IS_CLOSED)

    # -- input

    def receive(self, data, now):
        """Take octets as they came from the line; returns a list of events."""
        found = []
        at = 0
        n = len(data)
        while at < n:
            if not self._fill:
                # Whole frames are taken where they lie.
                view = memoryview(data)
                at = self._parse(view, at, n, now, found)
                rest = n - at
                if rest:
                    self._view[:rest][:] = view[at:]
                    self._fill = rest
                return found
            # The rest of a frame, and whatever follows it as far as there is room.
            fill = self._fill
            part = min(n - at, len(self._view) - fill)
            self._view[fill : fill + part][:] = memoryview(data)[at : at + part]
            self._fill = fill + part
            at += part
            self._again_from_start(now, found)
        return found

    def _again_from_start(self, now, found):
        """Look at the octets that were kept."""
        end = self._fill
        i = self._parse(self._view, 0, end, now, found)
        if i:
            # Forward and octet by octet in effect: the two may overlap.
            self._view[: end - i][:] = bytes(self._view[i:end])
            self._fill = end - i

    def _parse(self, view, i, end, now, found):
        """Take the frames in view[i:end]; returns where the first incomplete one begins."""
        while i < end:
            if view[i] != 0xF8 or (i + 1 < end and view[i + 1] != 0xC1):
                i = self._skip_text(view, i, end, found)
                if i + 1 >= end:
                    return i
                continue
            if end - i < 10:
                return i
            w = view[i + 2] << 8 | view[i + 3]
            n = w & 2047
            if (w * 11859 >> 11 & 255) ^ 0x5A != view[i + 4] or n > self._fragment:
                self.damaged += 1
                self._damaged = True
                i += 2
                continue
            j = i + 10 + n
            if j + 4 > end:
                if self._since is None:
                    self._since = now
                elif diff(now, self._since) > _BODY:
                    self._since = None
                    self._damage(now)
                    i += 2
                    continue
                return i
            self._since = None
            seed = self._rx_seed if w < _T_FREE << 11 else 0
            if seed is None or crc32(view[i + 2 : j], seed) != unpack_from(">I", view, j)[0]:
                self._damage(now)
                i += 2
                continue
            self._damaged = False
            self.received += 1
            seq = view[i + 5] << 8 | view[i + 6]
            credit = view[i + 9]
            if w >= _T_FREE << 11:
                self._connect_frame(w >> 11, credit, bytes(view[i + 10 : j]), now, found)
            elif self._state != IS_OPEN:
                self._answer_closed(w >> 11, seq, n, now)
            else:
                self._heard = now
                self._verified = True
                self._probe_at = None
                # Acknowledgement first: it may make room for what the events cause to be sent.
                una = self._una
                got = una + (((view[i + 7] << 8 | view[i + 8]) - una) & 0xFFFF)
                if got <= self._nxt:
                    if got + (credit << 6) > self._limit:
                        self._limit = got + (credit << 6)
                    if got != una or self._flight:
                        pairs = view[i + 10 : j] if _T_ACK << 11 <= w < _T_CLOSE << 11 else b""
                        self._acknowledge(got, pairs, now)
                        if self._close is not None and got > self._close_at:
                            self._ended(reason(self._close), found)
                            i = j + 4
                            continue
                if w < _T_ACK << 11:
                    if seq == self._next_in & 0xFFFF and not self._beyond:
                        # The usual case, without a call.
                        self._owe = True
                        self._next_in += n
                        found.append((STREAM, bytes(view[i + 10 : j])))
                    else:
                        self._take(seq, view[i + 10 : j], found)
                elif w >= _T_PROBE << 11:
                    self._accept_rare(w >> 11, seq, bytes(view[i + 10 : j]), found)
            i = j + 4
        return i

    def _skip_text(self, view, i, end, found):
        """Pass over octets that begin no frame; returns where the next frame may begin."""
        text = bytes(view[i:end])
        j = text.find(SYNC)
        if j < 0:
            # An F8 at the very end may be half a sync.
            j = len(text) - 1 if text[-1] == 0xF8 and len(text) > 1 else len(text)
        i += j
        text = text[:j]
        if self._damaged:
            # The rest of a damaged frame is no text, but a traceback may follow: a board that was
            # reset in mid-frame prints one. Text counts again from the next line on.
            k = text.find(b"\n")
            if k < 0:
                return i
            self._damaged = False
            text = text[k + 1 :]
        if text:
            found.append((CONSOLE, text))
        return i

    def _damage(self, now):
        self.damaged += 1
        self._damaged = True
        self._foreign(now)

    def _foreign(self, now):
        """A frame that fits no connection we know; the acceptor answers it."""

    def _may_answer(self, now):
        if self._answered is not None and diff(now, self._answered) < _ANSWER_EVERY:
            return False
        self._answered = now
        return True

    def _accept_rare(self, kind, seq, payload, found):
        """A good frame of the connection that is neither DATA nor ACK."""
        if kind == _T_PROBE:
            self._owe = True
        elif kind == T_CLOSE:
            self._owe = True
            if seq == self._next_in & 0xFFFF:
                self._next_in += 1
                self._ended(reason(payload), found)
        elif kind == T_RESET:
            self._ended(reason(payload), found)
            self._owe = False
        elif kind == T_CONSOLE:
            found.append((CONSOLE, payload))

    def _ended(self, reason, found):
        self._become(IS_CLOSED)
        self._rto_at = None
        self._flight = []
        self._again = 0
        found.append((CLOSED, reason))

    def _answer_closed(self, kind, seq, n, now):
        """A frame of the connection that ended last: acknowledge again, or tell the peer."""
        if kind == _T_ACK or kind == T_RESET or kind == T_CONSOLE:
            return
        if kind != _T_PROBE:
            behind = (self._next_in - seq) & 0xFFFF
            if (n if kind == 0 else 1) <= behind < 0x8000:
                self._owe = True
                return
        if self._may_answer(now):
            self._control.append(self._rare(T_RESET, bytes((NO_CONNECTION,))))

    # -- connections

    def _connect_frame(self, kind, credit, payload, now, found):
        if kind == T_ACCEPT and self._state == IS_OPENING and len(payload) >= 16:
            version, mine, peer, fragment, lost, utc = unpack_from(">BIIHBI", payload, 0)
            if mine == self._epoch and version == VERSION_1 and fragment >= 64 and lost:
                self._connected(mine, peer, fragment, lost, credit, now)
                found.append((OPENED, utc))
        elif kind == T_ANNOUNCE and len(payload) >= 6:
            if self._state == IS_OPENING:
                self.resume(now)
            elif self._state == IS_OPEN:
                if unpack_from(">I", payload, 2)[0] == self._epoch:
                    self.resume(now)
                else:
                    self._ended((NO_CONNECTION, "the bridge was restarted"), found)
        elif kind == T_REFUSE and self._state == IS_OPENING and len(payload) >= 5:
            if unpack_from(">I", payload, 0)[0] == self._epoch:
                self._ended(reason(payload[4:]), found)

    def _connected(self, own, peer, fragment, lost, credit, now):
        self._tx_seed = crc32(pack(">II", own, peer))
        self._rx_seed = crc32(pack(">II", peer, own))
        self._peer_fragment = min(fragment, PAYLOAD_MAX)
        self._lost_ms = min(self._lost_own, lost * 100)
        self._reset_stream(now)
        self._limit = credit << 6
        self._open_at = None
        self._become(IS_OPEN)

    def _send_open(self, now):
        payload = pack(
            ">BBIHB", VERSION_1, VERSION_1, self._epoch, self._fragment, self._lost_own // 100
        )
        payload += self._name.encode()[:64]
        self._control = [frame(T_OPEN, payload, credit=self._window_credit())]
        self._open_at = (now + self._open_wait) & 0x3FFFFFFF
        self._open_wait = min(self._open_wait * 2, 2000)

    def resume(self, now):
        """The line is back: ask at once, and forget what the silence taught the timers."""
        if self._state == IS_OPENING:
            self._open_wait = 250
            self._send_open(now)
            return
        self._probe = True
        self.rto = min(self.rto, RTO_FIRST)
        if self._flight:
            self._rto_at = now & 0x3FFFFFFF

    def _rare(self, kind, payload):
        """A frame of the connection that carries no octets of the stream."""
        return frame(kind, payload, self._tx_seed, self._nxt, self._next_in, self._window_credit())

    # -- time

    def timeout(self, now):
        """Milliseconds until `tick` has something to do; -1 for never."""
        if self._state == IS_OPENING:
            at = self._open_at
            wait = -1 if at is None else max(diff(at, now), 0)
        elif self._state == IS_OPEN:
            quiet = diff(now, self._heard)
            wait = min(_KEEPALIVE, self._lost_ms) - quiet
            if wait <= 0:
                wait = self._lost_ms - quiet
                if self._probe_at is not None:
                    wait = min(wait, diff(self._probe_at, now))
                else:
                    wait = 0
            if self._rto_at is not None:
                wait = min(wait, diff(self._rto_at, now))
            elif self._nxt < self._end and self._nxt >= self._limit:
                wait = min(wait, self.rto)
            wait = max(wait, 0)
        else:
            wait = -1
        if self._since is not None:
            body = max(_BODY + 1 - diff(now, self._since), 0)
            wait = body if wait < 0 else min(wait, body)
        return wait

    def tick(self, now):
        """Do what is due; returns a list of events."""
        found = []
        if self._since is not None and diff(now, self._since) > _BODY:
            self._again_from_start(now, found)
        if self._state == IS_OPENING:
            if self._open_at is not None and diff(now, self._open_at) >= 0:
                self._send_open(now)
        elif self._state == IS_OPEN:
            quiet = diff(now, self._heard)
            if quiet >= self._lost_ms:
                self._ended((LOST, "nothing was heard for %d ms" % quiet), found)
                return found
            due = quiet >= _KEEPALIVE
            if self._rto_at is None and self._limit <= self._nxt < self._end:
                due = quiet >= self.rto
            if due and (self._probe_at is None or diff(now, self._probe_at) >= 0):
                self._probe = True
                self._probe_at = (now + _PROBE_EVERY) & 0x3FFFFFFF
            if self._rto_at is not None and diff(now, self._rto_at) >= 0:
                self.timeouts += 1
                self.rto = min(self.rto * 2, RTO_MAX)
                self._rto_at = (now + self.rto) & 0x3FFFFFFF
                if self._flight and self._flight[0][2] >= 0:
                    self._mark_lost(self._flight[0])
        return found

    # -- output

    def output(self, now):
        """The next frame to write, as octets or a view that the next call overwrites; or None."""
        if self._control:
            self.sent += 1
            return self._control.pop(0)
        if self._state == IS_OPEN and (
            self._beyond or self._again or self._nxt < self._end or self._probe
        ):
            return self._next_frame(now)
        if self._owe and self._tx_seed is not None:
            self._owe = False
            return self._seal(_T_ACK, self._nxt, 0)
        return None
