"""Every example runs: its devices on MicroPython's unix port, its hosts on CPython."""

from __future__ import annotations

import asyncio
import os
import shlex
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import microwamp.bridge
import wamp
from microwamp_rig import micropython
from microwamp_rig.crossbar import make_certificate
from microwamp_rig.program import Program
from microwamp_rig.pty import Pty

EXAMPLES = Path(__file__).parents[2] / "examples"
COVERED = {
    "01_blink",
    "02_sensor",
    "03_two_boards",
    "04_tls",
    "05_encrypted_sensor",
    "06_bridge_service",
}


# In place of a board's radio: connected at the second look.
NETWORK = """
STA_IF = 0

class WLAN:
    def __init__(self, interface):
        self.looks = 0

    def isconnected(self):
        return self.looks > 1

    def active(self, on):
        pass

    def disconnect(self):
        pass

    def connect(self, name, password):
        print("access point", name)

    def status(self):
        self.looks += 1
        return 1
"""


@pytest.fixture
def router() -> Iterator[str]:
    with routed() as url:
        yield url


@contextmanager
def routed(*words: str) -> Iterator[str]:
    command = [sys.executable, "-m", "microwamp", "router", "--anonymous", *words]
    if not words:
        command += ["--listen", "rs://127.0.0.1:0"]
    with Program(command) as program:
        yield program.expect(r"(rss?://127\.0\.0\.1:\d+)", 60)[1]


@contextmanager
def device(
    folder: Path, path: str, fds: tuple[int, ...] = (), **settings: object
) -> Iterator[Program]:
    """One of the examples' devices, with a settings.py and a radio that is played beside it."""
    folder.mkdir()
    (folder / "main.py").write_bytes((EXAMPLES / path).read_bytes())
    (folder / "settings.py").write_text("".join(f"{k} = {v!r}\n" for k, v in settings.items()))
    (folder / "network.py").write_text(NETWORK)
    env = {"MICROPYPATH": f"{folder}:{micropython.library()}:.frozen"}
    command = [*micropython.command("unix"), "main.py"]
    with Program(command, cwd=folder, env=env, pass_fds=fds) as program:
        yield program


@contextmanager
def host(path: str, *words: str, cwd: Path | None = None) -> Iterator[Program]:
    with Program([sys.executable, str(EXAMPLES / path), *words], cwd=cwd) as program:
        yield program


def test_every_example_is_here_and_in_the_table():
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    assert folders == COVERED
    for path in EXAMPLES.glob("0*"):
        names = {program.name for program in path.glob("*.py")}
        assert "host.py" in names and names - {"host.py"}, f"{path.name} lacks a side"
    table = (EXAMPLES / "README.md").read_text()
    assert all(f"| `{name}` |" in table for name in folders)


def test_blink(router, tmp_path):
    with device(tmp_path / "board", "01_blink/device.py", URL=router) as board:
        board.expect("joined", 60)
        with host("01_blink/host.py", router) as program:
            program.expect("^on$", 60)
            program.expect("^off$", 60)
            board.expect("led False", 60)


def test_sensor(router, tmp_path):
    with (
        device(tmp_path / "board", "02_sensor/device.py", URL=router) as board,
        host("02_sensor/host.py", router, "2") as program,
    ):
        board.expect("joined", 60)
        first = int(program.expect(r"^(\d+): 21.5 C$", 60)[1])
        assert int(program.expect(r"^(\d+): 21.5 C$", 60)[1]) == first + 1
        assert program.wait(60) == 0


def test_two_boards(router, tmp_path):
    with (
        device(tmp_path / "lamp", "03_two_boards/lamp.py", URL=router) as lamp,
        device(tmp_path / "switch", "03_two_boards/switch.py", URL=router) as switch,
    ):
        lamp.expect("lamp True", 60)
        lamp.expect("lamp False", 60)
        switch.expect("the lamp is off", 60)
        with host("03_two_boards/host.py", router) as watcher:
            watcher.expect("the lamp is on", 60)
            watcher.expect("the lamp is off", 60)
        with host("03_two_boards/host.py", router, "on") as program:
            assert program.wait(60) == 0


def der(pem: Path) -> None:
    octets = ssl.PEM_cert_to_DER_cert(pem.read_text())
    pem.with_suffix(".der").write_bytes(octets)


