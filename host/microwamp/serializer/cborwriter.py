"""CBOR (RFC 8949) out: what cbor2 writes, octet for octet, in less time and never too deep.

For messages, which are small, cbor2 takes as long as this does in Python; and it follows a value
that is nested too deep (5,000 levels, fewer in a thread) until the stack ends, and the process
with it. What is no value of JSON or octets is still left to cbor2: Decimals, dates, sets.
"""

import struct
from collections.abc import Callable, Iterable
from typing import Any

import cbor2

from microwamp.message._base import Message, MessageWithAppPayload

from .limits import DEPTH, too_deep

# First octet and length or number, for those below 256.
_HEADS = {
    major: [bytes((major | n,)) if n < 24 else bytes((major | 24, n)) for n in range(256)]
    for major in (0x00, 0x20, 0x40, 0x60, 0x80, 0xA0)
}
_NUMBER, _NEGATIVE, _OCTETS, _TEXT, _ARRAY, _MAP = _HEADS.values()
_16 = struct.Struct(">BH").pack
_32 = struct.Struct(">BI").pack
_64 = struct.Struct(">BQ").pack
_FLOAT = struct.Struct(">Bd").pack
_NAN = b"\xf9\x7e\x00"

# Names of options, keywords and URIs come again and again: so many short texts are kept.
_TEXTS_KEPT = 1024
_TEXT_LONGEST = 64
_texts: dict[str, bytes] = {}


def encode(value: Any) -> bytes:
    """`value` as octets. Raises ValueError if it is nested deeper than DEPTH, TypeError or
    cbor2.CBOREncodeError for what CBOR does not have."""
    out: list[bytes] = []
    if type(value) is list and value:
        n = len(value)
        out.append(_ARRAY[n] if n < 256 else _head(0x80, n))
        _put(out.append, value, DEPTH - 1)
    else:
        _put(out.append, (value,), DEPTH)
    return b"".join(out)


class _Plan:
    """What is always the same in the messages of a class that has a payload."""

    def __init__(self, klass: type[MessageWithAppPayload]) -> None:
        names = [name for name in klass._ELEMENTS if name not in ("args", "kwargs")]
        at = names.index(klass._WHERE)
        self.before, self.after = names[:at], names[at + 1 :]
        self.keys = {name: _text(key) for name, key in klass._WIRE.items()}
        self.names = frozenset(self.keys)
        # Head of the list and code: without arguments, with them, with keyword arguments too.
        code, n = _NUMBER[klass.MESSAGE_TYPE], 1 + len(names)
        self.heads = [_ARRAY[n + more] + code for more in range(3)]


class _Plans(dict[type, _Plan | None]):
    """Plans by class; None for those whose messages have no payload."""

    def __missing__(self, klass: type[Message]) -> _Plan | None:
        self[klass] = plan = _Plan(klass) if issubclass(klass, MessageWithAppPayload) else None
        return plan


_plans = _Plans()


def encode_message(message: Message) -> bytes:
    """A message as octets, those of `encode(message.marshal())`.

    Messages with a payload, which are nearly all there are in a session, are written as they are,
    without lists and dictionaries in between: a fifth of the time.
    """
    plan = _plans[type(message)]
    found = message.__dict__
    get = found.get
    if plan is None or get("payload") is not None or get("passthru") or get("unknown"):
        return encode(message.marshal())
    args, kwargs = get("args"), get("kwargs")
    out = [plan.heads[2 if kwargs else 1 if args else 0]]
    append = out.append
    texts = _texts
    for name in plan.before:
        value = found[name]
        if type(value) is int:
            append(_NUMBER[value] if 0 <= value < 256 else _integer(value))
        else:
            _put(append, (value,), 0)
    if plan.names.isdisjoint(found):
        append(b"\xa0")
    else:
        _put_options(out, found, plan.keys)
    for name in plan.after:
        value = found[name]
        append(texts.get(value) or _text(value))
    if args:
        n = len(args)
        append(_ARRAY[n] if n < 256 else _head(0x80, n))
        _put(append, args, DEPTH - 2)
    elif kwargs:
        append(b"\x80")
    if kwargs:
        if type(kwargs) is dict:
            _put_map(append, kwargs, DEPTH - 1)
        else:
            _put(append, (kwargs,), DEPTH - 1)
    return b"".join(out)


