"""What a bridge is told: which ports, which router, and what a device may."""

import ipaddress
import os
import re
import ssl
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Final, NamedTuple

from wamp.errors import ConfigurationError
from wamp.rawsocket import LENGTH_MAX
from wamp.transport import make

CONSOLES: Final = ("off", "out", "both")
# Opening a board with native USB at this rate sends it into its boot loader.
TOUCH: Final = 1200

_USB = re.compile(r"usb:([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4})(?::(.+))?")
_PAIR = re.compile(r"([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4})")


class Board(NamedTuple):
    """How the modem lines of a sort of board are to be held, and how long it needs after that."""

    dtr: bool | None = None
    rts: bool | None = None
    hupcl: bool | None = None
    settle_ms: int = 0


# Named as MicroPython names them; "serial" is a plain adapter whose lines lead nowhere.
BOARDS: Final[dict[str, Board]] = {
    "serial": Board(),
    "UNIX": Board(),
    # TinyUSB gives the console's output only while DTR says that somebody is there.
    "RPI_PICO": Board(dtr=True, rts=True, hupcl=False),
    "RPI_PICO_W": Board(dtr=True, rts=True, hupcl=False),
    "RPI_PICO2": Board(dtr=True, rts=True, hupcl=False),
    "RPI_PICO2_W": Board(dtr=True, rts=True, hupcl=False),
    # Two transistors on the adapter's DTR and RTS pull EN and GPIO0: both off is "run".
    "ESP32_GENERIC": Board(dtr=False, rts=False, hupcl=False, settle_ms=300),
    "ESP8266_GENERIC": Board(dtr=False, rts=False, hupcl=False, settle_ms=300),
    "ESP32_GENERIC_S3": Board(dtr=True, rts=False, hupcl=False),
    # The unit in the chip takes DTR alone for "boot loader at the next reset".
    "ESP32_GENERIC_C3": Board(dtr=True, rts=True, hupcl=False),
    "PYBV11": Board(dtr=True, rts=True, hupcl=False),
}


class Usb(NamedTuple):
    """The identity of a port that moves from tty to tty: what its adapter or board says of
    itself. serial None: whichever has these two numbers."""

    vid: int
    pid: int
    serial: str | None


def usb(identity: str) -> Usb | None:
    """usb:VID:PID[:SERIAL] in parts; None for what is a path or a pyserial URL.

    Raises ConfigurationError for half of one.
    """
    if not identity.startswith("usb:"):
        return None
    match = _USB.fullmatch(identity)
    if match is None:
        raise ConfigurationError(
            f"port {identity}: usb:VID:PID or usb:VID:PID:SERIAL needed, as in "
            "usb:2E8A:0005:E6614103E7452D2F"
        )
    return Usb(int(match[1], 16), int(match[2], 16), match[3])


@dataclass(frozen=True)
class Limits:
    """Bounds of what one device can cause; the reasons stand in docs/bridge.md."""

    # Messages a second from the device, on average; then it is held back. 0: no limit.
    messages_per_s: int = 2000
    # Longest message either way, announced to both sides, rounded down to a power of two.
    message_octets: int = LENGTH_MAX
    # Octets that wait for either side before the other is held back.
    buffer_octets: int = 65536
    # Link connections a second, after a first 20; then OPEN is refused. 0: no limit.
    opens_per_s: int = 1
    # Damaged frames a second, or pieces of 64 octets that belong to none; then reading pauses for
    # a while. A line of 921600 baud with bit errors of 1e-3 has some 2,600. 0: no limit.
    noise_per_s: int = 4000
    # Console lines a second, after a first 200; more are dropped and counted. 0: no limit.
    console_per_s: int = 50

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            low, high = _BOUNDS[one.name]
            if not low <= value <= high:
                raise ConfigurationError(f"{one.name} is {value}: {low} to {high}")


_BOUNDS: Final = {
    "messages_per_s": (0, 1_000_000),
    "message_octets": (512, LENGTH_MAX),
    "buffer_octets": (4096, 16 << 20),
    "opens_per_s": (0, 1_000_000),
    "noise_per_s": (0, 1 << 30),
    "console_per_s": (0, 1_000_000),
}


