"""Progressive call invocations: advanced profile, chapter of that name, sentence by sentence."""

from __future__ import annotations

from typing import Any

from peer import BASIC, Peer, joined, serve, without

from microwamp.router import Limits
from microwamp.router.calls import REMEMBERED


async def part(
    caller: Peer, request: int, *payload: Any, more: bool = True, **options: Any
) -> None:
    """One CALL of a progressive call."""
    progress = {"progress": True} if more else {}
    await caller.send(48, request, {**progress, **options}, "com.f", *payload)


async def test_parts_go_to_the_callee_under_one_number():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        registration = await callee.register("com.f")
        request = caller.next()
        await part(caller, request, [0])
        await part(caller, request, [1], {"k": 1})
        await part(caller, request, [2], more=False)
        assert await callee.receive() == [68, 1, registration, {"progress": True}, [0]]
        assert await callee.receive() == [68, 1, registration, {"progress": True}, [1], {"k": 1}]
        assert await callee.receive() == [68, 1, registration, {}, [2]]
        await callee.send(70, 1, {}, [3])
        assert await caller.receive() == [50, request, {}, [3]]
        assert await caller.silent() and await callee.silent()


async def test_an_explicit_false_ends_it_too():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        registration = await callee.register("com.f")
        request = caller.next()
        await part(caller, request)
        await caller.send(48, request, {"progress": False}, "com.f", [2])
        assert (await callee.receive())[3] == {"progress": True}
        assert await callee.receive() == [68, 1, registration, {}, [2]]


async def test_other_requests_may_come_in_between():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.f")
        await callee.register("com.g")
        request = caller.next()
        await part(caller, request, [0])
        await caller.send(48, caller.next(), {}, "com.g")
        await part(caller, request, [1], more=False)
        assert await caller.silent()
        assert [(await callee.receive())[1] for _ in range(3)] == [1, 2, 1]


async def test_options_are_frozen_with_the_first_call():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.", match="prefix")
        request = caller.next()
        await part(caller, request, [0], disclose_me=True, receive_progress=True)
        wrong: dict[str, Any] = {"disclose_me": 5, "timeout": -1, "receive_progress": "no"}
        await part(caller, request, [1], **wrong)
        await part(caller, request, [2], more=False, disclose_me=False)
        first, second, last = [(await callee.receive())[3] for _ in range(3)]
        assert first == second == {**last, "progress": True}
        assert last["caller"] == caller.session and last["receive_progress"] is True
        assert last["procedure"] == "com.f"


async def test_results_and_parts_cross():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.f")
        request = caller.next()
        for i in range(3):
            await part(caller, request, [i], more=i < 2, receive_progress=True)
            assert (await callee.receive())[4] == [i]
            await callee.send(70, 1, {"progress": True}, [i])
            assert await caller.receive() == [50, request, {"progress": True}, [i]]
        await callee.send(70, 1, {})
        assert await caller.receive() == [50, request, {}]


async def test_all_parts_go_to_the_callee_of_the_first():
    async with (
        serve() as router,
        joined(router) as one,
        joined(router) as two,
        joined(router) as caller,
    ):
        for callee in (one, two):
            await callee.register("com.f", invoke="roundrobin")
        requests = [caller.next(), caller.next()]
        for i in range(3):
            for request in requests:
                await part(caller, request, [request, i], more=i < 2)
        for callee, request in zip((one, two), requests, strict=True):
            assert [(await callee.receive())[4] for _ in range(3)] == [
                [request, i] for i in range(3)
            ]
            assert await callee.silent()


async def test_a_callee_that_cannot_is_no_callee():
    unable = (
        BASIC,
        without(callee=("progressive_call_invocations",)),
        without(callee=("call_canceling",)),
    )
    for roles in unable:
        async with (
            serve() as router,
            joined(router, roles=roles) as callee,
            joined(router) as caller,
        ):
            await callee.register("com.f")
            request = caller.next()
            await part(caller, request)
            # The caller cannot know yet.
            await part(caller, request)
            await part(caller, request, more=False)
            answer = await caller.receive()
            assert answer[:5] == [8, 48, request, {}, "wamp.error.feature_not_supported"]
            assert await caller.silent() and await callee.silent()
            assert router.counters["parts of calls that had ended"] == 2


