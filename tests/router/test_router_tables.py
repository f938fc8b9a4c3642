"""Registration and subscription meta API, and registrations and subscriptions taken back."""

from __future__ import annotations

import re
from typing import Any

from peer import ADMINISTERED, BASIC, ROLES, Peer, joined, serve

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def ask(peer: Peer, procedure: str, *args: Any) -> Any:
    """The one value that a procedure of the router answers with."""
    answer = await peer.request(48, {}, procedure, list(args))
    assert answer[0] == 50 and len(answer) == 4 and len(answer[3]) == 1, answer
    return answer[3][0]


async def refusal(peer: Peer, procedure: str, *args: Any, **kwargs: Any) -> str:
    """The URI of the error a procedure answers with."""
    answer = await peer.request(48, {}, procedure, list(args), kwargs)
    assert answer[:2] == [8, 48], answer
    return str(answer[4])


async def test_what_is_registered():
    async with serve() as router, joined(router) as one, joined(router) as two:
        exact = await one.register("com.a.b", invoke="roundrobin")
        assert await two.register("com.a.b", invoke="roundrobin") == exact
        prefix = await one.register("com.a", match="prefix")
        wildcard = await two.register("com..b", match="wildcard")
        assert await ask(one, "wamp.registration.list") == {
            "exact": [exact],
            "prefix": [prefix],
            "wildcard": [wildcard],
        }
        for uri, options, expected in (
            ("com.a.b", [], exact),
            ("com.a.b", [{"match": "exact"}], exact),
            ("com.a", [], None),
            ("com.a", [None], None),
            ("com.a", [{"match": "prefix", "invoke": "single"}], prefix),
            ("com..b", [{"match": "wildcard"}], wildcard),
            ("com..b", [{"match": "prefix"}], None),
        ):
            found = await ask(one, "wamp.registration.lookup", uri, *options)
            assert found == expected, (uri, options)
        for uri, best in (
            ("com.a.b", exact),
            ("com.a.c", prefix),
            ("com.x.b", wildcard),
            ("org.x", None),
        ):
            assert await ask(one, "wamp.registration.match", uri) == best, uri
        details = await ask(one, "wamp.registration.get", exact)
        assert ISO.fullmatch(details.pop("created"))
        assert details == {
            "id": exact,
            "uri": "com.a.b",
            "match": "exact",
            "invoke": "roundrobin",
        }
        callees = await ask(one, "wamp.registration.list_callees", exact)
        assert callees == [one.session, two.session]
        assert await ask(one, "wamp.registration.count_callees", exact) == 2
        await one.request(66, exact)
        assert await ask(one, "wamp.registration.list_callees", exact) == [two.session]
        await two.request(66, exact)
        for procedure in ("get", "list_callees", "count_callees"):
            uri = "wamp.registration." + procedure
            assert await refusal(one, uri, exact) == "wamp.error.no_such_registration"
            for wrong in ([], ["1"], [True], [1.0]):
                assert await refusal(one, uri, *wrong) == "wamp.error.invalid_argument"
        for other in ([], [1], ["com.a", "prefix"], ["com.a", {"match": "fuzzy"}]):
            uri = "wamp.registration.lookup"
            assert await refusal(one, uri, *other) == "wamp.error.invalid_argument", other
        assert await refusal(one, "wamp.registration.match") == "wamp.error.invalid_argument"


