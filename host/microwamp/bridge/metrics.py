"""What Prometheus asks for, over a little HTTP on loopback."""

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

from wamp.errors import TransportError
from wamp.transport import explain

from .config import loopback

if TYPE_CHECKING:
    from .manager import Bridge

_HEAD_MAX: Final = 8192
_HEAD_S: Final = 5.0
_CLIENTS_MAX: Final = 8
_STATES: Final = ("absent", "open", "connected", "joined")

# name, kind, help, where it stands in a device's status
_METRICS: Final = (
    ("connections_total", "counter", "Link connections of the device.", ("counts", "connections")),
    ("joins_total", "counter", "WAMP sessions joined.", ("counts", "joins")),
    ("resumed_total", "counter", "Connections that outlived their port.", ("counts", "resumed")),
    ("handed_over_total", "counter", "Sessions taken over.", ("counts", "handed_over")),
    ("refused_total", "counter", "Connections refused: too often.", ("counts", "refused")),
    ("held_total", "counter", "Times the device was held back.", ("counts", "held")),
    ("rests_total", "counter", "Pauses after too much garbage.", ("counts", "rests")),
    ("dropped_total", "counter", "Messages too long for the device.", ("counts", "dropped")),
    ("faults_total", "counter", "Mistakes of the bridge.", ("counts", "faults")),
    ("messages_in_total", "counter", "Messages of the device.", ("counts", "messages_in")),
    ("messages_out_total", "counter", "Messages for the device.", ("counts", "messages_out")),
    ("octets_in_total", "counter", "Octets of the device.", ("counts", "octets_in")),
    ("octets_out_total", "counter", "Octets for the device.", ("counts", "octets_out")),
    ("console_lines_total", "counter", "Console lines.", ("counts", "console_lines")),
    ("console_dropped_total", "counter", "Console lines dropped.", ("counts", "console_dropped")),
    ("link_received_total", "counter", "Good frames received.", ("link", "received")),
    ("link_sent_total", "counter", "Frames sent.", ("link", "sent")),
    ("link_damaged_total", "counter", "Damaged frames.", ("link", "damaged")),
    ("link_resent_total", "counter", "Frames sent again.", ("link", "resent")),
    (
        "link_timeouts_total",
        "counter",
        "Timers that expired.",
        ("link", "timeouts"),
    ),
    ("link_waiting_octets", "gauge", "Octets not acknowledged.", ("buffers", "link")),
    ("device_waiting_octets", "gauge", "Octets for the device.", ("buffers", "device")),
    ("router_waiting_octets", "gauge", "Octets for the router.", ("buffers", "router")),
)


class Metrics:
    """Answers GET /metrics at `address`; does nothing where that is ""."""

    def __init__(self, bridge: "Bridge", address: str) -> None:
        self._bridge = bridge
        self._address = address
        self._server: asyncio.Server | None = None
        self._clients = 0

    async def open(self) -> None:
        """Listen. Raises TransportError."""
        if not self._address:
            return
        host, port = loopback(self._address)
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=_HEAD_MAX)
        except OSError as e:
            raise TransportError(f"metrics {self._address}: {explain(e)}") from e

    async def close(self) -> None:
        """No more answers."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            if self._clients <= _CLIENTS_MAX:
                async with asyncio.timeout(_HEAD_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await asyncio.wait_for(writer.drain(), _HEAD_S)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        except asyncio.CancelledError:
            return  # the loop ends
        finally:
            self._clients -= 1
            with contextlib.suppress(OSError):
                writer.close()

    def _answer(self, head: bytes) -> bytes:
        words = head.split(b"\r\n", 1)[0].split(b" ")
        status, body = "404 Not Found", "only /metrics is here\n"
        if len(words) == 3 and words[0] in (b"GET", b"HEAD") and words[1] == b"/metrics":
            status, body = "200 OK", self.text()
        octets = body.encode()
        lines = (
            f"HTTP/1.1 {status}",
            "Content-Type: text/plain; version=0.0.4; charset=utf-8",
            f"Content-Length: {len(octets)}",
            "Connection: close",
            "",
            "",
        )
        return "\r\n".join(lines).encode() + (b"" if words[0] == b"HEAD" else octets)

    def text(self) -> str:
        """All metrics, in Prometheus' text format."""
        status = [(_label(one["name"]), one) for one in self._bridge.status()]
        lines = [
            "# HELP microwamp_bridge_cpu_seconds_total Time on a processor.",
            "# TYPE microwamp_bridge_cpu_seconds_total counter",
            f"microwamp_bridge_cpu_seconds_total {time.process_time():.3f}",
            "# HELP microwamp_device_state 1 for the state that the device is in.",
            "# TYPE microwamp_device_state gauge",
        ]
        for label, one in status:
            lines += [
                f'microwamp_device_state{{{label},state="{name}"}} {int(one["state"] == name)}'
                for name in _STATES
            ]
        lines += [
            "# HELP microwamp_device_join_seconds Without a session before the last join.",
            "# TYPE microwamp_device_join_seconds gauge",
        ]
        lines += [
            f"microwamp_device_join_seconds{{{label}}} {one['join_ms'] / 1000:.3f}"
            for label, one in status
        ]
        lines += [
            "# HELP microwamp_device_round_trip_seconds Until what was sent is acknowledged.",
            "# TYPE microwamp_device_round_trip_seconds gauge",
        ]
        lines += [
            f"microwamp_device_round_trip_seconds{{{label}}} {one['round_trip_ms'] / 1000:.4f}"
            for label, one in status
        ]
        for name, kind, text, (group, key) in _METRICS:
            full = f"microwamp_device_{name}"
            lines += [f"# HELP {full} {text}", f"# TYPE {full} {kind}"]
            lines += [f"{full}{{{label}}} {one[group][key]}" for label, one in status]
        return "\n".join(lines) + "\n"


def _label(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'device="{escaped}"'
