"""The router's side of HELLO to WELCOME, and of the end of sessions."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import cbor2
from nacl.signing import SigningKey
from peer import BASIC, REALM, ROLES, Log, Peer, joined, serve

from microwamp.router import Principal, RealmConfig
from microwamp.router.broker import FEATURES as BROKER
from microwamp.router.dealer import FEATURES as DEALER

KEY = SigningKey(bytes(range(32)))
OTHER = SigningKey(bytes(range(1, 33)))
PUBLIC = KEY.verify_key.encode().hex()

LOGINS = RealmConfig(
    REALM,
    principals=(
        Principal("alice", role="boss", ticket="ticket-1"),
        Principal("bob", secret="secret-1"),
        Principal("carol", secret="password", salt="salt123", iterations=1000, keylen=32),
        Principal("erin", role="sensor", public_keys=(PUBLIC,)),
        Principal("multi", ticket="ticket-2", secret="secret-2"),
    ),
)
OPEN = RealmConfig("open", anonymous="guest", principals=(Principal("dave", ticket="t"),))


def cra(secret: str, extra: dict[str, Any]) -> str:
    key = secret.encode()
    if "salt" in extra:
        octets = hashlib.pbkdf2_hmac(
            "sha256", key, extra["salt"].encode(), extra["iterations"], extra["keylen"]
        )
        key = base64.b64encode(octets)
    return base64.b64encode(hmac.digest(key, extra["challenge"].encode(), "sha256")).decode()


def sign(key: SigningKey, extra: dict[str, Any]) -> str:
    challenge = bytes.fromhex(extra["challenge"])
    return (key.sign(challenge).signature + challenge).hex()


# (HELLO's details, what answers the challenge's extra, authid and role of WELCOME)
ACCEPTED: list[tuple[dict[str, Any], Callable[[Any], str], str, str]] = [
    ({"authid": "alice", "authmethods": ["ticket"]}, lambda _: "ticket-1", "alice", "boss"),
    ({"authid": "bob", "authmethods": ["wampcra"]}, lambda x: cra("secret-1", x), "bob", "user"),
    (
        {"authid": "carol", "authmethods": ["wampcra"]},
        lambda x: cra("password", x),
        "carol",
        "user",
    ),
    (
        {
            "authid": "erin",
            "authmethods": ["cryptosign"],
            "authextra": {"pubkey": PUBLIC, "channel_binding": None},
        },
        lambda x: sign(KEY, x),
        "erin",
        "sensor",
    ),
    (
        # The key alone tells who it is.
        {"authmethods": ["cryptosign"], "authextra": {"pubkey": PUBLIC.upper()}},
        lambda x: sign(KEY, x).upper(),
        "erin",
        "sensor",
    ),
    (
        # What the router does not know, or has nothing to check with, is passed over.
        {"authid": "multi", "authmethods": ["wamp-scram", "cryptosign", "wampcra", "ticket"]},
        lambda x: cra("secret-2", x),
        "multi",
        "user",
    ),
]

# (HELLO's details, what answers a challenge or None where none may come, the reason of ABORT)
REFUSED: list[tuple[dict[str, Any], Callable[[Any], str] | None, str]] = [
    (
        {"authid": "alice", "authmethods": ["ticket"]},
        lambda _: "ticket-2",
        "wamp.error.authentication_denied",
    ),
    (
        {"authid": "alice", "authmethods": ["ticket"]},
        lambda _: "ticket-1 \u00fc",
        "wamp.error.authentication_denied",
    ),
    (
        {"authid": "zed", "authmethods": ["ticket"]},
        lambda _: "ticket-1",
        "wamp.error.authentication_denied",
    ),
    (
        {"authid": "bob", "authmethods": ["wampcra"]},
        lambda x: cra("secret-2", x),
        "wamp.error.authentication_denied",
    ),
    (
        {"authid": "carol", "authmethods": ["wampcra"]},
        lambda x: cra("password", {"challenge": x["challenge"]}),
        "wamp.error.authentication_denied",
    ),
    (
        {"authid": "bob", "authmethods": ["ticket"]},
        lambda _: "secret-1",
        "wamp.error.authentication_denied",
    ),
    ({"authid": "bob", "authmethods": ["x"]}, None, "wamp.error.no_matching_auth_method"),
    ({"authid": "bob", "authmethods": []}, None, "wamp.error.authentication_required"),
    ({}, None, "wamp.error.authentication_required"),
    ({"authmethods": ["anonymous"]}, None, "wamp.error.authentication_required"),
    ({"authmethods": ["ticket"]}, None, "wamp.error.no_matching_auth_method"),
    (
        {"authid": "erin", "authmethods": ["cryptosign"]},
        None,
        "wamp.error.authentication_denied",
    ),
    ({"authmethods": ["cryptosign"]}, None, "wamp.error.authentication_denied"),
    (
        {"authmethods": ["cryptosign"], "authextra": {"pubkey": "ab"}},
        None,
        "wamp.error.authentication_denied",
    ),
    (
        {
            "authmethods": ["cryptosign"],
            "authextra": {"pubkey": OTHER.verify_key.encode().hex()},
        },
        lambda x: sign(OTHER, x),
        "wamp.error.authentication_denied",
    ),
    (
        {
            "authid": "erin",
            "authmethods": ["cryptosign"],
            "authextra": {"pubkey": OTHER.verify_key.encode().hex()},
        },
        lambda x: sign(OTHER, x),
        "wamp.error.authentication_denied",
    ),
    *(
        (
            {
                "authid": "erin",
                "authmethods": ["cryptosign"],
                "authextra": {"pubkey": PUBLIC},
            },
            answer,
            "wamp.error.authentication_denied",
        )
        for answer in (
            lambda x: sign(OTHER, x),
            lambda x: sign(KEY, {"challenge": "00" * 32}),  # of another login
            lambda x: sign(KEY, x)[:128],
            lambda x: sign(KEY, x)[:-2] + "zz",
            lambda x: sign(KEY, x)[:128] + "00" * 32,  # not what was signed
            lambda x: " " + sign(KEY, x),
            lambda x: "",
        )
    ),
]


async def test_logins():
    async with serve(LOGINS) as router:
        for details, answer, authid, role in ACCEPTED:
            async with await Peer.connect(router.urls[0]) as peer:
                challenge = await peer.hello(**details)
                assert challenge[0] == 4, (details, challenge)
                assert challenge[1] in details["authmethods"]
                await peer.send(5, answer(challenge[2]), {})
                welcome = await peer.receive()
                assert welcome[0] == 2, (details, welcome)
                assert welcome[2]["authid"] == authid, details
                assert welcome[2]["authrole"] == role, details
                assert welcome[2]["authmethod"] == challenge[1], details


async def test_refused_logins_are_aborted_with_the_reason():
    log = Log()
    async with serve(LOGINS, OPEN, log=log) as router:
        for details, answer, reason in REFUSED:
            async with await Peer.connect(router.urls[0]) as peer:
                message = await peer.hello(**details)
                if answer is not None:
                    assert message[0] == 4, (details, message)
                    await peer.send(5, answer(message[2]), {})
                    message = await peer.receive()
                assert message[0] == 3 and message[2] == reason, (details, message)
                assert message[1]["message"], details
                assert await peer.ended(), details
                assert log.events[-1][0] == "refused"
                assert log.events[-1][1]["reason"] == reason
        assert "joined" not in log.names()
        for realm in ("nowhere", "", "a b", REALM + "."):
            async with await Peer.connect(router.urls[0]) as peer:
                await peer.send(1, realm, {"roles": ROLES})
                await peer.aborted("wamp.error.no_such_realm")


async def test_an_answer_to_another_challenge_is_not_accepted_twice():
    details: dict[str, Any] = {
        "authid": "erin",
        "authmethods": ["cryptosign"],
        "authextra": {"pubkey": PUBLIC},
    }
    async with serve(LOGINS) as router:
        async with await Peer.connect(router.urls[0]) as peer:
            challenge = await peer.hello(**details)
            recorded = sign(KEY, challenge[2])
            await peer.send(5, recorded, {})
            assert (await peer.receive())[0] == 2
        async with await Peer.connect(router.urls[0]) as peer:
            assert (await peer.hello(**details))[0] == 4
            await peer.send(5, recorded, {})
            await peer.aborted("wamp.error.authentication_denied")


async def test_wampcra_challenge_has_what_the_specification_lists():
    async with serve(LOGINS) as router, await Peer.connect(router.urls[0]) as peer:
        challenge = await peer.hello(authid="bob", authmethods=["wampcra"])
        fields = json.loads(challenge[2]["challenge"])
        assert set(fields) == {
            *("authid", "authrole", "authmethod", "authprovider"),
            *("nonce", "timestamp", "session"),
        }
        await peer.send(5, cra("secret-1", challenge[2]), {})
        assert (await peer.receive())[1] == fields["session"]


async def test_welcome_announces_what_is_there_and_fits_the_smallest_client():
    async with serve() as router, joined(router, length=1) as peer:
        roles = peer.welcome["roles"]
        assert roles == {
            "broker": {"features": dict.fromkeys(BROKER, True)},
            "dealer": {"features": dict.fromkeys(DEALER, True)},
        }
        assert len(cbor2.dumps([2, 1 << 53, peer.welcome])) <= 1000
        assert 0 < peer.session <= 1 << 53
        assert peer.welcome["authmethod"] == peer.welcome["authrole"] == "anonymous"


async def test_anonymous_clients_cannot_choose_their_authid():
    async with (
        serve(LOGINS, OPEN) as router,
        joined(router, realm="open", authid="dave", authmethods=["anonymous"]) as one,
        joined(router, realm="open", authid="dave", authmethods=["anonymous"]) as two,
    ):
        assert one.welcome["authid"].startswith("anonymous-")
        assert one.welcome["authid"] != two.welcome["authid"]
        assert one.welcome["authrole"] == "guest"


async def test_a_login_that_does_not_fit_is_aborted():
    realm = RealmConfig(REALM, principals=(Principal("x" * 1000, ticket="t"),))
    async with serve(realm) as router, await Peer.connect(router.urls[0], length=1) as peer:
        await peer.hello(authid="x" * 1000, authmethods=["ticket"])
        await peer.send(5, "t", {})
        assert "WELCOME" in await peer.aborted("wamp.error.payload_size_exceeded")


async def test_goodbye_is_echoed_and_the_transport_takes_the_next_session():
    log = Log()
    async with serve(log=log) as router, joined(router) as peer:
        first = peer.session
        await peer.send(6, {}, "wamp.close.close_realm")
        assert await peer.receive() == [6, {}, "wamp.close.goodbye_and_out"]
        await peer.join(roles=BASIC)
        assert peer.session != first
        assert await peer.subscribe("com.example.t")  # request ids begin at 1 again
        assert log.names() == ["listening", "joined", "left", "joined"]
        assert log.events[2][1]["reason"] == "wamp.close.close_realm"


async def test_goodbye_and_hello_may_come_in_one_piece():
    async with serve() as router, joined(router) as peer:
        octets = b""
        for message in ([6, {}, "wamp.close.close_realm"], [1, REALM, {"roles": BASIC}]):
            payload = cbor2.dumps(message)
            octets += len(payload).to_bytes(4, "big") + payload
        await peer.raw(octets)
        assert (await peer.receive())[0] == 6
        assert (await peer.receive())[0] == 2


async def test_abort_of_a_client_is_not_answered():
    async with serve() as router:
        async with joined(router) as peer:
            await peer.send(3, {}, "com.example.reason")
            assert await peer.ended()
        async with await Peer.connect(router.urls[0]) as peer:
            await peer.send(3, {}, "com.example.reason")
            assert await peer.ended()


async def test_whoever_does_not_log_in_is_closed_and_an_idle_client_is_kept():
    async with serve(LOGINS, OPEN, opening_timeout=0.3) as router:
        url = router.urls[0]
        async with (
            await Peer.dial(url) as mute,
            await Peer.dial(url) as half,
            await Peer.connect(url) as silent,
            await Peer.connect(url) as challenged,
            await Peer.connect(url) as left,
            joined(router, realm="open") as idle,
        ):
            await half.raw(b"\x7f\xf3")
            await challenged.hello(authid="bob", authmethods=["wampcra"])
            await left.join("open")
            await left.send(6, {}, "wamp.close.close_realm")
            await left.receive()
            assert await mute.ended() and await half.ended() and await silent.ended()
            assert "within 0.3 s" in await challenged.aborted("wamp.error.timeout")
            assert await left.ended()
            await asyncio.sleep(0.2)
            assert await idle.silent()


async def test_shutdown_says_goodbye_and_waits_for_nobody_for_ever():
    log = Log()
    async with serve(LOGINS, OPEN, log=log, closing_timeout=0.2) as router:
        url = router.urls[0]
        async with (
            joined(router, realm="open") as polite,
            joined(router, realm="open") as rude,
            await Peer.connect(url) as opening,
            await Peer.dial(url) as mute,
            await Peer.connect(url) as challenged,
        ):
            await challenged.hello(authid="bob", authmethods=["wampcra"])
            closing = asyncio.create_task(router.close())
            assert await polite.receive() == [6, {}, "wamp.close.system_shutdown"]
            await polite.send(6, {}, "wamp.close.goodbye_and_out")
            assert await polite.ended()
            assert (await rude.receive())[0] == 6
            # Nothing is processed any more, and nothing of it is a violation.
            await rude.send(48, 1, {}, "wamp.session.count")
            await rude.send(77)
            assert await rude.ended()
            assert await opening.ended() and await mute.ended()
            await challenged.aborted("wamp.close.system_shutdown")
            await closing
            assert router.urls == ()
    assert log.names().count("left") == 2


async def test_a_closed_router_can_be_started_again():
    async with serve() as router:
        await router.close()
        await router.start()
        async with joined(router) as peer:
            assert await peer.silent()


async def test_a_router_that_was_closed_keeps_nothing_of_its_sessions():
    async with serve() as router:
        async with joined(router) as callee, joined(router) as caller:
            await callee.register("com.f")
            await callee.subscribe("com.t")
            await caller.send(48, caller.next(), {}, "com.f")
            assert (await callee.receive())[0] == 68
            await router.close()
            # No ERROR for the call comes before the GOODBYE: it is the router that goes.
            for peer in (callee, caller):
                assert await peer.receive() == [6, {}, "wamp.close.system_shutdown"]
        await router.start()
        async with joined(router) as one:
            await one.register("com.f")
            assert await one.silent()
