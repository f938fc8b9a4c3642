"""Authenticators: a login of the core with the interface of the API, made from keywords."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any, ClassVar

from wamp import auth as core
from wamp.authcryptosign import unhex
from wamp.authtotp import TOTP
from wamp.logins import utc

from .._text import shown
from ..cryptosign import CryptosignKey
from ..exception import AuthenticationError, ConfigurationError
from ..interfaces import IAuthenticator, ISession
from ..types import Challenge, TransportDetails
from ._logins import HostCra, HostCrossbarScram, HostCryptosign, HostScram


class Authenticator(IAuthenticator):
    """Base: what all have.

    It has two faces. `authextra`, `on_challenge` and `on_welcome` are the API's; `hello`,
    `prepare`, `challenge`, `confirm` and `welcome` are those of the core's logins (wamp.auth), so
    that a core session takes these objects too.

    All take authid, authrole (a wish) and authextra. ConfigurationError names a keyword that is
    missing, unknown or wrong; it never shows a secret.
    """

    name: ClassVar[str]
    login: core.Authenticator
    _KEYWORDS: ClassVar[tuple[str, ...]] = ()
    _NEEDED: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **kw: Any) -> None:
        known = ("authid", "authrole", "authextra", *self._KEYWORDS)
        for keyword in kw:
            if keyword not in known:
                raise ConfigurationError(
                    f"{self.name} has no keyword {keyword}: it has {', '.join(known)}"
                )
        for keyword in self._NEEDED:
            if kw.get(keyword) is None:
                raise ConfigurationError(f"{self.name} needs {keyword}=")
        authrole, authextra = kw.get("authrole"), kw.get("authextra")
        if not isinstance(authrole, str | None):
            raise ConfigurationError(f"authrole is {shown(authrole)}, not a text")
        if not isinstance(authextra, dict | None):
            raise ConfigurationError(f"authextra is {shown(authextra)}, not a dictionary")
        self.authrole = authrole
        self._extra: dict[str, Any] = dict(authextra or {})
        self._said: dict[str, Any] | None = None
        self.login = self._login(kw)
        self.login.method = self.method

    def __repr__(self) -> str:
        return f"{type(self).__name__}(authid={self.authid!r})"

    def _login(self, kw: dict[str, Any]) -> core.Authenticator:
        raise NotImplementedError

    @property
    def authid(self) -> str | None:
        """Who logs in."""
        return self.login.authid

    @property
    def method(self) -> str:
        """The authmethod in HELLO and CHALLENGE."""
        return self.name

    @property
    def needs_private_link(self) -> bool:
        """Whether it must not be used where others can read the link."""
        return self.login.needs_private_link

    @property
    def unproved(self) -> bool:
        """Whether the router still owes a proof of who it is."""
        return self.login.unproved

    @property
    def authextra(self) -> dict[str, Any]:
        """The authextra for HELLO: the one given, and what the method adds.

        It stays the same until a challenge was answered, so that it may be read several times.
        """
        if self._said is None:
            self.hello({})
        return dict(self._said or {})

    def use_transport(self, details: TransportDetails | None) -> None:
        """Take over what the login needs of the transport; to be called before HELLO."""

    async def on_challenge(self, session: ISession | None, challenge: Challenge) -> str:
        """The signature for AUTHENTICATE. The event loop turns while it is computed."""
        if challenge.method != self.method:
            raise AuthenticationError(
                f"the router asks for {shown(challenge.method)}, offered was {self.method}"
            )
        transport = session.transport if session is not None else None
        if transport is not None:
            self.use_transport(transport.transport_details)
        if self._said is None:
            raise AuthenticationError(
                f"{self.name}: a challenge without HELLO; its authextra must come from authextra"
            )
        self._said = None
        steps = self.login.challenge(challenge.extra)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                signature: str = stop.value[0]
                return signature
            await asyncio.sleep(0)

    def on_welcome(self, session: ISession | None, authextra: dict[str, Any] | None) -> str | None:
        """None where the router has proved what the method lets it prove; else why it has not."""
        try:
            self.login.welcome({"authextra": authextra})
        except AuthenticationError as error:
            return str(error)
        return None

    def prepare(self) -> Generator[None, None, None]:
        """As wamp.auth has it."""
        return self.login.prepare()

    def hello(self, details: dict[str, Any]) -> None:
        """As wamp.auth has it: authid, authrole and authextra into HELLO's details."""
        details["authextra"] = {**(details.get("authextra") or {}), **self._extra}
        if self.authrole is not None:
            details["authrole"] = self.authrole
        self.login.hello(details)
        self._said = dict(details["authextra"])
        if not details["authextra"]:
            del details["authextra"]

    def challenge(
        self, extra: dict[str, Any]
    ) -> Generator[None, None, tuple[str, dict[str, Any]]]:
        """As wamp.auth has it."""
        self._said = None
        return self.login.challenge(extra)

    def confirm(self, details: dict[str, Any]) -> None:
        """As wamp.auth has it."""
        self.login.confirm(details)

    def welcome(self, details: dict[str, Any]) -> None:
        """As wamp.auth has it."""
        self.login.welcome(details)


class AuthAnonymous(Authenticator):
    """`anonymous`: no login."""

    name = "anonymous"

    def _login(self, kw: dict[str, Any]) -> core.Authenticator:
        return core.Anonymous(kw.get("authid"))


