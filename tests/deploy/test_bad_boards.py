"""Deploying where it cannot be: each time one sentence, with what is wrong and what to do."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import serial
from deploying import FEW, check_whole, deploy, run
from flashboard import SIZE, FlashBoard, files
from test_application import image

import wamp
from microwamp.boards import deployment, settings
from microwamp.boards.remote import Facts, Remote
from microwamp_rig.pty import Pty
from microwamp_rig.rp2040.flash import make_image


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our boards are back after a reset at once, or never."""
    monkeypatch.setattr("microwamp.boards.remote._BACK_S", 1.0)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "device_files", lambda arch: FEW)


class Talker:
    """A port with something on it that is no board."""

    def __init__(self, says: bytes) -> None:
        import threading

        self.pty = Pty()
        self._says = says
        self._going = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        import os

        while self._going:
            self.pty.discard()
            with contextlib.suppress(BlockingIOError):
                os.write(self.pty.fd, self._says)
            time.sleep(0.05)

    def close(self) -> None:
        self._going = False
        self._thread.join(60)
        self.pty.close()


@pytest.fixture
def talker() -> Iterator[Any]:
    made: list[Talker] = []

    def make(says: bytes) -> str:
        made.append(Talker(says))
        return made[-1].pty.path

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("command", ["deploy", "provision"])
def test_what_is_no_board_is_said(talker, capsys, command):
    status, _, err = run(capsys, command, talker(b"$GPGGA,1234\r\n"), "--wait", "0.5")
    assert status == 2
    assert "no MicroPython prompt; the last it said was" in err and "GPGGA" in err
    status, _, err = run(capsys, command, talker(b""), "--wait", "0.5")
    assert status == 2
    assert "nothing answers. Is it a board with MicroPython (`microwamp flash` puts it" in err


STUBBORN = b"""
while True:
    try:
        while True:
            pass
    except KeyboardInterrupt:
        print('not now')
"""


def test_a_program_that_does_not_let_itself_be_interrupted(tmp_path, capsys):
    flash = tmp_path / "flash"
    flash.write_bytes(make_image({"main.py": STUBBORN}, SIZE))
    with FlashBoard(flash) as board:
        board.wait("power on")
        status, _, err = run(capsys, "deploy", board.port, "--wait", "0.5")
    assert status == 2
    assert "no MicroPython prompt; the last it said was" in err and "not now" in err
    assert "its program one that lets itself be interrupted?" in err
    assert files(flash) == {"/main.py": STUBBORN}


@pytest.mark.parametrize("command", ["deploy", "provision"])
def test_a_port_in_use_is_said(talker, capsys, command):
    port = talker(b"")
    with serial.Serial(port, exclusive=True):
        status, _, err = run(capsys, command, port)
    assert status == 3 and "in use by" in err and "stop it first" in err


@pytest.mark.parametrize("command", ["deploy", "provision"])
def test_what_is_no_port_is_said(tmp_path, capsys, command):
    status, _, err = run(capsys, command, "/dev/nope")
    assert status == 3 and "it does not exist; `microwamp ports` lists them" in err
    path = tmp_path / "file"
    path.touch()
    status, _, err = run(capsys, command, str(path))
    assert status == 2 and "it is not a serial port" in err


def facts(**changes: Any) -> tuple[Any, ...]:
    values: dict[str, Any] = {
        "name": "micropython",
        "version": (1, 25, 0),
        "machine": "Raspberry Pi Pico with RP2040",
        "mpy": 6 | 4 << 10,
        "wamp": None,
        "where": "",
        "block": 4096,
        "free": 100,
        "found": [],
    }
    return tuple((values | changes).values())


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"name": "circuitpython"}, "runs circuitpython, and this needs MicroPython"),
        ({"version": (1, 22, 2)}, "runs MicroPython 1.22.2, and 1.23 or newer is needed: `micro"),
        ({"mpy": 5}, "bytecode of version 5, and ours is version 6"),
    ],
)
def test_interpreter_that_does_not_fit(monkeypatch, changes, said):
    monkeypatch.setattr(Remote, "exec", lambda self, code: repr(facts(**changes)))
    with pytest.raises(wamp.ConfigurationError, match=said):
        Remote("/dev/x").facts()


@pytest.mark.parametrize(
    "text",
    ["", "1", "(1, 2)", "nonsense", "(" * 5000, repr(facts(version=1)), repr(facts(mpy="x"))],
)
def test_answers_that_are_none(monkeypatch, text):
    monkeypatch.setattr(Remote, "exec", lambda self, code: text)
    with pytest.raises(wamp.ConfigurationError, match="no MicroPython that we know"):
        Remote("/dev/x").facts()
    monkeypatch.setattr(Remote, "exec", lambda self, code: "tick\n00ff")
    with pytest.raises(wamp.RemoteProtocolError, match="instead of /wamp.json came 'tick 00ff'"):
        Remote("/dev/x").read("/wamp.json")


