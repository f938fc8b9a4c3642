"""Session meta API, testaments, and what roles may do."""

from __future__ import annotations

import asyncio
from typing import Any

from peer import ADMINISTERED, REALM, Log, Peer, joined, serve
from test_router_pubsub import login

from microwamp.router import Limits, Permission, Principal, RealmConfig, Role
from microwamp.router.meta import ADMINISTRATION


async def test_count_list_get():
    async with serve() as router, joined(router) as one, joined(router) as two:
        assert (await one.request(48, {}, "wamp.session.count"))[3] == [2]
        assert (await one.request(48, {}, "wamp.session.count", [["anonymous"]]))[3] == [2]
        assert (await one.request(48, {}, "wamp.session.count", [["x"]]))[3] == [0]
        assert (await one.request(48, {}, "wamp.session.list"))[3] == [[one.session, two.session]]
        assert (await one.request(48, {}, "wamp.session.list", [None]))[3][0]
        details = (await one.request(48, {}, "wamp.session.get", [two.session]))[3][0]
        transport = details.pop("transport")
        assert details == {
            "session": two.session,
            "authid": two.welcome["authid"],
            "authrole": "anonymous",
            "authmethod": "anonymous",
            "authprovider": "static",
        }
        assert transport["peer"].startswith("tcp:127.0.0.1:")
        for args, reason in (
            ([1], "no_such_session"),
            ([1 << 4000], "no_such_session"),
            ([], "invalid_argument"),
            (["x"], "invalid_argument"),
            ([True], "invalid_argument"),
        ):
            answer = await one.request(48, {}, "wamp.session.get", args)
            assert answer[:2] == [8, 48] and answer[4] == "wamp.error." + reason, args


async def test_realms_do_not_see_each_other():
    realms = [RealmConfig(name, anonymous="a") for name in ("one", "two")]
    async with (
        serve(*realms) as router,
        joined(router, realm="one") as one,
        joined(router, realm="two") as two,
    ):
        assert (await one.request(48, {}, "wamp.session.list"))[3] == [[one.session]]
        answer = await one.request(48, {}, "wamp.session.get", [two.session])
        assert answer[4] == "wamp.error.no_such_session"
        await one.register("com.f")
        await two.register("com.f")
        await two.subscribe("com.t")
        await one.request(16, {"acknowledge": True}, "com.t")
        assert await two.silent()


async def test_on_join_and_on_leave():
    async with serve() as router, joined(router) as one:
        join = await one.subscribe("wamp.session.on_join")
        leave = await one.subscribe("wamp.session.on_leave")
        async with joined(router) as two:
            event = await one.receive()
            assert event[1] == join and event[4][0]["session"] == two.session
            assert event[4][0]["authmethod"] == "anonymous"
        event = await one.receive()
        assert event[1] == leave
        assert event[4] == [two.session, two.welcome["authid"], "anonymous"]
        pattern = await one.subscribe("wamp.session.", match="prefix")
        async with joined(router):
            events = [await one.receive(), await one.receive()]
            assert {event[1]: event[3] for event in events} == {
                join: {},
                pattern: {"topic": "wamp.session.on_join"},
            }


async def test_kill():
    log = Log()
    async with (
        serve(ADMINISTERED, log=log, closing_timeout=0.2) as router,
        joined(router) as one,
    ):
        await one.subscribe("wamp.session.on_leave")
        rows: list[tuple[dict[str, str], list[Any]]] = [
            ({}, [6, {}, "wamp.close.killed"]),
            (
                {"reason": "com.example.why", "message": "enough"},
                [6, {"message": "enough"}, "com.example.why"],
            ),
        ]
        for kwargs, goodbye in rows:
            async with joined(router) as two:
                await two.register("com.f")
                answer = await one.request(48, {}, "wamp.session.kill", [two.session], kwargs)
                assert answer == [50, one._request, {}]
                assert (await one.receive())[4][0] == two.session
                assert await two.receive() == goodbye
                # Its registration is free, and what it still sends is ignored.
                registration = await one.register("com.f")
                await two.send(48, two.next(), {}, "com.f")
                await two.frame(b"still here", 1)
                assert await two.receive_frame() == (2, b"still here")
                await two.send(6, {}, "wamp.close.goodbye_and_out")
                assert await two.ended()
                assert await one.silent()
                await one.request(66, registration)
        for args, reason in (
            ([one.session], "no_such_session"),
            ([two.session], "no_such_session"),
            ([], "invalid_argument"),
        ):
            answer = await one.request(48, {}, "wamp.session.kill", args, {"reason": "a b"})
            assert answer[4] == "wamp.error." + reason, args
        async with joined(router) as two:
            wrong: list[tuple[dict[str, Any], str]] = [
                ({"reason": "a b"}, "invalid_uri"),
                ({"reason": 5}, "invalid_uri"),
                ({"message": 5}, "invalid_argument"),
                ({"message": "x" * 2000}, "invalid_argument"),
            ]
            for bad, reason in wrong:
                answer = await one.request(48, {}, "wamp.session.kill", [two.session], bad)
                assert answer[4] == "wamp.error." + reason, bad
            assert await two.silent()


