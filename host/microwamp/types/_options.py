"""Options of publish, subscribe, register and call, and what they put into the message.

What fits is what fits the message's own option (microwamp.message). `message_attr()` gives the
keywords for its constructor, with lists where the message has lists.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from ..message import Call, Message, Publish, Register, Subscribe
from ..message._check import BOOL, STR, Kind, misuse
from ._record import Record

_CORRELATION = {
    "correlation_id": STR,
    "correlation_uri": STR,
    "correlation_is_anchor": BOOL,
    "correlation_is_last": BOOL,
}


class _Options(Record):
    """Base of the options; MESSAGE: the message they go into."""

    MESSAGE: ClassVar[type[Message]]
    # Options of which a single value may be given for a list of one.
    LISTS: ClassVar[frozenset[str]] = frozenset()

    def _fit(self, name: str, value: Any) -> None:
        if name in self.LISTS and value is not None and not isinstance(value, list):
            # A tuple is a list here too: what a program writes, not what came from a wire.
            value = list(value) if isinstance(value, tuple) else [value]
        super()._fit(name, value)

    def message_attr(self) -> dict[str, Any]:
        """What goes into the message, by the keywords of its constructor."""
        attributes = {}
        for name in self.MESSAGE._WIRE:
            value = getattr(self, name, None)
            if value is None:
                continue
            if name in self.LISTS and not isinstance(value, list):
                value = list(value) if isinstance(value, tuple) else [value]
            attributes[name] = value
        return attributes


def _kinds(message: type[Message], *names: str) -> dict[str, Kind]:
    return {name: message._KINDS[name] for name in names}


def _details_arg(who: str, details: bool | None, details_arg: str | None) -> str | None:
    """The keyword under which details are given: details_arg, or "details" for details=True."""
    if details and details_arg:
        raise misuse(who, "details_arg", details_arg, "only one of details and details_arg")
    return "details" if details else details_arg


class PublishOptions(_Options):
    """Options of `publish`.

    acknowledge: wait for the broker's PUBLISHED or ERROR. exclude_me: False has the publisher get
    the event too. exclude, exclude_authid, exclude_authrole: who gets nothing; eligible,
    eligible_authid, eligible_authrole: who alone gets it; one value or a list. retain: keep the
    event for later subscribers. disclose_me: tell who publishes. The others as in the message.
    """

    MESSAGE = Publish
    LISTS = frozenset(
        f"{who}{what}" for who in ("exclude", "eligible") for what in ("", "_authid", "_authrole")
    )
    FIELDS = {
        **_kinds(Publish, "acknowledge", "exclude_me", *sorted(LISTS), "retain", "forward_for"),
        **_kinds(Publish, "transaction_hash"),
        **_CORRELATION,
        **_kinds(Publish, "disclose_me"),
    }

    def __init__(
        self,
        acknowledge: bool | None = None,
        exclude_me: bool | None = None,
        exclude: int | list[int] | None = None,
        exclude_authid: str | list[str] | None = None,
        exclude_authrole: str | list[str] | None = None,
        eligible: int | list[int] | None = None,
        eligible_authid: str | list[str] | None = None,
        eligible_authrole: str | list[str] | None = None,
        retain: bool | None = None,
        forward_for: list[dict[str, Any]] | None = None,
        transaction_hash: str | None = None,
        correlation_id: str | None = None,
        correlation_uri: str | None = None,
        correlation_is_anchor: bool | None = None,
        correlation_is_last: bool | None = None,
        disclose_me: bool | None = None,
    ) -> None:
        self.acknowledge: bool | None
        self.exclude_me: bool | None
        self.exclude: int | list[int] | None
        self.exclude_authid: str | list[str] | None
        self.exclude_authrole: str | list[str] | None
        self.eligible: int | list[int] | None
        self.eligible_authid: str | list[str] | None
        self.eligible_authrole: str | list[str] | None
        self.retain: bool | None
        self.forward_for: list[dict[str, Any]] | None
        self.transaction_hash: str | None
        self.correlation_id: str | None
        self.correlation_uri: str | None
        self.correlation_is_anchor: bool | None
        self.correlation_is_last: bool | None
        self.disclose_me: bool | None
        self._take(locals())


class SubscribeOptions(_Options):
    """Options of `subscribe`.

    match: exact, prefix or wildcard. details: give the handler EventDetails in the keyword
    `details`; details_arg: in the keyword of this name. get_retained: ask for the retained event.
    """

    MESSAGE = Subscribe
    FIELDS = {
        **_kinds(Subscribe, "match"),
        "details": BOOL,
        "details_arg": STR,
        **_kinds(Subscribe, "forward_for", "get_retained"),
        **_CORRELATION,
    }

    def __init__(
        self,
        match: str | None = None,
        details: bool | None = None,
        details_arg: str | None = None,
        forward_for: list[dict[str, Any]] | None = None,
        get_retained: bool | None = None,
        correlation_id: str | None = None,
        correlation_uri: str | None = None,
        correlation_is_anchor: bool | None = None,
        correlation_is_last: bool | None = None,
    ) -> None:
        self.match: str | None
        self.details: bool | None
        self.details_arg: str | None
        self.forward_for: list[dict[str, Any]] | None
        self.get_retained: bool | None
        self.correlation_id: str | None
        self.correlation_uri: str | None
        self.correlation_is_anchor: bool | None
        self.correlation_is_last: bool | None
        self._take(locals())
        self.details_arg = _details_arg("SubscribeOptions", details, details_arg)


class RegisterOptions(_Options):
    """Options of `register`.

    match: exact, prefix or wildcard. invoke: single, first, last, roundrobin or random.
    concurrency: invocations at a time. force_reregister: take over from an earlier registration.
    details: give the endpoint CallDetails in the keyword `details`; details_arg: in the keyword of
    this name. disclose_caller: refuse callers who are not disclosed. forward_timeout: this callee
    keeps time limits itself.
    """

    MESSAGE = Register
    FIELDS = {
        **_kinds(Register, "match", "invoke", "concurrency", "force_reregister", "forward_for"),
        "details": BOOL,
        "details_arg": STR,
        **_CORRELATION,
        **_kinds(Register, "disclose_caller", "forward_timeout"),
    }

    def __init__(
        self,
        match: str | None = None,
        invoke: str | None = None,
        concurrency: int | None = None,
        force_reregister: bool | None = None,
        forward_for: list[dict[str, Any]] | None = None,
        details: bool | None = None,
        details_arg: str | None = None,
        correlation_id: str | None = None,
        correlation_uri: str | None = None,
        correlation_is_anchor: bool | None = None,
        correlation_is_last: bool | None = None,
        disclose_caller: bool | None = None,
        forward_timeout: bool | None = None,
    ) -> None:
        self.match: str | None
        self.invoke: str | None
        self.concurrency: int | None
        self.force_reregister: bool | None
        self.forward_for: list[dict[str, Any]] | None
        self.details: bool | None
        self.details_arg: str | None
        self.correlation_id: str | None
        self.correlation_uri: str | None
        self.correlation_is_anchor: bool | None
        self.correlation_is_last: bool | None
        self.disclose_caller: bool | None
        self.forward_timeout: bool | None
        self._take(locals())
        self.details_arg = _details_arg("RegisterOptions", details, details_arg)


def _is_seconds(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 < value <= 2**53 / 1000


_CANCEL_MODE: Kind = (
    lambda value: value in ("skip", "kill", "killnowait"),
    "skip, kill or killnowait",
)


class CallOptions(_Options):
    """Options of `call`.

    on_progress: called with each progressive result. timeout: seconds after which the call is
    canceled; the message has milliseconds. details: have a CallResult returned, with the callee.
    disclose_me: tell who calls. cancel_mode: what the dealer is asked to do when the call's future
    is cancelled, or its time is up: skip, kill or killnowait (the default). The others as in the
    message.
    """

    MESSAGE = Call
    FIELDS = {
        "on_progress": (callable, "a callable"),
        "timeout": (_is_seconds, "seconds, more than 0"),
        **_kinds(Call, "transaction_hash", "caller", "caller_authid", "caller_authrole"),
        **_kinds(Call, "forward_for"),
        **_CORRELATION,
        "details": BOOL,
        **_kinds(Call, "disclose_me"),
        "cancel_mode": _CANCEL_MODE,
    }

    def __init__(
        self,
        on_progress: Callable[..., Any] | None = None,
        timeout: float | None = None,
        transaction_hash: str | None = None,
        caller: int | None = None,
        caller_authid: str | None = None,
        caller_authrole: str | None = None,
        forward_for: list[dict[str, Any]] | None = None,
        correlation_id: str | None = None,
        correlation_uri: str | None = None,
        correlation_is_anchor: bool | None = None,
        correlation_is_last: bool | None = None,
        details: bool | None = None,
        disclose_me: bool | None = None,
        cancel_mode: str | None = None,
    ) -> None:
        self.on_progress: Callable[..., Any] | None
        self.timeout: float | None
        self.transaction_hash: str | None
        self.caller: int | None
        self.caller_authid: str | None
        self.caller_authrole: str | None
        self.forward_for: list[dict[str, Any]] | None
        self.correlation_id: str | None
        self.correlation_uri: str | None
        self.correlation_is_anchor: bool | None
        self.correlation_is_last: bool | None
        self.details: bool | None
        self.disclose_me: bool | None
        self.cancel_mode: str | None
        self._take(locals())

    def message_attr(self) -> dict[str, Any]:
        """What goes into CALL: `timeout` in milliseconds, `receive_progress` for on_progress."""
        attributes = super().message_attr()
        if self.timeout is not None:
            attributes["timeout"] = max(1, round(self.timeout * 1000))
        if self.on_progress is not None:
            attributes["receive_progress"] = True
        return attributes
