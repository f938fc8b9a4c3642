"""Routers that ask a session for what they must not, or prove nothing: rows 38 to 47 of the list
of hostile input. The router is told why with ABORT, no secret leaves, and nothing is joined.
"""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from nacl.signing import SigningKey
from sessions import LIMIT_S, WELCOME, Played, Told, connect_and_wait, joined, played

from microwamp.auth import create_authenticator
from microwamp.exception import AuthenticationError, Error, RemoteProtocolError

SECRET = "the-secret-word"
SEED = bytes(range(32))
KEY = SigningKey(SEED)
ROUTER = SigningKey(bytes(range(32, 64)))
ROUTER_PUBLIC = ROUTER.verify_key.encode().hex()
VIOLATION = "wamp.error.protocol_violation"
CANNOT = "wamp.error.cannot_authenticate"
NO_METHOD = "wamp.error.no_matching_auth_method"

LOGINS: dict[str, dict[str, Any]] = {
    "anonymous": {},
    "ticket": {"authid": "alice", "ticket": SECRET, "allow_clear": True},
    "wampcra": {"authid": "alice", "secret": SECRET},
    "scram": {"authid": "alice", "password": SECRET},
    "wamp-scram": {"authid": "alice", "password": SECRET},
    "cryptosign": {"authid": "alice", "privkey": SEED.hex()},
    "pinned": {"authid": "alice", "privkey": SEED.hex(), "router": ROUTER_PUBLIC},
}


class Asked:
    """What a played router saw of a login. said: its messages after HELLO."""

    def __init__(self, *answers: Any) -> None:
        self.answers = answers
        self.hello: dict[str, Any] = {}
        self.said: list[list[Any]] = []

    async def __call__(self, router: Played) -> None:
        await router.shake()
        self.hello = (await router.receive())[2]
        for answer in self.answers:
            router.send(answer(self.hello.get("authextra")) if callable(answer) else answer)
            self.said.append(await router.receive())
        # Whatever else it has to say, until it closes.
        while True:
            self.said.append(await router.receive())


async def asked(names: tuple[str, ...], *answers: Any) -> tuple[Asked, Told]:
    """A login with these authenticators, which must not succeed."""
    play = Asked(*answers)
    async with played(play) as url:
        session = Told()
        for name in names:
            kind = "cryptosign" if name == "pinned" else name
            session.add_authenticator(create_authenticator(kind, **LOGINS[name]))
        await connect_and_wait(session, url)
    assert not session.joined.done() and not session.is_connected()
    assert session.events == ["connect", "leave", "disconnect"]
    abort = play.said[-1]
    assert abort[0] == 3, play.said
    left = session.left.result()
    assert left.reason == abort[2]
    for text in (str(play.said), str(left), str(session.errors)):
        assert SECRET not in text and SEED.hex() not in text
    assert len(left.message or "") < 250 and "\n" not in (left.message or "")
    return play, session


def scram(**change: Any) -> Any:
    """CHALLENGE of wamp-scram with a change."""

    def challenge(authextra: dict[str, Any]) -> list[Any]:
        extra = {
            "nonce": authextra["nonce"] + base64.b64encode(bytes(18)).decode(),
            "salt": base64.b64encode(bytes(16)).decode(),
            "kdf": "pbkdf2",
            "iterations": 4096,
            "memory": None,
        }
        return [4, "wamp-scram", {**extra, **change}]

    return challenge


def proof(key: SigningKey = ROUTER, named: str | None = ROUTER_PUBLIC, **change: Any) -> Any:
    """CHALLENGE of cryptosign in which the router signs the client's challenge."""

    def challenge(authextra: dict[str, Any]) -> list[Any]:
        ours = bytes.fromhex(authextra["challenge"])
        extra: dict[str, Any] = {"challenge": "ab" * 32, "channel_binding": None}
        extra["signature"] = (key.sign(ours).signature + ours).hex()
        if named is not None:
            extra["pubkey"] = named
        return [4, "cryptosign", {**extra, **change}]

    return challenge


def cra(**extra: Any) -> list[Any]:
    return [4, "wampcra", {"challenge": "{}", **extra}]


def sign(**extra: Any) -> list[Any]:
    return [4, "cryptosign", extra]


