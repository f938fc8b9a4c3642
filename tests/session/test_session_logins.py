"""Every login of a component, over every transport, with crossbar.io and the embedded router.

A row has the authentication that is right, one with a wrong credential, and the authid and
authmethod that come of the first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from logins import login, serial_line, trusting
from nacl.signing import SigningKey
from sessions import REALM, Told, close, joined

from microwamp.auth import (
    compute_totp,
    create_authenticator,
    derive_scram_credential,
    generate_totp_secret,
    generate_wcs,
)
from microwamp.exception import (
    AuthenticationError,
    ConfigurationError,
    LocalProtocolError,
    SessionAborted,
)
from microwamp.router import Principal, RealmConfig, Router, RouterConfig, Scram
from microwamp.router.scram import derive
from microwamp_rig import crossbar as xb
from microwamp_rig.crossbar import CrossbarNode, make_certificate
from wamp import keys

Row = tuple[dict[str, Any] | None, dict[str, Any] | None, str | None, str]

OTHER_SEED = bytes(32)
STRANGER = "ab" * 32
ROUTER = SigningKey(bytes(range(32, 64)))
ROUTER_PUBLIC = ROUTER.verify_key.encode().hex()
TOTP, OTHER_TOTP = "JBSWY3DPEHPK3PXPJBSWY3DP", "GEZDGNBVGY3TQOJQGEZDGNBV"
UNIQUE = {"channel_binding": "tls-unique"}
TLS = ("tls", "wss")


def row(method: str, authid: str, keyword: str, value: str, wrong: str = "wrong") -> Row:
    """A login by one secret."""
    more = {"allow_clear": True} if method in ("ticket", "totp") else {}
    right, refused = (
        {method: {"authid": authid, keyword: given, **more}} for given in (value, wrong)
    )
    return right, refused, authid, method.replace("totp", "ticket")


def cryptosign(**more: Any) -> Row:
    """A login by a key."""
    right, wrong = (
        {"cryptosign": {"authid": xb.CRYPTOSIGN_AUTHID, "privkey": seed.hex(), **more}}
        for seed in (xb.CRYPTOSIGN_SEED, OTHER_SEED)
    )
    return right, wrong, xb.CRYPTOSIGN_AUTHID, "cryptosign"


def rows(router: str) -> dict[str, Row]:
    """What crossbar and the embedded router have. router: its public key."""
    return {
        "anonymous": (None, None, None, "anonymous"),
        "ticket": row("ticket", xb.TICKET_AUTHID, "ticket", xb.TICKET),
        "wampcra": row("wampcra", xb.CRA_AUTHID, "secret", xb.CRA_SECRET),
        "wampcra-salted": row("wampcra", xb.CRA_SALTED_AUTHID, "secret", xb.CRA_SALTED_SECRET),
        "scram-pbkdf2": row("scram", xb.SCRAM_AUTHID, "password", xb.SCRAM_PASSWORD),
        "scram-argon2id": row(
            "scram", xb.SCRAM_ARGON2_AUTHID, "password", xb.SCRAM_ARGON2_PASSWORD
        ),
        "cryptosign": cryptosign(),
        "cryptosign-router": cryptosign(router=router),
        "cryptosign-tls-unique": cryptosign(router=router, authextra=UNIQUE),
    }


def two_rounds(first: Row, second: Row) -> Row:
    """Two CHALLENGEs; the second answer is the wrong one."""
    assert first[0] and second[0] and second[1]
    return {**first[0], **second[0]}, {**first[0], **second[1]}, first[2], first[3]


# What the embedded router alone has.
MORE = {
    "totp": row("totp", "tim", "secret", TOTP, OTHER_TOTP),
    "wamp-scram-pbkdf2": row("wamp-scram", xb.SCRAM_AUTHID, "password", xb.SCRAM_PASSWORD),
    "wamp-scram-argon2id": row(
        "wamp-scram", xb.SCRAM_ARGON2_AUTHID, "password", xb.SCRAM_ARGON2_PASSWORD
    ),
    "wampcra, then totp": two_rounds(
        row("wampcra", "two", "secret", "secret-of-two"),
        row("totp", "two", "secret", TOTP, OTHER_TOTP),
    ),
    "ticket, then wamp-scram": two_rounds(
        row("ticket", "tom", "ticket", "ticket-of-tom"),
        row("wamp-scram", "tom", "password", "password-of-tom"),
    ),
}
PRINCIPALS = (
    Principal(xb.TICKET_AUTHID, ticket=xb.TICKET),
    Principal(xb.CRA_AUTHID, secret=xb.CRA_SECRET),
    Principal(xb.CRA_SALTED_AUTHID, secret=xb.CRA_SALTED_SECRET, salt="salt", iterations=100),
    Principal(xb.SCRAM_AUTHID, scram=Scram(xb.SCRAM_PASSWORD)),
    Principal(
        xb.SCRAM_ARGON2_AUTHID,
        scram=Scram(xb.SCRAM_ARGON2_PASSWORD, "argon2id13", iterations=2, memory=64),
    ),
    Principal(xb.CRYPTOSIGN_AUTHID, public_keys=(xb.CRYPTOSIGN_PUBLIC,)),
    Principal("tim", totp=TOTP),
    Principal("two", secret="secret-of-two", totp=TOTP, factors=("wampcra", "ticket")),
    Principal(
        "tom",
        ticket="ticket-of-tom",
        scram=Scram("password-of-tom"),
        factors=("ticket", "wamp-scram"),
    ),
)
NAMES = tuple(rows(STRANGER))
CROSSBAR = [
    (transport, name)
    for transport in ("tcp", "tls", "unix", "ws", "wss", "serial")
    for name in NAMES
    if "unique" not in name  # crossbar 26.10 takes TLS 1.3 alone, which has no tls-unique
]
EMBEDDED = [
    (transport, name)
    for transport in ("tcp", "tls", "unix", "ws", "wss", "serial")
    for name in (*NAMES, *MORE)
    if "unique" not in name or transport in TLS
]


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the embedded router's certificate and key."""
    folder = tmp_path_factory.mktemp("router")
    make_certificate(folder / "server.crt", folder / "server.key")
    keys.write_key(str(folder / "router.key"), ROUTER.encode(), ROUTER.verify_key.encode())
    return folder


