"""Checking Ed25519 signatures (RFC 8032, section 5.1.7), for wamp.ed25519.verify.

What is checked is that s * B - k * A, computed bit by bit of both numbers, is written down as the
signature's first half is. Nothing here is secret, so nothing here hides how long it takes.
"""

from ._ed25519_inverse import inverse
from ._ed25519_numbers import numbers as _numbers
from ._ed25519_power import power
from .sha512 import steps as _sha512

_P = (1 << 255) - 19
_L = (1 << 252) + 27742317777372353535851937790883648493
_D = 37095705934669439343138083508754565189542113879843219016388785533085940283555
_ROOT = 19681161376707505956807079304988542015446066515923890162744021073123829784752  # of -1
_BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BASE_Y = 46316835694926478169428394003475163141307993866256225615783033603165251855960

_DOUBLE = (  # as in wamp._ed25519_fast, t last, for it is not always needed
    b"\x02\x0b\x00\x01\x00\x0b\x0b\x0b\x02\x08\x00\x00\x02\x09\x01\x01\x02\x0a\x02\x02"
    b"\x00\x0a\x0a\x0a\x01\x0d\x09\x08\x00\x0e\x09\x08\x01\x0c\x0a\x0d\x02\x00\x0b\x0c"
    b"\x02\x01\x0d\x0e\x02\x02\x0c\x0d\x02\x03\x0b\x0e"
)
# The same for the sum of the point and an entry y - x, y + x, 2 d t, 2 z in places 4 to 7.
_ADD = (
    b"\x01\x08\x01\x00"  # a = y - x
    b"\x02\x08\x08\x04"
    b"\x00\x09\x01\x00"  # b = y + x
    b"\x02\x09\x09\x05"
    b"\x02\x0a\x03\x06"  # c = t * 2 d t of the entry
    b"\x02\x0c\x02\x07"  # f = z * 2 z of the entry
    b"\x00\x0d\x0c\x0a"  # g = f + c
    b"\x01\x0c\x0c\x0a"  # f = f - c
    b"\x01\x0b\x09\x08"  # e = b - a
    b"\x00\x0e\x09\x08"  # h = b + a
    b"\x02\x00\x0b\x0c"
    b"\x02\x01\x0d\x0e"
    b"\x02\x02\x0c\x0d"
    b"\x02\x03\x0b\x0e"
)


def verify(public, message, signature, accelerator=None):
    """Generator; True where `signature`, 64 octets, is that of `message` under `public`.

    False where it is not, where a number is written down with more than it may have, and where the
    public key is no point of the curve or one of the eight of small order, under which anything
    can be signed.
    """
    numbers = _numbers(accelerator)
    s = int.from_bytes(signature[32:], "little")
    key = yield from _point(numbers, public)
    if s >= _L or key is None:
        return False
    x, y = key
    _put(numbers, x, y)
    for _ in range(3):
        numbers.run(_DOUBLE)
    if not numbers.get(0):  # 8 times the key is neutral
        return False
    digest = yield from _sha512(signature[:32] + public + message)
    k = int.from_bytes(digest, "little") % _L
    base = _entry(_BASE_X, _BASE_Y, 1)
    negative = _entry(_P - x, y, 1)
    _put(numbers, _P - x, y)
    _load(numbers, base)
    numbers.run(_ADD)
    both = _entry(numbers.get(0), numbers.get(1), numbers.get(2), numbers.get(3))
    yield
    _put(numbers, 0, 1)
    for i in range(252, -1, -1):
        if not i % 3:  # 7 ms of an RP2040 without an accelerator
            yield
        a = s >> i & 1
        b = k >> i & 1
        if a or b:
            numbers.run(_DOUBLE)
            _load(numbers, both if a and b else base if a else negative)
            numbers.run(_ADD)
        else:
            numbers.run(_DOUBLE[:-4])
    z = yield from inverse(numbers.get(2))
    x = numbers.get(0) * z % _P
    y = numbers.get(1) * z % _P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


def _point(numbers, octets):
    """Generator; (x, y) of a point that is written down as in RFC 8032, or None."""
    y = int.from_bytes(octets, "little")
    sign = y >> 255
    y &= (1 << 255) - 1
    if y >= _P:
        return None
    u = (y * y - 1) % _P
    v = (_D * y * y + 1) % _P
    # A root of u / v is u v^3 (u v^7)^((p - 5) / 8), or that times the root of -1.
    v3 = v * v * v % _P
    numbers.set(2, u * v3 * v3 * v % _P)
    yield from power(numbers)
    x = u * v3 * numbers.get(8) % _P
    if (v * x * x + u) % _P == 0:
        x = x * _ROOT % _P
    if (v * x * x - u) % _P or not x and sign:
        return None
    return (_P - x if x & 1 != sign else x), y


def _entry(x, y, z, t=None):
    if t is None:
        t = x * y
    return (y - x) % _P, (y + x) % _P, 2 * _D * t % _P, 2 * z % _P


def _put(numbers, x, y):
    for place, number in enumerate((x, y, 1, x * y % _P)):
        numbers.set(place, number)


def _load(numbers, entry):
    for place in range(4):
        numbers.set(place + 4, entry[place])
