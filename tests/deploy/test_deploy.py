"""Deploying and provisioning, by the commands, on a board with a flash of its own.

Most tests put a few small files on it instead of the library: what is tried is the way there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flashboard import SIZE, FlashBoard, files
from test_application import PUBLIC, SEED, image, key_text

import wamp
from microwamp import boards, cli
from microwamp.boards import deployment, settings
from microwamp.boards.remote import Facts, Remote
from microwamp.router import Principal, RealmConfig, Router, RouterConfig
from microwamp_rig.pty import Pty
from microwamp_rig.rp2040.flash import make_image

FEW = {
    "/lib/wamp/__init__.mpy": boards.device_files(None)["/lib/wamp/__init__.mpy"],
    "/lib/wamp/errors.mpy": boards.device_files(None)["/lib/wamp/errors.mpy"],
    "/lib/wampapp/__init__.py": b"import os\n\n\ndef main():\n"
    b"    if 'safe_mode' not in os.listdir('/'):\n        print('application')\n",
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our boards are back after a reset at once, or never."""
    monkeypatch.setattr("microwamp.boards.remote._BACK_S", 1.0)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "device_files", lambda arch: FEW)


def deploy(board: FlashBoard, force: bool = False, **given: Any) -> deployment.Outcome:
    with Remote(board.port, wait_s=5) as remote:
        facts = remote.facts()
        own = {deployment.CONFIG: settings.merge(remote, facts, {"key": None, **given})}
        return deployment.deploy(
            remote, own, facts=facts, force=force, progress=lambda done, total, path: None
        )


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = cli.main(words)
    out, err = capsys.readouterr()
    return status, out, err


def expected() -> dict[str, bytes]:
    return {**FEW, "/main.py": boards.main_program()}


def check_whole(flash: Path, more: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    there = files(flash)
    for path, octets in expected().items():
        assert there[path] == octets, path
    assert json.loads(there["/wamp.json"])["key"] is None
    assert set(there) == {*expected(), "/wamp.json", *more}


# -- all of it, as a user does --------------------------------------------------------------------


@pytest.mark.timeout(120)
async def test_the_five_minutes(tmp_path: Path) -> None:
    """From an empty board to a call, every step by its command, in an empty folder."""

    async def microwamp(*words: str, status: int = 0) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "microwamp", *words),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        octets, _ = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == status, octets.decode()
        return octets.decode()

    realm = RealmConfig("devices", anonymous="user")
    config = RouterConfig((realm,), listen=("rs://127.0.0.1:0",))
    async with Router(config, lambda *report: None) as router:
        url = router.urls[0]
    flash = tmp_path / "flash"
    with FlashBoard(flash) as board:
        planned = json.loads(await microwamp("deploy", board.port, "--dry-run", "--json"))
        assert planned["write"].keys() >= {"/lib/wamp/client.mpy", "/main.py", "/wamp.json"}
        refused = await microwamp("provision", board.port, status=2)
        assert f"the library is not on the board yet: `microwamp deploy {board.port}`" in refused
        assert files(flash) == {}, "a dry run writes nothing"
        first = json.loads(
            await microwamp("deploy", board.port, "--url", url, "--json", "--heartbeat", "0")
        )
        assert first["written"] == len(planned["write"]) and first["kept"] == 0
        await asyncio.to_thread(board.wait, "there is no key file /device.key")
        made = json.loads(await microwamp("provision", board.port, "--name", "pico", "--json"))
        key = files(flash)["/device.key"].decode()
        private = next(line.split()[1] for line in key.splitlines() if "private" in line)
        assert made["public_key"] in key and private not in json.dumps(made)
        assert made["crossbar"].startswith('"pico": {"authorized_keys": ["' + made["public_key"])
        principal = Principal("pico", "device", public_keys=(made["public_key"],))
        realm = RealmConfig("devices", anonymous="user", principals=(principal,))
        async with Router(RouterConfig((realm,), listen=(url,)), lambda *report: None):
            await asyncio.to_thread(board.wait, "joined devices as pico")
            out = await microwamp("call", "--url", url, "com.example.led", "true")
            assert out.strip() == "true"
        second = json.loads(await microwamp("deploy", board.port, "--json"))
        assert second["written"] == second["octets"] == 0
        assert second["sent"] < first["sent"] / 20
        text = board.text
    assert private not in text, "the private key was printed"


