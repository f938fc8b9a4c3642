"""What happens seldom on the serial link: connections that begin and end, noise (docs/link.md).

Functions on a `link.Link`, in a module that is loaded when the first of them is needed.
"""

from binascii import crc32
from struct import pack, unpack_from

from .errors import LocalProtocolError
from .link import CLOSED, CONSOLE, OPENED, diff

try:
    from micropython import const
except ImportError:  # CPython
    const = int

# As in linkframe, where each is explained: a constant of the same module costs nothing.
_ACK = const(1)
_PROBE = const(2)
_CLOSE = const(3)
_RESET = const(4)
_CONSOLE = const(5)
_OPEN = const(8)
_ACCEPT = const(9)
_ANNOUNCE = const(10)
_REFUSE = const(11)
_NO_CONNECTION = const(7)
_VERSION_1 = const(0x41)

# States, as in link
IS_CLOSED = 0
IS_OPENING = 1
IS_OPEN = 2

_ANSWER_EVERY = const(500)  # ms between two answers to stray frames
_KEEPALIVE = const(2500)
_GOOD_FIRST = const(18750)  # octets: as if so many had come without a loss, fragments of 512


def prepare(link, window, fragment, lost_ms, send_buffer, name):
    """The attributes of a link that has no connection yet; see `link.Link`."""
    if not (64 <= fragment <= 1024 and 256 <= window <= 16384):
        raise LocalProtocolError("link: fragment is 64 to 1024, window 256 to 16384 octets")
    if not (256 <= send_buffer and 100 <= lost_ms <= 25500):
        raise LocalProtocolError("link: send_buffer is at least 256, lost_ms 100 to 25500")
    size = 256
    while size < window:
        size *= 2
    # MicroPython moves all that lies behind a slice that is assigned to. So octets are copied
    # with `view[a:b][:] = octets`, where nothing lies behind.
    link._view = memoryview(bytearray(fragment + 526))  # input that is incomplete
    link._hold = memoryview(bytearray(size))  # octets received beyond a gap
    link._out = bytearray(1038)
    link._out[0] = 0xF8
    link._out[1] = 0xC1
    link._out_view = memoryview(link._out)
    link._fragment = fragment
    link._buffer = send_buffer
    link._lost_ms = link._lost_own = lost_ms
    link._name = name
    link._credit = min(window, 16320) >> 6
    link.fill = 0  # octets in _view
    link._since = 0  # when the last of them came
    link._damaged = False  # the octets that follow are no text
    link._control = []  # frames that go out before the stream's
    link._answered = None  # when a stray frame was last answered
    link._rx_seed = link._tx_seed = None
    link._peer_fragment = fragment
    link.received = link.sent = link.damaged = link.resent = link.timeouts = 0
    reset(link, IS_CLOSED, 0)


def reset(link, state, now):
    """A stream that begins. All positions are octets from its beginning on."""
    become(link, state)
    link._una = 0  # what the peer has
    link._nxt = 0  # what was sent once
    link._end = 0  # what there is to be sent
    link._limit = 0  # what the peer lets us send
    link._queue = []  # octets from _nxt to _end
    link._flight = []  # [start, end, order, octets]; order -1: to be sent again
    link._order = 0  # of the frame that is sent next
    link._asked = 0  # the order of what was sent before the last PROBE
    link._close_at = -1  # the position of our CLOSE
    link._timed = 0  # the position at whose acknowledgement the time is taken; 0 for none
    link._timed_at = 0
    link.rto = 250
    link._probe = False
    link._owe = 0  # 1: an acknowledgement by whatever is sent next, 2: an ACK
    link._echo = 0xFFFF  # seq of the last PROBE
    link._next_in = 0
    link._beyond = []  # (start, end) of octets held beyond a gap
    link._silent = 0  # frames taken beyond a gap and not acknowledged yet
    link._good = link._gap = _GOOD_FIRST  # octets acknowledged since a loss, and between two
    link._cut = min(512, link._peer_fragment)  # the length of fragments
    link._heard = now
    link._at = (now + _KEEPALIVE) & 0x3FFFFFFF  # when to PROBE, or to send OPEN again


def become(link, state):
    """Another state of the connection."""
    # An attribute and no property: one property in a class makes MicroPython search the class
    # at every assignment to an attribute, ten times the cost of the assignment.
    link._state = state
    link.is_open = state == IS_OPEN
    link._odd = state != IS_OPEN  # `put` has to leave it to `output`


def frame(kind, payload, seed=0, seq=0xFFFF, ack=0xFFFF, credit=0xFF):
    """A frame as octets, for the rare types; the link builds DATA and ACK in place."""
    w = kind << 11 | len(payload)
    check = (w * 11859 >> 11 & 255) ^ 0x5A
    body = pack(">HBHHB", w, check, seq & 0xFFFF, ack & 0xFFFF, credit) + payload
    return b"\xf8\xc1" + body + pack("<I", crc32(body, seed))


