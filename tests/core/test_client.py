"""The client's requests: results, errors, time-outs, cancellation, loss, leaving, PING."""

import asyncio

from script import Router, Scripted, fails, settled, until

import wamp
from wamp.errors import (
    ApplicationError,
    LocalProtocolError,
    RemoteProtocolError,
    RequestTimeout,
    SessionAborted,
    TransportLost,
)

# The payload of RESULT, and what `call` returns for it.
RESULTS = (
    ([], None),
    ([None], None),
    ([[]], None),
    ([[None]], None),
    ([[5]], 5),
    ([["x"]], "x"),
    ([[[1, 2]]], [1, 2]),
    ([[{"x": 1}]], {"x": 1}),
    ([[1, 2]], wamp.Result(1, 2)),
    ([[None, None]], wamp.Result(None, None)),
    ([[], {"x": 1}], wamp.Result(x=1)),
    ([None, {"x": 1}], wamp.Result(x=1)),
    ([[1], {"x": 2}], wamp.Result(1, x=2)),
)


def together(awaitables):
    """A task whose result is a list: what each returned or raised."""

    async def gather():
        return await asyncio.gather(*awaitables, return_exceptions=True)

    return asyncio.create_task(gather())


async def test_join_and_leave():
    router = Router()
    async with Scripted(router) as client:
        assert client.session == 1001 and client.joins == 1 and client.failures == 0
        assert client.error is None and client.details["realm"] == "devices"
        assert client.transport_details.channel_typeid == "memory-rawsocket-cbor"
        hello = router.take()
        assert len(hello) == 1 and hello[0][:2] == [1, "devices"]
        assert sorted(hello[0][2]) == ["agent", "roles"]
        transport = router.transports[0]
        assert (transport.opens, transport.closes, transport.releases) == (1, 0, 0)
    assert [m[0] for m in router.take()] == [6]
    assert (transport.opens, transport.closes, transport.releases) == (1, 1, 1)
    assert client.session is None and client.error is None
    assert len(router.transports) == 1


async def test_async_with():
    router = Router()
    async with Scripted(router, join=False) as client:
        async with client as same:
            assert same is client and client.session == 1001
        assert client.session is None
        await client.ended()


async def test_results_of_calls():
    router = Router()
    async with Scripted(router) as client:
        for payload, value in RESULTS:
            router.on[48] = lambda m: router.send([50, m[1], {"callee": 1}] + payload)
            found = await client.call("com.x")
            assert found == value, (payload, found)


async def test_what_goes_out():
    router = Router()
    async with Scripted(router) as client:
        router.take()
        await client.call("com.x")
        await client.call("com.x", 1, "two", None)
        await client.call("com.x", 1, kwargs={"timeout_ms": 2}, disclose_me=True)
        await client.call("com.x", kwargs={"x": 1})
        assert await client.publish("com.t", 1) is None
        assert await client.publish("com.t", kwargs={"acknowledge": 1}, retain=True) is None
        assert await client.publish("com.t", 1, 2, acknowledge=True, exclude_me=False) == 101
        assert router.take() == [
            [48, 1, {}, "com.x"],
            [48, 2, {}, "com.x", [1, "two", None]],
            [48, 3, {"disclose_me": True}, "com.x", [1], {"timeout_ms": 2}],
            [48, 4, {}, "com.x", [], {"x": 1}],
            [16, 5, {}, "com.t", [1]],
            [16, 6, {"retain": True}, "com.t", [], {"acknowledge": 1}],
            [16, 7, {"exclude_me": False, "acknowledge": True}, "com.t", [1, 2]],
        ]


async def test_errors_of_requests():
    router = Router()
    async with Scripted(router) as client:
        for code in (48, 16):
            router.on[code] = lambda m: router.send(
                [8, m[0], m[1], {}, "com.error", [1, "two"], {"x": 3}]
            )
        for awaitable in (client.call("com.x"), client.publish("com.t", acknowledge=True)):
            error = await fails(ApplicationError, awaitable)
            assert error.error == "com.error"
            assert (error.args, error.kwargs) == ((1, "two"), {"x": 3})
        assert client.session is not None


