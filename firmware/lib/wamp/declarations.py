"""Subscriptions and registrations that a client declares, and keeps up across sessions."""

import asyncio

from ._port import sleep_ms, ticks
from .errors import (
    ApplicationError,
    Error,
    LocalProtocolError,
    RequestTimeout,
    TransportLost,
)
from .messages import REGISTER, SUBSCRIBE, check_options, check_uri

_AGAIN_MAX = 30000


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
        self.refusals = 0  # in this session, because the name was taken
        self._asked = False
        self._settled = asyncio.Event()

    async def confirmed(self, timeout_ms=None):
        """Wait until the router has confirmed; raises its ApplicationError, or RequestTimeout."""
        try:
            await asyncio.wait_for(
                self._settled.wait(), (timeout_ms or self._client.timeout_ms) / 1000
            )
        except asyncio.TimeoutError:
            raise RequestTimeout("%s: the router has not confirmed it" % self.uri)
        if self.error is not None:
            raise self.error
        return self

    async def remove(self):
        """Take it back: unsubscribe or unregister, now and for later sessions."""
        await self._client._undeclare(self)

    def _settle(self, id, error=None):
        self._asked = False
        self.id = id
        self.error = error
        self._settled.set()


class Declarations:
    """The part of a client that declares; needs its requests, _protocol, session and tasks."""

    def __init__(self):
        self._declarations = []
        self._replaying = 0  # answers of the router that `join` waits for
        self._later = []  # declarations that wait for a free slot among the open requests

    def subscribe(self, topic, handler=None, details=False, **options):
        """Declare a subscription: as a decorator, or with a handler, then returns a Declaration.

        handler(*args, **kwargs) gets the event; with details=True a dictionary as one more
        positional argument (publication, and topic, publisher ... as the router gives them).
        """
        check_uri(topic, "topic", options.get("match", "exact") != "exact")
        return self._declaration(SUBSCRIBE, topic, handler, options, details)

    def register(self, procedure, handler=None, details=False, **options):
        """Declare a procedure: as a decorator, or with a handler, then returns a Declaration.

        handler(*args, **kwargs) returns a plain value or a Result, or raises ApplicationError to
        answer with one; it may be a coroutine function. details as for `subscribe`.
        """
        check_uri(procedure, "procedure", options.get("match", "exact") != "exact")
        return self._declaration(REGISTER, procedure, handler, options, details)

    def _declaration(self, code, uri, handler, options, details):
        check_options(code, options)
        if handler is None:

            def decorate(function):
                self._declaration(code, uri, function, options, details)
                return function

            return decorate
        declaration = Declaration(self, code, uri, handler, options, details)
        self._declarations.append(declaration)
        self._declare(declaration)
        return declaration

    async def _undeclare(self, declaration):
        if declaration not in self._declarations:
            return
        self._declarations.remove(declaration)
        if declaration in self._later:
            self._later.remove(declaration)
            self._replayed()
        if self.session is None or declaration.id is None:
            return
        request = self._request(declaration.uri, None)
        try:
            id, declaration.id = declaration.id, None
            if declaration.code == REGISTER:
                request.id = self._protocol.unregister(request, id)
            elif not self._protocol.unsubscribe(request, id, declaration):
                return
            await self._outcome(request)
        except TransportLost:
            return  # and with the session what it had
        finally:
            self._done(request)

    def _declare(self, declaration, counted=False):
        """Send SUBSCRIBE or REGISTER for a declaration, or let it wait until there is room.

        counted: `join` waits for it already.
        """
        if self.session is None or declaration._asked or declaration in self._later:
            return
        protocol = self._protocol
        if self._replaying and not counted:
            self._replaying += 1
        if protocol.full():
            declaration._settled.clear()
            self._later.append(declaration)
            return
        ask = protocol.subscribe if declaration.code == SUBSCRIBE else protocol.register
        declaration._asked = True
        declaration._settled.clear()
        try:
            declaration.request = ask(
                declaration, declaration.uri, declaration, declaration.options
            )
            declaration.at = (ticks() + self.timeout_ms) & 0x3FFFFFFF
            self._alarm.within(self.timeout_ms)
        except LocalProtocolError as e:
            declaration._settle(None, e)
            self._replayed()
        except TransportLost:
            declaration._asked = False  # the reader will notice, and declare anew

    def _withdraw(self, declaration):
        """It was removed while the router was asked: take it back, whatever the answer."""
        try:
            if declaration.code == SUBSCRIBE:
                self._protocol.unsubscribe(None, declaration.id, declaration)
            else:
                self._protocol.forget(self._protocol.unregister(declaration, declaration.id))
        except Error as e:
            self._log("%s: %s" % (declaration.uri, e))
        declaration.id = None

    def _perhaps_again(self, declaration):
        """The router may still hold our former session, and with it the procedure."""
        if getattr(declaration.error, "error", None) == ApplicationError.PROCEDURE_ALREADY_EXISTS:
            self._spawn(self._declare_again(declaration, self.session))

    async def _declare_again(self, declaration, session):
        await sleep_ms(min(1000 << declaration.refusals, _AGAIN_MAX))
        if session == self.session and declaration in self._declarations:
            declaration.refusals = min(declaration.refusals + 1, 5)
            self._declare(declaration)
