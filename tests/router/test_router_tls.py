"""Devices over TLS at the embedded router: what they trust, what they refuse, and in what words.

The same program on CPython (OpenSSL) and on MicroPython's unix port (mbedtls).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from peer import REALM, serve

import wamp
from microwamp.router import Router
from microwamp_rig import micropython
from microwamp_rig.crossbar import make_certificate
from microwamp_rig.program import Program

DEVICE = Path(__file__).parents[1] / "programs" / "device.py"
BOARDS = ("cpython", "unix")
LIMIT_S = 60  # on a busy machine; the handshake takes 20 ms

# name: host, hours until it ends, hours until it begins
CERTIFICATES: dict[str, tuple[str, float, float]] = {
    "good": ("localhost", 24, -24),
    "another": ("localhost", 24, -24),
    "other name": ("router.example.com", 24, -24),
    "expired": ("localhost", -1, -24),
    "not yet": ("localhost", 48, 24),
}

# An LD_PRELOAD library: what a program takes for the time of day is FAKE_TIME, seconds since 1970.
CLOCK = """
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

time_t time(time_t *where) {
    time_t now = atol(getenv("FAKE_TIME"));
    if (where) *where = now;
    return now;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    now->tv_sec = time(NULL);
    now->tv_usec = 0;
    return 0;
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with NAME.pem, NAME.key and NAME.der of each certificate."""
    found = tmp_path_factory.mktemp("tls")
    for name, (host, hours, since) in CERTIFICATES.items():
        pem = found / f"{name}.pem"
        make_certificate(pem, found / f"{name}.key", host, hours, since)
        (found / f"{name}.der").write_bytes(ssl.PEM_cert_to_DER_cert(pem.read_text()))
    return found


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of CLOCK; `make unix32` needs the compiler too."""
    source = tmp_path_factory.mktemp("clock") / "clock.c"
    source.write_text(CLOCK)
    library = source.with_suffix(".so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    return library


@asynccontextmanager
async def routed(
    folder: Path, name: str = "good", url: str = "rss://127.0.0.1:0"
) -> AsyncIterator[Router]:
    certificate, key = str(folder / f"{name}.pem"), str(folder / f"{name}.key")
    async with serve(listen=(url,), certificate=certificate, key=key) as router:
        yield router


@contextmanager
def running(
    board: str, url: str, more: dict[str, str] | None = None, **settings: Any
) -> Iterator[Program]:
    """The device's program."""
    command, environment = [sys.executable], dict(os.environ)
    if board == "unix":
        command, environment = micropython.command(board), micropython.environment()
    settings["options"] = {"realm": REALM, **settings.get("options", {})}
    environment |= {"MICROWAMP_URL": url, "TEST_DEVICE": json.dumps(settings)} | (more or {})
    with Program([*command, DEVICE], env=environment) as program:
        yield program


async def refusal(
    board: str, url: str, ca: Path, more: dict[str, str] | None = None
) -> tuple[str, str]:
    """The type and the text, one line, of why the device does not join."""
    settings: dict[str, Any] = {"ca": str(ca), "options": {"reconnect": False}}
    with running(board, url, more, **settings) as program:
        match = await asyncio.to_thread(program.expect, r"^failed (\w+): (.*)$", LIMIT_S)
        assert await asyncio.to_thread(program.wait, LIMIT_S) == 1
        assert program.lines[-1] == match[0], program.lines
        assert match[2].startswith(url + ": "), match[2]
        return match[1], match[2][len(url) + 2 :]


async def script(text: str, *arguments: str, folder: Path) -> str:
    """What a program prints on the unix port, which is to end well."""
    path = folder / "script.py"
    path.write_text(text)
    done = await asyncio.to_thread(micropython.run, path, *arguments, timeout_s=LIMIT_S)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("form", ["der", "pem"])
@pytest.mark.parametrize("board", BOARDS)
async def test_joins(board: str, form: str, folder: Path):
    """By address and by name; messages both ways, some of several records of TLS."""
    trusted = ssl.create_default_context(cafile=str(folder / "good.pem"))
    async with (
        routed(folder) as router,
        wamp.Client(router.urls[0], realm=REALM, ssl=trusted) as host,
    ):
        for url in (router.urls[0], router.urls[0].replace("127.0.0.1", "localhost")):
            with running(board, url, ca=str(folder / f"good.{form}")) as device:
                await asyncio.to_thread(device.expect, "^ready$", LIMIT_S)
                about = await host.call("com.test.device.about")
                assert about["channel"] == "tls-rawsocket-cbor"
                assert about["python"] == {"unix": "micropython"}.get(board, board)
                for length in (1, 1000, 5000, 8000):
                    octets = os.urandom(length)
                    assert await host.call("com.test.device.echo", octets) == octets


NAME = "Common Name|Hostname mismatch|IP address mismatch"
FUTURE = "starts in the future|not yet valid"
# The router's certificate, what the device trusts, what it says; whether it names the clock
REFUSALS = [
    ("good", "another", "not correctly signed by the trusted CA|self-signed certificate", False),
    ("other name", "other name", NAME, False),
    ("expired", "expired", "has expired", True),
    ("not yet", "not yet", FUTURE, True),
]


@pytest.mark.parametrize(("shown", "trusted", "words", "dated"), REFUSALS)
@pytest.mark.parametrize("board", BOARDS)
async def test_refuses(
    board: str, shown: str, trusted: str, words: str, dated: bool, folder: Path
):
    async with routed(folder, shown) as router:
        error, text = await refusal(board, router.urls[0], folder / f"{trusted}.der")
    assert error == "TransportError"
    assert re.match(f"its certificate is not trusted: .*({words})", text), text
    today = datetime.now(UTC).strftime("; the clock here says %Y-%m-%d: if that is wrong, set it")
    assert (today in text) == ("clock" in text) == dated, text


@pytest.mark.parametrize("seconds", [0, 946684800, 1609459200])
async def test_refuses_without_a_clock(seconds: int, folder: Path, clock: Path):
    """Chips begin in 1970, 2000 or 2021 until somebody tells them the time."""
    more = {"LD_PRELOAD": str(clock), "FAKE_TIME": str(seconds)}
    async with routed(folder) as router:
        error, text = await refusal("unix", router.urls[0], folder / "good.der", more)
    date = datetime.fromtimestamp(seconds, UTC).date()
    assert error == "TransportError"
    assert re.search(f"({FUTURE}).*; the clock here says {date}: ", text), text


CONTEXTS = """
import asyncio, ssl, sys, wamp

def opened(given):
    client = wamp.Client(sys.argv[1], realm="test", ssl=given, reconnect=False)
    try:
        asyncio.run(client.join())
        print("joined")
    except wamp.Error as e:
        print(type(e).__name__, e)

octets = open(sys.argv[2], "rb").read()
made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
made.load_verify_locations(cadata=octets)
opened(None)
opened(made)
made.verify_mode = ssl.CERT_REQUIRED
opened(made)
opened(octets[:-1])
opened(b"-----BEGIN CERTIFICATE-----\\n*")
empty = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
empty.verify_mode = ssl.CERT_REQUIRED
opened(empty)
"""


async def test_verifies_or_says_that_it_does_not(folder: Path, tmp_path: Path):
    """MicroPython's SSLContext verifies nothing unless told: it is not taken like that."""
    async with routed(folder) as router:
        url = router.urls[0]
        out = await script(CONTEXTS, url, str(folder / "good.der"), folder=tmp_path)
    nothing, lenient, strict, *no_certificate, empty = out.splitlines()
    assert nothing.startswith("ConfigurationError rss:// on a board needs ssl=, the octets of")
    assert lenient.startswith("ConfigurationError the SSLContext of ssl= would trust any cert")
    assert strict == "joined"
    assert len(no_certificate) == 2
    for line in no_certificate:
        assert line.startswith("ConfigurationError ssl= is no certificate, neither DER nor PEM")
    assert empty.startswith(f"TransportError {url}: no certificate to trust was given: ")


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.close()


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("server", [hang_up, http])
async def test_what_does_not_speak_tls(
    server: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], folder: Path
):
    async with await asyncio.start_server(server, "127.0.0.1", 0) as listening:
        url = f"rss://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        error, text = await refusal("unix", url, folder / "good.der")
    assert (error, text) == (
        "TransportError",
        "it does not speak TLS, it seems: rs:// instead of rss://?",
    )


@pytest.mark.parametrize("board", BOARDS)
async def test_each_connection_is_verified(board: str, folder: Path):
    """A device that lost its router does not trust whoever has the address after that."""
    with ExitStack() as stack:
        async with routed(folder) as router:
            url = router.urls[0]
            device = stack.enter_context(running(board, url, ca=str(folder / "good.der")))
            await asyncio.to_thread(device.expect, "^joined", LIMIT_S)
        async with routed(folder, "another", url):
            refused = "^no session: .*: its certificate is not trusted: "
            await asyncio.to_thread(device.expect, refused, LIMIT_S)
            assert not [line for line in device.lines[1:] if line.startswith("joined")]
        async with routed(folder, "good", url):
            await asyncio.to_thread(device.expect, "^joined", LIMIT_S)


ATTEMPTS = """
import asyncio, os, sys
from wamp import transport
from wamp.errors import TransportError

octets = open(sys.argv[2], "rb").read()

async def attempt():
    t = transport.make(sys.argv[1], ssl=octets)
    try:
        await t.open()
        t.write(b"hello")
        await t.read()
    except TransportError as e:
        return str(e)
    finally:
        t.close()

async def main():
    texts = {await attempt()}
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        texts.add(await attempt())
    print(len(os.listdir("/proc/self/fd")) - before, len(texts))

asyncio.run(main())
"""


async def test_refused_connections_are_closed(folder: Path, tmp_path: Path):
    """MicroPython's TLS forgets its socket when the handshake fails; a board has few."""
    async with routed(folder) as router:
        ca = str(folder / "another.der")
        out = await script(ATTEMPTS, router.urls[0], ca, folder=tmp_path)
    assert out == "0 1\n"


FLOOD = """
import asyncio, sys
from wamp import transport

block = bytes([i * i % 251 for i in range(9973)]) * 2

async def main():
    t = transport.make(sys.argv[1], ssl=open(sys.argv[2], "rb").read())
    await t.open()
    sent = 0
    while t.backlog() < 50000:
        chunk = block[sent % 9973 :][: 1 + sent % 8191]  # some longer than a record of TLS
        t.write(chunk)
        sent += len(chunk)
        await asyncio.sleep(0)
    print("full")
    await t.drain()
    await t.finish()
    print("sent", sent)
    t.close()

asyncio.run(main())
"""


async def test_nothing_is_lost_where_the_router_reads_late(folder: Path, tmp_path: Path):
    """A record that the socket did not take is to be given to TLS again as it was."""
    (tmp_path / "flood.py").write_text(FLOOD)
    reading = asyncio.Event()
    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reading.wait()
        try:
            received.set_result(await reader.read(-1))
        finally:
            writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "good.pem", folder / "good.key")
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    url = f"rss://127.0.0.1:{listening.getsockname()[1]}"
    command: list[str | Path] = [*micropython.command("unix"), tmp_path / "flood.py", url]
    command.append(folder / "good.der")
    async with await asyncio.start_server(late, sock=listening, limit=1024, ssl=context):
        with Program(command, env=micropython.environment()) as program:
            await asyncio.to_thread(program.expect, "^full$", LIMIT_S)
            reading.set()
            octets = await asyncio.wait_for(received, LIMIT_S)
            sent = await asyncio.to_thread(program.expect, "^sent (.*)$", LIMIT_S)
    assert len(octets) == int(sent[1])
    block = bytes(i * i % 251 for i in range(9973))
    assert octets == (block * (len(octets) // 9973 + 1))[: len(octets)]
