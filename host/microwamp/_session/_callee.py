"""The callee's half of a session."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from ..exception import ApplicationError, Error, LocalProtocolError, SerializationError
from ..request import InvocationRequest, RegisterRequest, Registration, UnregisterRequest
from ..types import CallDetails, CallResult, RegisterOptions
from ._declare import (
    Target,
    check_options,
    declare_all,
    prepared,
    text_of,
    told,
)
from ._life import Life
from ._payload import decode, encode, encode_error

PARTS = 1024  # parts of an invocation that wait for their handler; one more ends it


class Registering(RegisterRequest):
    """A registration that was asked for. entry: what it becomes."""

    __slots__ = ("entry",)

    def __init__(self, on_reply: Any, entry: Registration) -> None:
        super().__init__(0, on_reply, entry.procedure, entry.endpoint)
        self.entry = entry


class Unregistering(UnregisterRequest):
    """The end of a registration that was asked for. entry: what ends."""

    __slots__ = ("entry",)

    def __init__(self, on_reply: Any, entry: Registration) -> None:
        super().__init__(0, on_reply, entry.id)
        self.entry = entry


class Running(InvocationRequest):
    """An invocation that is being answered.

    on_reply: the task of its coroutine. parts: those still to come. uri: the procedure. encoded:
    whether its payload was; then so is the answer.
    """

    __slots__ = ("generation", "parts", "timer", "uri")

    def __init__(self, request_id: int, uri: str, generation: int) -> None:
        super().__init__(request_id, None)
        self.uri = uri
        self.generation = generation
        self.parts: _Parts | None = None
        self.timer: asyncio.TimerHandle | None = None


class _Parts:
    """The further parts of a call, in the order of their coming."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[CallResult | Exception | None] = asyncio.Queue()
        self._ended: Exception | bool = False

    def put(self, part: CallResult, last: bool) -> bool:
        """False if there are too many."""
        if self._queue.qsize() >= PARTS:
            return False
        self._queue.put_nowait(part)
        if last:
            self._queue.put_nowait(None)
        return True

    def lose(self, error: Exception) -> None:
        self._queue.put_nowait(error)

    async def receive(self) -> CallResult | None:
        """The next part; None after the last. TransportLost: the session has ended."""
        if self._ended is True:
            return None
        if isinstance(self._ended, Exception):
            raise self._ended
        found = await self._queue.get()
        if found is None:
            self._ended = True
        elif isinstance(found, Exception):
            self._ended = found
            raise found
        return found