@asynccontextmanager
async def embedded(transport: str, pem: Path) -> AsyncIterator[str]:
    """The embedded router, and the URL to get there by a transport."""
    listen = {
        "tcp": "rs://127.0.0.1:0",
        "tls": "rss://127.0.0.1:0",
        "unix": f"rs://unix:{pem}/rs.sock",
        "ws": "ws://127.0.0.1:0",
        "wss": "wss://127.0.0.1:0",
        "serial": "rs://127.0.0.1:0",
    }[transport]
    config = RouterConfig(
        (RealmConfig(REALM, anonymous="guest", principals=PRINCIPALS),),
        listen=(listen,),
        certificate=str(pem / "server.crt"),
        key=str(pem / "server.key"),
        identity=str(pem / "router.key"),
        closing_timeout=0.5,
    )
    async with Router(config, lambda *_: None) as router:
        if transport == "serial":
            async with serial_line(router.urls[0]) as url:
                yield url
        else:
            yield router.urls[0]


@asynccontextmanager
async def of_crossbar(node: CrossbarNode, transport: str, name: str) -> AsyncIterator[str]:
    """The URL of a transport of the node."""
    if transport == "serial":
        async with serial_line(node.unix_url) as url:
            yield url
    else:
        yield {
            "tcp": node.url if name == "anonymous" else node.auth_url,
            "tls": node.tls_url,
            "unix": node.unix_url,
            "ws": node.websocket_url,
            "wss": node.secure_websocket_url,
        }[transport]


async def right_and_wrong(url: str, found: Row, **options: Any) -> None:
    """Let in with the right credential, refused with the wrong one, and nothing hangs."""
    right, wrong, authid, method = found
    details = await login(url, right, **options)
    assert details.authmethod == method
    assert authid is None or details.authid == authid
    if wrong is None:
        return
    with pytest.raises((SessionAborted, AuthenticationError)) as caught:
        await login(url, wrong, **options)
    assert "\n" not in str(caught.value) and isinstance(caught.value, SessionAborted)
    denied = ("wamp.error.not_authorized", "wamp.error.authentication_denied")
    assert caught.value.reason in denied


@pytest.mark.parametrize(("transport", "name"), CROSSBAR)
async def test_crossbar(crossbar: CrossbarNode, transport: str, name: str) -> None:
    options: dict[str, Any] = {}
    if transport in TLS:
        options["ssl"] = trusting(crossbar.certificate)
    async with of_crossbar(crossbar, transport, name) as url:
        await right_and_wrong(url, rows(crossbar.public_key)[name], **options)


