"""What a user gets wrong: one sentence on stderr, the documented exit status, no traceback."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from plant import Plant

import wamp
from microwamp import cli
from microwamp.bridge import Bridge
from microwamp.router import RealmConfig, Router, RouterConfig
from microwamp_rig.crossbar import make_certificate
from microwamp_rig.program import microwamp
from microwamp_rig.pty import Pty
from wamp.errors import ConfigurationError, TransportError

ROUTER = ("--router", "rs://127.0.0.1:9")


@pytest.fixture
def pty() -> Iterator[Pty]:
    pair = Pty()
    yield pair
    pair.close()


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr; nothing on stdout."""
    out, err = capsys.readouterr()
    assert err.startswith("microwamp bridge: ") and err.endswith("\n"), err
    assert err.count("\n") == 1 and "Traceback" not in err and "internal error" not in err, err
    assert out == "", out
    return err.removeprefix("microwamp bridge: ").rstrip("\n")


# words after PORT, exit status, words on stderr; @ stands for a port that is there
TABLE: list[tuple[list[str], int, str]] = [
    (["/dev/ttyNOWHERE", *ROUTER], 3, "port /dev/ttyNOWHERE: it does not exist (--wait waits"),
    (["@", "/dev/ttyNOWHERE", *ROUTER], 3, "port /dev/ttyNOWHERE: it does not exist"),
    (["/dev/null", *ROUTER], 2, "port /dev/null: it is not a serial port"),
    (["/", *ROUTER], 2, "port /: it is not a serial port"),
    (["#file", *ROUTER], 2, "file: it is not a serial port"),
    (["#fifo", *ROUTER], 2, "fifo: it is not a serial port"),
    (["@", "@", *ROUTER], 2, "a port is named twice"),
    (["nonsense://x", *ROUTER], 2, "nonsense"),
    (["@", *ROUTER, "--baud", "1"], 2, "--baud 1: 300 to 12000000"),
    (["@", *ROUTER, "--baud", "99999999"], 2, "--baud 99999999: 300 to 12000000"),
    (["@", "--router", "http://127.0.0.1:8080"], 2, "the bridge speaks rs://host:port"),
    (["@", "--router", "127.0.0.1:8080"], 2, "the bridge speaks rs://host:port"),
    (["@", "--router", "ws:///ws"], 2, "ws://host:port/path or wss://host:port/path needed"),
    (["@", "--router", "ws://u:p@h/"], 2, "a router's URL has no user and no password"),
    (["@", "--router", "wss://h:99999/"], 2, "Port out of range 0-65535"),
    (["@", "--router", ""], 2, "the bridge speaks rs://host:port"),
    (["@", *ROUTER, "--baud", "1200"], 2, "baud is 1200: boards with native USB take that as"),
    (["@", "--router", "rs://127.0.0.1"], 2, "host and port expected, as in rs://host:8080"),
    (["@", "--router", "rs://127.0.0.1:0"], 2, "host and port expected"),
    (["@", "--router", "rs://127.0.0.1:65536"], 2, "host and port expected"),
    (["@", "--router", "rs://:8080"], 2, "host and port expected"),
    (["@", "--router", "rs://unix:here"], 2, "an absolute path must follow rs://unix:"),
    (
        ["@", "--router", "serial:/dev/ttyACM0"],
        2,
        "the router's URL is rs://, rss://, rs://unix:, ws:// or wss://",
    ),
    (["@", "--router", "rss://localhost:1", "--cafile", "/no.pem"], 2, "--cafile /no.pem: "),
    (["@", "--router", "rss://localhost:1", "--cafile", "#file"], 2, "--cafile "),
    (["@", "--router", "rss://localhost:1", "--cafile", "/"], 2, "--cafile /: "),
]


@pytest.mark.parametrize(("words", "status", "text"), TABLE)
def test_wrong_words(words, status, text, pty, tmp_path, capsys):
    (tmp_path / "file").write_text("not a certificate, not a port\n")
    os.mkfifo(tmp_path / "fifo")
    names = {"@": pty.path, "#file": str(tmp_path / "file"), "#fifo": str(tmp_path / "fifo")}
    assert cli.main(["bridge", *(names.get(word, word) for word in words)]) == status
    assert text in said(capsys)


