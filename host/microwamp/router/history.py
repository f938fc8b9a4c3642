"""The events of one subscription that are kept for those who ask later.

Source: WAMP advanced profile, "Event History".
"""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from wamp.errors import ApplicationError

from . import uris
from .session import Message, Session

# What an event costs beside its octets on the wire.
_OVERHEAD = 500

# RFC 3339, "Internet Date/Time Format".
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


class Audience(Protocol):
    """Who may have a publication."""

    def __contains__(self, session: Session) -> bool: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One event. trust: the trust level for those who want to know it."""

    publication: int
    time: datetime
    topic: str
    details: dict[str, Any]
    payload: Message
    audience: Audience
    trust: int | None
    octets: int

    def event(self, subscription: int, session: Session) -> dict[str, Any]:
        """What `wamp.subscription.get_events` says of it to `session`."""
        details = self.details
        if self.trust is not None and session.announces("subscriber", "publication_trustlevels"):
            details = {**details, "trustlevel": self.trust}
        found: dict[str, Any] = {
            "timestamp": text(self.time),
            "subscription": subscription,
            "publication": self.publication,
            "details": details,
        }
        found.update(zip(("args", "kwargs"), self.payload, strict=False))
        return found


@dataclass(eq=False, slots=True)
class History:
    """events: how many are kept; octets: of how many octets altogether. The oldest go."""

    events: int
    octets: int
    entries: deque[Entry] = field(default_factory=deque)
    held: int = 0

    def add(self, entry: Entry) -> int:
        """Keep an event; returns how many were forgotten for it."""
        self.entries.append(entry)
        self.held += entry.octets + _OVERHEAD
        forgotten = 0
        while self.entries and (len(self.entries) > self.events or self.held > self.octets):
            self.held -= self.entries.popleft().octets + _OVERHEAD
            forgotten += 1
        return forgotten


@dataclass(frozen=True, slots=True)
class Query:
    """The keyword arguments of `wamp.subscription.get_events`, all of which must hold."""

    reverse: bool
    limit: int | None
    topic: str | None
    times: dict[str, datetime]
    publications: dict[str, int]

    @classmethod
    def of(cls, kwargs: dict[str, Any]) -> "Query":
        """Read them; unknown ones are left alone. Raises ApplicationError for wrong ones."""
        reverse = _optional(kwargs, "reverse", bool)
        limit = _optional(kwargs, "limit", int)
        topic = _optional(kwargs, "topic", str)
        if limit is not None and limit < 1:
            raise _invalid("limit: a positive integer needed")
        if topic is not None and not uris.valid(topic):
            raise ApplicationError(ApplicationError.INVALID_URI, f"topic {topic[:80]!r}")
        times = {}
        publications = {}
        for bound in _BOUNDS:
            when = _optional(kwargs, bound + "_time", str)
            if when is not None:
                times[bound] = _parse(bound + "_time", when)
            number = _optional(kwargs, bound + "_publication", int)
            if number is not None:
                publications[bound] = number
        return cls(bool(reverse), limit, topic, times, publications)

    def select(self, entries: Iterable[Entry], session: Session) -> list[Entry]:
        """Those of `entries` (in order of occurrence) that were asked for and are allowed."""
        kept = list(entries)
        at = {one.publication: i for i, one in enumerate(kept)}
        low = 0
        high = len(kept)
        for bound, number in self.publications.items():
            if number not in at:
                return []  # nothing is known to lie on either side of it
            i = at[number] + (bound in ("after", "until"))
            if bound in ("from", "after"):
                low = max(low, i)
            else:
                high = min(high, i)
        found = [
            one
            for one in kept[low:high]
            if session in one.audience
            and self.topic in (None, one.topic)
            and all(_BOUNDS[bound](one.time, when) for bound, when in self.times.items())
        ]
        if self.reverse:
            found.reverse()
        return found if self.limit is None else found[: self.limit]


_BOUNDS = {
    "from": datetime.__ge__,
    "after": datetime.__gt__,
    "before": datetime.__lt__,
    "until": datetime.__le__,
}


def text(time: datetime) -> str:
    """A time as RFC 3339 has it, in milliseconds of UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"


def now() -> datetime:
    """The time in whole milliseconds: what `text` shows is what filters compare."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _parse(name: str, value: str) -> datetime:
    if _TIME.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper())
        except ValueError:
            pass
    raise _invalid(f"{name}: a time as in RFC 3339 needed, such as 2026-01-31T12:00:00.000Z")


def _optional(kwargs: dict[str, Any], name: str, kind: type) -> Any:
    value = kwargs.get(name)
    if value is not None and type(value) is not kind:
        raise _invalid(f"{name}: {kind.__name__} needed")
    return value


def _invalid(why: str) -> ApplicationError:
    return ApplicationError(ApplicationError.INVALID_ARGUMENT, why)
