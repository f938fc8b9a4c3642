"""What the client declares: handlers, their answers, confirmation, removal, replay, revocation."""

import asyncio

from script import Router, Scripted, fails, settled, until

import wamp
from wamp.errors import ApplicationError, LocalProtocolError, RequestTimeout, TransportLost

TAKEN = "wamp.error.procedure_already_exists"


async def later(value):
    await asyncio.sleep(0.002)
    return value


async def invoke(router, registration, *rest, **details):
    """Send an INVOCATION and return its answer."""
    request = router.new_id()
    router.take()
    router.send([68, request, registration, details] + list(rest))
    answers = []

    def answered():
        for m in router.heard:
            if (m[0] == 70 and m[1] == request) or (m[0] == 8 and m[2] == request):
                answers.append(m)
        return answers

    await until(answered)
    await settled()
    assert len(router.take(70, 8)) == 1, "one answer expected"
    assert answers[0][1] == (request if answers[0][0] == 70 else 68)
    return answers[0]


def deep(n):
    value = []
    for _ in range(n):
        value = [value]
    return value


# What a handler returns, and the payload of YIELD.
RETURNS = (
    (None, []),
    (5, [[5]]),
    (0, [[0]]),
    ("", [[""]]),
    ([], [[[]]]),
    ([1, 2], [[[1, 2]]]),
    ((1, 2), [[[1, 2]]]),
    ({"x": 1}, [[{"x": 1}]]),
    (b"\x00", [[b"\x00"]]),
    (wamp.Result(), []),
    (wamp.Result(1, 2), [[1, 2]]),
    (wamp.Result(None), [[None]]),
    (wamp.Result(1, x=2), [[1], {"x": 2}]),
    (wamp.Result(x=2), [[], {"x": 2}]),
)

# What a handler raises; the error and its payload, "..." for a text that begins so.
RAISES = (
    (ValueError("bad value"), "wamp.error.runtime_error", ["ValueError: bad value"], None),
    (KeyError("x" * 5000), "wamp.error.runtime_error", ["KeyError: ..."], None),
    (ApplicationError("com.error"), "com.error", None, None),
    (ApplicationError("com.error", 1, "two"), "com.error", [1, "two"], None),
    (ApplicationError("com.error", x=1), "com.error", [], {"x": 1}),
    (ApplicationError("com.error", 1, x=2), "com.error", [1], {"x": 2}),
    # What cannot be sent is answered all the same, so that the caller need not wait.
    (ApplicationError("com.error", object()), "com.error", ["..."], None),
    (ApplicationError("com.error", "x" * 5000), "com.error", ["..."], None),
    (ApplicationError("com.error", x=object()), "com.error", ["..."], None),
    (LocalProtocolError("no session"), "wamp.error.runtime_error", ["LocalProtocol..."], None),
    (TransportLost("gone"), "wamp.error.runtime_error", ["TransportLost: gone"], None),
)

UNFIT = (
    (object(), "wamp.error.invalid_payload"),
    ([object()], "wamp.error.invalid_payload"),
    (wamp.Result(object()), "wamp.error.invalid_payload"),
    (wamp.Result(x=object()), "wamp.error.invalid_payload"),
    (deep(50), "wamp.error.invalid_payload"),
    (1 << 70000, "wamp.error.payload_size_exceeded"),
    ("x" * 5000, "wamp.error.payload_size_exceeded"),
    (bytes(5000), "wamp.error.payload_size_exceeded"),
    (wamp.Result(x="x" * 5000), "wamp.error.payload_size_exceeded"),
)


def both(function):
    """The handler as it is, and as a coroutine function that takes a moment."""

    async def slowly(*args, **kwargs):
        await asyncio.sleep(0)
        return function(*args, **kwargs)

    return (function, slowly)


