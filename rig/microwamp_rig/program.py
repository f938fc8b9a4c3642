"""A program as a child process: what it prints, line by line, and its life."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from microwamp_rig import process


class ProgramError(RuntimeError):
    """The program did not do what was waited for; the text ends with what it printed last."""


class Program:
    """Runs a command, whose first element is a path, until `stop`, `kill` or its own end.

    What it prints, errors included, comes as `lines`. Further options go to `subprocess.Popen`.
    All waiting blocks and has a limit: in asyncio use `asyncio.to_thread`. It ends with this
    process at the latest.
    """

    def __init__(self, command: Sequence[str | Path], **options: Any) -> None:
        self.lines: list[str] = []
        self._next = 0  # first line that `expect` has not been over
        self._news = threading.Condition()
        self._ended = False
        self._process = process.start(
            command,
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.STDOUT,
                **options,
            },
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def expect(self, pattern: str, timeout_s: float = 60.0) -> re.Match[str]:
        """Waits for a line that matches the regular expression anywhere, among those printed
        since the last one expected; returns the match."""
        expression = re.compile(pattern)
        deadline = time.monotonic() + timeout_s
        with self._news:
            while True:
                while self._next < len(self.lines):
                    self._next += 1
                    match = expression.search(self.lines[self._next - 1])
                    if match:
                        return match
                self._wait(deadline, f"no line like {pattern!r}")

    def event(self, name: str, timeout_s: float = 60.0, **fields: object) -> dict[str, Any]:
        """For commands with --json: waits for an event with these fields, among all so far."""
        deadline = time.monotonic() + timeout_s
        at = 0
        with self._news:
            while True:
                for line in self.lines[at:]:
                    event = _object(line)
                    if event.get("event") == name and fields.items() <= event.items():
                        return event
                at = len(self.lines)
                self._wait(deadline, f"no event {name} {fields}")

    def events(self, name: str) -> list[dict[str, Any]]:
        """For commands with --json: all events of that name so far."""
        with self._news:
            found = [_object(line) for line in self.lines]
        return [event for event in found if event.get("event") == name]

    def wait(self, timeout_s: float = 60.0) -> int:
        """Waits for its end; returns the exit status, as `Popen.returncode`."""
        try:
            status = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ProgramError(self._story(f"still running after {timeout_s:g} s")) from None
        self._close()
        return status

    def terminate(self) -> None:
        """SIGTERM to the program alone; does not wait."""
        self._process.send_signal(signal.SIGTERM)

    def stop(self, timeout_s: float = 30.0) -> int:
        """SIGTERM, after `timeout_s` SIGKILL; returns the exit status."""
        status = process.stop(self._process, timeout_s)
        self._close()
        return status

    def kill(self) -> None:
        """SIGKILL. Again, or after its end, is no error."""
        if self.running:
            process.signal_group(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._close()

    def _wait(self, deadline: float, what: str) -> None:
        left = deadline - time.monotonic()
        if self._ended:
            raise ProgramError(self._story(f"ended, {what}"))
        if left <= 0 or not self._news.wait(left):
            raise ProgramError(self._story(f"{what} in time"))

    def _read(self) -> None:
        for octets in self._process.stdout or ():
            with self._news:
                self.lines.append(octets.decode("utf-8", "replace").rstrip("\r\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _close(self) -> None:
        self._reader.join(5.0)
        if self._process.stdout is not None and not self._reader.is_alive():
            self._process.stdout.close()

    def _story(self, text: str) -> str:
        printed = "".join(f"\n  {line}" for line in self.lines[-40:])
        return f"{text} (exit status {self._process.poll()}); it printed:{printed or ' nothing'}"


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def microwamp(*words: str | Path, **options: Any) -> Program:
    """The command `microwamp` with these words."""
    return Program([sys.executable, "-m", "microwamp", *words], **options)
