"""RawSocket, the router's side: handshake, frames, lengths, clients that do not read."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import cbor2
import pytest
from peer import BASIC, Log, Peer, joined, serve

from microwamp.router import Limits
from microwamp_rig.crossbar import make_certificate
from wamp.errors import ConfigurationError, TransportError

# (the client's octets, the router's reply; None: closed without one)
HANDSHAKES = [
    ("7f330000", "7fb30000"),
    ("7ff30000", "7fb30000"),
    ("7f130000", "7fb30000"),
    ("7f030000", "7f200000"),  # 512 octets: no WELCOME fits
    ("7f300000", "7f100000"),  # serializer 0
    ("7f310000", "7fb10000"),  # JSON
    ("7f320000", "7fb20000"),
    ("7f340000", "7fb40000"),
    ("7f350000", "7fb50000"),  # FlatBuffers
    ("7f360000", "7f100000"),
    ("7f3f0000", "7f100000"),
    ("7f330001", "7f300000"),  # reserved bits
    ("7f330100", "7f300000"),
    ("7f3f0100", "7f300000"),
    ("00330000", None),
    ("47455420", None),  # GET
    ("16030100", None),  # TLS
    ("ffffffff", None),
]


async def test_handshakes():
    async with serve() as router:
        for octets, reply in HANDSHAKES:
            async with await Peer.dial(router.urls[0]) as peer:
                await peer.raw(bytes.fromhex(octets))
                if reply is not None:
                    assert (await peer.octets(4)).hex() == reply, octets
                if reply is None or reply[2] != "b":
                    assert await peer.ended(), octets


async def test_limit_on_the_number_of_connections():
    async with serve(limits=Limits(connections=2)) as router:
        url = router.urls[0]
        async with await Peer.connect(url), await Peer.dial(url):
            async with await Peer.dial(url) as third:
                await third.raw(bytes.fromhex("7f330000"))
                assert await third.octets(4) == bytes.fromhex("7f400000")
                assert await third.ended()
        await asyncio.sleep(0.05)
        async with joined(router) as again:
            assert await again.silent()


async def test_octets_one_by_one_and_glued_together():
    hello = cbor2.dumps([1, "test", {"roles": BASIC}])
    frame = len(hello).to_bytes(4, "big") + hello
    async with serve() as router:
        async with await Peer.dial(router.urls[0]) as peer:
            for octet in bytes.fromhex("7f330000") + frame:
                await peer.raw(bytes((octet,)))
                await asyncio.sleep(0)
            await peer.octets(4)
            assert (await peer.receive())[0] == 2
        async with await Peer.dial(router.urls[0]) as peer:
            await peer.raw(bytes.fromhex("7f330000") + frame + bytes.fromhex("0100000161") * 3)
            await peer.octets(4)
            assert (await peer.receive())[0] == 2
            assert [await peer.receive_frame() for _ in range(3)] == [(2, b"a")] * 3


async def test_ping_is_answered_in_every_state_and_pong_ignored():
    async with serve() as router, await Peer.connect(router.urls[0]) as peer:
        for payload in (b"", b"x", bytes(range(256)) * 16):
            await peer.frame(payload, 1)
            assert await peer.receive_frame() == (2, payload)
        await peer.frame(b"unsolicited", 2)
        await peer.join()
        await peer.frame(b"12345678", 1)
        assert await peer.receive_frame() == (2, b"12345678")
        await peer.frame(b"", 2)
        assert await peer.silent()


async def test_ping_that_its_sender_could_not_take_back():
    async with serve() as router, await Peer.connect(router.urls[0], length=1) as peer:
        await peer.frame(bytes(1024), 1)
        assert await peer.receive_frame() == (2, bytes(1024))
        await peer.frame(bytes(1025), 1)
        assert "PING" in await peer.aborted()


async def test_prefixes_that_break_the_framing():
    async with serve() as router:
        for prefix in ("03000000", "07000000", "08000000", "10000000", "80000001", "ff000000"):
            async with joined(router) as peer:
                await peer.raw(bytes.fromhex(prefix))
                assert "reserved bits" in await peer.aborted(), prefix


async def test_frame_over_the_announced_limit_is_refused_by_its_prefix():
    async with (
        serve(limits=Limits(message=4096)) as router,
        await Peer.connect(router.urls[0]) as peer,
    ):
        assert peer.reply.hex() == "7f330000"
        await peer.join()
        text = "x" * 4060
        await peer.subscribe("com.a")
        await peer.send(16, peer.next(), {"exclude_me": False}, "com.a", [text])
        assert (await peer.receive())[4] == [text]
        await peer.raw(bytes.fromhex("00001001"))
        assert "4097" in await peer.aborted()


async def test_event_too_long_for_a_subscriber_is_dropped_and_counted():
    async with (
        serve() as router,
        joined(router) as publisher,
        joined(router, length=1) as small,
        joined(router) as big,
    ):
        await small.subscribe("com.a")
        await big.subscribe("com.a")
        answer = await publisher.request(16, {"acknowledge": True}, "com.a", ["x" * 2000])
        assert answer[0] == 17
        assert (await big.receive())[4] == ["x" * 2000]
        await publisher.send(16, publisher.next(), {}, "com.a", ["y"])
        assert (await small.receive())[4] == ["y"]
        assert (await big.receive())[4] == ["y"]
        assert router.counters["messages too long for their receiver"] == 1


async def test_invocation_too_long_for_the_callee_never_happened_for_it():
    async with serve() as router, joined(router) as caller, joined(router, length=1) as callee:
        await callee.register("com.f", concurrency=1)
        for _ in range(3):
            answer = await caller.request(48, {}, "com.f", ["x" * 2000])
            assert answer[:3] == [8, 48, caller._request]
            assert answer[4] == "wamp.error.payload_size_exceeded"
        await caller.send(48, caller.next(), {}, "com.f", ["y"])
        assert (await callee.receive())[:2] == [68, 1]
        await callee.send(70, 1, {}, ["z"])
        assert await caller.receive() == [50, 4, {}, ["z"]]


async def test_result_and_error_too_long_for_the_caller():
    async with serve() as router, joined(router, length=1) as caller, joined(router) as callee:
        await callee.register("com.f")
        await caller.send(48, 1, {}, "com.f")
        await callee.receive()
        await callee.send(70, 1, {}, ["x" * 2000])
        answer = await caller.receive()
        assert answer[:3] == [8, 48, 1] and answer[4] == "wamp.error.payload_size_exceeded"
        await caller.send(48, 2, {}, "com.f")
        await callee.receive()
        await callee.send(8, 68, 2, {}, "com.example.error", ["x" * 2000])
        answer = await caller.receive()
        assert answer[:3] == [8, 48, 2] and answer[4] == "wamp.error.payload_size_exceeded"
        assert "com.example.error" in answer[5][0]
        await caller.send(48, 3, {}, "com.f")
        await callee.receive()
        await callee.send(8, 68, 3, {}, "com." + "e" * 2000)
        answer = await caller.receive()
        assert answer[:3] == [8, 48, 3] and answer[4] == "wamp.error.payload_size_exceeded"
        # A progressive result ends the call, and what comes later is nobody's.
        await caller.send(48, 4, {"receive_progress": True}, "com.f")
        await callee.receive()
        await callee.send(70, 4, {"progress": True}, ["x" * 2000])
        answer = await caller.receive()
        assert answer[:3] == [8, 48, 4] and answer[4] == "wamp.error.payload_size_exceeded"
        assert await callee.receive() == [69, 4, {"mode": "killnowait"}]
        await callee.send(70, 4, {"progress": True}, [1])
        await callee.send(8, 68, 4, {}, "wamp.error.canceled")
        assert await callee.silent()
        caller._request = 4
        assert await caller.silent()


async def test_an_answer_of_the_router_itself_too_long_for_the_caller():
    async with serve() as router, joined(router, length=1) as caller:
        others = [await (await Peer.connect(router.urls[0])).join(roles=BASIC) for _ in range(120)]
        answer = await caller.request(48, {}, "wamp.session.list")
        assert answer[:3] == [8, 48, 1] and answer[4] == "wamp.error.payload_size_exceeded"
        assert await caller.silent()
        for other in others:
            await other.close()


async def test_a_client_that_does_not_read_is_dropped():
    log = Log()
    text = "x" * 60_000
    async with (
        serve(log=log, limits=Limits(output=1 << 20)) as router,
        joined(router) as publisher,
        joined(router) as watcher,
        joined(router) as lazy,
    ):
        await lazy.subscribe("com.a")
        await watcher.subscribe("wamp.session.on_leave")
        for _ in range(1000):
            await publisher.request(16, {"acknowledge": True}, "com.a", [text])
            if "dropped" in log.names():
                break
        else:
            pytest.fail("the router kept 60 MB for a client that does not read")
        assert (await watcher.receive())[4][0] == lazy.session
        assert await publisher.silent()
        assert log.names().count("left") == 1


async def test_pings_without_reading_are_dropped_too():
    log = Log()
    async with serve(log=log, limits=Limits(output=1 << 16)) as router:
        peer = await Peer.connect(router.urls[0])
        with pytest.raises(ConnectionError):
            for _ in range(2000):
                await asyncio.wait_for(peer.frame(bytes(60_000), 1), 60)
        await peer.close()
        assert "dropped" in log.names()


async def test_unix_socket(tmp_path: Path):
    path = tmp_path / "router.sock"
    url = f"rs://unix:{path}"
    async with serve(listen=(url, "rs://127.0.0.1:0")) as router:
        assert router.urls[0] == url
        async with joined(router) as peer:
            assert await peer.silent()
            details = await peer.request(48, {}, "wamp.session.get", [peer.session])
            assert details[3][0]["transport"]["channel_type"] == "unix"
        with pytest.raises(TransportError, match="another program listens"):
            async with serve(listen=(url,)):
                pass
        async with joined(router) as peer:
            assert await peer.silent()
    assert not path.exists()
    # What a killed router leaves behind is taken over; other files are not touched.
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    async with serve(listen=(url,)) as router, joined(router) as peer:
        assert await peer.silent()
    path.write_text("precious")
    with pytest.raises(ConfigurationError, match="a file is in the way"):
        async with serve(listen=(url,)):
            pass
    assert path.read_text() == "precious"


async def test_addresses_that_cannot_be_listened_on():
    async with serve() as router:
        with pytest.raises(TransportError, match="address already in use"):
            async with serve(listen=("rs://127.0.0.1:0", router.urls[0])):
                pass
    for url, words in (
        ("rs://two..dots:1", "no such host"),
        ("rs://192.0.2.1:0", "cannot assign"),
        ("rs://unix:/nowhere/at/all", "cannot listen on rs://unix:/nowhere/at/all"),
    ):
        with pytest.raises((ConfigurationError, TransportError), match=words):
            async with serve(listen=(url,)):
                pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A self-signed certificate for localhost and its key."""
    folder = tmp_path_factory.mktemp("tls")
    pair = folder / "certificate.pem", folder / "key.pem"
    make_certificate(*pair)
    return str(pair[0]), str(pair[1])


