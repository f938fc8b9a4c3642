"""ECDSA on secp256k1 as Ethereum has it: signatures that tell their key, Keccak-256, addresses.

Sources: SEC 1 version 2, 4.1.6 (recovery); EIP-2 (the lower s); EIP-55 (checksums of addresses).
What is secret is left to the package cryptography. The arithmetic here sees signatures and public
keys only, and so need not take the same time for all.
"""

from __future__ import annotations

from typing import NoReturn

from ..exception import ConfigurationError

_P = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
_Point = tuple[int, int, int]  # Jacobian: x/z^2, y/z^3; z is 0 at infinity


def _missing() -> NoReturn:
    raise ConfigurationError(
        "Ethereum keys need more packages: pip install microwamp[ethereum]"
    ) from None


def keccak(octets: bytes) -> bytes:
    """Keccak-256, 32 octets: SHA-3 before its padding was changed."""
    try:
        from Crypto.Hash import keccak as module
    except ImportError:
        _missing()
    return bytes(module.new(digest_bits=256, data=octets).digest())


def public_of(private: bytes) -> bytes:
    """The public key, 64 octets (x and y); ConfigurationError: this is no private key."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        _missing()
    number = int.from_bytes(private, "big")
    if not 0 < number < ORDER:
        raise ConfigurationError("an Ethereum key is a number from 1 up to the order of secp256k1")
    found = ec.derive_private_key(number, ec.SECP256K1()).public_key().public_numbers()
    return found.x.to_bytes(32, "big") + found.y.to_bytes(32, "big")


def sign(private: bytes, digest: bytes, public: bytes) -> bytes:
    """The signature of 32 octets, 65: r, s, and 27 or 28.

    The same for the same (RFC 6979), but for systems whose OpenSSL is older than 3.2.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import (
            Prehashed,
            decode_dss_signature,
        )
        from cryptography.hazmat.primitives.hashes import SHA256
    except ImportError:
        _missing()
    key = ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256K1())
    # Prehashed wants to know the length, and RFC 6979 a hash for its nonce: Ethereum's is SHA-256.
    try:
        how = ec.ECDSA(Prehashed(SHA256()), deterministic_signing=True)
    except UnsupportedAlgorithm:
        how = ec.ECDSA(Prehashed(SHA256()))
    r, s = decode_dss_signature(key.sign(digest, how))
    s = min(s, ORDER - s)
    pair = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    for v in (27, 28):
        if recover(digest, pair + bytes((v,))) == public:
            return pair + bytes((v,))
    # Only where r was above the order and was reduced: once in 2^127 signatures.
    raise ConfigurationError("this cannot be signed with this key: change a field of it")


def recover(digest: bytes, signature: bytes) -> bytes | None:
    """The public key, 64 octets, that signed the 32 octets; None: it is no signature at all.

    Of the two values of s that fit, only the lower is accepted: no signature has a twin.
    """
    if len(signature) != 65 or signature[64] not in (0, 1, 27, 28):
        return None
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not (0 < r < ORDER and 0 < s <= ORDER // 2):
        return None
    square = (r * r * r + 7) % _P
    y = pow(square, (_P + 1) // 4, _P)
    if y * y % _P != square:
        return None
    if bool(y & 1) is not (signature[64] in (1, 28)):
        y = _P - y
    inverse = pow(r, -1, ORDER)
    of_g = -int.from_bytes(digest, "big") * inverse % ORDER
    return _octets(_sum_of(of_g, _G, s * inverse % ORDER, (r, y)))


def address_of(public: bytes) -> bytes:
    """The address of a public key, 20 octets."""
    return keccak(public)[-20:]


def checksummed(address: bytes) -> str:
    """An address as text, its letters in upper and lower case by EIP-55."""
    text = address.hex()
    digest = keccak(text.encode()).hex()
    return "0x" + "".join(
        c.upper() if int(d, 16) > 7 else c for c, d in zip(text, digest, strict=False)
    )


def address_from(text: str) -> bytes | None:
    """The 20 octets of an address in text; None: it is none, or its checksum is wrong.

    Text in one case has no checksum.
    """
    digits = text.removeprefix("0x")
    try:
        address = bytes.fromhex(digits)
    except ValueError:
        return None
    if len(address) != 20 or len(digits) != 40:
        return None
    if digits not in (digits.lower(), digits.upper()) and checksummed(address)[2:] != digits:
        return None
    return address


# -- points


def _double(point: _Point) -> _Point:
    x, y, z = point
    yy = y * y % _P
    s = 4 * x * yy % _P
    m = 3 * x * x % _P
    x3 = (m * m - 2 * s) % _P
    return x3, (m * (s - x3) - 8 * yy * yy) % _P, 2 * y * z % _P


def _add(one: _Point, other: _Point) -> _Point:
    x1, y1, z1 = one
    x2, y2, z2 = other
    if not z1:
        return other
    if not z2:
        return one
    a, b = z1 * z1 % _P, z2 * z2 % _P
    u1, u2 = x1 * b % _P, x2 * a % _P
    s1, s2 = y1 * b * z2 % _P, y2 * a * z1 % _P
    if u1 == u2:
        return _double(one) if s1 == s2 else (0, 1, 0)
    h, r = u2 - u1, s2 - s1
    hh = h * h % _P
    hhh = h * hh % _P
    v = u1 * hh % _P
    x3 = (r * r - hhh - 2 * v) % _P
    return x3, (r * (v - x3) - s1 * hhh) % _P, h * z1 * z2 % _P


def _sum_of(a: int, p: tuple[int, int], b: int, q: tuple[int, int]) -> _Point:
    """a times p and b times q, together."""
    ones = (*p, 1), (*q, 1)
    table = ((0, 1, 0), ones[0], ones[1], _add(*ones))
    found: _Point = (0, 1, 0)
    for bit in range(255, -1, -1):
        found = _double(found)
        which = (a >> bit & 1) | (b >> bit & 1) << 1
        if which:
            found = _add(found, table[which])
    return found


def _octets(point: _Point) -> bytes | None:
    x, y, z = point
    if not z:
        return None
    inverse = pow(z, -1, _P)
    square = inverse * inverse % _P
    x, y = x * square % _P, y * square * inverse % _P
    return x.to_bytes(32, "big") + y.to_bytes(32, "big")
