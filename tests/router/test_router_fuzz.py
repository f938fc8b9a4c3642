"""Nonsense for the router: every outcome is an answer or a RemoteProtocolError, nothing else."""

from __future__ import annotations

import random
from typing import Any

import cbor2
from peer import FEATURES, Peer, joined, serve

from microwamp.router import Limits, RealmConfig, codec
from microwamp.router.realm import Realm
from microwamp.router.session import Session
from wamp.errors import RemoteProtocolError

SEED = 20260614
URIS = ["com.a", "com.a.b", "com", "com..b", "", "a b", "wamp.session.list", "wamp.session.kill"]
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 1 << 53, (1 << 53) + 1, 1 << 80, 1.5, float("nan")),
    *("", "x", "exact", "prefix", "wildcard", "kill", "skip", "roundrobin", b"", b"\0"),
    *([], [1], ["x"], [[]], {}, {"a": 1}, {"scope": "detached"}),
]
KEYS = [
    *("match", "invoke", "mode", "progress", "receive_progress", "acknowledge", "retain"),
    *("exclude", "eligible_authid", "get_retained", "concurrency", "force_reregister", "x_other"),
]
CODES = [1, 3, 5, 8, 16, 32, 34, 48, 49, 64, 66, 70, 99]


def session(realm: Realm, number: int) -> Session:
    features = {role: frozenset(names) for role, names in FEATURES.items()}
    one = Session(number, "test", f"a{number}", "r", "anonymous", "static", features, {})
    realm.join(one)
    return one


def message(rng: random.Random, sender: Session) -> Any:
    """A message that is right more often than not."""
    code = rng.choice(CODES)
    options = {rng.choice(KEYS): rng.choice(VALUES) for _ in range(rng.choice((0, 0, 1, 2)))}
    request = sender.requests + 1 if rng.random() < 0.9 else rng.choice(VALUES)
    small = rng.randrange(1, 8)
    uri = rng.choice(URIS)
    payload = [[rng.choice(VALUES) for _ in range(rng.randrange(3))], {"k": rng.choice(VALUES)}]
    payload = payload[: rng.randrange(3)]
    made: Any = {
        8: [8, 68, small, {}, uri, *payload],
        16: [16, request, options, uri, *payload],
        32: [32, request, options, uri],
        34: [34, request, small],
        48: [48, request, options, uri, *payload],
        49: [49, small, options],
        64: [64, request, options, uri],
        66: [66, request, small],
        70: [70, small, options, *payload],
    }.get(code, [code, *payload])
    if rng.random() < 0.1:
        made[rng.randrange(len(made))] = rng.choice(VALUES)
    if rng.random() < 0.02:
        made = rng.choice(VALUES)
    return made


def test_realm_survives_nonsense_and_stays_consistent():
    rng = random.Random(SEED)
    limits = Limits(calls=20, registrations=20, subscriptions=20, retained=5)
    realm = Realm(RealmConfig("test", anonymous="r"), limits, choose=rng.randrange)
    sessions = [session(realm, number) for number in range(1, 6)]
    number = 6
    answered = refused = 0
    for _ in range(20_000):
        i = rng.randrange(len(sessions))
        sender = sessions[i]
        if sender.id not in realm.sessions:  # killed
            sessions[i] = session(realm, number)
            number += 1
            continue
        octets = codec.encode(message(rng, sender))
        if rng.random() < 0.05:
            spoiled = bytearray(octets)
            spoiled[rng.randrange(len(spoiled))] = rng.randrange(256)
            octets = bytes(spoiled)
        try:
            out = realm.receive(sender, codec.decode(octets), len(octets))
            answered += bool(out)
            for receiver, sent in out:
                # What goes out are messages for sessions that are there, or are just told to go.
                assert receiver.id in realm.sessions or sent[0] == 6, sent
                assert type(codec.decode(codec.encode(sent))) is list
                if sent[0] in (36, 68, 50) and rng.random() < 0.02:
                    realm.too_long(receiver, sent)
        except RemoteProtocolError:
            refused += 1
            realm.leave(sender)
    assert answered > 2000 and refused > 500, (answered, refused)
    for one in list(realm.sessions.values()):
        realm.leave(one)
    # Nobody left, nothing kept.
    dealer = realm.dealer
    assert not dealer._peers and not dealer._registrations._by_session
    table = dealer._registrations._table
    assert not table._exact and not table._prefix and not table._wildcard and not table._lengths
    assert not realm.broker._by_session and not realm.broker._by_id
    topics = realm.broker._table
    assert not topics._exact and not topics._prefix and not topics._wildcard


async def test_connections_survive_spoiled_octets():
    rng = random.Random(SEED)
    async with serve() as router, joined(router) as witness:
        whole = bytes.fromhex("7ff30000")
        for made in ([1, "test", {"roles": {"caller": {}}}], [48, 1, {}, "wamp.session.count"]):
            payload = cbor2.dumps(made)
            whole += len(payload).to_bytes(4, "big") + payload
        for _ in range(200):
            spoiled = bytearray(whole)
            for _ in range(rng.randrange(1, 4)):
                spoiled[rng.randrange(len(spoiled))] = rng.randrange(256)
            async with await Peer.dial(router.urls[0]) as peer:
                await peer.raw(bytes(spoiled[: rng.randrange(1, len(spoiled) + 1)]))
        assert await witness.silent()
