"""The client's calls of more than one part, cancelled calls and handlers, and opaque payloads."""

import asyncio

from script import Router, Scripted, fails, settled, until

import wamp
from wamp.errors import ApplicationError, LocalProtocolError, RequestTimeout, TransportLost
from wamp.progress import ProgressiveCall

CANCELED = "wamp.error.canceled"


def announcing():
    """A router with the features of RPC that the client makes use of."""
    router = Router()
    router.announce(
        "dealer",
        "call_canceling",
        "progressive_call_results",
        "progressive_call_invocations",
        "payload_passthru_mode",
    )
    router.announce("broker", "payload_passthru_mode")
    router.on[49] = None
    return router


async def invoked(router, declared, request=7, *rest, **details):
    """Send an INVOCATION, and forget what was heard before."""
    router.take()
    router.send([68, request, declared.id, details] + list(rest))
    await settled()


# -- progressive results


async def test_progressive_results():
    router = announcing()

    def results(m):
        for n in range(3):
            router.send([50, m[1], {"progress": True}, [n], {"x": n}])
        router.send([50, m[1], {"progress": True}], [50, m[1], {}, ["end"]])

    router.on[48] = results
    heard = []
    async with Scripted(router) as client:

        def progress(*args, **kwargs):
            heard.append((args, kwargs))

        assert await client.call("com.x", 1, on_progress=progress) == "end"
        assert heard == [((n,), {"x": n}) for n in range(3)] + [((), {})]
        assert router.heard[-1] == [48, 1, {"receive_progress": True}, "com.x", [1]]
        # Nobody asked: the call goes on.
        del heard[:]
        assert await client.call("com.x") == "end" and heard == []


async def test_progress_that_raises():
    router = announcing()
    router.on[48] = lambda m: router.send(
        [50, m[1], {"progress": True}, [1]], [50, m[1], {}, ["end"]]
    )
    scripted = Scripted(router)
    async with scripted as client:

        async def coroutine(n):
            raise AssertionError("it is not to be run")

        def raises(n):
            raise ValueError("number %d" % n)

        for function, word in ((raises, "number 1"), (coroutine, "plain function")):
            assert await client.call("com.x", on_progress=function) == "end"
            assert word in scripted.log[-1] and "com.x" in scripted.log[-1], scripted.log


async def test_each_progress_starts_the_time_anew():
    router = announcing()
    router.on[48] = None
    async with Scripted(router) as client:
        task = asyncio.create_task(client.call("com.x", on_progress=print, timeout_ms=200))
        request = await router.wait(48)
        (waiting,) = [w for w in client._due if w is not client]
        first = waiting.at
        await asyncio.sleep(0.01)
        router.send([50, request[1], {"progress": True}])
        await until(lambda: waiting.at != first)
        error = await fails(RequestTimeout, task)
        assert "200 ms" in str(error)
        assert router.take(49) == [[49, 1, {"mode": "killnowait"}]]


async def test_handlers_that_send_progress():
    router = announcing()
    heard = []

    def plain(n, details):
        for i in range(n):
            heard.append(details["progress"](i, kwargs={"x": i}))
        return "end"

    async def slow(n, details):
        for i in range(n):
            await asyncio.sleep(0)
            heard.append(details["progress"](i, kwargs={"x": i}))
        return "end"

    async with Scripted(router) as client:
        for handler in (plain, slow):
            declared = await client.register("com.p", handler, details=True).confirmed()
            await invoked(router, declared, 7, [3], receive_progress=True)
            await until(lambda: router.heard and router.heard[-1][2] == {})
            assert router.take() == [
                [70, 7, {"progress": True}, [i], {"x": i}] for i in range(3)
            ] + [[70, 7, {}, ["end"]]], handler
            assert heard == [True] * 3
            del heard[:]


async def test_no_progress_where_nobody_wants_it():
    router = announcing()
    heard = []

    def handler(details):
        heard.append(details)

    async with Scripted(router) as client:
        declared = await client.register("com.p", handler, details=True).confirmed()
        await invoked(router, declared, 7, caller=5)
        await invoked(router, declared, 8, receive_progress=False)
        assert "progress" not in heard[0] and "progress" not in heard[1]