def reason(payload):
    """(code, text) of a CLOSE, RESET or REFUSE payload; odd octets never raise."""
    if not payload:
        return 0, ""
    text = ""
    for x in payload[1:]:
        text += chr(x) if 32 <= x < 127 else "?"
    return payload[0], text


def begin(link, epoch, now):
    """Begin a connection as the initiator."""
    reset(link, IS_OPENING, now)
    link._epoch = epoch
    link._tx_seed = link._rx_seed = None
    link.rto = 125
    ask(link, now)


def ask(link, now):
    """Send OPEN, and again after twice the time."""
    payload = pack(
        ">BBIHB", _VERSION_1, _VERSION_1, link._epoch, link._fragment, link._lost_own // 100
    )
    link._control = [frame(_OPEN, payload + link._name.encode()[:64], credit=link._credit)]
    link.rto = min(2 * link.rto, 2000)
    link._at = (now + link.rto) & 0x3FFFFFFF


def late(link, quiet, now, found):
    """Nothing that counts was heard for `quiet` milliseconds."""
    if link._state == IS_OPEN:
        ended(link, 255, "nothing was heard for %d ms" % quiet, found)
    elif diff(now, link._at) >= 0:
        ask(link, now)


def connected(link, own, peer, fragment, lost, credit, now):
    """Both epochs are known: the stream begins."""
    link._tx_seed = crc32(pack(">II", own, peer))
    link._rx_seed = crc32(pack(">II", peer, own))
    link._peer_fragment = min(fragment, 1024)
    link._lost_ms = min(link._lost_own, lost * 100)
    reset(link, IS_OPEN, now)
    link._limit = min(credit << 6, 4096)
    link._control = []


def close(link, code, text, at_once):
    """End the connection after what was sent, or at once."""
    if link._state != IS_OPEN:
        become(link, IS_CLOSED)
        return
    payload = bytes((code,)) + text.encode()[:120]
    if at_once:
        link._control = [rare(link, _RESET, payload)]
        become(link, IS_CLOSED)
    elif link._close_at < 0:
        link._closing = payload
        link._close_at = link._end
        link._end += 1
        link._odd = True


def console(link, text):
    """Queue console text (octets, at most 1,024) outside the stream; it may get lost."""
    if link._state == IS_OPEN and len(link._control) < 8:
        link._control.append(rare(link, _CONSOLE, bytes(text[: link._peer_fragment])))
        link._odd = True


def resume(link, now):
    """The line is back: `tick` is due at once."""
    link._at = now & 0x3FFFFFFF


def rare(link, kind, payload):
    """A frame of the connection that carries no octets of the stream."""
    return frame(kind, payload, link._tx_seed, link._nxt, link._next_in, link._credit)


def ended(link, code, text, found):
    """The connection is over; what was under way is forgotten."""
    become(link, IS_CLOSED)
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
    if kind >= _OPEN:
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
    elif kind == _CLOSE:
        link._owe = 2
        if seq == link._next_in & 0xFFFF:
            link._next_in += 1
            ended(link, *reason(payload), found)
    elif kind == _RESET:
        ended(link, *reason(payload), found)
        link._owe = 0
    elif kind == _CONSOLE:
        found.append((CONSOLE, payload))


def _answer_closed(link, kind, seq, n, now):
    """A frame of the connection that ended last: acknowledge again, or tell the peer."""
    if kind == _ACK or kind == _RESET or kind == _CONSOLE or link._tx_seed is None:
        return
    if kind != _PROBE:
        behind = (link._next_in - seq) & 0xFFFF
        if (n if kind == 0 else 1) <= behind < 0x8000:
            link._owe = 2
            return
    if may_answer(link, now):
        link._control.append(rare(link, _RESET, bytes((_NO_CONNECTION,))))


def _connect_frame(link, kind, credit, payload, now, found):
    """The initiator's half of the handshake."""
    n = len(payload)
    if kind == _ANNOUNCE and n > 5:
        if link._state == IS_OPENING:
            link.rto = 125
            ask(link, now)
        elif link._state:
            if unpack_from(">I", payload, 2)[0] == link._epoch:
                resume(link, now)
            else:
                ended(link, _NO_CONNECTION, "the bridge was restarted", found)
    elif link._state == IS_OPENING:
        if kind == _ACCEPT and n > 15:
            version, mine, peer, fragment, lost, utc = unpack_from(">BIIHBI", payload, 0)
            if mine == link._epoch and version == _VERSION_1 and fragment > 63 and lost:
                connected(link, mine, peer, fragment, lost, credit, now)
                found.append((OPENED, utc))
        elif kind == _REFUSE and n > 4 and unpack_from(">I", payload, 0)[0] == link._epoch:
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
    j = text.find(b"\xf8\xc1")
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
