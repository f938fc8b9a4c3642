"""The caller's half of a session."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

from wamp.messages import check_uri

from ..exception import ApplicationError, Error, SessionNotReady
from ..request import CallRequest
from ..types import CallOptions, CallResult
from ._life import Life
from ._payload import decode, encode

_BESIDE = ("callee", "callee_authid", "callee_authrole", "forward_for", "enc_algo")


class CallFuture(asyncio.Future[Any]):
    """The result of a call; to cancel it cancels the call."""

    request: Calling
    session: Caller

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the call; the dealer is told, by the mode of its options."""
        done = super().cancel(msg)
        if done:
            self.session._cancel(self.request)
        return done


class Calling(CallRequest):
    """A call under way. timer: its local time limit. many: whether it may have several parts."""

    __slots__ = ("timer",)

    def __init__(self, procedure: str, on_reply: CallFuture, options: CallOptions | None) -> None:
        self.request_id = 0
        self.procedure = procedure
        self.on_reply = on_reply
        self.options = options
        self.timer: asyncio.TimerHandle | None = None


class OpenCall:
    """A call in parts (progressive call invocations): further parts are sent while it runs.

    Awaited, it gives the result, as `call` does.
    """

    def __init__(self, session: Caller, request: Calling) -> None:
        self._session = session
        self._request = request
        self.result: asyncio.Future[Any] = request.on_reply

    def send(self, *args: Any, **kwargs: Any) -> bool:
        """One more part; False if the call is over already."""
        return self._session._call_on(self._request, args, kwargs, True)

    def finish(self, *args: Any, **kwargs: Any) -> bool:
        """The last part; False if the call is over already."""
        return self._session._call_on(self._request, args, kwargs, False)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.result.__await__()


class Caller(Life):
    """Calls procedures."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self._acts[5:7] = [self._answered, self._failed]
        self._acts[11] = self._progressed

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        options: CallOptions | None = None
        if "options" in kwargs and isinstance(kwargs["options"], CallOptions):
            options = kwargs.pop("options")
        return self._call(procedure, args, kwargs, options).on_reply

    def open_call(self, procedure: str, *args: Any, **kwargs: Any) -> OpenCall:
        """Call a procedure in parts; this is the first. The keyword `options` as in `call`.

        LocalProtocolError: the router has no progressive call invocations.
        """
        options: CallOptions | None = None
        if "options" in kwargs and isinstance(kwargs["options"], CallOptions):
            options = kwargs.pop("options")
        return OpenCall(self, self._call(procedure, args, kwargs, options, {"progress": True}))

    def _call(
        self,
        procedure: str,
        args: Any,
        kwargs: dict[str, Any],
        options: CallOptions | None,
        wire: dict[str, Any] | None = None,
    ) -> Calling:
        if not self._joined:
            self._check()
        check_uri(procedure, "procedure")
        future = CallFuture()
        request = Calling(procedure, future, options)
        future.request = request
        future.session = self
        payload: Any = args
        named: dict[str, Any] | None = kwargs
        if options is not None:
            wire = {**(wire or {}), **options.message_attr()}
            if "timeout" in wire and not self._protocol.router_has("dealer", "call_timeout"):
                # crossbar takes it for seconds. We keep the time ourselves.
                del wire["timeout"]
        if self._codec is not None:
            payload, named, wire = encode(self._codec, True, procedure, args, kwargs, wire)
        request.request_id = self._protocol.call(request, procedure, payload, named, wire)
        if options is not None and options.timeout is not None:
            loop = asyncio.get_running_loop()
            request.timer = loop.call_later(options.timeout, self._overdue, request)
        return request

    def _call_on(
        self, request: Calling, args: Any, kwargs: dict[str, Any] | None, more: bool
    ) -> bool:
        if request.on_reply.done():
            return False
        if not self._joined:
            raise SessionNotReady("no realm is joined any more")
        wire: dict[str, Any] | None = {"progress": True} if more else {}
        uri = request.procedure
        args, kwargs, wire = encode(self._codec, True, uri, args, kwargs, wire)
        return self._protocol.call_on(request.request_id, uri, args, kwargs, wire)

    def _cancel(self, request: Calling) -> None:
        """Nobody waits for a call any more: tell the dealer, if it wants to know."""
        if request.timer is not None:
            request.timer.cancel()
        if not request.request_id or not self._joined:
            return
        mode = (request.options and request.options.cancel_mode) or "killnowait"
        try:
            self._protocol.cancel(request.request_id, mode)
        except Error:
            pass  # it cannot be told
        # crossbar answers nothing to "skip", and nobody needs the other answers.
        self._protocol.forget(request.request_id)

    def _overdue(self, request: Calling) -> None:
        future = request.on_reply
        if not future.done():
            request.timer = None
            self._cancel(request)
            future.set_exception(
                ApplicationError(
                    ApplicationError.TIMEOUT,
                    f"{request.procedure}: no result within {request.options.timeout:g} s",
                )
            )

    # -- answers

    def _answered(self, report: tuple[Any, ...]) -> None:
        request: Calling = report[1]
        args, kwargs = report[2], report[3]
        future = request.on_reply
        if future.done():
            return
        if type(args) is not bytes and not kwargs and len(args) < 2 and request.options is None:
            future.set_result(args[0] if args else None)
            return
        if request.timer is not None:
            request.timer.cancel()
        try:
            future.set_result(self._result(request, args, kwargs, report[4]))
        except Error as e:
            future.set_exception(e)

    def _result(
        self, request: Calling, args: Any, kwargs: dict[str, Any] | None, details: dict[str, Any]
    ) -> Any:
        if type(args) is bytes:
            args, kwargs, _ = decode(self._codec, True, request.procedure, args, details)
        wanted = request.options is not None and request.options.details
        if not wanted and not kwargs and len(args) < 2:
            return args[0] if args else None
        found = CallResult(*args)
        found.kwresults = kwargs or {}
        for name in _BESIDE:
            if name in details:
                setattr(found, name, details[name])
        return found

    def _failed(self, report: tuple[Any, ...]) -> None:
        request, error = report[1], report[2]
        future = request.on_reply
        if future.done():
            return
        if isinstance(request, Calling):
            if request.timer is not None:
                request.timer.cancel()
            details = error.details or {}
            if "enc_algo" in details or "ppt_scheme" in details:
                try:
                    procedure, payload = request.procedure, error.args[0] if error.args else b""
                    args, kwargs, _ = decode(
                        self._codec, True, procedure, payload, details, error.error
                    )
                    error.args, error.kwargs = tuple(args), kwargs
                except ApplicationError as e:
                    future.set_exception(e)
                    return
        future.set_exception(self._errors.raised(error))

    def _progressed(self, report: tuple[Any, ...]) -> None:
        _, request, args, kwargs, details = report
        options = request.options
        if request.on_reply.done() or options is None or options.on_progress is None:
            return
        try:
            if type(args) is bytes:
                args, kwargs, _ = decode(self._codec, True, request.procedure, args, details)
            found = options.on_progress(*args, **kwargs)
        except (Exception, asyncio.CancelledError) as e:
            self._user_error(e, f"on_progress of {request.procedure}: {type(e).__name__}: {e}")
            return
        if hasattr(found, "__await__"):
            self._background(found, f"on_progress of {request.procedure}")

    def _background(self, found: Any, what: str) -> None:
        raise NotImplementedError
