"""`Client.rejoin`: another session on the same transport after GOODBYE, or on another one."""

import asyncio

from script import Router, Scripted, fails, settled, until

import wamp
from wamp.errors import (
    ConfigurationError,
    LocalProtocolError,
    SessionAborted,
    TransportError,
    TransportLost,
)

GOODBYE = [6, {}, "wamp.close.goodbye_and_out"]
PING = b"\x01\x00\x00\x04ping"


def aside(awaitable):
    """A task whose result is the error."""

    async def wait():
        try:
            return await awaitable
        except Exception as e:
            return e

    return asyncio.create_task(wait())


def hellos(router):
    return [message for message in router.heard if message[0] == 1]


def closed(router):
    return [transport.closes > 0 for transport in router.transports if transport.opens]


async def test_same_transport():
    router = Router()
    told = []

    def on_event(what, detail):
        told.append((what, detail if what == "down" else detail["realm"]))

    async with Scripted(router, on_event=on_event) as client:
        for n, realm in enumerate(("one", "two", None)):
            await client.call("com.x")
            router.take()
            assert await client.rejoin(realm) is client
            goodbye, hello = router.take()
            assert goodbye[0] == 6 and hello[:2] == [1, realm or "two"], (goodbye, hello)
            assert client.state == "up" and client.realm == hello[1]
            assert client.session == 1002 + n and client.joins == 2 + n
            assert client.error is None and client.failures == 0
            # Request ids count from 1 in each session.
            assert await client.call("com.x", 7) == 7
            assert router.take()[0][1] == 1
        transport = router.transports[0]
        assert (len(router.transports), transport.opens, transport.closes) == (1, 1, 0)
        assert not transport.finished
    assert transport.closes == 1 and transport.finished == 1 and transport.releases == 1
    down = ("down", None)
    one, two, three, four = ("up", "devices"), ("up", "one"), ("up", "two"), ("up", "two")
    assert told == [one, down, two, down, three, down, four, down], told


async def test_many_sessions():
    router = Router()
    async with Scripted(router) as client:
        client.register("com.p", print)
        for n in range(20):
            await client.rejoin()
            assert client.joins == n + 2
            del router.heard[:]
        assert len(router.transports) == 1 and list(client._due) == [client]


async def test_another_login():
    router = Router()
    async with Scripted(router, auth=wamp.Ticket("joe", "secret!")) as client:
        router.take()
        router.on[1] = lambda m: router.send([4, "ticket", {}])
        router.on[5] = lambda m: router.answer([1, "other", {}])
        await client.rejoin("other", wamp.Ticket("jim", "secret?"))
        _, hello, authenticate = router.take()
        assert hello[1] == "other" and hello[2]["authid"] == "jim"
        assert authenticate == [5, "secret?", {}]
        # The same again, then nobody.
        await client.rejoin()
        assert [m[0] for m in router.heard] == [6, 1, 5] and router.heard[1][2]["authid"] == "jim"
        router.take()
        router.on.clear()
        await client.rejoin(auth=())
        assert sorted(router.take()[1][2]) == ["agent", "roles"]
        assert len(router.transports) == 1


async def test_what_cannot_be():
    router = Router()
    router.private = False
    async with Scripted(router) as client:
        router.take()
        for realm in ("", 5, b"x"):
            await fails(ConfigurationError, client.rejoin(realm))
        error = await fails(ConfigurationError, client.rejoin(auth=wamp.Ticket("joe", "secret!")))
        assert "ticket" in str(error) and "secret!" not in str(error), error
        # Nothing was said, and nothing has changed.
        assert router.take() == [] and client.realm == "devices" and client.joins == 1
        assert await client.call("com.x", 1) == 1


