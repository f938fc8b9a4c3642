"""The broker: subscriptions, publications, retained events of one realm.

Pure: messages as lists in, a list of (session, message) out; a refusal is an ApplicationError.
Source: WAMP basic profile, "Publish and Subscribe"; advanced profile, "Advanced PubSub".
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wamp.errors import ApplicationError
from wamp.messages import EVENT, PUBLISHED, SUBSCRIBED, UNSUBSCRIBED

from . import uris
from .config import Limits
from .patterns import Patterns
from .session import Message, Out, Session, payload

# What WELCOME says of the broker (advanced profile, "Feature Announcement").
FEATURES = (
    "event_retention",
    "pattern_based_subscription",
    "publisher_exclusion",
    "publisher_identification",
    "session_meta_api",
    "subscriber_blackwhite_listing",
)

_LISTS = (
    "eligible",
    "eligible_authid",
    "eligible_authrole",
    "exclude",
    "exclude_authid",
    "exclude_authrole",
)


@dataclass(eq=False, slots=True)
class _Subscription:
    id: int
    topic: str
    match: str
    sessions: dict[Session, None] = field(default_factory=dict)


class _Receivers:
    """Who may have a publication (advanced profile, "Subscriber Black- and Whitelisting")."""

    __slots__ = ("_lists", "_without")

    def __init__(self, options: dict[str, Any], publisher: Session | None) -> None:
        self._without = publisher if options.get("exclude_me", True) else None
        self._lists = [
            (name.startswith("eligible"), name.partition("_")[2] or "id", set(options[name]))
            for name in _LISTS
            if name in options
        ]

    def __contains__(self, session: Session) -> bool:
        if session is self._without:
            return False
        for wanted, attribute, names in self._lists:
            if (getattr(session, attribute) in names) is not wanted:
                return False
        return True


@dataclass(eq=False, slots=True)
class _Retained:
    publication: int
    details: dict[str, Any]
    payload: Message
    receivers: _Receivers
    octets: int


class Broker:
    """The subscriptions of one realm.

    new_id: returns a random id of the global scope. disclose: every publisher is made known.
    counters: counts what was dropped.
    """

    def __init__(
        self,
        new_id: Callable[[], int],
        limits: Limits,
        counters: Counter[str],
        disclose: bool = False,
    ) -> None:
        self._new_id = new_id
        self._limits = limits
        self._counters = counters
        self._disclose = disclose
        self._table: Patterns[_Subscription] = Patterns()
        self._by_id: dict[int, _Subscription] = {}
        self._by_session: dict[Session, dict[int, _Subscription]] = {}
        self._retained: OrderedDict[str, _Retained] = OrderedDict()
        self._retained_octets = 0
        self._last_id = 0

    def subscribe(self, session: Session, message: Message) -> Out:
        """SUBSCRIBE; the same (topic, match) is one subscription id for everyone."""
        _, request, options, topic = message
        match = options.get("match", "exact")
        if not uris.valid(topic, match):
            raise ApplicationError(
                ApplicationError.INVALID_URI,
                f"topic {topic[:80]!r} is not a URI for {match} match",
            )
        mine = self._by_session.setdefault(session, {})
        subscription = self._table.get(topic, match)
        if subscription is None or subscription.id not in mine:
            if len(mine) >= self._limits.subscriptions:
                raise ApplicationError(
                    "microwamp.error.limit_exceeded",
                    f"a session may hold {self._limits.subscriptions} subscriptions",
                )
            if subscription is None:
                self._last_id += 1
                subscription = _Subscription(self._last_id, topic, match)
                self._table.add(topic, match, subscription)
                self._by_id[subscription.id] = subscription
            subscription.sessions[session] = None
            mine[subscription.id] = subscription
        out: Out = [(session, [SUBSCRIBED, request, subscription.id])]
        if options.get("get_retained"):
            out.extend((session, event) for event in self._recall(session, subscription))
        return out

    def unsubscribe(self, session: Session, message: Message) -> Out:
        """UNSUBSCRIBE."""
        _, request, number = message
        subscription = self._by_session.get(session, {}).pop(number, None)
        if subscription is None:
            raise ApplicationError(
                ApplicationError.NO_SUCH_SUBSCRIPTION, f"subscription {number} is not yours"
            )
        self._drop(session, subscription)
        return [(session, [UNSUBSCRIBED, request])]

    def publish(self, session: Session, message: Message, octets: int = 0) -> Out:
        """PUBLISH; octets: length of the message on the wire, for the limit on retained events."""
        _, request, options, topic = message[:4]
        if not uris.valid(topic):
            raise ApplicationError(
                ApplicationError.INVALID_URI, f"topic {topic[:80]!r} is not a URI"
            )
        if uris.reserved(topic):
            raise ApplicationError(
                ApplicationError.INVALID_URI, f"topic {topic[:80]}: wamp.* is the router's"
            )
        publication = self._new_id()
        out: Out = []
        if options.get("acknowledge"):
            out.append((session, [PUBLISHED, request, publication]))
        out.extend(
            self.distribute(topic, payload(message, 4), options, session, publication, octets)
        )
        return out

    def distribute(
        self,
        topic: str,
        rest: Message,
        options: dict[str, Any],
        publisher: Session | None = None,
        publication: int | None = None,
        octets: int = 0,
    ) -> Out:
        """The EVENTs of a publication with the payload `rest`; publisher None is the router."""
        if publication is None:
            publication = self._new_id()
        receivers = _Receivers(options, publisher)
        details: dict[str, Any] = {}
        if publisher is not None and (self._disclose or options.get("disclose_me")):
            details = publisher.disclosed("publisher")
        out: Out = []
        for subscription in self._table.matching(topic):
            event = _event(subscription, publication, topic, details, rest)
            out.extend((one, event) for one in subscription.sessions if one in receivers)
        if options.get("retain"):
            self._retain(topic, _Retained(publication, details, rest, receivers, octets))
        return out

    def leave(self, session: Session) -> None:
        """Forget a session that ended."""
        for subscription in self._by_session.pop(session, {}).values():
            self._drop(session, subscription)

    def _drop(self, session: Session, subscription: _Subscription) -> None:
        del subscription.sessions[session]
        if not subscription.sessions:
            self._table.remove(subscription.topic, subscription.match)
            del self._by_id[subscription.id]

    def _retain(self, topic: str, retained: _Retained) -> None:
        before = self._retained.pop(topic, None)
        if before is not None:
            self._retained_octets -= before.octets
        self._retained[topic] = retained
        self._retained_octets += retained.octets
        while (
            len(self._retained) > self._limits.retained
            or self._retained_octets > self._limits.retained_octets
        ):
            _, oldest = self._retained.popitem(last=False)
            self._retained_octets -= oldest.octets
            self._counters["retained events forgotten"] += 1

    def _recall(self, session: Session, subscription: _Subscription) -> list[Message]:
        """The retained events of a new subscription (advanced profile, "Event Retention")."""
        if subscription.match == "exact":
            topics = [subscription.topic] if subscription.topic in self._retained else []
        else:
            topics = [
                topic
                for topic in self._retained
                if uris.covers(subscription.topic, subscription.match, topic)
            ]
        events = []
        for topic in topics:
            retained = self._retained[topic]
            if session in retained.receivers:
                details = {**retained.details, "retained": True}
                events.append(
                    _event(subscription, retained.publication, topic, details, retained.payload)
                )
        return events


def _event(
    subscription: _Subscription,
    publication: int,
    topic: str,
    details: dict[str, Any],
    rest: Message,
) -> Message:
    if subscription.match != "exact":
        details = {**details, "topic": topic}
    return [EVENT, subscription.id, publication, details, *rest]