@pytest.mark.parametrize(
    "words", [[], ["/dev/ttyX"], ["--router", "rs://h:1"], ["/x", *ROUTER, "--console", "loud"]]
)
def test_words_that_are_missing_or_unknown(words, capsys):
    assert cli.main(["bridge", *words]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_port_that_another_program_has(pty, capsys):
    with microwamp("bridge", pty.path, *ROUTER, "--json") as first:
        first.event("port", state="open")
        assert cli.main(["bridge", pty.path, *ROUTER]) == 3
        assert said(capsys) == f"port {pty.path}: it is in use by another program"
        # With --wait it takes over as soon as the first one ends.
        with microwamp("bridge", pty.path, *ROUTER, "--json", "--wait") as second:
            event = second.event("port", state="unavailable")
            assert event["reason"] == "it is in use by another program"
            assert first.stop() == 0
            second.event("port", state="open")
            assert second.stop() == 0


def test_a_port_without_permission(pty):
    """Run as somebody else where the tests are root: root may everything."""
    os.chmod(pty.path, 0)
    code = (
        "import os, sys\n"
        "from microwamp import cli\n"
        "import shutil, microwamp.cli.bridge\n"  # what nobody else may read is loaded now
        "if os.getuid() == 0: os.setuid(65534)\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "bridge", pty.path, *ROUTER],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"microwamp bridge: port {pty.path}: no permission (is your user in the group dialout?)\n"
    )


def test_the_command_itself_says_one_line(tmp_path):
    """As a process: nothing is left for the interpreter to say at its end."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-m", "microwamp", "bridge", str(tmp_path / "x"), *ROUTER],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"microwamp bridge: port {tmp_path}/x: it does not exist")
    assert done.stderr.count("\n") == 1


# The router is not asked for at the start: a bridge may be first. So its faults are events.


def test_a_router_that_is_not_there_is_an_event(pty):
    with microwamp("bridge", pty.path, *ROUTER, "--text") as command:
        command.expect("port .* open$")
        assert command.stop() == 0
        assert "Traceback" not in "".join(command.lines)


async def test_rss_with_a_certificate_that_is_not_trusted(tmp_path: Path):
    pair = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make_certificate(*pair)
    config = RouterConfig(
        realms=(RealmConfig(name="devices", anonymous="anonymous"),),
        listen=("rss://127.0.0.1:0",),
        certificate=str(pair[0]),
        key=str(pair[1]),
    )
    async with Router(config, lambda event, fields: None) as router:
        url = router.urls[0]
        async with Plant(router=False, bridge=False) as plant:
            port = plant.cables[0].port
            with microwamp("bridge", port, "--router", url, "--text") as command:
                device = plant.device(auth=None)
                device.start()
                words = f"router    {port} unreachable {url}: its certificate is not trusted: "
                match = await asyncio.to_thread(command.expect, f"{words}.*$")
                assert "self-signed certificate" in match.string
                await asyncio.sleep(0.1)
                assert "its certificate is not trusted" in str(device.error)
                assert await asyncio.to_thread(command.stop) == 0
            words_of_trust = ("--router", url, "--cafile", str(pair[0]))
            with microwamp("bridge", port, *words_of_trust, "--json") as command:
                # The device tries again by itself.
                await asyncio.to_thread(command.event, "session", 20.0, state="joined")
                assert await asyncio.to_thread(command.stop) == 0


def test_what_a_program_gets_that_makes_a_bridge_of_its_own():
    def make(*ports: str, router: str = "rs://127.0.0.1:1", console: str = "out") -> Bridge:
        return Bridge(ports, router, lambda event, fields: None, console=console)

    for failing in (
        lambda: make(),
        lambda: make("/dev/a", "/dev/a"),
        lambda: make("/dev/a", router="http://x"),
        lambda: make("/dev/a", router="serial:/dev/b"),
        lambda: make("/dev/a", console="loud"),
    ):
        with pytest.raises(ConfigurationError):
            failing()


# URL of a device, exception, words
URLS: list[tuple[str, type[Exception], str]] = [
    ("serial:/dev/ttyNOWHERE", TransportError, "serial:/dev/ttyNOWHERE: it does not exist"),
    ("serial:/dev/null", TransportError, "serial:/dev/null: "),
    ("serial:fd/9999", TransportError, "serial:fd/9999: "),
    ("serial:nonsense://x", ConfigurationError, "nonsense"),
    ("serial:socket://127.0.0.1:9", TransportError, "Connection refused"),
    ("serial:/dev/ttyX?speed=9", ConfigurationError, "speed=9 is not one of baud"),
    ("serial:/dev/ttyX?baud=fast", ConfigurationError, "baud=fast is not one of baud"),
    ("serial:/dev/ttyX?baud", ConfigurationError, "baud is not one of baud"),
]


@pytest.mark.parametrize(("url", "kind", "text"), URLS)
async def test_serial_urls_of_a_device(url, kind, text):
    with pytest.raises(kind) as raised:
        client = wamp.Client(url, reconnect=False)
        await client.join()
    assert text in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_port_of_a_device_that_is_in_use():
    async with Plant() as plant:
        async with plant.device():
            client = wamp.Client(f"serial:{plant.cables[0].port}", reconnect=False)
            with pytest.raises(TransportError, match="it is in use by another program"):
                await client.join()


@pytest.mark.timeout(20)
async def test_a_line_with_nobody_at_its_other_end(monkeypatch):
    from wamp import serialcontrol

    monkeypatch.setattr(serialcontrol, "OPEN_MS", 600)
    async with Plant(bridge=False) as plant:
        client = plant.device(reconnect=False)
        with pytest.raises(TransportError, match="is the bridge running .* at 115200 baud"):
            await client.join()


async def test_a_unix_socket_that_nobody_listens_at(tmp_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "socket"))
    for name, words in (("socket", "nothing listens there"), ("none", "it does not exist")):
        client = wamp.Client(f"rs://unix:{tmp_path}/{name}", reconnect=False)
        with pytest.raises(TransportError, match=words):
            await client.join()
