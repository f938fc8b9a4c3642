"""A call on its way, and what the dealer keeps of the calls of one session."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from .registrations import Callee
from .session import Message, Out, Session

# Invocations of a callee whose answers nobody waits for any more, and progressive calls of a
# caller that ended before its last CALL, that are remembered one by one. A callee need not answer
# after `killnowait`, so without a limit they would pile up; of what is forgotten only the highest
# number is kept, and what belongs to it or to a lower one is let pass unseen.
REMEMBERED = 1000


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> None:
        """It will not."""


# Runs a function after so many seconds and sends what it returns.
Later: TypeAlias = Callable[[float, Callable[[], Out]], Timer]


@dataclass(eq=False, slots=True)
class Call:
    """A call in flight: `request` is the caller's number, `invocation` the callee's.

    details: of its INVOCATIONs, frozen with the first CALL. feature: what the payload needs of its
    receiver, None for a plain one. results: progressive results are wanted and possible. more:
    the caller has not sent its last CALL. parts: INVOCATIONs so far. timeout: milliseconds until
    the next result, 0 for ever. killed: CANCEL with the mode `kill` came. message, octets: the
    CALL, while it may still go to another callee, and what it counts for; tried: those who said
    that they are unavailable.
    """

    caller: Session
    request: int
    procedure: str
    registration: int
    slot: Callee
    feature: str | None
    more: bool
    invocation: int = 0
    details: dict[str, Any] = field(default_factory=dict)
    results: bool = False
    timeout: int = 0
    parts: int = 1
    killed: bool = False
    timer: Timer | None = None
    message: Message | None = None
    octets: int = 0
    tried: list[Session] = field(default_factory=list)

    @property
    def callee(self) -> Session:
        """Who has it now."""
        return self.slot.session


class Ended:
    """Numbers that are over, with something about each; the oldest are forgotten."""

    __slots__ = ("_forgotten", "_items")

    def __init__(self) -> None:
        self._items: OrderedDict[int, Any] = OrderedDict()
        self._forgotten = 0

    def __contains__(self, number: int) -> bool:
        return number in self._items

    def forgot(self, number: int) -> bool:
        """Whether `number` may have been here and was forgotten."""
        return number <= self._forgotten

    def add(self, number: int, item: Any) -> Any:
        """Remember; returns the item that was forgotten for it, if any."""
        self._items[number] = item
        if len(self._items) <= REMEMBERED:
            return None
        oldest, lost = self._items.popitem(last=False)
        self._forgotten = max(self._forgotten, oldest)
        return lost

    def get(self, number: int) -> Any:
        """What was remembered of `number`, which is there."""
        return self._items[number]

    def pop(self, number: int) -> Any:
        """The same, and forget it: nothing more can come."""
        return self._items.pop(number)


@dataclass(eq=False, slots=True)
class Peer:
    """What the dealer holds for a session in both its roles.

    discarded: invocations whose answer will be dropped, with the place among the callees that is
    still occupied, if any. unfinished: progressive calls that ended before their last CALL, with
    their procedure. last: the last INVOCATION id (session scope). held: octets of its calls that
    are kept for another callee.
    """

    calls: dict[int, Call] = field(default_factory=dict)
    invocations: dict[int, Call] = field(default_factory=dict)
    discarded: Ended = field(default_factory=Ended)
    unfinished: Ended = field(default_factory=Ended)
    last: int = 0
    held: int = 0
