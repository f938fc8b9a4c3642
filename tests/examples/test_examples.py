"""Every example runs: its devices on MicroPython's unix port, its hosts on CPython."""

from __future__ import annotations

import shlex
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from microwamp_rig import micropython
from microwamp_rig.crossbar import make_certificate
from microwamp_rig.program import Program
from microwamp_rig.pty import Pty

EXAMPLES = Path(__file__).parents[2] / "examples"
COVERED = {"01_blink", "02_sensor", "03_two_boards", "04_tls", "05_bridge_service"}


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
        yield program.expect(r"(rss?://127\.0\.0\.1:\d+)", 20)[1]


@contextmanager
def device(
    folder: Path, path: str, fds: tuple[int, ...] = (), **settings: str
) -> Iterator[Program]:
    """One of the examples' devices, with a settings.py beside it."""
    folder.mkdir()
    (folder / "main.py").write_bytes((EXAMPLES / path).read_bytes())
    (folder / "settings.py").write_text("".join(f"{k} = {v!r}\n" for k, v in settings.items()))
    env = {"MICROPYPATH": f"{folder}:{micropython.library()}:.frozen"}
    command = [*micropython.command("unix"), "main.py"]
    with Program(command, cwd=folder, env=env, pass_fds=fds) as program:
        yield program


@contextmanager
def host(path: str, *words: str) -> Iterator[Program]:
    with Program([sys.executable, str(EXAMPLES / path), *words]) as program:
        yield program


def test_every_example_is_here_and_in_the_table():
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    assert folders == COVERED
    table = (EXAMPLES / "README.md").read_text()
    assert all(f"| `{name}` |" in table for name in folders)


def test_blink(router, tmp_path):
    with device(tmp_path / "board", "01_blink/device.py", URL=router) as board:
        board.expect("joined", 20)
        with host("01_blink/host.py", router) as program:
            program.expect("^on$", 20)
            program.expect("^off$", 20)
            board.expect("led False", 20)


def test_sensor(router, tmp_path):
    with (
        device(tmp_path / "board", "02_sensor/device.py", URL=router) as board,
        host("02_sensor/host.py", router, "2") as program,
    ):
        board.expect("joined", 20)
        first = int(program.expect(r"^(\d+): 21.5 C$", 20)[1])
        assert int(program.expect(r"^(\d+): 21.5 C$", 20)[1]) == first + 1
        assert program.wait(20) == 0


def test_two_boards(router, tmp_path):
    with (
        device(tmp_path / "lamp", "03_two_boards/lamp.py", URL=router) as lamp,
        device(tmp_path / "switch", "03_two_boards/switch.py", URL=router) as switch,
    ):
        lamp.expect("lamp True", 20)
        lamp.expect("lamp False", 20)
        switch.expect("the lamp is off", 20)


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
        program.expect("ready", 20)
        trusted = str(certificate.with_suffix(".der"))
        with device(tmp_path / "board", "04_tls/device.py", URL=url, CA=trusted) as board:
            board.expect("channel tls-rawsocket-cbor", 20)
            program.expect("heard: over TLS", 20)
    other, other_key = tmp_path / "other.pem", tmp_path / "other-key.pem"
    make_certificate(other, other_key)
    der(other)
    wrong = str(other.with_suffix(".der"))
    with (
        routed(*words) as url,
        device(tmp_path / "wary", "04_tls/device.py", URL=url, CA=wrong) as board,
    ):
        board.expect("no session: .*[Cc][Ee][Rr][Tt]", 20)


def test_the_services_command_serves_a_board(router, tmp_path):
    """What the unit starts, with its words, between a board on a serial line and a router."""
    unit = (EXAMPLES / "05_bridge_service" / "microwamp-bridge@.service").read_text()
    line = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    words = shlex.split(line.partition("=")[2])
    assert words[:2] == ["/usr/local/bin/microwamp", "bridge"]
    pty = Pty()
    filled = [word.replace("/dev/%I", pty.path).replace("${ROUTER}", router) for word in words]
    url = f"serial:fd/{pty.fd}"
    with (
        Program([sys.executable, "-m", "microwamp", *filled[1:]]),
        device(tmp_path / "board", "01_blink/device.py", fds=(pty.fd,), URL=url) as board,
    ):
        board.expect("joined", 20)
        with host("01_blink/host.py", router):
            board.expect("led False", 20)
    pty.close()
