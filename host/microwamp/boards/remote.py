"""A MicroPython board at its prompt, through mpremote's transport.

What goes wrong is an error of `wamp.errors` in one sentence: a port that is not there or in use,
something on it that is no board, a board that goes away in the middle.
"""

from __future__ import annotations

import argparse
import ast
import base64
import contextlib
import io
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from wamp.errors import ConfigurationError, RemoteProtocolError, TransportError
from wamp.transport import explain

from .finding import refusal

OLDEST = (1, 23)
_CHUNK = 1024  # octets of a file in one command; the board decodes it in RAM
_PROMPT_S = 3.0  # then Ctrl-C is typed again: in the middle of a frame of the link it is data
WAIT_S = 12.0
_QUIET_S = 0.3
_BANNER = b"raw REPL; CTRL-B to exit\r\n"
_ANSWER_S = 10.0  # for the first octet of what answers a command
_COMMAND_S = 60.0  # a flash write of a board takes 0.4 s; an emulated board is slow
_SILENT_S = 1.0  # a program that prints nothing has started by then
_BACK_S = 20.0  # after a reset the port goes away and comes back

# Numbers of `sys.implementation._mpy >> 10`, for the processors we compile for.
_ARCHES = {4: "armv6m", 7: "armv7emsp", 10: "xtensawin", 11: "rv32imc"}

# Helpers on the board. Their names are short because each is typed for every chunk.
# _m moves a file. Where letters of either case name it, the file system is FAT: renaming there is
# removing and renaming, and a power cut within the second leaves two names of the same blocks. So
# it is copied; a power cut leaves the copy cut off, and what it is made of whole.
_HELPERS = """
import os, binascii, hashlib
def _h(p):
    h = hashlib.sha256()
    b = bytearray(512)
    with open(p, "rb") as f:
        while True:
            n = f.readinto(b)
            if not n:
                return binascii.hexlify(h.digest()).decode()
            h.update(memoryview(b)[:n])
def _o(p):
    global _f
    d = ""
    for part in p.split("/")[1:-1]:
        d += "/" + part
        try:
            os.mkdir(d)
        except OSError:
            pass
    _f = open(p + ".new", "wb")
def _w(s):
    _f.write(binascii.a2b_base64(s))
def _e(p, h):
    _f.close()
    if _h(p + ".new") != h:
        raise OSError("written wrong")
    _m(p + ".new", p)
def _m(a, b):
    try:
        os.stat(a.upper())
    except OSError:
        os.rename(a, b)
        return
    with open(a, "rb") as f:
        with open(b, "wb") as g:
            while True:
                d = f.read(512)
                if not d:
                    break
                g.write(d)
    if _h(a) != _h(b):
        raise OSError("written wrong")
    os.remove(a)
def _r(p):
    try:
        os.remove(p)
    except OSError:
        pass
"""

_FACTS = """
import sys, os
def _facts():
    i = sys.implementation
    v = w = None
    try:
        import wamp
        v = wamp.__version__
        w = getattr(wamp, "__file__", "")
    except Exception:
        pass
    s = os.statvfs("/")
    m = []
    for p in ("/main.py", "/boot.py", "/safe_mode", "/main.py.parked", "/wamp", "/wampapp"):
        try:
            os.stat(p)
            m.append(p)
        except OSError:
            pass
    print((i[0], i[1][:3], i[2] if len(i) > 2 else "", getattr(i, "_mpy", 0), v, w,
        s[0], s[3], m))
_facts()
"""


