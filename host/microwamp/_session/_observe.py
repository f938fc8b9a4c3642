"""Who wants to be told what happens to a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..exception import LocalProtocolError

EVENTS = ("connect", "join", "ready", "leave", "disconnect")

Observer = Callable[..., Any]


class Observers:
    """Functions by the name of the event they are called for."""

    def __init__(self) -> None:
        self._observers: dict[str, list[Observer]] = {name: [] for name in EVENTS}

    def on(self, event: str, handler: Observer) -> Observer:
        """Have a function, or coroutine function, called at each event.

        connect(session, transport); join(session, details); ready(session), when `onJoin` and the
        observers of join are done; leave(session, details); disconnect(session, was_clean).
        """
        if event not in self._observers:
            raise LocalProtocolError(
                f"on({event!r}): there is no such event, only {', '.join(EVENTS)}"
            )
        if not callable(handler):
            raise LocalProtocolError(f"on({event!r}): {handler!r} cannot be called")
        self._observers[event].append(handler)
        return handler

    def off(self, event: str | None = None, handler: Observer | None = None) -> None:
        """Take one observer off, or all of an event, or all."""
        for name in EVENTS if event is None else (event,):
            found = self._observers.get(name, [])
            if handler is None:
                found.clear()
            elif handler in found:
                found.remove(handler)

    def observers(self, event: str) -> list[Observer]:
        """Those of an event, in the order they came."""
        return list(self._observers[event])
