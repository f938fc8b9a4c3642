"""The router's side of the authentication methods: what to ask, and whether the answer is right.

Source: WAMP advanced profile, "Authentication Methods"; the derived key of a salted WAMP-CRA
secret is used as base64 text, as all peers do. Every comparison takes the same time whatever is
wrong.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from .config import Principal

# What CHALLENGE says, and the check of AUTHENTICATE.Signature.
Challenge: TypeAlias = tuple[dict[str, Any], Callable[[str], bool]]

METHODS = ("anonymous", "ticket", "wampcra", "cryptosign")


class Refused(Exception):
    """A login that is not let in: reason is the URI of ABORT, text says why."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = "wamp.error." + reason
        self.text = text


def possible(principal: Principal, method: str) -> bool:
    """Whether `principal` has what `method` needs."""
    return {
        "ticket": principal.ticket is not None,
        "wampcra": principal.secret is not None,
        "cryptosign": bool(principal.public_keys),
    }.get(method, False)


def challenge(principal: Principal, method: str, session: int, extra: dict[str, Any]) -> Challenge:
    """The challenge for a method that is possible; extra: HELLO.authextra.

    Raises Refused where the login cannot succeed whatever the answer.
    """
    if method == "ticket":
        return ticket(principal)
    if method == "wampcra":
        return wampcra(principal, session)
    return cryptosign(principal, public_key(extra))


def ticket(principal: Principal) -> Challenge:
    """The shared word itself."""
    expected = (principal.ticket or "").encode()

    def check(signature: str) -> bool:
        return hmac.compare_digest(signature.encode(), expected)

    return {}, check


def wampcra(principal: Principal, session: int) -> Challenge:
    """HMAC-SHA256 over a text that holds a nonce."""
    text = json.dumps(
        {
            "authid": principal.authid,
            "authrole": principal.role,
            "authmethod": "wampcra",
            "authprovider": "static",
            "nonce": secrets.token_urlsafe(24),
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "session": session,
        }
    )
    extra: dict[str, Any] = {"challenge": text}
    key = (principal.secret or "").encode()
    if principal.salt is not None:
        extra.update(salt=principal.salt, iterations=principal.iterations, keylen=principal.keylen)
        key = derive(principal)
    expected = base64.b64encode(hmac.digest(key, text.encode(), "sha256"))

    def check(signature: str) -> bool:
        return hmac.compare_digest(signature.encode(), expected)

    return extra, check


@lru_cache(maxsize=1024)
def derive(principal: Principal) -> bytes:
    """The key of a salted secret; kept, because it costs as much as the iterations say."""
    octets = hashlib.pbkdf2_hmac(
        "sha256",
        (principal.secret or "").encode(),
        (principal.salt or "").encode(),
        principal.iterations,
        principal.keylen,
    )
    return base64.b64encode(octets)


def public_key(extra: dict[str, Any]) -> str:
    """The key a client says it has, in lower case; raises Refused if there is none."""
    key = extra.get("pubkey")
    if type(key) is not str or len(key) != 64 or _unhex(key) is None:
        raise Refused("authentication_denied", "cryptosign needs authextra.pubkey, 64 hex digits")
    return key.lower()


def cryptosign(principal: Principal, key: str) -> Challenge:
    """An Ed25519 signature of 32 random octets; without channel binding, and CHALLENGE says so."""
    if key not in (one.lower() for one in principal.public_keys):
        raise Refused(
            "authentication_denied", f"this public key is not one of {principal.authid[:80]}'s"
        )
    nonce = secrets.token_bytes(32)

    def check(signature: str) -> bool:
        octets = _unhex(signature)
        if octets is None or len(octets) != 96:
            return False
        # The signed octets come back behind the signature. They must be the ones sent: otherwise
        # any login that was ever recorded would do.
        if not hmac.compare_digest(octets[64:], nonce):
            return False
        try:
            VerifyKey(bytes.fromhex(key)).verify(nonce, octets[:64])
        except (CryptoError, ValueError):
            return False
        return True

    return {"challenge": nonce.hex(), "channel_binding": None}, check


def _unhex(text: str) -> bytes | None:
    """The octets of hex digits and nothing else (`bytes.fromhex` skips spaces)."""
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        return None
    return octets if len(octets) * 2 == len(text) else None
