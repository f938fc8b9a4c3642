"""The router as a whole: listening sockets, connections, realms, and what goes between them."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from wamp.errors import ConfigurationError

from .calls import Timer
from .config import RouterConfig
from .connection import Connection
from .cryptosign import Identity
from .formats import Format, Unsayable
from .listener import Listener, listen, tls_context
from .realm import Realm, random_id
from .session import Out, Session

log = logging.getLogger("microwamp.router")


def _log(event: str, fields: Mapping[str, Any]) -> None:
    log.info("%s %s", event, " ".join(f"{key}={value}" for key, value in fields.items()))


class Router:
    """The embedded router.

    observer: called with the name of an event and its fields (listening: url; joined: realm,
    session, authid, authrole, authmethod, peer; left: realm, session, authid, authmethod, reason;
    refused: peer, reason, message; violation and dropped: peer, session, message); logs them by
    default. It is called in the middle of the router's work and must not wait.
    """

    def __init__(
        self,
        config: RouterConfig,
        observer: Callable[[str, Mapping[str, Any]], None] = _log,
    ) -> None:
        self.config = config
        self.counters: Counter[str] = Counter()
        self.realms: Mapping[str, Realm] = {
            realm.name: Realm(realm, self._later, config.limits, self.counters)
            for realm in config.realms
        }
        self.identity = None if config.identity is None else Identity.load(config.identity)
        self._observer = observer
        self._listeners: list[Listener] = []
        self._connections: set[Connection] = set()
        self._by_session: dict[Session, Connection] = {}
        self._closing = False
        self._empty = asyncio.Event()

    @property
    def urls(self) -> tuple[str, ...]:
        """Where the router listens, with the real ports, in the order of the configuration."""
        return tuple(one.url for one in self._listeners)

    async def start(self) -> None:
        """Listen on all URLs, or on none.

        Raises ConfigurationError or TransportError that names the URL and the reason.
        """
        if self._listeners:
            raise ConfigurationError("this router was started already")
        self._closing = False
        context = None
        if self.config.certificate is not None:
            context = tls_context(self.config.certificate, self.config.key)
        try:
            for url in self.config.listen:
                self._listeners.append(
                    await listen(url, self._connection, context, self.config.opening_timeout)
                )
        except BaseException:
            self._stop_listening()
            raise
        for url in self.urls:
            self.report("listening", url=url)

    async def close(self) -> None:
        """GOODBYE to all sessions, then the end; no longer than twice the closing time-out."""
        self._closing = True
        self._stop_listening()
        for connection in list(self._connections):
            connection.shutdown()
        # All have been told; nobody is left to hear what their leaving causes.
        for realm in self.realms.values():
            for session in list(realm.sessions.values()):
                realm.leave(session)
        for last in (False, True):
            if not self._connections:
                break
            self._empty.clear()
            try:
                await asyncio.wait_for(self._empty.wait(), self.config.closing_timeout)
            except TimeoutError:
                if last:
                    break
                for connection in list(self._connections):
                    connection.abort()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _connection(self, kind: str, websocket: bool) -> Connection:
        if websocket:
            from .websocket import WebSocketConnection

            return WebSocketConnection(self, kind)
        return Connection(self, kind)

    def _later(self, seconds: float, action: Callable[[], Out]) -> Timer:
        loop = asyncio.get_running_loop()
        return loop.call_later(seconds, lambda: self.deliver(action()))

    def _stop_listening(self) -> None:
        for one in self._listeners:
            one.close()
        self._listeners.clear()

    # What connections need (connection.Owner).

    def enter(self, connection: Connection) -> bool:
        """Take in a new connection; False when there are too many."""
        if self._closing:
            connection.abort()
        self._connections.add(connection)
        return len(self._connections) <= self.config.limits.connections

    def gone(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    def new_session_id(self) -> int:
        """A random id that no session of this router has."""
        while True:
            number = random_id()
            if not any(number in realm.sessions for realm in self.realms.values()):
                return number

    def joined(self, connection: Connection, session: Session) -> None:
        """Route what goes to `session` through `connection`."""
        self._by_session[session] = connection
        self.report(
            "joined",
            realm=session.realm,
            session=session.id,
            authid=session.authid,
            authrole=session.authrole,
            authmethod=session.authmethod,
            peer=connection.peer,
        )

    def ended(self, session: Session, reason: str) -> None:
        """Nothing goes to `session` any more."""
        self._by_session.pop(session, None)
        self.report(
            "left",
            realm=session.realm,
            session=session.id,
            authid=session.authid,
            authmethod=session.authmethod,
            reason=reason[:200],
        )

    def deliver(self, out: Out) -> None:
        """Send messages; what its receiver cannot take is replaced as the realm says.

        A message that goes to many is encoded once for each of their formats: broker and realm
        hand back the same list.
        """
        last = None
        encoded: dict[Format, bytes] = {}
        for session, message in out:
            connection = self._by_session.get(session)
            if connection is None:
                continue
            if message is not last:
                encoded = {}
                last = message
            form = connection.format
            octets = encoded.get(form)
            if octets is None:
                try:
                    octets = encoded[form] = form.encode(message)
                except Unsayable as e:
                    self.deliver(self.realms[session.realm].unfit(session, message, str(e)))
                    continue
            if len(octets) > connection.accepts():
                self.deliver(self.realms[session.realm].unfit(session, message))
            else:
                connection.send(message, octets)

    def report(self, event: str, **fields: Any) -> None:
        """Count an event and tell the observer."""
        self.counters[event] += 1
        try:
            self._observer(event, fields)
        except Exception:
            log.exception("the observer of the router failed")
