"""The point arithmetic of wamp.ed25519 on an accelerator: `run` of wamp._ed25519_thumb.

Importing this raises ImportError where there is none, and where it is there and wrong.
"""

from ._ed25519_power import inverse
from ._ed25519_table import TABLE
from ._ed25519_thumb import run

_P = (1 << 255) - 19

# Places of the numbers, 32 octets each: the point X, Y, Z, T; the entry to be added, four more;
# and temporary ones, a b c e f g h as in wamp._ed25519_int.
_PLACES = 15

# Steps of four octets: 0 add, 1 subtract, 2 multiply; result, first, second operand.
_DOUBLE = (
    b"\x02\x0b\x00\x01"  # e = x * y
    b"\x00\x0b\x0b\x0b"  # e = e + e
    b"\x02\x08\x00\x00"  # a = x * x
    b"\x02\x09\x01\x01"  # b = y * y
    b"\x02\x0a\x02\x02"  # c = z * z
    b"\x00\x0a\x0a\x0a"  # c = c + c
    b"\x01\x0d\x09\x08"  # g = b - a
    b"\x00\x0e\x09\x08"  # h = b + a
    b"\x01\x0c\x0a\x0d"  # f = c - g
    b"\x02\x00\x0b\x0c"  # x = e * f
    b"\x02\x01\x0d\x0e"  # y = g * h
    b"\x02\x02\x0c\x0d"  # z = f * g
    b"\x02\x03\x0b\x0e"  # t = e * h
)
_ADD = (
    b"\x01\x08\x01\x00"  # a = y - x
    b"\x02\x08\x08\x04"  # a = a * (y - x) / 2 of the entry
    b"\x00\x09\x01\x00"  # b = y + x
    b"\x02\x09\x09\x05"  # b = b * (y + x) / 2 of the entry
    b"\x02\x0a\x03\x06"  # c = t * d x y of the entry
    b"\x01\x0c\x02\x0a"  # f = z - c
    b"\x00\x0d\x02\x0a"  # g = z + c
)
_SUBTRACT = (  # the same with the entry's negative
    b"\x01\x08\x01\x00"
    b"\x02\x08\x08\x05"
    b"\x00\x09\x01\x00"
    b"\x02\x09\x09\x04"
    b"\x02\x0a\x03\x06"
    b"\x00\x0c\x02\x0a"
    b"\x01\x0d\x02\x0a"
)
_END = (
    b"\x01\x0b\x09\x08"  # e = b - a
    b"\x00\x0e\x09\x08"  # h = b + a
    b"\x02\x00\x0b\x0c"  # x = e * f
    b"\x02\x01\x0d\x0e"  # y = g * h
    b"\x02\x02\x0c\x0d"  # z = f * g; a doubling does not read t
)
_FINISH = (
    b"\x02\x00\x00\x08"  # x = x * a
    b"\x02\x01\x01\x08"  # y = y * a
)


class Numbers:
    """The numbers, and the steps that are taken with them."""

    def __init__(self):
        self.octets = bytearray(32 * _PLACES)
        self._view = memoryview(self.octets)
        self._scratch = bytearray(80)

    def set(self, place, number):
        """Put a number, from 0 to 2^256 - 1."""
        self._view[32 * place : 32 * place + 32] = number.to_bytes(32, "little")

    def get(self, place):
        """The number modulo p."""
        return int.from_bytes(self._view[32 * place : 32 * place + 32], "little") % _P

    def run(self, program):
        """Take the steps of a program."""
        run(program, self.octets, self._scratch, len(program) >> 2)

    def square(self, result, operand, count):
        """Square `count` times, at least once."""
        self.run(bytes((2, result, operand, operand)))
        again = bytes((2, result, result, result)) * 10
        count -= 1
        while count > 0:
            run(again, self.octets, self._scratch, min(count, 10))
            count -= 10


numbers = Numbers  # what wamp._ed25519_verify computes with


def base_times(columns):
    """Generator; scalar * B as RFC 8032 writes a point down. columns: see wamp.ed25519."""
    work = Numbers()
    work.set(1, 1)
    work.set(2, 1)
    octets = work.octets
    view = memoryview(octets)[128:224]
    scratch = bytearray(80)
    add = _DOUBLE + _ADD + _END
    subtract = _DOUBLE + _SUBTRACT + _END
    steps = len(add) >> 2
    row = 51
    while row:
        row -= 1
        if not row & 15:
            yield
        index = columns[row]
        start = 96 * (index & 15)
        view[:] = TABLE[start : start + 96]
        run(subtract if index & 16 else add, octets, scratch, steps)
    yield from inverse(work)
    work.run(_FINISH)
    return (work.get(1) | (work.get(0) & 1) << 255).to_bytes(32, "little")


def _check():
    """ImportError unless `run` does as it should: some products, on whatever this runs on."""
    work = Numbers()
    work.set(2, 2)
    for _ in inverse(work):
        pass
    work.run(b"\x01\x08\x00\x08\x00\x08\x08\x00")  # a = 0 - a, a = a + 0
    if work.get(8) != _P >> 1:
        raise ImportError("the accelerator for Ed25519 is wrong")


_check()
