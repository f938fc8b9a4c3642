"""A realm: every message of a joined session is checked here and goes to broker or dealer.

Pure: `receive` takes a message as a list and returns a list of (session, message). A violation of
the protocol is a RemoteProtocolError: whoever owns the connection answers it with ABORT.
"""

import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

from wamp import messages
from wamp.errors import ApplicationError, RemoteProtocolError
from wamp.messages import (
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
    SUBSCRIBE,
    UNREGISTER,
    UNSUBSCRIBE,
    YIELD,
)

from . import broker, dealer, meta, options, uris
from .config import Action, Limits, RealmConfig
from .session import Message, Out, Session, error, payload, refusal

# The role a client must have announced to send a message.
_ROLES = {
    PUBLISH: "publisher",
    SUBSCRIBE: "subscriber",
    UNSUBSCRIBE: "subscriber",
    CALL: "caller",
    CANCEL: "caller",
    REGISTER: "callee",
    UNREGISTER: "callee",
    YIELD: "callee",
    ERROR: "callee",
}
# Messages that take the next request id of the session.
_REQUESTS = frozenset((PUBLISH, SUBSCRIBE, UNSUBSCRIBE, CALL, REGISTER, UNREGISTER))
# Where the arguments stand.
_PAYLOAD = {PUBLISH: 4, CALL: 4, YIELD: 3, ERROR: 5}
_ACTIONS: dict[int, Action] = {
    PUBLISH: "publish",
    SUBSCRIBE: "subscribe",
    CALL: "call",
    REGISTER: "register",
}

# `roles` of WELCOME: what is implemented, and nothing else.
ROLES: dict[str, Any] = {
    "broker": {"features": dict.fromkeys(broker.FEATURES, True)},
    "dealer": {"features": dict.fromkeys(dealer.FEATURES, True)},
}


def random_id() -> int:
    """An id of the global scope: uniform over [1, 2^53] (basic profile, "IDs")."""
    return secrets.randbelow(ID_MAX) + 1


class Realm:
    """Sessions, broker and dealer of one realm.

    counters: counts what was dropped; shared by all realms of a router. new_id, choose: the
    sources of random ids and of random choices below a number; tests give their own.
    """

    def __init__(
        self,
        config: RealmConfig,
        limits: Limits | None = None,
        counters: Counter[str] | None = None,
        new_id: Callable[[], int] = random_id,
        choose: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        self.config = config
        self.limits = limits or Limits()
        self.counters = Counter() if counters is None else counters
        self.sessions: dict[int, Session] = {}
        self.broker = broker.Broker(new_id, self.limits, self.counters, config.disclose)
        self.dealer = dealer.Dealer(choose, self.limits, self.counters, config.disclose)
        self._roles = {role.name: role for role in config.roles}
        self._handlers: dict[int, Callable[[Session, Message], Out]] = {
            SUBSCRIBE: self.broker.subscribe,
            UNSUBSCRIBE: self.broker.unsubscribe,
            REGISTER: self.dealer.register,
            UNREGISTER: self.dealer.unregister,
            CANCEL: self.dealer.cancel,
            YIELD: self.dealer.answer,
            ERROR: self.dealer.fail,
        }

    def join(self, session: Session) -> Out:
        """Take in a session that is about to be welcomed."""
        out = self.broker.distribute("wamp.session.on_join", [[session.details()]], {})
        self.sessions[session.id] = session
        self.dealer.join(session)
        return out

    def leave(self, session: Session) -> Out:
        """Drop a session with all it holds; its testaments are published.

        A session that has left already (killed, for one) is left alone.
        """
        if self.sessions.pop(session.id, None) is None:
            return []
        out = self.dealer.leave(session)
        self.broker.leave(session)
        for scope in ("detached", "destroyed"):
            for will in session.testaments[scope]:
                out.extend(
                    self.broker.distribute(
                        will.topic, will.payload, will.options, session, octets=will.octets
                    )
                )
        ended = [[session.id, session.authid, session.authrole]]
        out.extend(self.broker.distribute("wamp.session.on_leave", ended, {}))
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
        code = messages.validate(message)
        name = messages.LAYOUT[code][0]
        role = _ROLES.get(code)
        if role is None:
            raise RemoteProtocolError(f"{name} is not what a client may send in a session")
        if role not in session.features:
            raise RemoteProtocolError(f"{name}, but HELLO did not announce the role {role}")
        self._check(code, name, message)
        options.check(code, message)
        if code not in _REQUESTS:
            return self._handlers[code](session, message)
        request = message[1]
        if request != session.requests % ID_MAX + 1:
            raise RemoteProtocolError(
                f"{name}.request is {request}, {session.requests % ID_MAX + 1} is the next"
            )
        session.requests = request
        try:
            return self._request(code, session, message, octets)
        except ApplicationError as e:
            if code == PUBLISH and not message[2].get("acknowledge"):
                self.counters["publications refused"] += 1
                return []
            return [(session, refusal(code, request, e))]

    def too_long(self, session: Session, message: Message) -> Out:
        """What to do about a message that is longer than its receiver accepts."""
        code = message[0]
        self.counters["messages too long for their receiver"] += 1
        if code in (INVOCATION, RESULT):
            return self.dealer.too_long(session, message)
        # What replaces an ERROR always fits: the smallest client takes 1024 octets.
        if code == ERROR:
            text = f"{message[4][:120]}: the ERROR is longer than its receiver accepts"
            uri = ApplicationError.PAYLOAD_SIZE_EXCEEDED
            return [(session, error(message[1], message[2], uri, [text]))]
        if code != EVENT:
            self.counters["answers that fit in no form"] += 1
        return []

    def may(self, session: Session, action: Action, uri: str) -> bool:
        """Whether the session's role allows `action` on `uri`."""
        role = self._roles.get(session.authrole)
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
        if code == PUBLISH:
            return self.broker.publish(session, message, octets)
        if code == CALL:
            if message[3] in meta.PROCEDURES:
                rest = payload(message, 4)
                args = rest[0] if rest else []
                kwargs = rest[1] if len(rest) == 2 else {}
                result, out = meta.PROCEDURES[message[3]](self, session, args, kwargs, octets)
                return [(session, [RESULT, message[1], {}, *result]), *out]
            return self.dealer.call(session, message)
        return self._handlers[code](session, message)

    def _check(self, code: int, name: str, message: Message) -> None:
        """What the table of the core leaves open because clients must be liberal about it."""
        at = _PAYLOAD.get(code)
        if at is not None:
            if len(message) > at and type(message[at]) is not list:
                raise RemoteProtocolError(
                    f"{name}.args is {type(message[at]).__name__}, a list needed"
                )
            if len(message) > at + 1 and message[at + 1] is None:
                raise RemoteProtocolError(f"{name}.kwargs is null, a dictionary needed")
        if code == ERROR:
            if message[1] != INVOCATION:
                raise RemoteProtocolError(
                    f"ERROR for a request of type {message[1]}: clients answer invocations only"
                )
            if not uris.valid(message[4]):
                raise RemoteProtocolError(f"ERROR.error is {message[4][:40]!r}, a URI needed")
