"""Arguments checked by the annotations of the function that gets them."""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable
from functools import wraps
from typing import Any

from ..exception import LocalProtocolError, TypeCheckError


def fits(value: Any, wanted: Any) -> bool:
    """Whether a value is what an annotation asks for; what is not understood is let through."""
    if wanted is Any or wanted is inspect.Parameter.empty:
        return True
    if wanted is None:
        return value is None
    if isinstance(wanted, typing.NewType):
        return fits(value, wanted.__supertype__)
    if isinstance(wanted, typing.TypeVar):
        return fits(value, wanted.__bound__) if wanted.__bound__ is not None else True
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is typing.Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if origin is typing.Annotated:
        return fits(value, inner[0])
    klass = origin if origin is not None else wanted
    if not isinstance(klass, type):
        return True
    # JSON and CBOR have one kind of list, and whole numbers may come without a point.
    if klass is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    if klass is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if klass is tuple and isinstance(value, list):
        value = tuple(value)
    try:
        if not isinstance(value, klass):
            return False
    except TypeError:
        return True  # a protocol that cannot be checked at run time
    if not inner:
        return True
    if klass is tuple:
        if len(inner) == 2 and inner[1] is Ellipsis:
            return all(fits(item, inner[0]) for item in value)
        return len(value) == len(inner) and all(map(fits, value, inner))
    if issubclass(klass, collections.abc.Mapping) and len(inner) == 2:
        return all(fits(k, inner[0]) and fits(v, inner[1]) for k, v in value.items())
    if issubclass(klass, collections.abc.Collection) and len(inner) == 1:
        return all(fits(item, inner[0]) for item in value)
    return True


def _name(wanted: Any) -> str:
    return (
        wanted.__name__
        if isinstance(wanted, type) and not typing.get_args(wanted)
        else str(wanted)
    )


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, raising TypeCheckError for arguments that its annotations do not allow."""
    try:
        signature = inspect.signature(function)
        hints = typing.get_type_hints(inspect.unwrap(function))
    except (TypeError, ValueError, NameError) as e:
        raise LocalProtocolError(f"check_types: {function!r} cannot be looked into: {e}") from e
    name = getattr(function, "__qualname__", repr(function))

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as e:
            raise TypeCheckError(f"{name}: {e}") from None
        for key, value in bound.arguments.items():
            wanted = hints.get(key, Any)
            kind = signature.parameters[key].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                values = list(value)
            elif kind is inspect.Parameter.VAR_KEYWORD:
                values = list(value.values())
            else:
                values = [value]
            for one in values:
                if not fits(one, wanted):
                    raise TypeCheckError(
                        f"{name}: {key} is {type(one).__name__}, expected {_name(wanted)}"
                    )
        return function(*args, **kwargs)

    return call