@dataclass(frozen=True)
class PortConfig:
    """One port. port: a tty, a pty, a pyserial URL, or usb:VID:PID[:SERIAL]. name: what it is
    called in logs, the port itself if "". realms: those a device may ask for, all if empty."""

    port: str
    router: str
    name: str = ""
    board: str = "serial"
    baud: int = 115200
    dtr: bool | None = None
    rts: bool | None = None
    hupcl: bool | None = None
    settle_ms: int | None = None
    realms: tuple[str, ...] = ()
    console: str = "out"
    lost_ms: int = 10000
    cafile: str = ""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not self.port:
            raise ConfigurationError("port is empty: a tty, a URL or usb:VID:PID:SERIAL needed")
        usb(self.port)
        if self.console not in CONSOLES:
            raise ConfigurationError(f'console is {self.console!r}, not "off", "out" or "both"')
        if not 300 <= self.baud <= 12_000_000:
            raise ConfigurationError(f"baud is {self.baud}: 300 to 12000000")
        if self.baud == TOUCH:
            raise ConfigurationError(
                "baud is 1200: boards with native USB take that as the order to reset into their "
                "boot loader"
            )
        if not 100 <= self.lost_ms <= 25500:
            raise ConfigurationError(f"lost_ms is {self.lost_ms}: 100 to 25500")
        if self.settle_ms is not None and not 0 <= self.settle_ms <= 60000:
            raise ConfigurationError(f"settle_ms is {self.settle_ms}: 0 to 60000")
        if self.board not in BOARDS:
            raise ConfigurationError(
                f"board {self.board!r} is not known here; known: {', '.join(sorted(BOARDS))}"
            )
        if any(not realm for realm in self.realms):
            raise ConfigurationError("realms holds an empty name")
        check_router(self.router)

    @property
    def called(self) -> str:
        """The name in logs."""
        return self.name or self.port

    def modem(self) -> Board:
        """The modem lines: what was said, else what the board wants."""
        board = BOARDS[self.board]
        return Board(
            board.dtr if self.dtr is None else self.dtr,
            board.rts if self.rts is None else self.rts,
            board.hupcl if self.hupcl is None else self.hupcl,
            board.settle_ms if self.settle_ms is None else self.settle_ms,
        )

    def same_line(self, other: "PortConfig") -> bool:
        """Whether a device can go from one to the other without a new connection."""
        return _hard(self) == _hard(other)


def _hard(config: PortConfig) -> PortConfig:
    """Without what may change while a device is connected. The message length may not: it was
    announced to both sides."""
    limits = Limits(message_octets=config.limits.message_octets)
    return replace(config, console="out", realms=(), limits=limits)


@dataclass(frozen=True)
class Discover:
    """Boards that are served as they appear. match: their VID:PID pairs; what is not listed is
    left alone. most: of them at a time. like: the settings they get; its port is not used."""

    match: tuple[tuple[int, int], ...]
    like: PortConfig
    most: int = 64


@dataclass(frozen=True)
class BridgeConfig:
    """All of it. control: path of the control socket; metrics: HOST:PORT on loopback; user: who
    to become when started as root; "" for none of each."""

    ports: tuple[PortConfig, ...] = ()
    discover: Discover | None = None
    control: str = ""
    metrics: str = ""
    user: str = ""

    def __post_init__(self) -> None:
        if not self.ports and self.discover is None:
            raise ConfigurationError("no port to serve")
        ports = [one.port for one in self.ports]
        names = [one.called for one in self.ports]
        if len(set(ports)) < len(ports):
            raise ConfigurationError("a port is named twice")
        if len(set(names)) < len(names):
            raise ConfigurationError("two ports have one name")
        if self.metrics:
            loopback(self.metrics)
        if self.control and not os.path.isabs(self.control):
            raise ConfigurationError(f"control {self.control}: an absolute path needed")
        if len(os.fsencode(self.control)) > 100:
            raise ConfigurationError("control: 100 octets are the most for a socket's path")


def pair(text: str) -> tuple[int, int]:
    """VID:PID as two numbers; raises ConfigurationError."""
    match = _PAIR.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"{text!r}: VID:PID needed, four hex digits each")
    return int(match[1], 16), int(match[2], 16)


def loopback(address: str) -> tuple[str, int]:
    """HOST:PORT of this host alone, in parts; raises ConfigurationError."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        if not port.isascii() or not port.isdigit() or not int(port) < 65536:
            raise ValueError
        if not ipaddress.ip_address("127.0.0.1" if host == "localhost" else host).is_loopback:
            raise ValueError
    except ValueError:
        raise ConfigurationError(
            f"metrics {address}: an address of this host and a port needed, as in 127.0.0.1:9123"
        ) from None
    return host, int(port)


def check_router(url: str) -> None:
    """Raise ConfigurationError if it is no URL of a router."""
    if url.startswith("serial:"):
        raise ConfigurationError(
            f"{url}: the router's URL is rs://, rss://, rs://unix:, ws:// or wss://"
        )
    if url.startswith(("ws://", "wss://")):
        from .websocket import check

        check(url)
        return
    try:
        make(url)
    except ConfigurationError as e:
        if "this library speaks" not in str(e):
            raise
        raise ConfigurationError(
            f"URL {url}: the bridge speaks rs://host:port, rss://host:port, rs://unix:/path, "
            "ws://host:port/path and wss://host:port/path"
        ) from None


@lru_cache(maxsize=16)
def context(cafile: str) -> ssl.SSLContext:
    """A TLS context that verifies, by the system's certificates or those in a PEM file.

    Made once for each file: that takes 20 ms. Raises ConfigurationError.
    """
    try:
        return ssl.create_default_context(cafile=cafile or None)
    except (OSError, ssl.SSLError) as e:
        raise ConfigurationError(f"cafile {cafile}: {e}") from e