async def test_declared_before_the_join():
    router = Router()
    async with Scripted(router, join=False) as client:

        @client.register("com.add")
        def add(a, b=0):
            return a + b

        @client.subscribe("com.", match="prefix", get_retained=True)
        def event(*args):
            pass

        assert add(1, 2) == 3  # the decorator gives the function back
        await client.join()
        assert router.take(64, 32) == [
            [64, 1, {}, "com.add"],
            [32, 2, {"match": "prefix", "get_retained": True}, "com."],
        ]
        assert (await invoke(router, 101, [1, 2]))[2:] == [{}, [3]]
        assert (await invoke(router, 101, [1], {"b": 5}))[2:] == [{}, [6]]


async def test_join_waits_for_the_answers():
    router = Router()
    asked = []
    router.on[64] = router.on[32] = asked.append
    async with Scripted(router, join=False) as client:
        declared = [client.register("com.p%d" % i, print) for i in range(3)]
        declared.append(client.subscribe("com.t", print))
        task = asyncio.create_task(client.join())
        for i in range(4):
            await until(lambda: len(asked) == 4)
            assert not task.done(), i
            router.answer(asked[i])
            await settled()
        await task
        assert [d.id for d in declared] == [101, 102, 103, 104]


async def test_arguments_of_handlers():
    router = Router()
    heard = []

    def handler(*args, **kwargs):
        heard.append((args, kwargs))

    async with Scripted(router) as client:
        plain = await client.subscribe("com.t", handler).confirmed()
        detailed = await client.subscribe("com.u", handler, details=True).confirmed()
        for rest, args, kwargs in (
            ([], (), {}),
            ([None], (), {}),
            ([[1, [2]]], (1, [2]), {}),
            ([[], {"x": 1}], (), {"x": 1}),
            ([None, {"x": 1}], (), {"x": 1}),
        ):
            router.send([36, plain.id, 5, {"topic": "com.t"}] + rest)
            router.send([36, detailed.id, 6, {"publisher": 7}] + rest)
            await until(lambda: len(heard) == 2)
            assert heard[0] == (args, kwargs), rest
            assert heard[1] == (args + ({"publisher": 7, "publication": 6},), kwargs), rest
            del heard[:]
        plain = await client.register("com.p", handler).confirmed()
        detailed = await client.register("com.q", handler, details=True).confirmed()
        await invoke(router, plain.id, [1], {"x": 2}, caller=5)
        await invoke(router, detailed.id, [1], {"x": 2}, caller=5)
        assert heard == [((1,), {"x": 2}), ((1, {"caller": 5}), {"x": 2})]


async def test_what_handlers_return():
    router = Router()
    async with Scripted(router) as client:
        for value, payload in RETURNS:
            for handler in both(lambda: value):
                declared = await client.register("com.p", handler).confirmed()
                answer = await invoke(router, declared.id)
                assert answer[0] == 70 and answer[2:] == [{}] + payload, (value, answer)


async def test_what_handlers_raise():
    router = Router()
    router.handshake = b"\x7f\x13\x00\x00"  # 1024 octets
    async with Scripted(router) as client:
        for error, uri, args, kwargs in RAISES:

            def handler():
                raise error

            for function in both(handler):
                declared = await client.register("com.p", function).confirmed()
                answer = await invoke(router, declared.id)
                assert answer[0] == 8 and answer[4] == uri, (error, answer)
                found = answer[5] if len(answer) > 5 else None
                if args and type(args[0]) is str and args[0].endswith("..."):
                    assert found[0].startswith(args[0][:-3]) and len(found[0]) <= 200, found
                else:
                    assert found == args, (error, answer)
                assert (answer[6] if len(answer) > 6 else None) == kwargs, (error, answer)
        assert client.joins == 1


async def test_errors_whose_uri_is_none():
    # crossbar resets the connection for such an ERROR: it must not go out.
    router = Router()
    async with Scripted(router) as client:
        for uri in ("no uri", "", "com..x", None, 5):

            def handler():
                raise ApplicationError(uri, "text")

            declared = await client.register("com.p", handler).confirmed()
            answer = await invoke(router, declared.id)
            assert answer[4] == "wamp.error.runtime_error", (uri, answer)


