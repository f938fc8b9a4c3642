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

from flashboard import FlashBoard, files

from microwamp import boards
from microwamp.boards import bytecode

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


def test_bytecode_is_installed_by_mip(tmp_path):
    folder = tmp_path / "site"
    subprocess.run([sys.executable, TOOL, "--mpy", folder], check=True, timeout=60)
    flash = tmp_path / "flash"
    with served(folder) as url, FlashBoard(flash) as board:
        board.wait(">>> ")
        install(board.port, f"{url}/package.json")
    wanted = {n: o for n, o in boards.device_files(None).items() if n.startswith("/lib/wamp/")}
    assert files(flash) == wanted


def test_sources_of_the_repository_are_installed_by_mip(tmp_path):
    flash = tmp_path / "flash"
    listed = json.loads((ROOT / "package.json").read_text())
    few = {**listed, "urls": [u for u in listed["urls"] if u[0] in ("wamp/__init__.py",)]}
    folder = tmp_path / "site"
    (folder / "firmware/lib").mkdir(parents=True)
    (folder / "firmware/lib/wamp").symlink_to(boards.library())
    (folder / "package.json").write_text(json.dumps(few))
    with served(folder) as url, FlashBoard(flash) as board:
        board.wait(">>> ")
        install(board.port, f"{url}/package.json")
    assert files(flash) == {
        "/lib/wamp/__init__.py": (boards.library() / "__init__.py").read_bytes()
    }
