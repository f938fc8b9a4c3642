"""A key from a seed phrase: BIP-39 for the seed, BIP-32 on secp256k1 for the path."""

from __future__ import annotations

import hmac

from .._text import shown
from ..exception import ConfigurationError

_HARDENED = 1 << 31
_WAMP = 655  # the number of WAMP in the path (SLIP-44), as autobahn has it
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
# BIP-39 has 12 to 24 words of some 8 letters.
_LENGTH_MAX = 1000


def seed_of(phrase: str, index: int, coin: int = _WAMP) -> bytes:
    """The private key, 32 octets, of m/44'/coin'/0'/0/index; ConfigurationError: there is none.

    Needs the packages of the extra `bip39`.
    """
    if type(index) is not int or not 0 <= index < _HARDENED:
        raise ConfigurationError(f"index: {shown(index)} found, 0 to 2147483647 expected")
    node = _master(_seed(phrase))
    for number in (44 + _HARDENED, coin + _HARDENED, _HARDENED, 0, index):
        node = _child(*node, number)
    return node[0]


def _seed(phrase: str) -> bytes:
    try:
        from mnemonic import Mnemonic
    except ImportError:
        raise ConfigurationError(
            "a seed phrase needs more packages: pip install microwamp[bip39]"
        ) from None
    if not isinstance(phrase, str) or not 0 < len(phrase) <= _LENGTH_MAX:
        raise ConfigurationError("a seed phrase is 12, 15, 18, 21 or 24 words of BIP-39's list")
    words = phrase.split()
    if len(words) not in (12, 15, 18, 21, 24):
        raise ConfigurationError(
            f"the seed phrase has {len(words)} words, and 12, 15, 18, 21 or 24 are expected"
        )
    phrase = Mnemonic.normalize_string(" ".join(words))
    known = False
    for language in sorted(Mnemonic.list_languages(), key=lambda name: name != "english"):
        book = Mnemonic(language)
        if all(word in book.wordlist for word in phrase.split(" ")):
            known = True
            if book.check(phrase):
                break
    else:
        raise ConfigurationError(
            "the seed phrase's checksum is wrong: a word is misspelt or in another place"
            if known
            else "a word of the seed phrase is not in BIP-39's list, or they are of two languages"
        )
    return bytes(Mnemonic.to_seed(phrase))


def _master(seed: bytes) -> tuple[bytes, bytes]:
    digest = hmac.digest(b"Bitcoin seed", seed, "sha512")
    return digest[:32], digest[32:]


def _child(key: bytes, chain: bytes, number: int) -> tuple[bytes, bytes]:
    """(key, chain code) one step down."""
    own = b"\0" + key if number & _HARDENED else _public(key)
    digest = hmac.digest(chain, own + number.to_bytes(4, "big"), "sha512")
    left = int.from_bytes(digest[:32], "big")
    child = (left + int.from_bytes(key, "big")) % _ORDER
    if left >= _ORDER or not child:  # one in 2^127
        raise ConfigurationError("this index has no key (BIP-32): take another one")
    return child.to_bytes(32, "big"), digest[32:]


def _public(key: bytes) -> bytes:
    """The compressed point on secp256k1."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    except ImportError:
        raise ConfigurationError(
            "a seed phrase needs more packages: pip install microwamp[bip39]"
        ) from None
    private = ec.derive_private_key(int.from_bytes(key, "big"), ec.SECP256K1())
    return private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
