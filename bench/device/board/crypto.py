"""One Ed25519 signature with a stored public key (RFC 8032 test 2), checking it, SHA-512 of one
block, and PBKDF2.

The firmware holds an accelerator for Ed25519; beside it these run from a file system without one.
"""

import gc
from binascii import unhexlify

import measure
from measure import ticks_diff, ticks_us

from wamp import _ed25519_verify, ed25519, kdf  # noqa: F401 - the first is loaded on use
from wamp.sha512 import sha512

_SEED = unhexlify("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
_PUBLIC = unhexlify("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
_MESSAGE = b"\x72"
_SIGNATURE = unhexlify(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)
_BLOCK = bytes(111)  # with its padding one block


def main(which):
    """which: end of the figures' names, ".accel" where there is an accelerator."""
    if (ed25519._curve.accelerator is not None) != (which == ".accel"):
        raise ValueError("this is not what is to be measured")
    if which:
        _others()
    total, longest = _timed(_sign, _SIGNATURE)
    measure.figure("crypto.sign" + which, total / 1000)
    measure.figure(f"crypto.sign{which}.stall", longest / 1000)
    measure.figure(f"crypto.sign{which}.heap", _heap())
    total, longest = _timed(lambda: ed25519.verify(_PUBLIC, _MESSAGE, _SIGNATURE), True)
    measure.figure("crypto.verify" + which, total / 1000)
    measure.figure(f"crypto.verify{which}.stall", longest / 1000)


def _sign():
    return ed25519.sign(_SEED, _PUBLIC, _MESSAGE)


def _others():
    measure.calls("crypto.sha512", sha512, _BLOCK, n=2)
    total, longest = _timed(lambda: kdf.pbkdf2_sha256(b"pencil", bytes(16), 129, 32), None)
    measure.figure("crypto.pbkdf2", total / 129)
    measure.figure("crypto.pbkdf2.stall", longest / 1000)


def _timed(make, right):
    """(total, longest step) in microseconds of what a generator of `make` computes: garbage that
    is collected meanwhile is part of the total, not of a step."""
    gc.collect()
    begin = ticks_us()
    value = ed25519.run(make())
    total = ticks_diff(ticks_us(), begin)
    if right is not None and value != right:
        raise ValueError("a wrong signature")
    steps = make()
    longest = 0
    count = 0
    more = True
    while more:
        if not count & 3:  # there is room for the garbage of four, and collecting takes its time
            gc.collect()
        count += 1
        begin = ticks_us()
        more = next(steps, 1) is None
        longest = max(longest, ticks_diff(ticks_us(), begin))
    return total, longest


def _heap():
    """What one allocates in all; with garbage collected after each step, for it is a lot."""
    steps = _sign()
    used = 0
    more = True
    while more:
        gc.collect()
        gc.disable()
        before = gc.mem_alloc()
        more = next(steps, 1) is None
        used += gc.mem_alloc() - before
        gc.enable()
    return used
