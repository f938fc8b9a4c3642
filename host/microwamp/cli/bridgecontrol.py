"""The client's end of a bridge's control socket, for monitor and trace."""

import argparse
import json
import os
import socket
from collections.abc import Iterator
from typing import Any

from wamp.errors import ConfigurationError, TransportError, TransportLost

from ..bridge.configfile import default_control

_LINE_MAX = 1 << 20


def argument(parser: argparse.ArgumentParser) -> None:
    """--control."""
    parser.add_argument(
        "--control",
        metavar="PATH",
        help="the bridge's control socket (default: /run/microwamp/bridge.sock if it is there, "
        "else microwamp-bridge.sock in $XDG_RUNTIME_DIR)",
    )


def path(options: argparse.Namespace) -> str:
    """The socket's path. Raises ConfigurationError."""
    if options.control:
        return str(options.control)
    for one in ("/run/microwamp/bridge.sock", default_control()):
        if one and os.path.exists(one):
            return one
    raise ConfigurationError(
        "no control socket of a bridge is found: --control PATH, as in the bridge's configuration"
    )


class Connection:
    """A connection to a bridge. Raises TransportError, TransportLost."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._rest = b""
        try:
            self._socket.connect(path)
        except OSError as e:
            self._socket.close()
            reasons = {
                2: "it does not exist: is the bridge running?",
                13: "no permission: it belongs to the bridge's user",
                111: "no bridge answers there",
            }
            text = reasons.get(e.errno or 0, e.strerror or str(e))
            raise TransportError(f"control socket {path}: {text}") from e

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    def ask(self, **what: Any) -> None:
        """Send a request."""
        try:
            self._socket.sendall(json.dumps(what).encode() + b"\n")
        except OSError as e:
            raise TransportLost("the bridge has ended") from e

    def answers(self) -> list[dict[str, Any]]:
        """Wait for octets, and give the objects that are complete."""
        try:
            octets = self._socket.recv(65536)
        except OSError:
            octets = b""
        if not octets:
            raise TransportLost("the bridge has ended")
        *lines, self._rest = (self._rest + octets).split(b"\n")
        if len(self._rest) > _LINE_MAX:
            raise TransportLost(f"{self.path}: it is not a bridge that answers there")
        found = []
        for line in lines:
            try:
                one = json.loads(line)
            except ValueError:
                one = None
            if type(one) is not dict:
                raise TransportLost(f"{self.path}: it is not a bridge that answers there")
            found.append(one)
        return found

    def each(self) -> Iterator[dict[str, Any]]:
        """The answers one by one, for ever."""
        while True:
            yield from self.answers()

    def close(self) -> None:
        """At once."""
        self._socket.close()


def printable(text: object) -> str:
    """Without what a terminal would act upon."""
    return "".join(c if c.isprintable() else "?" for c in str(text))
