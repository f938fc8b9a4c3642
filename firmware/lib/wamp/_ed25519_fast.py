"""The point arithmetic of wamp.ed25519 on an accelerator: `run` of wamp._ed25519_thumb.

Importing this raises ImportError where there is none, and where it is there and wrong.
"""

from . import _ed25519_thumb as accelerator
from ._ed25519_inverse import inverse
from ._ed25519_table import TABLE

_P = (1 << 255) - 19

# Places of the numbers: the point X, Y, Z, T; three for the entry to be added, and one more;
# and temporary ones, a b c e f g h as in wamp._ed25519_int.

# Steps: 0 add, 1 subtract, 2 multiply; result, first, second operand. 3: copy an entry.
_DOUBLE = (
    b"\x03\x04\x00\x00"
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


def base_times(columns):
    """Generator; scalar * B as RFC 8032 writes a point down. columns: see wamp.ed25519."""
    octets = bytearray(accelerator.SIZE)
    run = accelerator.run
    octets[32] = octets[64] = 1  # y and z
    # One of the two runs in each turn, with the number of the entry put in: nothing is allocated.
    add = bytearray(_DOUBLE + _ADD + _END)
    subtract = bytearray(_DOUBLE + _SUBTRACT + _END)
    steps = len(add) >> 2
    row = 51
    while row:
        row -= 1
        if not row & 15:
            yield
        index = columns[row]
        program = subtract if index & 16 else add
        program[2] = index & 15
        run(program, octets, TABLE, steps)
    yield
    x, y, z = [int.from_bytes(octets[i : i + 32], "little") % _P for i in (0, 32, 64)]
    z = yield from inverse(z)
    return (y * z % _P | (x * z % _P & 1) << 255).to_bytes(32, "little")


def _check():
    """ImportError unless `run` does as it should, on whatever this runs on."""
    octets = bytearray(accelerator.SIZE)
    octets[:64] = b"\xff" * 32 + b"\x05" + bytes(31)
    # 37, for 2^256 is 38; its square; that less 5; and with 37 in its place again
    accelerator.run(b"\x02\x02\x00\x00\x01\x03\x02\x01\x00\x00\x00\x03", octets, TABLE, 3)
    found = [int.from_bytes(octets[i : i + 32], "little") % _P for i in (64, 96, 0)]
    if found != [1369, 1364, 1401]:
        raise ImportError("the accelerator for Ed25519 is wrong")


_check()