async def test_declarations_and_requests():
    router = Router()
    heard = []
    async with Scripted(router) as client:
        declared = client.subscribe("com.t", heard.append)
        registered = client.register("com.p", lambda: 5)
        await registered.confirmed()
        was = declared.id
        # Answered neither now nor in the next session.
        router.on[48] = None
        lost = aside(client.call("com.hangs"))
        await router.wait(48)
        router.on.clear()
        router.take()
        # What is started once GOODBYE is on its way belongs to the next session.
        router.on[6] = None
        again = asyncio.create_task(client.rejoin("other"))
        await router.wait(6)
        waits = aside(client.call("com.x", 3)), aside(client.publish("com.t", 4))
        await settled()
        # After our GOODBYE only the router's counts.
        late = [36, was, 1, {}, ["late"]], [50, 1, {}, [1]], [68, 1, registered.id, {}]
        router.send(*late, GOODBYE, [36, was, 2, {}, ["later"]])
        await again
        error = await lost
        assert isinstance(error, TransportLost), error
        assert await waits[0] == 3 and await waits[1] is None
        assert [m[0] for m in router.heard[:2]] == [6, 1]
        assert sorted([m[0] for m in router.heard[2:]]) == [16, 32, 48, 64], router.heard
        assert declared.id is not None and declared.id != was and heard == []
        router.send([36, declared.id, 3, {}, ["new"]])
        await until(lambda: heard)
        assert heard == ["new"] and len(router.transports) == 1
        router.on.clear()


async def test_handlers_of_the_session_before():
    router = Router()
    gate = asyncio.Event()
    ended = []

    async def slow():
        await gate.wait()
        ended.append(1)
        return 5

    async with Scripted(router) as client:
        registered = client.register("com.p", slow)
        await registered.confirmed()
        router.send([68, 1, registered.id, {}])
        await until(lambda: client._tasks)
        await client.rejoin()
        router.take()
        gate.set()
        await until(lambda: ended and not client._tasks)
        await settled()
        assert router.take() == [], "it has no invocation in this session"


async def test_ping_behind_goodbye():
    router = Router()
    router.on[6] = lambda m: router.push(router.frame(GOODBYE) + PING)
    async with Scripted(router) as client:
        router.take()
        await client.rejoin()
        assert [m[0] for m in router.take()] == [6, -2, 1]
        assert len(router.transports) == 1


async def test_router_that_closes_after_goodbye():
    for error in (b"", TransportLost("script: the connection was reset")):
        router = Router()

        def close(message):
            router.answer(message)
            router.drop(error)
            router.on[1] = deaf

        def deaf(message):
            if len(router.transports) > 1:
                router.answer(message)

        router.on[6] = close
        async with Scripted(router) as client:
            await client.rejoin("other")
            assert [m[1] for m in hellos(router)][-1] == "other" and client.joins == 2
            assert closed(router) == [True, False]
            assert await client.call("com.x", 1) == 1
        # Without reconnecting it is one error, and the end.
        router = Router()
        router.on[6] = close
        async with Scripted(router, reconnect=False) as client:
            told = await fails(TransportError, client.rejoin("other"))
            assert told is client.error and client.state == "ended"
            assert "closed" in str(told) or "reset" in str(told), told
            assert closed(router) == [True]


async def test_connection_lost_in_place_of_goodbye():
    for reconnect in (True, False):
        for how in ("closed", "unwritable"):
            router = Router()
            router.on[6] = lambda m: router.drop()
            async with Scripted(router, reconnect=reconnect) as client:
                if how == "unwritable":
                    router.transports[0].write_error = TransportLost("script: gone")
                if reconnect:
                    await client.rejoin("other")
                    assert client.joins == 2 and hellos(router)[-1][1] == "other"
                else:
                    error = await fails(TransportLost, client.rejoin("other"))
                    assert error is client.error and client.state == "ended"
                assert closed(router) == [True] + [False] * reconnect


async def test_goodbye_that_is_not_answered():
    router = Router()
    router.on[6] = None
    scripted = Scripted(router)
    async with scripted as client:
        await client.rejoin("other")
        assert closed(router) == [True, False]
        assert client.joins == 2 and hellos(router)[-1][1] == "other"
        router.on.clear()
    assert [line for line in scripted.log if "GOODBYE stays unanswered" in line], scripted.log


