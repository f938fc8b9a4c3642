"""Staying connected: signs of life, states and events, the network below, outbox, watchdog."""

import asyncio

from script import Router, Scripted, fails, settled, until

import wamp
from wamp import watchdog
from wamp._port import ticks
from wamp.errors import ApplicationError, RequestTimeout, TransportError, TransportLost
from wamp.outbox import Outbox

# -- liveness


async def test_a_silent_router_is_asked_and_given_up():
    router = Router()
    router.on[48] = None
    async with Scripted(router, alive_ms=60) as client:
        await until(lambda: client.joins == 2)
        assert "silent for 60 ms" in str(client.error) and type(client.error) is TransportLost
        assert [m[3] for m in router.take(48)][:1] == ["wamp.session.count"]
        assert router.transports[0].closes >= 1


async def test_any_answer_is_a_sign_of_life():
    router = Router()
    router.on[48] = lambda m: router.send([8, 48, m[1], {}, "wamp.error.not_authorized"])
    async with Scripted(router, alive_ms=30) as client:
        await router.wait(48, 4)
        assert client.joins == 1 and client.error is None


async def test_who_hears_something_does_not_ask():
    router = Router()
    async with Scripted(router, alive_ms=90) as client:
        for _ in range(30):
            router.push(b"\x02\x00\x00\x00")  # a PONG
            await asyncio.sleep(0.005)
        assert router.take(48) == [] and client.joins == 1


async def test_what_trickles_in_is_no_sign_of_life():
    router = Router()
    router.on[48] = None
    async with Scripted(router, alive_ms=60) as client:
        router.push(b"\x00\x00\x10\x00")  # of 4096 octets
        while client.joins == 1:
            if not router.transports[0].closes:
                router.transports[0].push(b"x")
            await asyncio.sleep(0.005)
        assert "silent" in str(client.error)


async def test_ping_where_it_is_wanted():
    router = Router()
    router.on[-1] = lambda m: router.push(b"\x02\x00\x00\x09" + m[1])
    async with Scripted(router, alive_ms=30, ping=True) as client:
        await router.wait(-1, 3)
        assert router.take(48) == [] and client.joins == 1


async def test_nobody_is_asked_with_0():
    router = Router()
    async with Scripted(router, alive_ms=0) as client:
        assert not client._due
        await asyncio.sleep(0.03)
        assert router.take(48) == []


async def test_deadlines_across_the_wrap_of_ticks():
    # The clock starts 40 ms before its milliseconds begin at 0 again.
    router = Router()
    router.on[48] = None
    offset = (0x40000000 - 40 - ticks()) & 0x3FFFFFFF
    saved = wamp.client.ticks
    wamp.client.ticks = lambda: (ticks() + offset) & 0x3FFFFFFF
    try:
        async with Scripted(router, alive_ms=0) as client:
            before = client.call("com.x", timeout_ms=20)
            after = client.call("com.x", timeout_ms=80)
            found = await asyncio.gather(after, before, return_exceptions=True)
            assert [type(e) for e in found] == [RequestTimeout] * 2
            assert wamp.client.ticks() < 0x20000000, "the clock has not wrapped"
            del router.on[48]
            assert await client.call("com.x", 1) == 1
    finally:
        wamp.client.ticks = saved


# -- states and events


async def test_states_and_events():
    router = Router()
    seen = []

    def on_event(what, detail):
        seen.append((what, client.state, detail))
        if len(seen) == 2:
            raise ValueError("of the program")

    async with Scripted(router, join=False, on_event=on_event) as client:
        assert client.state == "ended"
        router.on[1] = None
        client.start()
        assert client.state == "connecting"
        await router.wait(1)
        assert client.state == "joining" and seen == []
        router.answer([1, "devices", {}])
        await client.join()
        assert client.state == "up" and seen == [("up", "up", client.details)]
        router.drop()
        await until(lambda: client.state == "joining")
        assert seen[1][:2] == ("down", "waiting") and seen[1][2] is client.error
        assert "closed the connection" in str(seen[1][2])
        router.answer([1, "devices", {}])
        await client.join()
        await client.leave()
        assert client.state == "ended"
        assert [s[0] for s in seen] == ["up", "down", "up", "down"] and seen[3][2] is None


async def test_a_revocation_is_told():
    router = Router()
    seen = []

    def on_event(what, detail):
        seen.append((what, detail))

    async with Scripted(router, on_event=on_event) as client:
        event = await client.subscribe("com.t", print).confirmed()
        procedure = await client.register("com.p", print).confirmed()
        del seen[:]
        router.send([35, 0, {"subscription": event.id, "reason": "com.reason"}])
        router.send([67, 0, {"registration": procedure.id}])
        await until(lambda: event.id == 103 and procedure.id == 104)
        assert seen == [("revoked", event), ("revoked", procedure)]


