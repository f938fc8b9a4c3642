"""Nonsense for the router: every outcome is an answer or a RemoteProtocolError, nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import cbor2
from peer import FEATURES, Peer, joined, serve

from microwamp.router import (
    Kept,
    Limits,
    Permission,
    Principal,
    RealmConfig,
    Role,
    Scram,
    codec,
)
from microwamp.router.acceptor import Acceptor
from microwamp.router.calls import Timer
from microwamp.router.cryptosign import Identity
from microwamp.router.realm import Realm
from microwamp.router.session import Out, Session
from wamp.errors import RemoteProtocolError

SEED = 20260614
URIS = [
    *("com.a", "com.a.b", "com", "com..b", "", "a b", "wamp.session.list", "wamp.session.kill"),
    *("wamp.registration.remove_callee", "wamp.subscription.remove_subscriber"),
    *("wamp.subscription.get_events", "wamp.registration.list", "wamp.subscription.match"),
]
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 1 << 53, (1 << 53) + 1, 1 << 80, 1.5, float("nan")),
    *("", "x", "exact", "prefix", "wildcard", "kill", "skip", "roundrobin", b"", b"\0"),
    *([], [1], ["x"], [[]], {}, {"a": 1}, {"scope": "detached"}),
]
UNAVAILABLE = "wamp.error.unavailable"
# Options with values that they may have.
KEYS: dict[str, list[Any]] = {
    **dict.fromkeys(("progress", "receive_progress", "acknowledge", "retain"), [True, False]),
    **dict.fromkeys(("get_retained", "force_reregister", "forward_timeout"), [True, False]),
    "match": ["exact", "prefix", "wildcard"],
    "invoke": ["single", "roundrobin", "random", "last"],
    "mode": ["skip", "kill", "killnowait"],
    "exclude": [[], [1]],
    "eligible_authid": [[], ["a1"]],
    "concurrency": [1, 2],
    "timeout": [0, 1, 5000, 1 << 53],
    "ppt_scheme": ["x_a"],
    "ppt_keyid": ["k"],
    "enc_algo": ["cryptobox"],
    "disclose_me": [True],
    "x_other": [1],
}
CODES = [*(8, 16, 32, 34, 48, 48, 48, 48, 49, 64, 64, 64, 66, 70) * 12, 1, 3, 5, 99]


class Clock:
    """Timers that the test lets run out."""

    def __init__(self) -> None:
        self.actions: dict[int, Callable[[], Out]] = {}
        self._last = 0

    def later(self, seconds: float, action: Callable[[], Out]) -> Timer:
        assert 0 < seconds <= (1 << 53) / 1000
        self._last += 1
        self.actions[self._last] = action
        return _Timer(self, self._last)


class _Timer:
    def __init__(self, clock: Clock, number: int) -> None:
        self._clock = clock
        self._number = number

    def cancel(self) -> None:
        self._clock.actions.pop(self._number, None)


def session(realm: Realm, number: int) -> Session:
    features = {role: frozenset(names) for role, names in FEATURES.items()}
    more = ("call_timeout", "call_reroute", "payload_transparency")
    features = {role: names.union(more[: number % 4]) for role, names in features.items()}
    one = Session(number, "test", f"a{number}", "r", "anonymous", "static", features, {})
    realm.join(one)
    return one


def message(rng: random.Random, realm: Realm, sender: Session) -> Any:
    """A message that is right more often than not."""
    code = rng.choice(CODES)
    options = {}
    for key in rng.sample(list(KEYS), rng.choice((0, 0, 1, 2))):
        options[key] = rng.choice(KEYS[key] if rng.random() < 0.9 else VALUES)
    if code == 64 and rng.random() < 0.8:
        options.update(match="exact", invoke="roundrobin")
    if code == 48 and rng.random() < 0.3:
        options["timeout"] = rng.randrange(1, 10_000)
    request = sender.requests + 1 if rng.random() < 0.97 else rng.choice(VALUES)
    uri = rng.choice(URIS[:2] if rng.random() < 0.5 else URIS)
    peer = realm.dealer._peers[sender]
    if code == 48 and rng.random() < 0.3:  # a progressive call, or more of one
        options["progress"] = rng.random() < 0.7
        begun = {one.request: one.procedure for one in peer.calls.values() if one.more}
        begun.update(peer.unfinished._items)
        if begun and rng.random() < 0.7:
            request, uri = rng.choice(list(begun.items()))
    small = rng.randrange(1, 8)
    known = {8: peer.invocations, 70: peer.invocations, 49: peer.calls}.get(code)
    if known is not None and rng.random() < 0.95:
        numbers = [*known, *(peer.discarded._items if code != 49 else ())]
        if not numbers:
            return [34, request, small]
        small = rng.choice(numbers)
    payload = [[rng.choice(VALUES) for _ in range(rng.randrange(3))], {"k": rng.choice(VALUES)}]
    payload = payload[: rng.randrange(3)]
    if rng.random() < 0.2:
        options["ppt_scheme"] = "x_test"
        payload = [[b"octets"]]
    elif rng.random() < 0.05:
        payload = [b"octets"]
    if code in (16, 48, 70, 8) and "ppt_keyid" in options:
        options.setdefault("ppt_scheme", "x_test")
    made: Any = {
        8: [8, 68, small, {**options}, rng.choice((uri, UNAVAILABLE)), *payload],
        16: [16, request, options, uri, *payload],
        32: [32, request, options, uri],
        34: [34, request, small],
        48: [48, request, options, uri, *payload],
        49: [49, small, options],
        64: [64, request, options, uri],
        66: [66, request, small],
        70: [70, small, options, *payload],
    }.get(code, [code, *payload])
    if rng.random() < 0.03:
        made[rng.randrange(len(made))] = rng.choice(VALUES)
    if rng.random() < 0.02:
        made = rng.choice(VALUES)
    return made


def test_realm_survives_nonsense_and_stays_consistent():
    rng = random.Random(SEED)
    limits = Limits(calls=20, registrations=20, subscriptions=20, retained=5, reroute_octets=200)
    config = RealmConfig(
        "test",
        anonymous="r",
        roles=(Role("r", (Permission(), Permission("wamp.", frozenset({"call", "subscribe"})))),),
        history=(Kept("com.a", events=10), Kept("com", "prefix", octets=20_000)),
        payload_transparency=True,
        lenient=True,
    )
    clock = Clock()
    realm = Realm(config, clock.later, limits, choose=rng.randrange)
    sessions = [session(realm, number) for number in range(1, 6)]
    number = 6
    answered = refused = late = continued = 0
    for _ in range(30_000):
        i = rng.randrange(len(sessions))
        sender = sessions[i]
        if sender.id not in realm.sessions:  # killed
            sessions[i] = session(realm, number)
            number += 1
            continue
        octets = codec.encode(message(rng, realm, sender))
        assert all(peer.held <= limits.reroute_octets for peer in realm.dealer._peers.values())
        if rng.random() < 0.02:
            spoiled = bytearray(octets)
            spoiled[rng.randrange(len(spoiled))] = rng.randrange(256)
            octets = bytes(spoiled)
        if clock.actions and rng.random() < 0.1:
            number_of = rng.choice(list(clock.actions))
            for receiver, _ in clock.actions.pop(number_of)():
                assert receiver.id in realm.sessions
            late += 1
        try:
            out = realm.receive(sender, codec.decode(octets), len(octets))
            answered += bool(out)
            continued += any(sent[0] == 68 and sent[3].get("progress") for _, sent in out)
            for receiver, sent in out:
                # What goes out are messages for sessions that are there, or are just told to go.
                assert receiver.id in realm.sessions or sent[0] == 6, sent
                assert type(codec.decode(codec.encode(sent))) is list
                if sent[0] in (36, 68, 50) and rng.random() < 0.02:
                    realm.unfit(receiver, sent)
        except RemoteProtocolError:
            refused += 1
            realm.leave(sender)
    counts = (answered, refused, late, continued)
    assert answered > 5000 and refused > 500 and late > 20 and continued > 100, counts
    for left in list(realm.sessions.values()):
        realm.leave(left)
    # Nobody left, nothing kept.
    for what in ("calls rerouted", "parts of calls that had ended", "answers nobody waited for"):
        assert realm.counters[what] > 10, realm.counters
    assert not clock.actions
    assert not realm.dealer._peers
    assert not realm.registrations._by_session and not realm.registrations._by_id
    table = realm.registrations._table
    assert not table._exact and not table._prefix and not table._wildcard and not table._lengths
    assert not realm.broker._by_session
    # The two with a history stay.
    assert [one.topic for one in realm.broker.all()] == ["com.a", "com"]
    topics = realm.broker._table
    assert list(topics._exact) == ["com.a"] and list(topics._prefix) == ["com"]
    assert not topics._wildcard
    for one in realm.broker.all():
        assert one.history is not None and 0 < len(one.history.entries) <= 100
        assert not one.sessions


CLOSED = RealmConfig(
    "test",
    principals=(
        Principal("tim", totp="JBSWY3DPEHPK3PXP"),
        Principal("erin", public_keys=("8f" * 32,)),
        Principal("carol", secret="password", salt="salt123"),
        Principal("pat", scram=Scram(password="pencil", iterations=1)),
        Principal("dora", secret="s", ticket="t", factors=("wampcra", "ticket")),
    ),
)
METHODS = ["ticket", "wampcra", "cryptosign", "wamp-scram", "scram", "anonymous", "x", ""]
EXTRAS: dict[str, list[Any]] = {
    "nonce": ["QUJD", "", "QUJD\n", "=", "\u00fc", "A" * 300],
    "pubkey": ["8f" * 32, "8F" * 32, "00" * 32, "8f" * 31, "zz" * 32],
    "challenge": ["00" * 32, "00" * 31, "  " * 32],
    "channel_binding": [None, "tls-unique", "tls-exporter", "n", ""],
    "cbind_data": [None, "QUJD", "="],
}


def test_nobody_gets_in_by_nonsense():
    rng = random.Random(SEED)
    realm = Realm(CLOSED, Clock().later)
    identity = Identity(bytes(32))
    asked: set[str] = set()
    denied = refused = 0
    for number in range(1, 6_000):
        acceptor = Acceptor({"test": realm}, number, {}, identity, lambda: b"finished")
        extra = {
            key: rng.choice(values if rng.random() < 0.8 else VALUES)
            for key, values in EXTRAS.items()
            if rng.random() < 0.7
        }
        details: dict[str, Any] = {
            "roles": {"caller": {}},
            "authmethods": rng.sample(METHODS, rng.randrange(1, 4)),
            "authextra": extra,
        }
        if rng.random() < 0.8:
            details["authid"] = rng.choice(["tim", "erin", "carol", "pat", "dora", "zed", ""])
        if rng.random() < 0.1:
            details[rng.choice(list(details))] = rng.choice(VALUES)
        try:
            answer = acceptor.receive(codec.decode(codec.encode([1, "test", details])))
            if answer[0] == 4:
                asked.add(answer[1])
                signature = rng.choice(["", "000000", "QUJD", "8f" * 96, "\u00fc", "A" * 44, "="])
                if rng.random() < 0.1:
                    signature = rng.choice(VALUES)
                extra["nonce"] = answer[2].get("nonce")
                again = [5, signature, extra]
                answer = acceptor.receive(codec.decode(codec.encode(again)))
            assert answer[0] == 3 and acceptor.session is None, (details, answer)
            codec.encode(answer)
            denied += 1
        except RemoteProtocolError:
            refused += 1
    assert asked == {"ticket", "wampcra", "cryptosign", "wamp-scram", "scram"}
    assert denied > 3000 and refused > 100, (denied, refused)


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