async def test_what_is_subscribed():
    async with serve() as router, joined(router) as one, joined(router) as two:
        exact = await one.subscribe("com.a.b")
        assert await two.subscribe("com.a.b") == exact
        prefix = await one.subscribe("com.a", match="prefix")
        wildcard = await two.subscribe("com..b", match="wildcard")
        assert await ask(one, "wamp.subscription.list") == {
            "exact": [exact],
            "prefix": [prefix],
            "wildcard": [wildcard],
        }
        assert await ask(one, "wamp.subscription.lookup", "com.a.b") == exact
        assert await ask(one, "wamp.subscription.lookup", "com.a") is None
        options = {"match": "prefix", "get_retained": True}
        assert await ask(one, "wamp.subscription.lookup", "com.a", options) == prefix
        assert await ask(one, "wamp.subscription.match", "com.a.b") == [exact, prefix, wildcard]
        assert await ask(one, "wamp.subscription.match", "com.x.b") == [wildcard]
        assert await ask(one, "wamp.subscription.match", "org.x") is None
        details = await ask(one, "wamp.subscription.get", prefix)
        assert ISO.fullmatch(details.pop("created"))
        assert details == {"id": prefix, "uri": "com.a", "match": "prefix"}
        subscribers = await ask(one, "wamp.subscription.list_subscribers", exact)
        assert subscribers == [one.session, two.session]
        assert await ask(one, "wamp.subscription.count_subscribers", exact) == 2
        await one.request(34, exact)
        assert await ask(one, "wamp.subscription.count_subscribers", exact) == 1
        await two.request(34, exact)
        for procedure in ("get", "list_subscribers", "count_subscribers"):
            uri = "wamp.subscription." + procedure
            assert await refusal(one, uri, exact) == "wamp.error.no_such_subscription"
            assert await refusal(one, uri, "x") == "wamp.error.invalid_argument"


async def heard(peer: Peer, count: int) -> list[tuple[str, list[Any]]]:
    """(last component of the topic, args) of the next events."""
    events = [await peer.receive() for _ in range(count)]
    assert all(event[0] == 36 for event in events), events
    return [(event[3]["topic"].rpartition(".")[2], event[4]) for event in events]


async def test_events_of_registrations_come_in_order():
    async with serve() as router, joined(router) as watcher, joined(router) as one:
        await watcher.subscribe("wamp.registration.", match="prefix")
        async with joined(router) as two:
            number = await one.register("com.f", invoke="first")
            await two.register("com.f", invoke="first")
            events = await heard(watcher, 3)
            assert [name for name, _ in events] == ["on_create", "on_register", "on_register"]
            assert events[0][1][0] == one.session and events[0][1][1]["id"] == number
            assert events[0][1][1]["uri"] == "com.f" and events[0][1][1]["invoke"] == "first"
            assert [args for _, args in events[1:]] == [
                [one.session, number],
                [two.session, number],
            ]
            await one.request(66, number)
            assert await heard(watcher, 1) == [("on_unregister", [one.session, number])]
        assert await heard(watcher, 2) == [
            ("on_unregister", [two.session, number]),
            ("on_delete", [two.session, number]),
        ]
        # Taken over by force: one registration ends, another begins.
        old = await one.register("com.f")
        await heard(watcher, 2)
        async with joined(router) as two:
            new = await two.register("com.f", force_reregister=True)
            events = await heard(watcher, 4)
            assert [name for name, _ in events] == [
                *("on_unregister", "on_delete"),
                *("on_create", "on_register"),
            ]
            assert [args[0] for _, args in events] == [one.session] * 2 + [two.session] * 2
            assert events[0][1][1] == old and events[3][1][1] == new
        assert (await one.receive())[:2] == [67, 0]
        assert await watcher.receive() and await watcher.receive()
        assert await watcher.silent()


async def test_events_of_subscriptions_come_in_order():
    async with serve() as router, joined(router) as watcher, joined(router) as one:
        mine = await watcher.subscribe("wamp.subscription.", match="prefix")
        events = await heard(watcher, 2)
        assert events[0][1] == [watcher.session, events[0][1][1]]
        assert events[0][1][1]["id"] == mine
        assert events[1] == ("on_subscribe", [watcher.session, mine])
        async with joined(router) as two:
            number = await one.subscribe("com.t")
            assert await one.subscribe("com.t") == number  # nothing new
            await two.subscribe("com.t")
            events = await heard(watcher, 3)
            assert [name for name, _ in events] == ["on_create", "on_subscribe", "on_subscribe"]
            assert set(events[0][1][1]) == {"id", "created", "uri", "match"}
            assert [args for _, args in events[1:]] == [
                [one.session, number],
                [two.session, number],
            ]
            await one.request(34, number)
            assert await heard(watcher, 1) == [("on_unsubscribe", [one.session, number])]
        assert await heard(watcher, 2) == [
            ("on_unsubscribe", [two.session, number]),
            ("on_delete", [two.session, number]),
        ]
        await watcher.request(34, mine)
        assert await watcher.silent()


