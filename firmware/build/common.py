"""Paths, messages and processes shared by the firmware build."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"

# Set by an outer make, or by a developer for other projects; each would change our own builds.
_FOREIGN = (
    *("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "BOARD", "BOARD_DIR", "BOARD_VARIANT"),
    *("BUILD", "VARIANT", "FROZEN_MANIFEST", "USER_C_MODULES", "MPY_DIR", "MPY_LIB_DIR", "CC"),
    *("CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CROSS_COMPILE", "DEBUG", "MICROPY_MPYCROSS"),
    *("PICO_SDK_PATH", "PICO_TOOLCHAIN_PATH", "PICO_GCC_TRIPLE", "PICO_BOARD"),
)


class BuildError(Exception):
    """A sentence for the person at the keyboard: what is wrong, and what to do about it."""


def fail(message: str) -> NoReturn:
    raise BuildError(message)


def say(message: str) -> None:
    print("firmware:", message, flush=True)


def run(
    command: Sequence[str | Path],
    *,
    log: Path | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run `command` and return what it printed; BuildError with the last lines if it failed.

    log: file that also gets the output (appended).
    env: variables on top of the environment, from which an outer make's are removed.
    """
    full = {k: v for k, v in os.environ.items() if k not in _FOREIGN}
    full.update(env or {})
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=full,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as e:
        fail(f"{words[0]} could not be started: {e.strerror}")
    if log is not None:
        with log.open("a") as f:
            f.write("$ " + " ".join(words) + "\n" + done.stdout)
    if done.returncode:
        tail = "\n".join("    " + line[:300] for line in done.stdout.splitlines()[-25:])
        where = f" (everything: {log})" if log else ""
        fail(f"`{' '.join(words[:4])} ...` failed with {done.returncode}{where}:\n{tail}")
    return done.stdout


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is done, and afterwards how long it took if that was noticeable."""
    say(what)
    start = time.monotonic()
    yield
    if time.monotonic() - start > 2:
        say(f"  ... {time.monotonic() - start:.0f} s")


@contextmanager
def lock() -> Iterator[None]:
    """One build at a time in this folder: two would overwrite each other's objects."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / ".firmware-lock").open("w") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another firmware build is running in this folder; waiting for it")
            fcntl.flock(f, fcntl.LOCK_EX)
        yield


def same(stamp: Path, text: str) -> bool:
    """Whether `stamp` holds exactly `text`."""
    try:
        return stamp.read_text() == text
    except OSError:
        return False


def os_release() -> dict[str, str]:
    """The fields of os-release(5); empty on systems without that file."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
    return {key: value.strip("\"'") for key, value in pairs}


def is_debian() -> bool:
    return sys.platform == "linux" and os_release().get("ID") == "debian"
