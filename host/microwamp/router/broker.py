"""The broker: subscriptions, publications, retained events and event history of one realm.

Pure: messages as lists in, a list of (session, message) out; a refusal is an ApplicationError.
Source: WAMP basic profile, "Publish and Subscribe"; advanced profile, "Advanced PubSub".
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wamp.errors import ApplicationError

from . import history, uris
from .config import Limits, RealmConfig
from .history import Entry, History
from .options import passthru
from .patterns import Patterns
from .session import Message, Out, Session, payload
from .wire import EVENT, PUBLISHED, SUBSCRIBED, UNSUBSCRIBED

# What WELCOME says of every broker (advanced profile, "Feature Announcement"); `realm` adds what
# the configuration switches on.
FEATURES = (
    "event_retention",
    "pattern_based_subscription",
    "payload_passthru_mode",
    "publisher_exclusion",
    "publisher_identification",
    "session_meta_api",
    "subscriber_blackwhite_listing",
    "subscription_meta_api",
    "subscription_revocation",
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
class Subscription:
    """A (topic, match) with its subscribers; history: its events, where they are kept."""

    id: int
    topic: str
    match: str
    created: str
    sessions: dict[Session, None] = field(default_factory=dict)
    history: History | None = None

    def details(self) -> dict[str, Any]:
        """What the meta API says of it."""
        return {"id": self.id, "created": self.created, "uri": self.topic, "match": self.match}


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
    trust: int | None
    octets: int


class Broker:
    """The subscriptions of one realm.

    new_id: returns a random id of the global scope. counters: counts what was dropped. now: the
    time.
    """

    def __init__(
        self,
        new_id: Callable[[], int],
        limits: Limits,
        counters: Counter[str],
        config: RealmConfig,
        now: Callable[[], datetime] = history.now,
    ) -> None:
        self._new_id = new_id
        self._limits = limits
        self._counters = counters
        self._config = config
        self._now = now
        self._table: Patterns[Subscription] = Patterns()
        self._by_id: dict[int, Subscription] = {}
        self._by_session: dict[Session, dict[int, Subscription]] = {}
        self._retained: OrderedDict[str, _Retained] = OrderedDict()
        self._retained_octets = 0
        self._last_id = 0
        # A subscription with a history is there before anyone subscribes, and stays.
        for kept in config.history:
            self._create(kept.uri, kept.match).history = History(kept.events, kept.octets)

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
        created = False
        added = subscription is None or subscription.id not in mine
        if added and len(mine) >= self._limits.subscriptions:
            raise ApplicationError(
                "microwamp.error.limit_exceeded",
                f"a session may hold {self._limits.subscriptions} subscriptions",
            )
        if subscription is None:
            created = True
            subscription = self._create(topic, match)
        subscription.sessions[session] = None
        mine[subscription.id] = subscription
        out: Out = [(session, [SUBSCRIBED, request, subscription.id])]
        if options.get("get_retained"):
            out.extend((session, event) for event in self._recall(session, subscription))
        if created:
            out.extend(
                self.announce("wamp.subscription.on_create", session.id, subscription.details())
            )
        if added:
            out.extend(
                self.announce("wamp.subscription.on_subscribe", session.id, subscription.id)
            )
        return out

    def unsubscribe(self, session: Session, message: Message) -> Out:
        """UNSUBSCRIBE."""
        _, request, number = message
        subscription = self._by_session.get(session, {}).get(number)
        if subscription is None:
            raise ApplicationError(
                ApplicationError.NO_SUCH_SUBSCRIPTION, f"subscription {number} is not yours"
            )
        out: Out = [(session, [UNSUBSCRIBED, request])]
        return out + self._drop(session, subscription)

    def revoke(self, number: int, session_id: int, reason: str) -> Out:
        """Take a subscription from a subscriber that did not ask for it.

        Raises ApplicationError: no such subscription, or it is none of that session's.
        """
        subscription = self.get(number)
        for session in subscription.sessions:
            if session.id == session_id:
                break
        else:
            raise ApplicationError(
                "wamp.error.no_such_session",
                f"session {str(session_id)[:20]} is no subscriber of subscription {number}",
            )
        out: Out = []
        # Advanced profile, "Subscription Revocation": who did not announce it must not be told.
        if session.announces("subscriber", "subscription_revocation"):
            details = {"subscription": number, "reason": reason}
            out.append((session, [UNSUBSCRIBED, 0, details]))
        return out + self._drop(session, subscription)

    def publish(self, session: Session, message: Message, octets: int = 0) -> Out:
        """PUBLISH; octets: length of the message on the wire, for the limits on what is kept."""
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

    def announce(self, topic: str, *args: Any) -> Out:
        """A meta event of the router."""
        return self.distribute(topic, [list(args)], {})

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
        matching = self._table.matching(topic)
        retain = bool(options.get("retain"))
        if not matching and not retain:
            return []
        if publication is None:
            publication = self._new_id()
        receivers = _Receivers(options, publisher)
        details = passthru(options, rest)
        trust = None
        if publisher is not None:
            if self._config.trust:
                trust = self._config.trust_in(publisher.authrole, topic)
            if self._config.disclose or options.get("disclose_me"):
                details.update(publisher.disclosed("publisher"))
        out: Out = []
        for subscription in matching:
            # A message that goes to many is the same list, and they follow each other: then it
            # is encoded once. With the trust level it is another one.
            told = []
            event = _event(subscription, publication, topic, details, rest)
            for one in subscription.sessions:
                if one not in receivers:
                    continue
                if trust is not None and one.announces("subscriber", "publication_trustlevels"):
                    told.append(one)
                else:
                    out.append((one, event))
            if told:
                event = _event(
                    subscription, publication, topic, {**details, "trustlevel": trust}, rest
                )
                out.extend((one, event) for one in told)
            if subscription.history is not None:
                self._keep(subscription, publication, topic, details, rest, options, trust, octets)
        if retain:
            self._retain(topic, _Retained(publication, details, rest, receivers, trust, octets))
        return out

    def leave(self, session: Session) -> Out:
        """Forget a session that ended."""
        mine = self._by_session.get(session, {})
        for subscription in mine.values():
            del subscription.sessions[session]
        out: Out = []
        for subscription in list(mine.values()):
            out.extend(self._ended(session, subscription))
        self._by_session.pop(session, None)
        return out

    def lookup(self, topic: str, match: str) -> Subscription | None:
        """The subscription of exactly this pattern."""
        return self._table.get(topic, match)

    def matching(self, topic: str) -> list[Subscription]:
        """Every subscription that an event of `topic` goes to."""
        return self._table.matching(topic)

    def get(self, number: int) -> Subscription:
        """The subscription with this id; raises ApplicationError if there is none."""
        subscription = self._by_id.get(number)
        if subscription is None:
            raise ApplicationError(
                ApplicationError.NO_SUCH_SUBSCRIPTION, f"no subscription {str(number)[:20]}"
            )
        return subscription

    def all(self) -> list[Subscription]:
        """Every subscription, in the order in which they came to be."""
        return list(self._by_id.values())

    def _create(self, topic: str, match: str) -> Subscription:
        self._last_id += 1
        subscription = Subscription(self._last_id, topic, match, history.text(self._now()))
        self._table.add(topic, match, subscription)
        self._by_id[subscription.id] = subscription
        return subscription

    def _drop(self, session: Session, subscription: Subscription) -> Out:
        del self._by_session[session][subscription.id]
        del subscription.sessions[session]
        return self._ended(session, subscription)

    def _ended(self, session: Session, subscription: Subscription) -> Out:
        """What follows when `session` is out of a subscription."""
        last = not subscription.sessions and subscription.history is None
        number = subscription.id
        if last:
            self._table.remove(subscription.topic, subscription.match)
            del self._by_id[number]
        out = self.announce("wamp.subscription.on_unsubscribe", session.id, number)
        if last:
            out.extend(self.announce("wamp.subscription.on_delete", session.id, number))
        return out

    def _keep(
        self,
        subscription: Subscription,
        publication: int,
        topic: str,
        details: dict[str, Any],
        rest: Message,
        options: dict[str, Any],
        trust: int | None,
        octets: int,
    ) -> None:
        # Advanced profile, "Event History", "Security Aspects": session ids are another's when
        # someone asks later, so what is limited by them is not kept.
        if "exclude" in options or "eligible" in options:
            return
        assert subscription.history is not None
        if subscription.match != "exact":
            details = {**details, "topic": topic}
        entry = Entry(
            publication,
            self._now(),
            topic,
            details,
            rest,
            _Receivers(options, None),
            trust,
            octets,
        )
        forgotten = subscription.history.add(entry)
        if forgotten:
            self._counters["events of a history forgotten"] += forgotten

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

    def _recall(self, session: Session, subscription: Subscription) -> list[Message]:
        """The retained events of a new subscription (advanced profile, "Event Retention")."""
        if subscription.match == "exact":
            topics = [subscription.topic] if subscription.topic in self._retained else []
        else:
            topics = [
                topic
                for topic in self._retained
                if uris.covers(subscription.topic, subscription.match, topic)
            ]
        wants_trust = session.announces("subscriber", "publication_trustlevels")
        events = []
        for topic in topics:
            retained = self._retained[topic]
            if session in retained.receivers:
                details = {**retained.details, "retained": True}
                if wants_trust and retained.trust is not None:
                    details["trustlevel"] = retained.trust
                events.append(
                    _event(subscription, retained.publication, topic, details, retained.payload)
                )
        return events


def _event(
    subscription: Subscription,
    publication: int,
    topic: str,
    details: dict[str, Any],
    rest: Message,
) -> Message:
    if subscription.match != "exact":
        details = {**details, "topic": topic}
    return [EVENT, subscription.id, publication, details, *rest]