async def test_what_cannot_be_sent():
    router = Router()
    router.handshake = b"\x7f\x13\x00\x00"  # 1024 octets
    async with Scripted(router) as client:
        router.take()
        for awaitable, word in (
            (client.call("no uri"), "white space"),
            (client.call(""), "URI"),
            (client.call("com..x"), "empty"),
            (client.publish("com.#"), "#"),
            (client.call("com.x", time=5), "disclose_me"),
            (client.call("com.x", disclose_me=1), "bool"),
            (client.publish("com.t", acknowlege=True), "exclude_me"),
            (client.publish("com.t", exclude=5), "list"),
            (client.call("com.x", object()), "object"),
            (client.call("com.x", kwargs={1: 2}), "kwargs"),
            (client.call("com.x", kwargs=[1]), "kwargs"),
            (client.publish("com.t", kwargs={1: 2}, acknowledge=True), "kwargs"),
            (client.publish("com.t", object()), "object"),
            (client.call("com.x", "x" * 1024), "1024"),
            (client.publish("com.t", "x" * 1024), "1024"),
            (client.publish("com.t", "x" * 1024, acknowledge=True), "1024"),
        ):
            error = await fails(LocalProtocolError, awaitable)
            assert word in str(error), (word, error)
        assert router.take() == []
        # None of these used an id, or left anything behind.
        await client.call("com.x")
        assert router.take() == [[48, 1, {}, "com.x"]]


async def test_time_out():
    router = Router()
    router.on[48] = None
    async with Scripted(router) as client:
        for awaitable in (
            client.call("com.x", timeout_ms=30),
            client.publish("com.t", acknowledge=True, timeout_ms=30),
        ):
            router.on[16] = None
            error = await fails(RequestTimeout, awaitable)
            assert "30 ms" in str(error) and "com." in str(error), error
        # A late answer is dropped; the next request is not hurt.
        router.send([50, 1, {}, ["late"]], [17, 2, 5])
        del router.on[48]
        assert await client.call("com.x", "new") == "new"
        assert client._protocol.dropped == 2


async def test_time_outs_of_several():
    router = Router()
    router.on[48] = None
    async with Scripted(router, timeout_ms=60) as client:
        ended = []

        async def call(name, **options):
            await fails(RequestTimeout, client.call("com.x", **options))
            ended.append(name)

        # A shorter one that comes later must not wait for the longer ones.
        await asyncio.gather(
            call("third", timeout_ms=250),
            call("second", timeout_ms=140),
            call("first"),
        )
        assert ended == ["first", "second", "third"], ended


async def test_time_out_and_answer_mixed():
    router = Router()
    calls = []
    router.on[48] = lambda m: calls.append(m[1])
    async with Scripted(router) as client:
        results = together([client.call("com.x", timeout_ms=30 + 10 * i) for i in range(9)])
        await router.wait(48, 9)
        for request in calls[::2]:
            router.send([50, request, {}, [request]])
        for i, value in enumerate(await results):
            if i % 2 == 0:
                assert value == i + 1, (i, value)
            else:
                assert type(value) is RequestTimeout, (i, value)


async def test_cancelled_task():
    router = Router()
    router.on[48] = router.on[16] = None
    async with Scripted(router) as client:
        for awaitable in (client.call("com.x"), client.publish("com.t", acknowledge=True)):
            task = asyncio.create_task(awaitable)
            await settled()
            task.cancel()
            await fails(asyncio.CancelledError, task)
            assert set(client._due) <= {client}
        router.send([50, 1, {}, ["late"]], [17, 2, 5])
        del router.on[48]
        assert await client.call("com.x", "new") == "new"
        assert client._protocol.dropped == 2


async def test_cancelled_while_the_line_is_down():
    router = Router()
    async with Scripted(router, join=False) as client:
        router.on[1] = None
        client.start()
        task = asyncio.create_task(client.call("com.x"))
        await settled()
        task.cancel()
        await fails(asyncio.CancelledError, task)
        router.answer([1, "devices", {}])
        await client.join()
        await settled()
        assert router.take(48) == []


