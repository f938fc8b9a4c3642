"""Who offers which procedure, and whose turn it is.

Source: WAMP advanced profile, "Pattern-based Registrations", "Shared Registration", "Registration
Revocation", "Registration Meta API"; `concurrency` and `force_reregister` are crossbar's.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from wamp.errors import ApplicationError

from . import uris
from .config import Limits
from .patterns import Patterns
from .session import Message, Out, Session
from .wire import REGISTERED, UNREGISTERED

# Publishes a meta event: topic and positional arguments.
Announce = Callable[..., Out]


@dataclass(eq=False, slots=True)
class Callee:
    """A session's place in a registration.

    active: invocations it has not answered. concurrency: how many it takes at a time, 0 any.
    forward_timeout: it watches over the time of a call itself.
    """

    session: Session
    concurrency: int
    disclose: bool
    forward_timeout: bool
    active: int = 0

    def free(self) -> bool:
        """Whether it takes another invocation."""
        return not self.concurrency or self.active < self.concurrency


@dataclass(eq=False, slots=True)
class Registration:
    """A (procedure, match) with its callees in the order in which they came."""

    id: int
    procedure: str
    match: str
    invoke: str
    created: str
    callees: list[Callee] = field(default_factory=list)
    turn: int = 0  # whose turn is next under roundrobin

    def details(self) -> dict[str, Any]:
        """What the meta API says of it."""
        return {
            "id": self.id,
            "created": self.created,
            "uri": self.procedure,
            "match": self.match,
            "invoke": self.invoke,
        }


class Registrations:
    """The registrations of one realm.

    choose: picks an index below its argument. today: the time as an ISO 8601 text. announce:
    publishes meta events.
    """

    def __init__(
        self,
        choose: Callable[[int], int],
        limits: Limits,
        today: Callable[[], str],
        announce: Announce,
    ) -> None:
        self._choose = choose
        self._limits = limits
        self._today = today
        self._announce = announce
        self._table: Patterns[Registration] = Patterns()
        self._by_id: dict[int, Registration] = {}
        self._by_session: dict[Session, dict[int, Registration]] = {}
        self._last_id = 0

    def register(self, session: Session, message: Message) -> Out:
        """REGISTER, with pattern, invocation policy, concurrency and forced take-over.

        Raises ApplicationError: invalid URI, already there, too many.
        """
        _, request, options, procedure = message
        match = options.get("match", "exact")
        invoke = options.get("invoke", "single")
        self._check(session, procedure, match)
        mine = self._by_session.setdefault(session, {})
        registration = self._table.get(procedure, match)
        out: Out = []
        if registration is not None and options.get("force_reregister"):
            for callee in list(registration.callees):
                reason = "wamp.error.unregistered"
                out.extend(self._revoke(callee.session, registration, reason))
            registration = None
        created = registration is None
        if registration is None:
            self._last_id += 1
            registration = Registration(self._last_id, procedure, match, invoke, self._today())
            self._table.add(procedure, match, registration)
            self._by_id[registration.id] = registration
        elif registration.invoke == "single" or registration.invoke != invoke:
            raise ApplicationError(
                ApplicationError.PROCEDURE_ALREADY_EXISTS,
                f"{procedure[:80]} is registered with invoke {registration.invoke}",
            )
        elif registration.id in mine:
            raise ApplicationError(
                ApplicationError.PROCEDURE_ALREADY_EXISTS,
                f"{procedure[:80]} is registered by this very session",
            )
        registration.callees.append(
            Callee(
                session,
                options.get("concurrency", 0),
                options.get("disclose_caller", False),
                options.get("forward_timeout", False)
                and session.announces("callee", "call_timeout"),
            )
        )
        mine[registration.id] = registration
        out.append((session, [REGISTERED, request, registration.id]))
        if created:
            out.extend(
                self._announce("wamp.registration.on_create", session.id, registration.details())
            )
        out.extend(self._announce("wamp.registration.on_register", session.id, registration.id))
        return out

    def unregister(self, session: Session, message: Message) -> Out:
        """UNREGISTER; raises ApplicationError if the registration is not the session's."""
        _, request, number = message
        registration = self._by_session.get(session, {}).get(number)
        if registration is None:
            raise ApplicationError(
                ApplicationError.NO_SUCH_REGISTRATION, f"registration {number} is not yours"
            )
        out: Out = [(session, [UNREGISTERED, request])]
        return out + self._drop(session, registration)

    def revoke(self, number: int, session_id: int, reason: str) -> Out:
        """Take a registration from a callee that did not ask for it.

        Raises ApplicationError: no such registration, or it is none of that session's.
        """
        registration = self.get(number)
        for callee in registration.callees:
            if callee.session.id == session_id:
                return self._revoke(callee.session, registration, reason)
        raise ApplicationError(
            "wamp.error.no_such_session",
            f"session {str(session_id)[:20]} is no callee of registration {number}",
        )

    def leave(self, session: Session) -> Out:
        """Take a session out of everything."""
        out: Out = []
        for registration in list(self._by_session.get(session, {}).values()):
            out.extend(self._drop(session, registration))
        self._by_session.pop(session, None)
        return out

    def best(self, procedure: str) -> Registration | None:
        """The registration a call of `procedure` goes to."""
        return self._table.best(procedure)

    def lookup(self, procedure: str, match: str) -> Registration | None:
        """The registration of exactly this pattern."""
        return self._table.get(procedure, match)

    def find(self, number: int) -> Registration | None:
        """The registration with this id."""
        return self._by_id.get(number)

    def get(self, number: int) -> Registration:
        """The registration with this id; raises ApplicationError if there is none."""
        registration = self.find(number)
        if registration is None:
            raise ApplicationError(
                ApplicationError.NO_SUCH_REGISTRATION, f"no registration {str(number)[:20]}"
            )
        return registration

    def all(self) -> list[Registration]:
        """Every registration, in the order in which they came to be."""
        return list(self._by_id.values())

    def pick(self, registration: Registration, tried: Collection[Session] = ()) -> Callee | None:
        """The callee whose turn it is, as if those that were tried did not exist; None if all
        have as many invocations as they take.
        """
        callees = registration.callees
        count = len(callees)
        if registration.invoke == "roundrobin":
            start = registration.turn % count
        elif registration.invoke == "random":
            start = self._choose(count)
        else:
            start = 0
        step = -1 if registration.invoke == "last" else 1
        if step < 0:
            start = count - 1
        for i in range(count):
            at = (start + step * i) % count
            if callees[at].free() and callees[at].session not in tried:
                registration.turn = at + 1
                return callees[at]
        return None

    def _check(self, session: Session, procedure: str, match: str) -> None:
        if not uris.valid(procedure, match):
            raise ApplicationError(
                ApplicationError.INVALID_URI,
                f"procedure {procedure[:80]!r} is not a URI for {match} match",
            )
        if uris.reserved(procedure):
            raise ApplicationError(
                ApplicationError.INVALID_URI, f"procedure {procedure[:80]}: wamp.* is the router's"
            )
        if len(self._by_session.get(session, ())) >= self._limits.registrations:
            raise ApplicationError(
                "microwamp.error.limit_exceeded",
                f"a session may hold {self._limits.registrations} registrations",
            )

    def _revoke(self, session: Session, registration: Registration, reason: str) -> Out:
        out: Out = []
        if session.announces("callee", "registration_revocation"):
            details = {"registration": registration.id, "reason": reason}
            out.append((session, [UNREGISTERED, 0, details]))
        return out + self._drop(session, registration)

    def _drop(self, session: Session, registration: Registration) -> Out:
        del self._by_session[session][registration.id]
        at = next(i for i, one in enumerate(registration.callees) if one.session is session)
        del registration.callees[at]
        if at < registration.turn:
            registration.turn -= 1
        last = not registration.callees
        if last:
            self._table.remove(registration.procedure, registration.match)
            del self._by_id[registration.id]
        number = registration.id
        out = self._announce("wamp.registration.on_unregister", session.id, number)
        if last:
            out.extend(self._announce("wamp.registration.on_delete", session.id, number))
        return out
