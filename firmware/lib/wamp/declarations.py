"""What a client declares and keeps up across sessions, and how it runs the handlers of that.

Loaded with a program's first subscription or registration: who only publishes and calls does
without. Part of the I/O edge.
"""

import asyncio

from ._port import COROUTINE
from .errors import Error, LocalProtocolError, TransportLost
from .messages import check_uri
from .results import Result

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_SUBSCRIBE = const(32)
_HAPPENED = const(7)

_TASKS = const(64)  # coroutine handlers of events under way; each is some 300 octets


class Declaration:
    """A subscription or registration that the client keeps up across sessions.

    uri, options as declared. id: the router's, None while there is none. error: why the router
    refused, None if it did not.
    """

    def __init__(self, client, code, uri, handler, options, details):
        self._client = client
        self.code = code
        self.uri = uri
        self.handler = handler
        self.options = options
        self.details = details
        self.id = None
        self.error = None
        self.request = None  # while the router owes an answer
        self.refusals = 0  # in this session, because the name was taken
        self.settled = False  # answered, or given up

    async def confirmed(self, timeout_ms=None):
        """Wait until the router has confirmed; raises its ApplicationError, or RequestTimeout."""
        from ._declared import confirmed

        return await confirmed(self, timeout_ms)

    async def remove(self):
        """Take it back: unsubscribe or unregister, now and for later sessions."""
        from ._declared import remove

        await remove(self)

    def wake(self):
        """Send SUBSCRIBE or REGISTER, or wait until there is room."""
        client = self._client
        protocol = client._protocol
        if client.session is None or self.request is not None or self in client._waiting:
            return
        self.settled = False
        if protocol.full():
            client._waiting.append(self)
            return
        ask = protocol.subscribe if self.code == _SUBSCRIBE else protocol.register
        try:
            self.request = ask(self, self.uri, self, self.options)
            client._within(self, client.timeout_ms)
        except LocalProtocolError as e:
            self.settle(None, e)
        except TransportLost:
            pass  # the reader will notice, and declare anew

    def settle(self, id, error=None):
        """The router's answer, or why there is none."""
        client = self._client
        self.request = None
        client._due.pop(self, None)
        if isinstance(error, TransportLost):
            return
        self.id = id
        self.error = error
        self.settled = True
        client._changed.set()
        client._changed.clear()
        if error is not None or self not in client._declarations:
            from ._declared import settled

            settled(self, error)
        client._perhaps_up()

    def expire(self):
        """The router has not answered; or it is time to ask again for a name that was taken."""
        request = self.request
        if request is None:
            self.wake()
        else:
            client = self._client
            client._protocol.forget(request)
            from ._declared import late

            self.settle(None, late(self, client.timeout_ms))

    def handle(self, report):
        """Run the handler for a report of the session: an event or an invocation."""
        kind, _, request, details, args, kwargs = report
        client = self._client
        parts = None
        if kwargs is None:
            args = (args,)  # an opaque payload
        if self.details:
            if kind == _HAPPENED:
                details["publication"] = request
            args = list(args)
            args.append(details)
        if kind == _HAPPENED:
            request = None
        elif details:
            for name in ("receive_progress", "progress", "timeout"):
                if name in details:
                    from .progress import prepare

                    parts = prepare(client, self, request, details)
                    break
        try:
            value = self.handler(*args, **kwargs) if kwargs else self.handler(*args)
        except Exception as e:
            from ._failed import handler

            handler(client, self, request, e)
            return
        if value is None or type(value) is not COROUTINE:
            if request is not None:
                _answer(client, self, request, value)
        elif request is None and len(client._tasks) >= _TASKS:
            client.dropped += 1
            value.close()
        else:
            run = [client.session, request, None, self, value, parts]
            run[2] = asyncio.create_task(_finish(client, run))
            client._tasks[id(run)] = run


def declare(client, code, uri, handler, details, options):
    """A Declaration of the client; where no handler is given, a decorator that makes one."""
    pattern = options.get("match", "exact") != "exact"
    check_uri(uri, "topic" if code == _SUBSCRIBE else "procedure", pattern)
    if options:
        from .options import check

        check(code, options)
    if handler is None:

        def decorate(function):
            declare(client, code, uri, function, details, options)
            return function

        return decorate
    declaration = Declaration(client, code, uri, handler, options, details)
    client._declarations.append(declaration)
    declaration.wake()
    return declaration


async def _finish(client, run):
    session, request, _, declaration, value, _ = run
    run[4] = None  # it has begun
    error = None
    try:
        try:
            value = await value
        except Exception as e:
            error = e
        finally:
            run = client._tasks.pop(id(run), None)
        # Nothing more to say when it was interrupted. And an answer of an earlier session must not
        # settle an invocation of this one.
        if run is None or (request is not None and session != client.session):
            return
        if error is not None:
            from ._failed import handler

            handler(client, declaration, request, error)
        elif request is not None:
            _answer(client, declaration, request, value)
    except MemoryError as e:
        if request is not None and session == client.session:
            client.starved(e)


def _answer(client, declaration, request, value):
    args, kwargs, options = (() if value is None else (value,)), None, None
    if isinstance(value, Result):
        args, kwargs, options = value.args, value.kwargs, value.options
        if options:
            args, kwargs = args[0], None  # an opaque payload
    try:
        client._protocol.answer(request, args, kwargs, options)
    except Error as e:
        from ._failed import answer

        answer(client, declaration, request, e)
