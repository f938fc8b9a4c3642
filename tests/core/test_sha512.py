"""SHA-512: published digests, every length around the block borders, and all forms alike."""

import hashlib
import sys
from binascii import hexlify

from wamp import _sha512_int, sha512
from wamp.ed25519 import run

# FIPS 180-4 examples (NIST), and the digest of nothing.
DIGESTS = (
    (
        b"",
        "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
        "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    ),
    (
        b"abc",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
    (
        b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
        b"hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
        "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
    ),
)

# The last of 300 digests, each over octets of the one before it and n times the octet n:
# computed with CPython's hashlib.
CHAIN = (
    "253743e0555bd7f43e1a4731ebac14804faefcd33565a85dd33e300c7d5c6851"
    "b569d0cef7f827456c42ff4481177943c6cdc76eb1f7bb417f534b3dfaf41a6b"
)

BORDERS = (0, 1, 8, 110, 111, 112, 113, 127, 128, 129, 239, 240, 255, 256, 257)


def plain(data):
    """The digest by the form on plain integers, whichever form is in use here."""
    return run(steps(data))


def steps(data):
    """The generator of that form."""
    return _sha512_int.plain(sha512._padded(data), sha512._START, sha512._ROUNDS)


def test_the_fast_form_is_used_where_there_is_one():
    if hasattr(hashlib, "sha512"):
        assert sha512._fast is sha512._in_c
    elif sys.maxsize > 1 << 32:
        assert sha512._fast is None
    else:
        try:
            __import__("wamp._sha512_viper")
        except Exception:  # no code generator on this port, or made for another processor
            return
        assert sha512._fast is not None


def test_published_digests():
    for data, digest in DIGESTS:
        for form in (sha512.sha512, plain, lambda d: run(sha512.steps(d))):
            assert hexlify(form(data)).decode() == digest, (form, data)


def test_chain_over_all_lengths():
    digest = b""
    for n in range(300):
        digest = sha512.sha512(digest[: n % 65] + bytes([n & 255]) * n)
    assert hexlify(digest).decode() == CHAIN


def test_forms_agree_at_block_borders():
    for length in BORDERS:
        data = bytes([length * i + 3 & 255 for i in range(length)])
        assert plain(data) == sha512.sha512(data), length


def test_extreme_octets():
    # All carries, and none.
    for octet in (b"\x00", b"\xff", b"\x80", b"\x7f"):
        assert plain(octet * 128) == sha512.sha512(octet * 128), octet


def test_plain_form_yields_within_a_block():
    assert len(list(steps(b""))) == 5
    assert len(list(steps(bytes(112)))) == 10


def test_steps_shares_no_state():
    one = steps(b"one")
    two = steps(b"two")
    next(one)
    next(two)
    assert run(one) == sha512.sha512(b"one")
    assert run(two) == sha512.sha512(b"two")
