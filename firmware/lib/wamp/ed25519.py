"""Ed25519 (RFC 8032, section 5.1): public keys, signatures, and checking signatures.

Not constant-time. Python's integers take longer for larger values, the branches below follow the
bits of the secret, the table is read where they say, and the collector runs when it likes: who can
time many signatures exactly, or measure the chip's power draw, may learn the key. The time of a
login over a network or a cable, one signature over a challenge of the router's choice, gives
little away, and that is what this is for. Where attackers can get at the chip itself, keep the key
elsewhere (`sign=` of `wamp.auth.Cryptosign`). A signature is not checked before it is returned:
that takes several times as long (SECURITY.md says against what it would help).

How it works. A scalar is written as 255 digits, each 1 or -1, which any odd number allows. They
stand in 5 rows of 51 columns; a table, wamp._ed25519_table, holds the sums of one column for all
patterns of its digits, up to the sign (16 entries, 1,536 octets). So 51 doublings and 51 additions
make a product with the base point, or fewer doublings where there are shifted copies of the table.
wamp._ed25519_fast does them where an accelerator is found and right, else wamp._ed25519_int, on
plain integers. Checking is in wamp._ed25519_verify, loaded when it is used.

All are generators: they yield None every few milliseconds of RP2040 time, so that other tasks can
run, and return the value. `run` drives one to its end without a pause. On an RP2040, in ms, with
SHA-512 in viper (wamp.sha512; on plain integers it takes 48 a block):

                    accelerator     integers    longest step
    public_key               28           92    5; 10
    sign                     32           97    5; 10
    verify                  170          870    7; 13
"""

from .errors import ConfigurationError
from .sha512 import steps as _sha512

try:
    from . import _ed25519_fast as _curve
except Exception:  # not shipped, for another processor, or wrong
    from . import _ed25519_int as _curve

_M = (1 << 255) - 1
_L = (1 << 252) + 27742317777372353535851937790883648493  # order of the base point


def run(generator):
    """The value that `generator` returns, computed without a pause."""
    try:
        while True:
            next(generator)
    except StopIteration as stop:
        return stop.value


def public_key(seed):
    """Generator; returns the public key, 32 octets, of the private key `seed`, 32 octets.

    Raises ConfigurationError when the seed has another length. RFC 8032, section 5.1.5.
    """
    digest = yield from _digest(seed)
    return (yield from _curve.base_times(_columns(_clamp(digest))))


def sign(seed, public, message):
    """Generator; returns the signature, 64 octets, of the octets `message`.

    `public` must be the public key of `seed`: with another one the signature is invalid, and two
    signatures of one message under different public keys give the private key away. Raises
    ConfigurationError when one of them does not have 32 octets. RFC 8032, section 5.1.6.
    """
    if len(public) != 32:
        raise ConfigurationError("an Ed25519 public key has 32 octets, not %d" % len(public))
    digest = yield from _digest(seed)
    nonce = int.from_bytes((yield from _sha512(digest[32:] + message)), "little") % _L
    yield
    commitment = yield from _curve.base_times(_columns(nonce))
    yield
    challenge = yield from _sha512(commitment + public + message)
    response = (nonce + int.from_bytes(challenge, "little") % _L * _clamp(digest)) % _L
    return commitment + response.to_bytes(32, "little")


def verify(public, message, signature):
    """Generator; whether `signature`, 64 octets, is that of `message` under `public`, 32 octets.

    Raises ConfigurationError when one of them has another length.
    """
    if len(public) != 32 or len(signature) != 64:
        raise ConfigurationError(
            "an Ed25519 public key has 32 octets, not %d, and a signature 64, not %d"
            % (len(public), len(signature))
        )
    from . import _ed25519_verify

    return (yield from _ed25519_verify.verify(public, message, signature, _curve.accelerator))


def _digest(seed):
    if len(seed) != 32:
        raise ConfigurationError("an Ed25519 private key has 32 octets, not %d" % len(seed))
    return (yield from _sha512(bytes(seed)))


def _clamp(digest):
    return int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254


def _columns(scalar):
    """For each of the 51 columns the table index, plus 16 where the entry is to be negated."""
    scalar %= _L
    if not scalar & 1:
        scalar += _L
    # Digit i is 1 where bit i of (scalar + 2^255 - 1) / 2 is set and -1 where it is not.
    digits = (scalar + _M) >> 1
    rows = [(digits >> row).to_bytes(32, "little") for row in range(0, 255, 51)]
    columns = bytearray(51)
    column = 0
    for i, groups in ((0, 8), (3, 8), (6, 1)):
        a, b, c, d, sign = [row[i] | row[i + 1] << 8 | row[i + 2] << 16 for row in rows]
        # Three columns at a time: 73 copies three bits twice, 0x111 keeps one in each four.
        for _ in range(groups):
            index = (a & 7) * 73 & 0x111 | ((b & 7) * 73 & 0x111) << 1
            index |= ((c & 7) * 73 & 0x111) << 2 | ((d & 7) * 73 & 0x111) << 3
            # The top digit is the sign of the entry, and the others are relative to it.
            negated = (~sign & 7) * 73 & 0x111
            index ^= negated * 15
            columns[column] = index & 15 | negated << 4 & 16
            columns[column + 1] = index >> 4 & 15 | negated & 16
            columns[column + 2] = index >> 8 | negated >> 4 & 16
            column += 3
            a >>= 3
            b >>= 3
            c >>= 3
            d >>= 3
            sign >>= 3
    return columns
