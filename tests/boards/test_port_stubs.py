"""The library and the application against the type stubs of the ports they run on.

The sources carry no annotations, so most of what mypy could say about them means nothing. What is
kept is what this is about: modules, names and signatures that the port does not have.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from microwamp import boards
from microwamp.boards import bytecode

ROOT = Path(__file__).parents[2]

_ABOUT = re.compile(
    r"^(?P<file>\w+/\w+\.py):\d+: error: (?P<text>.*?) +"
    r"\[(?P<code>import-not-found|attr-defined|call-arg|call-overload|arg-type)\]$"
)
# Of the names of modules, and of calls into the port, only these: what the stubs lack or guess.
_ALLOWED = {
    # CPython's side of modules that run on both, behind a test for MicroPython.
    r'Module has no attribute "(monotonic|get_running_loop|fdopen|fstat|name|O_\w+)".*',
    r'Module has no attribute "sha512".*',  # behind hasattr: some ports have it
    r'Module "asyncio" has no attribute "core"',  # the stubs leave out asyncio's own modules
    # Of the unix port, each where only that is asked for it.
    r'Module has no attribute "AF_UNIX"',
    r'.*module named "termios"',
    # Without annotations: a tuple of unknown length, unpacked.
    r'Too many arguments for "ended"',
}


def findings(port: str, folder: Path) -> list[str]:
    stubs = ROOT / "build" / "stubs" / port
    for package in (boards.library(), boards.application()):
        (folder / package.name).mkdir(parents=True)
        for path in bytecode.modules(package):
            shutil.copy(path, folder / package.name)
    words = ["--config-file=", "--python-version", "3.11", "--platform", "micropython"]
    words += ["--custom-typeshed-dir", str(stubs), "--check-untyped-defs"]
    words += ["--no-error-summary", "--cache-dir", str(folder / "cache"), "--no-pretty"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *words, *[p.name for p in folder.iterdir()]],
        cwd=folder,
        env={"MYPYPATH": str(stubs), "PATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode in (0, 1), done.stdout
    found = []
    for line in done.stdout.splitlines():
        match = _ABOUT.match(line)
        if match is None:
            continue
        text = match["text"]
        of_port = "Module" in text or "module" in text or match["code"] == "call-arg"
        if of_port and not any(re.fullmatch(allowed, text) for allowed in _ALLOWED):
            found.append(f"{match['file']}: {text}")
    return found


@pytest.fixture(scope="module", autouse=True)
def stubs():
    subprocess.run(["make", "-s", "stubs"], cwd=ROOT, check=True, timeout=300)


@pytest.mark.parametrize("port", ["rp2", "esp32"])
def test_the_port_has_what_is_asked_of_it(port, tmp_path):
    assert findings(port, tmp_path / "packages") == []


def test_what_a_port_lacks_is_found(tmp_path, monkeypatch):
    package = tmp_path / "wampapp"
    package.mkdir()
    (package / "wrong.py").write_text(
        "import machine, nosuch\n\ndef f():\n    machine.WDT(timeout_s=1)\n    machine.sleepy()\n"
    )
    monkeypatch.setattr(boards, "application", lambda: package)
    found = "\n".join(findings("rp2", tmp_path / "packages"))
    assert "nosuch" in found and "timeout_s" in found and "sleepy" in found
