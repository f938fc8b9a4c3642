"""The default application, on MicroPython with a flash, against a router."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from flashboard import SIZE, FlashBoard, files

import wamp
from microwamp import boards
from microwamp.boards import settings
from microwamp.router import Principal, RealmConfig, Router, RouterConfig
from microwamp_rig.crossbar import make_certificate
from microwamp_rig.rp2040.flash import FileSystemError, make_image
from wamp import ed25519, keys

SEED = bytes(range(32))
PUBLIC = ed25519.run(ed25519.public_key(SEED))
BYTECODE = boards.device_files(None)


def key_text(tmp_path: Path) -> bytes:
    path = tmp_path / "device.key"
    if not path.exists():
        keys.write_key(path, SEED, PUBLIC)
    return path.read_bytes()


def image(path: Path, more: Mapping[str, bytes | str]) -> Path:
    """A flash with the library, the application and more."""
    everything = {**BYTECODE, "/main.py": boards.main_program(), **more}
    path.write_bytes(make_image({n.lstrip("/"): o for n, o in everything.items()}, SIZE))
    return path


def filled(path: Path, more: Mapping[str, bytes | str]) -> Path:
    """The same with a file that takes all blocks but a few."""
    fits, too_many = 0, SIZE // 4096
    while too_many - fits > 1:
        blocks = (fits + too_many) // 2
        try:
            image(path, {**more, "/mine": b"x" * 4080 * blocks})
            fits = blocks
        except FileSystemError:
            too_many = blocks
    return image(path, {**more, "/mine": b"x" * 4080 * fits})


@asynccontextmanager
async def routed() -> AsyncIterator[Router]:
    principal = Principal("pico", "device", public_keys=(PUBLIC.hex(),))
    realm = RealmConfig("devices", anonymous="user", principals=(principal,))
    config = RouterConfig((realm,), listen=("rs://127.0.0.1:0",))
    async with Router(config, lambda *report: None) as router:
        yield router


async def until(board: FlashBoard, text: str) -> None:
    await asyncio.to_thread(board.wait, text)


async def test_joined_it_offers_what_it_should(tmp_path: Path) -> None:
    async with routed() as router, wamp.Client(router.urls[0]) as host:
        config = {"url": router.urls[0], "prefix": "org.lab.", "heartbeat_s": 1}
        config["watchdog_ms"] = 1000
        flash = image(
            tmp_path / "flash",
            {"/wamp.json": json.dumps(config), "/device.key": key_text(tmp_path)},
        )
        beats: asyncio.Queue[Any] = asyncio.Queue()

        @host.subscribe("org.lab.heartbeat")
        def beat(**values: Any) -> None:
            beats.put_nowait(values)

        with FlashBoard(flash) as board:
            await until(board, "joined devices as pico")
            async with asyncio.timeout(60):
                first = await beats.get()
                assert first["joins"] == 1 and first["free"] > 0
                info = await host.call("org.lab.info")
                assert info["wamp"] == wamp.__version__ and info["config"] == "/wamp.json"
                assert info["id"] == b"flashbrd".hex() and info["channel"] == "tcp-rawsocket-cbor"
                pong = await host.call("org.lab.ping", 1, "two")
                assert pong.args == (1, "two")
                assert await host.call("org.lab.led", True) is True
                assert await host.call("org.lab.led") is False
                memory = await host.call("org.lab.memory")
                assert memory["free"] > 10000 and memory["flash_free"] > 0
                lines = await host.call("org.lab.log")
                assert any("joined devices" in line for line in lines)
                await until(board, "WDT 1000")
                await until(board, "WDT fed")
                assert board.text.index("joined devices") < board.text.index("WDT 1000")
                await host.call("org.lab.reset")
                again = await beats.get()
                while again["uptime_ms"] >= first["uptime_ms"] and board.starts < 2:
                    again = await beats.get()
            assert board.starts == 2
        assert files(flash)["/wamp.good.json"] == json.dumps(config).encode()


async def test_broken_configuration_the_last_good_one_and_the_prompt(tmp_path: Path) -> None:
    async with routed() as router:
        good = json.dumps({"url": router.urls[0], "key": None})
        flash = image(tmp_path / "flash", {"/wamp.json": "{", "/wamp.good.json": good})
        with FlashBoard(flash) as board:
            await until(board, "joined devices")
            assert "/wamp.json: it is cut off: a bracket is not closed" in board.text
            assert "going on with /wamp.good.json" in board.text
        assert files(flash)["/wamp.good.json"] == good.encode(), "the broken one took its place"


@pytest.mark.parametrize(
    "config, said",
    [
        (None, "there is no /wamp.json"),
        ("url = 1", "/wamp.json: it is not JSON"),
        ("[]", "/wamp.json: it is no JSON object"),
        ('{"url": 5}', "/wamp.json: url must be str, not 5"),
        ('{"ulr": "rs://a:1"}', "/wamp.json: ulr is not known; known: authid, ca, "),
        ('{"watchdog_ms": 20000}', "watchdog_ms must be 0 to 8388, not 20000"),
        ('{"wifi": {"name": 5}}', "wifi has texts for name, password, hostname, not 'name'"),
        ("x" * 5000, "/wamp.json: it is longer than 4096 octets"),
        ('{"url": "rs://a:1", "wifi": {"name": "x"}', "it is cut off: a bracket is not closed"),
        ('{"url": "serial:0?pins=1", "key": null}', "pins=1 is not one of baud, tx, rx"),
        ('{"url": "serial:0?baud=7", "key": null}', "baud must be 300 to 12000000"),
        ('{"url": "serial:0", "key": null}', "URL serial:0: "),
        ('{"url": "rs://a:1", "key": null, "realm": ""}', "the realm is ''"),
        ('{"url": "rs://a:1", "key": null, "prefix": "a b."}', "'a b.info' is not a URI"),
        ('{"url": "rs://a:1", "key": "/wamp.json"}', "has no line private-key-ed25519"),
        ('{"url": "rs://a:1", "key": null, "wifi": {"name": "x"}}', "has no Wi-Fi"),
        ('{"url": "rs://127.0.0.1:1"}', "there is no key file /device.key"),
        ('{"url": "nonsense", "key": null}', "URL nonsense: this library speaks"),
        ('{"url": "rss://host:1", "key": null}', 'rss:// needs "ca"'),
        ('{"url": "rss://host:1", "key": null, "ca": "/no"}', "ca: /no cannot be read"),
    ],
)
def test_what_cannot_work_is_said_and_the_prompt_is_there(tmp_path, config, said):
    flash = image(tmp_path / "flash", {} if config is None else {"/wamp.json": config})
    with FlashBoard(flash) as board:
        board.wait(">>> ")
        assert said in board.text
        assert "wampapp: " in board.text
        assert "Traceback" not in board.text


async def test_what_cannot_work_gives_way_to_the_last_good_one(tmp_path: Path) -> None:
    """It is well-formed, and no waiting repairs it."""
    async with routed() as router:
        good = json.dumps({"url": router.urls[0], "key": None})
        flash = image(
            tmp_path / "flash",
            {"/wamp.json": '{"url": "serial:9", "key": null}', "/wamp.good.json": good},
        )
        with FlashBoard(flash) as board:
            await until(board, "joined devices")
            assert "wampapp: /wamp.json: URL serial:9: " in board.text
            assert "going on with /wamp.good.json" in board.text
        assert files(flash)["/wamp.good.json"] == good.encode()


def test_what_is_cut_off_is_no_configuration(tmp_path):
    """Wherever it is cut: MicroPython's json takes some of these for whole."""
    config = {"url": "rs://a:1", "wifi": {"name": 'a"}{', "password": "\\"}, "log_lines": 2}
    text = json.dumps(config)
    program = (
        "from wampapp import config\n"
        f"whole = {text.encode()!r}\n"
        "taken = []\n"
        "for n in range(len(whole) + 1):\n"
        "    try:\n"
        "        config.parse(whole[:n])\n"
        "        taken.append(n)\n"
        "    except ValueError:\n"
        "        pass\n"
        "print('taken', taken)\n"
    )
    with FlashBoard(image(tmp_path / "flash", {"/main.py": program})) as board:
        board.wait("taken")
        board.wait(">>> ")
        assert f"taken [{len(text)}]" in board.text


