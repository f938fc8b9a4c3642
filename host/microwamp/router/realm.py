"""A realm: every message of a joined session is checked here and goes to broker or dealer.

Pure: `receive` takes a message as a list and returns a list of (session, message). A violation of
the protocol is a RemoteProtocolError: whoever owns the connection answers it with ABORT.
"""

import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

from wamp.errors import ApplicationError, RemoteProtocolError

from . import broker, dealer, history, meta, options, uris
from .calls import Later
from .config import Action, Limits, RealmConfig
from .directory import Directory
from .registrations import Registrations
from .session import Message, Out, Session, error, payload, refusal
from .wire import (
    CALL,
    CANCEL,
    ERROR,
    EVENT,
    GOODBYE,
    ID_MAX,
    INVOCATION,
    PUBLISH,
    REGISTER,
    RESULT,
    ROLE_OF,
    SUBSCRIBE,
    UNREGISTER,
    UNSUBSCRIBE,
    YIELD,
    validate,
)
from .wire import (
    name as message_name,
)

# Messages that take the next request id of the session.
_REQUESTS = frozenset((PUBLISH, SUBSCRIBE, UNSUBSCRIBE, CALL, REGISTER, UNREGISTER))
_ACTIONS: dict[int, Action] = {
    PUBLISH: "publish",
    SUBSCRIBE: "subscribe",
    CALL: "call",
    REGISTER: "register",
}


def random_id() -> int:
    """An id of the global scope: uniform over [1, 2^53] (basic profile, "IDs")."""
    return secrets.randbelow(ID_MAX) + 1


