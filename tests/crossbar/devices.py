"""Device programs and their ways to crossbar.io, for the tests of this folder."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import wamp
from microwamp_rig import crossbar as xb
from microwamp_rig import micropython
from microwamp_rig.program import Program
from microwamp_rig.pty import Pty

PROGRAM = Path(__file__).parents[1] / "programs" / "device.py"

#: Crossbar answers in milliseconds, and now and then it is busy.
LIMIT_S = 60

# name: arguments of `login` in the program, authid and role that come of it
LOGINS: dict[str, tuple[list[str], str | None, str]] = {
    "anonymous": (["anonymous"], None, "anonymous"),
    "ticket": (["ticket", xb.TICKET_AUTHID, xb.TICKET], xb.TICKET_AUTHID, "user"),
    "wampcra": (["wampcra", xb.CRA_AUTHID, xb.CRA_SECRET], xb.CRA_AUTHID, "user"),
    "salted": (
        ["wampcra", xb.CRA_SALTED_AUTHID, xb.CRA_SALTED_SECRET],
        xb.CRA_SALTED_AUTHID,
        "user",
    ),
    "cryptosign": (
        ["cryptosign", xb.CRYPTOSIGN_SEED.hex(), xb.CRYPTOSIGN_AUTHID],
        xb.CRYPTOSIGN_AUTHID,
        "user",
    ),
    "restricted": (
        ["ticket", xb.RESTRICTED_AUTHID, xb.RESTRICTED_TICKET],
        xb.RESTRICTED_AUTHID,
        "restricted",
    ),
}

# How a device gets to the node: CPython and MicroPython over TCP, MicroPython over a serial line.
TRANSPORTS = ("tcp-cpython", "tcp-unix", "serial-unix")


def interpreter(transport: str) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of what runs the program."""
    if transport.endswith("unix"):
        return micropython.command("unix"), micropython.environment()
    return [sys.executable], dict(os.environ)


@contextmanager
def running(
    transport: str, url: str, settings: dict[str, Any], pty: Pty | None = None
) -> Iterator[Program]:
    """The device program under the interpreter that the transport names."""
    command, environment = interpreter(transport)
    environment |= {"MICROWAMP_URL": url, "TEST_DEVICE": json.dumps(settings)}
    with Program(
        [*command, PROGRAM], env=environment, pass_fds=[] if pty is None else [pty.fd]
    ) as program:
        yield program


@dataclass
class Lines:
    """Serial lines to one bridge; each serves one device after another."""

    bridge: Program
    ptys: list[Pty] = field(default_factory=list)

    def take(self) -> Pty:
        """The next line that nobody uses."""
        pty = self.ptys.pop()
        pty.discard()
        return pty

    @contextmanager
    def line(self) -> Iterator[Pty]:
        pty = self.take()
        try:
            yield pty
        finally:
            self.ptys.append(pty)


@contextmanager
def bridged(url: str, count: int, *words: str) -> Iterator[Lines]:
    """`microwamp bridge` with that many lines."""
    with ExitStack() as stack:
        ptys = [Pty() for _ in range(count)]
        for pty in ptys:
            stack.callback(pty.close)
        bridge = stack.enter_context(
            Program(
                [
                    *(sys.executable, "-m", "microwamp", "bridge", *(pty.path for pty in ptys)),
                    *("--router", url, "--baud", "921600", "--json", *words),
                ]
            )
        )
        for pty in ptys:
            bridge.event("port", state="open", port=pty.path)
        yield Lines(bridge, list(ptys))
        status = bridge.stop()
        assert status == 0, bridge.lines
        printed = "\n".join(bridge.lines)
        for secret in (xb.TICKET, xb.CRA_SECRET, xb.CRYPTOSIGN_SEED.hex()):
            assert secret not in printed, "the bridge logs what passes"


def url_of(node: xb.CrossbarNode, login: str) -> str:
    """Where a device on TCP logs in like that."""
    return node.url if login == "anonymous" else node.auth_url


@dataclass
class Device:
    """A device that has joined."""

    transport: str
    login: str
    prefix: str
    program: Program

    async def ask(self, host: wamp.Client, what: str, *args: Any) -> Any:
        """Call one of its procedures."""
        return await host.call(f"{self.prefix}.{what}", *args, timeout_ms=int(LIMIT_S * 1000))


@contextmanager
def joined(
    node: xb.CrossbarNode, lines: Lines, transport: str, login: str, **options: Any
) -> Iterator[Device]:
    """A device of one row of the matrix, from its join to its end."""
    prefix = f"com.test.{transport}.{login}".replace("-", "_")
    settings = {"login": LOGINS[login][0], "prefix": prefix, "options": options}
    with ExitStack() as stack:
        pty = None
        url = url_of(node, login)
        if transport.startswith("serial"):
            pty = stack.enter_context(lines.line())
            url = f"serial:fd/{pty.fd}"
        program = stack.enter_context(running(transport, url, settings, pty))
        program.expect("^ready$", LIMIT_S)
        yield Device(transport, login, prefix, program)