# -- only what changed ----------------------------------------------------------------------------


@pytest.mark.usefixtures("few")
def test_only_what_is_wrong_is_written(tmp_path):
    flash = tmp_path / "flash"
    with FlashBoard(flash) as board:
        first = deploy(board)
        assert (first.written, first.kept) == (5, 0)
        check_whole(flash)
        again = deploy(board)
        assert (again.written, again.removed, again.kept, again.octets) == (0, 0, 5, 0)
    # A file half copied, one of an older version, a source that would hide its bytecode, and what
    # a power cut leaves.
    damaged = {
        **files(flash),
        "/lib/wamp/errors.mpy": b"M\x06",
        "/lib/wamp/old.mpy": b"old",
        "/lib/wamp/errors.py": b"1/0\n",
        "/lib/wamp/__init__.mpy.new": b"M",
        "/lib/other/mine.py": b"",
    }
    image(flash, damaged)
    with FlashBoard(flash) as board:
        repaired = deploy(board)
        # `image` brought the true library too, which is none of the few.
        assert repaired.written == 1 and repaired.kept == 4 and repaired.removed >= 3
    check_whole(flash, {"/lib/other/mine.py"})


@pytest.mark.usefixtures("few")
def test_settings_that_are_not_given_stay(tmp_path):
    flash = tmp_path / "flash"
    with FlashBoard(flash) as board:
        deploy(board, prefix="org.lab.", realm="one")
        deploy(board, realm="two")
    assert json.loads(files(flash)["/wamp.json"]) == {
        "key": None,
        "prefix": "org.lab.",
        "realm": "two",
        "url": "serial:",
    }


# -- cables and power -----------------------------------------------------------------------------


