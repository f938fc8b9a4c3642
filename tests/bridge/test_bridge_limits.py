"""What one device may cause, hostile ones included; and that the others do not notice."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import tracemalloc
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cbor2
import pytest
from plant import Plant, until

import wamp
from microwamp.bridge import BridgeConfig, Limits, PortConfig
from microwamp.bridge import splice as splice_module
from microwamp.bridge.bucket import Bucket
from microwamp.bridge.guard import IDLE_PIECE, NOISE_PIECE
from microwamp.bridge.splice import Forbidden, Splice, peek
from wamp import linkframe, rawsocket
from wamp.transport import make


def configured(plant: Plant, *limits: Limits, **options: Any) -> None:
    """Starts the bridge with these limits, one a cable."""
    ports = [
        PortConfig(cable.port, plant.url, baud=921600, limits=limit, **options)
        for cable, limit in zip(plant.cables, limits, strict=True)
    ]
    plant.start_bridge(config=BridgeConfig(tuple(ports)))


def test_a_bucket():
    bucket = Bucket(10, 5, 5)
    assert bucket.take(5, 100.0) == 0.0
    assert bucket.take(1, 100.0) == pytest.approx(0.1)
    assert bucket.take(0, 100.1) == pytest.approx(0.0, abs=1e-9)
    assert bucket.take(1000, 100.2) == pytest.approx(0.5), "the debt is bounded"
    assert bucket.take(0, 1000.0) == 0.0
    assert [bucket.allow(1000.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert bucket.allow(1000.1) and not bucket.allow(1000.1)
    assert all(Bucket(0, 0).allow(1.0) for _ in range(1000))


# -- rate, length, buffers


async def test_a_device_that_sends_too_fast_is_held_back_and_loses_nothing():
    """1,000 publications at 200 a second, after a first 200 and what the link has under way."""
    async with Plant(bridge=False) as plant:
        configured(plant, Limits(messages_per_s=200))
        device, host = plant.device(), plant.host()
        heard: list[int] = []
        host.subscribe("com.example.count", heard.append)
        async with host, device:
            for n in range(1000):
                await device.publish("com.example.count", n)
            await until(lambda: len(heard) == 1000, "all of them")
            assert heard == list(range(1000))
            status = plant.served().status()
            assert status["counts"]["held"] >= 1
            assert status["counts"]["messages_in"] >= 1000
            assert device.joins == 1


async def test_the_longest_message_is_announced_to_both_sides():
    async with Plant(bridge=False) as plant:
        configured(plant, Limits(message_octets=5000))  # the handshake can say 4,096
        device, host = plant.device(max_length=1 << 16), plant.host()
        device.register("com.example.echo", lambda octets: octets)
        async with device, host:
            assert await host.call("com.example.echo", bytes(3000)) == bytes(3000)
            with pytest.raises(wamp.ApplicationError, match="payload_size_exceeded"):
                await host.call("com.example.echo", bytes(5000))
            with pytest.raises(wamp.LocalProtocolError, match="4096"):
                await device.publish("com.example.x", bytes(5000), acknowledge=True)
            assert plant.served().status()["counts"]["dropped"] == 1


# -- realms


async def test_a_device_stays_in_its_realms():
    async with Plant(bridge=False) as plant:
        configured(plant, Limits(), realms=("devices", "spare"))
        async with plant.device() as device:
            assert device.joins == 1
        stranger = plant.device(realm="secrets", reconnect=False)
        words = "no_such_realm: the bridge does not let this device into the realm 'secrets'"
        with pytest.raises(wamp.SessionAborted, match=words):
            await stranger.join()
        refused = await plant.log.expect("session", state="refused")
        assert refused["reason"].endswith("into the realm 'secrets'")
        assert plant.router_log.all("joined", realm="secrets") == []
        # The spare one is allowed; that there is none is the router's word.
        spare = plant.device(realm="spare", reconnect=False)
        with pytest.raises(wamp.SessionAborted, match="no realm 'spare'"):
            await spare.join()


async def test_a_further_session_stays_in_them_too():
    async with Plant(bridge=False) as plant:
        configured(plant, Limits(), realms=("devices",))
        device = plant.device(reconnect=False)
        async with device:
            await device.rejoin("devices")
            with pytest.raises(wamp.SessionAborted, match="into the realm 'secrets'"):
                await device.rejoin("secrets")
        assert plant.router_log.all("joined", realm="secrets") == []
        assert len(plant.log.all("device", state="connected")) == 1


def guarded() -> tuple[Splice, list[tuple[int, bytes]]]:
    splice = Splice(lambda from_device, code, head: None, ("devices",))
    splice.from_device(b"\x7f\x73\x00\x00")
    splice.from_router(b"\x7f\xf3\x00\x00")
    splice.to_router.clear()
    splice.to_device.clear()
    return splice, []


HELLO = cbor2.dumps([1, "devices", {"roles": {"caller": {}}}])
# What is a HELLO to cbor2, written so that it does not look like one.
DISGUISES = [
    b"\x83\xc2\x41\x01" + cbor2.dumps("secrets") + b"\xa0",  # the type as a big number
    b"\xd9\xd9\xf7" + cbor2.dumps([1, "secrets", {}]),  # self-described
    b"\x83\xd8\x40\x01" + cbor2.dumps("secrets") + b"\xa0",  # a tag before the type
    b"\x83\x01\x7f\x67secrets\xff\xa0",  # a text in pieces
    b"\x83\x01\x7f\x63dev\x64ices\xff\xa0",
    b"\x83\x01\xc0" + cbor2.dumps("devices") + b"\xa0",
    b"\x83\xf9\x3c\x00" + cbor2.dumps("secrets") + b"\xa0",  # 1.0
    b"\x9b\x00\x00\x00\x00\x00\x00\x00\x03\x1b\x00\x00\x00\x00\x00\x00\x00\x01\x67secrets\xa0",
    b"",
    b"\x80",
    b"\x83",
    cbor2.dumps([1, "devices" + "x" * 400, {}]),
    cbor2.dumps([1, "device", {}]),
    cbor2.dumps([1, "", {}]),
    cbor2.dumps([True, "secrets", {}]),
]


@pytest.mark.parametrize("message", DISGUISES, ids=[one[:12].hex() for one in DISGUISES])
def test_no_hello_in_disguise_gets_through(message):
    for step in (1, 3, 1000):
        splice, _ = guarded()
        octets = len(message).to_bytes(4, "big") + message
        with pytest.raises(Forbidden):
            for i in range(0, len(octets), step):
                splice.from_device(octets[i : i + step])
        assert b"".join(splice.to_router) == b""
        abort = cbor2.loads(b"".join(splice.to_device)[4:])
        assert abort[0] == 3 and "message" in abort[1]


def test_what_may_pass_passes_in_any_pieces():
    message = cbor2.dumps([48, 1, {}, "com.example.x", [bytes(1000)]])
    stream = b"".join(
        len(one).to_bytes(4, "big") + one for one in (HELLO, message, cbor2.dumps([6, {}, "x"]))
    )
    for step in (1, 2, 5, 100, 299, 300, 301, 5000):
        splice, _ = guarded()
        for i in range(0, len(stream), step):
            splice.from_device(stream[i : i + step])
        assert b"".join(splice.to_router) == stream


@pytest.mark.parametrize("octets", [b"\x7f\x71\x00\x00", b"\x7f\x72\x00\x00", b"\x7f\x75\x00\x00"])
def test_another_serializer_cannot_be_looked_into(octets):
    splice = Splice(lambda from_device, code, head: None, ("devices",))
    with pytest.raises(Forbidden):
        splice.from_device(octets)
    assert splice.to_router == []
    assert b"".join(splice.to_device) == b"\x7f\x10\x00\x00"


def test_a_splice_goes_on_from_its_state_at_any_octet():
    """The same octets come out, however often it is handed over on the way."""
    rng = random.Random(5)
    parts = [b"\x7f\x13\x00\x00"]
    for message in (
        HELLO,
        cbor2.dumps([48, 1, {}, "com.example.time", [1, "x" * 300]]),
        cbor2.dumps([6, {}, "x"]),
    ):
        parts.append(len(message).to_bytes(4, "big") + message)
    parts.insert(2, b"\x01\x00\x00\x05hello")
    device = b"".join(parts)
    back = [b"\x7f\xf3\x00\x00"]
    for message in (
        cbor2.dumps([2, 5, {}]),
        cbor2.dumps([68, 7, 1, {}, ["z" * 2000]]),
        cbor2.dumps([36, 1, 2, {}, ["short"]]),
        cbor2.dumps([50, 1, {}, [b"z" * 9000]]),
    ):
        back.append(len(message).to_bytes(4, "big") + message)
    router = b"".join(back)

    def run(hand_over: bool) -> tuple[bytes, bytes]:
        make_one: Callable[[], Splice] = lambda: Splice(  # noqa: E731
            lambda from_device, code, head: None, ("devices",)
        )
        splice = make_one()
        out = [b"", b""]
        i = j = 0
        while i < len(device) or j < len(router):
            n = rng.randrange(1, 40)
            if i < len(device):
                splice.from_device(device[i : i + n])
                i += n
            elif j < len(router):
                splice.from_router(router[j : j + n])
                j += n
            out[0] += b"".join(splice.to_router)
            out[1] += b"".join(splice.to_device)
            splice.to_router.clear()
            splice.to_device.clear()
            if hand_over:
                state = cbor2.loads(cbor2.dumps(splice.state()))
                splice = make_one()
                splice.restore(state)
        return out[0], out[1]

    assert run(True) == run(False)


# -- hostile devices


async def attack(fd: int, octets: Callable[[int], bytes], enough: asyncio.Event) -> int:
    """Write what the line takes, until it is enough; returns how many octets."""
    sent = n = 0
    while not enough.is_set():
        part = octets(n)
        n += 1
        while part and not enough.is_set():
            try:
                taken = os.write(fd, part)
            except BlockingIOError:
                await asyncio.sleep(0.001)
                continue
            sent += taken
            part = part[taken:]
        await asyncio.sleep(0)
        try:
            os.read(fd, 65536)
        except BlockingIOError:
            continue
    return sent


def opens(n: int) -> bytes:
    payload = b"\x41\x41" + (n + 1).to_bytes(4, "big") + b"\x04\x00\x64evil"
    return linkframe.frame(linkframe.T_OPEN, payload, credit=64)


rng = random.Random(1)
GARBAGE = bytes(rng.randrange(256) for _ in range(8192))
ATTACKS: dict[str, Callable[[int], bytes]] = {
    "garbage": lambda n: GARBAGE,
    "syncs": lambda n: b"\xf8\xc1" * 4096,
    "text without end": lambda n: b"x" * 8192,
    "lines": lambda n: b"a line of text\r\n" * 500,
    "headers": lambda n: linkframe.frame(0, bytes(1024))[:10] * 800,
    "frames of no connection": lambda n: linkframe.frame(0, bytes(1024)) * 8,
    "opens": lambda n: b"".join(opens(16 * n + i) for i in range(16)),
    "one open again and again": lambda n: opens(7) * 16,
    "announces": lambda n: linkframe.frame(linkframe.T_ANNOUNCE, b"AA\0\0\0\0 ") * 100,
    "old versions": lambda n: linkframe.frame(8, b"\x51\x52" + bytes(7)) * 50,
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_hostile_line_costs_little_and_harms_no_other(name):
    """While one line is flooded, a device on another goes on working; neither the log, nor
    router connections, nor memory grow with the flood."""
    async with Plant(2) as plant:
        device, host = plant.device(1), plant.host()
        device.register("com.example.echo", lambda octets: octets)
        # Straight into the bridge's port: as fast as a pty is.
        plant.cables[0].line.close()
        hostile = plant.cables[0].pty
        async with device, host:
            assert plant.bridge is not None
            await plant.stop_bridge()
            plant.start_bridge(ports=[hostile.path, plant.cables[1].port])
            await until(lambda: device.joins == 2, "the good one joins")
            await device.join()
            await until(lambda: plant.served(0).state == "open", "the port is open")
            await host.call("com.example.echo", b"x")
            events, connections = len(plant.log.events), len(plant.router_log.events)
            gc.collect()
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            enough = asyncio.Event()
            begin = asyncio.get_running_loop().time()
            attacking = asyncio.create_task(attack(hostile.fd, ATTACKS[name], enough))
            await asyncio.sleep(1.0)
            for _ in range(20):
                octets = os.urandom(200)
                assert await host.call("com.example.echo", octets) == octets
            enough.set()
            seconds = asyncio.get_running_loop().time() - begin
            taken = await attacking
            # What is not read costs nothing: so much a second at most, whatever it is, with what
            # may come at once and what the system keeps. A slow machine may not get there.
            most = NOISE_PIECE * Limits().noise_per_s * (seconds + 4) + (1 << 18)
            print(f"{name}: {taken} octets in {seconds:.1f} s, {most:.0f} allowed")
            assert 10_000 < taken < most
            rests = plant.served(0).status()["counts"]["rests"]
            assert rests > 0 or taken < IDLE_PIECE * Limits().noise_per_s * (seconds + 3)
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
            tracemalloc.stop()
            assert device.joins == 2
            assert grown < 1_000_000, f"{grown} octets"
            console = [e for e, f in plant.log.events[events:] if e == "console"]
            assert len(console) <= 200 + 50 * 20
            other = len(plant.log.events) - events - len(console)
            assert other < 120, plant.log.events[-20:]
            assert len(plant.router_log.events) - connections < 60


async def test_no_payload_is_read_unless_a_trace_asks_for_it(monkeypatch):
    """The bridge decodes nothing: it takes type and request from the first octets of a message.
    Its log and its status have nothing of what passes; a trace gets all of it."""
    secret = "a secret that nobody is to read"
    looked: list[bytes] = []

    def spy(octets: bytes) -> tuple[int, int, int]:
        looked.append(octets)
        return peek(octets)

    monkeypatch.setattr(splice_module, "peek", spy)
    monkeypatch.setattr(splice_module, "cbor2", SimpleNamespace(dumps=cbor2.dumps))
    async with Plant() as plant:
        device, host = plant.device(), plant.host()
        device.register("com.example.echo", lambda *args: args[1])
        async with device, host:
            for _ in range(3):
                assert await host.call("com.example.echo", "x" * 300, secret) == secret
                await device.publish("com.example.news", "x" * 300, secret, acknowledge=True)
            assert looked and max(map(len, looked)) <= splice_module.PEEK
            assert secret not in f"{plant.log} {plant.served().status()}"
            tapped: list[bytes] = []
            plant.served().trace(lambda mine, kind, length, octets: tapped.append(octets))
            await host.call("com.example.echo", "", secret)
            plant.served().trace(None)
            assert any(secret.encode() in octets for octets in tapped)
            count = len(tapped)
            await host.call("com.example.echo", "", secret)
            assert len(tapped) == count


async def test_endless_handshakes_are_slowed_down():
    """A device that connects and leaves as fast as it can is refused after the first 20."""
    async with Plant(bridge=False) as plant:
        configured(plant, Limits(opens_per_s=2))
        refused = 0
        for _ in range(40):
            transport = make(plant.cables[0].url)
            try:
                await transport.open()
            except wamp.TransportError as e:
                assert "the device connects too often; wait a second" in str(e)
                refused += 1
            finally:
                transport.close()
            if refused:
                break
        status = plant.served().status()
        assert refused == 1 and status["counts"]["refused"] >= 1
        assert 20 <= status["counts"]["connections"] <= 36
        # A real device tries again by itself, and is served.
        client = plant.device()
        client.start()
        await until(lambda: client.joins == 1, "it is served")


async def test_huge_lengths_and_floods_inside_a_session():
    async with Plant(bridge=False) as plant:
        configured(plant, Limits(message_octets=4096, messages_per_s=200))
        # A message that never ends is not kept; one that is too long ends the connection.
        device = make(plant.cables[0].url)
        await device.open()
        device.write(b"\x7f\xf3\x00\x00")
        await device.read()
        device.write(b"\x00\xff\xff\xff" + bytes(100))
        with pytest.raises(wamp.TransportLost, match="16777215 octets, 4096 are allowed"):
            await device.read()
        device.close()
        # PINGs count as messages.
        device = make(plant.cables[0].url)
        await device.open()
        device.write(b"\x7f\xf3\x00\x00")
        await device.read()
        ping = rawsocket.Frames(1 << 20).frame(bytes(100), rawsocket.PING)

        async def read() -> None:
            while True:
                await device.read()

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)  # it reads; `drain` need not
        for _ in range(1200):
            device.write(ping)
            await device.drain()
        await until(lambda: plant.served().status()["counts"]["held"] > 0, "it is held back")
        await until(lambda: device.backlog() == 0, "all was taken")
        reading.cancel()
        await asyncio.wait([reading])
        device.close()


async def test_a_router_connection_costs_little_while_idle():
    """A joined device that says nothing: no task of the bridge is awake, and few there are."""
    async with Plant() as plant:
        before = len(asyncio.all_tasks())
        async with plant.device():
            assert len(asyncio.all_tasks()) - before < 8


async def test_a_device_with_another_version_of_the_link_is_told_and_named_once():
    async with Plant() as plant:
        await until(lambda: plant.line.opened, "the port")
        octets = linkframe.frame(linkframe.T_OPEN, b"\x42\x43" + b"\0\0\0\x01\x04\0\x64new")
        for _ in range(5):
            plant.cables[0].to_host(octets)
            await asyncio.sleep(0.05)
        refused = await plant.log.expect("device", state="refused")
        assert refused["reason"] == "the device speaks link versions 2 to 3, the bridge 1"
        assert len(plant.log.all("device")) == 1
        async with plant.device() as device:
            assert device.joins == 1
