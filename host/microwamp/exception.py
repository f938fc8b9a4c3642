"""The exceptions of the WAMP API: the core's tree (`wamp.errors`) with the names of the API added.

`Error`, `ProtocolError`, `TransportLost` and the others that are imported here are the core's own
classes, so that one `except` serves `microwamp.Client` and the message API.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from wamp import errors as _core
from wamp.errors import (
    AuthenticationError,
    ConfigurationError,
    Error,
    HandshakeRefused,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    RequestTimeout,
    SessionAborted,
    TransportError,
    TransportLost,
)

__all__ = [
    "ApplicationError",
    "AuthenticationError",
    "ConfigurationError",
    "Error",
    "HandshakeRefused",
    "InvalidPayload",
    "InvalidUri",
    "InvalidUriError",
    "LocalProtocolError",
    "NotAuthorized",
    "ProtocolError",
    "RemoteProtocolError",
    "RequestTimeout",
    "SerializationError",
    "SessionAborted",
    "SessionNotReady",
    "TransportError",
    "TransportLost",
    "TypeCheckError",
    "error",
]

_AnyException = TypeVar("_AnyException", bound=type[BaseException])


def error(uri: str) -> Callable[[_AnyException], _AnyException]:
    """Decorator that gives an exception class the URI it has as a WAMP ERROR.

    A class may have several: `_wampuris` lists them, the one applied last first. The class itself
    keeps what its base classes have. Raises LocalProtocolError for what is not a URI.
    """
    if not isinstance(uri, str) or not uri:
        raise LocalProtocolError(f"error({uri!r}): the URI is to be a string that is not empty")

    def decorate(klass: _AnyException) -> _AnyException:
        if not (isinstance(klass, type) and issubclass(klass, BaseException)):
            raise LocalProtocolError(f"error({uri!r}) decorates exception classes, not {klass!r}")
        own = [uri, *klass.__dict__.get("_wampuris", ())]
        klass._wampuris = own  # type: ignore[attr-defined]
        return klass

    return decorate


class SessionNotReady(Error):
    """The session is not yet joined to a realm, or no longer."""


class SerializationError(Error):
    """The application payload cannot be expressed in the serialization format in use."""


class InvalidUriError(ProtocolError):
    """A URI that WAMP does not allow (WAMP basic profile, URIs)."""


@error("wamp.error.invalid_payload")
class InvalidPayload(Error):
    """Answers an invocation with `wamp.error.invalid_payload`."""


@error("wamp.error.invalid_uri")
class InvalidUri(Error):
    """Answers an invocation with `wamp.error.invalid_uri`."""


@error("wamp.error.not_authorized")
class NotAuthorized(Error):
    """Answers an invocation with `wamp.error.not_authorized`."""


class ApplicationError(_core.ApplicationError):
    """A WAMP ERROR: what a call raises, and what a procedure raises to answer with one.

    error: URI. args: tuple, kwargs: dict, the payload. The keywords enc_algo, callee,
    callee_authid, callee_authrole and forward_for are not payload; they become the attributes of
    these names (None if not given).
    """

    INVALID_URI = "wamp.error.invalid_uri"
    NO_SUCH_PROCEDURE = "wamp.error.no_such_procedure"
    PROCEDURE_ALREADY_EXISTS = "wamp.error.procedure_already_exists"
    PROCEDURE_EXISTS_INVOCATION_POLICY_CONFLICT = (
        "wamp.error.procedure_exists_with_different_invocation_policy"
    )
    NO_SUCH_REGISTRATION = "wamp.error.no_such_registration"
    NO_SUCH_SUBSCRIPTION = "wamp.error.no_such_subscription"
    NO_SUCH_SESSION = "wamp.error.no_such_session"
    NO_SUCH_REALM = "wamp.error.no_such_realm"
    NO_SUCH_ROLE = "wamp.error.no_such_role"
    NO_SUCH_PRINCIPAL = "wamp.error.no_such_principal"
    NO_ELIGIBLE_CALLEE = "wamp.error.no_eligible_callee"
    NO_AUTH_METHOD = "wamp.error.no_auth_method"
    INVALID_ARGUMENT = "wamp.error.invalid_argument"
    INVALID_PAYLOAD = "wamp.error.invalid_payload"
    PAYLOAD_SIZE_EXCEEDED = "wamp.error.payload_size_exceeded"
    TYPE_CHECK_ERROR = "wamp.error.type_check_error"
    NOT_AUTHORIZED = "wamp.error.not_authorized"
    AUTHORIZATION_FAILED = "wamp.error.authorization_failed"
    AUTHENTICATION_FAILED = "wamp.error.authentication_failed"
    CANCELED = "wamp.error.canceled"
    TIMEOUT = "wamp.error.timeout"
    SYSTEM_SHUTDOWN = "wamp.error.system_shutdown"
    CLOSE_REALM = "wamp.error.close_realm"
    GOODBYE_AND_OUT = "wamp.error.goodbye_and_out"
    ENC_NO_PAYLOAD_CODEC = "wamp.error.no_payload_codec"
    ENC_TRUSTED_URI_MISMATCH = "wamp.error.encryption.trusted_uri_mismatch"
    ENC_DECRYPT_ERROR = "wamp.error.encryption.decrypt_error"

    def __init__(self, error: str, *args: Any, **kwargs: Any) -> None:
        self.enc_algo: str | None = kwargs.pop("enc_algo", None)
        self.callee: int | None = kwargs.pop("callee", None)
        self.callee_authid: str | None = kwargs.pop("callee_authid", None)
        self.callee_authrole: str | None = kwargs.pop("callee_authrole", None)
        self.forward_for: list[dict[str, Any]] | None = kwargs.pop("forward_for", None)
        super().__init__(error, *args, **kwargs)

    def error_message(self) -> str:
        """The URI, a colon, and the positional arguments separated by spaces."""
        return f"{self.error}: {' '.join(str(argument) for argument in self.args)}"


class TypeCheckError(ApplicationError):
    """A procedure was called, or a topic published to, with arguments of the wrong types."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(ApplicationError.TYPE_CHECK_ERROR, *args, **kwargs)
