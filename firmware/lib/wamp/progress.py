"""Calls and invocations of more than one part, and what ends them early; loaded when one occurs.

Progressive results, progressive call invocations, INTERRUPT, time limits that a dealer forwards,
and opaque payloads. Part of the I/O edge.
"""

import asyncio

from ._failed import handler
from ._line import room
from .errors import ApplicationError
from .messages import check_uri
from .options import check
from .requests import Request
from .results import Result

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_CALL = const(48)
_INTERRUPTED = const(9)
_PROGRESSED = const(11)
_CONTINUED = const(12)

_PARTS = 16  # parts of an invocation that wait for their handler; one more ends it


def act(client, kind, report):
    """What rarely happens; see session's constants."""
    if kind == _PROGRESSED:
        _progressed(client, *report[1:])
    elif kind == _CONTINUED:
        run = _run(client, report[2])
        if run is not None and run[5] is not None:
            run[5].put(client, *report[2:])
    elif kind == _INTERRUPTED:
        interrupt(client, report[1], "wamp.error.canceled")


def _progressed(client, request, args, kwargs, details):
    function = getattr(request, "on_progress", None)
    if function is None or request.settled:
        return  # nobody asked for it
    client._within(request, request.timeout_ms)
    if type(args) is bytes:
        args, kwargs = (args,), {}
    try:
        value = function(*args, **kwargs)
        if hasattr(value, "close") and hasattr(value, "send"):
            value.close()
            raise TypeError("a plain function is needed, this is a coroutine function")
    except Exception as e:
        client._log("on_progress of %s: %s: %s" % (request.name, type(e).__name__, e))


def _run(client, request):
    """The handler under way for an invocation of this session."""
    for run in client._tasks.values():
        if run[1] == request and run[0] == client.session:
            return run
    return None


def interrupt(client, request, uri):
    """End the handler of an invocation, and answer with an error. Its own answer is dropped."""
    run = _run(client, request)
    if run is not None:
        client._tasks.pop(id(run))
        run[2].cancel()
        if run[4] is not None:
            run[4].close()  # it had not begun, and never will
        handler(client, run[3], request, ApplicationError(uri))


def prepare(client, declaration, request, details):
    """Give a handler what belongs to its invocation: details["progress"] and details["receive"],
    and the time limit of a caller. Returns the parts that are still to come, or None."""
    parts = None
    more = details.pop("progress", None) is True
    if declaration.details:
        if details.get("receive_progress") is True:
            details["progress"] = _progress(client, request)
        if more:
            parts = _Parts()
            details["receive"] = parts.receive
    ms = details.get("timeout")
    if type(ms) is int and ms > 0 and declaration.options.get("forward_timeout"):
        client._within(_TimeLimit(client, request), min(ms, 0x1FFFFFFF))
    return parts


def _progress(client, request):
    session = client.session

    def progress(*args, kwargs=None, **options):
        """Send a progressive result; returns whether anybody wants more of them."""
        if client.session != session:
            return False
        if options and len(args) == 1:
            args = args[0]  # an opaque payload
        return client._protocol.progress(request, args, kwargs, options)

    return progress


class _TimeLimit:
    """The time that a caller gives a procedure registered with forward_timeout."""

    def __init__(self, client, request):
        self._client = client
        self._session = client.session
        self._request = request

    def expire(self):
        if self._session == self._client.session:
            try:
                interrupt(self._client, self._request, "wamp.error.timeout")
            except MemoryError as e:
                self._client.starved(e)

    def settle(self, value, error=None):
        """The client ends, and its time limits with it."""


class _Parts:
    """The further parts of an invocation, in the order of their coming."""

    def __init__(self):
        self._parts = []
        self._event = asyncio.Event()
        self._end = False
        self._lost = None

    def put(self, client, request, details, args, kwargs):
        if len(self._parts) >= _PARTS:
            interrupt(client, request, "wamp.error.unavailable")
            return
        if type(args) is bytes:
            args, kwargs = (args,), {}
        self._parts.append((args, kwargs))
        self._end = details.get("progress") is not True
        self._event.set()

    def lose(self, error):
        """The session ended: no more will come."""
        self._lost = error
        self._event.set()

    async def receive(self):
        """The next part as a Result; None after the last. Raises TransportLost."""
        while not self._parts:
            if self._lost is not None:
                raise self._lost
            if self._end:
                return None
            self._event.clear()
            await self._event.wait()
        args, kwargs = self._parts.pop(0)
        found = Result(*args)
        found.kwargs = kwargs or {}
        return found


class _Open(Request):
    """A request for which nobody may be waiting when its time is up."""

    def expire(self):
        Request.expire(self)
        self.done()


class ProgressiveCall:
    """A call whose arguments go out part by part (progressive call invocations).

    Each `send` is a part and starts `timeout_ms` anew, `finish` is the last one and returns the
    result as `Client.call` does. Needs a router that announces the feature: LocalProtocolError
    otherwise. options as for `Client.call`; they go out with the first part.
    """

    def __init__(
        self,
        client,
        procedure,
        timeout_ms=None,
        on_progress=None,
        cancel_mode="killnowait",
        **options,
    ):
        check_uri(procedure, "procedure")
        check(_CALL, options)
        self._client = client
        self._procedure = procedure
        self._settings = timeout_ms, cancel_mode, on_progress
        self._options = options
        self._request = None

    async def send(self, *args, kwargs=None):
        """Send a part. Returns whether more is wanted: False once the answer is there."""
        return await self._send(args, kwargs, {"progress": True})

    async def finish(self, *args, kwargs=None):
        """Send the last part, and wait for the result."""
        try:
            await self._send(args, kwargs, {})
            return await self._request.outcome()
        finally:
            self.cancel()

    def cancel(self):
        """Give it up, if it is not answered yet."""
        if self._request is not None:
            self._request.done()

    async def _send(self, args, kwargs, options):
        client = self._client
        request = self._request
        if request is not None:
            if request.settled:
                return False
            client._within(request, request.timeout_ms)
            return client._protocol.call_on(request.id, self._procedure, args, kwargs, options)
        self._request = request = _Open(client, self._procedure, *self._settings)
        options.update(self._options)
        if request.on_progress is not None:
            options["receive_progress"] = True
        try:
            await room(client, request)
            request.id = client._protocol.call(request, self._procedure, args, kwargs, options)
        except BaseException:
            request.done()
            raise
        return True
