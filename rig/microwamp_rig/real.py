"""A real MicroPython board on this machine's serial ports, with the interface of `Rp2040Board`.

Files are put there by mpremote; everything else goes through the board's console at its REPL. What
nobody can do to a real board from here, take its power away, raises BoardError.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from microwamp_rig import micropython, process
from microwamp_rig.board import Board, BoardError, ConsoleLog
from microwamp_rig.pty import make_raw
from microwamp_rig.rp2040.repl import RawRepl

OLDEST = (1, 23)

_TRIES = 3  # Ctrl-C in the middle of a frame of the link is data, so it is typed more than once
_COPY_S = 180.0  # mpremote; the whole library, where it is not frozen in, is 200 kB
_BACK_S = 15.0  # after a reset the port goes away and comes back

_ABOUT = """
import sys
try:
    import wamp
    frozen = 1
except ImportError:
    frozen = 0
print(sys.implementation[0], sys.implementation[1][0], sys.implementation[1][1], frozen)
"""


class RealBoard(Board):
    """A board whose program is `main.py` on its file system.

    program, files, env, on_line, keep: as for `Rp2040Board`. console: path of the port of its
    console, such as /dev/ttyACM0. uart: that of an adapter at the UART of `url`, None if there is
    none. line: "console": the program speaks over the console, so that port is left to the host
    while the program runs, and `lines` stay empty. timeout_s: how long to wait for a prompt.

    What `start` puts on the board, `close` takes away again, and leaves it at its prompt.
    """

    def __init__(
        self,
        program: Path | str | None = None,
        *,
        console: str,
        uart: str | None = None,
        line: Literal["uart", "console"] = "uart",
        files: Mapping[str, bytes | str] | None = None,
        env: Mapping[str, str] | None = None,
        baud: int = 921600,
        timeout_s: float = 10.0,
        on_line: Callable[[str], None] | None = None,
        keep: int = 1000,
    ) -> None:
        self.url = f"serial:0?tx=0&rx=1&baud={baud}" if line == "uart" else "serial:"
        variables = {"MICROWAMP_URL": self.url, **(env or {})}
        self._files: dict[str, bytes | str] = {
            "lib/rig_env.py": f"_env = {variables!r}\n\n\n"
            "def getenv(name, default=None):\n    return _env.get(name, default)\n",
            **(files or {}),
        }
        if program is not None:
            text = program.read_bytes() if isinstance(program, Path) else program
            self._files["main.py"] = text
        self.console_port = console
        self._uart = uart
        self._line = line
        self._timeout_s = timeout_s
        self._log = ConsoleLog(on_line, keep)
        self._repl = RawRepl(self.send_console, self._log.story)
        self._fd = -1
        self._heard = bytearray()  # since the port was opened: says what sort of thing is there
        self._placed = False
        self.running = False
        self.starts = 0

    # -- life ------------------------------------------------------------------------------------

    async def check(self) -> None:
        """Raises BoardError unless a board that can run the library is there. Its program ends."""
        try:
            await self._prompt()
            await self._check()
        finally:
            self._close_port()

    async def start(self) -> None:
        """Puts the files there, if they are not yet, and starts the program (soft reset)."""
        if self._over is None:
            self._over = asyncio.get_running_loop().create_future()
        await self._prompt()
        if not self._placed:
            library = await self._check()
            self._close_port()
            await asyncio.to_thread(self._copy, library)
            self._placed = True
            await self._prompt()
        await self._go()

    async def _go(self) -> None:
        """From the prompt into the program."""
        await self._repl.soft_reset(self._timeout_s)
        self.running = True
        self.starts += 1
        if self._line == "console":
            self._close_port()

    async def kill(self) -> None:
        """Would be power off."""
        raise BoardError(f"{self.console_port}: the power of a real board cannot be cut from here")

    async def stop(self, timeout_s: float = 2.0) -> int:
        """Ends the program with Ctrl-C. Returns 0, or -9 if it does not listen."""
        self.running = False
        try:
            await self._prompt(timeout_s)
        except BoardError:
            return -9
        return 0

    async def reset(self) -> None:
        """As `hard_reset`."""
        await self.hard_reset()

    async def hard_reset(self, timeout_s: float | None = None) -> None:
        """Ends the program and resets the chip (`machine.reset()`); returns when the console is
        there again. What is printed before that is lost."""
        await self._prompt(timeout_s)
        self.send_console(b"\x01import machine; machine.reset()\x04")
        await asyncio.sleep(0.3)
        self._close_port()
        self.starts += 1
        if self._line == "uart":
            await self._back()

    async def soft_reset(self, timeout_s: float | None = None) -> None:
        """Ctrl-C until there is a prompt, then Ctrl-D."""
        await self._prompt(timeout_s)
        await self._go()

    async def close(self) -> None:
        """Ends the program, takes its files away and closes the port. Again is no error; nor is a
        board that does not answer any more."""
        if self._placed:
            self._placed = False
            names = [f"/{path}" for path in self._files]
            try:
                await self.exec(f"import os\nfor name in {names!r}:\n    os.remove(name)")
            except BoardError:
                pass
        self.running = False
        self._close_port()
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    # -- what happens on the board ---------------------------------------------------------------

    @property
    def port(self) -> str:
        """Path of the port at the other end of the board's UART."""
        if self._uart is None:
            raise LookupError("this board was made without a port for its UART")
        return self._uart

    async def exec(self, code: str, timeout_s: float = 60.0) -> str:
        """Ends the program with Ctrl-C, runs `code` at the prompt and returns what it printed.
        Raises BoardError with the traceback if it fails."""
        await self._prompt()
        return await self._repl.exec(code, timeout_s)

    def send_console(self, octets: bytes) -> None:
        """Types octets at the console."""
        if self._fd < 0:
            raise BoardError(f"{self.console_port}: the port is not open")
        try:
            sent = os.write(self._fd, octets)
        except OSError as error:
            raise BoardError(f"{self.console_port}: {error.strerror}") from None
        if sent < len(octets):
            raise BoardError(f"{self.console_port}: what is there does not take what is sent")

    # -- the port --------------------------------------------------------------------------------

    def _open_port(self) -> None:
        if self._fd >= 0:
            return
        path = self.console_port
        try:
            fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            hints = {
                errno.ENOENT: "there is no such port: is the board plugged in?",
                errno.EACCES: "no permission: is your user in the group dialout?",
            }
            text = hints.get(error.errno or 0, f"it cannot be opened: {error.strerror}")
            raise BoardError(f"{path}: {text}") from None
        try:
            if not os.isatty(fd):
                raise BoardError(f"{path}: it is not a serial port")
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the lock that pyserial takes
            make_raw(fd)
        except BlockingIOError:
            os.close(fd)
            raise BoardError(f"{path}: it is in use by another program") from None
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        self._heard.clear()
        asyncio.get_running_loop().add_reader(fd, self._readable)

    def _close_port(self) -> None:
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._log.end()

    def _readable(self) -> None:
        try:
            octets = os.read(self._fd, 65536)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            self._close_port()  # unplugged, or reset
            return
        self._heard += octets
        del self._heard[:-1000]
        self._repl.feed(octets)
        self._log.feed(octets)

    async def _back(self) -> None:
        """Waits for the port of a board that was reset."""
        deadline = asyncio.get_running_loop().time() + _BACK_S
        while True:
            try:
                self._open_port()
                await asyncio.sleep(0.5)  # a port that is about to vanish can still be opened
                if self._fd >= 0:
                    return
            except BoardError as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise BoardError(f"{error} ({_BACK_S:g} s after a reset)") from None
            await asyncio.sleep(0.1)

    async def _prompt(self, timeout_s: float | None = None) -> None:
        """Ctrl-C until there is a prompt, or a sentence that says what there is instead."""
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        self._open_port()
        for _ in range(_TRIES):
            try:
                await self._repl.interrupt(limit_s / _TRIES)
                self.running = False
                return
            except BoardError:
                if self._fd < 0:
                    raise BoardError(f"{self.console_port}: the port went away") from None
        path = self.console_port
        heard = self._heard.decode("utf-8", "replace").strip().rpartition("\n")[2]
        if not self._heard:
            what = "nothing answers"
        else:
            what = f"what is there does not stop for Ctrl-C; it sends {heard[-60:]!r}"
        raise BoardError(
            f"{path}: {what} within {limit_s:g} s: not a MicroPython board, or one whose program "
            "does not let itself be interrupted (reset it, or remove its main.py)"
        )

    async def _check(self) -> bool:
        """Whether the board lacks the library; BoardError if it cannot run it."""
        try:
            words = (await self._repl.exec(_ABOUT, self._timeout_s)).split()
            name, version, frozen = words[0], (int(words[1]), int(words[2])), words[3] == "1"
        except (BoardError, IndexError, ValueError):
            raise BoardError(
                f"{self.console_port}: its prompt is not MicroPython's, or an old one's"
            ) from None
        if name != "micropython" or version < OLDEST:
            raise BoardError(
                f"{self.console_port}: it runs {name} {version[0]}.{version[1]}, and microwamp "
                f"needs MicroPython {OLDEST[0]}.{OLDEST[1]} or newer: flash a newer firmware"
            )
        return not frozen

    # -- files -----------------------------------------------------------------------------------

    def _copy(self, library: bool) -> None:
        """mpremote, in a thread: all files in one go."""
        with tempfile.TemporaryDirectory(prefix="microwamp-files-") as name:
            folder = Path(name)
            for path, content in self._files.items():
                local = folder / path
                local.parent.mkdir(parents=True, exist_ok=True)
                local.write_bytes(content.encode() if isinstance(content, str) else content)
            if library:
                source = micropython.library() / "wamp"
                shutil.copytree(
                    source,
                    folder / "lib" / "wamp",
                    ignore=shutil.ignore_patterns("*.pyi", "py.typed", "_posix*", "__pycache__"),
                )
            words: list[str] = []
            for entry in sorted(folder.iterdir()):
                words += ["+"] if words else []
                words += ["fs", "cp", "-r", str(entry), ":"]
            self._mpremote(words)

    def _mpremote(self, words: list[str]) -> None:
        # resume: no soft reset first, the board is at its prompt.
        command = [sys.executable, "-m", "mpremote", "connect", self.console_port, "resume"]
        child = process.start(
            [*command, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            printed, _ = child.communicate(timeout=_COPY_S)
        except subprocess.TimeoutExpired:
            process.stop(child)
            raise BoardError(
                f"{self.console_port}: mpremote has not copied the files in {_COPY_S:g} s"
            ) from None
        if child.returncode:
            text = printed.decode("utf-8", "replace").strip() or "it said nothing"
            raise BoardError(f"{self.console_port}: mpremote failed: {text}")