async def test_full_flash_and_the_last_good_configuration(tmp_path: Path) -> None:
    """It is not kept, which is said; the board works, and what was kept before is whole."""
    async with routed() as router:
        wanted = {"url": router.urls[0], "key": None, "ntp": "n" * 1500}
        more = {"/wamp.json": json.dumps(wanted), "/wamp.good.json": "{}"}
        flash = filled(tmp_path / "flash", more)
        with FlashBoard(flash) as board:
            await until(board, "joined devices")
            await until(board, "the last good configuration is not kept: there is no room for")
            assert "/wamp.good.json.new: the flash is full" in board.text
        found = files(flash)
        assert found["/wamp.good.json"] == b"{}" and "/wamp.good.json.new" not in found


# A radio that is played: what its status is after each attempt to connect. 3 is a connection.
RADIO = """
import sys

class Radio:
    found = {found!r}

    def __init__(self, interface):
        self.attempt = -1

    def active(self, on):
        pass

    def disconnect(self):
        pass

    def connect(self, name, password):
        self.attempt += 1
        print("radio:", name, password)

    def isconnected(self):
        return self.status() == 3

    def status(self, what=None):
        if what is not None:
            raise ValueError
        return self.found[self.attempt] if self.attempt >= 0 else 0

class Network:
    STA_IF = 0
    WLAN = Radio

    @staticmethod
    def hostname(name):
        print("hostname:", name)

sys.modules["network"] = Network
from wamp import wifi
wifi._POLL_MS = 20
init = wifi.Wifi.__init__

def quick(self, *words, **named):
    init(self, *words, **named)
    self.timeout_ms = 1500

wifi.Wifi.__init__ = quick
"""
# A clock that was never set, until its time server answers: at the third connection.
CLOCK = """
import sys
import time

class Time:
    unset = True

    @classmethod
    def gmtime(cls, *words):
        return (2021, 1, 1, 0, 0, 0, 0, 0) if cls.unset else time.gmtime(*words)

for name in dir(time):
    if name != "gmtime" and name[0] != "_":
        setattr(Time, name, getattr(time, name))

class Server:
    asked = 0

    @classmethod
    def settime(cls):
        cls.asked += 1
        print("asked", cls.host)
        if cls.asked <= 6:
            raise OSError(110)
        Time.unset = False

sys.modules["time"] = Time
sys.modules["ntptime"] = Server
"""