async def test_tls(certificate: tuple[str, str], tmp_path: Path):
    context = ssl.create_default_context(cafile=certificate[0])
    listen = ("rss://127.0.0.1:0",)
    async with serve(
        listen=listen, certificate=certificate[0], key=certificate[1], opening_timeout=1.0
    ) as router:
        url = router.urls[0]
        assert url.startswith("rss://127.0.0.1:") and not url.endswith(":0")
        async with await Peer.connect(url, context=context) as peer:
            await peer.join()
            await peer.subscribe("com.a")
            text = "x" * 300_000
            await peer.send(16, peer.next(), {"exclude_me": False}, "com.a", [text])
            assert (await peer.receive())[4] == [text]
            details = await peer.request(48, {}, "wamp.session.get", [peer.session])
            assert details[3][0]["transport"]["channel_type"] == "tls"
            await peer.send(99)
            await peer.aborted()
        # Who speaks RawSocket, or nothing, to a TLS port is closed.
        async with await Peer.dial(url.replace("rss", "rs")) as peer:
            await peer.raw(bytes.fromhex("7f330000"))
            assert await peer.ended()
        async with await Peer.dial(url.replace("rss", "rs")) as peer:
            assert await peer.ended()
    for pair in ((certificate[0], None), (str(tmp_path / "no.pem"), None), (certificate[1], None)):
        with pytest.raises(ConfigurationError, match="certificate"):
            async with serve(listen=listen, certificate=pair[0], key=pair[1]):
                pass


async def test_localhost_with_port_0_is_one_address():
    async with serve(listen=("rs://localhost:0",)) as router, joined(router) as peer:
        assert await peer.silent()
