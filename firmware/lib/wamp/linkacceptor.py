"""The acceptor's end of the serial link: the bridge's half of the handshake (docs/link.md)."""

from struct import pack, unpack_from

from .link import OPENED, Link
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
from .linkstream import IS_CLOSED, IS_OPEN, IS_OPENING


class Acceptor(Link):
    """One port's end at the bridge.

    When `receive` reports (OPENED, name), the owner answers with `accept` or `refuse` before it
    does anything else with the link.
    """

    _asked = (0, 0, 0, 0)
    _own_epoch = 0
    _utc = 0

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
        if epoch:
            self.resume(now)

    def accept(self, epoch, utc, now):
        """Take the connection. epoch: fresh and random; utc: seconds since 1970, 0 unknown."""
        peer, fragment, lost, credit = self._asked
        self._utc = utc
        self._connected(epoch, peer, fragment, lost, credit, now)
        self._own_epoch = epoch
        self._epoch = peer  # the connection's name on the line is the initiator's epoch
        self._send_accept()

    def refuse(self, code, text):
        """Refuse the connection; the device is told why. text: one sentence, 120 octets."""
        self._control.append(
            frame(T_REFUSE, pack(">IB", self._asked[0], code) + text.encode()[:120])
        )
        self._become(IS_CLOSED)

    def _connect_frame(self, kind, credit, payload, now, found):
        if kind != T_OPEN or len(payload) < 9:
            return
        low, high, epoch, fragment, lost = unpack_from(">BBIHB", payload, 0)
        if not low <= VERSION_1 <= high:
            self._asked = (epoch, 0, 0, 0)
            if self._state == IS_OPEN:
                self._ended((NO_CONNECTION, "the device started anew"), found)
            self.refuse(
                VERSION,
                "the device speaks link versions %d to %d, the bridge 1" % (low & 63, high & 63),
            )
            return
        if not epoch or fragment < 64 or not lost:
            return
        if self._state == IS_OPEN:
            if epoch == self._epoch and not self._verified:
                # Our ACCEPT was lost, or crossed this OPEN.
                self._heard = now
                self._send_accept()
                return
            self._ended((NO_CONNECTION, "the device started anew"), found)
        self._control = []
        self._become(IS_OPENING)
        self._asked = (epoch, fragment, lost, credit)
        name = payload[9:73]
        # Of two OPENs in one piece (one that had waited, one that our ANNOUNCE caused) the newer.
        found[:] = [event for event in found if event[0] != OPENED]
        found.append((OPENED, name.decode() if is_text(name) else ""))

    def _foreign(self, now):
        if self._state == IS_CLOSED and self._may_answer(now):
            self.announce(now)

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
        self._control.append(frame(T_ACCEPT, payload, credit=self._window_credit()))
