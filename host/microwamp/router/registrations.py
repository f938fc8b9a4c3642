"""Who offers which procedure, and whose turn it is.

Source: WAMP advanced profile, "Pattern-based Registrations", "Shared Registration", "Registration
Revocation"; `concurrency` and `force_reregister` are crossbar's.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wamp.errors import ApplicationError

from . import uris
from .config import Limits
from .patterns import Patterns
from .session import Session


@dataclass(eq=False, slots=True)
class Callee:
    """A session's place in a registration.

    active: invocations it has not answered. concurrency: how many it takes at a time, 0 any.
    """

    session: Session
    concurrency: int
    disclose: bool
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
    callees: list[Callee] = field(default_factory=list)
    turn: int = 0  # whose turn is next under roundrobin


class Registrations:
    """The registrations of one realm. choose: picks an index below its argument."""

    def __init__(self, choose: Callable[[int], int], limits: Limits) -> None:
        self._choose = choose
        self._limits = limits
        self._table: Patterns[Registration] = Patterns()
        self._by_session: dict[Session, dict[int, Registration]] = {}
        self._last_id = 0

    def add(
        self, session: Session, procedure: str, options: dict[str, Any]
    ) -> tuple[Registration, list[tuple[Session, int]]]:
        """Enter a callee.

        Returns the registration and the (session, registration id) that `force_reregister` took it
        from. Raises ApplicationError: invalid URI, already there, too many.
        """
        match = options.get("match", "exact")
        invoke = options.get("invoke", "single")
        if not uris.valid(procedure, match):
            raise ApplicationError(
                ApplicationError.INVALID_URI,
                f"procedure {procedure[:80]!r} is not a URI for {match} match",
            )
        if uris.reserved(procedure):
            raise ApplicationError(
                ApplicationError.INVALID_URI, f"procedure {procedure[:80]}: wamp.* is the router's"
            )
        mine = self._by_session.setdefault(session, {})
        if len(mine) >= self._limits.registrations:
            raise ApplicationError(
                "microwamp.error.limit_exceeded",
                f"a session may hold {self._limits.registrations} registrations",
            )
        registration = self._table.get(procedure, match)
        displaced = []
        if registration is not None and options.get("force_reregister"):
            displaced = [(one.session, registration.id) for one in registration.callees]
            for one, _ in displaced:
                self._drop(one, registration)
            registration = None
        if registration is None:
            self._last_id += 1
            registration = Registration(self._last_id, procedure, match, invoke)
            self._table.add(procedure, match, registration)
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
            Callee(session, options.get("concurrency", 0), options.get("disclose_caller", False))
        )
        mine[registration.id] = registration
        return registration, displaced

    def remove(self, session: Session, number: int) -> None:
        """Take a callee out; raises ApplicationError if the registration is not its own."""
        registration = self._by_session.get(session, {}).get(number)
        if registration is None:
            raise ApplicationError(
                ApplicationError.NO_SUCH_REGISTRATION, f"registration {number} is not yours"
            )
        self._drop(session, registration)

    def leave(self, session: Session) -> None:
        """Take a session out of everything."""
        for registration in list(self._by_session.get(session, {}).values()):
            self._drop(session, registration)
        self._by_session.pop(session, None)

    def best(self, procedure: str) -> Registration | None:
        """The registration a call of `procedure` goes to."""
        return self._table.best(procedure)

    def pick(self, registration: Registration) -> Callee | None:
        """The callee whose turn it is; None if all have as many invocations as they take."""
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
            if callees[at].free():
                registration.turn = at + 1
                return callees[at]
        return None

    def _drop(self, session: Session, registration: Registration) -> None:
        del self._by_session[session][registration.id]
        at = next(i for i, one in enumerate(registration.callees) if one.session is session)
        del registration.callees[at]
        if at < registration.turn:
            registration.turn -= 1
        if not registration.callees:
            self._table.remove(registration.procedure, registration.match)
