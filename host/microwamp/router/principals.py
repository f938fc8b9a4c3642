"""Who may log in, and by what."""

import base64
import binascii
import re
from dataclasses import dataclass, field

from wamp.errors import ConfigurationError

_KEY = re.compile(r"[0-9a-fA-F]{64}")

# The methods of which each needs a credential, strongest first; `scram` is crossbar's dialect.
METHODS = ("cryptosign", "wamp-scram", "scram", "wampcra", "ticket")

# Bounds of what a login may cost. PBKDF2 with a million iterations takes a host 0.3 s and an
# RP2040 eight minutes; Argon2 with 256 MiB twenty times takes a host some 5 s.
ITERATIONS_MAX = 1_000_000
MEMORY_MAX = 1 << 18  # KiB
ARGON_COST_MAX = 20 * MEMORY_MAX  # iterations times KiB

_DIALECTS = ("wamp-scram", "scram")


@dataclass(frozen=True)
class Scram:
    """What SCRAM checks a password with.

    kdf: pbkdf2 or argon2id13, with iterations and (Argon2 only) memory in KiB. Either password,
    from which the keys of both dialects are derived when the router starts, under a salt that is
    new each time unless given; or stored_key, server_key (hex) and salt of one dialect:
    `wamp-scram` (the specification) or `scram` (crossbar). salt: hex; Argon2 takes 16 octets.
    """

    password: str | None = field(default=None, repr=False)
    kdf: str = "pbkdf2"
    iterations: int = 4096  # RFC 7677: no fewer
    memory: int = 0
    salt: str | None = None
    stored_key: str | None = field(default=None, repr=False)
    server_key: str | None = field(default=None, repr=False)
    dialect: str = "wamp-scram"

    def __post_init__(self) -> None:
        if self.kdf not in ("pbkdf2", "argon2id13"):
            raise ConfigurationError(f"scram: kdf {self.kdf[:20]}; known: argon2id13, pbkdf2")
        if self.dialect not in _DIALECTS:
            raise ConfigurationError(
                f"scram: dialect {self.dialect[:20]}; known: {', '.join(_DIALECTS)}"
            )
        keys = (self.stored_key, self.server_key)
        if (self.password is None) == (None in keys) or (self.password and any(keys)):
            raise ConfigurationError("scram: a password, or stored_key and server_key, needed")
        if self.password == "":
            raise ConfigurationError("scram: an empty password lets everyone in")
        for key in keys:
            if key is not None and not _KEY.fullmatch(key):
                raise ConfigurationError("scram: stored_key and server_key are 64 hex digits each")
        self._check_cost()
        self._check_salt()

    def _check_cost(self) -> None:
        if not 1 <= self.iterations <= ITERATIONS_MAX:
            raise ConfigurationError(f"scram: iterations must be from 1 to {ITERATIONS_MAX}")
        if self.kdf == "pbkdf2":
            if self.memory:
                raise ConfigurationError("scram: memory is for argon2id13 only")
        elif not 8 <= self.memory <= MEMORY_MAX or self.iterations * self.memory > ARGON_COST_MAX:
            raise ConfigurationError(
                f"scram: memory must be from 8 to {MEMORY_MAX} KiB, and iterations times memory "
                f"at most {ARGON_COST_MAX}"
            )

    def _check_salt(self) -> None:
        if self.salt is None:
            if self.password is None:
                raise ConfigurationError("scram: stored_key needs the salt it was derived with")
            return
        try:
            salt = bytes.fromhex(self.salt)
        except ValueError:
            raise ConfigurationError("scram: salt is not hex") from None
        if not 8 <= len(salt) <= 64:
            raise ConfigurationError("scram: a salt of 8 to 64 octets needed")
        if self.kdf == "argon2id13" and self.password is not None and len(salt) != 16:
            raise ConfigurationError("scram: argon2id13 needs a salt of 16 octets")


