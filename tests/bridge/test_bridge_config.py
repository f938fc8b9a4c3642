"""The bridge's configuration file: what it says, and what is said about a bad one."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

import pytest

import microwamp.bridge
from microwamp import cli
from microwamp.bridge.config import BridgeConfig, Limits, PortConfig, usb
from microwamp.bridge.configfile import load, parse
from microwamp.tomlfile import where
from microwamp_rig.crossbar import make_certificate
from wamp.errors import ConfigurationError

WHOLE = """
router = "lan"
console = "off"
control = "/run/microwamp/bridge.sock"
metrics = "127.0.0.1:9123"

[limits]
messages_per_s = 100

[routers.lan]
url = "rs://127.0.0.1:8080"
[routers.away]
url = "wss://router.example/ws"

[[port]]
id = "usb:2E8A:0005:E6614103E7452D2F"
name = "greenhouse"
board = "RPI_PICO"
realms = ["devices", "tests"]

[[port]]
id = "/dev/ttyUSB0"
router = "away"
baud = 921600
dtr = false
rts = false
hupcl = true
settle_ms = 250
console = "both"
lost_ms = 20000
[port.limits]
messages_per_s = 7
message_octets = 65536
buffer_octets = 8192
opens_per_s = 3
noise_per_s = 1000
console_per_s = 5

