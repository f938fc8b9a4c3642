"""`Component`: a session that connects, joins, and comes back when its line was lost.

component = Component(transports="rs://127.0.0.1:8080", realm="devices")

@component.register("com.example.add")
def add(a, b):
    return a + b

run(component)
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from ._session._observe import Observers
from .exception import (
    AuthenticationError,
    ConfigurationError,
    Error,
    LocalProtocolError,
    SessionAborted,
    TransportError,
    TransportLost,
)
from .session import Session
from .transport import connect
from .types import CloseDetails, ComponentConfig, RegisterOptions, SessionDetails, SubscribeOptions

__all__ = ["Component", "run"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_RETRY = {
    "max_retries": 15,  # attempts without a session in between; -1: for ever
    "initial_retry_delay": 1.5,  # seconds, as all delays
    "max_retry_delay": 300.0,
    "retry_delay_growth": 1.5,
    "retry_delay_jitter": 0.1,
}
_OPTIONS = ("serializer", "ssl", "max_length", "open_timeout", "headers", "compress")
# These ends of a session are the router's word against this client: to come back changes nothing.
_FATAL = (
    "wamp.error.no_such_realm",
    "wamp.error.no_such_principal",
    "wamp.error.no_auth_method",
    "wamp.error.no_matching_auth_method",
    "wamp.error.not_authorized",
    "wamp.error.authentication_denied",
    "wamp.error.authentication_required",
    "wamp.error.authentication_failed",
    "wamp.error.cannot_authenticate",
)


class _Way:
    """One transport of a component, and how often it failed."""

    def __init__(self, given: str | Mapping[str, Any]) -> None:
        config: dict[str, Any] = {"url": given} if isinstance(given, str) else dict(given)
        try:
            self.url: str = config.pop("url")
        except KeyError:
            raise ConfigurationError(f"transport {given!r}: there is no url") from None
        serializers = config.pop("serializers", None)
        self.options = {name: config.pop(name) for name in _OPTIONS if name in config}
        if serializers:
            self.options["serializer"] = (
                list(serializers) if self.url.startswith("ws") else serializers[0]
            )
        self.retry = {name: config.pop(name, default) for name, default in _RETRY.items()}
        if config:
            known = ", ".join(("url", "serializers", *_OPTIONS, *_RETRY))
            raise ConfigurationError(f"transport {self.url}: {sorted(config)} unknown: {known}")
        self.reset()

    def reset(self) -> None:
        """It works: begin to count anew."""
        self.failures = 0
        self.delay = float(self.retry["initial_retry_delay"])

    @property
    def spent(self) -> bool:
        """Whether no attempt is left."""
        limit: int = self.retry["max_retries"]
        return 0 <= limit < self.failures

    def pause(self) -> float:
        """Seconds until the next attempt, after a failure."""
        jitter = 1 + self.retry["retry_delay_jitter"] * random.uniform(-1, 1)
        longest: float = self.retry["max_retry_delay"]
        found: float = min(self.delay * jitter, longest)
        self.delay = min(self.delay * self.retry["retry_delay_growth"], longest)
        return found


class Component(Observers):
    """Keeps a session: connects, joins, registers and subscribes what was declared, comes back.

    main: coroutine function main(loop, session), run after every join; when it returns the
    component leaves and is done. transports: a URL, a dictionary with `url`, `serializers`, the
    options of `transport.connect` and those of retrying (max_retries, initial_retry_delay,
    max_retry_delay, retry_delay_growth, retry_delay_jitter), or a list of these, tried in turn.
    authentication: an authenticator or a list of them, or autobahn's dictionary of method to
    keywords of `create_authenticator`. session_factory: makes a session of a ComponentConfig.
    is_fatal: function of an exception that says whether to give up.

    state: "idle", "connecting", "joining", "joined", "waiting" or "ended". joins: sessions so far.
    error: why the last attempt, or the last session, ended.
    """

    session_factory: Callable[[ComponentConfig], Session] = Session

    def __init__(
        self,
        main: Callable[[Any, Session], Awaitable[Any]] | None = None,
        transports: str | Mapping[str, Any] | Iterable[str | Mapping[str, Any]] | None = None,
        config: Any = None,
        realm: str | None = "realm1",
        extra: Any = None,
        authentication: Any = None,
        session_factory: Callable[[ComponentConfig], Session] | None = None,
        is_fatal: Callable[[Exception], bool] | None = None,
    ) -> None:
        super().__init__()
        if transports is None:
            transports = "ws://127.0.0.1:8080/ws"
        if isinstance(transports, str | Mapping):
            transports = [transports]
        self._ways = [_Way(one) for one in transports]
        if not self._ways:
            raise ConfigurationError("Component: transports is empty")
        self._main = main
        self._config = config if config is not None else ComponentConfig(realm, extra)
        self._authenticators = _authenticators(authentication)
        if session_factory is not None:
            self.session_factory = session_factory
        self._is_fatal = is_fatal
        self._registers: list[tuple[Any, str, Any, bool | None]] = []
        self._subscribes: list[tuple[Any, str, Any, bool | None]] = []
        self._failed: list[Callable[..., Any]] = []
        self.state = "idle"
        self.joins = 0
        self.error: Exception | None = None
        self.session: Session | None = None
        self._stopping: asyncio.Event | None = None
        self._opening: asyncio.Future[Any] | None = None

    # -- declared once

    def register(
        self, uri: str, options: RegisterOptions | None = None, check_types: bool | None = None
    ) -> Callable[[_Function], _Function]:
        """Decorator: registered after every join."""

        def decorate(function: _Function) -> _Function:
            self._registers.append((function, uri, options, check_types))
            return function

        return decorate

    def subscribe(
        self, topic: str, options: SubscribeOptions | None = None, check_types: bool | None = None
    ) -> Callable[[_Function], _Function]:
        """Decorator: subscribed after every join."""

        def decorate(function: _Function) -> _Function:
            self._subscribes.append((function, topic, options, check_types))
            return function

        return decorate

    def on_connect(self, function: _Function) -> _Function:
        """Decorator: function(session, transport)."""
        self.on("connect", function)
        return function

    def on_join(self, function: _Function) -> _Function:
        """Decorator: function(session, details)."""
        self.on("join", function)
        return function

    def on_ready(self, function: _Function) -> _Function:
        """Decorator: function(session), when what was declared is registered and subscribed."""
        self.on("ready", function)
        return function

    def on_leave(self, function: _Function) -> _Function:
        """Decorator: function(session, details)."""
        self.on("leave", function)
        return function

    def on_disconnect(self, function: _Function) -> _Function:
        """Decorator: function(session, was_clean=...)."""
        self.on("disconnect", function)
        return function

    def on_connectfailure(self, function: _Function) -> _Function:
        """Decorator: function(component, error), when a connection was not made."""
        self._failed.append(function)
        return function

    # -- life

    async def start(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Connect and stay joined, until `stop`, a deliberate leave or the end of `main`.

        Raises what ended it: TransportError ("never connected" where no session was ever joined,
        "lost" where there was one), SessionAborted, AuthenticationError, ConfigurationError, or
        what `main` raised.
        """
        if self.state not in ("idle", "ended"):
            raise Error("the component has been started already")
        self._stopping = stopping = asyncio.Event()
        for way in self._ways:
            way.reset()
        try:
            turn = 0
            while not stopping.is_set():
                ways = [way for way in self._ways if not way.spent]
                if not ways:
                    raise self._given_up()
                way = ways[turn % len(ways)]
                turn += 1
                joins = self.joins
                self.error = error = await self._attempt(way)
                if error is None or stopping.is_set():
                    return
                if self._gives_up(error):
                    raise error
                if self.joins > joins:
                    way.reset()
                way.failures += 1
                self.state = "waiting"
                if not way.spent:
                    try:
                        await asyncio.wait_for(stopping.wait(), way.pause())
                    except TimeoutError:
                        pass
        finally:
            self.state = "ended"
            self.session = None

    def _gives_up(self, error: Exception) -> bool:
        if self._is_fatal is not None:
            return self._is_fatal(error)
        if isinstance(error, SessionAborted):
            return error.reason in _FATAL
        return not isinstance(error, Error) or isinstance(
            error, ConfigurationError | AuthenticationError | LocalProtocolError
        )

    def _given_up(self) -> TransportError:
        urls = ", ".join(way.url for way in self._ways)
        what = "never connected" if self.joins == 0 else f"lost after {self.joins} sessions"
        found = TransportError(f"{urls}: {what}: {self.error}")
        found.__cause__ = self.error
        return found

    async def stop(self) -> None:
        """Leave, and be done."""
        if self._stopping is None:
            return
        self._stopping.set()
        if self._opening is not None:
            self._opening.cancel()
        session = self.session
        if session is not None and session.is_connected():
            if session.is_attached():
                await session.leave()
            else:
                session.disconnect()

    async def _attempt(self, way: _Way) -> Exception | None:
        """One connection and its session; returns why it ended, None for a deliberate end."""
        session = self.session_factory(self._config)
        for one in self._authenticators:
            session.add_authenticator(one)
        ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        left: list[CloseDetails] = []

        async def joined(session: Session, details: SessionDetails) -> None:
            self.state = "joined"
            self.joins += 1
            await self._fire("join", session, details)
            await self._declare(session)

        async def ready(session: Session) -> None:
            await self._fire("ready", session)
            if self._main is not None:
                try:
                    await self._main(asyncio.get_running_loop(), session)
                    wrong: Exception | None = None
                except Exception as e:
                    wrong = e
                if wrong is not None and isinstance(wrong, TransportLost):
                    return  # the session's end tells why
                if not ended.done():
                    ended.set_result(wrong)

        async def leaving(session: Session, details: CloseDetails) -> None:
            left.append(details)
            await self._fire("leave", session, details)
            session.disconnect()

        async def gone(session: Session, was_clean: bool) -> None:
            await self._fire("disconnect", session, was_clean)
            if not ended.done():
                ended.set_result(session._fault or _reason(left, was_clean, way.url))

        session.on("connect", lambda session, transport: self._fire("connect", session, transport))
        session.on("join", joined)
        session.on("ready", ready)
        session.on("leave", leaving)
        session.on("disconnect", gone)
        self.session = session
        self.state = "connecting"
        try:
            if not await self._connect(session, way):
                return None
        except Error as e:
            for function in self._failed:
                found = function(self, e)
                if hasattr(found, "__await__"):
                    await found
            return e
        if self.state == "connecting":
            self.state = "joining"
        try:
            error = await ended
        finally:
            if session.is_attached():
                await session.leave()
            elif session.is_connected():
                session.disconnect()
        return error

    async def _connect(self, session: Session, way: _Way) -> bool:
        """Whether it is connected; False if it was stopped before."""
        opening = asyncio.ensure_future(connect(session, way.url, **way.options))
        self._opening = opening
        try:
            await asyncio.wait({opening})
        finally:
            self._opening = None
            opening.cancel()
        if opening.cancelled():
            return False
        opening.result()
        return True

    async def _fire(self, event: str, *args: Any) -> None:
        for observer in self.observers(event):
            found = observer(*args)
            if hasattr(found, "__await__"):
                await found

    async def _declare(self, session: Session) -> None:
        waiting = [
            session.register(function, uri, options, check_types=check)
            for function, uri, options, check in self._registers
        ]
        waiting += [
            session.subscribe(function, topic, options, check)
            for function, topic, options, check in self._subscribes
        ]
        for found in await asyncio.gather(*waiting, return_exceptions=True):
            if isinstance(found, Exception) and not isinstance(found, TransportLost):
                session._user_error(found, f"component: {found}")


