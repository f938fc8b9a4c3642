"""The broker: subscriptions, publications, who receives them, retained events."""

from __future__ import annotations

from typing import Any

import pytest
from peer import REALM, Peer, joined, serve

from microwamp.router import Limits, Principal, RealmConfig
from microwamp.router.patterns import Patterns
from microwamp.router.uris import covers, literal, reserved, valid

# (URI, valid for exact, valid for prefix and wildcard)
URIS = [
    ("com.example.a", True, True),
    ("a", True, True),
    ("com.Example.a-b_c", True, True),
    ("com.\u00fcber.\u6e29\u5ea6", True, True),
    ("", False, True),
    (".", False, True),
    ("com.", False, True),
    (".com", False, True),
    ("com..a", False, True),
    ("com.a b", False, False),
    ("com.a\n", False, False),
    ("com.\u00a0a", False, False),
    ("com.a#b", False, False),
    (" com.a", False, False),
]


def test_uris():
    for uri, exact, pattern in URIS:
        assert valid(uri) is exact, uri
        assert valid(uri, "prefix") is valid(uri, "wildcard") is pattern, uri
    assert reserved("wamp") and reserved("wamp.x") and reserved("wamp..x")
    assert not reserved("wampum.x") and not reserved("com.wamp")


# (pattern, match, URIs under it, URIs that are not)
COVERS = [
    ("com.a", "exact", ["com.a"], ["com.a.b", "com.ab", "com"]),
    ("com.a", "prefix", ["com.a", "com.a.b", "com.ab"], ["com", "com.b", "xcom.a"]),
    ("com.a.", "prefix", ["com.a.b"], ["com.a", "com.ab"]),
    ("", "prefix", ["com", "com.a"], []),
    ("com..b", "wildcard", ["com.a.b", "com.x.b"], ["com.b", "com.a.c", "com.a.b.c", "com.a"]),
    ("..", "wildcard", ["a.b.c"], ["a.b", "a.b.c.d"]),
    ("com.a", "wildcard", ["com.a"], ["com.b", "com.a.b"]),
]


def test_patterns_agree_with_their_definition():
    for pattern, match, under, outside in COVERS:
        table: Patterns[str] = Patterns()
        table.add(pattern, match, "x")
        assert table.get(pattern, match) == "x"
        for uri in under:
            assert covers(pattern, match, uri), (pattern, match, uri)
            assert table.matching(uri) == ["x"] and table.best(uri) == "x", (pattern, uri)
        for uri in outside:
            assert not covers(pattern, match, uri), (pattern, match, uri)
            assert table.matching(uri) == [] and table.best(uri) is None, (pattern, uri)
        table.remove(pattern, match)
        assert table.get(pattern, match) is None
        assert all(not table.matching(uri) for uri in under)


def test_literal_beginnings():
    assert literal("com.a", "exact") == literal("com.a", "prefix") == "com.a"
    assert literal("com.a", "wildcard") == "com.a"
    assert literal("com..a", "wildcard") == "com."
    assert literal("com.a.", "wildcard") == "com.a."
    assert literal("..", "wildcard") == literal("", "wildcard") == ""


async def publish(peer: Peer, topic: str, *payload: Any, **options: Any) -> int:
    """An acknowledged publication; its id."""
    answer = await peer.request(16, {"acknowledge": True, **options}, topic, *payload)
    assert answer[:2] == [17, peer._request], answer
    return int(answer[2])


async def test_publish_acknowledged_and_plain():
    async with serve() as router, joined(router) as one, joined(router) as two:
        subscription = await two.subscribe("com.a")
        publication = await publish(one, "com.a", [1, b"\0\1", None], {"k": 1.5})
        event = [36, subscription, publication, {}, [1, b"\0\1", None], {"k": 1.5}]
        assert await two.receive() == event
        await one.send(16, one.next(), {}, "com.a")
        event = await two.receive()
        assert event[:2] == [36, subscription] and event[3:] == [{}]
        assert event[2] != publication
        assert await one.silent()


async def test_empty_payloads_are_not_sent_on():
    async with serve() as router, joined(router) as one, joined(router) as two:
        await two.subscribe("com.a")
        for payload, expected in (
            ([[]], []),
            ([[], {}], []),
            ([[1], {}], [[1]]),
            ([[], {"k": 1}], [[], {"k": 1}]),
        ):
            await one.send(16, one.next(), {}, "com.a", *payload)
            assert (await two.receive())[4:] == expected, payload


async def test_a_publisher_does_not_hear_itself_unless_it_wants_to():
    async with serve() as router, joined(router) as one:
        await one.subscribe("com.a")
        await publish(one, "com.a")
        await publish(one, "com.a", exclude_me=True)
        publication = await publish(one, "com.a", exclude_me=False)
        assert (await one.receive())[2] == publication
        assert await one.silent()


