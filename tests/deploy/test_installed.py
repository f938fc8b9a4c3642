"""The commands of an installed wheel, in an empty folder: what users have.

The wheel is built and installed into a venv of its own; its dependencies are those of the tests.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flashboard import FlashBoard, files

from microwamp.cli import COMMANDS
from microwamp.router import Principal, RealmConfig, Router, RouterConfig
from microwamp_rig import fiveminutes
from microwamp_rig.process import free_ports

ROOT = Path(__file__).parents[2]
FIRMWARE = ROOT / "build" / "RPI_PICO" / "firmware.uf2"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables under which `microwamp` is the wheel's."""
    folder = tmp_path_factory.mktemp("wheel")

    def run(*words: str | Path) -> None:
        subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=120)

    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    (wheel,) = folder.glob("microwamp-*.whl")
    home = folder / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--no-deps")
    run(*pip, "--quiet", "--disable-pip-version-check", wheel)
    (site,) = home.glob("lib/python3*/site-packages")
    # A path alone: the .pth files of that folder, which have our sources, are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    found = {k: v for k, v in os.environ.items() if not k.startswith(("MICROWAMP", "PYTHON"))}
    return {**found, "PATH": f"{home / 'bin'}:/usr/bin:/bin"}


Microwamp = Callable[..., str]


@pytest.fixture
def microwamp(environment: dict[str, str], tmp_path: Path) -> Microwamp:
    """Runs the command in an empty folder; what it said, of an error what stderr has."""
    folder = tmp_path / "empty"
    folder.mkdir()

    def run(*words: str, status: int = 0) -> str:
        done = subprocess.run(
            ["microwamp", *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert list(folder.iterdir()) == []
        return done.stderr if status else done.stdout

    return run


def test_the_packages_are_the_wheels(environment):
    program = "import microwamp.boards as b, microwamp as m; print(m.__file__, b.source_tree())"
    done = subprocess.run(
        ["python", "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    where, tree = done.stdout.split()
    assert where.startswith(environment["PATH"].partition("/bin:")[0]) and tree == "None"


def test_every_command_says_how_it_is_used(microwamp):
    assert microwamp("--version").startswith("microwamp ")
    for name in COMMANDS:
        text = microwamp(name, "--help")
        assert text.startswith(f"usage: microwamp {name}"), name
        assert "exit status:" in text


@pytest.mark.parametrize("name", ["ports", "flash", "deploy", "provision"])
def test_commands_for_boards_speak_json_and_can_be_tried_first(microwamp, name):
    text = microwamp(name, "--help")
    assert "--json" in text
    assert ("--dry-run" in text) == (name != "ports")


def test_ports_and_flash(microwamp, tmp_path):
    def say(*words: str) -> Any:
        return json.loads(microwamp(*words, "--json"))

    assert isinstance(say("ports")["ports"], list)
    drive = tmp_path / "drive"
    drive.mkdir()
    (drive / "INFO_UF2.TXT").write_text("Board-ID: RPI-RP2\n")
    words = ("flash", "RPI_PICO", "--firmware", str(FIRMWARE), "--drive", str(drive))
    assert say(*words, "--dry-run")["how"] == f"the drive {drive}"
    assert [path.name for path in drive.iterdir()] == ["INFO_UF2.TXT"]


def test_firmware_has_to_be_named_there(microwamp):
    said = microwamp("flash", "RPI_PICO", status=2)
    assert "no firmware for RPI_PICO: give --firmware FILE.uf2" in said


@pytest.mark.timeout(280)
def test_the_five_minutes_on_an_emulated_pico(environment, tmp_path):
    """The README's commands; with our own firmware, which has the library: it takes 20 s of CPU.
    With MicroPython's own they run in tests/hil."""
    steps = fiveminutes.run(
        ROOT / "README.md",
        FIRMWARE,
        tmp_path,
        env=environment,
        tcp_port=free_ports(1)[0],
        skip=("pip",),
    )
    shown = (ROOT / "docs" / "five-minutes.md").read_text()
    assert fiveminutes.typed(fiveminutes.document(steps)) == fiveminutes.typed(shown)
    said = {step.command.partition(" -")[0]: step.output for step in steps}
    assert "2 files written" in said["microwamp deploy ./pico"]
    assert "joined    devices pico by cryptosign" in said["microwamp router"]
    assert steps[-1].command == "microwamp call com.example.led true"
    assert steps[-1].output == "true"


@pytest.mark.timeout(180)
async def test_from_an_empty_board_to_a_call(microwamp: Microwamp, tmp_path: Path) -> None:
    """MicroPython without any of our files, every step by its command."""

    async def say(*words: str) -> Any:
        return json.loads(await asyncio.to_thread(microwamp, *words, "--json"))

    realm = RealmConfig("devices", anonymous="user")
    config = RouterConfig((realm,), listen=("rs://127.0.0.1:0",))
    async with Router(config, lambda *report: None) as router:
        url = router.urls[0]
    flash = tmp_path / "flash"
    with FlashBoard(flash) as board:
        planned = await say("deploy", board.port, "--dry-run")
        assert planned["write"].keys() >= {"/lib/wamp/client.mpy", "/main.py", "/wamp.json"}
        refused = await asyncio.to_thread(microwamp, "provision", board.port, status=2)
        assert f"the library is not on the board yet: `microwamp deploy {board.port}`" in refused
        assert files(flash) == {}, "a dry run writes nothing"
        first = await say("deploy", board.port, "--url", url, "--heartbeat", "0")
        assert first["written"] == len(planned["write"]) and first["kept"] == 0
        await asyncio.to_thread(board.wait, "there is no key file /device.key")
        assert await say("provision", board.port, "--dry-run") == {"dry_run": True, "there": False}
        assert "/device.key" not in files(flash)
        made = await say("provision", board.port, "--name", "pico")
        key = files(flash)["/device.key"].decode()
        private = next(line.split()[1] for line in key.splitlines() if "private" in line)
        assert made["public_key"] in key and private not in json.dumps(made)
        principal = Principal("pico", "device", public_keys=(made["public_key"],))
        realm = RealmConfig("devices", anonymous="user", principals=(principal,))
        async with Router(RouterConfig((realm,), listen=(url,)), lambda *report: None):
            await asyncio.to_thread(board.wait, "ready: com.example.info, ping, led, memory")
            assert await say("call", "--url", url, "com.example.led", "true") == {
                "args": [True],
                "kwargs": {},
            }
        second = await say("deploy", board.port)
        assert second["written"] == second["octets"] == 0
        assert second["sent"] < first["sent"] / 20
        text = board.text
    assert private not in text, "the private key was printed"