async def test_progress_after_the_session():
    router = announcing()
    kept = []
    gate = asyncio.Event()

    async def handler(details):
        kept.append(details["progress"])
        await gate.wait()

    async with Scripted(router) as client:
        declared = await client.register("com.p", handler, details=True).confirmed()
        await invoked(router, declared, 7, receive_progress=True)
        router.drop()
        await until(lambda: client.joins == 2)
        await declared.confirmed()
        await invoked(router, declared, 7, receive_progress=True)
        assert kept[0](1) is False and router.take(70) == []
        assert kept[1](2) is True and router.take(70) == [[70, 7, {"progress": True}, [2]]]
        gate.set()
        await settled()
        assert kept[1](3) is False


# -- cancelling calls


async def test_time_out_sends_cancel():
    for mode in (None, "kill", "skip"):
        router = announcing()
        router.on[48] = None
        async with Scripted(router) as client:
            options = {} if mode is None else {"cancel_mode": mode}
            await fails(RequestTimeout, client.call("com.x", timeout_ms=20, **options))
            assert router.take(49) == [[49, 1, {"mode": mode or "killnowait"}]]
            # What the router says to that comes late, or never.
            router.send([8, 48, 1, {}, CANCELED])
            del router.on[48]
            assert await client.call("com.x", 1) == 1


async def test_a_cancelled_task_sends_cancel():
    router = announcing()
    router.on[48] = router.on[16] = None
    async with Scripted(router) as client:
        for awaitable, cancels in (
            (client.call("com.x"), 1),
            (client.publish("com.t", acknowledge=True), 0),
        ):
            task = asyncio.create_task(awaitable)
            await settled()
            router.take()
            task.cancel()
            await fails(asyncio.CancelledError, task)
            assert len(router.take(49)) == cancels


async def test_no_cancel_for_what_is_answered_or_was_not_sent():
    router = announcing()
    async with Scripted(router) as client:
        await client.call("com.x")
        router.on[48] = lambda m: router.send([8, 48, m[1], {}, "com.error"])
        await fails(ApplicationError, client.call("com.x"))
        await fails(LocalProtocolError, client.call("com.x", object()))
        router.on[1] = None
        router.drop()
        await until(lambda: client.session is None)
        await fails(RequestTimeout, client.call("com.x", timeout_ms=10))
        assert router.take(49) == []


async def test_a_dealer_that_cannot_cancel_is_not_asked():
    router = Router()
    router.on[48] = None
    async with Scripted(router) as client:
        await fails(RequestTimeout, client.call("com.x", timeout_ms=10))
        assert router.take(49) == []


# -- cancelled handlers


async def test_interrupt():
    router = announcing()
    ended = []

    async def handler(n):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append(n)
            raise

    async with Scripted(router) as client:
        declared = await client.register("com.p", handler).confirmed()
        for request, options in ((7, {}), (8, {"mode": "kill"}), (9, {"mode": "what", "x": None})):
            await invoked(router, declared, request, [request])
            router.send([69, request, options])
            await router.wait(8)
            assert router.take() == [[8, 68, request, {}, CANCELED]]
            await settled()
            assert ended[-1] == request and not client._tasks
        # What is over, and what never was.
        router.send([69, 7, {}], [69, 999, {}])
        await settled()
        assert router.heard == [] and client.joins == 1


async def test_interrupt_of_what_has_not_begun():
    router = announcing()
    begun = []

    async def handler():
        begun.append(1)

    async with Scripted(router) as client:
        declared = await client.register("com.p", handler).confirmed()
        router.take()
        router.send([68, 7, declared.id, {}], [69, 7, {}])
        await settled()
        assert router.take() == [[8, 68, 7, {}, CANCELED]]
        assert begun == [] and not client._tasks


async def test_a_handler_that_ignores_its_interruption():
    router = announcing()
    gate = asyncio.Event()

    async def handler():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await gate.wait()
        return "too late"

    async with Scripted(router) as client:
        declared = await client.register("com.p", handler).confirmed()
        await invoked(router, declared, 7)
        router.send([69, 7, {}])
        await router.wait(8)
        gate.set()
        await settled()
        assert router.take() == [[8, 68, 7, {}, CANCELED]], "one answer"


