"""The dealer: registrations, calls, cancelling, progress, callers and callees that go."""

from __future__ import annotations

from typing import Any

from peer import BASIC, REALM, Peer, joined, serve

from microwamp.router import Limits, RealmConfig
from microwamp.router.calls import REMEMBERED
from microwamp.router.patterns import Patterns


async def call(caller: Peer, procedure: str, *payload: Any, **options: Any) -> int:
    """CALL without waiting; its request id."""
    request = caller.next()
    await caller.send(48, request, options, procedure, *payload)
    return request


def test_best_registration_as_the_specification_has_it():
    # Advanced profile, "Calls matching multiple registrations": table and examples.
    table: Patterns[int] = Patterns()
    table.add("a1.b2.c3.d4.e55", "exact", 1)
    table.add("a1.b2.c3", "prefix", 2)
    table.add("a1.b2.c3.d4", "prefix", 3)
    table.add("a1.b2..d4.e5", "wildcard", 4)
    table.add("a1.b2.c3..e5", "wildcard", 5)
    table.add("a1.b2..d4.e5..g7", "wildcard", 6)
    table.add("a1.b2..d4..f6.g7", "wildcard", 7)
    for uri, expected in (
        ("a1.b2.c3.d4.e55", 1),
        ("a1.b2.c3.d98.e74", 2),
        ("a1.b2.c3.d4.e325", 3),
        ("a1.b2.c55.d4.e5", 4),
        ("a1.b2.c88.d4.e5.f6.g7", 6),
        ("a2.b2.c2.d2.e2", None),
    ):
        assert table.best(uri) == expected, uri
    table.remove("a1.b2.c3", "prefix")
    table.remove("a1.b2.c3.d4", "prefix")
    assert table.best("a1.b2.c3.d4.e5") == 5


async def test_call_result_error():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        registration = await callee.register("com.f")
        request = await call(caller, "com.f", [1, b"\0"], {"k": None})
        assert await callee.receive() == [68, 1, registration, {}, [1, b"\0"], {"k": None}]
        await callee.send(70, 1, {}, [], {"z": 1})
        assert await caller.receive() == [50, request, {}, [], {"z": 1}]
        request = await call(caller, "com.f")
        assert await callee.receive() == [68, 2, registration, {}]
        await callee.send(8, 68, 2, {}, "com.example.error", ["text"], {"code": 7})
        assert await caller.receive() == [
            *(8, 48, request, {}, "com.example.error"),
            *(["text"], {"code": 7}),
        ]
        request = await call(caller, "com.f", [], {})
        assert (await callee.receive())[3:] == [{}]
        await callee.send(70, 3, {})
        assert await caller.receive() == [50, request, {}]


async def test_a_session_may_call_itself_and_several_calls_cross():
    async with serve() as router, joined(router) as one:
        registration = await one.register("com.f")
        requests = [await call(one, "com.f", [i]) for i in range(3)]
        for i in range(3):
            assert await one.receive() == [68, i + 1, registration, {}, [i]]
        for i in (2, 0, 1):
            await one.send(70, i + 1, {}, [i])
            assert await one.receive() == [50, requests[i], {}, [i]]


async def test_refusals():
    async with serve() as router, joined(router) as one, joined(router) as two:
        registration = await one.register("com.f")
        rows: list[tuple[Peer, int, list[Any], str]] = [
            (one, 48, [{}, "com.g"], "no_such_procedure"),
            (one, 48, [{}, "wamp.nothing"], "no_such_procedure"),
            (one, 48, [{}, "a b"], "invalid_uri"),
            (one, 48, [{}, "com..f"], "invalid_uri"),
            (one, 64, [{}, "com.f"], "procedure_already_exists"),
            (two, 64, [{}, "com.f"], "procedure_already_exists"),
            (two, 64, [{"invoke": "first"}, "com.f"], "procedure_already_exists"),
            (two, 64, [{}, "wamp.f"], "invalid_uri"),
            (two, 64, [{"match": "prefix"}, "wamp"], "invalid_uri"),
            (two, 64, [{}, "com..f"], "invalid_uri"),
            (two, 64, [{"match": "wildcard"}, "a#b"], "invalid_uri"),
            (two, 66, [registration], "no_such_registration"),
            (one, 66, [registration + 1], "no_such_registration"),
        ]
        for peer, code, rest, reason in rows:
            answer = await peer.request(code, *rest)
            assert answer[:5] == [8, code, peer._request, {}, "wamp.error." + reason], (
                rest,
                answer,
            )
            assert type(answer[5][0]) is str
        assert await one.request(66, registration) == [67, one._request]
        assert (await one.request(48, {}, "com.f"))[4] == "wamp.error.no_such_procedure"
        await two.register("com.f")