async def test_a_session_that_ends_is_out_before_its_end_is_told():
    async with serve() as router, joined(router) as watcher:
        await watcher.subscribe("wamp.", match="prefix")
        await heard(watcher, 2)
        async with joined(router) as one:
            await one.subscribe("com.t")
            await one.register("com.f")
            await heard(watcher, 5)
        assert [name for name, _ in await heard(watcher, 5)] == [
            *("on_unsubscribe", "on_delete"),
            *("on_unregister", "on_delete"),
            "on_leave",
        ]


async def test_a_registration_is_taken_back():
    why = {"reason": "com.example.moved"}
    for told in (True, False):
        roles = ROLES if told else BASIC
        async with (
            serve(ADMINISTERED) as router,
            joined(router, roles=roles) as callee,
            joined(router) as admin,
        ):
            number = await callee.register("com.f")
            uri = "wamp.registration.remove_callee"
            for args, reason in (
                ([number + 1, callee.session], "no_such_registration"),
                ([number, admin.session], "no_such_session"),
                ([number], "invalid_argument"),
                ([number, "x"], "invalid_argument"),
            ):
                assert await refusal(admin, uri, *args) == "wamp.error." + reason, args
            assert (
                await refusal(admin, uri, number, callee.session, reason="a b")
                == "wamp.error.invalid_uri"
            )
            # An invocation under way is answered all the same.
            await admin.send(48, admin.next(), {}, "com.f")
            assert (await callee.receive())[0] == 68
            answer = await admin.request(48, {}, uri, [number, callee.session], why)
            assert answer == [50, admin._request, {}]
            if told:
                assert await callee.receive() == [67, 0, {"registration": number, **why}]
            await callee.send(70, 1, {})
            assert (await admin.receive())[0] == 50
            assert await callee.silent()
            answer = await callee.request(66, number)
            assert answer[4] == "wamp.error.no_such_registration"
            answer = await admin.request(48, {}, "com.f")
            assert answer[4] == "wamp.error.no_such_procedure"
            await callee.register("com.f")


async def test_one_of_several_callees_is_taken_out():
    async with (
        serve(ADMINISTERED) as router,
        joined(router) as one,
        joined(router) as two,
    ):
        for callee in (one, two):
            number = await callee.register("com.f", invoke="first")
        answer = await two.request(
            48, {}, "wamp.registration.remove_callee", [number, one.session]
        )
        assert answer[0] == 50
        revoked = await one.receive()
        assert revoked == [
            *(67, 0),
            {"registration": number, "reason": "wamp.error.unregistered"},
        ]
        assert await ask(two, "wamp.registration.list_callees", number) == [two.session]


async def test_a_subscription_is_taken_back():
    for told in (True, False):
        roles = ROLES if told else BASIC
        async with (
            serve(ADMINISTERED) as router,
            joined(router, roles=roles) as one,
            joined(router) as two,
            joined(router) as admin,
        ):
            number = await one.subscribe("com.t")
            await two.subscribe("com.t")
            uri = "wamp.subscription.remove_subscriber"
            assert (
                await refusal(admin, uri, number + 1, one.session)
                == "wamp.error.no_such_subscription"
            )
            assert await refusal(admin, uri, number, admin.session) == "wamp.error.no_such_session"
            assert (await admin.request(48, {}, uri, [number, one.session]))[0] == 50
            if told:
                assert await one.receive() == [
                    *(35, 0),
                    {"subscription": number, "reason": "wamp.error.unsubscribed"},
                ]
            await admin.send(16, admin.next(), {}, "com.t")
            assert (await two.receive())[0] == 36
            assert await one.silent()
            assert (await one.request(34, number))[4] == "wamp.error.no_such_subscription"
            assert await one.subscribe("com.t") == number


async def test_long_reasons_fit_the_smallest_client():
    async with (
        serve(ADMINISTERED) as router,
        joined(router, length=1) as one,
        joined(router) as admin,
    ):
        number = await one.subscribe("com.t")
        uri = "wamp.subscription.remove_subscriber"
        args = [number, one.session]
        long = "com." + "x" * 300
        answer = await admin.request(48, {}, uri, args, {"reason": long})
        assert answer[4] == "wamp.error.invalid_uri"
        answer = await admin.request(48, {}, uri, args, {"reason": long[:250]})
        assert answer[0] == 50
        assert (await one.receive())[2]["reason"] == long[:250]
