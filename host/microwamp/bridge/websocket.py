"""A router behind WebSocket: its messages re-framed as RawSocket, the payload untouched.

The subprotocol is wamp.2.cbor. This end answers the device's RawSocket handshake. PINGs of the
router are answered by the library `websockets` (extra `websocket`), which is loaded only when
such a URL is used, and which sends its own every 20 s.
"""

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from wamp import rawsocket
from wamp.errors import ConfigurationError, TransportError
from wamp.transport import explain

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from .upstream import Listener

SUBPROTOCOL: Final = "wamp.2.cbor"
# A message of WebSocket is there as a whole, or not at all: so it needs a bound of its own.
MESSAGE_MAX: Final = 1 << 20
_CBOR: Final = 3
_CLOSE_S: Final = 2.0


def check(url: str) -> None:
    """Raise ConfigurationError if a ws:// or wss:// URL cannot work, or the library is absent."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as e:
        raise ConfigurationError(f"URL {url}: {e}") from e
    if not parts.hostname or port == 0 or parts.fragment:
        raise ConfigurationError(f"URL {url}: ws://host:port/path or wss://host:port/path needed")
    if parts.username or parts.password:
        raise ConfigurationError("a router's URL has no user and no password: devices log in")
    _library()


def _library() -> Any:
    try:
        import websockets.asyncio.client
    except ImportError:
        raise ConfigurationError(
            "ws:// and wss:// need websockets: pip install 'microwamp[websocket]'"
        ) from None
    return websockets


class WebSocketUpstream:
    """ws:// and wss://; see `upstream`."""

    def __init__(
        self,
        url: str,
        listener: "Listener",
        tls: ssl.SSLContext | None,
        high: int,
        longest: int,
    ) -> None:
        self.url = url
        self._listener: Listener | None = listener
        self._tls = tls
        self._high = high
        # As the handshake can say it: 512 octets doubled n times.
        self._size = min(min(longest, MESSAGE_MAX).bit_length() - 10, 15)
        self._connection: ClientConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._in = b""  # octets of the device that are no whole frame yet
        self._parts: list[bytes] = []
        self._waiting = 0
        self._shaken = False
        self._messages: asyncio.Queue[bytes] = asyncio.Queue()
        self._backlog = 0
        self._full = False
        self._reading = asyncio.Event()
        self._reading.set()

    async def open(self) -> None:
        websockets = _library()
        try:
            self._connection = await websockets.asyncio.client.connect(
                self.url,
                subprotocols=[SUBPROTOCOL],
                ssl=self._tls,
                compression=None,  # 300 kB a connection, for messages that are small
                max_size=512 << self._size,
                max_queue=2,
                write_limit=self._high,
                close_timeout=_CLOSE_S,
                open_timeout=None,  # the caller's
                user_agent_header="microwamp",
                proxy=None,
            )
        except OSError as e:
            raise TransportError(f"{self.url}: {self._words(e)}") from e
        except websockets.exceptions.WebSocketException as e:
            raise TransportError(f"{self.url}: {_refused(websockets, e)}") from e
        if self._connection is None or self._connection.subprotocol != SUBPROTOCOL:
            self.close()
            raise TransportError(f"{self.url}: the router does not speak {SUBPROTOCOL} there")
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]

    def _words(self, error: OSError) -> str:
        if self._tls is not None and (not str(error) or error.errno == 104):
            return "it does not speak TLS, it seems: ws:// instead of wss://?"
        return explain(error)

    async def _read(self) -> None:
        websockets = _library()
        connection = self._connection
        assert connection is not None
        reason = ""
        try:
            while True:
                await self._reading.wait()
                message = await connection.recv(decode=False)
                await self._reading.wait()
                if self._listener is not None:
                    prefix = len(message).to_bytes(4, "big")
                    self._listener.octets(prefix + message)
        except websockets.exceptions.ConnectionClosedOK:
            pass
        except websockets.exceptions.ConnectionClosed as e:
            reason = f"{self.url}: {_closed(e)}"
        except OSError as e:
            reason = f"{self.url}: {explain(e)}"
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.ended(reason)

    async def _write(self) -> None:
        connection = self._connection
        assert connection is not None
        # An error is told by the reader of the same connection.
        with contextlib.suppress(OSError, _library().exceptions.ConnectionClosed):
            while True:
                message = await self._messages.get()
                await connection.send(message)
                self._backlog -= len(message)
                if self._full and self._backlog <= self._high // 4:
                    self._full = False
                    if self._listener is not None:
                        self._listener.room(True)

    def write(self, octets: bytes) -> None:
        """Take RawSocket octets of the device, whose frames are whole messages for WebSocket."""
        self._parts.append(octets)
        self._waiting += len(octets)
        if not self._shaken:
            self._join()
            if len(self._in) < 4:
                return
            serializer = self._in[1] & 15
            self._in = self._in[4:]
            self._shaken = True
            wanted = self._size << 4 | _CBOR if serializer == _CBOR else 0x10
            answer = bytes((0x7F, wanted, 0, 0))
            asyncio.get_running_loop().call_soon(self._answer, answer)
        # The frame that is not all there yet is not copied at each of its pieces.
        while self._waiting + len(self._in) >= 4:
            if len(self._in) < 4:
                self._join()
            n = int.from_bytes(self._in[1:4], "big")
            if len(self._in) + self._waiting < 4 + n:
                return
            self._join()
            message, kind = self._in[4 : 4 + n], self._in[0]
            self._in = self._in[4 + n :]
            if kind == rawsocket.MESSAGE:
                self._messages.put_nowait(message)
                self._backlog += n
        if self._backlog > self._high and not self._full:
            self._full = True
            if self._listener is not None:
                self._listener.room(False)

    def _join(self) -> None:
        self._in = b"".join((self._in, *self._parts))
        self._parts.clear()
        self._waiting = 0

    def _answer(self, octets: bytes) -> None:
        if self._listener is not None:
            self._listener.octets(octets)

    def backlog(self) -> int:
        return self._backlog + self._waiting + len(self._in)

    def pause(self) -> None:
        self._reading.clear()

    def resume(self) -> None:
        self._reading.set()

    def close(self) -> None:
        self._listener = None
        for task in self._tasks:
            task.cancel()
        if self._connection is not None:
            self._connection.transport.abort()
            self._connection = None

    def keep(self) -> int:
        return -1  # masks, fragments and pings are in the library


def _refused(websockets: Any, error: Exception) -> str:
    """Why the opening handshake failed, in one clause."""
    if isinstance(error, websockets.exceptions.InvalidStatus):
        status = error.response.status_code
        return (
            f"it answers with HTTP status {status}: check host, port and path, and that "
            f"{SUBPROTOCOL} is spoken there"
        )
    if isinstance(error, websockets.exceptions.NegotiationError):
        return f"the router does not speak {SUBPROTOCOL} there ({error})"
    if isinstance(error, websockets.exceptions.InvalidMessage | EOFError):
        return "it does not speak WebSocket: is it RawSocket there (rs://), or TLS (wss://)?"
    return " ".join(str(error).split())[:200]


def _closed(error: Any) -> str:
    """Why a connection was closed, in one clause."""
    if error.sent is not None and error.sent.code == 1009:
        return f"the router sent a message that is too long for the bridge ({MESSAGE_MAX} octets)"
    if error.rcvd is not None:
        reason = "".join(c if c.isprintable() else "?" for c in error.rcvd.reason)[:120]
        return f"the router closed the connection with code {error.rcvd.code} {reason}".rstrip()
    if error.sent is not None and error.sent.code == 1011:
        return "the router does not answer"
    return "the connection was lost"
