"""Hostile and broken routers, the rest: time, logins that prove something, calls in parts, serial.

The rows are numbered as in test_hostile.py.
"""

import asyncio
from binascii import unhexlify
from os import urandom

from link_vectors import FRAMES
from script import ROLES, Router, Scripted, fails, settled, until
from test_auth_router import demanding, proof
from test_auth_scram import RFC_7677, SCRAM, argon2, scram
from test_hostile import aside, works
from test_hostile_session import FAILED, VIOLATION, Session
from test_link import Pair, Random, pattern
from test_serial import Line, On

import wamp
from wamp.auth import Scram
from wamp.errors import (
    ApplicationError,
    AuthenticationError,
    RemoteProtocolError,
    RequestTimeout,
    TransportError,
    TransportLost,
)
from wamp.link import CLOSED, CONSOLE
from wamp.linkacceptor import Acceptor

CANCELED = "wamp.error.canceled"


def capable():
    """A router that announces what calls can be beyond the basic profile."""
    router = Router()
    router.announce(
        "dealer",
        "call_canceling",
        "payload_passthru_mode",
        "progressive_call_invocations",
        "progressive_call_results",
    )
    return router


# -- time


async def trickle(router, octet, condition):
    """Let octets arrive one by one until the client has had enough of it."""
    for _ in range(2000):
        if condition():
            return
        if router.transports and not router.transports[0].closes:
            router.transports[0].push(octet)
        await asyncio.sleep(0.002)
    raise AssertionError("the client goes on listening")


async def test_frames_that_trickle():
    """Row 14: in the handshake, in place of WELCOME, and in a session (there by its liveness)."""
    router = Router()
    router.handshake = b"\x7f"
    options = {"join": False, "timeout_ms": 40, "reconnect": False}
    async with Scripted(router, **options) as client:
        task = asyncio.create_task(aside(client.join()))
        for octet in (b"\xf3", b"\x00"):
            await asyncio.sleep(0.01)
            router.push(octet)  # the fourth never comes
        error = await task
        assert isinstance(error, TransportError) and "handshake" in str(error), error

    router = Router()
    router.on[1] = lambda m: router.push(b"\x00\x00\x10\x00")  # of 4,096 octets
    async with Scripted(router, join_ms=40, join=False, reconnect=False) as client:
        task = asyncio.create_task(aside(client.join()))
        await router.wait(1)
        await trickle(router, b"x", task.done)
        error = await task
        assert isinstance(error, TransportError) and "HELLO" in str(error), error

    router = Router()
    router.on[48] = None
    async with Scripted(router, alive_ms=60) as client:
        call = asyncio.create_task(aside(client.call("com.x", timeout_ms=3000)))
        router.push(b"\x00\x00\x10\x00")
        await trickle(router, b"x", lambda: client.joins == 2)
        assert isinstance(await call, TransportLost) and router.transports[0].closes
        router.on = {}
        await works(client)


async def test_connection_that_is_half_open():
    """Row 79: nothing arrives any more and nothing fails; the client asks, and then leaves."""
    router = Router()
    router.on[48] = None
    async with Scripted(router, alive_ms=60) as client:
        call = asyncio.create_task(aside(client.call("com.x", timeout_ms=5000)))
        await until(lambda: client.joins == 2)
        lost = await call
        assert isinstance(lost, TransportLost) and "silent for 60 ms" in str(lost), lost
        router.on = {}
        await works(client)


async def test_cancel_that_is_not_answered():
    """Row 78: the caller's time is up all the same, in each mode; what comes later is dropped."""
    router = capable()
    router.on = {48: None, 49: None}
    async with Scripted(router) as client:
        for n, mode in enumerate(("kill", "killnowait", "skip")):
            error = await aside(client.call("com.x", timeout_ms=20, cancel_mode=mode))
            assert isinstance(error, RequestTimeout), error
            call, cancel = router.take(48, 49)
            assert cancel == [49, call[1], {"mode": mode}]
            router.send([50, call[1], {}, [5]], [8, 48, call[1], {}, CANCELED])
            await settled()
            assert client._protocol.dropped == 2 * n + 2
        task = asyncio.create_task(client.call("com.x"))
        await router.wait(48)
        task.cancel()
        await fails(asyncio.CancelledError, task)
        assert [m[0] for m in router.take()] == [48, 49]
        router.on = {}
        await works(client)
        assert client.joins == 1


