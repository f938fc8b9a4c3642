"""The meta procedures as functions of a client, and testaments."""

import asyncio

from script import Router, Scripted, fails, settled, until

from wamp import meta
from wamp.errors import ApplicationError

# Function, arguments and options; procedure and arguments on the wire
CALLS = (
    (meta.count_sessions, (), {}, "wamp.session.count", ()),
    (meta.count_sessions, (["a"],), {}, "wamp.session.count", ([["a"]],)),
    (meta.list_sessions, (), {}, "wamp.session.list", ()),
    (meta.get_session, (5,), {}, "wamp.session.get", ([5],)),
    (meta.kill_session, (5,), {}, "wamp.session.kill", ([5], {"reason": "wamp.close.killed"})),
    (
        meta.kill_session,
        (5, "com.r", "text"),
        {},
        "wamp.session.kill",
        ([5], {"reason": "com.r", "message": "text"}),
    ),
    (meta.list_ids, ("registration",), {}, "wamp.registration.list", ()),
    (meta.lookup, ("registration", "com.p"), {}, "wamp.registration.lookup", (["com.p"],)),
    (
        meta.lookup,
        ("subscription", "com.", "prefix"),
        {},
        "wamp.subscription.lookup",
        (["com.", {"match": "prefix"}],),
    ),
    (meta.match, ("subscription", "com.t"), {}, "wamp.subscription.match", (["com.t"],)),
    (meta.get, ("registration", 7), {}, "wamp.registration.get", ([7],)),
    (meta.members, ("registration", 7), {}, "wamp.registration.list_callees", ([7],)),
    (meta.members, ("subscription", 7), {}, "wamp.subscription.list_subscribers", ([7],)),
    (meta.count_members, ("subscription", 7), {}, "wamp.subscription.count_subscribers", ([7],)),
    (
        meta.events,
        (7,),
        {"limit": 3, "reverse": True},
        "wamp.subscription.get_events",
        ([7], {"limit": 3, "reverse": True}),
    ),
)


async def test_procedures():
    router = Router()
    async with Scripted(router) as client:
        for function, args, options, procedure, payload in CALLS:
            router.take()
            await function(client, *args, **options)
            assert router.take()[0][3:] == [procedure] + list(payload), procedure
        declared = await client.subscribe("com.t", print).confirmed()
        await meta.events(client, declared)
        assert router.take(48)[0][3:] == ["wamp.subscription.get_events", [declared.id]]


async def test_events_are_a_list_however_they_come():
    router = Router()
    one, two = {"publication": 1}, {"publication": 2}
    rows = (
        ([], []),
        ([one], [one]),
        ([one, two], [one, two]),
        ([[one, two]], [one, two]),
        ([[]], []),
    )
    async with Scripted(router) as client:
        for args, wanted in rows:
            router.on[48] = lambda m: router.send([50, m[1], {}, args])
            assert await meta.events(client, 7) == wanted, args


def wills(router):
    return [m[4:] for m in router.take(48) if m[3] == "wamp.session.add_testament"]


async def test_testament():
    router = Router()
    async with Scripted(router, join=False) as client:
        first = meta.Testament(client, "com.gone", 1, kwargs={"x": 2}, retain=True)
        await client.join()
        await first.confirmed()
        wire = [["com.gone", [1], {"x": 2}], {"publish_options": {"retain": True}}]
        wire[1]["scope"] = "destroyed"
        assert wills(router) == [wire]
        second = meta.Testament(client, "com.gone.too", scope="detached")
        await second.confirmed()
        third = meta.Testament(client, "com.third")
        await third.confirmed()
        assert len(wills(router)) == 2
        # A router forgets them with the session.
        router.drop()
        await until(lambda: client.joins == 2)
        await settled()
        await settled()
        topics = sorted([w[0][0] for w in wills(router)])
        assert topics == ["com.gone", "com.gone.too", "com.third"]
        await first.revoke()
        await settled()
        assert [m[3:] for m in router.heard] == [
            ["wamp.session.flush_testaments", [], {"scope": "destroyed"}],
            [
                "wamp.session.add_testament",
                ["com.third", [], {}],
                {"publish_options": {}, "scope": "destroyed"},
            ],
        ]
        await first.revoke()


async def test_testament_that_is_refused():
    router = Router()
    router.on[48] = lambda m: router.send([8, 48, m[1], {}, "wamp.error.no_such_procedure"])
    async with Scripted(router) as client:
        will = meta.Testament(client, "com.gone")
        error = await fails(ApplicationError, will.confirmed())
        assert error is will.error
        del router.on[48]
        router.drop()
        await until(lambda: client.joins == 2)
        await asyncio.sleep(0.01)
        await will.confirmed()