async def test_wifi_is_missing_refuses_has_no_address_and_is_there(tmp_path: Path) -> None:
    async with routed() as router:
        config: dict[str, Any] = {"url": router.urls[0], "key": None, "watchdog_ms": 1000}
        config["wifi"] = {"name": "lab", "password": "secret", "hostname": "bench-1"}
        flash = image(
            tmp_path / "flash",
            {"/wamp.json": json.dumps(config), "/boot.py": RADIO.format(found=[-2, -3, 2, 3])},
        )
        with FlashBoard(flash) as board:
            await until(board, "joined devices")
            words = ["hostname: bench-1", "radio: lab secret"]
            words += ["no session: Wi-Fi lab: no network of this name is in reach"]
            words += ["no session: Wi-Fi lab: the access point refuses the password"]
            words += ["no session: Wi-Fi lab: connected, but there is no address: no answer from"]
            words += ["joined devices", "WDT 1000"]
            assert all(word in board.text for word in words[:-1]), board.text
            at = [board.text.index(word) for word in words[:-1]]
            assert at == sorted(at)
            await until(board, "WDT 1000")
            assert board.text.index("WDT") > at[-1], "armed before the first join"


async def test_tls_waits_for_the_clock(tmp_path: Path) -> None:
    """With a network that is there already: the time server is asked all the same."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make_certificate(certificate, key)
    realm = RealmConfig("devices", anonymous="user")
    served = RouterConfig(
        (realm,), listen=("rss://127.0.0.1:0",), certificate=str(certificate), key=str(key)
    )
    async with Router(served, lambda *report: None) as router:
        config = {"url": router.urls[0], "key": None, "ca": "/ca.der", "ntp": "ntp.lab"}
        trusted = ssl.PEM_cert_to_DER_cert(certificate.read_text())
        more: dict[str, bytes | str] = {"/ca.der": trusted, "/boot.py": CLOCK}
        more["/wamp.json"] = json.dumps(config)
        with FlashBoard(image(tmp_path / "flash", more), kind="unix") as board:
            await until(board, "joined devices")
            said = "no session: the clock says 2021, so no certificate can be checked: "
            assert said + "no answer from the time server ntp.lab" in board.text
            assert board.text.count("asked ntp.lab") == 7


def test_safe_mode_starts_nothing(tmp_path):
    flash = image(tmp_path / "flash", {"/wamp.json": '{"url": "rs://a:1"}', "/safe_mode": ""})
    with FlashBoard(flash) as board:
        board.wait(">>> ")
        assert "safe mode: no application, no watchdog; remove /safe_mode" in board.text
        assert "no session" not in board.text


def test_half_a_library_leaves_the_prompt(tmp_path):
    flash = image(tmp_path / "flash", {"/lib/wampapp/application.mpy": b"M\x06\x00"})
    with FlashBoard(flash) as board:
        board.wait(">>> ")


def checker() -> Any:
    path = boards.application() / "net.py"
    spec = importlib.util.spec_from_file_location("wampapp_net", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_clock_for_tls_is_named(monkeypatch):
    net = checker()
    unset = time.struct_time((2021, 1, 1, 0, 0, 0, 4, 1, 0))
    monkeypatch.setattr(net.time, "gmtime", lambda: unset)
    with pytest.raises(wamp.TransportError, match="clock says 2021.*no answer from .* ntp.lab"):
        net.check_clock("ntp.lab")
    with pytest.raises(wamp.TransportError, match='clock says 2021.*set "ntp"'):
        net.check_clock(None)
    monkeypatch.undo()
    net.check_clock(None)


def test_configuration_survives_a_power_cut_at_every_write(tmp_path):
    """Old or new, whole; at every write of the flash while a new one is saved."""
    old, new = ('{"realm": "%s"}' % (word * 400) for word in ("old", "new"))
    saver = (
        "import os\nfrom wampapp import config\n"
        "print('found', config.load()[0]['realm'][:3], len(config.load()[0]['realm']))\n"
        f"config.save(config.PATH, b'{new}')\nprint('saved')\n"
    )
    first = image(tmp_path / "first", {"/main.py": saver, "/wamp.json": old}).read_bytes()
    found = []
    for cut in range(1, 60):
        flash = tmp_path / "flash"
        flash.write_bytes(first)
        with FlashBoard(flash, cut=cut) as board:
            end = time.monotonic() + 60
            while not (board.starts and not board.powered) and ">>> " not in board.text:
                assert time.monotonic() < end
                time.sleep(0.005)
            finished = "saved" in board.text
        with FlashBoard(flash) as board:
            board.wait("saved")
            line = next(line for line in board.text.splitlines() if line.startswith("found"))
        assert line in ("found old 1200", "found new 1200"), (cut, line)
        found.append(line.split()[1])
        if finished:
            break
    assert finished, "the power never held"
    assert set(found) == {"old", "new"}
    assert found == sorted(found, reverse=True), "old, then new, and no way back"


def test_settings_of_the_host_are_those_of_the_board():
    octets = settings.render({"url": "serial:", "heartbeat_s": 5})
    assert json.loads(octets) == {"url": "serial:", "heartbeat_s": 5}
    with pytest.raises(wamp.ConfigurationError, match="configuration: heartbeat_s must be int"):
        settings.render({"heartbeat_s": "often"})