@pytest.mark.parametrize(("transport", "name"), EMBEDDED)
async def test_embedded(pem: Path, transport: str, name: str) -> None:
    options: dict[str, Any] = {}
    if transport in TLS:
        options["ssl"] = trusting(pem / "server.crt", "unique" in name)
    async with embedded(transport, pem) as url:
        await right_and_wrong(url, {**rows(ROUTER_PUBLIC), **MORE}[name], **options)


# -- what this side refuses, in one sentence


async def refused(words: str, url: str, authentication: Any, **options: Any) -> None:
    with pytest.raises(AuthenticationError, match=words) as caught:
        await login(url, authentication, **options)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


async def test_a_secret_is_not_sent_where_others_can_read(crossbar: CrossbarNode) -> None:
    for method, keyword in (("ticket", "ticket"), ("totp", "secret")):
        word = {"ticket": xb.TICKET, "secret": TOTP}[keyword]
        given = {method: {"authid": xb.TICKET_AUTHID, keyword: word}}
        for url in (crossbar.auth_url, crossbar.websocket_url):
            await refused("ticket would send its secret in clear", url, given)
        async with serial_line(crossbar.unix_url) as line:
            await refused("ticket would send its secret in clear", line, given)
    private = {"ticket": {"authid": xb.TICKET_AUTHID, "ticket": xb.TICKET}}
    context = trusting(crossbar.certificate)
    for url in (crossbar.tls_url, crossbar.secure_websocket_url):
        assert (await login(url, private, ssl=context)).authid == xb.TICKET_AUTHID
    assert (await login(crossbar.unix_url, private)).authid == xb.TICKET_AUTHID


async def test_channel_bindings_that_a_connection_cannot_have(
    crossbar: CrossbarNode, pem: Path
) -> None:
    (exporter, *_), (unique, *_) = (
        cryptosign(authextra={"channel_binding": name}) for name in ("tls-exporter", "tls-unique")
    )
    cannot = "no channel id for tls-exporter: Python's ssl cannot export keying material"
    no_1_2 = "no channel id for tls-unique: it takes TLS 1.2"
    context = trusting(crossbar.certificate)
    await refused(cannot, crossbar.tls_url, exporter, ssl=context)
    await refused(cannot, crossbar.secure_websocket_url, exporter, ssl=context)
    await refused(no_1_2, crossbar.tls_url, unique, ssl=context)
    await refused(no_1_2, crossbar.auth_url, unique)
    async with embedded("tls", pem) as url:
        await refused(cannot, url, exporter, ssl=trusting(pem / "server.crt", tls_1_2=True))
        await refused(no_1_2, url, unique, ssl=trusting(pem / "server.crt"))


async def test_another_router_than_the_one_that_is_pinned(
    crossbar: CrossbarNode, pem: Path
) -> None:
    strange = cryptosign(router=STRANGER)[0]
    words = "the router's key is not the one pinned here"
    for url in (crossbar.auth_url, crossbar.websocket_url):
        await refused(words, url, strange)
    async with embedded("tcp", pem) as url:
        await refused(words, url, strange)
        several = cryptosign(router=[STRANGER, ROUTER_PUBLIC])[0]
        assert (await login(url, several)).authid == xb.CRYPTOSIGN_AUTHID
    # One that has no key of its own, and one that lets everybody in.
    plain = RouterConfig(
        (RealmConfig(REALM, anonymous="guest", principals=PRINCIPALS),),
        listen=("rs://127.0.0.1:0",),
    )
    async with Router(plain, lambda *_: None) as router:
        pinned = cryptosign(router=ROUTER_PUBLIC)[0]
        await refused("the router does not prove who it is", router.urls[0], pinned)
        assert pinned is not None
        both = {**pinned, "anonymous": {"authid": xb.CRYPTOSIGN_AUTHID}}
        first = dict(reversed(both.items()))
        await refused("has not proved to cryptosign", router.urls[0], first)


