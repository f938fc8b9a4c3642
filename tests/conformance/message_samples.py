"""Messages made from the table: a valid one of each, and values that fit no element or option."""

from copy import deepcopy
from typing import Any

from microwamp.message._table import PASSTHRU, ROWS, Element, Option, Row

HOP = {"session": 7, "authid": "joe", "authrole": "user"}

# Kind to a value that fits.
GOOD: dict[str, Any] = {
    "id": 7,
    "id0": 7,
    "uri": "com.example.thing",
    "pattern": "com.example.thing",
    "realm": "realm1",
    "code": 48,
    "str": "word",
    "bool": True,
    "count": 5,
    "positive": 3,
    "dict": {"key": 1},
    "ids": [1, 2**53],
    "strs": ["one", "two"],
    "hops": [HOP, {"session": 8, "authid": None, "authrole": "user", "more": 1}],
    "args": [1, "two"],
    "kwargs": {"three": 3},
    "match": "exact",
    "invoke": "random",
    "cancel": "killnowait",
    "interrupt": "kill",
    "clientroles": {"caller": {"features": {"call_timeout": True, "x_new": 1}}, "callee": {}},
    "routerroles": {"broker": {}, "dealer": {"features": {"call_canceling": False}}},
}

_NOT_INTEGERS: list[Any] = [None, True, False, 1.0, "1", b"1", [], {}]
_NOT_STRINGS: list[Any] = [None, True, 5, 1.5, b"abc", ["abc"], {}]
_NO_IDS = [*_NOT_INTEGERS, -1, 2**53 + 1, -(2**70), 10**400]
_BAD_URIS = ["", ".", "a..b", ".a", "a.", "a b", "a\n", "a\t.b", "a#b", "#", " a"]
_NOT_DICTS = [None, True, 5, "x", b"x", [], [["key", 1]], {1: 2}, {None: 1}, {b"k": 1}]
_NOT_LISTS: list[Any] = [None, True, 5, "x", b"x", {}]

# Kind to values that do not fit.
BAD: dict[str, list[Any]] = {
    "id": [*_NO_IDS, 0],
    "id0": _NO_IDS,
    "uri": [*_NOT_STRINGS, *_BAD_URIS],
    "pattern": [*_NOT_STRINGS, *_BAD_URIS],
    "realm": [*_NOT_STRINGS[1:], *_BAD_URIS],
    "code": [*_NOT_INTEGERS, 0, 1, 8, 17, 36, 69, 70, 337, -48],
    "str": _NOT_STRINGS,
    "bool": [None, 0, 1, "true", 1.0, [], {}],
    "count": [*_NOT_INTEGERS, -1, 2**53 + 1],
    "positive": [*_NOT_INTEGERS, 0, -1, 2**53 + 1],
    "dict": _NOT_DICTS,
    "ids": [*_NOT_LISTS, [0], [1, "2"], [True], [2**53 + 1], [[1]]],
    "strs": [*_NOT_LISTS, [1], ["a", None], [b"a"]],
    "hops": [
        *_NOT_LISTS,
        [5],
        [[]],
        [{}],
        [{1: 2}],
        [{**HOP, "session": 0}],
        [{**HOP, "session": None}],
        [{**HOP, "authid": 5}],
        [{**HOP, "authrole": None}],
        [{"session": 1, "authrole": "user"}],
        [{"session": 1, "authid": "joe"}],
        [HOP, {"authid": "joe", "authrole": "user"}],
    ],
    "match": [*_NOT_STRINGS, "", "Exact", "suffix"],
    "invoke": [*_NOT_STRINGS, "", "all", "roundRobin"],
    "cancel": [*_NOT_STRINGS, "", "abort", "KILL"],
    "interrupt": [*_NOT_STRINGS, "", "skip", "abort"],
    "clientroles": [
        *_NOT_DICTS,
        {},
        {"broker": {}},
        {"caller": 5},
        {"caller": None},
        {"caller": {"features": 5}},
        {"caller": {"features": {1: True}}},
        {"caller": {"features": {"call_timeout": 1}}},
        {"caller": {"features": {"call_timeout": "true"}}},
    ],
    "routerroles": [*_NOT_DICTS, {}, {"caller": {}}, {"broker": []}],
    "algo": [*_NOT_STRINGS[1:], "", "foo", "X_foo", "x_Foo", "x_f", "cryptobox "],
    "encoding": [*_NOT_STRINGS[1:], "", "foo", "JSON", "x_f\n", "x_1a"],
    "scheme": [*_NOT_STRINGS[1:], "", "foo", "x_", "x_F", "cryptobox"],
    "pptser": [*_NOT_STRINGS[1:], "", "foo", "x_"],
    "cipher": [*_NOT_STRINGS[1:], "", "rot13", "x_"],
}
for _kind in ("str", "dict"):
    BAD[_kind + "?"] = BAD[_kind][1:]
    GOOD[_kind + "?"] = GOOD[_kind]
for _kind in ("algo", "encoding", "scheme", "pptser", "cipher"):
    BAD[_kind + "?"] = BAD[_kind]
# What stands where arguments may stand: octets only where payloads are passed through.
BAD_ARGS = [True, 5, "x", {}, (1,), bytearray(b"x")]
BAD_KWARGS = [True, 5, "x", [], b"x", {1: 2}, {None: 1}]


def name_of(row: Row) -> str:
    """The message's name in error texts."""
    return {"EventReceived": "EVENT_RECEIVED"}.get(row.name, row.name.upper())


def holder(row: Row) -> Element | None:
    return next((e for e in row.elements if e.name in ("options", "details")), None)


def plain_options(row: Row) -> list[Option]:
    """Options without those of the passthru, which need a payload."""
    return [option for option in row.options if option not in PASSTHRU]


def element(row: Row, name: str) -> int:
    """Where an element stands in the list."""
    return 1 + [e.name for e in row.elements].index(name)


def least(row: Row) -> list[Any]:
    """The shortest valid message: what must be there."""
    message: list[Any] = [row.code]
    for part in row.elements:
        if part.required:
            options = {o.key: GOOD[o.kind] for o in row.options if o.kind.endswith("roles")}
            message.append(options if part is holder(row) else GOOD[part.kind])
    return deepcopy(message)


def full(row: Row) -> list[Any]:
    """A message with every element, and every option except those of the passthru."""
    message: list[Any] = [row.code]
    for part in row.elements:
        if part is holder(row):
            message.append({o.key: GOOD[o.kind] for o in plain_options(row)})
        else:
            message.append(GOOD[part.kind])
    return deepcopy(message)


def by_name(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)
