"""Registration and subscription meta API, event history, and what takes either back.

Source: WAMP advanced profile, "Registration Meta API", "Subscription Meta API", "Event History".
`remove_callee` and `remove_subscriber` are crossbar's. The form of procedures: see `sessionmeta`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wamp.errors import ApplicationError

from .history import Query
from .metatools import Answer, Args, Kwargs, Procedure, argument, by_match, match_of, reason
from .registrations import Registration
from .session import Session
from .uris import literal

if TYPE_CHECKING:
    from .broker import Subscription
    from .realm import Realm


def _registrations(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    return [[by_match(realm.registrations.all())]], []


def _registration_lookup(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    procedure = argument(args, 0, "procedure", str)
    found = realm.registrations.lookup(procedure, match_of(args))
    return [[None if found is None else found.id]], []


def _registration_match(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    found = realm.registrations.best(argument(args, 0, "procedure", str))
    return [[None if found is None else found.id]], []


def _registration_get(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    return [[_registration(realm, args).details()]], []


def _callees(realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int) -> Answer:
    return [[[one.session.id for one in _registration(realm, args).callees]]], []


def _callee_count(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    return [[len(_registration(realm, args).callees)]], []


def _remove_callee(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    number = argument(args, 0, "registration", int)
    callee = argument(args, 1, "session", int)
    why = reason(kwargs, "wamp.error.unregistered")
    return [], realm.registrations.revoke(number, callee, why)


def _subscriptions(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    return [[by_match(realm.broker.all())]], []


def _subscription_lookup(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    found = realm.broker.lookup(argument(args, 0, "topic", str), match_of(args))
    return [[None if found is None else found.id]], []


def _subscription_match(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    found = realm.broker.matching(argument(args, 0, "topic", str))
    return [[[one.id for one in found] or None]], []


def _subscription_get(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    return [[_subscription(realm, args).details()]], []


def _subscribers(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    return [[[one.id for one in _subscription(realm, args).sessions]]], []


def _subscriber_count(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    return [[len(_subscription(realm, args).sessions)]], []


def _remove_subscriber(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    number = argument(args, 0, "subscription", int)
    subscriber = argument(args, 1, "session", int)
    why = reason(kwargs, "wamp.error.unsubscribed")
    return [], realm.broker.revoke(number, subscriber, why)


def _events(realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int) -> Answer:
    subscription = _subscription(realm, args)
    topic, match = subscription.topic, subscription.match
    if not realm.may(session, "subscribe", literal(topic, match)):
        raise ApplicationError(
            ApplicationError.NOT_AUTHORIZED,
            f"the role {session.authrole[:40]} may not subscribe {topic[:80]}",
        )
    if subscription.history is None:
        raise ApplicationError(
            "wamp.error.history_unavailable", f"no events of {topic[:80]} are kept"
        )
    found = Query.of(kwargs).select(subscription.history.entries, session)
    return [[one.event(subscription.id, session) for one in found]], []


def _registration(realm: Realm, args: Args) -> Registration:
    return realm.registrations.get(argument(args, 0, "registration", int))


def _subscription(realm: Realm, args: Args) -> Subscription:
    return realm.broker.get(argument(args, 0, "subscription", int))


# What takes from others what they did not give back.
ADMINISTRATION: dict[str, Procedure] = {
    "wamp.registration.remove_callee": _remove_callee,
    "wamp.subscription.remove_subscriber": _remove_subscriber,
}
PROCEDURES: dict[str, Procedure] = {
    "wamp.registration.count_callees": _callee_count,
    "wamp.registration.get": _registration_get,
    "wamp.registration.list": _registrations,
    "wamp.registration.list_callees": _callees,
    "wamp.registration.lookup": _registration_lookup,
    "wamp.registration.match": _registration_match,
    "wamp.subscription.count_subscribers": _subscriber_count,
    "wamp.subscription.get": _subscription_get,
    "wamp.subscription.get_events": _events,
    "wamp.subscription.list": _subscriptions,
    "wamp.subscription.list_subscribers": _subscribers,
    "wamp.subscription.lookup": _subscription_lookup,
    "wamp.subscription.match": _subscription_match,
}
