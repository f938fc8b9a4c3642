"""Errors that come from outside and that a session which goes well never meets: loaded with the
first of them. They belong to `errors`, and can be had from there."""

from .errors import Error, TransportError


class HandshakeRefused(TransportError):
    """The router refused the RawSocket handshake.

    code: the error code of the reply (WAMP advanced profile, RawSocket: 1 serializer unsupported,
    2 maximum message length unacceptable, 3 use of reserved bits, 4 maximum connection count
    reached), or None where the connection ended or spoke something else.
    """

    code = None


class RequestTimeout(Error):
    """No answer within the request's `timeout_ms`; a late answer will be dropped."""


class SessionAborted(Error):
    """The router ended the session, or refused it, with ABORT or GOODBYE.

    reason: URI as sent by the router (WAMP basic profile, ABORT and GOODBYE).
    message: its text, "" if none.
    """

    def __init__(self, reason, message=""):
        super().__init__(reason + (": " + message if message else ""))
        self.reason = reason
        self.message = message


class ApplicationError(Error):
    """A WAMP ERROR: raised by `call` and friends, and raised by handlers to answer with one.

    error: URI; args: tuple; kwargs: dict of the ERROR's payload (WAMP basic profile, ERROR).
    details: the ERROR's. With `ppt_scheme` or `enc_algo` in them the only argument is an opaque
    payload; a handler may set them so for its own. The URIs of WAMP's own errors are
    attributes of this class, on MicroPython once `wamp.uris` is imported.
    """

    details = None

    def __init__(self, error, *args, **kwargs):
        super().__init__(*args)
        self.error = error
        self.args = args
        self.kwargs = kwargs

    def __str__(self):
        from .words import described

        return described(self)
