"""The one exception tree: the class of an error tells whose fault it was and what to do next."""


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

    def __init__(self, message, code=None):
        super().__init__(message)
        self.code = code


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
    """

    INVALID_URI = "wamp.error.invalid_uri"
    NO_SUCH_PROCEDURE = "wamp.error.no_such_procedure"
    PROCEDURE_ALREADY_EXISTS = "wamp.error.procedure_already_exists"
    NO_SUCH_REGISTRATION = "wamp.error.no_such_registration"
    NO_SUCH_SUBSCRIPTION = "wamp.error.no_such_subscription"
    INVALID_ARGUMENT = "wamp.error.invalid_argument"
    RUNTIME_ERROR = "wamp.error.runtime_error"
    CANCELED = "wamp.error.canceled"
    TIMEOUT = "wamp.error.timeout"
    UNAVAILABLE = "wamp.error.unavailable"
    NOT_AUTHORIZED = "wamp.error.not_authorized"
    NO_SUCH_REALM = "wamp.error.no_such_realm"
    PROTOCOL_VIOLATION = "wamp.error.protocol_violation"
    PAYLOAD_SIZE_EXCEEDED = "wamp.error.payload_size_exceeded"
    INVALID_PAYLOAD = "wamp.error.invalid_payload"

    def __init__(self, error, *args, **kwargs):
        super().__init__(*args)
        self.error = error
        self.args = args
        self.kwargs = kwargs

    def __str__(self):
        text = str(self.error)
        if self.args:
            text += ": " + ", ".join([str(a) for a in self.args])
        if self.kwargs:
            text += " " + str(self.kwargs)
        return text