async def test_kill_by():
    realm = RealmConfig(
        REALM,
        anonymous="guest",
        principals=(Principal("ann", role="red", ticket="t"), Principal("ben", ticket="t")),
        roles=(Role("red", (Permission("wamp.", frozenset({"call"})),)),),
    )
    async with serve(realm) as router:
        for procedure, args, victims in (
            ("wamp.session.kill_by_authid", ["ann"], {1, 2}),
            ("wamp.session.kill_by_authrole", ["user"], {3}),
            ("wamp.session.kill_by_authrole", ["nobody"], set()),
            ("wamp.session.kill_all", [], {1, 2, 3, 4}),
        ):
            peers = [await login(router, name) for name in ("ann", "ann", "ann", "ben")]
            peers.append(await (await Peer.connect(router.urls[0])).join())
            answer = await peers[0].request(48, {}, procedure, args)
            assert answer[0] == 50
            ids = [peers[i].session for i in sorted(victims)]
            assert answer[3] == [ids if procedure.endswith("authid") else len(ids)], procedure
            for i, peer in enumerate(peers):
                if i in victims:
                    assert (await peer.receive())[2] == "wamp.close.killed", (procedure, i)
                else:
                    assert await peer.silent(), (procedure, i)
                await peer.close()
            while router.realms[REALM].sessions:
                await asyncio.sleep(0.01)


async def add_testament(peer: Peer, *args: Any, **kwargs: Any) -> list[Any]:
    return await peer.request(48, {}, "wamp.session.add_testament", list(args), kwargs)


async def test_testaments_at_every_end_of_a_session():
    for how in ("goodbye", "lost", "violation", "killed"):
        async with (
            serve(ADMINISTERED) as router,
            joined(router) as heir,
            joined(router) as one,
        ):
            await heir.subscribe("com.will", match="prefix")
            assert await add_testament(one, "com.will.a", [1], {}) == [50, 1, {}]
            await add_testament(one, "com.will.b", [2], {"k": 3}, scope="destroyed")
            await add_testament(one, "com.will.c", [], {}, scope="detached")
            await add_testament(
                one, "com.will.d", [], {}, publish_options={"eligible": [one.session]}
            )
            if how == "goodbye":
                await one.send(6, {}, "wamp.close.close_realm")
            elif how == "violation":
                await one.send(99)
            elif how == "killed":
                await heir.request(48, {}, "wamp.session.kill", [one.session])
            else:
                await one.close()
            events = [await heir.receive() for _ in range(3)]
            assert [event[3]["topic"] for event in events] == [
                "com.will.c",
                "com.will.a",
                "com.will.b",
            ], how
            assert [event[4:] for event in events] == [[], [[1]], [[2], {"k": 3}]], how
            assert await heir.silent(), how


async def test_testaments_flushed_retained_disclosed():
    async with serve() as router, joined(router) as heir:
        await heir.subscribe("com.will")
        async with joined(router) as one:
            await add_testament(one, "com.will", ["gone"], {}, scope="detached")
            await add_testament(one, "com.will", ["gone"], {})
            for kwargs in ({}, {"scope": "detached"}):
                answer = await one.request(48, {}, "wamp.session.flush_testaments", [], kwargs)
                assert answer[0] == 50
            options = {"retain": True, "disclose_me": True}
            await add_testament(one, "com.will", ["last"], {}, publish_options=options)
        event = await heir.receive()
        assert event[4] == ["last"] and event[3]["publisher"] == one.session
        async with joined(router) as late:
            await late.subscribe("com.will", get_retained=True)
            assert (await late.receive())[4] == ["last"]


async def test_retained_testaments_count_their_octets():
    async with serve(limits=Limits(retained_octets=1500)) as router, joined(router) as heir:
        await heir.subscribe("wamp.session.on_leave")
        for topic in ("com.a", "com.b"):
            async with joined(router) as one:
                kwargs = {"publish_options": {"retain": True}}
                await add_testament(one, topic, ["x" * 1000], {}, **kwargs)
            await heir.receive()
        await heir.subscribe("com.a", get_retained=True)
        assert await heir.silent()
        await heir.subscribe("com.b", get_retained=True)
        assert (await heir.receive())[4] == ["x" * 1000]


