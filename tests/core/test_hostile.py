"""Hostile and broken routers: each input, at the client that a program uses, and what it must do.

The rows are numbered 1 to 88, with one or more inputs each. Reactions:

T  the transport is closed at once, no WAMP message goes out
V  ABORT with wamp.error.protocol_violation, and nothing after it; then the transport is closed
D  dropped and counted, the session goes on
A  a login that must not succeed: ABORT, and no session

What takes more than a message to try is in test_hostile_session.py and test_hostile_rest.py;
docs/features.md tells which reactions are not those of the reference, and why. After each no
handle is left that waits, no exception but ours has come up, and the client is in a session again,
where it works.
"""

import asyncio

from script import ROLES, Router, Scripted, settled, until

import wamp
from wamp.errors import (
    Error,
    LocalProtocolError,
    TransportError,
    TransportLost,
)

LIMIT = 8192  # what the clients here accept in a message

# -- the opening handshake: octets in place of a RawSocket reply, and a part of the error

HANDSHAKES = (
    (2, b"", "closed the connection without"),
    (2, b"\x7f\xf3", "in the middle"),
    (4, b"HTTP/1.1 400 Bad Request\r\n", "HTTP"),
    (4, b"\x15\x03\x01\x00\x02", "TLS"),
    (4, b"SSH-2.0-OpenSSH\r\n", "53 53 48 2d"),
    (4, b"\x00\x00\x00\x00", "00 00 00 00"),
    (5, b"\x7f\x10\x00\x00", "serializer unsupported"),
    (5, b"\x7f\x20\x00\x00", "maximum message length unacceptable"),
    (5, b"\x7f\x30\x00\x00", "use of reserved bits"),
    (5, b"\x7f\x40\x00\x00", "maximum connection count reached"),
    (5, b"\x7f\x00\x00\x00", "unknown error code"),
    (5, b"\x7f\x50\x00\x00", "unknown error code"),
    (5, b"\x7f\xf0\x00\x00", "unknown error code"),
    (6, b"\x7f\xf1\x00\x00", "serializer 1"),
    (6, b"\x7f\xf2\x00\x00", "serializer 2"),
    (7, b"\x7f\xf3\x01\x00", "reserved"),
    (7, b"\x7f\xf3\x00\x01", "reserved"),
)

# -- octets in an established session (`frame` makes the prefix), and the reaction. Where
# framing is lost (rows 9 to 11, 82) nothing can be read any more, but our own direction still
# stands: the router is told why.


def frame(payload, kind=0):
    return bytes((kind,)) + len(payload).to_bytes(3, "big") + payload