async def test_forwarded_time_limit():
    router = announcing()

    async def handler():
        await asyncio.sleep(60)

    async with Scripted(router) as client:
        limited = await client.register("com.p", handler, forward_timeout=True).confirmed()
        assert router.take(64) == [[64, 1, {"forward_timeout": True}, "com.p"]]
        await invoked(router, limited, 7, timeout=20)
        await router.wait(8)
        assert router.take() == [[8, 68, 7, {}, "wamp.error.timeout"]]
        # Not asked for: crossbar sends it all the same, in seconds.
        free = await client.register("com.q", handler).confirmed()
        await invoked(router, free, 8, timeout=1)
        await asyncio.sleep(0.03)
        assert router.take() == []
        # One that is done in time is not hurt.
        quick = await client.register("com.r", lambda: 5, forward_timeout=True).confirmed()
        await invoked(router, quick, 9, timeout=1)
        await asyncio.sleep(0.01)
        assert router.take() == [[70, 9, {}, [5]]]


# -- calls in parts


async def test_call_in_parts():
    router = announcing()
    router.on[48] = None
    async with Scripted(router) as client:
        call = ProgressiveCall(client, "com.x", on_progress=print, disclose_me=True)
        assert await call.send(1) is True
        assert await call.send(2, kwargs={"x": 3}) is True
        task = asyncio.create_task(call.finish("end"))
        await router.wait(48, 3)
        first = {"progress": True, "receive_progress": True, "disclose_me": True}
        assert router.take(48) == [
            [48, 1, first, "com.x", [1]],
            [48, 1, {"progress": True}, "com.x", [2], {"x": 3}],
            [48, 1, {}, "com.x", ["end"]],
        ]
        router.send([50, 1, {}, ["done"]])
        assert await task == "done"
        # The next request has the next id.
        del router.on[48]
        assert await client.call("com.x", 1) == 1
        assert router.take(48)[0][1] == 2


async def test_call_in_parts_that_is_answered_early():
    router = announcing()
    async with Scripted(router) as client:
        call = ProgressiveCall(client, "com.x")
        assert await call.send(1) is True
        await settled()
        assert await call.send(2) is False
        assert await call.finish(3) == 1
        assert len(router.take(48)) == 1


async def test_call_in_parts_that_nobody_answers():
    router = announcing()
    router.on[48] = None
    async with Scripted(router) as client:
        call = ProgressiveCall(client, "com.x", timeout_ms=20)
        await call.send(1)
        await router.wait(49)
        assert await call.send(2) is False
        await fails(RequestTimeout, call.finish())
        call = ProgressiveCall(client, "com.x")
        await call.send(1)
        call.cancel()
        assert len(router.take(49)) == 2


async def test_call_in_parts_without_the_feature():
    router = Router()
    async with Scripted(router) as client:
        await fails(LocalProtocolError, ProgressiveCall(client, "com.x").send(1))
        assert router.take(48) == []


async def test_call_in_parts_at_a_loss():
    router = announcing()
    router.on[48] = None
    async with Scripted(router) as client:
        call = ProgressiveCall(client, "com.x")
        await call.send(1)
        router.drop()
        await until(lambda: client.joins == 2)
        assert await call.send(2) is False
        await fails(TransportLost, call.finish())
        assert len(router.take(48)) == 1, "a part without its first"


async def test_invocation_in_parts():
    router = announcing()

    async def handler(first, details):
        found = [first]
        while True:
            part = await details["receive"]()
            if part is None:
                return wamp.Result(*found)
            found += part.args
            found.append(part.kwargs)

    async with Scripted(router) as client:
        declared = await client.register("com.p", handler, details=True).confirmed()
        router.take()
        # The first two in one piece: the handler has not begun yet.
        router.send(
            [68, 7, declared.id, {"progress": True}, [1]],
            [68, 7, declared.id, {"progress": True}, [2], {"x": 1}],
        )
        await settled()
        router.send([68, 7, declared.id, {}, [3]])
        await router.wait(70)
        assert router.take() == [[70, 7, {}, [1, 2, {"x": 1}, 3, {}]]]
        # A part of what is over.
        router.send([68, 7, declared.id, {"progress": True}, [4]], [69, 7, {}])
        await settled()
        assert client.joins == 1


