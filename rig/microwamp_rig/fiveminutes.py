"""The five minutes of the README on an emulated Pico: python -m microwamp_rig.fiveminutes

Reads the first code block of the README's section, runs its commands one after another as a user
types them, in an empty folder with an emulated Pico for the board, and prints them with what they
said: that is docs/five-minutes.md. Exit status 1, with the command and its output, if one fails.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from microwamp_rig import process

ROUTER = "rs://127.0.0.1:8080"
PORT, LINK = "/dev/ttyACM0", "./pico"
FIRMWARE = "FILE.uf2"
DRIVE = "RPI-RP2"
_SECTION = re.compile(r"^## Five minutes$.*?^```$(.*?)^```$", re.MULTILINE | re.DOTALL)
_KEY = re.compile(r"\b[0-9a-f]{64}\b")
_COMMAND_S = 900.0
# An emulated chip is some thirty times slower, and its host waits in the wall clock's time: so the
# commands get a slower clock too, and their time limits mean what they mean with a real board.
_SLOWER = 10
_SITE = f"""import time


class Slow:
    # An object: a function that somebody makes an attribute of his class would be a method.
    clock, begin = time.monotonic, time.monotonic()

    def __call__(self):
        return self.begin + (self.clock() - self.begin) / {_SLOWER}


time.monotonic = Slow()
"""
#: What a command that stays has said when the next one may be typed, and when all is over.
_READY = {"microwamp-rig": "boot loader", "router": "listening", "bridge": "ready: "}


class Failed(Exception):
    """A command did not do what the README says; the text has its output."""


@dataclass
class Step:
    """A command, with its substitutions, and what it printed."""

    command: str
    output: str


def commands(readme: Path) -> list[str]:
    """The commands of the README's first page, without their comments."""
    found = _SECTION.search(readme.read_text(encoding="utf-8"))
    if found is None:
        raise Failed(f"{readme} has no code block under '## Five minutes'")
    lines = (line.partition("  #")[0].strip() for line in found[1].splitlines())
    return [line for line in lines if line]


