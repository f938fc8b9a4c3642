"""What board.toml says, against where it comes from: MicroPython's sources and esptool.

The sources are those that `make firmware` builds from. What stands in data sheets only is named in
docs/boards.md, as is the source of every other key.
"""

import csv
import importlib.util
import json
import re
import tomllib
from pathlib import Path

import pytest
from esptool.targets import CHIP_DEFS  # type: ignore[import-untyped]

from microwamp import boards
from microwamp.boards import bytecode

ROOT = Path(__file__).parents[2]
UPSTREAM = ROOT / "build" / "src" / "micropython"
PORTS = UPSTREAM / "ports"
ALL = {name: board for name, board in boards.boards().items() if board.port != "unix"}
PICOS = [name for name, board in ALL.items() if board.port == "rp2"]
ESPS = [name for name, board in ALL.items() if board.port == "esp32"]


def source(path: str) -> str:
    """One of MicroPython's files."""
    assert UPSTREAM.is_dir(), "MicroPython's sources are missing: make firmware"
    return (PORTS / path).read_text()


def defined(text: str, name: str) -> str:
    """What a macro of C is, where it is defined first."""
    found = re.search(rf"^\s*#\s*define\s+{name}\s+(.+?)\s*$", text, re.MULTILINE)
    assert found is not None, name
    return found[1]


def number(text: str) -> int:
    return int(text.strip("() "), 0)


@pytest.mark.parametrize("name", ALL)
def test_upstreams_own_description(name):
    board = ALL[name]
    upstream = json.loads(source(f"{board.port}/boards/{name}/board.json"))
    ours = json.loads((board.folder / "board.json").read_text())
    assert upstream["mcu"] == ours["mcu"] == board.chip.lower().replace("-", "")
    for key in ("features", "product", "vendor", "url"):
        assert ours[key] == upstream[key], key
    assert ("WiFi" in upstream["features"]) == board.wifi


@pytest.mark.parametrize("name", PICOS)
def test_pico_flash_led_and_usb(name):
    board = ALL[name]
    config = source(f"rp2/boards/{name}/mpconfigboard.h")
    size = defined(config, "MICROPY_HW_FLASH_STORAGE_BYTES")
    whole = board.flash["size"]
    begin, end = board.flash["filesystem"]
    expression = size.replace("PICO_FLASH_SIZE_BYTES", str(whole))
    assert re.fullmatch(r"[\d*() -]+", expression)
    assert (end - begin, end) == (eval(expression), whole)
    assert board.flash["firmware"] == [0, begin]
    assert f"\n{board.led}," in "\n" + source(f"rp2/boards/{name}/pins.csv")
    port = source("rp2/mpconfigport.h")
    vid, pid = (number(defined(port, f"MICROPY_HW_USB_{word}ID")[:8]) for word in "VP")
    assert board.usb == (f"{vid:04x}:{pid:04x}",)
    receive = defined(source("rp2/mphalport.c"), "MICROPY_HW_STDIN_BUFFER_LEN")
    assert board.console.receive == number(receive)
    assert "VfsLfs2" in source("rp2/modules/_boot.py")


@pytest.mark.parametrize("name", PICOS)
def test_pico_uarts_are_the_ports_own(name):
    text = source("rp2/machine_uart.c")
    for uart in ALL[name].uarts:
        for word in ("tx", "rx"):
            assert getattr(uart, word) == number(
                defined(text, f"MICROPY_HW_UART{uart.id}_{word.upper()}")
            )
        assert (uart.tx & 3, uart.rx & 3) == (0, 1)
        assert (uart.tx + 4 & 8) >> 3 == (uart.rx + 4 & 8) >> 3 == uart.id
        assert uart.receive <= number(defined(text, "MAX_BUFFER_SIZE"))


def test_uf2_families_are_the_pico_sdks():
    header = "lib/pico-sdk/src/common/boot_uf2_headers/include/boot/uf2.h"
    text = (UPSTREAM / header).read_text()
    known = {
        word: number(defined(text, f"{word}_FAMILY_ID").rstrip("u"))
        for word in ("RP2040", "RP2350_ARM_S", "RP2350_RISCV")
    }
    for name in PICOS:
        chip = ALL[name].chip
        wanted = {family for word, family in known.items() if word.startswith(chip)}
        assert set(ALL[name].flashing.families) == wanted