async def test_patterns_and_the_procedure_in_the_details():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        exact = await callee.register("com.a.b")
        prefix = await callee.register("com.a", match="prefix")
        wildcard = await callee.register("com..b", match="wildcard")
        for procedure, registration, details in (
            ("com.a.b", exact, {}),
            ("com.a.c", prefix, {"procedure": "com.a.c"}),
            ("com.x.b", wildcard, {"procedure": "com.x.b"}),
        ):
            await call(caller, procedure)
            assert (await callee.receive())[2:] == [registration, details], procedure


async def answered_by(caller: Peer, callees: list[Peer], count: int) -> list[int]:
    """Which of the callees gets each of `count` calls, one after the other."""
    found = []
    for _ in range(count):
        await call(caller, "com.f")
        # The callees answer a probe each; whoever got the INVOCATION has it before that.
        for i, callee in enumerate(callees):
            await callee.send(34, callee.next(), 9_999_999)
            message = await callee.receive()
            if message[0] == 68:
                found.append(i)
                await callee.send(70, message[1], {})
                assert (await callee.receive())[0] == 8
        assert (await caller.receive())[0] == 50
    return found


async def test_invocation_policies():
    for invoke, expected in (
        ("first", [0, 0, 0, 0]),
        ("last", [2, 2, 2, 2]),
        ("roundrobin", [0, 1, 2, 0]),
    ):
        async with serve() as router, joined(router) as caller:
            callees = [await (await Peer.connect(router.urls[0])).join() for _ in range(3)]
            ids = {await callee.register("com.f", invoke=invoke) for callee in callees}
            assert len(ids) == 1
            assert await answered_by(caller, callees, 4) == expected, invoke
            other = "last" if invoke == "first" else "first"
            for wrong in ("single", other):
                answer = await caller.request(64, {"invoke": wrong}, "com.f")
                assert answer[4] == "wamp.error.procedure_already_exists"
            answer = await callees[0].request(64, {"invoke": invoke}, "com.f")
            assert answer[4] == "wamp.error.procedure_already_exists"
            for callee in callees:
                await callee.close()


async def test_invoke_random_and_those_who_leave_the_round():
    async with serve() as router, joined(router) as caller:
        callees = [await (await Peer.connect(router.urls[0])).join() for _ in range(3)]
        for callee in callees:
            registration = await callee.register("com.f", invoke="random")
        chosen = await answered_by(caller, callees, 40)
        assert set(chosen) == {0, 1, 2}
        for callee in callees:
            await callee.request(66, registration)
        for callee in callees:
            registration = await callee.register("com.f", invoke="roundrobin")
        assert await answered_by(caller, callees, 2) == [0, 1]
        await callees[0].request(66, registration)
        assert await answered_by(caller, callees, 3) == [2, 1, 2]
        for callee in callees:
            await callee.close()


async def test_concurrency():
    async with (
        serve() as router,
        joined(router) as one,
        joined(router) as two,
        joined(router) as caller,
    ):
        await one.register("com.f", invoke="first", concurrency=1)
        await two.register("com.f", invoke="first", concurrency=2)
        for _ in range(3):
            await call(caller, "com.f")
        assert (await one.receive())[1] == 1
        assert [(await two.receive())[1] for _ in range(2)] == [1, 2]
        answer = await caller.request(48, {}, "com.f")
        assert answer[4] == "wamp.error.no_available_callee"
        await two.send(70, 2, {})
        assert (await caller.receive())[:2] == [50, 3]
        await call(caller, "com.f")
        assert (await two.receive())[1] == 3


async def test_concurrency_counts_who_still_works():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.f", concurrency=1)
        # Told to stop: free again. Skipped: still at it.
        request = await call(caller, "com.f")
        assert (await callee.receive())[0] == 68
        await caller.send(49, request, {"mode": "killnowait"})
        assert (await caller.receive())[4] == "wamp.error.canceled"
        assert (await callee.receive())[0] == 69
        request = await call(caller, "com.f")
        assert (await callee.receive())[:2] == [68, 2]
        await caller.send(49, request, {"mode": "skip"})
        assert (await caller.receive())[4] == "wamp.error.canceled"
        answer = await caller.request(48, {}, "com.f")
        assert answer[4] == "wamp.error.no_available_callee"
        await callee.send(70, 2, {})
        assert await callee.silent()
        await call(caller, "com.f")
        assert (await callee.receive())[:2] == [68, 3]


