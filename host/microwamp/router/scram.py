"""SCRAM-SHA-256 in the dialect of the specification (`wamp-scram`) and in crossbar's (`scram`).

Source: WAMP advanced profile, "Salted Challenge Response Authentication"; RFC 5802, RFC 7677; for
crossbar's dialect its behaviour: the nonce is the base64 of the client's raw octets and 16 more,
`c=` is empty, names are not escaped, and with Argon2 the key is the base64 text of the hash.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Any, NamedTuple

from nacl.pwhash import argon2id

from microwamp._saslprep import saslprep

from .auth import Attempt, Challenge, Refused
from .principals import Scram

_NONCE_OCTETS = 16
_NONCE_MAX = 256  # characters of the client's nonce


class Keys(NamedTuple):
    """What the check of one principal in one dialect needs."""

    kdf: str
    salt: bytes
    iterations: int
    memory: int
    stored: bytes
    server: bytes


def derive(scram: Scram, dialect: str, salt: bytes) -> Keys:
    """The keys for a dialect: those of the configuration, or from its password."""
    if scram.stored_key is not None and scram.server_key is not None:
        stored, server = bytes.fromhex(scram.stored_key), bytes.fromhex(scram.server_key)
    else:
        salted = salted_password(scram, salt)
        if dialect == "scram" and scram.kdf == "argon2id13":
            salted = base64.b64encode(salted).rstrip(b"=")
        stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
        server = hmac.digest(salted, b"Server Key", "sha256")
    return Keys(scram.kdf, salt, scram.iterations, scram.memory, stored, server)


def salted_password(scram: Scram, salt: bytes) -> bytes:
    """SaltedPassword, 32 octets; takes the time that the costs say."""
    password = saslprep(scram.password or "").encode()
    if scram.kdf == "pbkdf2":
        return hashlib.pbkdf2_hmac("sha256", password, salt, scram.iterations)
    return argon2id.kdf(32, password, salt, scram.iterations, scram.memory << 10)


def challenge(keys: Keys, attempt: Attempt) -> Challenge:
    """The method `wamp-scram`."""
    nonce: Any = attempt.extra.get("nonce")
    _unbase64(nonce)
    binding = attempt.extra.get("channel_binding")
    bound = b""
    if binding is not None:
        bound = _bound(binding, attempt)
    whole = nonce + base64.b64encode(secrets.token_bytes(_NONCE_OCTETS)).decode()
    salt = base64.b64encode(keys.salt).decode()
    flag = "n" if binding is None else "p=" + binding
    cbind = base64.b64encode(flag.encode() + b",," + bound).decode()
    name = _name(attempt.authid).replace("=", "=3D").replace(",", "=2C")
    text = f"n={name},r={nonce},r={whole},s={salt},i={keys.iterations},c={cbind},r={whole}"

    def check(signature: str, extra: dict[str, Any]) -> dict[str, Any] | None:
        data = None if binding is None else base64.b64encode(bound).decode()
        same = (
            extra.get("nonce") == whole
            and extra.get("channel_binding") == binding
            and extra.get("cbind_data") == data
        )
        verifier = _verify(keys, text, signature)
        if verifier is None or not same:
            return None
        return {"verifier": "v=" + verifier}

    asked = {
        "nonce": whole,
        "salt": salt,
        "kdf": keys.kdf,
        "iterations": keys.iterations,
        "memory": keys.memory or None,
    }
    return Challenge(asked, check)


def challenge_of_crossbar(keys: Keys, attempt: Attempt) -> Challenge:
    """The method `scram`."""
    octets = _unbase64(attempt.extra.get("nonce"))
    nonce = base64.b64encode(octets).decode()
    whole = base64.b64encode(octets + secrets.token_bytes(_NONCE_OCTETS)).decode()
    salt = base64.b64encode(keys.salt).decode()
    name = _name(attempt.authid)
    text = f"n={name},r={nonce},r={whole},s={salt},i={keys.iterations},c=,r={whole}"

    def check(signature: str, extra: dict[str, Any]) -> dict[str, Any] | None:
        verifier = _verify(keys, text, signature)
        return None if verifier is None else {"scram_server_signature": verifier}

    asked = {
        "nonce": whole,
        "salt": salt,
        "kdf": "argon2id-13" if keys.kdf == "argon2id13" else keys.kdf,
        "iterations": keys.iterations,
        "memory": keys.memory,
    }
    return Challenge(asked, check)


def _verify(keys: Keys, text: str, signature: str) -> str | None:
    """The server's signature if the client's proof is right."""
    proof = _octets(signature)
    message = text.encode()
    expected = hmac.digest(keys.stored, message, "sha256")
    key = bytes(a ^ b for a, b in zip(expected, proof.ljust(32, b"\0"), strict=False))
    right = hmac.compare_digest(hashlib.sha256(key).digest(), keys.stored)
    if not right or len(proof) != 32:
        return None
    return base64.b64encode(hmac.digest(keys.server, message, "sha256")).decode()


def _bound(binding: Any, attempt: Attempt) -> bytes:
    octets = attempt.tls_unique() if binding == "tls-unique" else None
    if octets is None:
        raise Refused(
            "authentication_denied",
            f"channel binding {str(binding)[:40]} is not possible on this connection",
        )
    return octets


def _name(authid: str) -> str:
    try:
        return saslprep(authid)
    except ValueError:
        return authid  # nobody has such a name


def _unbase64(nonce: Any) -> bytes:
    if type(nonce) is str and 0 < len(nonce) <= _NONCE_MAX:
        octets = _octets(nonce)
        if octets:
            return octets
    raise Refused("authentication_denied", "SCRAM needs authextra.nonce, octets in base64")


def _octets(text: str) -> bytes:
    """The octets of base64, none if it is malformed."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