# -- logins that prove something


async def refused(row, auth, challenge, reason, welcome=None, join_ms=3000):
    """A login that must not succeed; returns what the client said after HELLO."""
    router = Router()

    def hello(m):
        # The nonce is the client's own: a challenge may have to begin with it.
        extra = challenge(m[2]["authextra"]) if callable(challenge) else challenge
        router.send(extra)

    router.on[1] = hello
    router.on[5] = lambda m: router.send(welcome)
    options = {"join": False, "auth": auth, "reconnect": False, "join_ms": join_ms}
    async with Scripted(router, **options) as client:
        events = []
        client.on_event = lambda *what: events.append(what)
        error = await aside(client.join())
        assert isinstance(error, (AuthenticationError, RemoteProtocolError)), (row, error)
        assert client.joins == 0 and client.session is None and not events, row
        heard = router.heard[1:]
        assert heard[-1][0] == 3 and heard[-1][2] == reason, (row, heard)
        assert router.transports[0].closes == 1, row
        return heard


async def test_router_that_does_not_prove_itself():
    """Row 42: ABORT without reasons, before AUTHENTICATE: not even a signature for an impostor."""
    good = proof()
    signature, challenge = good["signature"][:128], good["signature"][128:]
    for changes in (
        {"signature": None},
        {"signature": 7},
        {"signature": signature},  # without what was signed
        {"signature": signature + "ff" * 32},  # of something that is not ours
        {"signature": "00" * 64 + challenge},
        {"signature": signature[:-2] + "80" + challenge},
        {"pubkey": "28e11f427b82b9a625ee7ac89a7d29326b505f2dc11dd88c1245f83b6da79a85"},
        {"pubkey": 7},
    ):
        login, _ = demanding(said=False)
        heard = await refused(42, login, [4, "cryptosign", proof(**changes)], FAILED)
        assert len(heard) == 1 and heard[0] == [3, {}, FAILED], (changes, heard)
    # Neither by WELCOME without any challenge.
    for details in ({"roles": ROLES}, {"roles": ROLES, "authmethod": "cryptosign"}):
        login, _ = demanding(said=False)
        assert await refused(42, login, [2, 77, details], FAILED) == [[3, {}, FAILED]]


async def test_router_that_proves_itself():
    """Row 42: and one that does, is welcome."""
    login, _ = demanding(said=False)
    router = Router()
    router.on[1] = lambda m: router.send([4, "cryptosign", proof()])
    router.on[5] = lambda m: router.answer([1, "devices"])
    async with Scripted(router, auth=login) as client:
        await works(client)


async def test_scram_challenges_that_are_wrong():
    """Row 44: nonces, kdfs, memory, iterations and base64 that will not do; caps and minimums."""
    good = SCRAM[0][5]
    for changes, reason in (
        ({"nonce": "another" + RFC_7677}, VIOLATION),
        ({"nonce": None}, VIOLATION),
        ({"kdf": "md5"}, FAILED),
        ({"kdf": 5}, VIOLATION),
        ({"kdf": "argon2id13", "memory": 1 << 22}, FAILED),  # 4 GiB
        ({"iterations": 1}, FAILED),
        ({"iterations": 1 << 31}, FAILED),
        ({"iterations": None}, VIOLATION),
        ({"salt": "W22ZaJ0SNY7soEsUEjb6gQ"}, VIOLATION),
        ({"salt": "!!!!"}, VIOLATION),
        ({"salt": "AAAA" * 100}, VIOLATION),
    ):
        extra = dict(good)

        def challenge(authextra):
            extra["nonce"] = authextra["nonce"] + "0123456789"
            extra.update(changes)
            return [4, "wamp-scram", extra]

        login = Scram("user", "pencil", urandom)
        assert len(await refused(44, login, challenge, reason)) == 1, changes


