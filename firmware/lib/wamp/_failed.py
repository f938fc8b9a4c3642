"""What went wrong in a handler, with its answer, or with a request; loaded when it does."""

from .errors import ApplicationError, Error, LocalProtocolError, RequestTimeout, TransportLost
from .messages import check_uri


def handler(client, declaration, request, error):
    """Log what a handler raised; answer an invocation (request is not None) with it."""
    uri, args, kwargs, options = "wamp.error.runtime_error", None, None, None
    if request is not None and isinstance(error, ApplicationError):
        try:
            # crossbar resets the connection for an ERROR whose URI is none.
            check_uri(error.error, "error")
            uri, args, kwargs = error.error, error.args, error.kwargs
            if error.details and len(args) == 1 and type(args[0]) is bytes:
                options = {}
                for name, value in error.details.items():
                    if name[:4] in ("ppt_", "enc_"):
                        options[name] = value
                if options:
                    args = args[0]
        except LocalProtocolError:
            pass
    if args is None:
        text = "%s: %s" % (type(error).__name__, error)
        args = (text[:200],)
        client._log("handler of %s: %s" % (declaration.uri, text))
    if request is None:
        return
    for _ in (1, 2):
        try:
            client._protocol.fail(request, uri, args, kwargs, options)
            return
        except LocalProtocolError as e:
            # The error itself could not be sent: its URI can.
            args, kwargs, options = (str(e)[:200],), None, None
        except TransportLost:
            return


def answer(client, declaration, request, error):
    """A result that cannot be encoded, or is too long for the router: the caller must not wait."""
    if not isinstance(error, TransportLost):
        what = "payload_size_exceeded" if "octets" in str(error) else "invalid_payload"
        error = ApplicationError("wamp.error." + what, str(error))
        handler(client, declaration, request, error)


def late(request):
    """The error for a request whose time is up."""
    what = "session" if request.id is None else "answer"
    text = "%s: no %s within %d ms" % (request.name, what, request.timeout_ms)
    return RequestTimeout(text)


def cancel(client, request, mode):
    """Nobody waits for a call any more: tell the router, if it wants to know."""
    try:
        client._protocol.cancel(request, mode)
    except Error as e:
        client._log("CANCEL could not be sent: %s" % e)
