"""What handlers, endpoints and callers are told: details, results, payloads, identities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..message._check import ANY, BOOL, DICT, HOPS, ID, OCTETS, OWN_SCHEME, STR, URI, Kind, misuse
from ..message._passthru import KINDS, Form, settle
from ..request import Registration, Subscription
from ._record import Record

_REGISTRATION: Kind = (lambda value: isinstance(value, Registration), "a Registration")
_SUBSCRIPTION: Kind = (lambda value: isinstance(value, Subscription), "a Subscription")
_CALLABLE: Kind = (callable, "a callable")


class CallDetails(Record):
    """What an endpoint learns about an invocation.

    registration: it came for. progress: function that sends progressive results and returns
    whether anybody wants more of them, or None. receive: coroutine function that returns the next
    part of a call in parts as a CallResult, None after the last; None for a call that is whole.
    caller, caller_authid, caller_authrole: if disclosed. procedure: the one that was called, for a
    registration of a pattern. enc_algo: what was done to the payload. forward_for: sessions the
    call was forwarded for.
    """

    FIELDS = {
        "registration": _REGISTRATION,
        "progress": _CALLABLE,
        "caller": ID,
        "caller_authid": STR,
        "caller_authrole": STR,
        "procedure": URI,
        "transaction_hash": STR,
        "enc_algo": STR,
        "forward_for": HOPS,
        "receive": _CALLABLE,
    }

    def __init__(
        self,
        registration: Registration,
        progress: Callable[..., Any] | None = None,
        caller: int | None = None,
        caller_authid: str | None = None,
        caller_authrole: str | None = None,
        procedure: str | None = None,
        transaction_hash: str | None = None,
        enc_algo: str | None = None,
        forward_for: list[dict[str, Any]] | None = None,
        receive: Callable[[], Any] | None = None,
    ) -> None:
        if registration is None:
            raise misuse("CallDetails", "registration", None, "a Registration")
        self.registration: Registration
        self.progress: Callable[..., Any] | None
        self.caller: int | None
        self.caller_authid: str | None
        self.caller_authrole: str | None
        self.procedure: str | None
        self.transaction_hash: str | None
        self.enc_algo: str | None
        self.forward_for: list[dict[str, Any]] | None
        self.receive: Callable[[], Any] | None
        self._take(locals())


class EventDetails(Record):
    """What a handler learns about an event.

    subscription: it came for. publication: its id. publisher, publisher_authid,
    publisher_authrole: if disclosed. topic: published to, for a subscription to a pattern.
    retained: it is the retained event. The others as in CallDetails.
    """

    FIELDS = {
        "subscription": _SUBSCRIPTION,
        "publication": ID,
        "publisher": ID,
        "publisher_authid": STR,
        "publisher_authrole": STR,
        "topic": URI,
        "retained": BOOL,
        "transaction_hash": STR,
        "enc_algo": STR,
        "forward_for": HOPS,
    }

    def __init__(
        self,
        subscription: Subscription,
        publication: int,
        publisher: int | None = None,
        publisher_authid: str | None = None,
        publisher_authrole: str | None = None,
        topic: str | None = None,
        retained: bool | None = None,
        transaction_hash: str | None = None,
        enc_algo: str | None = None,
        forward_for: list[dict[str, Any]] | None = None,
    ) -> None:
        for name, value in (("subscription", subscription), ("publication", publication)):
            if value is None:
                raise misuse("EventDetails", name, None, self.FIELDS[name][1])
        self.subscription: Subscription
        self.publication: int
        self.publisher: int | None
        self.publisher_authid: str | None
        self.publisher_authrole: str | None
        self.topic: str | None
        self.retained: bool | None
        self.transaction_hash: str | None
        self.enc_algo: str | None
        self.forward_for: list[dict[str, Any]] | None
        self._take(locals())


class CallResult(Record):
    """A result with several values or with keywords.

    results: tuple, kwresults: dict. The keywords enc_algo, callee, callee_authid, callee_authrole
    and forward_for are not results; they become the attributes of these names.
    """

    FIELDS = {
        "results": ANY,
        "kwresults": DICT,
        "enc_algo": STR,
        "callee": ID,
        "callee_authid": STR,
        "callee_authrole": STR,
        "forward_for": HOPS,
    }

    def __init__(self, *results: Any, **kwresults: Any) -> None:
        beside = {name: kwresults.pop(name, None) for name in list(self.FIELDS)[2:]}
        self.results = results
        self.kwresults = kwresults
        self.enc_algo: str | None
        self.callee: int | None
        self.callee_authid: str | None
        self.callee_authrole: str | None
        self.forward_for: list[dict[str, Any]] | None
        self._take(beside)


class CloseDetails(Record):
    """Why a session ended: reason (URI) and message (for people)."""

    REASON_DEFAULT = "wamp.close.normal"
    REASON_TRANSPORT_LOST = "wamp.close.transport_lost"

    FIELDS = {"reason": STR, "message": STR}

    def __init__(self, reason: str | None = None, message: str | None = None) -> None:
        self.reason: str | None
        self.message: str | None
        self._take(locals())

    def marshal(self) -> dict[str, Any]:
        """Both as a dictionary."""
        return {"reason": self.reason, "message": self.message}


class SessionIdent(Record):
    """Who: session id, authid and authrole."""

    FIELDS = {"session": ID, "authid": STR, "authrole": STR}

    def __init__(
        self,
        session: int | None = None,
        authid: str | None = None,
        authrole: str | None = None,
    ) -> None:
        self.session: int | None
        self.authid: str | None
        self.authrole: str | None
        self._take(locals())

    def marshal(self) -> dict[str, Any]:
        """All three as a dictionary: an entry of `forward_for`."""
        return {"session": self.session, "authid": self.authid, "authrole": self.authrole}

    @staticmethod
    def from_calldetails(call_details: CallDetails) -> SessionIdent:
        """The caller, as far as he is disclosed."""
        if not isinstance(call_details, CallDetails):
            raise misuse("SessionIdent", "call_details", call_details, "CallDetails")
        return SessionIdent(
            call_details.caller, call_details.caller_authid, call_details.caller_authrole
        )

    @staticmethod
    def from_eventdetails(event_details: EventDetails) -> SessionIdent:
        """The publisher, as far as he is disclosed."""
        if not isinstance(event_details, EventDetails):
            raise misuse("SessionIdent", "event_details", event_details, "EventDetails")
        return SessionIdent(
            event_details.publisher,
            event_details.publisher_authid,
            event_details.publisher_authrole,
        )


class EncodedPayload(Record):
    """A payload that is passed through: octets, and what was done to them.

    Either the enc_* or the ppt_* names may be given; the attributes of the others are filled in as
    in messages (microwamp.message). passthru: which were given, "enc" or "ppt".
    """

    FIELDS = {"payload": OCTETS, **KINDS, "ppt_scheme": OWN_SCHEME}

    def __init__(
        self,
        payload: bytes,
        enc_algo: str | None = None,
        enc_serializer: str | None = None,
        enc_key: str | None = None,
        ppt_scheme: str | None = None,
        ppt_serializer: str | None = None,
        ppt_cipher: str | None = None,
        ppt_keyid: str | None = None,
    ) -> None:
        self.payload: bytes
        self.enc_algo: str | None
        self.enc_serializer: str | None
        self.enc_key: str | None
        self.ppt_scheme: str | None
        self.ppt_serializer: str | None
        self.ppt_cipher: str | None
        self.ppt_keyid: str | None
        self.passthru: Form
        if payload is None:
            raise misuse("EncodedPayload", "payload", None, "octets")
        if enc_algo is None and ppt_scheme is None:
            raise misuse("EncodedPayload", "enc_algo", None, "it or ppt_scheme")
        self._take(locals())
        self.payload = bytes(self.payload)
        settle("EncodedPayload", self.__dict__)