async def test_invocation_in_too_many_parts():
    router = announcing()
    gate = asyncio.Event()

    async def handler(first, details):
        await gate.wait()

    async with Scripted(router) as client:
        declared = await client.register("com.p", handler, details=True).confirmed()
        router.take()
        router.send(*[[68, 7, declared.id, {"progress": True}, [n]] for n in range(40)])
        await router.wait(8)
        assert router.heard[0][:5] == [8, 68, 7, {}, "wamp.error.unavailable"]
        assert client.joins == 1


async def test_invocation_in_parts_at_a_loss():
    router = announcing()
    caught = []

    async def handler(details):
        try:
            await details["receive"]()
        except TransportLost as e:
            caught.append(e)
            raise

    async with Scripted(router) as client:
        declared = await client.register("com.p", handler, details=True).confirmed()
        await invoked(router, declared, 7, progress=True)
        router.drop()
        await until(lambda: caught)
        await until(lambda: client.joins == 2)
        assert not client._tasks


# -- opaque payloads


async def test_opaque_payloads_out():
    router = announcing()
    async with Scripted(router) as client:
        router.take()
        await client.publish("com.t", b"\x01", ppt_scheme="x_own", ppt_serializer="cbor")
        await client.publish("com.t", b"\x02", ppt_scheme="x_own", acknowledge=True)
        answer = await client.call("com.x", b"\x03", ppt_scheme="x_own")
        assert answer == b"\x03", answer  # an echo of the script, without the attributes
        own = {"ppt_scheme": "x_own"}
        assert router.take() == [
            [16, 1, {"ppt_scheme": "x_own", "ppt_serializer": "cbor"}, "com.t", [b"\x01"]],
            [16, 2, {"ppt_scheme": "x_own", "acknowledge": True}, "com.t", [b"\x02"]],
            [48, 3, own, "com.x", [b"\x03"]],
        ]
        for args in ((), (1,), (b"1", b"2"), ("text",)):
            await fails(LocalProtocolError, client.call("com.x", *args, ppt_scheme="x_own"))
            await fails(LocalProtocolError, client.publish("com.t", *args, ppt_scheme="x_own"))
        assert router.take() == []


async def test_opaque_payloads_in():
    router = announcing()
    heard = []

    def handler(*args, **kwargs):
        heard.append((args, kwargs))
        answer = wamp.Result(b"\x09")
        answer.options = {"ppt_scheme": "x_own"}
        return answer

    async with Scripted(router) as client:
        event = await client.subscribe("com.t", handler, details=True).confirmed()
        procedure = await client.register("com.p", handler).confirmed()
        own = {"ppt_scheme": "x_own", "ppt_serializer": "cbor"}
        crossbars = {"enc_algo": "x_own", "enc_serializer": "cbor"}
        router.send([36, event.id, 5, dict(own), [b"\x01"]])
        router.send([36, event.id, 6, dict(crossbars), b"\x02"])
        await until(lambda: len(heard) == 2)
        for (args, kwargs), octets, attributes in zip(heard, (b"\x01", b"\x02"), (own, crossbars)):
            assert args[0] == octets and kwargs == {}
            for name in attributes:
                assert args[1][name] == attributes[name]
        await invoked(router, procedure, 7, [b"\x03"], **own)
        assert heard[-1] == ((b"\x03",), {})
        assert router.take() == [[70, 7, {"ppt_scheme": "x_own"}, [b"\x09"]]]
        for m in ([50, 0, dict(own), [b"\x04"]], [50, 0, dict(crossbars), b"\x04"]):

            def reply(call):
                m[1] = call[1]
                router.send(m)

            router.on[48] = reply
            found = await client.call("com.x")
            assert found == wamp.Result(b"\x04") and found.details == m[2], found
