"""The boards: their files, the README of each and the table of docs/boards.md agree."""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest

from microwamp import boards
from microwamp.boards import PROOFS, bytecode
from microwamp.bridge import config
from wamp.errors import ConfigurationError
from wamp.transport import make

ROOT = Path(__file__).parents[2]
ALL = boards.boards()
# Upstream's keys of board.json, which its website and mpflash read.
KEYS = {"deploy", "docs", "features", "images", "mcu", "product", "thumbnail", "url", "vendor"}


def readme(name: str) -> str:
    return " ".join((ROOT / "boards" / name / "README.md").read_text().split())


def test_the_boards_of_shops_are_there():
    named = "RPI_PICO RPI_PICO_W RPI_PICO2 RPI_PICO2_W"
    named += " ESP32_GENERIC ESP32_GENERIC_C3 ESP32_GENERIC_S3 UNIX"
    assert set(ALL) == set(named.split())
    assert {path.name for path in (ROOT / "boards").iterdir()} == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_a_board_is_whole(name):
    board = ALL[name]
    folder = ROOT / "boards" / name
    assert board.name == name == folder.name
    files = {path.name for path in folder.iterdir()}
    assert files == {"README.md", "board.json", "board.toml", "manifest.py"}
    upstream = json.loads((folder / "board.json").read_text())
    assert upstream.keys() >= KEYS
    assert upstream["mcu"] == board.chip.lower().replace("-", "") or board.port == "unix"
    assert ("WiFi" in upstream["features"]) == board.wifi
    assert ast.get_docstring(ast.parse((folder / "manifest.py").read_text()))
    assert board.proof in PROOFS


@pytest.mark.parametrize("name", ALL)
def test_the_readme_says_what_the_facts_say(name):
    board = ALL[name]
    text = readme(name)
    assert text.startswith(f"# {name}: ")
    opening = {"run": "Run in every test run, as itself", "emulated": "emulated silicon"}
    assert opening.get(board.proof, "Compiled and type-checked only") in text
    for uart in board.uarts:
        assert f"UART{uart.id} | TX = G" in text
        assert f"`{uart.url}`" in text
    if board.port == "unix":
        return
    assert f"`{board.console.url}` on the board" in text
    assert all(usb in text for usb in board.usb)
    for number in (*board.flash["filesystem"], board.flash["firmware"][0]):
        assert f"{number:#x}" in text or f"{number:#08x}" in text
    assert ("resets nothing" in text) or board.modem.rts == "reset"
    assert f"microwamp flash {name}" in text
    for heading in ("Wiring a UART", "Flash", "Flashing", "Power and sleep"):
        assert f"## {heading} " in text
    for word in ("3.3 V only", "Ground first", "A pull-up on RX"):
        assert word in text


@pytest.mark.parametrize("name", ALL)
def test_urls_fit_the_buffers_and_no_pin_is_the_flashs(name):
    board = ALL[name]
    reserved = set(board.flash.get("reserved_pins", ()))
    pins = [pin for uart in board.uarts for pin in (uart.tx, uart.rx)]
    assert len(set(pins)) == len(pins)
    assert not reserved & set(pins)
    for uart in board.uarts:
        make(uart.url)
        assert uart.window <= uart.receive
    if board.console.kind == "uart":
        # Nothing holds the host back there: the window is all that does.
        assert board.console.window <= board.console.receive
        assert f"window={board.console.window}" in board.console.url
    if board.console.url:
        make(board.console.url.replace("serial:", "serial:0"))  # a host has no console
    if "uf2" == board.flashing.method:
        assert board.flashing.families and board.flashing.drive
    if "esptool" == board.flashing.method:
        assert board.flashing.offset == board.flash["firmware"][0]


@pytest.mark.parametrize("name", ALL)
def test_the_bridge_holds_the_lines_so_that_nothing_is_reset(name):
    lines = config.BOARDS[name]
    modem = ALL[name].modem
    if modem.crosswise:  # one alone would do something
        assert lines.dtr == lines.rts is not None
    if modem.hupcl != "none":
        assert lines.hupcl is False


def test_classic_esp32_is_never_given_the_pins_of_its_flash():
    reserved = ALL["ESP32_GENERIC"].flash["reserved_pins"]
    assert {6, 7, 8, 9, 10, 11} == set(reserved)


def test_the_table_says_how_each_is_proven():
    rows = re.findall(
        r"^\| \[(\w+)\]\(\.\./boards/(\w+)/README\.md\) \|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$",
        (ROOT / "docs" / "boards.md").read_text(),
        re.MULTILINE,
    )
    assert {row[0] for row in rows} == set(ALL)
    for name, folder, chip, arches, console, proof in rows:
        board = ALL[name]
        assert folder == name
        assert (chip.strip(), arches.strip()) == (board.chip, ", ".join(board.arches))
        assert (console.strip(), proof.strip()) == (board.console.kind, PROOFS[board.proof])


def test_facts_are_toml_that_others_can_read():
    for name in ALL:
        facts = tomllib.loads((ROOT / "boards" / name / "board.toml").read_text())
        assert facts["name"] == name
        assert set(facts["modem"]) == {"dtr", "rts", "hupcl", "crosswise", "settle_ms"}


def test_unknown_board_is_named_with_what_is_near():
    with pytest.raises(ConfigurationError, match=r"BOARD rpi_pico9 .*nearest: RPI_PICO"):
        boards.board("rpi_pico9")


def test_every_processor_of_a_board_gets_bytecode():
    used = {arch for board in ALL.values() if board.port != "unix" for arch in board.arches}
    assert used == set(bytecode.ARCHES)