async def test_one_subscription_id_for_everyone_and_one_unsubscribe():
    async with serve() as router, joined(router) as one, joined(router) as two:
        first = await one.subscribe("com.a")
        assert await one.subscribe("com.a") == await two.subscribe("com.a") == first
        assert await one.subscribe("com.a", match="prefix") != first
        assert await one.request(34, first) == [35, one._request]
        await publish(two, "com.a")
        assert (await one.receive())[1] != first
        answer = await one.request(34, first)
        assert answer[:5] == [8, 34, one._request, {}, "wamp.error.no_such_subscription"]
        # Of others it is none of its business.
        answer = await one.request(34, first)
        assert answer[4] == "wamp.error.no_such_subscription"
        await publish(two, "com.a", exclude_me=False)
        assert (await two.receive())[1] == first


async def test_patterns_and_the_topic_in_the_details():
    async with serve() as router, joined(router) as one, joined(router) as two:
        exact = await two.subscribe("com.a.b")
        prefix = await two.subscribe("com.a", match="prefix")
        wildcard = await two.subscribe("com..b", match="wildcard")
        publication = await publish(one, "com.a.b", [1])
        events = [await two.receive() for _ in range(3)]
        assert {event[1]: event[3] for event in events} == {
            exact: {},
            prefix: {"topic": "com.a.b"},
            wildcard: {"topic": "com.a.b"},
        }
        assert {event[2] for event in events} == {publication}
        await publish(one, "com.x.b")
        assert (await two.receive())[1:4:2] == [wildcard, {"topic": "com.x.b"}]
        await publish(one, "com.ab.c")
        assert (await two.receive())[1:4:2] == [prefix, {"topic": "com.ab.c"}]
        await publish(one, "org.a.b.c")
        assert await two.silent()


REALM_OF_MANY = RealmConfig(
    REALM,
    principals=(
        Principal("ann", role="red", ticket="t"),
        Principal("ben", role="red", ticket="t"),
        Principal("cec", role="blue", ticket="t"),
    ),
)


async def login(router: Any, authid: str) -> Peer:
    peer = await Peer.connect(router.urls[0])
    assert (await peer.hello(authid=authid, authmethods=["ticket"]))[0] == 4
    await peer.send(5, "t", {})
    _, peer.session, peer.welcome = await peer.receive()
    return peer


async def test_black_and_white_lists():
    async with serve(REALM_OF_MANY) as router:
        ann, ben, cec = [await login(router, name) for name in ("ann", "ben", "cec")]
        async with ann, ben, cec:
            for peer in (ann, ben, cec):
                await peer.subscribe("com.a")
            rows: list[tuple[dict[str, Any], set[str]]] = [
                ({}, {"ben", "cec"}),
                ({"exclude": [ben.session]}, {"cec"}),
                ({"exclude": []}, {"ben", "cec"}),
                ({"eligible": [ben.session, ann.session]}, {"ben"}),
                ({"eligible": []}, set()),
                ({"exclude_authid": ["cec", "nobody"]}, {"ben"}),
                ({"eligible_authid": ["cec"]}, {"cec"}),
                ({"exclude_authrole": ["red"]}, {"cec"}),
                ({"eligible_authrole": ["red"]}, {"ben"}),
                ({"eligible_authrole": ["red"], "exclude_me": False}, {"ann", "ben"}),
                ({"eligible": [ben.session], "exclude": [ben.session]}, set()),
                ({"eligible_authrole": ["red", "blue"], "exclude_authid": ["ben"]}, {"cec"}),
            ]
            for options, names in rows:
                publication = await publish(ann, "com.a", **options)
                heard = set()
                for name, peer in (("ann", ann), ("ben", ben), ("cec", cec)):
                    await peer.send(34, peer.next(), 9_999_999)
                    message = await peer.receive()
                    if message[0] == 36:
                        assert message[2] == publication
                        heard.add(name)
                        message = await peer.receive()
                    assert message[0] == 8
                assert heard == names, options


async def test_publisher_disclosure():
    async with serve(REALM_OF_MANY) as router:
        ann, ben = await login(router, "ann"), await login(router, "ben")
        async with ann, ben:
            await ben.subscribe("com.a")
            await publish(ann, "com.a")
            assert (await ben.receive())[3] == {}
            await publish(ann, "com.a", disclose_me=True)
            assert (await ben.receive())[3] == {
                "publisher": ann.session,
                "publisher_authid": "ann",
                "publisher_authrole": "red",
            }
    async with (
        serve(RealmConfig(REALM, anonymous="a", disclose=True)) as router,
        joined(router) as one,
        joined(router) as two,
    ):
        await two.subscribe("com.a")
        await publish(one, "com.a", disclose_me=False)
        assert (await two.receive())[3]["publisher"] == one.session


