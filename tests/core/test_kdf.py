"""HMAC-SHA-256 and PBKDF2: published vectors, key lengths around the block, the yields."""

import sys
from binascii import a2b_base64, hexlify

from wamp import kdf, sha1
from wamp.ed25519 import run

# key, data, code: RFC 4231, test cases 1, 2, 3, 4, 6, 7; then own rows around the block length,
# computed with CPython's hmac.
CODES = (
    (
        b"\x0b" * 20,
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ),
    (
        bytes(range(1, 26)),
        b"\xcd" * 50,
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    ),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
    (b"", b"d", "f804600be3f2f23f2f4eacf9b3845e96c41805797d0239f625417a28caea1be1"),
    (b"k" * 63, b"d", "63ee06c76cc34ecfa9e76567751378bcb07030be5f14f20b0b30c7b5379affff"),
    (b"k" * 64, b"d", "4ad458bc38a391d72ea559af4da228247f7de81972fd936182b5a85f81e45ac2"),
    (b"k" * 65, b"d", "d5fe0b5d8fb05bd4bd11e39f5eaf091ba3c8aee22e1a7abb1a31edb7fe21e13e"),
)

# password, salt, iterations, derived octets
DERIVED = (
    (  # RFC 7914, section 11
        b"passwd",
        b"salt",
        1,
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
    ),
    (b"p" * 70, b"", 11, "7c"),  # this and the next: CPython's hashlib.pbkdf2_hmac
    (b"p", b"s" * 70, 25, "ffda8e559db65e5a907225f03940d7a0ca54a48dd4a102389d4f53b8f4050e81b4"),
)

# Seconds each on a microcontroller, so for hosts only.
DERIVED_LONG = (
    (  # nexus, salted wampcra
        b"password",
        b"salt123",
        1000,
        "5d7f40230571da961c9c8026f94ebdbe375422672f35e8470f96ad378af00dbd",
    ),
    (  # autobahn's test of derive_key
        b"L3L1YUE8Txlw",
        b"salt123",
        1000,
        "ab371db2bf6ebbf2f9867b2cde48cd4d17b8f74113800ef4641681e6bbe72796",
    ),
    (  # RFC 7677, section 3: SaltedPassword
        b"pencil",
        a2b_base64("W22ZaJ0SNY7soEsUEjb6gQ=="),
        4096,
        "c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d",
    ),
)


def test_codes():
    for key, data, code in CODES:
        assert hexlify(kdf.hmac_sha256(key, data)).decode() == code, (key, data)


def test_codes_with_sha1():
    for form in ("hashlib", "wamp"):
        # RFC 2202, cases 1, 2 and 6; wamp.sha1 is for ports whose hashlib has none.
        for key, data, code in (
            (b"\x0b" * 20, b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
            (b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (
                b"\xaa" * 80,
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "aa4ae5e15272d00e95705637ce8a3b55ed402112",
            ),
        ):
            if form == "hashlib":
                assert hexlify(kdf.hmac_sha1(key, data)).decode() == code
            else:
                inner, outer = kdf._pads(sha1.sha1(key).digest() if len(key) > 64 else key)
                digest = sha1.sha1(outer + sha1.sha1(inner + data).digest()).digest()
                assert hexlify(digest).decode() == code


def test_sha1_at_block_borders():
    # Computed with CPython's hashlib: the last of 150 digests, each over the one before it and n
    # octets more.
    digest = b""
    for n in range(150):
        digest = sha1.sha1(digest + bytes([n]) * n).digest()
    assert hexlify(digest).decode() == "e8d36a82431ad8a959e56fc9c6ff09575afda0cf"


def test_keys_are_left_alone():
    key = bytearray(b"Jefe")
    kdf.hmac_sha256(key, b"")
    assert key == b"Jefe"


def test_derived_octets():
    rows = DERIVED
    if sys.platform in ("linux", "darwin", "win32"):
        rows += DERIVED_LONG
    for password, salt, iterations, derived in rows:
        generator = kdf.pbkdf2_sha256(password, salt, iterations, len(derived) // 2)
        assert hexlify(run(generator)).decode() == derived, (password, iterations)


def test_yields_in_proportion_to_the_work():
    for iterations, length, steps in (
        (1, 32, 0),
        (16, 32, 0),
        (17, 32, 1),
        (161, 32, 10),
        (81, 64, 10),
    ):
        work = list(kdf.pbkdf2_sha256(b"p", b"s", iterations, length))
        assert work == [None] * steps, (iterations, length)
