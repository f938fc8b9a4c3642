"""What application code raised, and WAMP ERRORs as exceptions."""

from __future__ import annotations

import re
import traceback
from typing import Any

from wamp.errors import ApplicationError as CoreError
from wamp.messages import check_uri

from ..exception import ApplicationError, LocalProtocolError

_PARAMETER = re.compile(r"<[a-z][a-z0-9_]*(?::(?:string|str|int))?>")


class Failure:
    """An exception of application code, as `onUserError` gets it.

    value: the exception. type: its class.
    """

    def __init__(self, value: BaseException) -> None:
        self.value = value
        self.type = type(value)

    def traceback(self) -> str:
        """The traceback as text, as Python prints it."""
        return "".join(traceback.format_exception(self.value))

    def getErrorMessage(self) -> str:
        """The text of the exception."""
        return str(self.value)

    def __str__(self) -> str:
        return f"{self.type.__name__}: {self.value}"

    def __repr__(self) -> str:
        return f"Failure({self})"


class ErrorClasses:
    """Which exception class stands for which error URI, both ways."""

    def __init__(self) -> None:
        self._classes: dict[str, type[Exception]] = {}
        self._patterns: list[tuple[re.Pattern[str], type[Exception]]] = []
        self._uris: dict[type[BaseException], str] = {}

    def define(self, exception: type[Exception], error: str | None) -> None:
        """See ISession.define."""
        if not (isinstance(exception, type) and issubclass(exception, Exception)):
            raise LocalProtocolError(f"define: an exception class is needed, not {exception!r}")
        decorated = list(getattr(exception, "_wampuris", ()))
        if error is None and not decorated:
            raise LocalProtocolError(
                f"define: {exception.__name__} is not decorated with error(URI): give the URI"
            )
        if error is not None and decorated:
            raise LocalProtocolError(
                f"define: {exception.__name__} is decorated with {decorated[0]!r} already"
            )
        for uri in [error] if error is not None else decorated:
            pieces = _PARAMETER.split(uri)
            if len(pieces) > 1:
                check_uri(_PARAMETER.sub("x", uri), "error")
                pattern = r"[^.\s#]+".join(re.escape(piece) for piece in pieces)
                self._patterns.append((re.compile(pattern), exception))
            else:
                check_uri(uri, "error")
                self._classes[uri] = exception
                self._uris.setdefault(exception, uri)

    def raised(self, error: CoreError) -> Exception:
        """The exception for a WAMP ERROR."""
        uri, args, kwargs = error.error, error.args, error.kwargs
        found = self._classes.get(uri)
        if found is None:
            for pattern, candidate in self._patterns:
                if pattern.fullmatch(uri):
                    found = candidate
                    break
        if found is not None:
            made = _made(found, uri, args, kwargs)
            if made is not None:
                return made
        made = ApplicationError(uri, *args)
        made.kwargs = kwargs
        details = error.details or {}
        made.details = error.details
        made.callee = details.get("callee")
        made.callee_authid = details.get("callee_authid")
        made.callee_authrole = details.get("callee_authrole")
        made.enc_algo = details.get("enc_algo")
        made.forward_for = details.get("forward_for")
        return made

    def said(self, error: BaseException) -> tuple[str, list[Any], dict[str, Any]]:
        """(URI, args, kwargs) of the ERROR for an exception that application code raised."""
        args = list(error.args)
        kwargs = getattr(error, "kwargs", None)
        kwargs = dict(kwargs) if isinstance(kwargs, dict) else {}
        uri = "wamp.error.runtime_error"
        if isinstance(error, CoreError):
            uri = error.error
        else:
            for klass in type(error).__mro__:
                own = self._uris.get(klass) or _decorated(klass)
                if own is not None:
                    uri = own
                    break
        try:
            # crossbar resets the connection for an ERROR whose URI is none.
            check_uri(uri, "error")
        except LocalProtocolError:
            return "wamp.error.runtime_error", [f"{type(error).__name__}: {error}"[:200]], {}
        return uri, args, kwargs


def _decorated(klass: type) -> str | None:
    for uri in klass.__dict__.get("_wampuris", ()):
        if isinstance(uri, str) and "<" not in uri:
            return uri
    return None


def _made(
    klass: type[Exception], uri: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Exception | None:
    """An instance of an application's class; None if its constructor takes something else."""
    if issubclass(klass, CoreError):
        args = (uri, *args)
    try:
        return klass(*args, **kwargs)
    except Exception:
        return None