@dataclass(frozen=True)
class Principal:
    """Someone who may log in, by any of the credentials that are set.

    ticket: a shared word, sent in clear; totp: instead of it a code that changes every 30 s (RFC
    6238), this is its secret in base32. secret: the shared secret of WAMP-CRA, as the user types
    it; with `salt` the key is derived from it (`iterations`, `keylen`). scram: see Scram.
    public_keys: Ed25519 keys for cryptosign, 64 hex digits each. factors: methods that must all be
    passed, one after the other; without them any one will do. SCRAM goes last: its proof of the
    router comes with WELCOME, and careful clients tell nothing more before it.
    """

    authid: str
    role: str = "user"
    ticket: str | None = field(default=None, repr=False)
    totp: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    salt: str | None = field(default=None, repr=False)
    iterations: int = 1000
    keylen: int = 32
    scram: Scram | None = field(default=None, repr=False)
    public_keys: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        who = f"principal {self.authid}"
        if not self.authid:
            raise ConfigurationError("principal: an authid is needed")
        if not self.methods():
            raise ConfigurationError(
                f"{who}: a ticket, totp, a secret, scram or public_keys needed"
            )
        if self.ticket == "" or self.secret == "":
            raise ConfigurationError(f"{who}: an empty ticket or secret lets everyone in")
        if self.ticket is not None and self.totp is not None:
            raise ConfigurationError(f"{who}: ticket or totp, both answer the method ticket")
        if self.totp is not None:
            totp_key(self.totp, who)
        if self.salt is not None and self.secret is None:
            raise ConfigurationError(f"{who}: salt without a secret")
        if not 1 <= self.iterations <= ITERATIONS_MAX or not 1 <= self.keylen <= 64:
            raise ConfigurationError(
                f"{who}: iterations must be from 1 to {ITERATIONS_MAX}, keylen from 1 to 64"
            )
        for key in self.public_keys:
            if not _KEY.fullmatch(key):
                raise ConfigurationError(f"{who}: public key {key[:70]} is not 64 hex digits")
        self._check_factors(who)

    def _check_factors(self, who: str) -> None:
        methods = self.methods()
        for method in self.factors:
            if method not in METHODS:
                raise ConfigurationError(
                    f"{who}: unknown factor {method[:20]}; known: {', '.join(METHODS)}"
                )
            if method not in methods:
                raise ConfigurationError(f"{who}: nothing is there to check {method} with")
        if len(set(self.factors)) != len(self.factors) or len(self.factors) == 1:
            raise ConfigurationError(f"{who}: factors must be two or more different methods")

    def methods(self) -> tuple[str, ...]:
        """The methods for which a credential is there, strongest first."""
        dialects: tuple[str, ...] = ()
        if self.scram is not None:
            both = self.scram.password is not None
            dialects = _DIALECTS if both else (self.scram.dialect,)
        return tuple(
            method
            for method in METHODS
            if {
                "cryptosign": bool(self.public_keys),
                "wamp-scram": "wamp-scram" in dialects,
                "scram": "scram" in dialects,
                "wampcra": self.secret is not None,
                "ticket": self.ticket is not None or self.totp is not None,
            }[method]
        )

    def chosen(self, offered: list[str]) -> tuple[str, ...]:
        """The methods this login goes through, () if it cannot: all factors, or the first of the
        client's list for which there is a credential.
        """
        if self.factors:
            return self.factors if set(self.factors) <= set(offered) else ()
        methods = self.methods()
        return next(((method,) for method in offered if method in methods), ())


def totp_key(text: str, who: str) -> bytes:
    """The octets of a secret in base32, with or without blanks and padding."""
    text = re.sub(r"[\s=-]", "", text).upper()
    try:
        key = base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error:
        raise ConfigurationError(f"{who}: totp is not base32") from None
    if len(key) < 10:
        raise ConfigurationError(f"{who}: totp is shorter than 10 octets (16 letters)")
    return key
