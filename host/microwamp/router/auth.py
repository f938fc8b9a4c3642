"""The router's side of the authentication methods: what to ask, and whether the answer is right.

Source: WAMP advanced profile, "Authentication Methods"; the derived key of a salted WAMP-CRA
secret is used as base64 text, as all peers do. Every comparison takes the same time whatever is
wrong.
"""

import base64
import hmac
import json
import secrets
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from .cryptosign import Identity
    from .directory import Account

# Checks AUTHENTICATE.Signature and .Extra: what WELCOME's authextra proves to the client (mostly
# nothing), or None if the answer is wrong.
Check: TypeAlias = Callable[[str, dict[str, Any]], dict[str, Any] | None]


class Challenge(NamedTuple):
    """CHALLENGE.Extra, and the check of what comes back."""

    extra: dict[str, Any]
    check: Check


class Refused(Exception):
    """A login that is not let in: reason is the URI of ABORT, text says why.

    detail: what the router's own log says, where the client must not learn it.
    """

    def __init__(self, reason: str, text: str, detail: str = "") -> None:
        super().__init__(text)
        self.reason = "wamp.error." + reason
        self.text = text
        self.detail = detail or text


class Attempt(NamedTuple):
    """What is known of a login.

    session: the id it would get. extra: HELLO.authextra. tls_unique: asks for the channel binding
    of its connection, None where there is none. identity: the router's own key.
    """

    session: int
    authid: str
    extra: dict[str, Any]
    tls_unique: Callable[[], bytes | None]
    identity: "Identity | None"


def ticket(account: "Account") -> Challenge:
    """The shared word itself, or the code of the moment."""

    def check(signature: str, extra: dict[str, Any]) -> dict[str, Any] | None:
        if account.totp is not None:
            return {} if _code_is_right(account, signature) else None
        return {} if hmac.compare_digest(signature.encode(), account.ticket) else None

    return Challenge({}, check)


def wampcra(account: "Account", session: int) -> Challenge:
    """HMAC-SHA256 over a text that holds a nonce."""
    text = json.dumps(
        {
            "authid": account.authid,
            "authrole": account.role,
            "authmethod": "wampcra",
            "authprovider": "static",
            "nonce": secrets.token_urlsafe(24),
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "session": session,
        }
    )
    expected = base64.b64encode(hmac.digest(account.cra_key, text.encode(), "sha256"))

    def check(signature: str, extra: dict[str, Any]) -> dict[str, Any] | None:
        return {} if hmac.compare_digest(signature.encode(), expected) else None

    return Challenge({"challenge": text, **account.cra_extra}, check)


# TOTP (RFC 6238) as authenticators have it: SHA-1, six digits, a new code every 30 s. The code
# before and the one after are taken too: clocks differ, and typing takes time.
TOTP_STEP_S = 30
_TOTP_WINDOW = 1
# Codes of an account that are looked at in a step. RFC 4226, section 7.3: who may try without end
# finds one of a million in minutes; five each 30 s take years.
_TOTP_TRIES = 5


def totp(key: bytes, step: int) -> str:
    """The code of one step of 30 s (RFC 4226, section 5.3)."""
    digest = hmac.digest(key, struct.pack(">Q", step), "sha1")
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def _code_is_right(account: "Account", code: str, clock: Callable[[], float] = time.time) -> bool:
    assert account.totp is not None
    now = int(clock()) // TOTP_STEP_S
    if account.totp_step != now:
        account.totp_step, account.totp_tries = now, 0
    account.totp_tries += 1
    if account.totp_tries > _TOTP_TRIES:
        return False
    right = 0
    for step in range(now - _TOTP_WINDOW, now + _TOTP_WINDOW + 1):
        if hmac.compare_digest(code.encode(), totp(account.totp, max(step, 0)).encode()):
            right = max(right, step)
    # RFC 6238, section 5.2: a code is good for one login.
    if right <= account.totp_used:
        return False
    account.totp_used = right
    return True