async def test_realm_that_is_refused():
    router = Router()
    async with Scripted(router, reconnect=False) as client:
        router.on[1] = lambda m: router.send([3, {}, "wamp.error.no_such_realm"])
        error = await fails(SessionAborted, client.rejoin("none"))
        assert error.reason == "wamp.error.no_such_realm" and client.failures == 1
        assert client.state == "ended" and router.transports[0].closes == 1
    # It tries for ever, as always.
    router = Router()
    async with Scripted(router) as client:
        router.on[1] = lambda m: router.send([3, {}, "wamp.error.no_such_realm"])
        again = asyncio.create_task(client.rejoin("none"))
        await until(lambda: client.failures >= 3)
        router.on.clear()
        await again
        assert client.joins == 2
        assert closed(router) == [True] * client.failures + [False]


async def test_without_a_session():
    """Not running, connecting, joining, waiting: it begins anew."""
    for name in ("not started", "ended", "open", "HELLO", "backoff"):
        router = Router()
        async with Scripted(router, join=False) as client:
            if name == "ended":
                await client.join()
                await client.leave()
            elif name == "HELLO":
                router.on[1] = None
            elif name == "backoff":
                router.open_error = TransportError("no port")
                wamp.client._BACKOFF_FIRST = wamp.client._BACKOFF_MAX = 60000
            if name in ("open", "HELLO", "backoff"):
                client.start()
                if name != "open":
                    await settled()
                    assert client.state == ("joining" if name == "HELLO" else "waiting")
            joins = client.joins
            router.take()
            router.open_error = None
            router.on.clear()
            await client.rejoin("other")
            assert client.joins == joins + 1 and hellos(router)[-1][1] == "other", name
            assert closed(router)[-1] is False and False not in closed(router)[:-1], name


async def test_two_at_a_time():
    router = Router()
    router.on[6] = None
    async with Scripted(router) as client:
        one = asyncio.create_task(client.rejoin("one"))
        await router.wait(6)
        await fails(LocalProtocolError, client.rejoin("two"))
        router.send(GOODBYE)
        await one
        assert client.realm == "one" and client.joins == 2
        router.on.clear()


async def test_nobody_waits_any_more():
    for answered in (False, True):
        router = Router()
        router.on[6] = None
        async with Scripted(router) as client:
            task = asyncio.create_task(client.rejoin("other"))
            await router.wait(6)
            if answered:
                router.send(GOODBYE)
            task.cancel()
            await until(lambda: client.joins == 2 and client.state == "up")
            assert client.realm == "other" and hellos(router)[-1][1] == "other"
            assert await client.call("com.x", 1) == 1
            router.on.clear()


async def test_memory_that_runs_out():
    """At GOODBYE whoever asked is told; in any case the client comes back, as was wanted."""
    for code in (6, 1):
        router = Router()
        missing = []

        def encode(message):
            if message[0] in missing:
                missing.remove(message[0])
                raise MemoryError("memory allocation failed")
            return wamp.cbor.encode(message)

        async with Scripted(router, codec=(encode, wamp.cbor.decode)) as client:
            missing.append(code)
            if code == 6:
                await fails(MemoryError, client.rejoin("other"))
                await until(lambda: client.state == "up" and client.joins == 2)
            else:
                await client.rejoin("other")
            assert not missing and hellos(router)[-1][1] == client.realm == "other"
            assert closed(router) == [True, False]


async def test_leave_at_every_point():
    for name in ("GOODBYE", "answered", "HELLO"):
        router = Router()
        if name != "HELLO":
            router.on[6] = None
        async with Scripted(router) as client:
            task = aside(client.rejoin("other"))
            if name == "HELLO":
                router.on[1] = None
                await router.wait(1, 2)
            else:
                await router.wait(6)
                if name == "answered":
                    router.send(GOODBYE)
            await client.leave()
            await client.ended()
            error = await task
            assert isinstance(error, TransportLost), (name, error)
            transport = router.transports[0]
            assert (transport.closes, transport.releases) == (1, 1), name
            router.on.clear()
            await client.join()
            assert client.realm == "other" and len(router.transports) == 2