@pytest.mark.usefixtures("few")
def test_cable_pulled_at_every_step_and_gone_on(tmp_path):
    flash = tmp_path / "whole"
    with FlashBoard(flash) as board:
        total = deploy(board).sent
    seen = set()
    for pull in range(100, total, total // 16):
        flash = tmp_path / f"flash{pull}"
        with FlashBoard(flash, pull=pull) as board, pytest.raises(wamp.TransportError):
            deploy(board)
        with FlashBoard(flash) as board:
            board.wait(">>> ")
            if "application" in board.text:
                check_whole(flash)  # half of it is never started
            rest = deploy(board)
            board.wait("application")
        check_whole(flash)
        seen.add(rest.written)
    assert len(seen) > 3, "resumed from several states"


@pytest.mark.usefixtures("few")
def test_power_cut_at_every_write_of_a_deploy(tmp_path):
    flash = tmp_path / "flash"
    for cut in range(2, 400, 9):
        flash.unlink(missing_ok=True)
        with FlashBoard(flash, cut=cut) as board:
            with contextlib.suppress(wamp.TransportError, wamp.ConfigurationError):
                deploy(board)
                break
        with FlashBoard(flash) as board:
            board.wait(">>> ")
            deploy(board)
            board.wait("application")
        check_whole(flash)
    assert 30 < cut < 395, "the power never held"


# -- whose main.py --------------------------------------------------------------------------------

OWN = b"print('my own program')\nwhile True:\n    pass\n"


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("pull", [0, 6000])
def test_a_main_program_of_ones_own_is_kept_and_out_of_the_way_meanwhile(tmp_path, pull):
    flash = tmp_path / "flash"
    with FlashBoard(flash) as board:
        with Remote(board.port) as remote:
            remote.exec(f"f = open('/main.py', 'wb')\nf.write({OWN!r})\nf.close()\n")
            remote.reset()
        board.wait("my own program")
    if pull:
        with FlashBoard(flash, pull=pull) as board, pytest.raises(wamp.TransportError):
            deploy(board)
        with FlashBoard(flash) as board:
            board.wait(">>> ")
            assert "my own program" not in board.text
        assert files(flash)["/main.py.parked"] == OWN
    with FlashBoard(flash) as board:
        outcome = deploy(board)
        board.wait("my own program")
    assert "the board's own main.py is kept" in outcome.notes[0]
    there = files(flash)
    assert there["/main.py"] == OWN
    assert not {"/main.py.parked", "/safe_mode"} & set(there)


WATCHED = b"""
import machine
print('watched')
dog = machine.WDT(timeout=1000)
while True:
    pass
"""


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("dog_s", [0.4, 3.0])
def test_a_board_in_a_watchdog_loop(tmp_path, capsys, dog_s):
    """It resets before all has been looked at, or in the middle of the first file."""
    flash = tmp_path / "flash"
    with FlashBoard(flash, dog_s=dog_s) as board:
        with Remote(board.port) as remote:
            remote.exec(f"f = open('/main.py', 'wb')\nf.write({WATCHED!r})\nf.close()\n")
            remote.reset()
        board.wait("watched")
        status, out, err = run(capsys, "deploy", board.port, "--anonymous", "--wait", "5")
        assert status == 0, err
        assert "main.py is kept" in out
        starts = board.starts
        board.text = ""
        board.wait("watched")
        assert board.starts >= starts
    there = files(flash)
    assert there["/main.py"] == WATCHED
    assert {path for path in there if path.startswith("/lib/wamp/")} <= set(FEW)


@pytest.mark.usefixtures("few")
def test_safe_mode_of_the_users_own_stays(tmp_path):
    flash = tmp_path / "flash"
    with FlashBoard(flash) as board:
        with Remote(board.port) as remote:
            remote.exec("open('/safe_mode', 'w').close()")
        deploy(board)
    check_whole(flash, {"/safe_mode"})


# -- keys -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A flash with the library and no main.py: a board at its prompt."""
    path = tmp_path_factory.mktemp("flash") / "flash"
    image(path, {"/main.py": ""})
    return path


def test_a_key_is_never_overwritten_without_being_told(tmp_path, library, capsys):
    flash = tmp_path / "flash"
    flash.write_bytes(library.read_bytes())
    with FlashBoard(flash) as board:
        status, out, err = run(capsys, "provision", board.port, "--dry-run")
        assert (status, out, err) == (0, "a key would be made\n", "")
        status, out, _ = run(capsys, "provision", board.port, "--name", "one")
        assert status == 0
        public = out.split()[2]
        first = files(flash)["/device.key"]
        assert f"microwamp router --cryptosign {public}:one" in out
        status, out, err = run(capsys, "provision", board.port)
        assert status == 2 and out == ""
        assert f"its public key is {public}; --force makes a new one" in err
        assert files(flash)["/device.key"] == first
        status, out, _ = run(capsys, "provision", board.port, "--force", "--json")
        assert status == 0
        made = json.loads(out)
        assert made["public_key"] != public
        assert made["public_key"] in files(flash)["/device.key"].decode()
        assert "/device.key.new" not in files(flash)
        private = [line for line in board.text.splitlines() if "private-key" in line]
        assert private == []


CONSTANT = """
import os, sys
class Os:
    urandom = staticmethod(lambda n: b"*" * n)
    def __getattr__(self, name):
        return getattr(os, name)
sys.modules["os"] = Os()
"""


def test_a_constant_generator_is_refused(tmp_path, capsys):
    flash = image(tmp_path / "flash", {"/main.py": "", "/boot.py": CONSTANT})
    with FlashBoard(flash) as board:
        status, out, err = run(capsys, "provision", board.port)
        assert (status, out) == (2, "")
        assert "random generator (os.urandom) repeats itself: make the key on another" in err
    assert not [name for name in files(flash) if "device.key" in name]


def test_power_cut_at_every_write_leaves_the_old_key_or_the_new(tmp_path):
    first = image(tmp_path / "first", {"/main.py": "", "/device.key": key_text(tmp_path)})
    found = set()
    for cut in range(1, 60, 2):
        flash = tmp_path / "flash"
        flash.write_bytes(first.read_bytes())
        with FlashBoard(flash, cut=cut) as board:
            status = cli.main(["provision", board.port, "--force", "--wait", "5"])
        key = files(flash)["/device.key"]
        path = tmp_path / f"key{cut}"
        path.touch(0o600)
        path.write_bytes(key)
        seed, public = wamp.keys.read_key(path)
        assert public is not None
        found.add("old" if seed == SEED and public == PUBLIC else "new")
        if status == 0:
            break
    assert status == 0 and found == {"old", "new"}


# -- what is wrong, and what to do ----------------------------------------------------------------


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
        self._thread.join(5)
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


def test_a_port_in_use_is_said(talker, capsys):
    import serial

    port = talker(b"")
    with serial.Serial(port, exclusive=True):
        status, _, err = run(capsys, "deploy", port)
    assert status == 3 and "in use by" in err and "stop it first" in err


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
