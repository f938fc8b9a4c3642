"""Session meta API and testaments.

Source: WAMP advanced profile, "Session Meta API" and "Testaments". Each procedure takes the realm,
the calling session, positional and keyword arguments and the length of the CALL; it returns the
payload of the RESULT and what else goes out, or raises ApplicationError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wamp.errors import ApplicationError, RemoteProtocolError

from . import options, uris
from .metatools import TEXT, Answer, Args, Kwargs, Procedure, argument, invalid, reason
from .session import Message, Out, Session, Testament, payload
from .wire import PUBLISH

if TYPE_CHECKING:
    from .realm import Realm


def _count(realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int) -> Answer:
    return [[len(_filtered(realm, args))]], []


def _list(realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int) -> Answer:
    return [[_filtered(realm, args)]], []


def _filtered(realm: Realm, args: Args) -> list[int]:
    roles = argument(args, 0, "filter_authroles", list, None)
    return [one.id for one in realm.sessions.values() if roles is None or one.authrole in roles]


def _get(realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int) -> Answer:
    return [[_session(realm, args).details()]], []


def _kill(realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int) -> Answer:
    victim = _session(realm, args)
    if victim is session:
        raise _no_such_session(victim.id)
    return [], _end(realm, [victim], kwargs)


def _kill_by_authid(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    authid = argument(args, 0, "authid", str)
    victims = [one for one in _others(realm, session) if one.authid == authid]
    return [[[one.id for one in victims]]], _end(realm, victims, kwargs)


def _kill_by_authrole(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    authrole = argument(args, 0, "authrole", str)
    victims = [one for one in _others(realm, session) if one.authrole == authrole]
    return [[len(victims)]], _end(realm, victims, kwargs)


def _kill_all(realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int) -> Answer:
    victims = _others(realm, session)
    return [[len(victims)]], _end(realm, victims, kwargs)


def _others(realm: Realm, session: Session) -> list[Session]:
    return [one for one in realm.sessions.values() if one is not session]


def _end(realm: Realm, victims: list[Session], kwargs: Kwargs) -> Out:
    why = reason(kwargs, "wamp.close.killed")
    text = kwargs.get("message")
    if text is None:
        text = ""
    if type(text) is not str or len(text) > TEXT:
        raise invalid(f"message: a string of up to {TEXT} characters needed")
    out: Out = []
    for victim in victims:
        out.extend(realm.kill(victim, why, text))
    return out


def _add_testament(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    topic = argument(args, 0, "topic", str)
    arguments = argument(args, 1, "args", list)
    keywords = argument(args, 2, "kwargs", dict)
    chosen = kwargs.get("publish_options")
    if chosen is None:
        chosen = {}
    if type(chosen) is not dict:
        raise invalid("publish_options: a dictionary needed")
    if not uris.valid(topic) or uris.reserved(topic):
        raise ApplicationError(ApplicationError.INVALID_URI, f"topic {topic[:80]!r}")
    if not realm.may(session, "publish", topic):
        raise ApplicationError(
            ApplicationError.NOT_AUTHORIZED,
            f"the role {session.authrole[:40]} may not publish {topic[:80]}",
        )
    message: Message = [PUBLISH, 1, chosen, topic, arguments, keywords]
    try:
        options.check(message, session, True, False)
    except RemoteProtocolError as e:
        # Here the options are arguments of a call: wrong ones are the call's error.
        raise invalid(str(e)) from e
    held = [will for scope in session.testaments.values() for will in scope]
    if (
        len(held) >= realm.limits.testaments
        or sum(will.octets for will in held) + octets > realm.limits.testament_octets
    ):
        raise ApplicationError(
            "microwamp.error.limit_exceeded",
            f"a session may leave {realm.limits.testaments} testaments of "
            f"{realm.limits.testament_octets} octets altogether",
        )
    will = Testament(topic, chosen, payload(message, 4), octets)
    session.testaments[_scope(kwargs)].append(will)
    return [], []


def _flush_testaments(
    realm: Realm, session: Session, args: Args, kwargs: Kwargs, octets: int
) -> Answer:
    session.testaments[_scope(kwargs)].clear()
    return [], []


def _scope(kwargs: Kwargs) -> str:
    scope = kwargs.get("scope")
    if scope is None:
        return "destroyed"
    if scope not in ("destroyed", "detached"):
        raise invalid("scope: destroyed or detached needed")
    return str(scope)


def _session(realm: Realm, args: Args) -> Session:
    number = argument(args, 0, "session", int)
    found = realm.sessions.get(number)
    if found is None:
        raise _no_such_session(number)
    return found


def _no_such_session(number: int) -> ApplicationError:
    return ApplicationError("wamp.error.no_such_session", f"no other session {str(number)[:20]}")


# What ends the sessions of others.
ADMINISTRATION: dict[str, Procedure] = {
    "wamp.session.kill": _kill,
    "wamp.session.kill_all": _kill_all,
    "wamp.session.kill_by_authid": _kill_by_authid,
    "wamp.session.kill_by_authrole": _kill_by_authrole,
}
PROCEDURES: dict[str, Procedure] = {
    "wamp.session.add_testament": _add_testament,
    "wamp.session.count": _count,
    "wamp.session.flush_testaments": _flush_testaments,
    "wamp.session.get": _get,
    "wamp.session.list": _list,
}
