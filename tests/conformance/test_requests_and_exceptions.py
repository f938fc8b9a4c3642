"""Pending requests, registrations and subscriptions; exceptions; interfaces."""

import inspect
from typing import Any

import pytest
from covering import covers

import microwamp
from microwamp import (
    auth,
    cryptobox,
    cryptosign,
    interfaces,
    message,
    request,
    securitymodule,
    serializer,
    types,
)
from microwamp import exception as _exception
from microwamp.exception import ApplicationError, LocalProtocolError
from microwamp.transport import Transport
from wamp import errors

# Values of wrong types are given on purpose.
exception: Any = _exception


class Session:
    def __init__(self) -> None:
        self.ended: list[Any] = []

    def _unregister(self, registration: request.Registration) -> str:
        self.ended.append(registration)
        return "unregistered"

    def _unsubscribe(self, subscription: request.Subscription) -> str:
        self.ended.append(subscription)
        return "unsubscribed"


@covers("request.Registration", "request.Registration.unregister")
@covers("types.Registration", "types.Registration.unregister")
def test_registration() -> None:
    session = Session()
    registration = request.Registration(session, 5, "com.example.p", print)
    assert (registration.id, registration.procedure, registration.active) == (
        5,
        "com.example.p",
        True,
    )
    assert registration.session is session and registration.endpoint is print
    assert "com.example.p" in repr(registration)
    assert registration.unregister() == "unregistered"
    assert session.ended == [registration]
    registration.active = False
    with pytest.raises(LocalProtocolError, match="no longer active"):
        registration.unregister()
    assert len(session.ended) == 1
    assert types.Registration is request.Registration


@covers("request.Subscription", "request.Subscription.unsubscribe")
@covers("types.Subscription", "types.Subscription.unsubscribe")
def test_subscription() -> None:
    session = Session()
    subscription = request.Subscription(5, "com.example.t", session, print)
    assert (subscription.id, subscription.topic, subscription.active) == (5, "com.example.t", True)
    assert subscription.session is session and subscription.handler is print
    assert subscription.unsubscribe() == "unsubscribed"
    subscription.active = False
    with pytest.raises(LocalProtocolError, match="no longer active"):
        subscription.unsubscribe()
    assert session.ended == [subscription]
    assert types.Subscription is request.Subscription
    assert "com.example.t" in repr(subscription)


@covers("request.Publication", "types.Publication")
def test_publication() -> None:
    publication = request.Publication(5, True)
    assert (publication.id, publication.was_encrypted) == (5, True)
    assert repr(publication) == "Publication(id=5, was_encrypted=True)"
    assert types.Publication is request.Publication


@covers("request.Handler", "request.Endpoint")
def test_handler_and_endpoint() -> None:
    for klass in (request.Handler, request.Endpoint):
        plain = klass(print)
        assert (plain.fn, plain.obj, plain.details_arg) == (print, None, None)
        bound = klass(print, self, "details") if (self := object()) else None
        assert bound is not None and bound.obj is self and bound.details_arg == "details"
        assert "print" in repr(bound)


@pytest.mark.parametrize(
    ("klass", "given", "attributes"),
    [
        (request.PublishRequest, (1, "f", True), {"was_encrypted": True}),
        (request.SubscribeRequest, (1, "a.b", "f", "h"), {"topic": "a.b", "handler": "h"}),
        (request.UnsubscribeRequest, (1, "f", 5), {"subscription_id": 5}),
        (request.CallRequest, (1, "a.b", "f", {}), {"procedure": "a.b", "options": {}}),
        (request.InvocationRequest, (1, "f"), {}),
        (request.RegisterRequest, (1, "f", "a.b", "e"), {"procedure": "a.b", "endpoint": "e"}),
        (request.UnregisterRequest, (1, "f", 5), {"registration_id": 5}),
    ],
)
@covers("request.*Request")
def test_requests(klass: Any, given: tuple[Any, ...], attributes: dict[str, Any]) -> None:
    pending = klass(*given)
    assert isinstance(pending, request.Request)
    assert (pending.request_id, pending.on_reply) == (1, "f")
    for name, value in attributes.items():
        assert getattr(pending, name) == value
    assert repr(pending) == f"{klass.__name__}(request_id=1)"


# --- exceptions ----------------------------------------------------------------------------------


@covers("exception.Error", "exception.ProtocolError", "exception.TransportLost")
@covers("exception.SessionNotReady", "exception.SerializationError", "exception.InvalidUriError")
def test_one_tree_with_the_core() -> None:
    assert exception.Error is errors.Error
    assert exception.ProtocolError is errors.ProtocolError
    assert exception.TransportLost is errors.TransportLost
    assert issubclass(exception.InvalidUriError, exception.ProtocolError)
    for name in exception.__all__:
        klass = getattr(exception, name)
        if inspect.isclass(klass):
            assert issubclass(klass, errors.Error), name
            assert klass.__doc__, name
    # Errors of the core and of this package with one except.
    for fault in (
        exception.SessionNotReady("x"),
        exception.SerializationError("x"),
        errors.Error("x"),
    ):
        with pytest.raises(exception.Error):
            raise fault


def test_whose_fault_it_is() -> None:
    with pytest.raises(exception.LocalProtocolError):
        message.Publish(0, "a.b")
    with pytest.raises(exception.RemoteProtocolError):
        message.Publish.parse([16, 0, {}, "a.b"])