async def test_what_handlers_return_and_cannot_be_sent():
    router = Router()
    router.handshake = b"\x7f\x13\x00\x00"  # 1024 octets
    async with Scripted(router) as client:
        for value, uri in UNFIT:
            for handler in both(lambda: value):
                declared = await client.register("com.p", handler).confirmed()
                answer = await invoke(router, declared.id)
                assert answer[0] == 8 and answer[4] == uri, answer[:5]
        assert client.joins == 1


async def test_handlers_of_events_that_raise():
    router = Router()
    heard = []

    def handler(n):
        heard.append(n)
        raise ValueError("number %d" % n)

    scripted = Scripted(router)
    async with scripted as client:
        for function in both(handler):
            declared = await client.subscribe("com.t", function).confirmed()
            for n in range(3):
                router.send([36, declared.id, 5, {}, [n]])
            router.send([36, declared.id, 5, {}])  # an argument is missing
            router.send([36, declared.id, 5, {}, [1], {"x": 2}])  # one too many
            await until(lambda: len(heard) == 3)
            await settled()
            del heard[:]
        assert client.joins == 1
    text = "\n".join(scripted.log)
    assert text.count("handler of com.t") == 10 and "ValueError: number 2" in text, text


async def test_coroutine_handlers_run_side_by_side():
    router = Router()
    gate = asyncio.Event()

    async def wait(n):
        await gate.wait()
        return n

    async with Scripted(router) as client:
        slow = await client.register("com.slow", wait).confirmed()
        fast = await client.register("com.fast", lambda: "fast").confirmed()
        for n in range(20):
            router.send([68, 1000 + n, slow.id, {}, [n]])
        await settled()
        assert (await invoke(router, fast.id))[3] == ["fast"]
        # A handler may use the client while it is called.
        gate.set()
        await until(lambda: len(router.heard) == 20)
        assert sorted([m[1:] for m in router.take(70)]) == [[1000 + n, {}, [n]] for n in range(20)]


async def test_handler_that_calls():
    router = Router()
    async with Scripted(router) as client:

        async def handler(n):
            return await client.call("com.x", n) + 1

        declared = await client.register("com.p", handler).confirmed()
        assert (await invoke(router, declared.id, [5]))[3] == [6]


async def test_flood_of_events():
    router = Router()
    gate = asyncio.Event()
    heard = []

    async def handler(n):
        await gate.wait()
        heard.append(n)

    async with Scripted(router) as client:
        declared = await client.subscribe("com.t", handler).confirmed()
        router.send(*[[36, declared.id, 5, {}, [n]] for n in range(500)])
        assert await client.call("com.x", 1) == 1
        assert 0 < len(client._tasks) < 500 and client.dropped == 500 - len(client._tasks)
        gate.set()
        await until(lambda: len(heard) == 500 - client.dropped)
        assert heard == list(range(len(heard)))


# -- confirmation and removal


async def test_declared_in_a_session():
    router = Router()
    async with Scripted(router) as client:
        declared = client.register("com.p", print, invoke="roundrobin")
        assert declared.uri == "com.p" and declared.id is None and declared.error is None
        assert await declared.confirmed() is declared
        assert declared.id == 101
        assert router.take(64) == [[64, 1, {"invoke": "roundrobin"}, "com.p"]]


async def test_declarations_that_are_wrong():
    router = Router()
    async with Scripted(router) as client:
        for declare, uri, options in (
            (client.register, "", {}),
            (client.register, "no uri", {}),
            (client.register, "com..p", {}),
            (client.subscribe, "com.", {}),
            (client.subscribe, "com.", {"match": "regex"}),
            (client.subscribe, "com..p", {"match": "exact"}),
            (client.subscribe, "com.t", {"matches": "prefix"}),
            (client.register, "com.p", {"concurrency": 0}),
            (client.register, "com.p", {"get_retained": True}),
        ):
            try:
                declare(uri, print, **options)
            except LocalProtocolError:
                continue
            raise AssertionError("%s %r was taken" % (uri, options))
        assert router.take(32, 64) == [] and client._declarations == []


