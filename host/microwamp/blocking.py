"""A session for scripts and notebooks: every call blocks until its result is there.

    with BlockingSession("rs://127.0.0.1:8080", realm="devices") as session:
        print(session.call("com.example.add", 2, 3))

A `Session` runs in a thread of its own. Handlers and endpoints are called in further threads, one
for each invocation under way, so that they may block, and may use the session themselves. None of
these threads keeps a program from ending. Ctrl-C interrupts whatever waits, and cancels it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import inspect
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from ._session._logins import method_of
from .exception import (
    ApplicationError,
    Error,
    RequestTimeout,
    SessionAborted,
    TransportError,
    TransportLost,
)
from .session import Session
from .transport import connect
from .transport._base import OPEN_TIMEOUT_S
from .types import (
    CallOptions,
    CloseDetails,
    ComponentConfig,
    PublishOptions,
    RegisterOptions,
    SessionDetails,
    SubscribeOptions,
)

__all__ = ["BlockingSession"]

_THREADS = 16  # endpoints and handlers at a time; further ones wait


class BlockingSession:
    """A session whose methods block. realm: to join. auth: an authenticator, or a list of them.

    timeout: seconds that each request may take, and joining. Further options go to
    `transport.connect`; its open_timeout comes on top of timeout.
    """

    def __init__(
        self,
        url: str,
        realm: str = "realm1",
        auth: Any = None,
        timeout: float = 10.0,
        **options: Any,
    ) -> None:
        self.url = url
        self.realm = realm
        self.timeout = timeout
        found = [] if auth is None else auth if isinstance(auth, list | tuple) else [auth]
        for one in found:
            method_of(one)
        self._auth = list(found)
        self._options = options
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._session: Session | None = None
        self._room: asyncio.Semaphore | None = None
        self._why = ""  # why the session ended
        self.details: SessionDetails | None = None

    # -- life

    def open(self) -> Self:
        """Connect and join. TransportError, SessionAborted, AuthenticationError: it cannot."""
        if self._thread is not None:
            raise Error("the session is open already")
        started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._room = asyncio.Semaphore(_THREADS)
        self._why = ""
        self._thread = threading.Thread(
            target=self._serve, args=(started,), name="microwamp", daemon=True
        )
        self._thread.start()
        started.wait()
        try:
            limit = self.timeout + float(self._options.get("open_timeout", OPEN_TIMEOUT_S))
            self.details = self._do(self._join(), limit)
        except BaseException:
            self.close()
            raise
        return self

    def _serve(self, started: threading.Event) -> None:
        loop = self._loop
        assert loop is not None
        asyncio.set_event_loop(loop)
        loop.call_soon(started.set)
        try:
            loop.run_forever()
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()

    async def _join(self) -> SessionDetails:
        session = self._session = Session(ComponentConfig(self.realm))
        for one in self._auth:
            session.add_authenticator(one)
        joined: asyncio.Future[SessionDetails] = asyncio.get_running_loop().create_future()

        def settle(session: Session, details: SessionDetails) -> None:
            if not joined.done():
                joined.set_result(details)

        def refused(session: Session, details: CloseDetails) -> None:
            self._why = details.message or details.reason or ""
            if not joined.done():
                error: Error = SessionAborted(details.reason or "unknown", details.message or "")
                if details.reason == CloseDetails.REASON_TRANSPORT_LOST:
                    error = TransportError(details.message or self.url)
                joined.set_exception(error)

        session.on("join", settle)
        session.on("leave", refused)
        await connect(session, self.url, **self._options)
        return await joined

    def close(self) -> None:
        """Leave, and end the thread; open() may be called again."""
        loop, thread, session = self._loop, self._thread, self._session
        if loop is None or thread is None:
            return
        if threading.current_thread() is thread:
            raise Error("close() in the session's own thread would wait for ever")
        if session is not None:
            try:
                self._do(_leave(session), 5)
            except Error:
                pass  # it has ended already
        self._thread = self._session = self.details = None
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def is_attached(self) -> bool:
        """Whether the session is joined."""
        return self._session is not None and self._session.is_attached()

    # -- requests

    def call(
        self, procedure: str, *args: Any, options: CallOptions | None = None, **kwargs: Any
    ) -> Any:
        """Call a procedure and wait for its result."""
        if options is None:
            options = CallOptions(timeout=self.timeout)
        limit = options.timeout + 5 if options.timeout is not None else None
        return self._ask(lambda s: s.call(procedure, *args, options=options, **kwargs), limit)

    def publish(
        self, topic: str, *args: Any, options: PublishOptions | None = None, **kwargs: Any
    ) -> Any:
        """Publish an event; with acknowledge, wait for the broker's."""
        if options is not None:
            kwargs["options"] = options
        return self._ask(lambda s: s.publish(topic, *args, **kwargs), self.timeout)

    def register(
        self,
        endpoint: Callable[..., Any],
        procedure: str,
        options: RegisterOptions | None = None,
    ) -> Any:
        """Register a function; it is called in a thread of its own. The Registration."""
        target = self._in_thread(endpoint)
        return self._ask(lambda s: s.register(target, procedure, options), self.timeout)

    def subscribe(
        self,
        handler: Callable[..., Any],
        topic: str,
        options: SubscribeOptions | None = None,
    ) -> Any:
        """Subscribe a function; it is called in a thread of its own. The Subscription."""
        target = self._in_thread(handler)
        return self._ask(lambda s: s.subscribe(target, topic, options), self.timeout)

    def unregister(self, registration: Any) -> None:
        """End a registration."""
        self._ask(lambda s: registration.unregister(), self.timeout)

    def unsubscribe(self, subscription: Any) -> None:
        """End a subscription."""
        self._ask(lambda s: subscription.unsubscribe(), self.timeout)

    def _in_thread(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):
            return function

        async def call(*args: Any, **kwargs: Any) -> Any:
            assert self._room is not None
            context = contextvars.copy_context()
            async with self._room:
                return await _in_daemon(functools.partial(context.run, function, *args, **kwargs))

        return call

    def _ask(self, request: Callable[[Session], Any], limit: float | None) -> Any:
        session = self._session
        if session is None:
            raise TransportError(f"{self.url}: not open: call open(), or use `with`")

        async def ask() -> Any:
            if not session.is_attached():
                raise TransportLost(
                    f"{self.url}: the session has ended ({self._why}): close() and open() it again"
                )
            found = request(session)
            return await found if inspect.isawaitable(found) else found

        return self._do(ask(), limit)

    def _do(self, steps: Any, limit: float | None) -> Any:
        loop = self._loop
        if loop is None or threading.current_thread() is self._thread:
            steps.close()
            raise Error("a blocking call in the session's own thread would wait for ever")
        future = asyncio.run_coroutine_threadsafe(steps, loop)
        try:
            return future.result(limit)
        except concurrent.futures.CancelledError:
            raise ApplicationError(ApplicationError.CANCELED) from None
        except TimeoutError:
            future.cancel()
            raise RequestTimeout(f"{self.url}: no answer within {limit:g} s") from None
        except KeyboardInterrupt:
            future.cancel()
            raise


async def _in_daemon(function: Callable[[], Any]) -> Any:
    """What a function returns that may block; a thread of a pool would keep the program alive."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(error: BaseException | None, value: Any) -> None:
        if done.done():
            return  # the call was cancelled
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(value)

    def run() -> None:
        error: BaseException | None = None
        value = None
        try:
            value = function()
        except StopIteration as e:
            error = RuntimeError(f"StopIteration: {e}")  # a future cannot have it
        except BaseException as e:
            error = e
        try:
            loop.call_soon_threadsafe(settle, error, value)
        except RuntimeError:
            pass  # the session is closed: nobody waits for it

    threading.Thread(target=run, name="microwamp-handler", daemon=True).start()
    return await done


async def _leave(session: Session) -> None:
    if session.is_attached():
        await session.leave()
    elif session.is_connected():
        session.disconnect()
        await session._when_gone()
