"""How a client runs the handlers of its program, and answers for them."""

import asyncio

from ._port import is_coroutine
from .errors import ApplicationError, Error, LocalProtocolError, TransportLost
from .messages import check_uri
from .requests import Result

_TASKS = 64  # handlers under way that are coroutines; each is about 300 octets and its arguments


class Handlers:
    """The part of a client that calls handlers; needs _protocol, session and _log of it."""

    def __init__(self):
        self.dropped = 0  # events dropped because too many handlers were under way
        self._tasks = set()

    def _event(self, declaration, report):
        args, kwargs = report[4], report[5]
        if declaration.details:
            details = report[3]
            details["publication"] = report[2]
            args = list(args) + [details]
        try:
            value = declaration.handler(*args, **kwargs)
        except Exception as e:
            self._blame(declaration, e)
            return
        if is_coroutine(value):
            if len(self._tasks) >= _TASKS:
                self.dropped += 1
                value.close()
            else:
                self._spawn(self._finish_event(declaration, value))

    async def _finish_event(self, declaration, value):
        try:
            await value
        except Exception as e:
            self._blame(declaration, e)

    def _blame(self, declaration, error):
        self._log("handler of %s: %s: %s" % (declaration.uri, type(error).__name__, error))

    def _spawn(self, coroutine):
        task = asyncio.create_task(self._tracked(coroutine))
        self._tasks.add(task)

    async def _tracked(self, coroutine):
        try:
            await coroutine
        finally:
            self._tasks.discard(asyncio.current_task())

    def _invocation(self, report):
        declaration, request = report[1], report[2]
        args, kwargs = report[4], report[5]
        if declaration.details:
            args = list(args) + [report[3]]
        try:
            value = declaration.handler(*args, **kwargs)
        except Exception as e:
            self._fail(declaration, request, e)
            return
        if is_coroutine(value):
            self._spawn(self._finish_invocation(declaration, request, value))
        else:
            self._answer(declaration, request, value)

    async def _finish_invocation(self, declaration, request, value):
        session = self.session
        try:
            value = await value
        except Exception as e:
            if session == self.session:
                self._fail(declaration, request, e)
            return
        # An answer of an earlier session must not settle an invocation of this one.
        if session == self.session:
            self._answer(declaration, request, value)

    def _answer(self, declaration, request, value):
        if isinstance(value, Result):
            args, kwargs = list(value.args), value.kwargs
        else:
            args, kwargs = ([] if value is None else [value]), None
        try:
            self._protocol.answer(request, args, kwargs)
        except LocalProtocolError as e:
            # What cannot be encoded, or is too long for the router: the caller must not wait.
            uri = ApplicationError.INVALID_PAYLOAD
            if "octets" in str(e):
                uri = ApplicationError.PAYLOAD_SIZE_EXCEEDED
            self._fail(declaration, request, ApplicationError(uri, str(e)))
        except TransportLost as e:
            self._blame(declaration, e)

    def _fail(self, declaration, request, error):
        if isinstance(error, ApplicationError) and self._may_be_sent(error):
            uri, args, kwargs = error.error, list(error.args), error.kwargs
        else:
            self._blame(declaration, error)
            uri, kwargs = ApplicationError.RUNTIME_ERROR, None
            args = [("%s: %s" % (type(error).__name__, error))[:200]]
        try:
            self._protocol.fail(request, uri, args, kwargs)
        except LocalProtocolError as e:
            self._protocol_fail_short(request, uri, str(e))
        except TransportLost as e:
            self._blame(declaration, e)

    def _may_be_sent(self, error):
        """crossbar resets the connection for an ERROR whose URI is none."""
        try:
            check_uri(error.error, "error")
        except LocalProtocolError:
            return False
        return True

    def _protocol_fail_short(self, request, uri, text):
        """The error itself could not be sent: its URI can."""
        try:
            self._protocol.fail(request, uri, [text[:200]])
        except Error as e:
            self._log("an error could not be sent: %s" % e)