class Realm:
    """Sessions, broker and dealer of one realm.

    later: runs what a time-out causes. counters: counts what was dropped; shared by all realms of
    a router. new_id, choose: the sources of random ids and of random choices below a number; tests
    give their own. roles: what WELCOME says of broker and dealer: what is implemented, and nothing
    else.
    """

    def __init__(
        self,
        config: RealmConfig,
        later: Later,
        limits: Limits | None = None,
        counters: Counter[str] | None = None,
        new_id: Callable[[], int] = random_id,
        choose: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        self.config = config
        self.limits = limits or Limits()
        self.counters = Counter() if counters is None else counters
        self.sessions: dict[int, Session] = {}
        self.directory = Directory(config.principals)
        self.roles = _features(config)
        self.broker = broker.Broker(new_id, self.limits, self.counters, config)
        self.registrations = Registrations(
            choose, self.limits, lambda: history.text(history.now()), self.broker.announce
        )
        self.dealer = dealer.Dealer(self.registrations, later, self.limits, self.counters, config)
        self._roles = {role.name: role for role in config.roles}
        self._handlers: dict[int, Callable[[Session, Message], Out]] = {
            SUBSCRIBE: self.broker.subscribe,
            UNSUBSCRIBE: self.broker.unsubscribe,
            REGISTER: self.registrations.register,
            UNREGISTER: self.registrations.unregister,
            CANCEL: self.dealer.cancel,
            YIELD: self.dealer.answer,
            ERROR: self.dealer.fail,
        }

    def join(self, session: Session) -> Out:
        """Take in a session that is about to be welcomed."""
        out = self.broker.announce("wamp.session.on_join", session.details())
        self.sessions[session.id] = session
        self.dealer.join(session)
        return out

    def leave(self, session: Session) -> Out:
        """Drop a session with all it holds; its testaments are published.

        A session that has left already (killed, for one) is left alone.
        """
        if self.sessions.pop(session.id, None) is None:
            return []
        out = self.broker.leave(session)
        out.extend(self.dealer.leave(session))
        for scope in ("detached", "destroyed"):
            for will in session.testaments[scope]:
                out.extend(
                    self.broker.distribute(
                        will.topic, will.payload, will.options, session, octets=will.octets
                    )
                )
        out.extend(
            self.broker.announce(
                "wamp.session.on_leave", session.id, session.authid, session.authrole
            )
        )
        return out

    def kill(self, session: Session, reason: str, text: str = "") -> Out:
        """End a session from the router's side: GOODBYE to it, and what its leaving causes."""
        goodbye: Message = [GOODBYE, {"message": text} if text else {}, reason]
        return [(session, goodbye), *self.leave(session)]

    def receive(self, session: Session, message: Any, octets: int = 0) -> Out:
        """A message from a joined session; octets: its length on the wire.

        GOODBYE and ABORT end sessions and do not come here. Raises RemoteProtocolError for every
        violation of the protocol; the realm is unchanged then.
        """
        code = validate(message)
        role = ROLE_OF.get(code)
        if role is None:
            raise RemoteProtocolError(
                f"{message_name(code)} is not what a client may send in a session"
            )
        if role not in session.features:
            raise RemoteProtocolError(
                f"{message_name(code)}, but HELLO did not announce the role {role}"
            )
        if code == CALL and _continues(session, message[1]):
            options.check_continuation(message)
            return self.dealer.proceed(session, message)
        options.check(message, session, self.config.lenient, self.config.payload_transparency)
        if code == ERROR:
            _check_error(message)
        if code not in _REQUESTS:
            return self._handlers[code](session, message)
        request = message[1]
        if request != session.next_request():
            raise RemoteProtocolError(
                f"{message_name(code)}.request is {request}, {session.next_request()} is the next"
            )
        session.requests = request
        try:
            return self._request(code, session, message, octets)
        except ApplicationError as e:
            if code == PUBLISH and not message[2].get("acknowledge"):
                self.counters["publications refused"] += 1
                return []
            if code == CALL:
                self.dealer.refused(session, message)
            return [(session, refusal(code, request, e))]

    def unfit(self, session: Session, message: Message, why: str | None = None) -> Out:
        """What to do about a message that is longer than its receiver accepts, or that its format
        cannot express: `why` then says what."""
        code = message[0]
        uri = ApplicationError.PAYLOAD_SIZE_EXCEEDED
        if why is None:
            self.counters["messages too long for their receiver"] += 1
        else:
            self.counters["messages that their receiver's format cannot express"] += 1
            uri = ApplicationError.INVALID_PAYLOAD
        if code in (INVOCATION, RESULT):
            return self.dealer.unfit(session, message, uri, why)
        # What replaces an ERROR always fits: the smallest client takes 1024 octets.
        if code == ERROR:
            what = why or "the ERROR is longer than its receiver accepts"
            text = f"{message[4][:120]}: {what}"
            return [(session, error(message[1], message[2], uri, [text]))]
        if code != EVENT:
            self.counters["answers that fit in no form"] += 1
        return []

    def may(self, session: Session, action: Action, uri: str) -> bool:
        """Whether the session's role allows `action` on `uri`."""
        role = self._roles.get(session.authrole)
        if action == "call" and uri in meta.ADMINISTRATION:
            return role is not None and role.allows(action, uri, "wamp.")
        return role is None or role.allows(action, uri)

    def _request(self, code: int, session: Session, message: Message, octets: int) -> Out:
        action = _ACTIONS.get(code)
        if action is not None:
            uri = message[3]
            match = "exact"
            if code in (SUBSCRIBE, REGISTER):
                match = message[2].get("match", match)
            # The malformed are answered as such, further down.
            if uris.valid(uri, match) and not self.may(session, action, uris.literal(uri, match)):
                raise ApplicationError(
                    ApplicationError.NOT_AUTHORIZED,
                    f"the role {session.authrole[:40]} may not {action} {uri[:80]}",
                )
        if (
            code in (PUBLISH, CALL)
            and message[2].get("disclose_me")
            and not self.config.disclose_me
        ):
            raise ApplicationError(
                "wamp.error.option_disallowed.disclose_me",
                f"realm {self.config.name} does not disclose who calls or publishes",
            )
        if code == PUBLISH:
            return self.broker.publish(session, message, octets)
        if code == CALL:
            if message[3] in meta.PROCEDURES:
                return self._own(session, message, octets)
            return self.dealer.call(session, message, octets)
        return self._handlers[code](session, message)

    def _own(self, session: Session, message: Message, octets: int) -> Out:
        """A call of a procedure of the router's own."""
        _, request, chosen, procedure = message[:4]
        rest = payload(message, 4)
        needed = options.passthru_feature(chosen, rest)
        if chosen.get("progress"):
            needed = "progressive_call_invocations"
        if needed is not None:
            raise ApplicationError(
                "wamp.error.feature_not_supported", f"{procedure} does not support {needed}"
            )
        args = rest[0] if rest else []
        kwargs = rest[1] if len(rest) == 2 else {}
        result, out = meta.PROCEDURES[procedure](self, session, args, kwargs, octets)
        return [(session, [RESULT, request, {}, *result]), *out]


def _features(config: RealmConfig) -> dict[str, Any]:
    """`roles` of WELCOME."""
    more = ["payload_transparency"] if config.payload_transparency else []
    kept = ["event_history"] if config.history else []
    # Without levels none are sent: each event of a small client would be 12 octets longer for a 0.
    publications = ["publication_trustlevels"] if config.trust else []
    calls = ["call_trustlevels"] if config.trust else []
    return {
        "broker": {
            "features": dict.fromkeys((*broker.FEATURES, *publications, *kept, *more), True)
        },
        "dealer": {"features": dict.fromkeys((*dealer.FEATURES, *calls, *more), True)},
    }


def _continues(session: Session, request: int) -> bool:
    """Whether a CALL with this id can only be a further part of an earlier one."""
    return (
        request <= session.requests
        and request != session.next_request()
        and session.announces("caller", "progressive_call_invocations")
    )


def _check_error(message: Message) -> None:
    if message[1] != INVOCATION:
        raise RemoteProtocolError(
            f"ERROR for a request of type {message[1]}: clients answer invocations only"
        )
    if not uris.valid(message[4]):
        raise RemoteProtocolError(f"ERROR.error is {message[4][:40]!r}, a URI needed")
