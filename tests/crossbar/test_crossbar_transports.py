"""Unix socket and TLS to crossbar.io, directly and by the bridge; realms; forged logins."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from devices import LIMIT_S, LOGINS, bridged, running

import wamp
from microwamp_rig import crossbar as xb
from microwamp_rig.crossbar import CrossbarNode
from wamp import auth, rawsocket
from wamp.errors import Error, SessionAborted, TransportError

AUTHENTICATORS: dict[str, Callable[[], Any]] = {
    "anonymous": lambda: None,
    # No allow_clear: TLS and Unix sockets are private.
    "ticket": lambda: auth.Ticket(xb.TICKET_AUTHID, xb.TICKET),
    "wampcra": lambda: auth.CRA(xb.CRA_AUTHID, xb.CRA_SECRET),
    "salted": lambda: auth.CRA(xb.CRA_SALTED_AUTHID, xb.CRA_SALTED_SECRET),
    "cryptosign": lambda: auth.Cryptosign(xb.CRYPTOSIGN_SEED, authid=xb.CRYPTOSIGN_AUTHID),
}


def trusting(node: CrossbarNode) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(node.certificate))


async def both_ways(client: wamp.Client, other: wamp.Client, prefix: str) -> None:
    """A call and an event in each direction, and a message of 64 KiB."""
    heard: list[Any] = []
    for one in (client, other):
        name = f"{prefix}.{one.session}"
        await one.register(name, lambda value: value).confirmed()
        await one.subscribe(name, heard.append).confirmed()
    octets = os.urandom(65536)
    for one, two in ((client, other), (other, client)):
        name = f"{prefix}.{two.session}"
        assert await one.call(name, octets) == octets
        await one.publish(name, one.session, acknowledge=True)
    async with asyncio.timeout(LIMIT_S):
        while len(heard) < 2:
            await asyncio.sleep(0.005)
    assert set(heard) == {client.session, other.session}


@pytest.mark.parametrize("login", AUTHENTICATORS)
@pytest.mark.parametrize("where", ["unix_url", "tls_url"])
async def test_directly(where, login, crossbar):
    options: dict[str, Any] = {"ssl": trusting(crossbar)} if where == "tls_url" else {}
    client = wamp.Client(getattr(crossbar, where), auth=AUTHENTICATORS[login](), **options)
    async with client, wamp.Client(crossbar.url) as other:
        channel = {"unix_url": "memory", "tls_url": "tls"}[where]
        assert client.transport_details.channel_typeid == f"{channel}-rawsocket-cbor"
        assert client.details["authmethod"] == LOGINS[login][0][0]
        await both_ways(client, other, f"com.test.{where}.{login}")


@pytest.mark.parametrize("login", ["private ticket", "cryptosign"])
def test_the_unix_port_over_a_unix_socket(login, crossbar):
    arguments = {**LOGINS, "private ticket": (["private ticket", *LOGINS["ticket"][0][1:]],)}
    settings = {"login": arguments[login][0], "prefix": f"com.test.unix.{login.split()[0]}"}
    with running("unix", crossbar.unix_url, settings) as program:
        program.expect("^joined devices as (alice|erin)", LIMIT_S)
        program.expect("^ready$", LIMIT_S)


@asynccontextmanager
async def terminated(node: CrossbarNode) -> AsyncIterator[str]:
    """The URL of what speaks TLS 1.2 in front of crossbar, with its certificate."""

    over: list[asyncio.Future[None]] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while octets := await reader.read(65536):
                writer.write(octets)
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        over.append(end)
        path = node.unix_url.removeprefix("rs://unix:")
        behind = await asyncio.open_unix_connection(path)
        await asyncio.gather(copy(reader, behind[1]), copy(behind[0], writer))
        end.set_result(None)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(node.certificate, node.folder / "server.key")
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield f"rss://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with asyncio.timeout(LIMIT_S):
            await asyncio.gather(*over)


@pytest.mark.parametrize("login", ["private ticket", "cryptosign"])
async def test_the_unix_port_over_tls(login, crossbar):
    """The certificate is verified, by address and by name."""
    arguments = {**LOGINS, "private ticket": (["private ticket", *LOGINS["ticket"][0][1:]],)}
    settings = {"login": arguments[login][0], "ca": str(crossbar.certificate)}
    async with terminated(crossbar) as url:
        for where in (url, url.replace("127.0.0.1", "localhost")):
            with running("unix", where, settings) as program:
                await asyncio.to_thread(program.expect, "^joined devices as (alice|erin)", LIMIT_S)
                await asyncio.to_thread(program.expect, "^ready$", LIMIT_S)


def test_the_unix_port_and_crossbars_own_tls(crossbar):
    """crossbar speaks TLS 1.3 alone, MicroPython 1.2 alone: that is said."""
    settings = {"ca": str(crossbar.certificate), "options": {"reconnect": False}}
    with running("unix", crossbar.tls_url, settings) as program:
        words = "it refused the TLS handshake: no version in common, it seems"
        program.expect(f"^failed TransportError: {crossbar.tls_url}: {words}", LIMIT_S)


async def test_the_bridge_over_tls(crossbar):
    words = ("--cafile", str(crossbar.certificate))
    with bridged(crossbar.tls_url, 1, *words) as lines, lines.line() as pty:
        device = wamp.Client(f"serial:fd/{pty.fd}", auth=AUTHENTICATORS["cryptosign"]())
        async with device, wamp.Client(crossbar.url) as other:
            assert device.transport_details.channel_typeid == "serial-rawsocket-cbor"
            assert device.details["authid"] == xb.CRYPTOSIGN_AUTHID
            await both_ways(device, other, "com.test.bridge.tls")


async def test_a_ping_of_a_device_does_not_reach_crossbar(crossbar):
    """Its connection would die of it: the bridge answers."""
    with bridged(crossbar.unix_url, 1) as lines, lines.line() as pty:
        device: Any = wamp.Client(f"serial:fd/{pty.fd}")
        async with device, wamp.Client(crossbar.url) as other:
            for n in range(3):
                device._transport.write(device._raw.frame(bytes(n), rawsocket.PING))
            await both_ways(device, other, "com.test.ping")
            assert device.joins == 1


async def test_the_bridge_does_not_trust_any_certificate(crossbar):
    with bridged(crossbar.tls_url, 1) as lines, lines.line() as pty:
        device = wamp.Client(f"serial:fd/{pty.fd}", reconnect=False)
        with pytest.raises(TransportError, match="certificate is not trusted"):
            await device.join()
        event = await asyncio.to_thread(lines.bridge.event, "router", state="unreachable")
        assert "its certificate is not trusted: self-signed certificate" in event["reason"]


@pytest.mark.parametrize("options", [{}, {"ssl": "of another"}], ids=["default", "another"])
async def test_a_client_does_not_trust_any_certificate(options, crossbar, tmp_path):
    if options:
        xb.make_certificate(tmp_path / "other.pem", tmp_path / "other.key")
        options = {"ssl": ssl.create_default_context(cafile=str(tmp_path / "other.pem"))}
    client = wamp.Client(crossbar.tls_url, reconnect=False, **options)
    with pytest.raises(TransportError, match="its certificate is not trusted: ") as raised:
        await client.join()
    assert "\n" not in str(raised.value)


# URL of the node, words: the wrong scheme for the port
SCHEMES = [
    ("tls_url", "rss://", "rs://", "does not answer: no RawSocket handshake"),
    ("url", "rs://", "rss://", "it does not speak TLS"),
]


@pytest.mark.parametrize(("where", "old", "new", "words"), SCHEMES)
async def test_a_wrong_scheme_is_named(where, old, new, words, crossbar):
    url = getattr(crossbar, where).replace(old, new)
    client = wamp.Client(url, reconnect=False, timeout_ms=1500)
    with pytest.raises(TransportError, match=words) as raised:
        await client.join()
    assert "\n" not in str(raised.value)


async def test_realms_are_apart(crossbar):
    heard: list[int] = []
    async with (
        wamp.Client(crossbar.url, realm=xb.OTHER_REALM) as there,
        wamp.Client(crossbar.url) as here,
    ):
        assert there.details["realm"] == xb.OTHER_REALM
        await there.register("com.test.realms", lambda: 1).confirmed()
        await there.subscribe("com.test.realms", heard.append).confirmed()
        with pytest.raises(Error, match="no_such_procedure"):
            await here.call("com.test.realms")
        await here.publish("com.test.realms", 1, acknowledge=True)
        await there.publish("com.test.realms", 2, acknowledge=True, exclude_me=False)
        async with asyncio.timeout(LIMIT_S):
            while not heard:
                await asyncio.sleep(0.005)
        assert heard == [2]


async def test_a_signature_by_another_key_is_refused(crossbar):
    """Who knows the public key has not got the private one."""
    public = bytes.fromhex(xb.CRYPTOSIGN_PUBLIC)
    forged = auth.Cryptosign(bytes(32), public, authid=xb.CRYPTOSIGN_AUTHID)
    client = wamp.Client(crossbar.auth_url, auth=forged, reconnect=False)
    with pytest.raises(SessionAborted, match="not_authorized|authentication"):
        await client.join()


async def test_of_several_logins_the_router_takes_one(crossbar):
    """In the order of preference, and only those that were offered."""
    logins = [AUTHENTICATORS["cryptosign"](), auth.CRA(xb.CRYPTOSIGN_AUTHID, "x")]
    async with wamp.Client(crossbar.auth_url, auth=logins) as client:
        assert client.details["authmethod"] == "cryptosign"