class Callee(Life):
    """Offers procedures."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self._running: dict[int, Running] = {}
        self._acts[8:10] = [self._invoked, self._interrupted]
        self._acts[12] = self._continued

    @property
    def invocations(self) -> list[InvocationRequest]:
        """The invocations that are being answered by coroutines."""
        return list(self._running.values())

    # -- registering

    def register(
        self,
        endpoint: Callable[..., Any] | Any,
        procedure: str | None = None,
        options: RegisterOptions | None = None,
        prefix: str | None = None,
        check_types: bool | None = None,
    ) -> Any:
        self._check()
        check_options(options, RegisterOptions, "register")
        if procedure is not None:
            if not callable(endpoint):
                raise LocalProtocolError(f"register: {endpoint!r} cannot be called")
            uri = (prefix or "") + procedure
            return self._register(endpoint, None, uri, options, check_types)

        def make(
            function: Any, obj: Any, uri: str, options: Any, check_types: bool | None
        ) -> asyncio.Future[Any]:
            return self._register(function, obj, (prefix or "") + uri, options, check_types)

        return declare_all("register", endpoint, options, check_types, make)

    def _register(
        self, function: Any, obj: Any, uri: str, options: Any, check_types: bool | None
    ) -> asyncio.Future[Any]:
        uri, wire, made = prepared("procedure", function, obj, uri, options, check_types)
        entry = Registration(self, 0, uri, made)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        request = Registering(future, entry)
        request.request_id = self._protocol.register(request, uri, entry, wire)
        return future

    def _unregister(self, registration: Registration) -> asyncio.Future[Any]:
        self._check()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        request = Unregistering(future, registration)
        request.request_id = self._protocol.unregister(request, registration.id)
        return future

    # -- invocations

    def _invoked(self, report: tuple[Any, ...]) -> None:
        _, entry, request, details, args, kwargs = report
        made: Target = entry.endpoint
        try:
            if not details and made.details_arg is None and type(args) is not bytes:
                found = made.call(args, kwargs)
                if hasattr(found, "__await__"):
                    self._run(Running(request, entry.procedure, self._generation), found)
                elif self._codec is None and not isinstance(found, CallResult):
                    self._protocol.answer(request, None if found is None else [found])
                else:
                    self._answer_with(request, entry.procedure, found)
                return
            uri = text_of(details, "procedure") or entry.procedure
            running = Running(request, uri, self._generation)
            found = self._call_with_details(running, entry, details, args, kwargs)
            if hasattr(found, "__await__"):
                self._run(running, found)
            else:
                self._answer_with(request, uri, found)
        except (Exception, asyncio.CancelledError) as e:
            self._raised(request, text_of(details, "procedure") or entry.procedure, e)

    def _call_with_details(
        self,
        running: Running,
        entry: Registration,
        details: dict[str, Any],
        args: Any,
        kwargs: Any,
    ) -> Any:
        made: Target = entry.endpoint
        algorithm = None
        if type(args) is bytes:
            args, kwargs, algorithm = decode(self._codec, False, running.uri, args, details)
        if made.pattern is not None:
            values = made.pattern.values(running.uri)
            if values is None:
                raise ApplicationError(
                    ApplicationError.INVALID_ARGUMENT,
                    f"{running.uri} does not fit {made.pattern.text}",
                )
            kwargs = {**kwargs, **values}
        if details.get("progress") is True:
            running.parts = _Parts()
        ms = details.get("timeout")
        if made.timed and type(ms) is int and ms > 0:
            running.timer = asyncio.get_running_loop().call_later(
                min(ms, 1 << 40) / 1000, self._interrupt, running, ApplicationError.TIMEOUT
            )
        if made.details_arg is not None:
            get = details.get
            wanted = get("receive_progress") is True
            found = told(
                CallDetails,
                {
                    "registration": entry,
                    "progress": self._progress(running) if wanted else None,
                    "enc_algo": algorithm,
                    "receive": running.parts.receive if running.parts is not None else None,
                },
                {
                    "caller": get("caller"),
                    "caller_authid": get("caller_authid"),
                    "caller_authrole": get("caller_authrole"),
                    "procedure": running.uri if made.pattern else get("procedure"),
                    "transaction_hash": get("transaction_hash"),
                    "forward_for": get("forward_for"),
                },
            )
            kwargs = {**kwargs, made.details_arg: found}
        return made.call(args, kwargs)

    def _progress(self, running: Running) -> Callable[..., bool]:
        def progress(*args: Any, **kwargs: Any) -> bool:
            """Send a progressive result; returns whether anybody wants more of them."""
            if running.generation != self._generation:
                return False
            payload, named, options = encode(self._codec, False, running.uri, args, kwargs, None)
            return self._protocol.progress(running.request_id, payload, named, options)

        return progress

    def _run(self, running: Running, found: Any) -> None:
        """Answer when a coroutine, or another awaitable, is done."""
        task = asyncio.ensure_future(found)
        running.on_reply = task
        self._running[running.request_id] = running
        task.add_done_callback(lambda _: self._done_running(running, task))

    def _done_running(self, running: Running, task: asyncio.Future[Any]) -> None:
        if running.timer is not None:
            running.timer.cancel()
        error = None if task.cancelled() else task.exception()
        if self._running.get(running.request_id) is not running:
            return  # answered already, or of a session that has ended
        del self._running[running.request_id]
        if task.cancelled():
            self._raised(running.request_id, running.uri, asyncio.CancelledError())
        elif error is not None:
            self._raised(running.request_id, running.uri, error)
        else:
            try:
                self._answer_with(running.request_id, running.uri, task.result())
            except Exception as e:
                self._raised(running.request_id, running.uri, e)

    def _answer_with(self, request: int, uri: str, found: Any) -> None:
        args: Any = None if found is None else [found]
        kwargs: dict[str, Any] | None = None
        if isinstance(found, CallResult):
            args, kwargs = list(found.results), found.kwresults
        options = None
        if self._codec is not None:
            args, kwargs, options = encode(self._codec, False, uri, args, kwargs, None)
        self._protocol.answer(request, args, kwargs, options)

    def _raised(self, request: int, uri: str, error: BaseException) -> None:
        """Answer an invocation with what its endpoint raised, or why its result cannot be sent."""
        if isinstance(error, asyncio.CancelledError):
            self._fail(request, uri, ApplicationError.CANCELED, ["the endpoint cancelled itself"])
            return
        if isinstance(error, SerializationError):
            said: tuple[str, list[Any], dict[str, Any]] = (
                ApplicationError.INVALID_PAYLOAD,
                [str(error)],
                {},
            )
        elif isinstance(error, LocalProtocolError) and "octets" in str(error):
            said = ApplicationError.PAYLOAD_SIZE_EXCEEDED, [str(error)], {}
        else:
            said = self._errors.said(error)
        if self.traceback_app:
            from ._failure import Failure

            said[2].setdefault("traceback", Failure(error).traceback())
        if not isinstance(error, ApplicationError) or said[0] == ApplicationError.TYPE_CHECK_ERROR:
            self._user_error(error, f"procedure {uri}: {type(error).__name__}: {error}")
        self._fail(request, uri, *said)

    def _fail(
        self,
        request: int,
        uri: str,
        error: str,
        args: list[Any],
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        for attempt in range(3):
            try:
                payload, named, options = args, kwargs, None
                if self._codec is not None and attempt < 2:
                    payload, named, options = encode_error(self._codec, uri, error, args, kwargs)
                self._protocol.fail(request, error, payload, named, options)
                return
            except Exception as e:
                # The error itself cannot be sent: why can, or else its URI alone.
                args, kwargs = [f"{e}"[:200]] if attempt == 0 else [], None
                if self._transport is None:
                    return

    def _interrupted(self, report: tuple[Any, ...]) -> None:
        running = self._running.get(report[1])
        if running is not None:
            self._interrupt(running, ApplicationError.CANCELED)

    def _interrupt(self, running: Running, uri: str) -> None:
        """End a coroutine, and answer with an error; its own answer is dropped."""
        if self._running.get(running.request_id) is running:
            del self._running[running.request_id]
            self._fail(running.request_id, running.uri, uri, [])
            running.on_reply.cancel()

    def _continued(self, report: tuple[Any, ...]) -> None:
        _, _, request, details, args, kwargs = report
        running = self._running.get(request)
        if running is None or running.parts is None:
            return
        try:
            if type(args) is bytes:
                args, kwargs, _ = decode(self._codec, False, running.uri, args, details)
        except Error as e:
            self._interrupt(running, getattr(e, "error", ApplicationError.INVALID_PAYLOAD))
            return
        part = CallResult(*args)
        part.kwresults = kwargs or {}
        if not running.parts.put(part, details.get("progress") is not True):
            self._interrupt(running, "wamp.error.unavailable")

    def _let_go(self, lost: Exception) -> None:
        """The session has ended: nobody waits for these answers any more."""
        running, self._running = self._running, {}
        for one in running.values():
            if one.timer is not None:
                one.timer.cancel()
            if one.parts is not None:
                one.parts.lose(lost)
            elif inspect.iscoroutine(getattr(one.on_reply, "get_coro", lambda: None)()):
                one.on_reply.cancel()