async def test_caller_disclosure():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.f")
        await callee.register("com.g", disclose_caller=True)
        disclosed = {
            "caller": caller.session,
            "caller_authid": caller.welcome["authid"],
            "caller_authrole": "anonymous",
        }
        await call(caller, "com.f")
        assert (await callee.receive())[3] == {}
        await call(caller, "com.f", disclose_me=True)
        assert (await callee.receive())[3] == disclosed
        await call(caller, "com.g")
        assert (await callee.receive())[3] == disclosed
    async with (
        serve(RealmConfig(REALM, anonymous="a", disclose=True)) as router,
        joined(router) as callee,
        joined(router) as caller,
    ):
        await callee.register("com.f")
        await call(caller, "com.f")
        assert (await callee.receive())[3]["caller"] == caller.session


async def test_force_reregister():
    for roles, told in ((None, True), (BASIC, False)):
        details: dict[str, Any] = {} if roles is None else {"roles": roles}
        async with serve() as router, joined(router, **details) as one, joined(router) as two:
            await two.subscribe("com.unrelated")
            first = await one.register("com.f")
            second = await two.register("com.f", force_reregister=True)
            if told:
                revoked = await one.receive()
                assert revoked[:2] == [67, 0] and revoked[2]["registration"] == first
            assert first != second
            assert (await one.request(66, first))[4] == "wamp.error.no_such_registration"
            await call(one, "com.f")
            assert (await two.receive())[2] == second
            # Where nobody was, it is an ordinary registration.
            await two.register("com.g", force_reregister=True)


async def test_cancel_modes():
    # (mode, does the callee announce cancelling, INTERRUPT?, ERROR to the caller at once?)
    for mode, able, interrupts, at_once in (
        ("skip", True, None, True),
        ("kill", True, "kill", False),
        ("killnowait", True, "killnowait", True),
        (None, True, "killnowait", True),
        ("skip", False, None, True),
        ("kill", False, None, True),
        ("killnowait", False, None, True),
        (None, False, None, True),
    ):
        what = (mode, able)
        details: dict[str, Any] = {} if able else {"roles": BASIC}
        async with (
            serve() as router,
            joined(router, **details) as callee,
            joined(router) as caller,
        ):
            await callee.register("com.f")
            request = await call(caller, "com.f")
            invocation = (await callee.receive())[1]
            await caller.send(49, request, {} if mode is None else {"mode": mode})
            if at_once:
                error = await caller.receive()
                assert error == [8, 48, request, {}, "wamp.error.canceled"], what
            if interrupts:
                assert await callee.receive() == [69, invocation, {"mode": interrupts}], what
            else:
                assert await callee.silent(), what
            await callee.send(70, invocation, {}, ["late"])
            if not at_once:
                assert await caller.receive() == [50, request, {}, ["late"]], what
            assert await callee.silent(), what
            assert await caller.silent(), what


async def test_cancel_again_and_too_late():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.f")
        request = await call(caller, "com.f")
        await callee.receive()
        await caller.send(49, request, {"mode": "kill"})
        await caller.send(49, request, {"mode": "kill"})
        assert await callee.receive() == [69, 1, {"mode": "kill"}]
        assert await callee.silent()
        await caller.send(49, request, {"mode": "killnowait"})
        assert (await caller.receive())[4] == "wamp.error.canceled"
        await callee.send(8, 68, 1, {}, "wamp.error.canceled")
        await caller.send(49, request, {"mode": "killnowait"})
        await caller.send(49, 1, {})
        assert await caller.silent() and await callee.silent()
        assert router.counters["answers nobody waited for"] == 1


async def test_progressive_results():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.f")
        request = await call(caller, "com.f", receive_progress=True)
        assert (await callee.receive())[3] == {"receive_progress": True}
        for i in range(3):
            await callee.send(70, 1, {"progress": True}, [i])
            assert await caller.receive() == [50, request, {"progress": True}, [i]]
        await callee.send(70, 1, {})
        assert await caller.receive() == [50, request, {}]
        request = await call(caller, "com.f", receive_progress=True)
        await callee.receive()
        await callee.send(70, 2, {"progress": True})
        assert await caller.receive() == [50, request, {"progress": True}]
        await callee.send(8, 68, 2, {}, "com.e")
        assert await caller.receive() == [8, 48, request, {}, "com.e"]


