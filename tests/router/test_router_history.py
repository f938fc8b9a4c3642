"""Event history, and trust levels."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from peer import REALM, Peer, joined, roles, serve
from test_router_pubsub import login

from microwamp.router import Kept, Permission, Principal, RealmConfig, Role, Trust
from microwamp.router.history import Entry, History, Query, text
from microwamp.router.session import Session

KEEPING = RealmConfig(
    REALM,
    anonymous="anonymous",
    principals=(Principal("ann", role="sensor", ticket="t"),),
    roles=(
        Role(
            "sensor",
            (
                Permission("wamp.", frozenset({"call"})),
                Permission("com.log.a", frozenset({"subscribe"})),
            ),
        ),
    ),
    history=(Kept("com.log.a"), Kept("com.log", "prefix", events=3), Kept("com..x", "wildcard")),
)
T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)


async def events(peer: Peer, subscription: int, **kwargs: Any) -> list[Any]:
    """`wamp.subscription.get_events` that must succeed."""
    answer = await peer.request(48, {}, "wamp.subscription.get_events", [subscription], kwargs)
    assert answer[0] == 50, answer
    found = answer[3] if len(answer) > 3 else []
    assert type(found) is list
    return found


async def lookup(peer: Peer, topic: str, match: str) -> int:
    answer = await peer.request(48, {}, "wamp.subscription.lookup", [topic, {"match": match}])
    return int(answer[3][0])


async def test_each_subscription_has_what_went_to_it():
    # Advanced profile, "Event History": the example with three subscriptions.
    async with serve(KEEPING) as router, joined(router) as one:
        assert one.welcome["roles"]["broker"]["features"]["event_history"] is True
        publications = {}
        for i, topic in enumerate(("com.log.a", "com.log.b", "com.log.a", "com.log.c", "com.z.x")):
            answer = await one.request(16, {"acknowledge": True}, topic, [i], {"k": i})
            publications[i] = answer[2]
        exact = await lookup(one, "com.log.a", "exact")
        prefix = await lookup(one, "com.log", "prefix")
        wildcard = await lookup(one, "com..x", "wildcard")
        found = await events(one, exact)
        assert [event["args"] for event in found] == [[0], [2]]
        assert found[0] == {
            "timestamp": found[0]["timestamp"],
            "subscription": exact,
            "publication": publications[0],
            "details": {},
            "args": [0],
            "kwargs": {"k": 0},
        }
        assert found[0]["timestamp"].endswith("Z")
        found = await events(one, prefix)
        assert [event["args"] for event in found] == [[1], [2], [3]]  # three are kept
        assert found[2]["details"] == {"topic": "com.log.c"}
        (only,) = await events(one, wildcard)
        assert only["publication"] == publications[4] and only["details"] == {"topic": "com.z.x"}
        # Someone who subscribes gets the same id, and it stays when he goes.
        assert await one.subscribe("com.log.a") == exact
        await one.request(34, exact)
        assert len(await events(one, exact)) == 2


async def test_without_history_it_is_not_announced_and_not_there():
    async with serve() as router, joined(router) as one:
        assert "event_history" not in one.welcome["roles"]["broker"]["features"]
        subscription = await one.subscribe("com.a")
        rows: list[tuple[list[Any], dict[str, Any], str]] = [
            ([subscription], {}, "history_unavailable"),
            ([subscription + 1], {}, "no_such_subscription"),
            ([], {}, "invalid_argument"),
            (["1"], {}, "invalid_argument"),
        ]
        for args, kwargs, reason in rows:
            answer = await one.request(48, {}, "wamp.subscription.get_events", args, kwargs)
            assert answer[4] == "wamp.error." + reason, args


async def test_wrong_conditions():
    async with serve(KEEPING) as router, joined(router) as one:
        number = await lookup(one, "com.log.a", "exact")
        assert await events(one, number) == []
        assert await events(one, number, from_publication=5) == []
        assert await events(one, number, unheard_of=[]) == []
        assert await events(one, number, limit=None, reverse=None) == []
        rows: list[tuple[dict[str, Any], str]] = [
            ({"reverse": 1}, "invalid_argument"),
            ({"limit": 0}, "invalid_argument"),
            ({"limit": True}, "invalid_argument"),
            ({"limit": "5"}, "invalid_argument"),
            ({"topic": 5}, "invalid_argument"),
            ({"topic": "a b"}, "invalid_uri"),
            ({"from_publication": "5"}, "invalid_argument"),
            ({"from_time": 5}, "invalid_argument"),
            ({"from_time": "yesterday"}, "invalid_argument"),
            ({"after_time": "2026-01-31"}, "invalid_argument"),
            ({"before_time": "2026-01-31T12:00:00"}, "invalid_argument"),  # of which zone?
            ({"until_time": "2026-02-31T12:00:00Z"}, "invalid_argument"),
            ({"until_time": "20260131T120000Z"}, "invalid_argument"),
        ]
        for kwargs, reason in rows:
            answer = await one.request(48, {}, "wamp.subscription.get_events", [number], kwargs)
            assert answer[:2] == [8, 48] and answer[4] == "wamp.error." + reason, kwargs


def session(authrole: str = "r", *features: str) -> Session:
    return Session(
        *(7, "r", "ann", authrole, "ticket", "static"),
        features={"subscriber": frozenset(features)},
        transport={},
    )


class Everyone:
    def __contains__(self, one: Session) -> bool:
        return True


def entry(i: int, topic: str = "com.a") -> Entry:
    """Publication 10 - i (numbers say nothing about order), i seconds after T0."""
    time = T0 + timedelta(seconds=i)
    return Entry(10 - i, time, topic, {}, [[i]], Everyone(), 0, 100)


def test_conditions():
    kept = [entry(i, "com.b" if i == 2 else "com.a") for i in range(5)]
    at = [text(one.time) for one in kept]
    rows: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [0, 1, 2, 3, 4]),
        ({"reverse": True}, [4, 3, 2, 1, 0]),
        ({"limit": 2}, [0, 1]),
        ({"limit": 2, "reverse": True}, [4, 3]),
        ({"limit": 99}, [0, 1, 2, 3, 4]),
        ({"topic": "com.b"}, [2]),
        ({"from_time": at[3]}, [3, 4]),
        ({"after_time": at[3]}, [4]),
        ({"before_time": at[1]}, [0]),
        ({"until_time": at[1]}, [0, 1]),
        ({"from_time": "2026-01-31T13:00:03.000+01:00"}, [3, 4]),
        ({"from_time": "2026-01-31t12:00:03z"}, [3, 4]),
        ({"from_time": at[1], "before_time": at[3]}, [1, 2]),
        ({"from_publication": 7}, [3, 4]),
        ({"after_publication": 7}, [4]),
        ({"before_publication": 9}, [0]),
        ({"until_publication": 9}, [0, 1]),
        ({"from_publication": 7, "after_publication": 9}, [3, 4]),
        ({"after_publication": 9, "until_publication": 7}, [2, 3]),
        ({"after_publication": 7, "until_publication": 9}, []),
        ({"from_publication": 99}, []),
        ({"after_publication": 9, "reverse": True, "limit": 1, "topic": "com.b"}, [2]),
    ]
    for kwargs, expected in rows:
        found = Query.of(kwargs).select(kept, session())
        assert [one.payload[0][0] for one in found] == expected, kwargs


def test_pages_in_both_directions_see_everything_once():
    kept = [entry(i) for i in range(10)]
    for reverse, bound in ((False, "after_publication"), (True, "before_publication")):
        seen: list[int] = []
        kwargs: dict[str, Any] = {"limit": 3, "reverse": reverse}
        while page := Query.of(kwargs).select(kept, session()):
            seen.extend(one.payload[0][0] for one in page)
            kwargs[bound] = page[-1].publication
        assert seen == sorted(range(10), reverse=reverse)


def test_the_oldest_go():
    history = History(events=3, octets=10_000)
    assert [history.add(entry(i)) for i in range(5)] == [0, 0, 0, 1, 1]
    assert [one.payload[0][0] for one in history.entries] == [2, 3, 4]
    history = History(events=100, octets=1300)
    assert [history.add(entry(i)) for i in range(4)] == [0, 0, 1, 1]
    big = Entry(1, T0, "com.a", {}, [], Everyone(), 0, 2000)
    assert history.add(big) == 3 and not history.entries and history.held == 0


async def test_who_may_not_have_an_event_does_not_find_it_later():
    async with serve(KEEPING) as router, joined(router) as one:
        async with await login(router, "ann") as ann:
            for i, options in enumerate(
                (
                    {},
                    {"eligible_authrole": ["sensor"]},
                    {"exclude_authid": ["ann"]},
                    # Session ids mean nothing later: such events are not kept at all.
                    {"eligible": [ann.session, one.session]},
                    {"exclude": []},
                    {"exclude_me": False},
                )
            ):
                await one.send(16, one.next(), options, "com.log.a", [i])
            number = await lookup(one, "com.log.a", "exact")
            assert [event["args"] for event in await events(one, number)] == [[0], [2], [5]]
            assert [event["args"] for event in await events(ann, number)] == [[0], [1], [5]]
            # ann may subscribe to com.log.a, but not to all that begins with com.log.
            prefix = await lookup(one, "com.log", "prefix")
            answer = await ann.request(48, {}, "wamp.subscription.get_events", [prefix])
            assert answer[4] == "wamp.error.not_authorized"


async def test_an_answer_longer_than_the_asker_takes_says_so():
    async with serve(KEEPING) as router, joined(router, length=1) as one:
        for _ in range(5):
            await one.send(16, one.next(), {}, "com.log.a", ["x" * 300])
        number = await lookup(one, "com.log.a", "exact")
        answer = await one.request(48, {}, "wamp.subscription.get_events", [number])
        assert answer[4] == "wamp.error.payload_size_exceeded"
        assert len(await events(one, number, limit=1)) == 1


TRUSTING = RealmConfig(
    REALM,
    anonymous="guest",
    principals=(Principal("ann", role="sensor", ticket="t"),),
    trust=(
        Trust(1),
        Trust(2, role="sensor"),
        Trust(3, uri="com.a"),
        Trust(4, uri="com.a", role="sensor"),
        Trust(0, uri="com.a.low"),
    ),
    history=(Kept("com.", "prefix"),),
)


def test_the_most_specific_trust_level_holds():
    for role, uri, level in (
        ("guest", "com.b", 1),
        ("sensor", "com.b", 2),
        ("guest", "com.a.x", 3),
        ("sensor", "com.a", 4),
        ("sensor", "com.a.low.x", 0),
    ):
        assert TRUSTING.trust_in(role, uri) == level, (role, uri)
    assert RealmConfig(REALM, anonymous="a").trust_in("a", "com.a") == 0


async def test_trust_levels_go_to_those_who_announced_them():
    able = roles(subscriber=("publication_trustlevels",), callee=("call_trustlevels",))
    async with (
        serve(TRUSTING) as router,
        joined(router, roles=able) as knows,
        joined(router) as plain,
        await login(router, "ann") as ann,
        joined(router) as guest,
    ):
        subscription = await knows.subscribe("com.a")
        await plain.subscribe("com.a")
        await knows.register("com.b")
        await plain.register("com.c")
        for publisher, level in ((ann, 4), (guest, 3)):
            await publisher.send(16, publisher.next(), {"retain": True}, "com.a", [level])
            assert (await knows.receive())[3] == {"trustlevel": level}
            assert (await plain.receive())[3] == {}
        for caller, level in ((ann, 2), (guest, 1)):
            await caller.send(48, caller.next(), {}, "com.b")
            assert (await knows.receive())[3] == {"trustlevel": level}
            await caller.send(48, caller.next(), {}, "com.c")
            assert (await plain.receive())[3] == {}
        # Retained and kept events have the level of their publisher.
        await knows.request(34, subscription)
        await knows.subscribe("com.a", get_retained=True)
        assert (await knows.receive())[3] == {"retained": True, "trustlevel": 3}
        prefix = await lookup(guest, "com.", "prefix")
        details = [event["details"] for event in await events(knows, prefix)]
        assert details == [{"topic": "com.a", "trustlevel": level} for level in (4, 3)]
        details = [event["details"] for event in await events(guest, prefix)]
        assert details == [{"topic": "com.a"}] * 2
        # What the router publishes itself has none.
        await knows.subscribe("wamp.session.on_join")
        async with joined(router):
            assert (await knows.receive())[3] == {}