async def test_a_refused_call_may_have_more_parts_on_their_way():
    async with serve() as router, joined(router) as caller:
        for procedure, reason in (
            ("com.f", "no_such_procedure"),
            ("a b", "invalid_uri"),
            ("wamp.session.count", "feature_not_supported"),
        ):
            request = caller.next()
            await caller.send(48, request, {"progress": True}, procedure)
            await caller.send(48, request, {"progress": True}, procedure)
            await caller.send(48, request, {}, procedure)
            answer = await caller.receive()
            assert answer[:5] == [8, 48, request, {}, "wamp.error." + reason]
            assert await caller.silent()
        # After the last part there is nothing left to come.
        await caller.send(48, request, {}, procedure)
        assert "no progressive call" in await caller.aborted()


async def test_parts_that_come_after_the_end_are_dropped():
    for how in ("result", "error", "callee leaves", "cancel"):
        async with serve() as router, joined(router) as callee, joined(router) as caller:
            await callee.register("com.f")
            request = caller.next()
            await part(caller, request)
            await callee.receive()
            if how == "result":
                await callee.send(70, 1, {})
            elif how == "error":
                await callee.send(8, 68, 1, {}, "com.e")
            elif how == "cancel":
                await caller.send(49, request, {})
            else:
                await callee.close()
            assert (await caller.receive())[0] in (8, 50), how
            await part(caller, request)
            await part(caller, request, more=False)
            assert await caller.silent(), how


async def test_parts_after_cancel_with_kill_do_not_reach_the_callee():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.f")
        request = caller.next()
        await part(caller, request)
        await callee.receive()
        await caller.send(49, request, {"mode": "kill"})
        await part(caller, request)
        await part(caller, request, more=False)
        assert await callee.receive() == [69, 1, {"mode": "kill"}]
        assert await callee.silent()
        await callee.send(8, 68, 1, {}, "wamp.error.canceled")
        assert (await caller.receive())[:5] == [8, 48, request, {}, "wamp.error.canceled"]


async def test_a_caller_that_leaves_in_the_middle():
    async with serve() as router, joined(router) as callee:
        await callee.register("com.f")
        async with joined(router) as caller:
            await part(caller, 1)
            assert (await callee.receive())[3] == {"progress": True}
        assert await callee.receive() == [69, 1, {"mode": "killnowait"}]
        await callee.send(8, 68, 1, {}, "wamp.error.canceled")
        assert await callee.silent()


async def test_what_is_no_continuation():
    rows: list[tuple[list[list[Any]], str]] = [
        # A gap.
        ([[48, 1, {"progress": True}, "com.f"], [48, 3, {}, "com.f"]], "2 is the next"),
        # A call that was never progressive.
        ([[48, 1, {}, "com.f"], [48, 1, {}, "com.f"]], "was not progressive"),
        ([[48, 1, {}, "com.f"], [48, 1, {"progress": True}, "com.f"]], "was not progressive"),
        # Its last part was sent.
        (
            [[48, 1, {"progress": True}, "com.f"], [48, 1, {}, "com.f"], [48, 1, {}, "com.f"]],
            "its last part was sent",
        ),
        # Another procedure.
        (
            [[48, 1, {"progress": True}, "com.f"], [48, 1, {}, "com.g"]],
            "is of com.f, not of com.g",
        ),
        # The id of another request.
        ([[32, 1, {}, "com.t"], [48, 1, {"progress": True}, "com.f"]], "no progressive call 1"),
        # A call that ended.
        ([[48, 1, {}, "com.nobody"], [48, 1, {}, "com.nobody"]], "no progressive call 1"),
        (
            [[48, 1, {"progress": True}, "com.nobody"], [48, 1, {}, "com.f"]],
            "is of com.nobody, not of com.f",
        ),
        # Types are types in every part.
        (
            [[48, 1, {"progress": True}, "com.f"], [48, 1, {"progress": 1}, "com.f"]],
            "CALL.progress",
        ),
        # The form of the payload is frozen too.
        (
            [
                [48, 1, {"progress": True, "ppt_scheme": "x_a"}, "com.f", [b""]],
                [48, 1, {}, "com.f", ["clear"]],
            ],
            "one binary item",
        ),
        (
            [[48, 1, {"progress": True}, "com.f", []], [48, 1, {}, "com.f", b"octets"]],
            "began with a list of args",
        ),
    ]
    for messages, words in rows:
        async with serve() as router, joined(router) as callee, joined(router) as caller:
            await callee.register("com.f")
            for message in messages:
                await caller.send(*message)
            while (answer := await caller.receive())[0] != 3:
                assert answer[0] in (8, 33)
            assert answer[2] == "wamp.error.protocol_violation"
            assert words in answer[1]["message"], (messages, answer)