# What is offered, the router's CHALLENGE, the reason of ABORT, words of its text
REFUSED: dict[str, tuple[str, Any, str, str]] = {
    "38 anonymous asked": ("anonymous", [4, "ticket", {}], NO_METHOD, "offered was anonymous"),
    "38 weaker": ("cryptosign", [4, "ticket", {}], NO_METHOD, "router asks for ticket"),
    "38 unknown": ("wampcra", [4, "x-own", {}], NO_METHOD, "asks for x-own"),
    "40 nothing": ("cryptosign", sign(), VIOLATION, "64 hex digits"),
    "40 short": ("cryptosign", sign(challenge="00" * 31), VIOLATION, "64 hex digits"),
    "40 no hex": ("cryptosign", sign(challenge="zz" * 32), VIOLATION, "64 hex digits"),
    "40 number": ("cryptosign", sign(challenge=7), VIOLATION, "64 hex digits"),
    "41 binding": (
        "cryptosign",
        sign(challenge="00" * 32, channel_binding="tls-unique"),
        CANNOT,
        "this client did not ask",
    ),
    "42 no signature": ("pinned", sign(challenge="00" * 32), CANNOT, "does not prove who"),
    "42 another key": ("pinned", proof(KEY), CANNOT, "its signature is wrong"),
    "42 unnamed key": ("pinned", proof(KEY, None), CANNOT, "its signature is wrong"),
    "42 not pinned": ("pinned", proof(named="ab" * 32), CANNOT, "not the one pinned"),
    "42 other data": ("pinned", proof(signature="00" * 96), CANNOT, "signed something else"),
    "42 signature is no text": ("pinned", proof(signature=1), CANNOT, "no signature"),
    "43 iterations": ("wampcra", cra(salt="s", iterations=1 << 31), CANNOT, "more iterations"),
    "43 keylen": ("wampcra", cra(salt="s", keylen=10**9), CANNOT, "more keylen"),
    "43 none": ("wampcra", cra(salt="s", iterations=0), VIOLATION, "positive integer"),
    "43 salt": ("wampcra", cra(salt=7), VIOLATION, "salt must be a text"),
    "43 challenge": ("wampcra", cra(challenge=None), VIOLATION, "challenge must be a text"),
    "44 nonce": ("wamp-scram", scram(nonce="another"), VIOLATION, "does not go on"),
    "44 no nonce": ("wamp-scram", scram(nonce=None), VIOLATION, "nonce must be a text"),
    "44 kdf": ("wamp-scram", scram(kdf="md5"), CANNOT, "unknown kdf 'md5'"),
    "44 memory": (
        "wamp-scram",
        scram(kdf="argon2id13", iterations=2, memory=4 << 20),
        CANNOT,
        "more memory",
    ),
    "44 much": ("wamp-scram", scram(iterations=1 << 31), CANNOT, "more iterations"),
    "44 little": ("wamp-scram", scram(iterations=1), CANNOT, "too few"),
    "44 salt": ("wamp-scram", scram(salt="not base64"), VIOLATION, "salt must be base64"),
    "44 binding": ("wamp-scram", scram(channel_binding="tls-unique"), CANNOT, "did not ask"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_challenges_that_are_not_answered(name: str) -> None:
    login, challenge, reason, words = REFUSED[name]
    play, session = await asked((login,), challenge)
    assert [message[0] for message in play.said] == [3]
    assert play.said[0][2] == reason
    assert words in (session.left.result().message or "")


async def test_endless_challenges() -> None:
    challenge = cra(salt="s", iterations=1)
    play, session = await asked(("wampcra",), *[challenge] * 9)
    assert [message[0] for message in play.said] == [5, 5, 5, 3]
    assert play.said[-1][2] == VIOLATION


def welcome(**details: Any) -> list[Any]:
    return [2, 4711, {**WELCOME[2], **details}]  # type: ignore[dict-item]


# What is offered, what the router says, in how many answers, words of the ABORT
NOT_ENTERED: dict[str, tuple[str, tuple[Any, ...], str]] = {
    "45 none": ("wamp-scram", (scram(), welcome()), "verifier is missing"),
    "45 wrong": (
        "wamp-scram",
        (scram(), welcome(authextra={"verifier": "v=" + "A" * 43 + "="})),
        "verifier is wrong",
    ),
    "45 no text": ("wamp-scram", (scram(), welcome(authextra={"verifier": 1})), "is missing"),
    "45 not asked": ("wamp-scram", (welcome(),), "lets us in without wamp-scram"),
    "46 pinned": ("pinned", (welcome(authmethod="anonymous"),), "has not proved to cryptosign"),
    "46 method": ("wampcra", (cra(), welcome(authmethod="ticket")), "another method than wampcra"),
    "46 anonymous": ("ticket", (welcome(authmethod="anonymous"),), "another method than ticket"),
}


@pytest.mark.parametrize("name", NOT_ENTERED)
async def test_welcomes_that_are_not_taken(name: str) -> None:
    login, answers, words = NOT_ENTERED[name]
    play, session = await asked((login,), *answers)
    assert words in (session.left.result().message or "")
    assert play.said[-1][2] == "wamp.error.authentication_failed"


async def test_nothing_is_told_before_the_router_has_proved_itself() -> None:
    """The ticket is offered too, and the router that is to prove itself asks for that first."""
    for first in ("ticket", "wampcra"):
        play, _ = await asked((first, "pinned"), [4, first, {"challenge": "{}"}])
        assert [message[0] for message in play.said] == [3]


async def test_what_is_strange_and_accepted() -> None:
    """Upper case in hex; another realm and authid in WELCOME: they are told to the program."""
    play = Asked(sign(challenge="AB" * 32), welcome(realm="com.other", authid="bob"))
    async with played(play) as url:
        session = Told()
        session.add_authenticator(create_authenticator("cryptosign", **LOGINS["cryptosign"]))
        await joined(url, session)
        details = session.joined.result()
        assert (details.realm, details.authid, details.session) == ("com.other", "bob", 4711)
        assert session.realm == "com.other"
        session.disconnect()
        async with asyncio.timeout(LIMIT_S):
            await session.gone
    signed = bytes.fromhex(play.said[0][1])
    KEY.verify_key.verify(bytes.fromhex("ab" * 32), signed[:64])


async def test_challenges_for_code_that_fails() -> None:
    """`onChallenge` of a program: what it raises, or returns, ends the login, and no more."""

    class Own(Told):
        def onConnect(self) -> None:
            self.join("devices", ["x-own"], "alice")

        async def onChallenge(self, challenge: Any) -> Any:
            if challenge.extra["do"] == "raise":
                raise RuntimeError("on purpose")
            found: dict[str, Any] = {"number": 17, "none": None, "keys": ("s", {1: 2})}
            return {**found, "three": ("s", {}, 3)}[challenge.extra["do"]]

    for do in ("raise", "number", "none", "keys", "three"):
        play = Asked([4, "x-own", {"do": do}])
        async with played(play) as url:
            session = Own()
            await connect_and_wait(session, url)
        assert play.said[-1][0] == 3 and play.said[-1][2] == CANNOT, (do, play.said)
        (error, _), *_ = session.errors
        assert isinstance(error, Error | RuntimeError | AuthenticationError)
        assert not isinstance(error, RemoteProtocolError)