def test_tls(tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make_certificate(certificate, key)
    der(certificate)
    words = ["--listen", "rss://127.0.0.1:0", "--certificate", str(certificate)]
    words += ["--key", str(key)]
    with (
        routed(*words) as url,
        host("04_tls/host.py", url, str(certificate)) as program,
    ):
        program.expect("ready", 60)
        trusted = str(certificate.with_suffix(".der"))
        wifi = "lab", "secret"
        example = "04_tls/device.py"
        with device(tmp_path / "board", example, URL=url, CA=trusted, WIFI=wifi) as board:
            board.expect("access point lab", 60)
            board.expect("in 20.. over tls-rawsocket-cbor", 60)
            program.expect("heard: over TLS", 60)
    other, other_key = tmp_path / "other.pem", tmp_path / "other-key.pem"
    make_certificate(other, other_key)
    der(other)
    wrong = str(other.with_suffix(".der"))
    with (
        routed(*words) as url,
        device(tmp_path / "wary", "04_tls/device.py", URL=url, CA=wrong, WIFI=None) as board,
    ):
        board.expect("no session: .*[Cc][Ee][Rr][Tt]", 60)


def test_encrypted_sensor(router, tmp_path):
    """What the reader reads, another reader cannot, and the router does not carry."""
    path = "05_encrypted_sensor/host.py"
    keys = {}
    for name in ("reader", "other"):
        (tmp_path / name).mkdir()
        with host(path, cwd=tmp_path / name) as program:
            keys[name] = program.expect("^([0-9a-f]{64})$", 60)[1]
    assert (tmp_path / "reader" / "reader.key").stat().st_mode & 0o77 == 0
    key = str(tmp_path / "box.key")
    where = {"URL": router, "KEY": key, "READER": keys["reader"]}
    with device(tmp_path / "board", "05_encrypted_sensor/device.py", **where) as board:
        public = board.expect("^public key ([0-9a-f]{64})$", 60)[1]
        board.expect("joined", 60)
        with (
            host(path, router, public, "2", cwd=tmp_path / "reader") as reader,
            host(path, router, public, cwd=tmp_path / "other") as other,
        ):
            first = int(reader.expect(r"^(\d+): 21.5 C$", 60)[1])
            assert int(reader.expect(r"^(\d+): 21.5 C$", 60)[1]) == first + 1
            assert reader.wait(60) == 0
            other.expect("cannot be read: ", 60)
        octets = asyncio.run(overheard(router, "com.example.sealed.temperature"))
        assert len(octets) > 60 and b"21.5" not in octets and b"unit" not in octets
    # The key is the board's for good.
    with device(tmp_path / "again", "05_encrypted_sensor/device.py", URL=router, KEY=key) as board:
        assert board.expect("^public key ([0-9a-f]{64})$", 60)[1] == public
        board.expect("READER in settings.py is missing", 60)


async def overheard(url: str, topic: str) -> bytes:
    """The payload of the next event, as anybody gets it."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    client = wamp.Client(url)
    client.subscribe(topic, heard.put_nowait)
    async with client, asyncio.timeout(60):
        return await heard.get()


def test_the_service_serves_a_board_and_is_restarted(router, tmp_path):
    """What the package's unit starts, with this example's file, the port and router put in."""
    unit = (Path(microwamp.bridge.__path__[0]) / "data/microwamp-bridge.service").read_text()
    line = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    words = shlex.split(line.partition("=")[2])
    assert words[1:] == ["bridge", "--config", "/etc/microwamp/bridge.toml"]
    pty = Pty()
    config = (EXAMPLES / "06_bridge_service" / "bridge.toml").read_text()
    (tmp_path / "bridge.toml").write_text(
        config.replace("rs://127.0.0.1:8080", router).replace("/dev/ttyACM0", pty.path)
    )
    command = [sys.executable, "-m", "microwamp", "bridge"]
    command += ["--config", str(tmp_path / "bridge.toml")]
    env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    url = f"serial:fd/{pty.fd}"
    example = "06_bridge_service/device.py"
    with (
        device(tmp_path / "board", example, fds=(pty.fd,), URL=url) as board,
        host("06_bridge_service/host.py", router) as program,
    ):
        for times in ("1 time", "2 times"):
            with Program(command, env=env):
                board.expect("joined", 60)
                program.expect(f"^joined {times}$", 60)
    pty.close()
