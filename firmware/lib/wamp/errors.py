"""The one exception tree: the class of an error tells whose fault it was and what to do next."""

import sys


class Error(Exception):
    """Base of everything this library raises on purpose."""


class ConfigurationError(Error):
    """A URL, key file, option or argument that cannot work; found before anything is sent."""


class ProtocolError(Error):
    """WAMP, RawSocket, CBOR or the link used against its rules."""


class LocalProtocolError(ProtocolError):
    """Our own side asked for something the protocol does not allow; nothing was sent."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol: the one type for bad octets from a wire, at every layer."""


class TransportError(Error):
    """The transport could not be opened or used; trying again later may help."""


class HandshakeRefused(TransportError):
    """The router refused the RawSocket handshake.

    code: the error code of the reply (WAMP advanced profile, RawSocket: 1 serializer unsupported,
    2 maximum message length unacceptable, 3 use of reserved bits, 4 maximum connection count
    reached), or None where the connection ended or spoke something else.
    """

    code = None


class TransportLost(TransportError):
    """The session ended under a request that was in flight; whether it took effect is unknown."""


class RequestTimeout(Error):
    """No answer within the request's `timeout_ms`; a late answer will be dropped."""


class AuthenticationError(Error):
    """Our side cannot or will not log in this way: no key, a weaker method, a false router."""


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
    details: the ERROR's, None for one of our own. With `ppt_scheme` or `enc_algo` in them the only
    argument is an opaque payload. The URIs of WAMP's own errors are attributes of this class, on
    MicroPython once `wamp.uris` is imported.
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


def say(error, key, *values):
    """An error of this class with the sentence that `words` has under this key."""
    from .words import sentence

    return error(sentence(key, values))


if sys.implementation.name != "micropython":
    __import__("wamp.uris")