async def test_scram_routers_that_do_not_know_the_password():
    """Row 45: WELCOME without a verifier, or with a wrong one: never a session."""
    row = SCRAM[1]
    for authextra in (None, {}, {"verifier": ""}, {"verifier": 7}, {"verifier": row[6]}):
        login = scram(row, argon2=argon2)

        def challenge(said):
            login._nonce = row[4]  # that of the vector
            return [4, "wamp-scram", row[5]]

        details = {"roles": ROLES, "authmethod": "wamp-scram", "authextra": authextra}
        heard = await refused(45, login, challenge, FAILED, [2, 77, details])
        assert [m[0] for m in heard] == [5, 3], (authextra, heard)
        assert heard[0][1] == row[6]
    # Nor one that leaves out the challenge.
    login = Scram("user", "pencil", urandom)
    for details in ({"roles": ROLES}, {"roles": ROLES, "authextra": {"verifier": row[7]}}):
        assert len(await refused(45, login, [2, 77, details], FAILED)) == 1


# -- calls in parts


async def test_progress_without_end():
    """Row 54: each is handed over and none is kept; the time counts from one to the next."""
    router = capable()
    router.on = {48: None, 49: None}
    async with Scripted(router, timeout_ms=3000) as client:
        heard = [0]

        def on_progress(n):
            assert n == heard[0]
            heard[0] += 1

        task = asyncio.create_task(
            aside(client.call("com.x", timeout_ms=250, on_progress=on_progress))
        )
        call = await router.wait(48)
        router.take()
        for round in range(20):
            router.send(*[[50, call[1], {"progress": True}, [25 * round + n]] for n in range(25)])
            await asyncio.sleep(0.02)  # 400 ms in all: more than the time from one to the next
            assert not task.done() and len(client._due) <= 2 and not client._tasks
            assert heard[0] == 25 * round + 25
        error = await task
        assert isinstance(error, RequestTimeout), error
        assert [m[0] for m in router.take()] == [49]
        # What goes on all the same after CANCEL is dropped.
        router.send(*[[50, call[1], {"progress": True}, [n]] for n in range(50)])
        await settled()
        assert heard[0] == 500 and client._protocol.dropped == 50
        router.on = {}
        await works(client)
        assert client.joins == 1


async def test_progress_that_was_not_asked_for():
    """Row 53: dropped and counted, the call stays open."""
    router = capable()
    router.on = {48: None}
    async with Scripted(router) as client:
        task = asyncio.create_task(client.call("com.x"))
        call = await router.wait(48)
        router.send([50, call[1], {"progress": True}, [1]], [50, call[1], {"progress": True}])
        await settled()
        assert not task.done() and client._protocol.dropped == 2
        router.send([50, call[1], {}, [5]])
        assert await task == 5


async def test_invocations_under_an_id_that_is_in_use():
    """Row 62: a part of a call in parts; a violation where the call that runs is whole."""
    router = capable()
    async with Scripted(router) as client:
        parts = []

        async def handler(*args):
            details = args[-1]
            part = args[:-1]
            while part is not None:
                parts.append(part[0])
                more = await details["receive"]()
                part = None if more is None else more.args
            return parts

        declared = await client.register("com.p", handler, details=True).confirmed()
        router.take()
        more = {"progress": True}
        router.send([68, 7, declared.id, dict(more), [1]], [68, 7, declared.id, dict(more), [2]])
        router.send([68, 7, declared.id, {}, [3]])
        await until(lambda: router.heard)
        assert router.take() == [[70, 7, {}, [[1, 2, 3]]]]
        # The last part has come, or there was only one: no third is possible.
        gate = asyncio.Event()

        async def slow():
            await gate.wait()

        declared = await client.register("com.slow", slow).confirmed()
        router.take()
        router.send([68, 8, declared.id, {}], [68, 8, declared.id, dict(more)])
        await until(lambda: client.joins == 2)
        assert router.heard[0][0] == 3 and router.heard[0][2] == VIOLATION, router.heard
        gate.set()
        await works(client)