@pytest.mark.parametrize("name", ESPS)
def test_esp_flash_and_boot_loader(name):
    board = ALL[name]
    chip = CHIP_DEFS[board.flashing.esptool_chip]
    assert board.flashing.image_chip == chip.IMAGE_CHIP_ID
    assert board.flashing.offset == chip.BOOTLOADER_FLASH_OFFSET == board.flash["firmware"][0]
    settings = source("esp32/boards/sdkconfig.base")
    own = PORTS / "esp32" / "boards" / name / "sdkconfig.board"
    settings += own.read_text() if own.exists() else ""
    table = re.findall(r'^CONFIG_PARTITION_TABLE_CUSTOM_FILENAME="(.+)"$', settings, re.MULTILINE)
    rows = csv.reader(
        line for line in source(f"esp32/{table[-1]}").splitlines() if line[:1] not in ("#", "")
    )
    parts = {row[0]: (int(row[3], 0), int(row[3], 0) + int(row[4], 0)) for row in rows}
    assert parts["vfs"] == tuple(board.flash["filesystem"])
    assert parts["factory"][1] == board.flash["firmware"][1]
    mib = re.findall(r"^CONFIG_ESPTOOLPY_FLASHSIZE_(\d+)MB=y$", settings, re.MULTILINE)
    assert board.flash["size"] == int(mib[-1]) << 20 == parts["vfs"][1]
    assert "VfsLfs2.mkfs" in source("esp32/modules/inisetup.py")


@pytest.mark.parametrize("name", ESPS)
def test_esp_console(name):
    board = ALL[name]
    found = re.search(r"stdin_ringbuf_array\[(\d+)\]", source("esp32/mphalport.c"))
    assert found is not None and board.console.receive == int(found[1])
    if board.console.kind == "usb":  # native: MicroPython is the device
        assert board.usb == ("303a:4001",)
        assert "0x303A" in source("esp32/mpconfigport.h")
        assert "(0x4000 | _PID_MAP(CDC, 0)" in source("esp32/mpconfigport.h")
    elif board.console.kind == "usb-serial-jtag":
        pid = CHIP_DEFS[board.flashing.esptool_chip].USB_JTAG_SERIAL_PID
        assert board.usb == (f"303a:{pid:04x}",)


def test_uart_pins_of_a_classic_esp32_that_the_port_would_take():
    """UART1's are among those of the flash, so ours are others; UART2's are its own."""
    text = source("esp32/machine_uart.c")
    taken = {}
    for number_ in (1, 2):
        pattern = rf"case UART_NUM_{number_}:\s+self->rx = (\d+);\s+self->tx = (\d+);"
        found = re.search(pattern, text)
        assert found is not None
        taken[number_] = int(found[1]), int(found[2])
    board = ALL["ESP32_GENERIC"]
    assert set(taken[1]) <= set(board.flash["reserved_pins"])
    by_id = {uart.id: uart for uart in board.uarts}
    assert not {by_id[1].tx, by_id[1].rx} & set(taken[1])
    assert (by_id[2].rx, by_id[2].tx) == taken[2]


def keys(facts: dict[str, object], before: str = "") -> set[str]:
    found = set()
    for key, value in facts.items():
        if isinstance(value, dict):
            found |= keys(value, f"{before}{key}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for one in value:
                found |= keys(one, f"{before}{key}.")
        else:
            found.add(before + key)
    return found


def test_every_key_has_its_source_in_the_document():
    text = (ROOT / "docs" / "boards.md").read_text()
    table = text.partition("## Where the facts are from")[2].partition("\n## ")[0]
    first = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for cell in first for name in re.findall(r"`([\w.]+)`", cell)}
    used = set()
    for path in (ROOT / "boards").glob("*/board.toml"):
        used |= keys(tomllib.loads(path.read_text()))
    assert named == used


def frozen(name: str) -> set[str]:
    """What a board's manifest freezes, read by MicroPython's own tool; without the packages of
    micropython-lib, which are upstream's choice and not in its sources."""
    spec = importlib.util.spec_from_file_location(
        "manifestfile", UPSTREAM / "tools" / "manifestfile.py"
    )
    assert spec is not None and spec.loader is not None, "make firmware"
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    port = boards.board(name).port
    folders = {
        "MPY_DIR": UPSTREAM,
        "MPY_LIB_DIR": ROOT / "build" / "micropython-lib",
        "PORT_DIR": PORTS / port,
        "BOARD_DIR": PORTS / port / "boards" / name,
    }
    manifest = tool.ManifestFile(tool.MODE_FREEZE, {k: str(v) for k, v in folders.items()})
    manifest.require = lambda *words, **named: None
    manifest.execute(str(ROOT / "boards" / name / "manifest.py"))
    return {file.target_path for file in manifest.files()}


@pytest.mark.parametrize("name", boards.boards())
def test_a_firmware_has_library_application_and_accelerator(name):
    board = boards.board(name)
    found = frozen(name)
    library = {f"wamp/{path.name}" for path in bytecode.modules(boards.library())}
    application = {f"wampapp/{path.name}" for path in bytecode.modules(boards.application())}
    assert library | application <= found
    arm = any(arch.startswith("arm") for arch in board.arches)
    assert ("wamp/_ed25519_thumb.py" in found) == arm
    assert {"asyncio/__init__.py", "asyncio/core.py"} <= found
    # A frozen main.py would come before the user's.
    assert not {"main.py", "boot.py"} & found