OCTETS = (
    (9, b"\x03\x00\x00\x01\x00", "V"),
    (9, b"\x07\x00\x00\x01\x00", "V"),
    (9, b"\x08\x00\x00\x01\x00", "V"),
    (9, b"\xf0\x00\x00\x01\x00", "V"),
    (9, b"\x80\x00\x00\x00", "V"),
    (10, b"\x00\x00\x20\x01", "V"),
    (10, b"\x00\xff\xff\xff", "V"),
    (10, b"\x01\xff\xff\xff", "V"),
    (10, b"\x02\x00\x20\x01", "V"),
    (11, b"\x08\x00\x00\x00", "V"),
    (12, frame(b""), "V"),
    (17, frame(b"whatever", 2), "D"),
    (17, frame(b"", 2), "D"),
    (18, frame(b"\x85\x18\x24"), "V"),
    (18, frame(b"\x83\x1c\x01\x02"), "V"),
    (18, frame(b"\x83\x1e\x01\x02"), "V"),
    (18, frame(b"\xff"), "V"),
    (18, frame(b"\x82\x01\xff"), "V"),
    (19, frame(b"\x9a\xff\xff\xff\xff" + bytes(45)), "V"),
    (19, frame(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff" + bytes(41)), "V"),
    (19, frame(b"\xba\xff\xff\xff\xff" + bytes(45)), "V"),
    (19, frame(b"\xbb\x80\x00\x00\x00\x00\x00\x00\x00" + bytes(41)), "V"),
    (19, frame(b"\x81\x7b\x00\x00\x00\x01\x00\x00\x00\x00"), "V"),
    (19, frame(b"\x81\x5a\x7f\xff\xff\xff"), "V"),
    (20, frame(b"\x81" * 8000), "V"),
    (20, frame(b"\x9f" * 8000), "V"),
    (20, frame(b"\xa1" * 4000 + b"\x00" * 4000), "V"),
    (20, frame(b"\xc6" * 8000), "V"),
    (21, frame(b"\x83\x18\x24\x01\x02\x00"), "V"),
    (22, frame(b"\x84\x18\x24\x01\x02\xa1\x01\x02"), "V"),
    (23, frame(b"\x84\x06\xa0\x62\xff\xfe\x80"), "V"),
    (25, frame(b"\xa0"), "V"),
    (25, frame(b"\x01"), "V"),
    (25, frame(b"\x64text"), "V"),
    (25, frame(b"\x80"), "V"),
    (25, frame(b"\x81\x61\x31"), "V"),
    (25, frame(b"\x82\xf5\xa0"), "V"),
    (25, frame(b"\x83\xf9\x51\x00\x01\xa0"), "V"),
    (25, frame(b"\x82\x20\xa0"), "V"),
    (82, b"\x00\x00\x30\x00" + bytes(64), "V"),
)

# -- messages in an established session: the router knows `call` and `publish`, requests under way,
# `done`, an answered one, `never`, one that was never sent, `subscription` and `registration`


class Ids:
    pass


MESSAGES = (
    (22, lambda i: [36, i.subscription, 9, {1: 2}], "V"),
    (22, lambda i: [36, i.subscription, 9, {}, [], {1: 2}], "V"),
    (26, lambda i: [99, 1, {}], "V"),
    (26, lambda i: [337, 1], "V"),
    (26, lambda i: [0], "V"),
    (26, lambda i: [256, 1], "V"),
    (27, lambda i: [50], "V"),
    (27, lambda i: [50, i.call], "V"),
    (27, lambda i: [50, i.call, []], "V"),
    (27, lambda i: [50, i.call, {}, {}], "V"),
    (27, lambda i: [50, i.call, {}, [], []], "V"),
    (27, lambda i: [36, "1", 9, {}], "V"),
    (27, lambda i: [36, i.subscription, 9, []], "V"),
    (27, lambda i: [68, 1, i.registration, None], "V"),
    (27, lambda i: [8, 48, i.call, {}, 5], "V"),
    (27, lambda i: [8, 48, i.call, {}], "V"),
    (28, lambda i: [17, i.publish, 9, {}], "V"),
    (28, lambda i: [33, i.done, 9, {}], "V"),
    (28, lambda i: [50, i.call, {}, [], {}, 1], "V"),
    (28, lambda i: [36, i.subscription, 9, {}, [], {}, 1], "V"),
    (31, lambda i: [36, i.subscription, 0, {}], "V"),
    (31, lambda i: [36, i.subscription, -1, {}], "V"),
    (31, lambda i: [36, i.subscription, (1 << 53) + 1, {}], "V"),
    (31, lambda i: [36, i.subscription, True, {}], "V"),
    (31, lambda i: [36, i.subscription, 1.0, {}], "V"),
    (31, lambda i: [50, 0, {}], "V"),
    (35, lambda i: [2, 77, {"roles": ROLES}], "V"),
    (35, lambda i: [4, "ticket", {}], "V"),
    (35, lambda i: [1, "devices", {}], "V"),
    (35, lambda i: [5, "", {}], "V"),
    (35, lambda i: [48, 1, {}, "com.x"], "V"),
    (35, lambda i: [64, 1, {}, "com.x"], "V"),
    (49, lambda i: [33, i.done, 9], "D"),
    (49, lambda i: [65, i.done, 9], "D"),
    (49, lambda i: [17, i.done, 9], "D"),
    (50, lambda i: [17, i.never, 9], "V"),
    (50, lambda i: [33, i.never, 9], "V"),
    (50, lambda i: [65, i.never, 9], "V"),
    (50, lambda i: [35, i.never], "V"),
    (50, lambda i: [67, i.never], "V"),
    (50, lambda i: [50, i.never, {}], "V"),
    (50, lambda i: [8, 48, i.never, {}, "com.error"], "V"),
    (51, lambda i: [17, i.call, 9], "V"),
    (51, lambda i: [65, i.call, 9], "V"),
    (51, lambda i: [50, i.publish, {}], "V"),
    (51, lambda i: [8, 64, i.call, {}, "com.error"], "V"),
    (51, lambda i: [8, 48, i.publish, {}, "com.error"], "V"),
    (52, lambda i: [50, i.done, {}, [1]], "D"),
    (52, lambda i: [8, 48, i.done, {}, "com.error"], "D"),
    (53, lambda i: [50, i.call, {"progress": True}, [1]], "D"),
    (57, lambda i: [36, 999999, 9, {}, [1]], "D"),
    (57, lambda i: [36, 999999, 9, {}], "D"),
    (62, lambda i: [68, i.running, i.registration, {}], "V"),
    (66, lambda i: [69, 12345, {}], "D"),
    (66, lambda i: [69, 12345, {"mode": "killnowait"}], "D"),
    (69, lambda i: [8, 17, i.call, {}, "com.error"], "V"),
    (69, lambda i: [8, 68, i.running, {}, "com.error"], "V"),
    (69, lambda i: [8, 0, i.call, {}, "com.error"], "V"),
    (69, lambda i: [8, 1, i.call, {}, "com.error"], "V"),
    (70, lambda i: [8, 16, i.plain, {}, "com.error"], "D"),
    (73, lambda i: [35, 0, {"subscription": 999999}], "D"),
    (73, lambda i: [67, 0, {"registration": 999999}], "D"),
    (73, lambda i: [35, 0], "D"),
    (73, lambda i: [67, 0, {}], "D"),
    (73, lambda i: [35, 0, {"subscription": "x"}], "D"),
    (73, lambda i: [67, 0, {"registration": None}], "D"),
)

# -- messages in place of WELCOME, with a login or without

WELCOMED = (
    (32, [2, 77, {}], "V"),
    (32, [2, 77, {"roles": {}}], "V"),
    (32, [2, 77, {"roles": []}], "V"),
    (32, [2, 0, {"roles": ROLES}], "V"),
    (32, [2, (1 << 53) + 1, {"roles": ROLES}], "V"),
    (32, [2, 77, {"roles": {"callee": {}}}], "V"),
    (36, [36, 1, 1, {}], "V"),
    (36, [68, 1, 1, {}], "V"),
    (36, [50, 1, {}], "V"),
    (36, [8, 48, 1, {}, "com.error"], "V"),
    (36, [33, 1, 1], "V"),
    (36, [69, 1, {}], "V"),
    (36, [1, "devices", {}], "V"),
    (37, [6, {}, "wamp.close.normal"], "T"),
    (38, [4, "ticket", {}], "A"),
    (38, [4, "cryptosign", {"challenge": "00" * 32}], "A"),
    (48, [3, {}, "wamp.error.no_such_realm"], "T"),
    (48, [3, {"message": "go"}, "wamp.error.no_such_realm", []], "T"),
    (48, [3, {}, "wamp.error.no_such_realm", [], {}], "T"),
    (48, [3, {}, 5], "T"),
)


async def aside(awaitable):
    """What it returns, or the exception it raises."""
    try:
        return await awaitable
    except Error as e:
        return e


async def works(client):
    """The client is in a session, and does its work there."""
    assert await client.call("com.works", 7, timeout_ms=2000) == 7


def reacted(router, reaction, row):
    """What the router heard before the next HELLO is what the reaction allows."""
    heard = []
    for message in router.heard:
        if message[0] == 1:
            break
        heard.append(message)
    if reaction == "T":
        assert not heard, (row, heard)
    else:
        assert len(heard) == 1 and heard[0][0] == 3 and len(heard[0]) == 3, (row, heard)
        if reaction == "V":
            assert heard[0][2] == "wamp.error.protocol_violation", (row, heard)
            assert heard[0][1]["message"], (row, heard)


async def test_handshakes():
    """Rows 2, 4 to 7: the error says what came; the next attempt succeeds."""
    for row, octets, text in HANDSHAKES:
        router = Router()
        router.handshake = octets
        honest = Router.make
        errors = []

        def make(url, **options):
            transport = honest(router, url, **options)
            if len(router.transports) == 1:
                if len(octets) < 4:
                    transport.end(b"")  # after what the router says
            else:
                router.handshake = b"\x7f\xf3\x00\x00"
            return transport

        router.make = make
        async with Scripted(router, join=False, log=errors.append, timeout_ms=2000) as client:
            call = asyncio.create_task(aside(client.call("com.works", 7)))
            await client.join()
            assert await call == 7, row
            assert client.joins == 1 and client.failures == 1, row
            assert text in errors[0], (row, errors)
            assert router.transports[0].closes == 1, row
            assert [m[0] for m in router.heard] == [1, 48], (row, router.heard)


async def test_no_handshake():
    """Row 1: a router that stays silent."""
    router = Router()
    router.handshake = None
    async with Scripted(router, join=False, timeout_ms=30, reconnect=False) as client:
        error = await aside(client.join())
        assert isinstance(error, TransportError) and "handshake" in str(error), error
        assert router.transports[0].closes == 1 and not router.heard


async def test_handshake_in_pieces():
    """Row 3: octet by octet, and glued to what follows."""
    router = Router()
    router.handshake = b"\x7f"
    async with Scripted(router, join=False) as client:
        task = asyncio.create_task(client.join())
        await until(lambda: router.transports and router.transports[0]._shaken)
        for octet in (b"\xf3", b"\x00"):
            router.push(octet)
            await settled()
            assert not router.heard
        router.push(b"\x00" + frame(b"early", 1))
        await task
        assert [m for m in router.heard if m[0] == -2] == [[-2, b"early"]]
        await works(client)


async def test_router_with_a_small_limit():
    """Row 8: HELLO does not fit the 512 octets that the router accepts."""
    router = Router()
    router.handshake = b"\x7f\x03\x00\x00"
    auth = wamp.Ticket("x" * 600, "y")
    async with Scripted(router, join=False, auth=auth, reconnect=False) as client:
        error = await aside(client.join())
        assert isinstance(error, LocalProtocolError) and "512" in str(error), error
        assert not router.heard


async def attack(row, octets, reaction):
    """Octets, or a function of `Ids` that gives a message, in a session that is in full use."""
    router = Router()
    async with Scripted(router, max_length=LIMIT, timeout_ms=5000) as client:
        ids = Ids()
        events = []
        await client.subscribe("com.topic", lambda *a, **k: events.append(a)).confirmed()
        release = asyncio.Event()

        async def slow():
            await release.wait()

        await client.register("com.slow", slow).confirmed()
        await client.call("com.before")
        ids.done = router.take(48)[0][1]
        await client.publish("com.topic")
        ids.plain = router.take(16)[0][1]
        ids.subscription, ids.registration = router.ids - 1, router.ids
        ids.running, ids.never = 4711, 4711
        router.send([68, ids.running, ids.registration, {}])
        router.on = {48: None, 16: None}
        call = asyncio.create_task(aside(client.call("com.hangs")))
        publish = asyncio.create_task(aside(client.publish("com.topic", acknowledge=True)))
        ids.call = (await router.wait(48))[1]
        ids.publish = (await router.wait(16))[1]
        await settled()
        router.take()
        router.on = {}
        dropped = client.dropped + client._protocol.dropped
        if type(octets) is bytes:
            router.push(octets)
        else:
            router.send(octets(ids))
        if reaction == "D":
            await settled()
            assert not router.heard and client.joins == 1, (row, router.heard)
            if row != 17:
                assert client.dropped + client._protocol.dropped == dropped + 1, row
            assert not events and not call.done() and not publish.done(), row
            await works(client)
            router.send([50, ids.call, {}, [5]], [17, ids.publish, 6])
            assert await call == 5 and await publish == 6, row
        else:
            await until(lambda: router.transports[0].closes)
            for lost in (await call, await publish):
                assert isinstance(lost, TransportLost), (row, lost)
            await until(lambda: client.joins == 2)
            reacted(router, reaction, row)
            assert not events, row
            await works(client)
        release.set()
        await settled()


async def test_octets_in_a_session():
    """Rows 9 to 12, 17 to 25 and 82."""
    for row, octets, reaction in OCTETS:
        await attack(row, octets, reaction)


async def test_messages_in_a_session():
    """Rows 22 to 73 that are one message."""
    for row, message, reaction in MESSAGES:
        await attack(row, message, reaction)


async def test_messages_in_place_of_welcome():
    """Rows 32 to 38 and 48."""
    for row, message, reaction in WELCOMED:
        router = Router()
        lies = [message]

        def hello(m):
            if lies:
                router.send(lies.pop())
            else:
                router.answer(m)

        router.on[1] = hello
        async with Scripted(router, join=False) as client:
            call = asyncio.create_task(aside(client.call("com.works", 7)))
            await client.join()
            assert await call == 7 and client.joins == 1 and client.failures == 1, row
            assert router.transports[0].closes == 1, row
            del router.heard[0]
            reacted(router, reaction, row)
