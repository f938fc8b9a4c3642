"""The acceptor's end of the serial link: the bridge's half of the handshake (docs/link.md)."""

from struct import pack, unpack_from

from . import linkcontrol
from .link import OPENED, Link, diff
from .linkcontrol import IS_CLOSED, IS_OPEN, IS_OPENING, become, connected, ended, reset
from .linkframe import (
    NO_CONNECTION,
    T_ACCEPT,
    T_ANNOUNCE,
    T_OPEN,
    T_REFUSE,
    VERSION,
    VERSION_1,
    frame,
    is_text,
)

WINDOW_MAX = 255 << 6  # octets: what the credit's octet can say
# An acknowledgement of its own costs as much as the rest of a short message: a host for writing
# it, a board for reading it. So it waits for a frame that carries it, such as the router's answer:
# half of the time that docs/link.md allows, and a quarter of what a device may have under way.
WAIT_MS = 10
WAIT_OCTETS = 1024
WAIT_FRAMES = 16


class Acceptor(Link):
    """One port's end at the bridge.

    When `receive` reports (OPENED, name), the owner answers with `accept` or `refuse` before it
    does anything else with the link. window: what we let the device have under way now.
    """

    _asked_by = (0, 0, 0, 0)
    _closing = b""  # the payload of our CLOSE
    _epoch = 0
    _own_epoch = 0
    _utc = 0
    _unheard = 0  # `received` when the connection was accepted
    _owing = -1  # since when an acknowledgement waits
    _told = 0  # octets, and frames, that had come when a frame went out last
    _told_frames = 0

    def __init__(self, window=4096, fragment=1024, lost_ms=10000, send_buffer=4096, name=""):
        super().__init__(window, fragment, lost_ms, send_buffer, name)
        self.window = min(window, WINDOW_MAX)

    def room(self):
        """Octets that `send` would take now; 0 while there is no connection."""
        if self._state != IS_OPEN or self._close_at >= 0:
            return 0
        return self._buffer - self._end + self._una

    def output(self, now):
        """The next frame to write, as `Link.output`; an acknowledgement may wait for another
        frame to carry it."""
        if self._owe == 1 and not self._odd and not self._control and self._nxt == self._end:
            if self._owing < 0:
                self._owing = now
            if (
                self._next_in - self._told < WAIT_OCTETS
                and self.received - self._told_frames < WAIT_FRAMES
                and diff(now, self._owing) < WAIT_MS
            ):
                return None
        self._owing = -1
        self._told = self._next_in
        self._told_frames = self.received
        return Link.output(self, now)

    def timeout(self, now):
        """Milliseconds until `tick`, and then `output`, have something to do; -1 for never."""
        wait = Link.timeout(self, now)
        if self._owing < 0:
            return wait
        return min(wait, max(WAIT_MS - diff(now, self._owing), 0))

    def announce(self, now):
        """The port was opened (again): tells a waiting device, or resumes the connection."""
        epoch = self._epoch if self._state == IS_OPEN else 0
        filler = 0x20
        while True:
            octets = frame(T_ANNOUNCE, pack(">BBIB", VERSION_1, VERSION_1, epoch, filler))
            filler += 1
            if epoch or filler > 255 or not [x for x in octets if 0 < x < 6]:
                break
        self._control.append(octets)
        self._odd = True
        if epoch:
            linkcontrol.resume(self, now)

    def accept(self, epoch, utc, now):
        """Take the connection. epoch: fresh and random; utc: seconds since 1970, 0 unknown."""
        peer, fragment, lost, credit = self._asked_by
        self._utc = utc
        connected(self, epoch, peer, fragment, lost, credit, now)
        self._own_epoch = epoch
        self._epoch = peer  # the connection's name on the line is the initiator's epoch
        self._unheard = self.received
        self._send_accept()

    def refuse(self, code, text):
        """Refuse the connection; the device is told why. text: one sentence, 120 octets."""
        self._control.append(
            frame(T_REFUSE, pack(">IB", self._asked_by[0], code) + text.encode()[:120])
        )
        become(self, IS_CLOSED)

    def console(self, text):
        """Send text (octets, at most 1,024) to the device's console; it may get lost."""
        linkcontrol.console(self, text)

    def set_window(self, octets):
        """What we can take now, at most `window` of the constructor: holds the peer back."""
        before = self._credit
        self.window = min(octets, len(self._hold), WINDOW_MAX)
        self._credit = self.window >> 6
        if self._credit > before and before << 6 < self._fragment and self._state == IS_OPEN:
            self._owe = 2
            self._odd = True

    def _connect_frame(self, kind, credit, payload, now, found):
        self.received -= 1  # that counts frames of connections
        if kind != T_OPEN or len(payload) < 9:
            return
        low, high, epoch, fragment, lost = unpack_from(">BBIHB", payload, 0)
        if not low <= VERSION_1 <= high:
            self._asked_by = (epoch, 0, 0, 0)
            if self._state == IS_OPEN:
                ended(self, NO_CONNECTION, "the device started anew", found)
            self.refuse(
                VERSION,
                "the device speaks link versions %d to %d, the bridge 1" % (low & 63, high & 63),
            )
            return
        if not epoch or fragment < 64 or not lost:
            return
        if self._state == IS_OPEN:
            if epoch == self._epoch and self.received == self._unheard:
                # Our ACCEPT was lost, or crossed this OPEN.
                self._heard = now
                self._send_accept()
                return
            ended(self, NO_CONNECTION, "the device started anew", found)
        self._control = []
        reset(self, IS_OPENING, now)
        self._at = (now + 0x10000000) & 0x3FFFFFFF  # the owner answers, not a timer
        self._asked_by = (epoch, fragment, lost, credit)
        name = payload[9:73]
        # Of two OPENs in one piece (one that had waited, one that our ANNOUNCE caused) the newer.
        found[:] = [event for event in found if event[0] != OPENED]
        found.append((OPENED, name.decode() if is_text(name) else ""))

    def _send_accept(self):
        payload = pack(
            ">BIIHBI",
            VERSION_1,
            self._epoch,
            self._own_epoch,
            self._fragment,
            self._lost_own // 100,
            self._utc,
        )
        self._control.append(frame(T_ACCEPT, payload, credit=self._credit))
        self._odd = True