async def test_200_concurrent_calls():
    router = Router()
    calls = []
    router.on[48] = calls.append
    async with Scripted(router) as client:
        results = together([client.call("com.x", i) for i in range(200)])
        while not results.done():
            await asyncio.sleep(0)
            # In any order, several in one piece.
            some = [calls.pop() for _ in range(min(len(calls), 7))]
            if some:
                router.send(*[[50, m[1], {}] + m[4:] for m in some])
        results = await results
        for i in range(200):
            assert results[i] == i, (i, results[i])


async def test_many_calls_one_after_another():
    router = Router()
    async with Scripted(router) as client:
        for i in range(300):
            assert await client.call("com.x", i) == i
        assert [m[1] for m in router.take(48)] == list(range(1, 301))


async def test_octet_by_octet():
    router = Router()

    def slowly(m):
        for octet in router.frame([50, m[1], {}, ["slow"]]):
            router.push(bytes((octet,)))

    router.on[48] = slowly
    async with Scripted(router) as client:
        assert await client.call("com.x") == "slow"


# -- loss


def wrong_kind(router):
    router.send([33, router.heard[-1][1], 5])


LOSSES = (
    ("closed", lambda router: router.drop()),
    ("reset", lambda router: router.drop(TransportLost("script: the connection was reset"))),
    ("ABORT", lambda router: router.send([3, {}, "com.reason"])),
    ("GOODBYE", lambda router: router.send([6, {}, "wamp.close.system_shutdown"])),
    ("violation", lambda router: router.send([99])),
    ("wrong kind", wrong_kind),
    ("undecodable", lambda router: router.push(b"\x00\x00\x00\x01\xff")),
    ("empty", lambda router: router.push(b"\x00\x00\x00\x00")),
    ("bad prefix", lambda router: router.push(b"\x0f\x00\x00\x00")),
    ("too long", lambda router: router.push(b"\x00\xff\xff\xff")),
)


async def test_in_flight_at_a_loss():
    for name, lose in LOSSES:
        router = Router()
        router.on[48] = router.on[16] = None
        async with Scripted(router, reconnect=False) as client:
            requests = [client.call("com.x") for _ in range(3)]
            results = together(requests + [client.publish("com.t", acknowledge=True)])
            await router.wait(16)
            lose(router)
            for value in await results:
                assert type(value) is TransportLost, (name, value)
            await client.ended()
            assert client.session is None and client.error is not None, name
            await fails(TransportLost, client.call("com.x"))


async def test_what_the_router_is_told():
    abort = [3, "wamp.error.protocol_violation"]
    for name, lose in LOSSES:
        router = Router()
        router.on[48] = None
        async with Scripted(router, reconnect=False) as client:
            results = together([client.call("com.x")])
            await router.wait(48)
            lose(router)
            await client.ended()
            await results
            told = [[m[0], m[2]] for m in router.take()[2:]]
            if name in ("closed", "reset", "ABORT"):
                assert told == [], (name, told)
            elif name == "GOODBYE":
                assert told == [[6, "wamp.close.goodbye_and_out"]], told
            else:
                assert told == [abort], (name, told)
                assert type(client.error) is RemoteProtocolError, (name, client.error)
                # The ABORT must get out before the connection is closed.
                assert router.transports[0].finished, name
            if name in ("ABORT", "GOODBYE"):
                assert type(client.error) is SessionAborted, (name, client.error)


async def test_write_error():
    router = Router()
    async with Scripted(router, reconnect=False) as client:
        router.transports[0].write_error = TransportLost("script: broken")
        await fails(TransportLost, client.call("com.x"))
        await fails(TransportLost, client.publish("com.t"))
        router.drop()
        await client.ended()


