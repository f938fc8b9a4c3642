"""The inverse modulo p = 2^255 - 19."""

_P = (1 << 255) - 19


def inverse(value):
    """Generator; returns 1 / value modulo p by Lehmer's algorithm, value from 1 to p - 1.

    Euclid's steps are taken with the first 22 to 30 bits of both numbers, which are small
    integers, and then with the numbers themselves, all at once. A quotient that so comes out a
    little wrong makes a number negative or a little long, and costs no more than a step.
    """
    # u * value = a and v * value = b modulo p.
    a = _P
    b = value
    u = 0
    v = 1
    shift = 226
    turn = 0
    while b:
        if b < 0:
            b = -b
            v = -v
        x = a >> shift
        while shift and x < 4194304:
            shift = shift - 8 if shift > 8 else 0
            x = a >> shift
        y = b >> shift
        least = 32768 if shift else 0
        if y > least and x < 1073741824:
            c = f = 1
            d = e = 0
            while y > least:
                q = x // y
                x, y = y, x - q * y
                c, e = e, c - q * e
                d, f = f, d - q * f
            a, b = c * a + d * b, e * a + f * b
            u, v = c * u + d * v, e * u + f * v
            if a < 0:
                a = -a
                u = -u
        else:
            q = a // b
            a, b = b, a - q * b
            u, v = v, u - q * v
        turn += 1
        if not turn & 7:
            yield
    return u % _P