async def test_refused():
    router = Router()
    router.on[64] = lambda m: router.send([8, 64, m[1], {}, "com.error", ["no"]])
    scripted = Scripted(router, join=False)
    async with scripted as client:
        before = client.register("com.p", print)
        await client.join()  # the others go on
        after = client.register("com.q", print)
        for declared in (before, after):
            error = await fails(ApplicationError, declared.confirmed())
            assert error.error == "com.error" and declared.error is error
            assert declared.id is None
    assert "com.p: com.error: no" in scripted.log


async def test_refused_and_then_granted():
    router = Router()
    router.on[64] = lambda m: router.send([8, 64, m[1], {}, "com.error"])
    async with Scripted(router) as client:
        declared = client.register("com.p", print)
        await fails(ApplicationError, declared.confirmed())
        asked = []
        router.on[64] = asked.append
        router.drop()
        await until(lambda: client.session == 1002 and asked)
        # The answer of the session before is none of this one.
        await fails(RequestTimeout, declared.confirmed(30))
        router.answer(asked[0])
        assert (await declared.confirmed()).id == 101


async def test_taken_name_is_tried_again():
    # The router may hold the session before for a while.
    router = Router()
    refusals = [1, 2, 3]

    def refuse(m):
        if refusals:
            refusals.pop()
            router.send([8, 64, m[1], {}, TAKEN])
        else:
            router.answer(m)

    router.on[64] = refuse
    async with Scripted(router, join=False) as client:
        declared = client.register("com.p", print)
        await client.join()
        await until(lambda: declared.id is not None)
        assert declared.error is None and (await declared.confirmed()) is declared


async def test_not_confirmed():
    router = Router()
    router.on[64] = None
    async with Scripted(router, timeout_ms=30) as client:
        declared = client.register("com.p", print)
        await fails(RequestTimeout, declared.confirmed())
        await fails(RequestTimeout, declared.confirmed(10))


async def test_removed():
    router = Router()
    heard = []
    async with Scripted(router) as client:
        event = await client.subscribe("com.t", heard.append).confirmed()
        procedure = await client.register("com.p", heard.append).confirmed()
        ids = event.id, procedure.id
        router.take()
        await event.remove()
        await procedure.remove()
        assert router.take() == [[34, 3, ids[0]], [66, 4, ids[1]]]
        await event.remove()
        await procedure.remove()
        router.send([36, ids[0], 5, {}, [1]])
        answer = await invoke(router, ids[1], [1])
        assert answer[4] == "wamp.error.no_such_registration" and heard == []
        # Nor are they declared again.
        router.drop()
        await until(lambda: client.joins == 2)
        await settled()
        assert router.take(32, 64) == []


async def test_removed_while_the_line_is_down():
    router = Router()
    async with Scripted(router) as client:
        event = await client.subscribe("com.t", print).confirmed()
        router.on[1] = None
        router.drop()
        await until(lambda: client.session is None)
        await event.remove()
        await router.wait(1, 2)
        router.take()
        router.answer([1, "devices", {}])
        await client.join()
        await settled()
        assert router.take() == []


async def test_removed_at_a_loss():
    router = Router()
    async with Scripted(router) as client:
        event = await client.subscribe("com.t", print).confirmed()
        router.on[34] = lambda m: router.drop()
        # The session has gone, and the subscription with it: that is what was asked for.
        await event.remove()


async def test_removed_before_it_was_confirmed():
    router = Router()
    asked = []
    heard = []
    router.on[32] = router.on[64] = asked.append
    async with Scripted(router) as client:
        event = client.subscribe("com.t", heard.append)
        procedure = client.register("com.p", heard.append)
        await settled()
        for declared in (event, procedure):
            task = asyncio.create_task(declared.remove())
            await settled()
            router.answer(asked.pop(0))
            await task
        router.send([36, 101, 5, {}, [1]])
        router.send([68, 1, 102, {}, [1]])
        await until(lambda: router.heard[-1][:3] == [8, 68, 1])
        assert heard == [], "a handler that was taken off was called"
        # The router must not go on sending.
        assert [m[2] for m in router.take(34, 66)] == [101, 102]


