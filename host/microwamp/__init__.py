"""microwamp: the host's side of WAMP for microcontrollers.

Importing this package costs next to nothing: what is named here is loaded when it is asked for,
and every other part is a submodule (`microwamp.router`, `microwamp.message`). On the board the
library is `import wamp`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .blocking import BlockingSession
    from .client import Client
    from .component import Component, run
    from .exception import ApplicationError
    from .session import Session
    from .transport import connect
    from .uri import error, register, subscribe

__all__ = [
    "ApplicationError",
    "BlockingSession",
    "Client",
    "Component",
    "Session",
    "__version__",
    "connect",
    "error",
    "register",
    "run",
    "subscribe",
]

__version__ = "0.1.0"

_WHERE = {
    "ApplicationError": "exception",
    "BlockingSession": "blocking",
    "Client": "client",
    "Component": "component",
    "Session": "session",
    "connect": "transport",
    "error": "uri",
    "register": "uri",
    "run": "component",
    "subscribe": "uri",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