async def test_testaments_that_cannot_be():
    limits = Limits(testaments=2, testament_octets=2000)
    async with serve(limits=limits) as router, joined(router) as one:
        rows: list[tuple[list[Any], dict[str, Any], str]] = [
            ([], {}, "wamp.error.invalid_argument"),
            (["com.a"], {}, "wamp.error.invalid_argument"),
            (["com.a", []], {}, "wamp.error.invalid_argument"),
            ([1, [], {}], {}, "wamp.error.invalid_argument"),
            (["com.a", {}, {}], {}, "wamp.error.invalid_argument"),
            (["com.a", [], []], {}, "wamp.error.invalid_argument"),
            (["a b", [], {}], {}, "wamp.error.invalid_uri"),
            (["wamp.a", [], {}], {}, "wamp.error.invalid_uri"),
            (["com.a", [], {}], {"scope": "ever"}, "wamp.error.invalid_argument"),
            (["com.a", [], {}], {"publish_options": []}, "wamp.error.invalid_argument"),
            (["com.a", [], {}], {"publish_options": {"retain": 1}}, "wamp.error.invalid_argument"),
            (["com.a", ["x" * 2000], {}], {}, "microwamp.error.limit_exceeded"),
        ]
        for args, kwargs, reason in rows:
            answer = await add_testament(one, *args, **kwargs)
            assert answer[:2] == [8, 48] and answer[4] == reason, (args, kwargs, answer)
        for expected in (50, 50, 8):
            assert (await add_testament(one, "com.a", [], {}))[0] == expected


GUARDED = RealmConfig(
    REALM,
    anonymous="free",
    principals=(Principal("ann", role="sensor", ticket="t"),),
    roles=(
        Role(
            "sensor",
            (
                Permission("com.example.", frozenset({"publish", "call"})),
                Permission("com.example.secret.", frozenset()),
                Permission("com.own.", frozenset({"register", "subscribe"})),
                Permission("wamp.session.count", frozenset({"call"})),
                Permission("wamp.session.add_testament", frozenset({"call"})),
            ),
        ),
    ),
)


async def test_what_a_role_may_do():
    async with serve(GUARDED) as router, joined(router) as free:
        ann = await login(router, "ann")
        async with ann:
            await free.register("com.example", match="prefix")
            rows: list[tuple[int, dict[str, Any], str, bool]] = [
                (16, {"acknowledge": True}, "com.example.t", True),
                (16, {"acknowledge": True}, "com.example.secret.t", False),
                (16, {"acknowledge": True}, "com.own.t", False),
                (16, {"acknowledge": True}, "com.exampl", False),
                (48, {}, "com.example.secret.f", False),
                (48, {}, "com.other", False),
                (48, {}, "wamp.session.count", True),
                (48, {}, "wamp.session.kill_all", False),
                (32, {}, "com.own.t", True),
                (32, {}, "com.example.t", False),
                (32, {"match": "prefix"}, "com.own.", True),
                (32, {"match": "prefix"}, "com.own", False),
                (32, {"match": "prefix"}, "", False),
                (32, {"match": "wildcard"}, "com.own..x", True),
                (32, {"match": "wildcard"}, "com..own", False),
                (32, {}, "wamp.session.on_join", False),
                (64, {}, "com.own.f", True),
                (64, {}, "com.example.f", False),
                (64, {"match": "prefix"}, "com", False),
                (64, {"match": "wildcard"}, "com.own.", True),
            ]
            for code, options, uri, good in rows:
                answer = await ann.request(code, options, uri)
                what = (code, options, uri, answer)
                assert (answer[0] != 8) is good, what
                if not good:
                    assert answer[:5] == [
                        *(8, code, ann._request, {}),
                        "wamp.error.not_authorized",
                    ], what
            await ann.send(48, ann.next(), {}, "com.example.f")
            assert (await free.receive())[0] == 68
            answer = await add_testament(ann, "com.own.t", [], {})
            assert answer[4] == "wamp.error.not_authorized"
            assert (await add_testament(ann, "com.example.t", [], {}))[0] == 50
            # Plain publications are refused without a word; bad URIs stay bad URIs.
            await free.subscribe("com.own.t")
            await ann.send(16, ann.next(), {}, "com.own.t")
            assert await ann.silent() and await free.silent()
            assert (await ann.request(32, {}, "a b"))[4] == "wamp.error.invalid_uri"


async def test_a_role_that_is_not_configured_may_do_everything_but_administer():
    async with serve(GUARDED) as router, joined(router) as free:
        await free.subscribe("com.", match="prefix")
        await free.register("com.f")
        assert (await free.request(48, {}, "wamp.session.list"))[0] == 50
        for procedure in ADMINISTRATION:
            answer = await free.request(48, {}, procedure, [1, 1])
            assert answer[4] == "wamp.error.not_authorized", procedure


async def test_a_permission_for_everything_is_none_to_administer():
    for allow, good in (
        ((Permission(),), False),
        ((Permission(), Permission("wamp.session.kill", frozenset({"call"}))), True),
        ((Permission(), Permission("wamp.session.kill", frozenset({"subscribe"}))), False),
        ((Permission("wamp.", frozenset({"call"})),), True),
        ((Permission("wamp", frozenset({"call"})),), False),
    ):
        realm = RealmConfig(REALM, anonymous="guest", roles=(Role("guest", allow),))
        async with serve(realm) as router, joined(router) as one:
            answer = await one.request(48, {}, "wamp.session.kill_all")
            assert (answer[0] == 50) is good, allow
