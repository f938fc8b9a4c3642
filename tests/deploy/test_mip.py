"""`mip install` of the library, sources and bytecode, from a web server on this machine."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploying import FEW, check_whole, deploy
from flashboard import SIZE, FlashBoard, files

import wamp
from microwamp import boards
from microwamp.boards import bytecode, deployment
from microwamp.boards.remote import Remote
from microwamp_rig import micropython
from microwamp_rig.rp2040.flash import make_image

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "firmware" / "tools" / "package_json.py"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def install(port: str, url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", port, "resume", "mip", "install", url],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout


def test_package_json_is_up_to_date():
    subprocess.run([sys.executable, TOOL, "--check"], check=True, timeout=60)
    listed = json.loads((ROOT / "package.json").read_text())["urls"]
    assert len(listed) == len(bytecode.modules(boards.library()))


def installed_by_itself(url: str, folder: Path) -> dict[str, bytes]:
    """What MicroPython's own mip makes of a package.json, as on a board with Wi-Fi."""
    target, program = folder / "lib", folder / "install.py"
    program.write_text(f"import mip\nmip.install({url!r}, target={str(target)!r})")
    done = micropython.run(program, timeout_s=120)
    assert done.returncode == 0 and "Done" in done.stdout, done.stdout
    assert [path.name for path in target.iterdir()] == ["wamp"]
    return {path.name: path.read_bytes() for path in (target / "wamp").iterdir()}


def test_bytecode_is_installed_by_mip(tmp_path):
    """All of it by the board itself, a few modules by mpremote."""
    folder = tmp_path / "site"
    subprocess.run([sys.executable, TOOL, "--mpy", folder], check=True, timeout=60)
    ours = boards.device_files(None)
    wanted = {name: octets for name, octets in ours.items() if name.startswith("/lib/wamp/")}
    flash = tmp_path / "flash"
    with served(folder) as url:
        there = installed_by_itself(f"{url}/package.json", tmp_path)
        assert {f"/lib/wamp/{name}": octets for name, octets in there.items()} == wanted
        listed = json.loads((folder / "package.json").read_text())
        few = ("wamp/__init__.mpy", "wamp/errors.mpy", "wamp/cbor.mpy")
        listed["urls"] = [one for one in listed["urls"] if one[0] in few]
        (folder / "package.json").write_text(json.dumps(listed))
        with FlashBoard(flash) as board:
            board.wait(">>> ")
            install(board.port, f"{url}/package.json")
    assert files(flash) == {f"/lib/{name}": wanted[f"/lib/{name}"] for name in few}


def test_sources_of_the_repository_are_installed_by_mip(tmp_path):
    """As from a repository: package.json and paths beside it. A few of them; all are there."""
    listed = json.loads((ROOT / "package.json").read_text())
    for target, source in listed["urls"]:
        assert (ROOT / source).is_file() and source == f"firmware/lib/{target}"
    few = ("wamp/__init__.py", "wamp/errors.py", "wamp/cbor.py")
    listed["urls"] = [one for one in listed["urls"] if one[0] in few]
    folder = tmp_path / "site"
    (folder / "firmware/lib").mkdir(parents=True)
    (folder / "firmware/lib/wamp").symlink_to(boards.library())
    (folder / "package.json").write_text(json.dumps(listed))
    flash = tmp_path / "flash"
    with served(folder) as url, FlashBoard(flash) as board:
        board.wait(">>> ")
        install(board.port, f"{url}/package.json")
        with Remote(board.port) as remote:
            assert remote.facts().wamp == listed["version"] == wamp.__version__
            assert remote.exec("import wamp\nprint(wamp.errors.Error.__name__)") == "Error\n"
    sources = ROOT / "firmware" / "lib"
    assert files(flash) == {f"/lib/{name}": (sources / name).read_bytes() for name in few}


def test_every_source_is_installed_by_mip_on_a_device(tmp_path):
    """package.json as it stands."""
    folder = tmp_path / "site"
    (folder / "firmware/lib").mkdir(parents=True)
    (folder / "firmware/lib/wamp").symlink_to(boards.library())
    (folder / "package.json").symlink_to(ROOT / "package.json")
    with served(folder) as url:
        there = installed_by_itself(f"{url}/package.json", tmp_path)
    assert there == {path.name: path.read_bytes() for path in bytecode.modules(boards.library())}


def test_what_mip_installed_is_replaced_by_deploy(tmp_path, monkeypatch):
    """Sources would hide the bytecode."""
    flash = tmp_path / "flash"
    older = {
        "lib/wamp/__init__.py": b"__version__ = '0.0.9'",
        "lib/wamp/errors.py": (boards.library() / "errors.py").read_bytes(),
    }
    flash.write_bytes(make_image(older, SIZE))
    monkeypatch.setattr(deployment, "device_files", lambda arch: FEW)
    with FlashBoard(flash) as board:
        done = deploy(board)
    assert done.removed == 2
    check_whole(flash)
