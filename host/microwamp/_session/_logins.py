"""What stands between the authenticators of an application and the core's session.

The core asks its authenticators for what goes into HELLO and checks which methods the router may
choose. The answers to challenges are the session's: `onChallenge` can be overridden, and may wait.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable
from typing import Any

from ..exception import AuthenticationError, LocalProtocolError
from ..types import Challenge


class Offered:
    """One method offered in HELLO, with what the application gave to `join`."""

    unproved = False

    def __init__(self, method: str, details: dict[str, Any]) -> None:
        self.method = method
        self._details = details

    def hello(self, details: dict[str, Any]) -> None:
        """Write it into HELLO."""
        for name, value in self._details.items():
            if name == "authextra" and value is not None:
                details[name] = {**(details.get(name) or {}), **value}
            elif value is not None:
                details[name] = value

    def confirm(self, details: dict[str, Any]) -> None:
        """Nothing: `onWelcome` looks at what the router says."""

    def welcome(self, details: dict[str, Any]) -> None:
        """Nothing, as above."""


def is_core(authenticator: Any) -> bool:
    """Whether it is one of wamp.auth."""
    wanted = ("method", "hello", "challenge", "welcome")
    return all(hasattr(authenticator, name) for name in wanted)


def method_of(authenticator: Any) -> str:
    """The authmethod of an authenticator of either kind."""
    found = getattr(authenticator, "method", None) or getattr(authenticator, "name", None)
    if not isinstance(found, str):
        raise LocalProtocolError(f"{authenticator!r} has no name of a method: no authenticator")
    return found


def offers(authenticators: Iterable[Any]) -> list[Any]:
    """What the core's session is given for authenticators."""
    found: list[Any] = []
    extra: dict[str, Any] = {}
    same: dict[str, Any] = {}
    for one in authenticators:
        own = getattr(one, "_args", None)
        own = own if isinstance(own, dict) else {}
        for name in ("authid", "authrole"):
            value = getattr(one, name, None) or own.get(name)
            if value is None:
                continue
            # HELLO has room for one.
            if same.setdefault(name, value) != value:
                raise LocalProtocolError(
                    f"authenticators with different {name}: {same[name]!r} and {value!r}"
                )
        if is_core(one):
            found.append(one)
            continue
        extra.update(getattr(one, "authextra", None) or {})
        found.append(Offered(method_of(one), {**same, "authextra": extra or None}))
    return found


async def steps(generator: Any) -> Any:
    """Run a long computation of the core, giving way to others."""
    try:
        while True:
            next(generator)
            await asyncio.sleep(0)
    except StopIteration as e:
        return e.value


async def answer(session: Any, authenticators: Iterable[Any], challenge: Challenge) -> Any:
    """The answer of the authenticator for this method: signature, or (signature, extra)."""
    for one in authenticators:
        if method_of(one) == challenge.method:
            if is_core(one):
                return await steps(one.challenge(challenge.extra))
            found = one.on_challenge(session, challenge)
            return await found if inspect.isawaitable(found) else found
    raise AuthenticationError(
        f"the router asks for {challenge.method}: override onChallenge or add an authenticator"
    )
