"""The control socket: a Unix socket of mode 0600 that speaks JSON, one object a line.

| request | answers |
|---|---|
| {"do": "status"} | {"status": [one object a device], "bridge": {...}} |
| {"do": "watch", "every_ms": 1000} | the same again and again, and every event of the log |
| {"do": "trace", "device": NAME} | {"tracing": NAME}, then one object a frame |
| {"do": "type", "device": NAME, "text": TEXT} | {"typed": NAME} |

What cannot be done is answered with {"error": TEXT}. Whoever does not read loses records, and is
told how many; the bridge does not wait for him.
"""

import asyncio
import base64
import contextlib
import json
import os
import socket
import stat
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import cbor2

from wamp import messages, rawsocket
from wamp.errors import ConfigurationError, TransportError

from .device import Device
from .splice import peek

if TYPE_CHECKING:
    from .manager import Bridge

REQUEST_MAX: Final = 8192
CLIENTS_MAX: Final = 16
# Octets that wait for a client before it loses records.
BACKLOG_MAX: Final = 1 << 20
EVERY_MS: Final = (100, 3_600_000)

_KINDS: Final = {rawsocket.MESSAGE: "message", rawsocket.PING: "ping", rawsocket.PONG: "pong"}


class Control:
    """Serves the control socket at `path`; does nothing where that is ""."""

    def __init__(self, bridge: "Bridge", path: str) -> None:
        self._bridge = bridge
        self.path = path
        self._server: asyncio.Server | None = None
        self._clients: set[_Client] = set()
        self._inode = (0, 0)
        self.began = time.time()

    async def open(self) -> None:
        """Listen. Raises TransportError."""
        if not self.path:
            return
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _clear(self.path)
            before = os.umask(0o177)
            try:
                listener.bind(self.path)
            finally:
                os.umask(before)
            status = os.stat(self.path)
            self._inode = status.st_dev, status.st_ino
            self._server = await asyncio.start_unix_server(
                self._serve, sock=listener, limit=REQUEST_MAX
            )
        except OSError as e:
            listener.close()
            raise TransportError(f"control socket {self.path}: {e.strerror or e}") from e

    async def close(self) -> None:
        """End all clients, and take the socket away if it is still ours."""
        if self._server is None:
            return
        self._server.close()
        for client in tuple(self._clients):
            client.close()
        with contextlib.suppress(OSError):
            status = os.stat(self.path)
            if (status.st_dev, status.st_ino) == self._inode:
                os.unlink(self.path)
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Client(self, self._bridge, writer)
        if len(self._clients) >= CLIENTS_MAX:
            client.send({"error": f"{CLIENTS_MAX} clients are connected already"})
            writer.close()
            return
        self._clients.add(client)
        try:
            while line := await reader.readline():
                client.request(line)
        except (OSError, ValueError):
            # Gone, or a line without end.
            client.send({"error": f"a request has {REQUEST_MAX} octets at most"})
        except asyncio.CancelledError:
            return  # the loop ends
        finally:
            client.close()
            self._clients.discard(client)