async def test_parts_of_a_call_that_is_over():
    """Row 63: dropped, and not taken for a new call."""
    router = capable()
    async with Scripted(router) as client:
        calls = []

        def handler(n):
            calls.append(n)
            return n

        declared = await client.register("com.p", handler).confirmed()
        router.take()
        more = {"progress": True}
        router.send([68, 7, declared.id, dict(more), [1]])
        await until(lambda: router.heard)
        router.send([68, 7, declared.id, dict(more), [2]], [68, 7, declared.id, {}, [3]])
        await settled()
        assert router.take() == [[70, 7, {}, [1]]] and calls == [1]
        assert client._protocol.dropped == 2
        await works(client)


async def test_handlers_that_ignore_their_cancellation():
    """Row 68: one answer, the router's INTERRUPT; and the next call is served."""
    router = capable()
    gate = asyncio.Event()

    async def stubborn():
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                pass
        return "too late"

    async with Scripted(router) as client:
        declared = await client.register("com.p", stubborn).confirmed()
        router.take()
        router.send([68, 7, declared.id, {}])
        await settled()
        for mode in ("kill", "killnowait", "kill"):
            router.send([69, 7, {"mode": mode}])
        await settled()
        assert router.take() == [[8, 68, 7, {}, CANCELED]] and client._protocol.dropped == 2
        router.send([68, 8, declared.id, {}])
        gate.set()
        await until(lambda: router.heard)
        await settled()
        assert router.take() == [[70, 8, {}, ["too late"]]]
        await works(client)


# -- opaque payloads


async def test_octets_in_place_of_arguments():
    """Row 30: crossbar's way to say it; the handler gets them as its one argument."""
    async with Session() as scene:
        said = {"enc_algo": "cryptobox", "enc_serializer": "json"}
        assert await scene.heard([36, scene.topic, 9, dict(said), b"\x00\xff"]) == []
        (octets, details), kwargs = scene.events.pop()
        assert octets == b"\x00\xff" and details["enc_algo"] == "cryptobox" and not kwargs
        heard = await scene.heard([68, 5, scene.registration, dict(said), b"\x01"])
        assert heard == [[70, 5, {}, [1]]] and scene.calls[0][0][0] == b"\x01"
        scene.router.on[48] = lambda m: scene.router.send([50, m[1], dict(said), b"\x02"])
        found = await scene.client.call("com.x")
        assert found == wamp.Result(b"\x02") and found.details == said
        scene.router.on[48] = lambda m: scene.router.send([8, 48, m[1], {}, "com.e", b"\x03"])
        error = await aside(scene.client.call("com.x"))
        assert isinstance(error, ApplicationError) and error.args == (b"\x03",), error
        scene.router.on = {}
        await works(scene.client)


async def test_octets_that_are_announced_and_are_none():
    """Row 85: an event is dropped, a caller is told, a result is an error."""
    said = {"ppt_scheme": "x_own"}
    async with Session() as scene:
        dropped = 0
        for payload in ([], [[]], [["text"]], [[b"1", b"2"]], [[b"1"], {"k": 1}], [None, {}]):
            assert await scene.heard([36, scene.topic, 9, dict(said)] + payload) == []
            heard = await scene.heard([68, 5, scene.registration, dict(said)] + payload)
            assert heard == [[8, 68, 5, {}, "wamp.error.invalid_argument"]], (payload, heard)
            dropped += 2
            assert scene.client._protocol.dropped == dropped
            scene.router.on[48] = lambda m: scene.router.send([50, m[1], dict(said)] + payload)
            error = await aside(scene.client.call("com.x"))
            assert isinstance(error, ApplicationError), (payload, error)
            assert error.error == "wamp.error.invalid_payload"
            scene.router.on = {}
        assert not scene.events and not scene.calls
        await works(scene.client)


# -- serial lines

