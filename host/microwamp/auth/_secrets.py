"""Secrets and what is computed from them: PBKDF2, WAMP-CRA, SCRAM credentials, TOTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import string
import time
from typing import Any
from urllib.parse import quote, urlencode

from wamp import authtotp, kdf

from .._text import shown
from ..exception import ConfigurationError, LocalProtocolError
from ._argon2 import argon2id

# What crossbar's own tool and autobahn use, so that credentials are interchangeable.
_SCRAM_ITERATIONS = 4096
_SCRAM_MEMORY_KIB = 512
_PERIOD_S = 30


def pbkdf2(
    data: bytes, salt: bytes, iterations: int = 1000, keylen: int = 32, hashfunc: str | None = None
) -> bytes:
    """`keylen` octets by PBKDF2 (RFC 8018) with HMAC; hashfunc: name of a hash, default sha256."""
    for name, value in (("data", data), ("salt", salt)):
        if not isinstance(value, bytes):
            raise LocalProtocolError(f"pbkdf2: {name} is {shown(value)}, not octets")
    for name, number in (("iterations", iterations), ("keylen", keylen)):
        if type(number) is not int or not 0 < number < 1 << 31:
            raise LocalProtocolError(f"pbkdf2: {name} is {shown(number)}, not a positive integer")
    if hashfunc is not None and not isinstance(hashfunc, str):
        raise LocalProtocolError(f"pbkdf2: hashfunc is {shown(hashfunc)}, not a name of a hash")
    try:
        return hashlib.pbkdf2_hmac(hashfunc or "sha256", data, salt, iterations, keylen)
    except ValueError:
        raise LocalProtocolError(f"pbkdf2: there is no hash {shown(hashfunc)}") from None


def derive_key(
    secret: bytes | str, salt: bytes | str, iterations: int = 1000, keylen: int = 32
) -> bytes:
    """The key of a salted WAMP-CRA secret: PBKDF2-HMAC-SHA256 in base64."""
    return base64.b64encode(
        pbkdf2(_octets("secret", secret), _octets("salt", salt), iterations, keylen)
    )


def compute_wcs(key: bytes | str, challenge: bytes | str) -> bytes:
    """The signature of a WAMP-CRA challenge: HMAC-SHA256 in base64."""
    return base64.b64encode(kdf.hmac_sha256(_octets("key", key), _octets("challenge", challenge)))


def generate_wcs(length: int = 14) -> bytes:
    """A random secret for WAMP-CRA: so many letters and digits."""
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(_length(length))).encode()


def derive_scram_credential(
    email: str, password: str, salt: bytes | None = None
) -> dict[str, Any]:
    """What crossbar's configuration has for a principal of `scram`: argon2id, 4096 of 512 KiB.

    salt: 16 octets; without it, the first of the SHA-256 of the email. Takes a second or so.
    """
    for name, text in (("email", email), ("password", password)):
        if not isinstance(text, str) or not text:
            raise LocalProtocolError(f"{name}: a text expected that is not empty")
    if not salt:
        salt = hashlib.sha256(email.encode()).digest()[:16]
    if not isinstance(salt, bytes) or len(salt) != 16:
        raise LocalProtocolError(f"salt: {shown(salt)} found, 16 octets expected")
    raw = argon2id(password.encode(), salt, _SCRAM_ITERATIONS, _SCRAM_MEMORY_KIB)
    salted = base64.b64encode(raw).rstrip(b"=")  # crossbar's dialect: the text is the key
    client = kdf.hmac_sha256(salted, b"Client Key")
    return {
        "kdf": "argon2id-13",
        "memory": _SCRAM_MEMORY_KIB,
        "iterations": _SCRAM_ITERATIONS,
        "salt": salt.hex(),
        "stored-key": hashlib.sha256(client).hexdigest(),
        "server-key": kdf.hmac_sha256(salted, b"Server Key").hex(),
    }


def generate_totp_secret(length: int = 10) -> str:
    """A random TOTP secret of so many octets, in base32; RFC 4226 wants 16 or more."""
    return base64.b32encode(secrets.token_bytes(_length(length))).decode()


def compute_totp(secret: str, offset: int = 0) -> str:
    """The code of the moment, six digits (RFC 6238); offset: in steps of 30 s."""
    if type(offset) is not int:
        raise LocalProtocolError(f"offset: {shown(offset)} found, an integer expected")
    return _code(_totp_key(secret), offset)


def check_totp(secret: str, ticket: str) -> bool:
    """Whether a code is that of the moment, or of 30 s before or after.

    It may be shown again within that time: who checks has to remember the last one.
    """
    key = _totp_key(secret)
    given = ticket.encode() if isinstance(ticket, str) and ticket.isascii() else b""
    found = False
    for offset in (-1, 0, 1):
        found |= hmac.compare_digest(_code(key, offset).encode(), given)
    return found


def _code(key: bytes, offset: int) -> str:
    # A clock that was never set stands near 0, and there is no step before that.
    return authtotp.totp(key, max(0, int(time.time()) + offset * _PERIOD_S))


def qrcode_from_totp(secret: str, label: str, issuer: str) -> bytes:
    """A QR code for authenticator apps, an SVG; needs the extra `qrcode`."""
    _totp_key(secret)
    for name, text in (("label", label), ("issuer", issuer)):
        if not isinstance(text, str) or not text:
            raise LocalProtocolError(f"{name}: a text expected that is not empty")
    try:
        import qrcode
        from qrcode.image.svg import SvgImage
    except ImportError:
        raise ConfigurationError(
            "a QR code needs another package: pip install microwamp[qrcode]"
        ) from None
    query = urlencode({"secret": secret, "issuer": issuer}, quote_via=quote)
    image = qrcode.make(
        f"otpauth://totp/{quote(label)}?{query}", box_size=3, image_factory=SvgImage
    )
    return bytes(image.to_string())


def _totp_key(secret: str) -> bytes:
    if not isinstance(secret, str):
        raise LocalProtocolError(f"secret: a {type(secret).__name__} found, base32 text expected")
    key = authtotp.base32(secret)
    if not key:
        raise ConfigurationError("the TOTP secret is empty")
    return key


def _octets(name: str, value: bytes | str) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, bytes):
        raise LocalProtocolError(
            f"{name}: a {type(value).__name__} found, text or octets expected"
        )
    return value


def _length(length: int) -> int:
    if type(length) is not int or not 0 < length <= 1024:
        raise LocalProtocolError(f"length: {shown(length)} found, 1 to 1024 expected")
    return length