[discover]
match = ["2E8A:0005", "303a:1001"]
most = 3
board = "RPI_PICO"
"""


def test_a_whole_file():
    config = parse(WHOLE)
    first, second = config.ports
    assert first == PortConfig(
        port="usb:2E8A:0005:E6614103E7452D2F",
        router="rs://127.0.0.1:8080",
        name="greenhouse",
        board="RPI_PICO",
        realms=("devices", "tests"),
        console="off",
        limits=Limits(messages_per_s=100),
    )
    assert first.modem() == (True, True, False, 0)
    assert second.router == "wss://router.example/ws"
    assert (second.baud, second.console, second.lost_ms) == (921600, "both", 20000)
    assert second.modem() == (False, False, True, 250)
    assert second.limits == Limits(7, 65536, 8192, 3, 1000, 5)
    assert config.discover is not None
    assert config.discover.match == ((0x2E8A, 5), (0x303A, 0x1001))
    assert config.discover.most == 3
    assert config.discover.like.limits.messages_per_s == 100
    assert (config.control, config.metrics) == ("/run/microwamp/bridge.sock", "127.0.0.1:9123")


def test_the_example_and_every_key_in_it():
    folder = Path(microwamp.bridge.__file__).parent / "data"
    config = load(folder / "bridge.toml")
    assert config.ports and config.discover is not None


ONE = 'router = "rs://h:1"\n[[port]]\nid = "/dev/a"\n'

# text, words of the error
BAD: list[tuple[str, str]] = [
    ("", "no port to serve"),
    ("= 3", "not TOML: Invalid statement (at line 1, column 1)"),
    (ONE + "baudrate = 9600\n", "line 4: unknown key 'baudrate'; known here: baud, board, "),
    ("roter = 1\n" + ONE, "line 1: unknown key 'roter'; known here: baud, "),
    (ONE + "[port.limits]\nmessages = 3\n", "line 5: unknown key 'messages'; known here: buffer"),
    (ONE + "limits = {messages = 3}\n", "line 4: unknown key 'messages'; known here: buffer_oct"),
    (ONE + "[discover]\nmatch = ['2E8A:5']\n", "line 5: '2E8A:5': VID:PID needed"),
    (ONE + "[discover]\nmost = 3\n", "line 4: discover needs match"),
    (ONE + "[discover]\nmatch=['2E8A:0005']\nmost=0\n", "line 6: most is 0: 1 to 1000"),
    (ONE + "[discover]\nmatch=['2E8A:0005']\nid='x'\n", "line 6: unknown key 'id'"),
    (ONE + 'baud = "fast"\n', "line 4: baud is 'fast', an integer needed"),
    (ONE + "baud = true\n", "line 4: baud is True, an integer needed"),
    (ONE + "baud = 12\n", "line 4: baud is 12: 300 to 12000000"),
    (ONE + "baud = 1200\n", "line 4: baud is 1200: boards with native USB take that as the"),
    (ONE + "dtr = 1\n", "line 4: dtr is 1, true or false needed"),
    (ONE + "settle_ms = 100000\n", "line 4: settle_ms is 100000: 0 to 60000"),
    (ONE + "lost_ms = 1\n", "line 4: lost_ms is 1: 100 to 25500"),
    (ONE + 'console = "loud"\n', 'line 4: console is \'loud\', not "off", "out" or "both"'),
    (ONE + 'board = "PICO"\n', "line 4: board 'PICO' is not known here; known: ESP32_GENERIC,"),
    (ONE + 'realms = "devices"\n', "line 4: realms is 'devices', a list of strings needed"),
    (ONE + "realms = [1]\n", "line 4: realms is [1], a list of strings needed"),
    (ONE + 'realms = [""]\n', "line 4: realms holds an empty name"),
    (ONE + "limits = {message_octets = 3}\n", "line 4: message_octets is 3: 512 to 16777215"),
    ("router = 'rs://h:1'\n[limits]\nopens_per_s = -1\n[[port]]\nid = 'a'\n", "line 3: opens_per"),
    (ONE + '[[port]]\nid = "/dev/a"\n', "line 5: /dev/a is named twice, first in port 1"),
    (ONE + '[[port]]\nid = "b"\nname = "/dev/a"\n', "line 6: /dev/a is named twice, first in po"),
    (ONE + '[[port]]\nname = "b"\n', "line 4: the port has no id"),
    (ONE + '[[port]]\nid = ""\n', "line 5: port is empty: a tty, "),
    (ONE + '[[port]]\nid = "usb:2E8A"\n', "line 5: port usb:2E8A: usb:VID:PID or usb:VID:PID:SE"),
    ("[[port]]\nid = 'a'\n", "line 1: no router: neither here nor for all ports"),
    ("[[port]]\nid = 'a'\nrouter = 'x'\n", "line 3: router 'x' is not in [routers]; known: none"),
    ("[[port]]\nid = 'a'\nrouter = 'http://x'\n", "line 3: URL http://x: the bridge speaks rs:"),
    ("[[port]]\nid = 'a'\nrouter = 'serial:/x'\n", "line 3: serial:/x: the router's URL is rs:"),
    (
        "router = 'r'\n[routers.r]\nurl = 'rs://h'\n[[port]]\nid = 'a'\n",
        "line 3: URL rs://h: host and port expected",
    ),
    ("router = 'r'\n[routers.r]\n[[port]]\nid='a'\n", "line 2: the router r has no url"),
    (
        "router = 'r'\n[routers.r]\nurl='rss://h:1'\ncafile='/no.pem'\n[[port]]\nid='a'\n",
        "line 4: cafile /no.pem: ",
    ),
    ("router = 'r'\nrouters = {r = 3}\n[[port]]\nid='a'\n", "line 2: routers.r is 3, a table"),
    ("port = 3\n", "line 1: port is 3, written [[port]] needed"),
    ("[port]\nid = 'a'\n", "line 1: port is {'id': 'a'}, written [[port]] needed"),
    ("metrics = '0.0.0.0:1'\n" + ONE, "line 1: metrics 0.0.0.0:1: an address of this host and"),
    ("metrics = ':x'\n" + ONE, "line 1: metrics :x: an address of this host and a port needed"),
    ("control = 'here'\n" + ONE, "line 1: control here: an absolute path needed"),
    ("user = 'nobody-of-that-name'\n" + ONE, "line 1: user nobody-of-that-name does not exist"),
]


@pytest.mark.parametrize(("text", "words"), BAD)
def test_a_bad_file(text, words, tmp_path, capsys):
    """One line with the file, the line in it and the cause; and nothing was opened."""
    file = tmp_path / "bridge.toml"
    file.write_text(text)
    assert cli.main(["bridge", "--config", str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1, err
    assert err.startswith(f"microwamp bridge: {file}: {words}"), err


def test_files_that_cannot_be_read(tmp_path, capsys):
    file = tmp_path / "bridge.toml"
    file.write_bytes(b"router = 'x'\n\n# \xff\n")
    for path, words in (
        (tmp_path / "none", f"cannot read {tmp_path}/none: No such file or directory"),
        (tmp_path, f"cannot read {tmp_path}: Is a directory"),
        (file, f"{file}: line 3: it is not UTF-8 text"),
    ):
        assert cli.main(["bridge", "--config", str(path)]) == 2
        assert capsys.readouterr().err == f"microwamp bridge: {words}\n"


def test_checking_opens_nothing(tmp_path, capsys):
    file = tmp_path / "bridge.toml"
    file.write_text(ONE)
    assert cli.main(["bridge", "--config", str(file), "--check"]) == 0
    assert capsys.readouterr().out == "the configuration is good: 1 port\n"


@pytest.mark.parametrize(
    "words", [["/dev/x"], ["--router", "rs://h:1"], ["/dev/x", "--router", "rs://h:1"]]
)
def test_a_file_and_words_are_one_too_many(words, tmp_path, capsys):
    file = tmp_path / "bridge.toml"
    file.write_text(ONE)
    assert cli.main(["bridge", *words, "--config", str(file)]) == 2
    assert "no PORT, no --router" in capsys.readouterr().err


def test_where_the_lines_are():
    text = (
        "a = 1\n"
        "b.c = 2 # [x]\n"
        "[t]\n"
        '"q r" = """\n'
        '"""\n'
        "[[l]]\n"
        "x = 1\n"
        "[l.s]\n"
        "y = 1\n"
        "[[l]]\n"
        "x = 2 \n"
        "  [ l . s ] # more\n"
        "y = 2\n"
    )
    lines = where(text)
    wanted: dict[tuple[Any, ...], int] = {
        ("a",): 1,
        ("b", "c"): 2,
        ("t",): 3,
        ("t", "q r"): 4,
        ("l", 0): 6,
        ("l", 0, "x"): 7,
        ("l", 0, "s"): 8,
        ("l", 0, "s", "y"): 9,
        ("l", 1): 10,
        ("l", 1, "s", "y"): 13,
    }
    assert {path: lines[path] for path in wanted} == wanted


