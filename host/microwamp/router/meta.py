"""The procedures of the router itself: session meta API and testaments.

Source: WAMP advanced profile, "Session Meta API" and "Testaments". Each takes the realm, the
calling session, positional and keyword arguments and the length of the CALL; it returns the
payload of the RESULT and what else goes out, or raises ApplicationError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from wamp import messages
from wamp.errors import ApplicationError, RemoteProtocolError

from . import options, uris
from .session import Message, Out, Session, Testament, payload

if TYPE_CHECKING:
    from .realm import Realm

_Args: TypeAlias = list[Any]
_Kwargs: TypeAlias = dict[str, Any]
_Answer: TypeAlias = tuple[Message, Out]
_Procedure: TypeAlias = Callable[["Realm", Session, _Args, _Kwargs, int], _Answer]

# Longest reason and message of `kill`: the GOODBYE must fit into the 1024 octets that the smallest
# client accepts.
_TEXT = 250


def _count(realm: Realm, session: Session, args: _Args, kwargs: _Kwargs, octets: int) -> _Answer:
    return [[len(_filtered(realm, args))]], []


def _list(realm: Realm, session: Session, args: _Args, kwargs: _Kwargs, octets: int) -> _Answer:
    return [[_filtered(realm, args)]], []


def _filtered(realm: Realm, args: _Args) -> list[int]:
    roles = _argument(args, 0, "filter_authroles", list, None)
    return [one.id for one in realm.sessions.values() if roles is None or one.authrole in roles]


def _get(realm: Realm, session: Session, args: _Args, kwargs: _Kwargs, octets: int) -> _Answer:
    return [[_session(realm, args).details()]], []


def _kill(realm: Realm, session: Session, args: _Args, kwargs: _Kwargs, octets: int) -> _Answer:
    victim = _session(realm, args)
    if victim is session:
        raise _no_such_session(victim.id)
    return [], _end(realm, [victim], kwargs)


def _kill_by_authid(
    realm: Realm, session: Session, args: _Args, kwargs: _Kwargs, octets: int
) -> _Answer:
    authid = _argument(args, 0, "authid", str)
    victims = [one for one in _others(realm, session) if one.authid == authid]
    return [[[one.id for one in victims]]], _end(realm, victims, kwargs)


def _kill_by_authrole(
    realm: Realm, session: Session, args: _Args, kwargs: _Kwargs, octets: int
) -> _Answer:
    authrole = _argument(args, 0, "authrole", str)
    victims = [one for one in _others(realm, session) if one.authrole == authrole]
    return [[len(victims)]], _end(realm, victims, kwargs)


def _kill_all(
    realm: Realm, session: Session, args: _Args, kwargs: _Kwargs, octets: int
) -> _Answer:
    victims = _others(realm, session)
    return [[len(victims)]], _end(realm, victims, kwargs)


def _others(realm: Realm, session: Session) -> list[Session]:
    return [one for one in realm.sessions.values() if one is not session]


def _end(realm: Realm, victims: list[Session], kwargs: _Kwargs) -> Out:
    reason = kwargs.get("reason")
    text = kwargs.get("message")
    if reason is None:
        reason = "wamp.close.killed"
    if type(reason) is not str or not uris.valid(reason) or len(reason) > _TEXT:
        raise ApplicationError(ApplicationError.INVALID_URI, "reason is not a URI")
    if text is None:
        text = ""
    if type(text) is not str or len(text) > _TEXT:
        raise _invalid(f"message: a string of up to {_TEXT} characters needed")
    out: Out = []
    for victim in victims:
        out.extend(realm.kill(victim, reason, text))
    return out


def _add_testament(
    realm: Realm, session: Session, args: _Args, kwargs: _Kwargs, octets: int
) -> _Answer:
    topic = _argument(args, 0, "topic", str)
    arguments = _argument(args, 1, "args", list)
    keywords = _argument(args, 2, "kwargs", dict)
    chosen = kwargs.get("publish_options")
    if chosen is None:
        chosen = {}
    if type(chosen) is not dict:
        raise _invalid("publish_options: a dictionary needed")
    if not uris.valid(topic) or uris.reserved(topic):
        raise ApplicationError(ApplicationError.INVALID_URI, f"topic {topic[:80]!r}")
    if not realm.may(session, "publish", topic):
        raise ApplicationError(
            ApplicationError.NOT_AUTHORIZED,
            f"the role {session.authrole[:40]} may not publish {topic[:80]}",
        )
    message: Message = [messages.PUBLISH, 1, chosen, topic, arguments, keywords]
    try:
        options.check(messages.PUBLISH, message)
    except RemoteProtocolError as e:
        # Here the options are arguments of a call: wrong ones are the call's error.
        raise _invalid(str(e)) from e
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
    realm: Realm, session: Session, args: _Args, kwargs: _Kwargs, octets: int
) -> _Answer:
    session.testaments[_scope(kwargs)].clear()
    return [], []


def _scope(kwargs: _Kwargs) -> str:
    scope = kwargs.get("scope")
    if scope is None:
        return "destroyed"
    if scope not in ("destroyed", "detached"):
        raise _invalid("scope: destroyed or detached needed")
    return str(scope)


def _session(realm: Realm, args: _Args) -> Session:
    number = _argument(args, 0, "session", int)
    found = realm.sessions.get(number)
    if found is None:
        raise _no_such_session(number)
    return found


def _no_such_session(number: int) -> ApplicationError:
    return ApplicationError("wamp.error.no_such_session", f"no other session {str(number)[:20]}")


def _argument(args: _Args, at: int, name: str, kind: type, *default: Any) -> Any:
    if len(args) <= at or (default and args[at] is None):
        if default:
            return default[0]
        raise _invalid(f"argument {name} is missing")
    if type(args[at]) is not kind:
        raise _invalid(f"argument {name}: {kind.__name__} needed")
    return args[at]


def _invalid(text: str) -> ApplicationError:
    return ApplicationError(ApplicationError.INVALID_ARGUMENT, text)


PROCEDURES: dict[str, _Procedure] = {
    "wamp.session.add_testament": _add_testament,
    "wamp.session.count": _count,
    "wamp.session.flush_testaments": _flush_testaments,
    "wamp.session.get": _get,
    "wamp.session.kill": _kill,
    "wamp.session.kill_all": _kill_all,
    "wamp.session.kill_by_authid": _kill_by_authid,
    "wamp.session.kill_by_authrole": _kill_by_authrole,
    "wamp.session.list": _list,
}
