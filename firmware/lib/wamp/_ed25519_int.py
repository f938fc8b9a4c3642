"""The point arithmetic of wamp.ed25519 on plain integers.

A table holds the sums of one column of a scalar's digits for all patterns of them, up to the sign
(16 entries), here in 3 copies that are shifted against each other by 17 bits, so 51 additions and
17 doublings make a product with the base point. Without wamp._ed25519_copies, whose 3,072 octets
are two of the copies, it takes 51 doublings.

Coordinates are extended (x = X/Z, y = Y/Z, x y = T/Z). They are never reduced below p =
2^255 - 19: `(t & M) + (t >> 255) * 19` shortens a number and keeps it the same modulo p. Done once
after a multiplication it leaves some 5 bits more than went in, so every second point operation
does it twice; that numbers may be negative or a little long costs time, never correctness.
"""

from ._ed25519_inverse import inverse
from ._ed25519_table import TABLE

try:
    from ._ed25519_copies import COPIES
except ImportError:  # not shipped
    COPIES = ()

accelerator = None  # see wamp._ed25519_fast

_M = (1 << 255) - 1
_P = _M - 18
_TABLES = (TABLE,) + COPIES


def base_times(columns):
    """Generator; scalar * B as RFC 8032 writes a point down. columns: see wamp.ed25519."""
    m = _M
    number = int.from_bytes
    tables = _TABLES
    last = len(tables) - 1
    rows = 51 // len(tables)
    x = t = 0
    y = z = 1
    for row in range(rows - 1, -1, -1):
        if not row & 1:
            yield
        # Double ("dbl-2008-hwcd" of Hisil, Wong, Carter and Dawson with a = -1, F and H negated,
        # which negates all four coordinates and so leaves the point).
        e = x * y
        a = x * x
        a = (a & m) + (a >> 255) * 19
        b = y * y
        b = (b & m) + (b >> 255) * 19
        c = z * z
        c = (c & m) + (c >> 255) * 19
        e = (e & m) + (e >> 255) * 19
        e += e
        g = b - a
        h = b + a
        f = c + c - g
        x = e * f
        x = (x & m) + (x >> 255) * 19
        y = g * h
        y = (y & m) + (y >> 255) * 19
        z = f * g
        z = (z & m) + (z >> 255) * 19
        t = e * h
        t = (t & m) + (t >> 255) * 19
        for copy, table in enumerate(tables):
            # Add a table entry ("madd-2008-hwcd-3"; the halves in the table save doubling z).
            index = columns[row + rows * copy]
            start = 96 * (index & 15)
            middle = start + 32
            a = number(table[start:middle], "little")
            b = number(table[middle : start + 64], "little")
            c = number(table[start + 64 : start + 96], "little") * t
            c = (c & m) + (c >> 255) * 19
            if index & 16:
                a, b = b, a
                f = z + c
                g = z - c
            else:
                f = z - c
                g = z + c
            a *= y - x
            a = (a & m) + (a >> 255) * 19
            b *= y + x
            b = (b & m) + (b >> 255) * 19
            e = b - a
            h = b + a
            x = e * f
            x = (x & m) + (x >> 255) * 19
            y = g * h
            y = (y & m) + (y >> 255) * 19
            z = f * g
            z = (z & m) + (z >> 255) * 19
            if copy != last:  # a doubling does not read t
                t = e * h
                t = (t & m) + (t >> 255) * 19
            if copy != 1:
                x = (x & m) + (x >> 255) * 19
                y = (y & m) + (y >> 255) * 19
                z = (z & m) + (z >> 255) * 19
                if copy != last:
                    t = (t & m) + (t >> 255) * 19
    yield
    z = yield from inverse(z % _P)
    x = x * z % _P
    y = y * z % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")