@pytest.mark.parametrize("octets", [b"{", b"\xff", b"[" * 4000, b'{"url": 1}', b"null"])
def test_configuration_on_the_board_that_is_broken_is_not_kept(monkeypatch, octets):
    monkeypatch.setattr(Remote, "read", lambda self, path: octets)
    merged = settings.merge(Remote("/dev/x"), Facts(facts()), {"realm": "new"})
    assert merged == b'{\n "realm": "new",\n "url": "serial:"\n}\n'


@pytest.mark.parametrize(
    "arch, number",
    [("armv6m", 4), ("armv7emsp", 7), ("xtensawin", 10), ("rv32imc", 11), (None, 2), (None, 0)],
)
def test_processor_is_asked_of_the_board(arch, number):
    assert Facts(facts(mpy=6 | number << 10)).arch == arch


def test_versions_that_do_not_fit():
    def check(version: str | None, where: str, force: bool = False) -> None:
        found = Facts(facts(wamp=version, where=where))
        deployment.check_version("/dev/x", found)
        deployment.check_newer("/dev/x", found, force)

    check(None, "")
    check(wamp.__version__, "wamp/__init__.py")
    check("0.0.9", "/lib/wamp/__init__.mpy")
    with pytest.raises(wamp.ConfigurationError, match="firmware holds wamp 0.0.9, which does not"):
        check("0.0.9", "wamp/__init__.py")
    with pytest.raises(wamp.ConfigurationError, match="firmware holds wamp 9.1.0"):
        check("9.1.0", "wamp/__init__.py")
    with pytest.raises(wamp.ConfigurationError, match="has wamp 9.1.0, newer than this host's"):
        check("9.1.0", "/lib/wamp/__init__.mpy")
    check("9.1.0", "/lib/wamp/__init__.mpy", force=True)


@pytest.mark.usefixtures("few")
def test_a_newer_library_on_the_board_is_kept_unless_told(tmp_path):
    flash = tmp_path / "flash"
    image(flash, {"/main.py": ""})
    there = {**files(flash), "/lib/wamp/__init__.py": b"__version__ = '9.0.0'\n"}
    image(flash, there)
    with FlashBoard(flash) as board:
        with pytest.raises(wamp.ConfigurationError, match="newer than this host's"):
            deploy(board)
        deploy(board, force=True)
    assert "/lib/wamp/__init__.py" not in files(flash)


@pytest.mark.usefixtures("few")
def test_an_older_library_on_the_board_is_replaced(tmp_path):
    flash = tmp_path / "flash"
    older = {
        "lib/wamp/__init__.py": b"__version__ = '0.0.9'\n",
        "lib/wamp/gone.mpy": b"of the older version",
        "main.py": b"# of the older version\nimport wampapp\n\nwampapp.main()\n",
    }
    flash.write_bytes(make_image(older, SIZE))
    with FlashBoard(flash) as board:
        done = deploy(board)
        board.wait("application")
    assert (done.written, done.removed) == (5, 2)
    check_whole(flash)


@pytest.mark.usefixtures("few")
def test_full_flash_is_found_before_anything_is_written(tmp_path):
    flash = filled(tmp_path / "flash", 249)
    with (
        FlashBoard(flash) as board,
        pytest.raises(wamp.TransportError, match="flash has .* free, and this needs"),
    ):
        deploy(board)
    assert set(files(flash)) == {"/big"}


def filled(flash: Path, blocks: int) -> Path:
    flash.write_bytes(make_image({"big": b"x" * (4096 * blocks)}, SIZE))
    return flash


def test_flash_that_gets_full_on_the_way(tmp_path):
    flash = filled(tmp_path / "flash", 249)
    with FlashBoard(flash) as board, Remote(board.port) as remote:
        remote.helpers()
        with pytest.raises(wamp.TransportError, match="the board's flash is full"):
            remote.write("/more", bytes(8 * 4096), "", lambda count: None)


@pytest.mark.usefixtures("few")
def test_a_folder_that_hides_the_library(tmp_path):
    with FlashBoard(tmp_path / "flash") as board:
        with Remote(board.port) as remote:
            remote.exec("import os\nos.mkdir('/wamp')")
        with pytest.raises(wamp.ConfigurationError, match="folder /wamp, which hides /lib/wamp"):
            deploy(board)


@pytest.mark.parametrize(
    "words, said",
    [
        (["--watchdog-ms", "5"], "watchdog_ms must be 0 (off) or 1000 to 8388"),
        (["--config", "/nope.json"], "/nope.json cannot be read"),
        (["--wifi-password-file", "x"], "needs --wifi NAME"),
        (["--ca", "/etc/hostname"], "is not one certificate in PEM or DER"),
    ],
)
def test_options_that_cannot_be_are_refused_before_the_board_is_touched(capsys, words, said):
    status, out, err = run(capsys, "deploy", "/dev/nope", *words)
    assert (status, out) == (2, "") and said in err


def test_wifi_password_is_no_word_of_the_command_line(tmp_path, monkeypatch):
    path = tmp_path / "password"
    path.write_text("secret\n")
    assert settings.wifi("lab", str(path)) == {"name": "lab", "password": "secret"}
    monkeypatch.setenv("MICROWAMP_WIFI_PASSWORD", "other")
    assert settings.wifi("lab", None) == {"name": "lab", "password": "other"}
