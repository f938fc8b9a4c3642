"""Runs the command `microwamp` as its users do, and servers for it that misbehave."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, NamedTuple

from wamp import cbor
from wamp.rawsocket import Frames

PATIENCE_S = 60
TOTP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
# Words that every interpreter has.
PYTHON = (sys.executable, "-c")


class Outcome(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


class Credentials(NamedTuple):
    """Files with what one needs to log in to the realm `locked`, and one that does not fit."""

    key: str
    other_key: str
    ticket: str
    secret: str
    password: str
    totp: str
    router_key: str  # the public key of the router itself, in hex


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, without the settings of whoever runs the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MICROWAMP_")}
    return kept | dict(more or {})


def microwamp(
    *words: str,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    out: Any = subprocess.PIPE,
    fds: Sequence[int] = (),
) -> Outcome:
    """Run a command to its end; it must not show a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "microwamp", *words],
        input=stdin,
        stdout=out,
        stderr=subprocess.PIPE,
        env=environment(env),
        encoding="utf-8",
        errors="surrogateescape",
        pass_fds=fds,
        timeout=PATIENCE_S * 2,
    )
    return Outcome(done.returncode, done.stdout or "", tidy(done.stderr))


def tidy(err: str) -> str:
    """What a command said on stderr: no traceback, nothing that moves a cursor."""
    assert "Traceback" not in err and "internal error" not in err, err
    assert all(c == "\n" or c.isprintable() for c in err), repr(err)
    return err


class Running:
    """A command that stays; ended with `stop`, or killed at the end of the `with`."""

    def __init__(self, *words: str, env: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "microwamp", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(env),
            encoding="utf-8",
            # Shells start what runs in the background with SIGINT ignored; that is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._news = threading.Condition()
        assert self._process.stdout is not None and self._process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in (
                (self._process.stdout, self.out),
                (self._process.stderr, self.err),
            )
        ]
        for one in self._readers:
            one.start()

    def _read(self, stream: IO[str], lines: list[str]) -> None:
        with stream:
            for line in stream:
                with self._news:
                    lines.append(line.rstrip("\n"))
                    self._news.notify_all()

    def wait(self, text: str, lines: list[str] | None = None, count: int = 1) -> str:
        """Wait for a line (of stdout, if not said otherwise) that holds the text."""
        where = self.out if lines is None else lines
        found: list[str] = []

        def there() -> bool:
            found[:] = [line for line in where if text in line]
            return len(found) >= count

        with self._news:
            assert self._news.wait_for(there, PATIENCE_S), (text, self.out, self.err)
        return found[count - 1]

    def send(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> Outcome:
        """Send a signal and wait for the end."""
        self.send(number)
        return self.end()

    def end(self) -> Outcome:
        """Wait for the end."""
        status = self._process.wait(PATIENCE_S)
        for one in self._readers:
            one.join(PATIENCE_S)
        return Outcome(
            status,
            "".join(line + "\n" for line in self.out),
            tidy("".join(line + "\n" for line in self.err)),
        )

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE_S)
        for one in self._readers:
            one.join(PATIENCE_S)


class RouterProcess:
    """`microwamp router` with a configuration; `url` is where it listens."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self._running = Running("router", *words)
        self.url = self._running.wait("listening on ").removeprefix("listening on ")

    @property
    def lines(self) -> list[str]:
        """What it has printed."""
        return self._running.out

    def wait(self, text: str, count: int = 1) -> str:
        """Wait for a line of its log."""
        return self._running.wait(text, count=count)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it."""
        self._running.stop(number)

    def __enter__(self) -> RouterProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.__exit__()


@contextmanager
def serving(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A TCP server that gives each connection to `talk`; yields HOST:PORT."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def accept() -> None:
            while not ended.is_set():
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(PATIENCE_S)
                    try:
                        if not ended.is_set():
                            talk(connection)
                    except OSError:
                        pass

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        host, port = server.getsockname()
        try:
            yield f"{host}:{port}"
        finally:
            ended.set()
            socket.create_connection((host, port)).close()
            thread.join(PATIENCE_S)


def says(octets: bytes) -> Callable[[socket.socket], None]:
    """Waits for four octets, sends these, closes in peace."""

    def talk(connection: socket.socket) -> None:
        connection.recv(4)
        connection.sendall(octets)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(4096)

    return talk


def silent(connection: socket.socket) -> None:
    """Reads, and says nothing."""
    while connection.recv(4096):
        pass


def scripted(*answers: tuple[Any, ...] | list[Any] | bytes | None) -> Callable[..., None]:
    """A router that shakes hands and answers the messages in turn, then closes the connection:
    with a message, the octets of one, a tuple of several, or silence for None."""

    def talk(connection: socket.socket) -> None:
        connection.recv(4)
        connection.sendall(b"\x7f\xf3\0\0")
        frames = Frames(1 << 24)
        waiting = list(answers)
        while waiting:
            octets = connection.recv(65536)
            if not octets:
                return
            for _ in frames.receive(octets):
                answer = waiting.pop(0) if waiting else None
                several = answer if isinstance(answer, tuple) else (answer,)
                for one in several:
                    if one is not None:
                        octets = one if isinstance(one, bytes) else bytes(cbor.encode(one))
                        connection.sendall(frames.frame(octets))
        time.sleep(0.05)

    return talk


WELCOME: list[Any] = [2, 1, {"roles": {"broker": {}, "dealer": {}}}]