def test_a_certificate_that_is_there(tmp_path):
    make_certificate(tmp_path / "ca.pem", tmp_path / "key.pem")
    config = parse(
        "router = 'r'\n[[port]]\nid = 'a'\n"
        f"[routers.r]\nurl = 'rss://h:1'\ncafile = '{tmp_path}/ca.pem'\n"
    )
    assert config.ports[0].cafile == f"{tmp_path}/ca.pem"


def test_identities():
    assert usb("/dev/ttyACM0") is None
    assert usb("usb:2e8a:0005") == (0x2E8A, 5, None)
    assert usb("usb:2E8A:0005:E661:4") == (0x2E8A, 5, "E661:4")
    with pytest.raises(ConfigurationError, match="usb:VID:PID"):
        usb("usb:5:5")


def test_what_may_change_while_a_device_is_connected():
    port = PortConfig("a", "rs://h:1")
    assert port.same_line(PortConfig("a", "rs://h:1", console="off", realms=("x",)))
    assert port.same_line(PortConfig("a", "rs://h:1", limits=Limits(messages_per_s=1)))
    for other in (
        PortConfig("b", "rs://h:1"),
        PortConfig("a", "rs://h:2"),
        PortConfig("a", "rs://h:1", baud=9600),
        PortConfig("a", "rs://h:1", dtr=True),
        PortConfig("a", "rs://h:1", limits=Limits(message_octets=4096)),
    ):
        assert not port.same_line(other)
    with pytest.raises(ConfigurationError, match="two ports have one name"):
        BridgeConfig((PortConfig("a", "rs://h:1", name="x"), PortConfig("b", "rs://h:1", "x")))


def test_the_unit_and_the_rule_fit_the_command():
    """What the example discovers is kept from ModemManager; the unit uses what the command has."""
    folder = Path(microwamp.bridge.__file__).parent / "data"
    rules = (folder / "60-microwamp.rules").read_text()
    config = load(folder / "bridge.toml")
    assert config.discover is not None
    for vid, pid in config.discover.match:
        line = f'ATTRS{{idVendor}}=="{vid:04x}", ATTRS{{idProduct}}=="{pid:04x}", '
        assert line + 'ENV{ID_MM_DEVICE_IGNORE}="1"' in rules
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string((folder / "microwamp-bridge.service").read_text())
    service = unit["Service"]
    assert service["Type"] == "notify" and service["DynamicUser"] == "yes"
    words = service["ExecStart"].split()
    assert words[1:3] == ["bridge", "--config"]
    assert cli.main([*words[1:3], str(folder / "bridge.toml"), "--check"]) == 0
    assert int(service["FileDescriptorStoreMax"]) >= 2 * 1000 + 1
    assert float(service["WatchdogSec"]) >= 10
    assert service["RestartPreventExitStatus"] == "2"