async def test_without_the_feature_the_id_is_just_wrong():
    roles = without(caller=("progressive_call_invocations",))
    async with serve() as router, joined(router) as callee, joined(router, roles=roles) as caller:
        await callee.register("com.f")
        await caller.send(48, 1, {}, "com.f")
        await caller.send(48, 1, {}, "com.f")
        assert "CALL.request is 1, 2 is the next" in await caller.aborted()


async def test_a_part_that_is_too_long_for_the_callee_ends_the_call():
    async with (
        serve() as router,
        joined(router, length=1) as callee,
        joined(router) as caller,
    ):
        await callee.register("com.f")
        request = caller.next()
        await part(caller, request, ["fits"])
        await part(caller, request, ["x" * 2000])
        await part(caller, request, ["on its way"], more=False)
        answer = await caller.receive()
        assert answer[:5] == [8, 48, request, {}, "wamp.error.payload_size_exceeded"]
        assert (await callee.receive())[4] == ["fits"]
        assert await callee.receive() == [69, 1, {"mode": "killnowait"}]
        # Nobody lost count.
        await caller.send(48, caller.next(), {}, "com.f")
        assert (await callee.receive())[1] == 2
        assert await caller.silent()


async def test_the_first_part_too_long_leaves_no_gap():
    async with (
        serve() as router,
        joined(router, length=1) as callee,
        joined(router) as caller,
    ):
        await callee.register("com.f")
        await part(caller, caller.next(), ["x" * 2000])
        assert (await caller.receive())[4] == "wamp.error.payload_size_exceeded"
        await part(caller, 1, more=False)
        await caller.send(48, caller.next(), {}, "com.f")
        assert (await callee.receive())[1] == 1


async def test_ended_calls_are_forgotten_but_tolerated():
    count = REMEMBERED + 10
    async with serve() as router, joined(router) as caller:
        for _ in range(count):
            await part(caller, caller.next())
            assert (await caller.receive())[4] == "wamp.error.no_such_procedure"
        for request in (1, 10, 11, count):
            await part(caller, request)
        assert await caller.silent()
        await part(caller, count, more=False)
        await part(caller, count, more=False)
        assert "no progressive call" in await caller.aborted()


async def test_parts_count_as_one_call():
    async with (
        serve(limits=Limits(calls=1)) as router,
        joined(router) as callee,
        joined(router) as caller,
    ):
        await callee.register("com.f", concurrency=1)
        request = caller.next()
        for i in range(5):
            await part(caller, request, [i])
            assert (await callee.receive())[4] == [i]
        await part(caller, request, more=False)
        await callee.receive()
        await callee.send(70, 1, {})
        assert (await caller.receive())[0] == 50
        await part(caller, caller.next(), more=False)
        assert (await callee.receive())[1] == 2
