"""Ed25519: clients that prove their key, and the router that proves its own.

Source: WAMP advanced profile, "Cryptosign-based Authentication".
"""

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any

from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

from wamp import keys

from .auth import Attempt, Challenge, Refused

if TYPE_CHECKING:
    from .directory import Account


class Identity:
    """The key by which the router proves itself to clients that ask."""

    def __init__(self, seed: bytes) -> None:
        self._key = SigningKey(seed)
        self.public = self._key.verify_key.encode().hex()

    @classmethod
    def load(cls, path: str) -> "Identity":
        """From a key file; raises ConfigurationError."""
        return cls(keys.read_key(path)[0])

    def sign(self, octets: bytes) -> str:
        """Signature and what was signed, 192 hex digits."""
        return (self._key.sign(octets).signature + octets).hex()


def challenge(account: "Account", attempt: Attempt) -> Challenge:
    """A signature of 32 random octets, bound to the connection where the client wants it.

    Raises Refused where the login cannot succeed whatever the answer.
    """
    key = public_key(attempt.extra)
    binding, channel = _channel(attempt)
    nonce = secrets.token_bytes(32)
    expected = _xor(nonce, channel)
    asked: dict[str, Any] = {"challenge": nonce.hex(), "channel_binding": binding}
    theirs = attempt.extra.get("challenge")
    if theirs is not None:
        octets = unhex(theirs) if type(theirs) is str else None
        if octets is None or len(octets) != 32:
            raise Refused("authentication_denied", "authextra.challenge must be 64 hex digits")
        if attempt.identity is not None:
            asked["pubkey"] = attempt.identity.public
            asked["signature"] = attempt.identity.sign(_xor(octets, channel))
    known = key in account.public_keys

    def check(signature: str, extra: dict[str, Any]) -> dict[str, Any] | None:
        octets = unhex(signature)
        if octets is None or len(octets) != 96:
            return None
        # The signed octets come back behind the signature. They must be the ones sent: otherwise
        # any login that was ever recorded would do.
        if not hmac.compare_digest(octets[64:], expected):
            return None
        try:
            VerifyKey(bytes.fromhex(key)).verify(expected, octets[:64])
        except (CryptoError, ValueError):
            return None
        return {} if known else None

    return Challenge(asked, check)


def public_key(extra: dict[str, Any]) -> str:
    """The key a client says it has, in lower case; raises Refused if there is none."""
    key = extra.get("pubkey")
    if type(key) is not str or len(key) != 64 or unhex(key) is None:
        raise Refused("authentication_denied", "cryptosign needs authextra.pubkey, 64 hex digits")
    return key.lower()


def unhex(text: str) -> bytes | None:
    """The octets of hex digits and nothing else (`bytes.fromhex` skips spaces)."""
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        return None
    return octets if len(octets) * 2 == len(text) else None


def _channel(attempt: Attempt) -> tuple[str | None, bytes]:
    """The channel binding and its 32 octets; zeros without one."""
    binding = attempt.extra.get("channel_binding")
    if binding is None:
        return None, bytes(32)
    octets = attempt.tls_unique() if binding == "tls-unique" else None
    if octets is None:
        raise Refused(
            "authentication_denied",
            f"channel binding {str(binding)[:40]} is not possible on this connection: "
            "tls-unique on TLS 1.2 is",
        )
    return "tls-unique", hashlib.sha256(octets).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
