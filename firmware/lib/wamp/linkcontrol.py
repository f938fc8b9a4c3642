"""What happens seldom on the serial link: connections that begin and end, noise (docs/link.md).

Functions on a `link.Link`, in a module that is loaded when the first of them is needed.
"""

from binascii import crc32
from struct import pack, unpack_from

from .link import CLOSED, CONSOLE, OPENED, diff
from .linkframe import (
    NO_CONNECTION,
    SYNC,
    T_ACCEPT,
    T_ACK,
    T_ANNOUNCE,
    T_CLOSE,
    T_CONSOLE,
    T_OPEN,
    T_PROBE,
    T_REFUSE,
    T_RESET,
    VERSION_1,
    frame,
    reason,
)

# States, as in link
IS_CLOSED = 0
IS_OPENING = 1
IS_OPEN = 2

_ANSWER_EVERY = 500  # ms between two answers to stray frames


def begin(link, epoch, now):
    """Begin a connection as the initiator."""
    link._reset(IS_OPENING, now)
    link._epoch = epoch
    link._tx_seed = link._rx_seed = None
    link.rto = 125
    ask(link, now)


def ask(link, now):
    """Send OPEN, and again after twice the time."""
    payload = pack(
        ">BBIHB", VERSION_1, VERSION_1, link._epoch, link._fragment, link._lost_own // 100
    )
    link._control = [
        frame(T_OPEN, payload + link._name.encode()[:64], credit=link._credit)
    ]
    link.rto = min(2 * link.rto, 2000)
    link._at = (now + link.rto) & 0x3FFFFFFF


def connected(link, own, peer, fragment, lost, credit, now):
    """Both epochs are known: the stream begins."""
    link._tx_seed = crc32(pack(">II", own, peer))
    link._rx_seed = crc32(pack(">II", peer, own))
    link._peer_fragment = min(fragment, 1024)
    link._lost_ms = min(link._lost_own, lost * 100)
    link._reset(IS_OPEN, now)
    link._limit = min(credit << 6, 4096)
    link._control = []


def close(link, code, text, at_once):
    """End the connection after what was sent, or at once."""
    if link._state != IS_OPEN:
        link._become(IS_CLOSED)
        return
    payload = bytes((code,)) + text.encode()[:120]
    if at_once:
        link._control = [rare(link, T_RESET, payload)]
        link._become(IS_CLOSED)
    elif link._close_at < 0:
        link._closing = payload
        link._close_at = link._end
        link._end += 1
        link._odd = True


def console(link, text):
    """Queue console text (octets, at most 1,024) outside the stream; it may get lost."""
    if link._state == IS_OPEN and len(link._control) < 8:
        link._control.append(rare(link, T_CONSOLE, bytes(text[: link._peer_fragment])))
        link._odd = True


def rare(link, kind, payload):
    """A frame of the connection that carries no octets of the stream."""
    return frame(kind, payload, link._tx_seed, link._nxt, link._next_in, link._credit)


def ended(link, code, text, found):
    """The connection is over; what was under way is forgotten."""
    link._become(IS_CLOSED)
    link._flight = []
    link._queue = []
    link._beyond = []
    found.append((CLOSED, (code, text)))


def may_answer(link, now):
    """Whether a stray frame is to be answered: not too often."""
    if link._answered is not None and diff(now, link._answered) < _ANSWER_EVERY:
        return False
    link._answered = now
    return True


def other(link, kind, seq, credit, payload, now, found):
    """A good frame that is not of the stream, or of a connection that has ended."""
    if kind >= T_OPEN:
        # The acceptor has a method for its half of the handshake.
        connect = getattr(link, "_connect_frame", None)
        if connect is None:
            _connect_frame(link, kind, credit, payload, now, found)
        else:
            connect(kind, credit, payload, now, found)
    elif link._state != IS_OPEN:
        _answer_closed(link, kind, seq, len(payload), now)
    elif -1 < link._close_at < link._una:
        ended(link, *reason(link._closing), found)
    elif kind == T_CLOSE:
        link._owe = 2
        if seq == link._next_in & 0xFFFF:
            link._next_in += 1
            ended(link, *reason(payload), found)
    elif kind == T_RESET:
        ended(link, *reason(payload), found)
        link._owe = 0
    elif kind == T_CONSOLE:
        found.append((CONSOLE, payload))


def _answer_closed(link, kind, seq, n, now):
    """A frame of the connection that ended last: acknowledge again, or tell the peer."""
    if kind == T_ACK or kind == T_RESET or kind == T_CONSOLE or link._tx_seed is None:
        return
    if kind != T_PROBE:
        behind = (link._next_in - seq) & 0xFFFF
        if (n if kind == 0 else 1) <= behind < 0x8000:
            link._owe = 2
            return
    if may_answer(link, now):
        link._control.append(rare(link, T_RESET, bytes((NO_CONNECTION,))))


def _connect_frame(link, kind, credit, payload, now, found):
    """The initiator's half of the handshake."""
    n = len(payload)
    if kind == T_ANNOUNCE and n > 5:
        if link._state == IS_OPENING:
            link.rto = 125
            ask(link, now)
        elif link._state:
            if unpack_from(">I", payload, 2)[0] == link._epoch:
                link.resume(now)
            else:
                ended(link, NO_CONNECTION, "the bridge was restarted", found)
    elif link._state == IS_OPENING:
        if kind == T_ACCEPT and n > 15:
            version, mine, peer, fragment, lost, utc = unpack_from(">BIIHBI", payload, 0)
            if mine == link._epoch and version == VERSION_1 and fragment > 63 and lost:
                connected(link, mine, peer, fragment, lost, credit, now)
                found.append((OPENED, utc))
        elif kind == T_REFUSE and n > 4 and unpack_from(">I", payload, 0)[0] == link._epoch:
            ended(link, *reason(payload[4:]), found)


def damage(link, framed, now):
    """A sync that begins no good frame. framed: but a good header, so it may be a frame of a
    connection that this end, if it is the acceptor, knows nothing of."""
    link.damaged += 1
    link._damaged = True
    announce = getattr(link, "announce", None)
    if framed and announce is not None and link._state == IS_CLOSED and may_answer(link, now):
        announce(now)


def noise(link, view, i, end, found):
    """Pass over octets that begin no frame; returns where the next frame may begin."""
    text = bytes(view[i:end])
    j = text.find(SYNC)
    if j < 0:
        # An F8 at the very end may be half a sync.
        j = len(text) - 1 if text[-1] == 0xF8 else len(text)
    i += j
    text = text[:j]
    if link._damaged:
        # The rest of a damaged frame is no text, but a traceback may follow: a board that was
        # reset in mid-frame prints one. Text counts again from the next line on.
        k = text.find(b"\n")
        if k < 0:
            return i
        link._damaged = False
        text = text[k + 1 :]
    if text:
        found.append((CONSOLE, text))
    return i