class Facts:
    """What a board is: its interpreter, what it has of the library, its file system."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        name, version, self.machine, mpy, self.wamp, where, self.block, self.free, found = values
        self.name: str = name
        self.version: tuple[int, ...] = tuple(version)
        self.mpy_version: int = mpy & 0xFF
        self.arch: str | None = _ARCHES.get(mpy >> 10)
        #: The library is part of the firmware: what is copied to /lib would never be loaded.
        self.frozen = self.wamp is not None and not str(where).startswith("/")
        self.found: frozenset[str] = frozenset(found)


class Remote:
    """A board on a port; a context manager that leaves the board at its usual prompt.

    wait_s: how long a program that runs there may take to let itself be interrupted.
    """

    def __init__(self, port: str, baud: int = 115200, wait_s: float = WAIT_S) -> None:
        self.port = port
        self._wait_s = wait_s
        self.octets = 0  # typed to the board
        self._baud = baud
        self._transport: Any = None
        self._helped = False

    def __enter__(self) -> Remote:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the line ---------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the port and get the prompt; what runs there is interrupted.

        Raises TransportError, or ConfigurationError where something else than a board answers.
        """
        try:
            from mpremote.transport import TransportError as Failure
            from mpremote.transport_serial import SerialTransport
        except ImportError:
            raise ConfigurationError(
                "mpremote is missing: pip install 'microwamp[deploy]'"
            ) from None
        check_port(self.port)
        self._helped = False  # after a reset nothing of it is left
        heard = ""
        asked = False
        end = time.monotonic() + self._wait_s
        while True:
            if self._transport is None:
                check_port(self.port)
                try:
                    with self._errors("cannot be opened"):
                        self._transport = SerialTransport(
                            self.port, baudrate=self._baud, timeout=_ANSWER_S
                        )
                        self._count()
                except Failure:
                    # mpremote keeps the reason to itself.
                    reason = refusal(self.port) if "://" not in self.port else ""
                    raise TransportError(
                        f"port {self.port}: {reason or 'it cannot be opened'}"
                    ) from None
            with self._errors("went away"):
                said = self._interrupt(min(end, time.monotonic() + _PROMPT_S))
                if said is None:
                    # What answers an earlier Ctrl-A may still be on its way.
                    again = time.monotonic() + _PROMPT_S
                    if not asked or self._interrupt(again, _QUIET_S) is None:
                        return
                elif said:
                    heard = _text(said)
            asked = True
            if time.monotonic() >= end:
                break
        self._drop()
        if heard:
            raise ConfigurationError(
                f"port {self.port}: no MicroPython prompt; the last it said was {heard!r}. Is it a"
                " board with MicroPython, and its program one that lets itself be interrupted? (If"
                " not, --wait longer, or erase its flash.)"
            )
        raise ConfigurationError(
            f"port {self.port}: nothing answers. Is it a board with MicroPython (`microwamp flash`"
            " puts it there)? Is it the port of its console? Does its program switch Ctrl-C off?"
        )

    def _interrupt(self, end: float, quiet_s: float = 0.0) -> str | None:
        """Ctrl-C, Ctrl-A: None if the raw prompt comes, else what came instead.

        mpremote's own way waits for ever where something talks without a pause.
        """
        port = self._transport.serial
        port.timeout = quiet_s or 0.05
        port.write(b"\r\x03")
        before = b""
        while time.monotonic() < end:
            octets = port.read(4096)
            before = (before + octets)[-400:]
            if not octets:
                break
        port.timeout = 0.05
        port.write(b"\r\x01")
        seen = bytearray()
        while not seen.endswith(_BANNER):
            octet = port.read(1)
            seen += octet
            del seen[:-400]
            if time.monotonic() > end:
                return (before + seen).decode("utf-8", "replace")
        port.timeout = _ANSWER_S
        self._transport.in_raw_repl = True
        return None

    def close(self) -> None:
        """Give the prompt back and close the port."""
        if self._transport is not None:
            with contextlib.suppress(OSError):
                self._transport.exit_raw_repl()
            self._drop()

    def exec(self, code: str, timeout_s: float | None = None) -> str:
        """What a piece of code prints, in `timeout_s` (60) at most. Raises RemoteProtocolError
        with the board's own words."""
        from mpremote.transport import TransportError as Failure

        if self._transport is None:
            raise TransportError(f"port {self.port}: the board is gone")
        try:
            with contextlib.redirect_stdout(io.StringIO()), self._errors("went away"):
                out, failed = self._transport.exec_raw(code, timeout=timeout_s or _COMMAND_S)
        except Failure as e:
            self._drop()
            raise TransportError(
                f"port {self.port}: the board stopped answering: was the cable pulled, or did a"
                " watchdog reset it?"
            ) from e
        if failed:
            last = _text(failed.decode("utf-8", "replace").strip().rpartition("\n")[2])
            raise RemoteProtocolError(f"port {self.port}: the board says: {last}")
        return str(out.decode("utf-8", "replace")).replace("\r\n", "\n")

    def reset(self) -> None:
        """Reset the board as its button does, and close the port."""
        from mpremote.transport import TransportError as Failure

        if self._transport is None:
            return
        quiet = contextlib.redirect_stdout(io.StringIO())
        with contextlib.suppress(OSError, Failure), quiet:
            self._transport.exec_raw_no_follow("import machine; machine.reset()")
            # Who opens the port too early would interrupt the reset: the next word is the start's,
            # or the port goes away.
            self._transport.serial.timeout = _SILENT_S
            self._transport.serial.read(1)
        self._drop()

    def reopen(self, limit_s: float | None = None) -> None:
        """After a reset: wait for the port, at most `limit_s` (20 s), and get the prompt."""
        end = time.monotonic() + (_BACK_S if limit_s is None else limit_s)
        while True:
            try:
                self.open()
                return
            except (TransportError, ConfigurationError):
                self._drop()
                if time.monotonic() > end:
                    raise
                time.sleep(0.3)

    def _count(self) -> None:
        """Count what is typed; and do not wait for a board that takes nothing."""
        port = self._transport.serial
        port.write_timeout = 10
        write = port.write

        def counted(octets: bytes) -> Any:
            self.octets += len(octets)
            return write(octets)

        port.write = counted

    def _drop(self) -> None:
        if self._transport is not None:
            with contextlib.suppress(OSError):
                self._transport.close()
            self._transport = None

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as e:  # pyserial's exceptions are OSErrors
            self._drop()
            reason = explain(e)
            if "exclusively lock" in str(e):
                reason = "it is in use by another program: stop the bridge, or whatever has it"
            raise TransportError(f"port {self.port} {what}: {reason}") from e

    # -- the board --------------------------------------------------------------------------------

    def facts(self) -> Facts:
        """What is there. Raises ConfigurationError where it cannot run the library."""
        try:
            facts = Facts(ast.literal_eval(self.exec(_FACTS)))
        except (ValueError, TypeError, SyntaxError, RecursionError, RemoteProtocolError) as e:
            raise ConfigurationError(
                f"port {self.port}: this is no MicroPython that we know: {_text(str(e))}"
            ) from e
        if facts.name != "micropython":
            raise ConfigurationError(
                f"port {self.port}: the board runs {facts.name}, and this needs MicroPython"
            )
        if facts.version < OLDEST:
            shown = ".".join(map(str, facts.version))
            raise ConfigurationError(
                f"port {self.port}: the board runs MicroPython {shown}, and 1.23 or newer is"
                " needed: `microwamp flash BOARD` brings it"
            )
        if facts.mpy_version != 6:
            raise ConfigurationError(
                f"port {self.port}: the board loads bytecode of version {facts.mpy_version}, and"
                " ours is version 6: another MicroPython is needed there"
            )
        return facts

    def helpers(self) -> None:
        """Define what `hashes` and `write` use, and _m(a, b), which moves a file; once a reset."""
        if not self._helped:
            self.exec(_HELPERS)
            self._helped = True

    def hashes(self, folders: list[str], files: list[str]) -> dict[str, str]:
        """SHA-256, in hex, of the files below folders and of single files, where they are."""
        code = (
            "def _l(p):\n"
            "    try:\n"
            "        for n in os.ilistdir(p):\n"
            "            q = p + '/' + n[0]\n"
            "            if n[1] == 0x4000:\n"
            "                _l(q)\n"
            "            else:\n"
            "                print(_h(q), q)\n"
            "    except OSError:\n"
            "        pass\n"
            f"for p in {folders!r}:\n"
            "    _l(p)\n"
            f"for p in {files!r}:\n"
            "    try:\n"
            "        print(_h(p), p)\n"
            "    except OSError:\n"
            "        pass\n"
        )
        found = {}
        for line in self.exec(code).splitlines():
            digest, _, path = line.partition(" ")
            found[path] = digest
        return found

    def write(
        self, path: str, octets: bytes, digest: str, progress: Callable[[int], None]
    ) -> None:
        """Write a file whole or not at all: to PATH.new, verified there, then moved. (On FAT a
        power cut may leave half of it, and PATH.new whole.)"""
        try:
            # One command a part: each costs its turns of the line, and of mpremote's 10 ms.
            starts = range(0, len(octets), _CHUNK) or range(1)
            for start in starts:
                part = octets[start : start + _CHUNK]
                code = f"_w({base64.b64encode(part)!r})"
                if start == starts[0]:
                    code = f"_o({path!r})\n{code}"
                if start == starts[-1]:
                    code = f"{code}\n_e({path!r}, {digest!r})"
                self.exec(code)
                progress(len(part))
        except RemoteProtocolError as e:
            if re.search(r"ENOSPC|Errno 28|OSError: 28\b", str(e)):
                raise TransportError(
                    f"port {self.port}: the board's flash is full: remove files of your own"
                    " (`mpremote ls`), the rest is as it was"
                ) from e
            raise TransportError(f"port {self.port}: {path} could not be written: {e}") from e

    def exists(self, path: str) -> bool:
        """Whether there is a file; its octets stay where they are."""
        code = f"import os\ntry:\n    os.stat({path!r})\n    print(1)\n"
        code += "except OSError:\n    print(0)\n"
        return self.exec(code).strip() == "1"

    def read(self, path: str) -> bytes | None:
        """A small file, None if it is not there."""
        code = (
            "import binascii\n"
            f"try:\n    with open({path!r}, 'rb') as f:\n"
            "        print(binascii.hexlify(f.read(8192)).decode())\n"
            "except OSError:\n    print('-')\n"
        )
        text = self.exec(code).strip()
        try:
            return None if text == "-" else bytes.fromhex(text)
        except ValueError:
            raise RemoteProtocolError(
                f"port {self.port}: instead of {path} came {_text(text)!r}: does something on the"
                " board print all the time?"
            ) from None


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of all commands that talk to a board."""
    parser.add_argument("port", metavar="PORT", help="the board's console (see microwamp ports)")
    parser.add_argument("--baud", type=int, default=115200, help="of the console (default 115200)")
    parser.add_argument(
        "--wait",
        type=float,
        default=WAIT_S,
        metavar="SECONDS",
        help=f"for a program on the board to let itself be interrupted (default {WAIT_S:.0f})",
    )


def check_port(port: str) -> None:
    """A first look, so that a wrong name ends at once with its cause."""
    if "://" in port:
        return
    path = Path(port)
    if path.exists() and not (path.is_char_device() and _is_terminal(path)):
        raise ConfigurationError(f"port {port}: it is not a serial port")
    reason = refusal(port)
    if reason:
        raise TransportError(f"port {port}: {reason}")


def _is_terminal(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return True  # whoever opens it will be told
    try:
        return os.isatty(fd)
    finally:
        os.close(fd)


def _text(raw: str) -> str:
    """One short printable line of what a board said."""
    line = " ".join(raw.split())
    return "".join(c if c.isprintable() else "?" for c in line)[-160:]
