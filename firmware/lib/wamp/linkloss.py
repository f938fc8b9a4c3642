"""What the serial link does about octets that were lost, at both ends (docs/link.md, section 4).

Functions on a `link.Link`, in a module that is loaded with the first loss.
"""

from struct import pack_into, unpack_from

_CUT_MIN = 32
_PAIRS = 8
_SILENT = 8


def take(link, seq, octets, found):
    """Octets of the stream around a gap: hand up what is in order, hold the rest.

    octets: a view of what will be overwritten.
    """
    hold = link._hold
    size = len(hold)
    next_in = link._next_in
    start = next_in + ((seq - next_in + 0x8000) & 0xFFFF) - 0x8000
    end = start + len(octets)
    link._owe = 2
    link._odd = True
    if end <= next_in or end > next_in + size:
        return  # had before, or beyond every credit we gave
    if start < next_in:
        octets = octets[next_in - start :]
        start = next_in
    i = start & (size - 1)
    n = end - start
    hold[i : i + n][:] = octets[: size - i]
    if i + n > size:
        hold[: i + n - size][:] = octets[size - i :]
    spans = link._beyond
    link._silent += 1
    if start > next_in and spans and start == spans[-1][1] and link._silent < _SILENT:
        link._owe = 1  # no news but more of the same
    merged = []
    for a, b in spans:
        if b < start or a > end:
            merged.append((a, b))
        else:
            start = min(a, start)
            end = max(b, end)
    merged.append((start, end))
    merged.sort()
    link._beyond = merged
    if merged[0][0] <= next_in:
        end = merged.pop(0)[1]
        link._next_in = end
        while next_in < end:
            i = next_in & (size - 1)
            n = min(end - next_in, size - i)
            found.append((0, bytes(hold[i : i + n])))  # STREAM
            next_in += n


def pairs(link):
    """Put what lies beyond a gap into an ACK; returns the length of that."""
    n = 0
    for a, b in link._beyond[:_PAIRS]:
        pack_into(">HH", link._out, 10 + n, a & 0xFFFF, b & 0xFFFF)
        n += 4
    return n


def settle(link, got, seq, pairs):
    """Drop what the peer has; whatever was sent before the newest of that is lost.

    got: the position up to which it has all. pairs: a view of (start, end) of what it has
    beyond, None if the frame does not say; seq: then the PROBE that it heard last.
    """
    newest = -1
    known = got
    spans = []
    if pairs is not None:
        known = link._nxt
        if seq == link._asked & 0xFFFF:
            newest = link._asked
        for i in range(0, len(pairs) - 3, 4):
            a, b = unpack_from(">HH", pairs, i)
            spans.append((got + ((a - got) & 0xFFFF), got + ((b - got) & 0xFFFF)))
        if len(spans) >= _PAIRS:
            known = spans[-1][1]  # of what is behind so many, nothing was said
    left = []
    for part in link._flight:
        done = part[1] <= got
        for a, b in spans:
            if a <= part[0] and part[1] <= b:
                done = True
        if not done:
            left.append(part)
        elif part[2] > newest:
            newest = part[2]
    link._flight = left
    for part in left:
        if 0 <= part[2] < newest and part[1] <= known:
            part[2] = -1
            link._odd = True
            link._gap = (link._gap + link._good) >> 1
            link._good = 0
    # The length that brings most through is the root of 14 octets of frame times those between
    # two losses; here a power of two.
    cut = link._cut
    while cut > _CUT_MIN and cut * cut > 14 * link._gap:
        cut >>= 1
    link._cut = cut


def cut(link, part):
    """A part of the flight is sent again, cut anew: the rest of it is then a part of its own."""
    link.resent += 1
    link._timed = 0
    cut = link._cut
    if len(part[3]) > cut and part[0] != link._close_at:
        octets = memoryview(part[3])
        rest = [part[0] + cut, part[1], -1, octets[cut:]]
        link._flight.insert(link._flight.index(part) + 1, rest)
        part[1] = rest[0]
        part[3] = octets[:cut]