# What boots on the same UART says: the ROM of an ESP32, a garbled rate, a REPL, an AT modem
NOISE = (
    b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
    b"configsip: 0, SPIWP:0xee\r\nclk_drv:0x00,q_drv:0x00,d_drv:0x00\r\nload:0x3fff0030",
    b'MicroPython v1.28.0; UNIX\r\nType "help()" for more information.\r\n>>> ',
    b"\r\nRING\r\nNO CARRIER\r\n",
    bytes(200),  # a break
    b"\xff" * 200,
)


def test_garbage_on_the_line():
    """Row 87: text of others, breaks and noise, before and within a connection: whatever is not a
    frame stays below, and the stream is what was sent."""
    sent = pattern(3000)
    random = Random(5)
    noise = list(NOISE) + [bytes([random(256) for _ in range(300)]) for _ in range(10)]
    pair = Pair()
    for octets in noise:
        for who, link in (("d", pair.device), ("b", pair.bridge)):
            found = link.receive(octets, pair.ticks())
            assert not [kind for kind, _ in found if kind != CONSOLE], (who, octets)
    pair.connect()
    pair.to_send = {"d": sent, "b": sent}
    for octets in noise:
        for line in (pair.up, pair.down):
            line.queue.append((0, octets))
        pair.run(limit=200)
    assert pair.run(pair.delivered(sent, sent)), "the stream has stopped"
    assert pair.got == {"d": sent, "b": sent} and pair.epochs == 1


def test_rates_that_differ():
    """Row 87: no connection and no octet of the stream come of it; then it works at once."""
    pair = Pair(flip=300000, drop=300000, insert=100000)
    pair.bridge.announce(pair.ticks())
    pair.device.open(0x1234567, pair.ticks())
    pair.run(limit=8000)
    assert not pair.device.is_open and not pair.got["b"] and not pair.got["d"]
    for line in (pair.up, pair.down):
        line.flip = line.drop = line.insert = 0
    assert pair.run(lambda: pair.device.is_open), "it does not recover"
    pair.to_send["d"] = b"hello"
    assert pair.run(pair.delivered(b"hello"))


def test_frames_of_others():
    """Row 87: frames of another connection, whole and well-made, are not of this one."""
    pair = Pair().connect()
    for _ in range(3):
        for name in FRAMES:
            pair.up.queue.append((0, unhexlify(FRAMES[name][-1])))
            pair.down.queue.append((0, unhexlify(FRAMES[name][-1])))
        pair.run(limit=500)
    pair.to_send["d"] = b"hello"
    assert pair.run(lambda: bytes(pair.got["b"]).endswith(b"hello") or pair.epochs > 1)


def test_peer_that_boots_in_the_middle():
    """Row 88: a new bridge knows nothing of the connection: it ends, and nothing of the former
    one reaches the next."""
    pair = Pair().connect()
    pair.to_send["b"] = b"x" * 5000
    pair.run(lambda: len(pair.got["d"]) > 1000)
    pair.to_send = {"d": b"", "b": b""}
    pair.down.queue = []
    pair.bridge = Acceptor(window=16384, send_buffer=16384)
    pair.bridge.announce(pair.ticks())
    assert pair.run(lambda: not pair.device.is_open), "the device goes on"
    closed = [value for kind, value in pair.events["d"] if kind == CLOSED]
    assert len(closed) == 1, pair.events
    pair.got["d"] = bytearray()
    pair.device.open(0x7654321, pair.ticks())
    assert pair.run(lambda: pair.device.is_open)
    pair.to_send["b"] = b"new"
    assert pair.run(lambda: len(pair.got["d"]) >= 3)
    assert pair.got["d"] == b"new"


async def test_session_over_a_peer_that_boots():
    """Row 88: the transport of the session is lost, which makes the client join anew."""
    line = Line()
    async with On(line) as transport:
        line.send(b"half a mess")
        assert await transport.read() == b"half a mess"
        line.link = Acceptor()
        line.link.announce(0)
        line.pump()
        error = await fails(TransportLost, transport.read())
        assert "serial" in str(error) or "bridge" in str(error), error