async def test_handlers_of_one_topic():
    router = Router()
    router.on[32] = lambda m: router.send([33, m[1], 77])
    heard = []
    async with Scripted(router) as client:
        first = await client.subscribe("com.t", lambda: heard.append(1)).confirmed()
        second = await client.subscribe("com.t", lambda: heard.append(2)).confirmed()
        router.send([36, 77, 5, {}])
        await until(lambda: heard == [1, 2])
        await first.remove()
        router.take()
        router.send([36, 77, 5, {}])
        await until(lambda: heard == [1, 2, 2])
        await second.remove()
        assert router.take() == [[34, 3, 77]]


# -- replay and revocation


async def test_replay():
    router = Router()
    heard = []
    async with Scripted(router) as client:
        event = await client.subscribe("com.t", heard.append, get_retained=True).confirmed()
        procedure = await client.register("com.p", lambda: "yes").confirmed()
        for n in range(2, 5):
            old = event.id, procedure.id
            router.take()
            router.drop()
            await until(lambda: client.session is None)
            assert event.id is None and procedure.id is None
            await client.join()
            assert router.take(32, 64) == [
                [32, 1, {"get_retained": True}, "com.t"],
                [64, 2, {}, "com.p"],
            ]
            assert event.id not in old and procedure.id not in old
            router.send([36, old[0], 5, {}, [0]], [36, event.id, 5, {}, [n]])
            assert (await invoke(router, procedure.id))[3] == ["yes"]
        assert heard == [2, 3, 4]


async def test_late_answer_of_a_former_session():
    router = Router()
    gates = []

    async def handler(n):
        gate = asyncio.Event()
        gates.append(gate)
        await gate.wait()
        return n

    async with Scripted(router) as client:
        declared = await client.register("com.p", handler).confirmed()
        router.send([68, 7, declared.id, {}, ["old"]])
        await until(lambda: gates)
        router.drop()
        await until(lambda: client.joins == 2)
        await declared.confirmed()
        # The same request id, in the next session.
        router.send([68, 7, declared.id, {}, ["new"]])
        await until(lambda: len(gates) == 2)
        router.take()
        gates[0].set()
        await settled()
        assert router.heard == []
        gates[1].set()
        await router.wait(70)
        assert router.take() == [[70, 7, {}, ["new"]]]


async def test_answer_while_the_line_is_down():
    router = Router()
    gate = asyncio.Event()

    async def handler():
        await gate.wait()
        raise ValueError("too late")

    async with Scripted(router) as client:
        declared = await client.register("com.p", handler).confirmed()
        router.send([68, 7, declared.id, {}])
        await settled()
        router.on[1] = None
        router.drop()
        await router.wait(1, 2)
        router.take()
        gate.set()
        await settled()
        assert router.heard == []


async def test_revoked():
    router = Router()
    async with Scripted(router) as client:
        event = await client.subscribe("com.t", print).confirmed()
        procedure = await client.register("com.p", print).confirmed()
        router.take()
        router.send([35, 0, {"subscription": event.id, "reason": "com.reason"}])
        router.send([67, 0, {"registration": procedure.id}])
        await until(lambda: event.id == 103 and procedure.id == 104)
        # Declared once, true for ever.
        assert [m[0] for m in router.take()] == [32, 64]
        await event.confirmed()
        await procedure.confirmed()


async def test_removed_while_it_is_revoked():
    router = Router()
    async with Scripted(router) as client:
        event = await client.subscribe("com.t", print).confirmed()
        asked = []
        router.on[32] = asked.append
        router.send([35, 0, {"subscription": event.id}])
        await until(lambda: asked)
        task = asyncio.create_task(event.remove())
        await settled()
        router.answer(asked[0])
        await task
        await router.wait(34)