class _Terminal:
    """A command in bash at a terminal of its own."""

    def __init__(self, command: str, folder: Path, env: Mapping[str, str]) -> None:
        self.command = command
        self._octets = bytearray()
        self._news = threading.Condition()
        self._over = False
        self._fd, end = pty.openpty()
        self._child = process.start(
            ["/bin/bash", "-c", f"exec {command}"],
            cwd=folder,
            env=dict(env),
            stdin=end,
            stdout=end,
            stderr=end,
            # Shells start what runs in the background with SIGINT ignored; that is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(end)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                octets = os.read(self._fd, 65536)
            except OSError:  # the last program has closed the terminal
                octets = b""
            with self._news:
                self._octets += octets
                self._over = not octets
                self._news.notify_all()
            if not octets:
                return

    @property
    def text(self) -> str:
        """What stands on the terminal: of a line that was drawn again, its last state."""
        text = self._octets.decode("utf-8", "replace").replace("\r\n", "\n")
        lines = (line.rpartition("\r")[2].rstrip() for line in text.split("\n"))
        return "\n".join(lines).strip("\n")

    def wait(self, said: str) -> None:
        """Until it has printed this."""
        end = time.monotonic() + _COMMAND_S
        with self._news:
            while said not in self.text:
                if self._over or not self._news.wait(max(end - time.monotonic(), 0)):
                    raise Failed(f"$ {self.command}\n{self.text}\n(never said {said!r})")

    def end(self) -> str:
        """Wait for its end; what it printed."""
        try:
            status = self._child.wait(_COMMAND_S)
        except subprocess.TimeoutExpired:
            status = None
        self._thread.join(5)
        if status != 0:
            raise Failed(f"$ {self.command}\n{self.text}\n(exit status {status})")
        return self.text

    def stop(self) -> str:
        """SIGINT, as Ctrl-C; what it printed."""
        process.signal_group(self._child.pid, signal.SIGINT)
        return self.end()

    def close(self) -> None:
        """Whatever it does."""
        process.signal_group(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._thread.join(5)
        os.close(self._fd)


def run(
    readme: Path,
    firmware: Path,
    folder: Path,
    *,
    env: Mapping[str, str],
    tcp_port: int = 8080,
    skip: tuple[str, ...] = (),
) -> list[Step]:
    """Run all of them; raises Failed.

    folder: an empty one. tcp_port: of the router, shown as 8080. skip: commands that begin so.
    """
    site, folder = folder / "site", folder / "user"
    site.mkdir()
    folder.mkdir()
    (site / "sitecustomize.py").write_text(_SITE)
    shutil.copy(firmware, folder / "firmware.uf2")
    env = {**env, "MICROWAMP_URL": f"rs://127.0.0.1:{tcp_port}", "NO_COLOR": "1", "COLUMNS": "99"}
    slow = {**env, "PYTHONPATH": str(site)}
    steps: list[Step] = []
    staying: list[tuple[_Terminal, Step]] = []
    key = ""

    def real(command: str) -> str:
        if command.startswith("microwamp router"):
            command += f" --listen {ROUTER}"
        return command.replace(ROUTER, env["MICROWAMP_URL"])

    with ExitStack() as closing:

        def start(command: str) -> tuple[_Terminal, Step]:
            clock = env if command.startswith("microwamp-rig") else slow
            one = _Terminal(real(command.removesuffix("&").strip()), folder, clock)
            closing.callback(one.close)
            steps.append(Step(command, ""))
            return one, steps[-1]

        lines = [f"microwamp-rig pico --port {LINK} &", *commands(readme)]
        for line in lines:
            if line.startswith(skip):
                continue
            words = line.replace(PORT, LINK).replace(FIRMWARE, "firmware.uf2")
            words = words.replace("PUBLIC_KEY", key)
            if "microwamp flash" in words:
                words += f" --drive {DRIVE}"
            terminal, step = start(words)
            if words.endswith("&"):
                word = words.split()[0 if words.startswith("microwamp-rig") else 1]
                terminal.wait(_READY[word])
                staying.append((terminal, step))
            else:
                step.output = terminal.end()
                found = _KEY.search(step.output)
                key = found[0] if found else key
            if "microwamp flash" in words:
                staying[0][0].wait("console")  # the board has started anew
        for terminal, _ in staying:
            if "microwamp router" in terminal.command:
                terminal.wait("wamp.close")  # of the last call's session
        for terminal, step in staying:
            step.output = terminal.text
        # The bridge before the router, the board last.
        for terminal, _ in reversed(staying):
            terminal.stop()
    for step in steps:
        step.output = step.output.replace(env["MICROWAMP_URL"], ROUTER)
    return steps


def transcript(steps: list[Step]) -> Iterator[str]:
    """The lines of a code block."""
    yield "```"
    for step in steps:
        yield f"$ {step.command}"
        if step.output:
            yield from step.output.split("\n")
    yield "```"


def typed(text: str) -> list[str]:
    """The commands of a transcript, normalised."""
    return [line[2:] for line in normalised(text).split("\n") if line.startswith("$ ")]


def normalised(text: str) -> str:
    """Without what differs from run to run: keys, numbers, names by chance, order of arrival."""
    text = _KEY.sub("KEY", text)
    text = re.sub(r"anonymous-[0-9a-f]+", "anonymous-ID", text)
    return re.sub(r"\d[\d.,:]*", "0", text)


_INTRODUCTION = f"""# Five minutes, on an emulated Pico

The commands of the README's first page in an empty folder, with what they said. An emulated Pico
took the board's place; it was new, so a folder played the drive of its boot loader, and the
firmware was MicroPython's own. What differs from a board on a USB cable: the port is `{LINK}`
instead of `{PORT}`, and the drive is named (`--drive`). An emulated chip is some thirty times
slower than a real one, so the commands' clocks ran slower too, and their seconds are no figures:
those are in `bench/deploy`. What the commands with `&` said stands with them, whenever they said
it.

`make five-minutes` writes this file; `tests/hil/test_five_minutes.py` runs the same and compares.

"""


def document(steps: list[Step]) -> str:
    """docs/five-minutes.md."""
    return _INTRODUCTION + "\n".join(transcript(steps)) + "\n"


def main(argv: list[str] | None = None) -> int:
    """The command."""
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(prog="python -m microwamp_rig.fiveminutes")
    parser.add_argument("--firmware", type=Path, required=True, metavar="FILE")
    parser.add_argument("--readme", type=Path, default=root / "README.md", metavar="FILE")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="microwamp-") as folder:
        # `pip install` is the caller's: it has what this runs in.
        env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        try:
            steps = run(
                options.readme,
                options.firmware,
                Path(folder),
                env=env,
                skip=("pip",),
            )
        except Failed as error:
            print(error, file=sys.stderr)
            return 1
    print(document(steps), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
