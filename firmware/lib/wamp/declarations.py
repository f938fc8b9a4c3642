"""What a client declares and keeps up across sessions, and how it runs the handlers of that."""

import asyncio

from ._port import COROUTINE
from .errors import Error, LocalProtocolError, TransportLost
from .messages import check_options, check_uri
from .requests import Result

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_SUBSCRIBE = const(32)
_REGISTER = const(64)
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
        client._due.discard(self)
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


class Declarations:
    """The part of a client that declares, and runs handlers; needs the rest of it."""

    def subscribe(self, topic, handler=None, details=False, **options):
        """Declare a subscription: as a decorator, or with a handler, then returns a Declaration.

        handler(*args, **kwargs) gets the event; with details=True a dictionary as one more
        positional argument (publication, and topic, publisher ... as the router gives them).
        """
        return self._declare(_SUBSCRIBE, topic, handler, details, options)

    def register(self, procedure, handler=None, details=False, **options):
        """Declare a procedure: as a decorator, or with a handler, then returns a Declaration.

        handler(*args, **kwargs) returns a plain value or a Result, or raises ApplicationError to
        answer with one; it may be a coroutine function. details as for `subscribe`.
        """
        return self._declare(_REGISTER, procedure, handler, details, options)

    def _declare(self, code, uri, handler, details, options):
        pattern = options.get("match", "exact") != "exact"
        check_uri(uri, "topic" if code == _SUBSCRIBE else "procedure", pattern)
        check_options(code, options)
        if handler is None:

            def decorate(function):
                self._declare(code, uri, function, details, options)
                return function

            return decorate
        declaration = Declaration(self, code, uri, handler, options, details)
        self._declarations.append(declaration)
        declaration.wake()
        return declaration

    # -- handlers

    def _handle(self, declaration, report):
        """Run the handler for a report of the session: an event or an invocation."""
        kind, _, request, details, args, kwargs = report
        parts = None
        if kwargs is None:
            args = (args,)  # an opaque payload
        if declaration.details:
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

                    parts = prepare(self, declaration, request, details)
                    break
        try:
            value = declaration.handler(*args, **kwargs) if kwargs else declaration.handler(*args)
        except Exception as e:
            from ._failed import handler

            handler(self, declaration, request, e)
            return
        if value is None or type(value) is not COROUTINE:
            if request is not None:
                self._answer(declaration, request, value)
        elif request is None and len(self._tasks) >= _TASKS:
            self.dropped += 1
            value.close()
        else:
            run = [self.session, request, None, declaration, value, parts]
            run[2] = asyncio.create_task(self._finish(run))
            self._tasks[id(run)] = run

    async def _finish(self, run):
        session, request, _, declaration, value, _ = run
        run[4] = None  # it has begun
        error = None
        try:
            value = await value
        except Exception as e:
            error = e
        finally:
            run = self._tasks.pop(id(run), None)
        # Nothing more to say when it was interrupted. And an answer of an earlier session must not
        # settle an invocation of this one.
        if run is None or (request is not None and session != self.session):
            return
        if error is not None:
            from ._failed import handler

            handler(self, declaration, request, error)
        elif request is not None:
            self._answer(declaration, request, value)

    def _answer(self, declaration, request, value):
        args, kwargs, options = (() if value is None else (value,)), None, None
        if isinstance(value, Result):
            args, kwargs, options = value.args, value.kwargs, value.options
            if options:
                args, kwargs = args[0], None  # an opaque payload
        try:
            self._protocol.answer(request, args, kwargs, options)
        except Error as e:
            from ._failed import answer

            answer(self, declaration, request, e)
