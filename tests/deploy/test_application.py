"""The default application, on MicroPython with a flash, against a router."""

from __future__ import annotations

import asyncio
import importlib.util
import json
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
from microwamp_rig.rp2040.flash import make_image
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
            async with asyncio.timeout(30):
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
            assert "/wamp.json: it is not JSON" in board.text
            assert "going on with /wamp.good.json" in board.text
        assert files(flash)["/wamp.good.json"] == good.encode(), "the broken one took its place"


@pytest.mark.parametrize(
    "config, said",
    [
        (None, "there is no /wamp.json"),
        ("{", "/wamp.json: it is not JSON"),
        ("[]", "/wamp.json: it is no JSON object"),
        ('{"url": 5}', "/wamp.json: url must be str, not 5"),
        ('{"ulr": "rs://a:1"}', "/wamp.json: ulr is not known; known: authid, ca, "),
        ('{"watchdog_ms": 20000}', "watchdog_ms must be 0 to 8388, not 20000"),
        ('{"wifi": {"name": 5}}', "wifi has texts for name, password, hostname, not 'name'"),
        ("x" * 5000, "/wamp.json: it is longer than 4096 octets"),
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
            end = time.monotonic() + 20
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