async def test_retained_events():
    async with serve() as router, joined(router) as one, joined(router) as two:
        await publish(one, "com.a", [1], retain=True)
        kept = await publish(one, "com.a", [2], retain=True, disclose_me=True)
        await publish(one, "com.a", [3])
        other = await publish(one, "com.b", retain=True)
        subscription = await two.subscribe("com.a", get_retained=True)
        event = await two.receive()
        assert event[:3] == [36, subscription, kept] and event[4] == [2]
        assert event[3].pop("retained") is True and event[3]["publisher"] == one.session
        await two.subscribe("com.a")  # not asked for
        pattern = await two.subscribe("com.", match="prefix", get_retained=True)
        events = [await two.receive(), await two.receive()]
        assert [event[2] for event in events] == [kept, other]
        assert [event[3]["topic"] for event in events] == ["com.a", "com.b"]
        assert {event[1] for event in events} == {pattern}
        # Who would not have received it then does not now.
        await one.subscribe("com.b", get_retained=True)
        assert await one.silent()
        await publish(one, "com.c", retain=True, eligible=[one.session])
        await two.subscribe("com.c", get_retained=True)
        assert await two.silent()
        # It outlives its publisher.
        await one.close()
        await two.subscribe("com.b", get_retained=True)
        assert (await two.receive())[2] == other


async def test_retained_events_are_bounded_by_number_and_octets():
    for limits in (Limits(retained=2), Limits(retained_octets=2500)):
        async with serve(limits=limits) as router, joined(router) as one, joined(router) as two:
            for topic in ("com.a", "com.b", "com.c"):
                await publish(one, topic, ["x" * 1000], retain=True)
            await two.subscribe("com.", match="prefix", get_retained=True)
            assert (await two.receive())[3]["topic"] == "com.b"
            assert (await two.receive())[3]["topic"] == "com.c"
            assert await two.silent()
            assert router.counters["retained events forgotten"] == 1


async def test_a_topic_that_is_retained_again_takes_its_place_only_once():
    async with (
        serve(limits=Limits(retained_octets=2500)) as router,
        joined(router) as one,
        joined(router) as two,
    ):
        for topic in ("com.a", *["com.b"] * 9):
            await publish(one, topic, ["x" * 1000], retain=True)
        await two.subscribe("com.a", get_retained=True)
        assert (await two.receive())[3] == {"retained": True}
        assert router.counters["retained events forgotten"] == 0


async def test_limit_on_subscriptions():
    async with serve(limits=Limits(subscriptions=2)) as router, joined(router) as one:
        await one.subscribe("com.a")
        subscription = await one.subscribe("com.b")
        answer = await one.request(32, {}, "com.c")
        assert answer[:2] == [8, 32] and answer[4] == "microwamp.error.limit_exceeded"
        await one.subscribe("com.a")
        await one.request(34, subscription)
        await one.subscribe("com.c")


async def test_malformed_and_reserved_uris():
    async with serve() as router, joined(router) as one:
        for uri, exact, pattern in URIS:
            answer = await one.request(16, {"acknowledge": True}, uri)
            assert (answer[0] == 17) is exact, uri
            assert exact or answer[:2] == [8, 16] and answer[4] == "wamp.error.invalid_uri"
            for match, good in (("exact", exact), ("prefix", pattern), ("wildcard", pattern)):
                answer = await one.request(32, {"match": match}, uri)
                assert (answer[0] == 33) is good, (uri, match)
                assert good or answer[:2] == [8, 32] and answer[4] == "wamp.error.invalid_uri"
                if good:
                    await one.send(34, one.next(), answer[2])
                    # A pattern that covers wamp.* brings the events about itself.
                    while (answer := await one.receive())[0] == 36:
                        assert answer[3]["topic"].startswith("wamp.subscription.on_")
                    assert answer == [35, one._request]
        for uri in ("wamp.x", "wamp", "wamp.session.on_join"):
            answer = await one.request(16, {"acknowledge": True}, uri)
            assert answer[4] == "wamp.error.invalid_uri", uri
            assert (await one.request(32, {}, uri))[0] == 33
        # Without acknowledgement there is no answer of any kind.
        await one.send(16, one.next(), {}, "not a uri")
        await one.send(16, one.next(), {}, "wamp.x")
        assert await one.silent()
        assert router.counters["publications refused"] >= 2


@pytest.mark.timeout(20)
async def test_events_of_one_publisher_stay_in_order():
    async with serve() as router, joined(router) as one, joined(router) as two:
        await two.subscribe("com.a")
        for i in range(500):
            await one.send(16, one.next(), {}, "com.a", [i])
        assert [(await two.receive())[4][0] for _ in range(500)] == list(range(500))


async def test_a_realm_may_refuse_to_disclose():
    realm = RealmConfig(REALM, anonymous="anonymous", disclose_me=False)
    async with serve(realm) as router, joined(router) as one, joined(router) as two:
        await one.subscribe("com.t")
        await one.register("com.f")
        options = {"disclose_me": True}
        refused = "wamp.error.option_disallowed.disclose_me"
        answer = await two.request(16, {**options, "acknowledge": True}, "com.t")
        assert answer[:5] == [8, 16, two._request, {}, refused]
        assert (await two.request(48, options, "com.f"))[4] == refused
        await two.send(16, two.next(), options, "com.t")
        assert await two.silent() and await one.silent()
        await two.send(16, two.next(), {"disclose_me": False}, "com.t")
        assert (await one.receive())[3] == {}