@pytest.mark.parametrize("method", ("scram", "wamp-scram"))
async def test_a_router_that_does_not_know_the_password(method: str) -> None:
    """Its ServerKey is another: the proof of the client fits, and that of the router does not."""
    account = Scram(xb.SCRAM_PASSWORD, salt="00" * 16)
    stored = derive(account, method, bytes(16)).stored
    deceiver = Scram(stored_key=stored.hex(), server_key=STRANGER, salt="00" * 16, dialect=method)
    config = RouterConfig(
        (RealmConfig(REALM, principals=(Principal(xb.SCRAM_AUTHID, scram=deceiver),)),),
        listen=("rs://127.0.0.1:0",),
    )
    async with Router(config, lambda *_: None) as router:
        given = {method: {"authid": xb.SCRAM_AUTHID, "password": xb.SCRAM_PASSWORD}}
        words = "the router does not prove that it knows the password"
        await refused(words, router.urls[0], given)


async def test_logins_that_do_not_fit_together(crossbar: CrossbarNode) -> None:
    given = {**(cryptosign()[0] or {}), **(rows(STRANGER)["wampcra"][0] or {})}
    with pytest.raises(LocalProtocolError, match="different authid: 'erin' and 'bob'"):
        await login(crossbar.auth_url, given)


async def test_of_several_logins_the_router_takes_one(crossbar: CrossbarNode) -> None:
    given = {
        **(cryptosign()[0] or {}),
        "wampcra": {"authid": xb.CRYPTOSIGN_AUTHID, "secret": "nobody knows"},
        "ticket": {"authid": xb.CRYPTOSIGN_AUTHID, "ticket": "x", "allow_clear": True},
    }
    assert (await login(crossbar.auth_url, given)).authmethod == "cryptosign"
    with pytest.raises(SessionAborted):
        await login(crossbar.auth_url)  # anonymous, which is not asked for there
    with pytest.raises(ConfigurationError, match="wampcra needs secret="):
        await login(crossbar.auth_url, {"wampcra": {"authid": "bob"}})


class Own(Told):
    """Logs in by hand."""

    def __init__(self, authenticator: Any) -> None:
        super().__init__()
        self.own = authenticator

    def onConnect(self) -> None:
        own = self.own
        self.join(REALM, [own.name], own.authid, own.authrole, own.authextra)

    def onChallenge(self, challenge: Any) -> Any:
        return self.own.on_challenge(self, challenge)

    def onWelcome(self, welcome: Any) -> Any:
        return self.own.on_welcome(self, welcome.authextra)


async def test_logins_as_users_of_autobahn_write_them(crossbar: CrossbarNode) -> None:
    """`join` with methods, `onChallenge`, `onWelcome`, and `create_authenticator` in between."""
    for name in ("wampcra-salted", "scram-argon2id", "cryptosign-router"):
        right = rows(crossbar.public_key)[name][0]
        assert right is not None
        ((method, keywords),) = right.items()
        authenticator = create_authenticator(method, **keywords)

        session = await joined(crossbar.auth_url, Own(authenticator))
        assert session.authmethod == method and session.authid == keywords["authid"]
        await close(session)


async def test_credentials_that_the_helpers_make() -> None:
    """`derive_scram_credential` is what a router keeps of a password; a TOTP secret and its code;
    a secret for WAMP-CRA."""
    made = derive_scram_credential("ann@example.com", "password-of-ann")
    assert "password-of-ann" not in str(made)
    secret, word = generate_totp_secret(), generate_wcs().decode()
    principals = (
        Principal(
            "ann@example.com",
            scram=Scram(
                kdf="argon2id13",
                iterations=made["iterations"],
                memory=made["memory"],
                salt=made["salt"],
                stored_key=made["stored-key"],
                server_key=made["server-key"],
                dialect="scram",
            ),
        ),
        Principal("tim", totp=secret),
        Principal("bob", secret=word),
    )
    config = RouterConfig(
        (RealmConfig(REALM, principals=principals),), listen=("rs://127.0.0.1:0",)
    )
    async with Router(config, lambda *_: None) as router:
        for authentication in (
            {"scram": {"authid": "ann@example.com", "password": "password-of-ann"}},
            # The code that a person reads from an authenticator and types.
            {"ticket": {"authid": "tim", "ticket": compute_totp(secret), "allow_clear": True}},
            {"wampcra": {"authid": "bob", "secret": word}},
        ):
            ((_, keywords),) = authentication.items()
            details = await login(router.urls[0], authentication)
            assert details.authid == keywords["authid"]
