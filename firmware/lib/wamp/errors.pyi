from typing import Any, TypeVar

_E = TypeVar("_E", bound=Error)

class Error(Exception): ...
class ConfigurationError(Error): ...
class ProtocolError(Error): ...
class LocalProtocolError(ProtocolError): ...
class RemoteProtocolError(ProtocolError): ...
class TransportError(Error): ...

class HandshakeRefused(TransportError):
    code: int | None

class TransportLost(TransportError): ...
class RequestTimeout(Error): ...
class AuthenticationError(Error): ...

class SessionAborted(Error):
    reason: str
    message: str
    def __init__(self, reason: str, message: str = "") -> None: ...

class ApplicationError(Error):
    INVALID_URI: str
    NO_SUCH_PROCEDURE: str
    PROCEDURE_ALREADY_EXISTS: str
    NO_SUCH_REGISTRATION: str
    NO_SUCH_SUBSCRIPTION: str
    INVALID_ARGUMENT: str
    RUNTIME_ERROR: str
    CANCELED: str
    TIMEOUT: str
    UNAVAILABLE: str
    NOT_AUTHORIZED: str
    NO_SUCH_REALM: str
    PROTOCOL_VIOLATION: str
    PAYLOAD_SIZE_EXCEEDED: str
    INVALID_PAYLOAD: str
    error: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    details: dict[str, Any] | None
    def __init__(self, error: str, *args: Any, **kwargs: Any) -> None: ...

def say(error: type[_E], key: str, *values: object) -> _E: ...