@covers("exception.ApplicationError", "exception.ApplicationError.error_message")
@covers("exception.ApplicationError.*")
def test_application_error() -> None:
    hops = [{"session": 7, "authid": "joe", "authrole": "user"}]
    error = ApplicationError(
        "com.example.error", 1, "two", three=3, enc_algo="mqtt", callee=7, forward_for=hops
    )
    assert isinstance(error, errors.ApplicationError)
    assert error.error == "com.example.error"
    assert error.args == (1, "two") and error.kwargs == {"three": 3}
    assert (error.enc_algo, error.callee, error.callee_authid) == ("mqtt", 7, None)
    assert error.callee_authrole is None and error.forward_for == hops
    assert error.error_message() == "com.example.error: 1 two"
    assert "com.example.error" in str(error) and "two" in str(error) and "three" in str(error)
    assert ApplicationError("a.b").error_message() == "a.b: "
    assert ApplicationError(ApplicationError.TIMEOUT).error == "wamp.error.timeout"
    uris = {v for k, v in vars(ApplicationError).items() if k.isupper()}
    assert len(uris) == 27
    assert all(message.check_or_raise_uri(uri, strict=True) for uri in uris)


@covers("exception.TypeCheckError")
def test_type_check_error() -> None:
    error = exception.TypeCheckError("not an int", argument=1)
    assert isinstance(error, ApplicationError)
    assert error.error == ApplicationError.TYPE_CHECK_ERROR == "wamp.error.type_check_error"
    assert error.args == ("not an int",) and error.kwargs == {"argument": 1}


@covers("exception.InvalidUri", "exception.InvalidPayload", "exception.NotAuthorized")
def test_exceptions_that_stand_for_an_error_uri() -> None:
    for klass, uri in (
        (exception.InvalidUri, "wamp.error.invalid_uri"),
        (exception.InvalidPayload, "wamp.error.invalid_payload"),
        (exception.NotAuthorized, "wamp.error.not_authorized"),
    ):
        assert klass._wampuris == [uri]
        assert klass("why", 1).args == ("why", 1)

    @exception.error("com.example.two")
    @exception.error("com.example.one")
    class Mine(_exception.NotAuthorized):
        pass

    assert vars(Mine)["_wampuris"] == ["com.example.two", "com.example.one"]
    assert exception.NotAuthorized._wampuris == ["wamp.error.not_authorized"]
    wrong: list[Any] = ["", None, 5]
    for uri in wrong:
        with pytest.raises(LocalProtocolError, match="error"):
            exception.error(uri)
    for thing in (5, int, print):
        with pytest.raises(LocalProtocolError, match="exception classes"):
            exception.error("a.b")(thing)


# --- interfaces ----------------------------------------------------------------------------------

INTERFACES = {n: getattr(interfaces, n) for n in interfaces.__all__}


@pytest.mark.parametrize("name", INTERFACES)
@covers("interfaces.*", "interfaces.*.*")
def test_an_implementation_must_be_complete(name: str) -> None:
    """Without any one of the abstract methods no object can be made; with all of them it can."""
    base = INTERFACES[name]
    needed = base.__abstractmethods__
    assert needed

    def implementation(without: str | None) -> Any:
        body: dict[str, Any] = {n: (lambda *args: None) for n in needed if n != without}
        return type("Implementation", (base,), body)

    assert isinstance(implementation(None)(), base)
    for one in needed:
        with pytest.raises(TypeError, match=one):
            implementation(one)()
        assert inspect.getdoc(getattr(base, one)), f"{name}.{one} says nothing"


# Who implements what; IEthereumKey is for applications.
IMPLEMENTATIONS: list[tuple[type, type]] = [
    (interfaces.ISession, microwamp.Session),
    (interfaces.ITransport, Transport),
    (interfaces.ITransportHandler, microwamp.Session),
    (interfaces.IAuthenticator, auth.AuthTicket),
    (interfaces.IAuthenticator, auth.AuthScram),
    (interfaces.IPayloadCodec, cryptobox.KeyRing),
    (interfaces.ICryptosignKey, cryptosign.CryptosignKey),
    (interfaces.ISecurityModule, securitymodule.MemorySecurityModule),
    (interfaces.IMessage, message.Publish),
    (interfaces.ISerializer, serializer.FlatBuffersSerializer),
    (interfaces.IObjectSerializer, serializer.CBORObjectSerializer),
]
# Parameters that the reference itself calls differently in interface and class.
RENAMED = {"msg": "message", "isBinary": "is_binary"}


@pytest.mark.parametrize("base, klass", IMPLEMENTATIONS)
def test_our_classes_are_called_as_their_interfaces_say(base: type, klass: type) -> None:
    assert issubclass(klass, base)
    for name in base.__abstractmethods__:  # type: ignore[attr-defined]
        declared = inspect.getattr_static(base, name)
        found = inspect.getattr_static(klass, name)
        if inspect.isfunction(declared) and not isinstance(found, property):
            wanted, have = (
                [RENAMED.get(p, p) for p in inspect.signature(it).parameters]
                for it in (declared, getattr(klass, name))
            )
            if isinstance(found, staticmethod):
                wanted.remove("self")
            assert have[: len(wanted)] == wanted, name


def test_keys_derive_from_the_key() -> None:
    assert issubclass(interfaces.ICryptosignKey, interfaces.IKey)
    assert issubclass(interfaces.IEthereumKey, interfaces.IKey)


@covers("interfaces.IMessage")
def test_messages_are_messages() -> None:
    published: Any = message.Published(1, 2)
    assert isinstance(published, interfaces.IMessage)
    klasses: list[Any] = list(message.MESSAGE_TYPE_MAP.values())
    for klass in klasses:
        assert issubclass(klass, interfaces.IMessage)
