"""The principals of a realm, made ready for logins; and those that are not there.

A login with an unknown authid is asked what one of the realm's principals would be asked, with
salts of its own that are the same each time, and is refused in the same words as a wrong password:
who tries names learns nothing.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from wamp.errors import ConfigurationError

from . import auth, cryptosign, scram
from .auth import Attempt, Challenge
from .principals import Principal, totp_key


@dataclass(eq=False, slots=True)
class Account:
    """A principal with everything derived; real: it exists.

    cra_key, cra_extra: the key of WAMP-CRA, and what the client needs to derive it. scram_keys: by
    dialect. totp_used: the last step whose code was used. totp_step, totp_tries: how many codes
    came in the last step in which any came.
    """

    authid: str
    principal: Principal
    real: bool
    ticket: bytes = b""
    totp: bytes | None = None
    cra_key: bytes = b""
    cra_extra: dict[str, Any] = field(default_factory=dict)
    scram_keys: dict[str, scram.Keys] = field(default_factory=dict)
    public_keys: frozenset[str] = frozenset()
    totp_used: int = 0
    totp_step: int = 0
    totp_tries: int = 0

    @property
    def role(self) -> str:
        """The authrole of whoever logs in."""
        return self.principal.role

    def challenge(self, method: str, attempt: Attempt) -> Challenge:
        """What to ask by a method of `principal`; raises Refused as it does."""
        if method == "ticket":
            return auth.ticket(self)
        if method == "wampcra":
            return auth.wampcra(self, attempt.session)
        if method == "cryptosign":
            return cryptosign.challenge(self, attempt)
        keys = self.scram_keys[method]
        if method == "scram":
            return scram.challenge_of_crossbar(keys, attempt)
        return scram.challenge(keys, attempt)


class Directory:
    """The accounts of one realm. Deriving their keys takes the time that their costs say."""

    def __init__(self, principals: Iterable[Principal]) -> None:
        self._secret = secrets.token_bytes(32)
        self._accounts = {one.authid: self._account(one) for one in principals}
        self._by_key = {
            key: account for account in self._accounts.values() for key in account.public_keys
        }

    def find(
        self, authid: str | None, extra: dict[str, Any], offered: list[str]
    ) -> tuple[Account, tuple[str, ...]] | None:
        """The account for a login and the methods it goes through.

        None where nobody could log in that way. An account that is not `real` never lets in.
        """
        account = self._named(authid, extra, offered)
        if account is not None:
            methods = account.principal.chosen(offered)
            if methods:
                return account, methods
        if authid is None:
            if "cryptosign" not in offered:
                return None
            # Raises Refused where there is no key to speak of.
            authid = cryptosign.public_key(extra)
            offered = ["cryptosign"]
        return self._decoy(authid, offered)

    def _named(
        self, authid: str | None, extra: dict[str, Any], offered: list[str]
    ) -> Account | None:
        if authid is not None:
            return self._accounts.get(authid)
        # Without an authid the key tells who it is.
        key = extra.get("pubkey")
        if "cryptosign" in offered and type(key) is str:
            return self._by_key.get(key.lower())
        return None

    def _account(self, principal: Principal) -> Account:
        account = Account(principal.authid, principal, True)
        account.public_keys = frozenset(key.lower() for key in principal.public_keys)
        if principal.ticket is not None:
            account.ticket = principal.ticket.encode()
        if principal.totp is not None:
            account.totp = totp_key(principal.totp, f"principal {principal.authid}")
        if principal.secret is not None:
            account.cra_key = principal.secret.encode()
            if principal.salt is not None:
                account.cra_key = _derive(principal)
                account.cra_extra = _cra_extra(principal, principal.salt)
        config = principal.scram
        if config is not None:
            salt = self._octets("salt", principal.authid, 16)
            if config.salt is not None:
                salt = bytes.fromhex(config.salt)
            try:
                account.scram_keys = {
                    method: scram.derive(config, method, salt)
                    for method in principal.methods()
                    if method in ("wamp-scram", "scram")
                }
            except ValueError as e:
                raise ConfigurationError(f"principal {principal.authid}: {e}") from None
        return account

    def _decoy(self, authid: str, offered: list[str]) -> tuple[Account, tuple[str, ...]] | None:
        """An account that looks like another one and has credentials that nobody knows."""
        models = [one for one in self._accounts.values() if one.principal.chosen(offered)]
        if not models:
            return None
        pick = int.from_bytes(self._octets("model", authid, 8), "big")
        # The same one whatever is offered, where it can be.
        everyone = list(self._accounts.values())
        model = everyone[pick % len(everyone)]
        if model not in models:
            model = models[pick % len(models)]
        account = Account(authid, model.principal, False)
        account.ticket = self._octets("ticket", authid, 32)
        if model.totp is not None:
            account.totp = self._octets("totp", authid, 20)
        account.cra_key = self._octets("cra", authid, 32)
        if model.cra_extra:
            length = len(model.cra_extra["salt"])
            salt = self._octets("cra salt", authid, length).hex()[:length]
            account.cra_extra = {**model.cra_extra, "salt": salt}
        for method, keys in model.scram_keys.items():
            account.scram_keys[method] = keys._replace(
                salt=self._octets("salt", authid, len(keys.salt)),
                stored=self._octets("stored", authid, 32),
                server=self._octets("server", authid, 32),
            )
        return account, model.principal.chosen(offered)

    def _octets(self, what: str, authid: str, length: int) -> bytes:
        """Octets that are the same for an authid as long as the router runs."""
        text = f"{what} {authid}".encode(errors="surrogatepass")
        return hashlib.shake_256(self._secret + text).digest(length)


def _derive(principal: Principal) -> bytes:
    octets = hashlib.pbkdf2_hmac(
        "sha256",
        (principal.secret or "").encode(),
        (principal.salt or "").encode(),
        principal.iterations,
        principal.keylen,
    )
    return base64.b64encode(octets)


def _cra_extra(principal: Principal, salt: str) -> dict[str, Any]:
    return {"salt": salt, "iterations": principal.iterations, "keylen": principal.keylen}