class AuthAnonymousProxy(AuthAnonymous):
    """`anonymous-proxy`: of crossbar's proxies to their workers."""

    name = "anonymous-proxy"


class AuthTicket(Authenticator):
    """`ticket`; allow_clear: on a link that others can read, too."""

    name = "ticket"
    _KEYWORDS = ("ticket", "allow_clear")
    _NEEDED = ("authid", "ticket")

    def _login(self, kw: dict[str, Any]) -> core.Authenticator:
        return core.Ticket(kw["authid"], kw["ticket"], bool(kw.get("allow_clear")))


class AuthTotp(Authenticator):
    """`ticket` with a code by the clock; secret: base32 text or octets."""

    name = "totp"
    _KEYWORDS = ("secret", "allow_clear")
    _NEEDED = ("authid", "secret")

    @property
    def method(self) -> str:
        """The authmethod in HELLO and CHALLENGE: `ticket`."""
        return "ticket"

    def _login(self, kw: dict[str, Any]) -> core.Authenticator:
        return TOTP(kw["authid"], kw["secret"], utc, bool(kw.get("allow_clear")))


class AuthWampCra(Authenticator):
    """`wampcra`; secret: text or octets, the plain one where it is salted."""

    name = "wampcra"
    _KEYWORDS = ("secret",)
    _NEEDED = ("authid", "secret")

    def _login(self, kw: dict[str, Any]) -> core.Authenticator:
        return HostCra(kw["authid"], kw["secret"])


class AuthScram(Authenticator):
    """`scram`, SCRAM as crossbar and autobahn have it, with argon2id or PBKDF2."""

    name = "scram"
    _KEYWORDS = ("password",)
    _NEEDED = ("authid", "password")

    def __init__(self, **kw: Any) -> None:
        super().__init__(**kw)

    def _login(self, kw: dict[str, Any]) -> core.Authenticator:
        return HostCrossbarScram(kw["authid"], kw["password"])

    def on_welcome(self, session: ISession | None, authextra: dict[str, Any] | None) -> str | None:
        """None where the router has proved that it knows the password; else why it has not."""
        return super().on_welcome(session, authextra)


class AuthWampScram(AuthScram):
    """`wamp-scram`, SCRAM as the specification has it."""

    name = "wamp-scram"

    def _login(self, kw: dict[str, Any]) -> core.Authenticator:
        return HostScram(kw["authid"], kw["password"])


class AuthCryptoSign(Authenticator):
    """`cryptosign`.

    privkey: 64 hex digits, or key: a CryptosignKey. router: the router's public key in hex, or a
    list of them; the router must then prove that it has one. authextra may have `pubkey`, which
    must fit, and `channel_binding`.
    """

    name = "cryptosign"
    login: HostCryptosign
    _KEYWORDS = ("privkey", "key", "router")

    def _login(self, kw: dict[str, Any]) -> core.Authenticator:
        key = kw.get("key")
        if (key is None) == (kw.get("privkey") is None):
            raise ConfigurationError(f"{self.name} needs one of privkey= and key=")
        if key is None:
            seed = unhex(kw["privkey"], 32)
            if seed is None:
                raise ConfigurationError(f"{self.name}: privkey must be 64 hex digits")
            key = CryptosignKey.from_bytes(seed)
        if not isinstance(key, CryptosignKey) or not key.can_sign:
            raise ConfigurationError(f"{self.name}: key must be a CryptosignKey that can sign")
        public = key.public_key()
        given = self._extra.get("pubkey")
        if given is not None and (not isinstance(given, str) or given.lower() != public):
            raise ConfigurationError(
                f"{self.name}: pubkey in authextra is not the public key of the private key"
            )
        routers = kw.get("router")
        if isinstance(routers, str):
            routers = [routers]
        pinned = None
        if routers is not None:
            pinned = []
            for text in routers:
                octets = unhex(text, 32)
                if octets is None:
                    raise ConfigurationError(
                        f"{self.name}: router is {shown(text)}, and should be 64 hex digits"
                    )
                pinned.append(octets)
        self.key = key
        return HostCryptosign(
            key.public_octets,
            kw.get("authid"),
            key.sign_now,
            pinned,
            self._extra.get("channel_binding"),
        )

    def use_transport(self, details: TransportDetails | None) -> None:
        """Take over the channel's ids. AuthenticationError: there is none for the binding."""
        found = details.channel_id if details is not None else None
        self.login.channel_ids = dict(found or {})
        self.login.channel_id()


class AuthCryptoSignProxy(AuthCryptoSign):
    """`cryptosign-proxy`: of crossbar's proxies to their workers."""

    name = "cryptosign-proxy"


_CLASSES: dict[str, type[Authenticator]] = {
    klass.name: klass
    for klass in (
        AuthAnonymous,
        AuthAnonymousProxy,
        AuthTicket,
        AuthTotp,
        AuthWampCra,
        AuthScram,
        AuthWampScram,
        AuthCryptoSign,
        AuthCryptoSignProxy,
    )
}


def create_authenticator(name: str, **kwargs: Any) -> Authenticator:
    """The authenticator of a method: its class documents the keywords.

    ConfigurationError: there is no such method, or the keywords do not fit it.
    """
    klass = _CLASSES.get(name) if isinstance(name, str) else None
    if klass is None:
        raise ConfigurationError(
            f"there is no authenticator {shown(name)}: there are {', '.join(_CLASSES)}"
        )
    return klass(**kwargs)