class _Client:
    def __init__(self, control: Control, bridge: "Bridge", writer: asyncio.StreamWriter) -> None:
        self._control = control
        self._bridge = bridge
        self._writer = writer
        self._lost = 0
        self._watching: asyncio.Task[None] | None = None
        self._traced: list[_Trace] = []

    def send(self, what: Mapping[str, Any]) -> None:
        transport = self._writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > BACKLOG_MAX:
            self._lost += 1
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            self._writer.write(json.dumps({"lost": lost}).encode() + b"\n")
        self._writer.write(json.dumps(what).encode() + b"\n")

    def request(self, line: bytes) -> None:
        try:
            asked = json.loads(line)
            if type(asked) is not dict:
                raise ValueError("an object is needed")
            do = {
                "status": self._status,
                "watch": self._watch,
                "trace": self._trace,
                "type": self._type,
            }.get(str(asked.get("do")))
            if do is None:
                raise ValueError("do is status, watch, trace or type")
            do(asked)
        except (ValueError, RecursionError, OSError, ConfigurationError) as e:
            text = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
            self.send({"error": text[:300]})

    def _status(self, asked: Mapping[str, Any]) -> None:
        self.send(
            {
                "bridge": {
                    "pid": os.getpid(),
                    "began": round(self._control.began, 3),
                    "now": round(time.time(), 3),
                    "cpu_s": round(time.process_time(), 3),
                    "reloads": self._bridge.reloads,
                },
                "status": self._bridge.status(),
            }
        )

    def _watch(self, asked: Mapping[str, Any]) -> None:
        every = asked.get("every_ms", 1000)
        if type(every) is not int or not EVERY_MS[0] <= every <= EVERY_MS[1]:
            raise ValueError(f"every_ms is an integer from {EVERY_MS[0]} to {EVERY_MS[1]}")
        if self._watching is not None:
            self._watching.cancel()
        self._bridge.listeners.add(self._event)

        async def again() -> None:
            while True:
                self._status({})
                await asyncio.sleep(every / 1000)

        self._watching = asyncio.create_task(again())

    def _event(self, event: str, fields: Mapping[str, Any]) -> None:
        self.send({"time": round(time.time(), 3), "event": event, **fields})

    def _named(self, asked: Mapping[str, Any]) -> Device:
        name = str(asked.get("device"))
        device = self._bridge.device(name)
        if device is None:
            known = ", ".join(one.name for one in self._bridge.devices[:20]) or "none"
            raise ValueError(f"there is no device {name[:80]}; known: {known}")
        return device

    def _type(self, asked: Mapping[str, Any]) -> None:
        device = self._named(asked)
        device.type(str(asked.get("text", "")).encode())
        self.send({"typed": device.name})

    def _trace(self, asked: Mapping[str, Any]) -> None:
        device = self._named(asked)
        if any(one.device is device for one in self._traced):
            raise ValueError(f"{device.name} is traced here already")
        self.send({"tracing": device.name})
        self._traced.append(_Trace(device, self))

    def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        self._bridge.listeners.discard(self._event)
        for one in self._traced:
            one.end()
        self._traced.clear()
        self._writer.close()


class _Trace:
    """One client that looks at what passes for one device."""

    def __init__(self, device: Device, client: _Client) -> None:
        self.device = device
        self._client = client
        before = device.tap
        self._taps: list[_Trace] = before.taps if isinstance(before, _Fan) else []
        self._taps.append(self)
        device.trace(_Fan(self._taps))

    def end(self) -> None:
        if self in self._taps:
            self._taps.remove(self)
        if not self._taps:
            self.device.trace(None)

    def record(self, from_device: bool, kind: int, length: int, octets: bytes) -> None:
        self._client.send(
            {
                "time": round(time.time(), 6),
                "device": self.device.name,
                "from": "device" if from_device else "router",
                "kind": _KINDS.get(kind, f"0x{kind:02x}"),
                "length": length,
                "octets": base64.b64encode(octets).decode(),
            }
        )


class _Fan:
    """A tap for several that look."""

    def __init__(self, taps: list[_Trace]) -> None:
        self.taps = taps

    def __call__(self, from_device: bool, kind: int, length: int, octets: bytes) -> None:
        if kind == rawsocket.MESSAGE and peek(octets[:16])[0] == messages.AUTHENTICATE:
            # It may be a password.
            octets = cbor2.dumps([messages.AUTHENTICATE, "(not shown)", {}])
            length = len(octets)
        for one in tuple(self.taps):
            one.record(from_device, kind, length, octets)


def _clear(path: str) -> None:
    """Take away the socket of a bridge that was killed. Raises OSError where another lives, or
    where it is no socket."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise OSError(17, "it exists, and is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise OSError(98, "another bridge serves it")