def _reason(left: list[CloseDetails], was_clean: bool, url: str) -> Exception | None:
    """Why a session ended, as an exception; None for a deliberate leave."""
    if not left:
        return None if was_clean else TransportLost(f"{url}: lost before a session was joined")
    reason, message = left[-1].reason, left[-1].message or ""
    if reason == CloseDetails.REASON_DEFAULT:
        return None
    if reason in (CloseDetails.REASON_TRANSPORT_LOST, "wamp.close.timeout"):
        return TransportLost(message or url)
    if reason in ("wamp.error.authentication_failed", "wamp.error.cannot_authenticate"):
        return AuthenticationError(message or reason)
    return SessionAborted(reason or "unknown", message)


def _authenticators(given: Any) -> list[Any]:
    if given is None:
        return []
    if isinstance(given, Mapping):
        from importlib import import_module

        create = import_module("microwamp.auth").create_authenticator
        return [create(name, **keywords) for name, keywords in given.items()]
    return list(given) if isinstance(given, list | tuple) else [given]


def run(components: Component | list[Component], log_level: str | None = "info") -> None:
    """Run components until all have ended; SIGINT and SIGTERM have them leave.

    log_level: of the logging module, None leaves logging alone. Raises what ended the first one
    that did not end well.
    """
    if log_level is not None:
        import logging

        logging.basicConfig(level=log_level.upper())
    asyncio.run(_run([components] if isinstance(components, Component) else list(components)))


async def _run(components: list[Component]) -> None:
    loop = asyncio.get_running_loop()
    stops: set[asyncio.Task[None]] = set()

    def stop() -> None:
        for one in components:
            stops.add(loop.create_task(one.stop()))

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop)
        except (NotImplementedError, RuntimeError, ValueError):
            pass  # not in this thread, or not on this system: KeyboardInterrupt ends it
    found = await asyncio.gather(*(one.start(loop) for one in components), return_exceptions=True)
    for error in found:
        if error is not None:
            raise error