async def test_leave_with_requests_under_way():
    router = Router()
    router.on[48] = None
    async with Scripted(router) as client:
        results = together([client.call("com.x")])
        await router.wait(48)
        await client.leave()
        assert type((await results)[0]) is TransportLost
        assert [m[0] for m in router.take()] == [1, 48, 6]
        for awaitable in (client.call("com.x"), client.publish("com.t")):
            error = await fails(TransportLost, awaitable)
            assert "not running" in str(error), error
        await client.leave()
        await client.ended()


async def test_leave_before_start():
    router = Router()
    async with Scripted(router, join=False) as client:
        await client.leave()
        await fails(TransportLost, client.call("com.x"))
        assert router.heard == []


async def test_leave_a_router_that_does_not_answer():
    router = Router()
    async with Scripted(router) as client:
        router.on[6] = None
        await client.leave()
        assert client.session is None and router.transports[0].closes == 1


async def test_leave_ignores_what_still_comes():
    router = Router()
    router.on[48] = None
    router.on[6] = lambda m: router.send([36, 5, 5, {}], [99], [50, 1, {}, ["late"]], [6, {}, "x"])
    async with Scripted(router) as client:
        results = together([client.call("com.x")])
        await router.wait(48)
        await client.leave()
        assert type((await results)[0]) is TransportLost
        assert client.error is None, client.error
        assert [m[0] for m in router.take()] == [1, 48, 6]


# -- PING, PONG, flow


async def test_ping():
    router = Router()
    async with Scripted(router) as client:
        router.take()
        payloads = (b"", b"\x00", b"ping", bytes(range(256)) * 4)
        for payload in payloads:
            router.push(router._frames.frame(payload, 1))
        await until(lambda: len(router.heard) == len(payloads))
        assert router.take() == [[-2, payload] for payload in payloads]
        # Not asked for: dropped.
        router.push(router._frames.frame(b"pong", 2))
        assert await client.call("com.x", 1) == 1


async def test_ping_before_welcome():
    router = Router()
    router.on[1] = lambda m: (router.push(b"\x01\x00\x00\x01x"), router.answer(m))
    async with Scripted(router):
        assert [m[0] for m in router.take()] == [1, -2]


async def test_ping_glued_to_the_handshake():
    router = Router()
    router.handshake = b"\x7f\xf3\x00\x00\x01\x00\x00\x01x"
    async with Scripted(router):
        assert [m[0] for m in router.take()] == [-2, 1]


async def test_ping_flood():
    router = Router()
    async with Scripted(router) as client:
        transport = router.transports[0]
        transport.waiting = 1 << 20
        router.push(router._frames.frame(b"x", 1) * 500)
        assert await client.call("com.x", 1) == 1
        assert transport.drains >= 1
        assert len(router.take(-2)) == 500


async def test_ping_that_cannot_be_answered():
    # Longer than what the router takes itself: nothing to answer, and no error of ours.
    router = Router()
    router.handshake = b"\x7f\x13\x00\x00"
    async with Scripted(router) as client:
        router.push(router._frames.frame(bytes(1025), 1))
        await settled()
        assert client.joins == 1 and client.session is not None, client.error


async def test_publish_waits_for_a_full_line():
    router = Router()
    async with Scripted(router) as client:
        transport = router.transports[0]
        transport.waiting = 1 << 20
        await client.publish("com.t")
        assert transport.drains == 1
        await client.publish("com.t")
        assert transport.drains == 1


async def test_publish_in_every_way():
    router = Router()
    async with Scripted(router) as client:
        router.take()
        client.publish("com.t", 1)  # what is sent at once needs nobody who waits
        assert len(router.heard) == 1
        for _ in range(2):
            assert await client.publish("com.t", 2) is None
            assert await asyncio.create_task(client.publish("com.t", 3)) is None
            assert await asyncio.wait_for(client.publish("com.t", 4), 1) is None
            both = client.publish("com.t", 5), client.publish("com.t", 6, retain=True)
            assert list(await asyncio.gather(*both)) == [None, None]
        assert [m[4][0] for m in router.take(16)] == [1] + [2, 3, 4, 5, 6] * 2