async def test_progress_needs_all_three():
    unable: dict[str, Any] = {
        **BASIC,
        "callee": {"features": {"progressive_call_results": True}},  # but no call_canceling
    }
    for of_callee, of_caller in ((BASIC, None), (unable, None), (None, BASIC)):
        callee_details: dict[str, Any] = {} if of_callee is None else {"roles": of_callee}
        caller_details: dict[str, Any] = {} if of_caller is None else {"roles": of_caller}
        async with (
            serve(RealmConfig(REALM, anonymous="anonymous", lenient=True)) as router,
            joined(router, **callee_details) as callee,
            joined(router, **caller_details) as caller,
        ):
            await callee.register("com.f")
            await call(caller, "com.f", receive_progress=True)
            assert (await callee.receive())[3] == {}


async def test_callee_gone():
    for how in ("goodbye", "lost", "abort"):
        async with serve() as router, joined(router) as callee, joined(router) as caller:
            await callee.register("com.f")
            requests = [await call(caller, "com.f"), await call(caller, "com.f")]
            await callee.receive()
            if how == "goodbye":
                await callee.send(6, {}, "wamp.close.close_realm")
            elif how == "abort":
                await callee.send(3, {}, "com.reason")
            else:
                await callee.close()
            for request in requests:
                answer = await caller.receive()
                assert answer[:5] == [8, 48, request, {}, "wamp.error.canceled"], how
            answer = await caller.request(48, {}, "com.f")
            assert answer[4] == "wamp.error.no_such_procedure"


async def test_caller_gone():
    for able in (True, False):
        details: dict[str, Any] = {} if able else {"roles": BASIC}
        async with serve() as router, joined(router, **details) as callee:
            await callee.register("com.f")
            await callee.subscribe("wamp.session.on_leave")
            async with joined(router) as caller:
                await call(caller, "com.f")
                assert (await callee.receive())[:2] == [68, 1]
            message = await callee.receive()
            if able:
                assert message == [69, 1, {"mode": "killnowait"}]
                message = await callee.receive()
            assert message[0] == 36
            await callee.send(70, 1, {}, ["for nobody"])
            assert await callee.silent()


async def test_a_callee_that_calls_itself_and_goes():
    async with serve() as router, joined(router) as watcher:
        await watcher.subscribe("wamp.session.on_leave")
        async with joined(router) as one:
            await one.register("com.f")
            await call(one, "com.f")
            assert (await one.receive())[0] == 68
        assert (await watcher.receive())[0] == 36
        await watcher.register("com.f")


async def test_answers_nobody_waits_for_are_forgotten_but_tolerated():
    count = REMEMBERED + 50
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.f")
        for _ in range(count):
            request = await call(caller, "com.f")
            await caller.send(49, request, {"mode": "skip"})
            assert (await caller.receive())[0] == 8
        for i in range(count):
            assert (await callee.receive())[:2] == [68, i + 1]
        for i in (0, 49, 50, count - 1):
            await callee.send(70, i + 1, {})
        assert await callee.silent()
        await callee.send(70, count, {})
        assert "is not open" in await callee.aborted()


async def test_limits_on_calls_and_registrations():
    limits = Limits(calls=2, registrations=2)
    async with serve(limits=limits) as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.f")
        registration = await callee.register("com.g")
        answer = await callee.request(64, {}, "com.h")
        assert answer[4] == "microwamp.error.limit_exceeded"
        await callee.request(66, registration)
        await callee.register("com.h")
        await call(caller, "com.f")
        await call(caller, "com.f")
        answer = await caller.request(48, {}, "com.f")
        assert answer[4] == "microwamp.error.limit_exceeded"
        assert (await callee.receive())[0] == 68
        await callee.send(70, 1, {})
        assert (await caller.receive())[:2] == [50, 1]
        await call(caller, "com.f")
        assert (await callee.receive())[:2] == [68, 2]
        assert (await callee.receive())[:2] == [68, 3]


async def test_a_large_payload_goes_both_ways():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.f")
        octets = bytes(range(256)) * 256
        request = await call(caller, "com.f", [octets])
        assert (await callee.receive())[4] == [octets]
        await callee.send(70, 1, {}, [octets])
        assert await caller.receive() == [50, request, {}, [octets]]