def _put_options(out: list[bytes], found: dict[str, Any], keys: dict[str, bytes]) -> None:
    """Appends the dictionary of those attributes that are options and set."""
    texts = _texts
    append = out.append
    at = len(out)
    append(b"")
    for name, value in found.items():
        if name in keys and value is not None:
            append(keys[name])
            if type(value) is str:
                append(texts.get(value) or _text(value))
            elif type(value) is int:
                append(_NUMBER[value] if 0 <= value < 256 else _integer(value))
            elif value is True:
                append(b"\xf5")
            else:
                # One piece, since they are counted.
                append(_piece(value, DEPTH - 2))
    out[at] = _MAP[(len(out) - at) // 2]


def _piece(value: Any, depth: int) -> bytes:
    pieces: list[bytes] = []
    _put(pieces.append, (value,), depth)
    return b"".join(pieces)


def _head(major: int, n: int) -> bytes:
    """The head of an item whose number or length is 256 or more."""
    if n < 1 << 16:
        return _16(major | 25, n)
    if n < 1 << 32:
        return _32(major | 26, n)
    return _64(major | 27, n)


def _text(text: str) -> bytes:
    """A text that is not kept yet."""
    raw = text.encode()
    n = len(raw)
    octets = (_TEXT[n] if n < 256 else _head(0x60, n)) + raw
    if n <= _TEXT_LONGEST:
        if len(_texts) >= _TEXTS_KEPT:
            _texts.clear()
        _texts[text] = octets
    return octets


def _put(append: Callable[[bytes], None], items: Iterable[Any], depth: int) -> None:
    """Appends the octets of each item."""
    texts = _texts
    for item in items:
        kind = type(item)
        if kind is str:
            append(texts.get(item) or _text(item))
        elif kind is int:
            append(_NUMBER[item] if 0 <= item < 256 else _integer(item))
        elif kind is float:
            append(_FLOAT(0xFB, item) if item - item == 0 else _unusual(item))
        elif item is True:
            append(b"\xf5")
        elif item is False:
            append(b"\xf4")
        elif item is None:
            append(b"\xf6")
        elif kind is dict:
            if not depth:
                raise ValueError(f"nested deeper than {DEPTH} levels")
            _put_map(append, item, depth)
        elif kind is list or kind is tuple:
            if not depth:
                raise ValueError(f"nested deeper than {DEPTH} levels")
            n = len(item)
            append(_ARRAY[n] if n < 256 else _head(0x80, n))
            if n:
                _put(append, item, depth - 1)
        elif kind is bytes:
            n = len(item)
            append((_OCTETS[n] if n < 256 else _head(0x40, n)) + item)
        else:
            append(_other(item, depth))


def _put_map(append: Callable[[bytes], None], items: dict[Any, Any], depth: int) -> None:
    """Appends a dictionary. The usual keys and values are written here: a call for each would take
    longer than they do."""
    texts = _texts
    n = len(items)
    append(_MAP[n] if n < 256 else _head(0xA0, n))
    for key, value in items.items():
        if type(key) is str:
            append(texts.get(key) or _text(key))
        else:
            _put(append, (key,), depth - 1)
        if type(value) is str:
            append(texts.get(value) or _text(value))
        elif type(value) is int:
            append(_NUMBER[value] if 0 <= value < 256 else _integer(value))
        elif value is True:
            append(b"\xf5")
        else:
            _put(append, (value,), depth - 1)


def _integer(number: int) -> bytes:
    """A number that is not from 0 to 255."""
    if 0 < number < 1 << 64:
        if number >= 1 << 32:
            return _64(0x1B, number)
        return _32(0x1A, number) if number >= 1 << 16 else _16(0x19, number)
    n = -1 - number
    if 0 <= n < 1 << 64:
        return _NEGATIVE[n] if n < 256 else _head(0x20, n)
    return cbor2.dumps(number)


def _unusual(number: float) -> bytes:
    """Not a number, or infinite."""
    if number != number:
        return _NAN
    return b"\xf9\x7c\x00" if number > 0 else b"\xf9\xfc\x00"


def _other(item: Any, depth: int) -> bytes:
    """Everything else, by cbor2."""
    if hasattr(item, "__iter__") and (not depth or too_deep(item, depth - 1)):
        raise ValueError(f"nested deeper than {DEPTH} levels")
    return cbor2.dumps(item)