async def test_the_network_comes_first():
    router = Router()
    calls = []

    async def network():
        calls.append(len(router.transports) and router.transports[-1].opens)
        if len(calls) == 1:
            raise TransportError("Wi-Fi x: no network of this name is in reach")

    async with Scripted(router, network=network) as client:
        assert calls == [0, 0] and client.failures == 1
        router.drop()
        await until(lambda: client.joins == 2)
        assert len(calls) == 3


# -- outbox


def down(router):
    """The line is down until `up`."""
    router.on[1] = None
    router.drop()


def up(router):
    del router.on[1]
    router.answer([1, "devices", {}])


async def test_outbox_keeps_what_is_published_offline():
    router = Router()
    outbox = Outbox(3)
    async with Scripted(router, outbox=outbox) as client:
        await client.publish("com.t", 0)
        down(router)
        await router.wait(1, 2)
        router.take()
        for n in range(1, 6):
            assert await client.publish("com.t", n, retain=True) is None
        assert len(outbox) == 3 and outbox.dropped == 2
        up(router)
        await until(lambda: not len(outbox))
        await client.publish("com.t", 6)
        assert router.take(16) == [
            [16, n - 2, {"retain": True}, "com.t", [n]] for n in range(3, 6)
        ] + [[16, 4, {}, "com.t", [6]]]


async def test_outbox_keeps_the_latest():
    router = Router()
    outbox = Outbox(3, latest=True)
    async with Scripted(router, outbox=outbox) as client:
        down(router)
        await router.wait(1, 2)
        for n in range(5):
            await client.publish("com.t", n)
            await client.publish("com.u", n)
        assert len(outbox) == 2 and outbox.dropped == 8
        up(router)
        await until(lambda: not len(outbox))
        assert [m[3:] for m in router.take(16)] == [["com.t", [4]], ["com.u", [4]]]


async def test_outbox_sends_again_until_it_is_acknowledged():
    router = Router()
    outbox = Outbox()
    router.on[16] = lambda m: router.drop()
    async with Scripted(router, outbox=outbox) as client:
        task = asyncio.create_task(client.publish("com.t", 1, acknowledge=True))
        await until(lambda: client.joins == 3)
        del router.on[16]
        router.drop()
        assert await task == 101
        sent = router.take(16)
        one = [16, 1, {"acknowledge": True}, "com.t", [1]]
        assert len(sent) >= 3 and sent == [one] * len(sent)
        assert len(outbox) == 0


async def test_outbox_does_not_insist_on_what_is_refused():
    router = Router()
    outbox = Outbox()
    router.on[16] = lambda m: router.send([8, 16, m[1], {}, "wamp.error.not_authorized"])
    async with Scripted(router, outbox=outbox) as client:
        error = await fails(ApplicationError, client.publish("com.t", 1, acknowledge=True))
        assert error.error == "wamp.error.not_authorized" and len(outbox) == 0
        await fails(wamp.LocalProtocolError, client.publish("no uri", acknowledge=True))
        await fails(wamp.LocalProtocolError, client.publish("com.t", object(), acknowledge=True))
        assert len(outbox) == 0


async def test_outbox_outlives_a_time_out():
    router = Router()
    outbox = Outbox(1)
    async with Scripted(router, outbox=outbox) as client:
        down(router)
        await router.wait(1, 2)
        error = await fails(
            RequestTimeout, client.publish("com.t", 1, acknowledge=True, timeout_ms=10)
        )
        assert "kept" in str(error) and len(outbox) == 1
        task = asyncio.create_task(client.publish("com.t", 2, acknowledge=True))
        await settled()
        assert len(outbox) == 1 and outbox.dropped == 1
        last = asyncio.create_task(client.publish("com.t", 3, acknowledge=True))
        error = await fails(TransportLost, task)
        assert "dropped" in str(error)
        up(router)
        assert await last == 101
        assert [m[4] for m in router.take(16)] == [[3]]


# -- watchdog


async def test_watchdog():
    router = Router()
    fed = []
    async with Scripted(router, alive_ms=0) as client:
        task = watchdog.guard(client, lambda: fed.append(1), 1, 20)
        await until(lambda: len(fed) > 30)
        # A router that neither answers nor ends: fed only as long as that may take.
        router.on[1] = None
        router.drop()
        await router.wait(1, 2)
        await asyncio.sleep(0.05)
        count = len(fed)
        await asyncio.sleep(0.02)
        assert len(fed) == count
        # Failed attempts are progress.
        router.open_error = TransportError("no port")
        router.drop()
        await until(lambda: len(fed) > count + 10)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
