"""Boards that need no hardware: a MicroPython program at the end of a serial line."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from microwamp_rig import micropython
from microwamp_rig.board import Board, BoardError, ConsoleLog
from microwamp_rig.process import signal_group
from microwamp_rig.pty import Pty


class UnixBoard(Board):
    """A program under MicroPython's unix port whose UART is one end of a pty.

    The program finds its end as the URL `serial:fd/N` in the environment variable MICROWAMP_URL
    (a descriptor that is open and non-blocking); the host opens `port`. What it prints, and its
    tracebacks, come line by line as `lines` and to `on_line`. It runs in the folder `root`, which
    is its file system: empty at first, kept over resets, removed by `close`.

    program: path of a script, or its source text if it is a str.
    args: its further arguments. paths: folders for its sys.path beside the device library.
    env: variables for it beside those of this process. heap: heap size, such as "234k".
    board: "unix" or "unix32" (microwamp_rig.micropython.command).
    on_line: called with each console line, without its end. keep: how many lines are kept.

    Use as `async with UnixBoard(...) as board`, or `start` and `close`.
    """

    def __init__(
        self,
        program: Path | str,
        *,
        args: Sequence[str] = (),
        paths: Sequence[str | Path] = (),
        env: Mapping[str, str] | None = None,
        heap: str = "",
        board: str = "unix",
        on_line: Callable[[str], None] | None = None,
        keep: int = 1000,
    ) -> None:
        self._command = micropython.command(board, heap)
        self._env = micropython.environment(paths, {**os.environ, **(env or {})})
        self._args = list(args)
        self._log = ConsoleLog(on_line, keep, self._status)
        self._process: asyncio.subprocess.Process | None = None
        self.starts = 0
        self._folder = Path(tempfile.mkdtemp(prefix="microwamp-board-"))
        self.root = self._folder / "root"
        self.root.mkdir()
        if isinstance(program, Path):
            self._script = program.resolve()
        else:
            self._script = self._folder / "main.py"
            self._script.write_text(program)
        self._pty = Pty()
        self.url = f"serial:fd/{self._pty.fd}"
        self.port = self._pty.path

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Process id of the interpreter; LookupError while the board is off."""
        if self._process is None or self._process.returncode is not None:
            raise LookupError("the board is off")
        return self._process.pid

    async def start(self) -> None:
        """Power on. Octets that the host sent before are lost, as in a UART that had no power."""
        if self.running:
            raise BoardError("the board runs already")
        await self._ended()
        self._pty.discard()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            str(self._script),
            *self._args,
            cwd=self.root,
            env={**self._env, "MICROWAMP_URL": self.url},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=[self._pty.fd],
            start_new_session=True,
        )
        self.starts += 1
        self._over = asyncio.create_task(self._read_console(self._process))

    async def kill(self) -> None:
        """Power off in the middle of whatever it does (SIGKILL)."""
        await self._end(signal.SIGKILL, 10.0)

    async def stop(self, timeout_s: float = 10.0) -> int:
        """Asks it to end with Ctrl-C (SIGINT, a KeyboardInterrupt in the program), kills it after
        `timeout_s`. Returns the exit status, -9 if it had to be killed."""
        return await self._end(signal.SIGINT, timeout_s)

    async def reset(self) -> None:
        """The reset button: power off and on. The port stays, its path too."""
        await self.kill()
        await self.start()

    async def wait(self, timeout_s: float = 60.0) -> int:
        """Waits until the program ends by itself; returns its exit status."""
        process = self._process
        if process is None:
            raise BoardError("the board was never started")
        try:
            async with asyncio.timeout(timeout_s):
                status = await process.wait()
        except TimeoutError:
            raise BoardError(self._log.story(f"still running after {timeout_s} s")) from None
        await self._ended()
        return status

    async def close(self) -> None:
        """Ends everything and removes the port and `root`. Again is no error."""
        await self.kill()
        self._pty.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _status(self) -> str:
        status = None if self._process is None else self._process.returncode
        return f" (exit status {status})"

    async def _end(self, number: signal.Signals, timeout_s: float) -> int:
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            signal_group(process.pid, number)
            try:
                async with asyncio.timeout(timeout_s):
                    await process.wait()
            except TimeoutError:
                pass
        # Also what the program started and left behind.
        signal_group(process.pid, signal.SIGKILL)
        status = await process.wait()
        await self._ended()
        return status

    async def _ended(self) -> None:
        """The console is read to its end."""
        over = self._over
        if over is not None:
            await asyncio.wait([over])  # unlike `await over` no cancellation reaches it
            over.result()

    async def _read_console(self, process: asyncio.subprocess.Process) -> None:
        stream = process.stdout
        assert stream is not None
        while octets := await stream.read(65536):
            self._log.feed(octets)
        self._log.end()
