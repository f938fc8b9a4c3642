"""No difference from autobahn 26.10.2 that is not documented: one value after another, in every
element and option of every message, and every field of options and details, on both sides.

Each rule names rows of docs/host-api.md; a difference that no rule explains fails, and so does a
rule that explains nothing.
"""

from __future__ import annotations

import copy
from fnmatch import fnmatchcase
from typing import Any

from message_differences import DIFFERENCES
from message_samples import element, full, holder, least, plain_options
from test_messages_against_autobahn import autobahn, essence, ours, theirs

from microwamp import message as _message
from microwamp import types
from microwamp.exception import ProtocolError
from microwamp.message._table import ROWS

message: Any = _message
HOP = {"session": 1, "authid": "joe", "authrole": "user"}
VALUES: list[Any] = [None, True, False, 0, 1, -1, 5, 1 << 53, (1 << 53) + 1, 1.0, 1.5]
VALUES += ["", "a", "a.b", "A-b c", "a..b", "a.", "x_own", "cryptobox", "json", "exact", "prefix"]
VALUES += ["skip", "kill", "killnowait", "single", b"", b"x", [], [1], [0], ["a"], [None], [{}]]
VALUES += [[HOP], [{**HOP, "authid": None}], {}, {"a": 1}, {1: 2}]

# Option or element, messages, what autobahn does, what we do; the row that says so.
RULES = [
    ("request publication registration subscription", "*", "reads", "refuses")
    + ("id 0 in a message",),
    ("session", "Welcome", "reads", "refuses", "id 0 in a message"),
    ("eligible exclude", "Publish", "reads", "refuses", "session id 0 in a list"),
    ("callee caller publisher", "*", "reads", "refuses")
    + ("session ids of callers, callees and publishers",),
    ("resume-session", "Hello", "reads", "refuses", "session 0 to resume"),
    ("timeout concurrency", "*", "reads", "refuses", "numbers above 2^53"),
    ("args", "Publish", "refuses", "reads", "null for the arguments of PUBLISH"),
    ("args", "Publish", "reads", "refuses", "text instead of arguments"),
    ("args", "*", "reads", "otherwise", "keywords without arguments"),
    ("kwargs", "*", "refuses", "reads", "null for the keywords"),
    ("options details", "*", "reads", "otherwise", "unknown options"),
    ("match invoke", "*", "reads", "otherwise", "match and invoke with their default"),
    ("resumable", "Welcome", "refuses", "reads", "resumable session without a token"),
    ("authmethod", "Welcome", "reads", "otherwise", "WELCOME with authmethod alone"),
    ("authrole", "Welcome", "reads", "otherwise", "WELCOME with authrole alone"),
    ("authextra authid authprovider message realm resum* resume_token forward_for", "*", "reads")
    + ("otherwise", "false, empty text and empty lists"),
    ("force_reregister", "Register", "reads", "refuses", "numbers for force_reregister"),
    ("authextra", "Hello", "reads", "refuses", "keys of authextra that are no strings"),
    ("authextra", "Welcome", "reads", "refuses", "keys of authextra that are no strings"),
    ("forward_for", "Unregister", "reads", "refuses", "forward_for of UNREGISTER"),
    ("forward_for", "*", "asserts", "refuses", "hop without authid"),
    ("auth* realm", "Welcome", "asserts", "refuses", "wrong types in WELCOME"),
    ("procedure topic", "Invocation Event", "reads", "refuses", "topic and procedure in details"),
    ("topic", "Subscribe", "reads", "refuses", "pattern without match"),
    ("registration subscription", "Un*", "asserts", "refuses", "revocation of what has no id"),
    ("registration subscription request", "Un*", "asserts", "reads")
    + ("revocation with a request id",),
]


def jobs() -> list[tuple[str, str, Any]]:
    """What is swept: in the shortest message each option, in the fullest each element."""
    found: list[tuple[str, str, Any]] = []
    for row in ROWS:
        held = holder(row)
        for option in plain_options(row) if held is not None else ():
            for value in () if option.beyond else VALUES:
                assert held is not None
                wmsg = theirs(row, least(row))
                at = element(row, held.name)
                options = wmsg[at] if at < len(wmsg) else {}
                found.append((option.key, row.name, [*wmsg[:at], {**options, option.key: value}]))
                found[-1][2].extend(wmsg[at + 1 :])
        for part in row.elements:
            for value in VALUES:
                wmsg = theirs(row, full(row))
                at = element(row, part.name)
                if at < len(wmsg):
                    wmsg[at] = value
                    found.append((part.name, row.name, wmsg))
    return found


def read(name: str, wmsg: Any) -> Any:
    try:
        return getattr(message, name).parse(wmsg).marshal()
    except ProtocolError:
        return None


def explains(rule: tuple[str, ...], found: tuple[str, str, str, str]) -> bool:
    return rule[2:4] == found[2:] and all(
        any(fnmatchcase(word, pattern) for pattern in patterns.split())
        for patterns, word in zip(rule[:2], found[:2], strict=True)
    )


def test_every_difference_is_documented() -> None:
    swept = jobs()
    assert len(swept) > 6000
    answers = autobahn([("parse", name, copy.deepcopy(wmsg)) for _, name, wmsg in swept])
    used: set[tuple[str, ...]] = set()
    for (key, name, wmsg), (outcome, value) in zip(swept, answers, strict=True):
        ours = read(name, copy.deepcopy(wmsg))
        its = {"ok": "reads", "AssertionError": "asserts"}.get(outcome, "refuses")
        own = "refuses" if ours is None else "reads"
        if its == own:
            if own == "refuses" or ours == value[1]:
                continue
            own = "otherwise"
        rules = [rule for rule in RULES if explains(rule, (key, name, its, own))]
        assert rules, f"{name}.{key}: autobahn {its}, we {own}: {wmsg} {value}"
        used.update(rules)
    assert [rule for rule in RULES if rule not in used] == []
    assert {rule[4] for rule in RULES} <= {what for what, *_ in DIFFERENCES}


# --- types ---------------------------------------------------------------------------------------

OPTIONS = ("PublishOptions", "SubscribeOptions", "RegisterOptions", "CallOptions")
DETAILS = ("TransportDetails", "SessionDetails")
OWN_OPTIONS = ("disclose_me", "disclose_caller", "forward_timeout", "cancel_mode")
ID = "00" * 32
TYPE_VALUES = [*VALUES, 0.5, -0.5, 1e-9, (1, 2), ("a",), "wildcard", "last", "tls", "serial"]
TYPE_VALUES += ["rawsocket", "cbor", {"tls-unique": ID}, {"tls-unique": "zz"}, {"foo": ID}]
TYPE_VALUES += [{"tls-exporter": ID}, {"tls-unique": ID[2:]}]
# Field, classes, what autobahn does, what we do; the row that says so.
TYPE_RULES = [
    ("correlation_*", "*", "reads", "refuses", "wrong types of the correlation options"),
    ("exclude* eligible*", "*", "refuses", "reads", "a tuple for a list"),
    ("caller exclude eligible", "*", "reads", "refuses", "ids in options"),
    ("session", "SessionDetails", "reads", "refuses", "session id 0 in details"),
    ("timeout concurrency", "*", "reads", "refuses", "numbers above 2^53 in options"),
    ("timeout", "CallOptions", "reads", "otherwise", "seconds and milliseconds"),
    ("force_reregister", "*", "reads", "refuses", "numbers for force_reregister in options"),
    ("forward_for", "PublishOptions", "refuses", "reads")
    + ("a hop whose authid is null, in options",),
    ("channel_id", "TransportDetails", "refuses", "reads", "channel id of tls-exporter"),
    ("peer_cert", "TransportDetails", "reads", "otherwise", "peer_cert"),
    ("peer_cert", "TransportDetails", "reads", "refuses", "a peer_cert that is no dictionary"),
    ("websocket_extensions_in_use http_headers_* transport", "*", "reads", "refuses")
    + ("items of transport data that are no strings",),
]


def test_every_difference_of_types_is_documented() -> None:
    swept = [
        (operation, name, {field: value})
        for operation, names in (("attr", OPTIONS), ("details", DETAILS))
        for name in names
        for field in getattr(types, name).FIELDS
        if field not in OWN_OPTIONS
        for value in TYPE_VALUES
    ]
    assert len(swept) > 2500
    used: set[tuple[str, ...]] = set()
    answers = autobahn(copy.deepcopy(swept))
    for (operation, name, given), (outcome, value) in zip(swept, answers, strict=True):
        found = ours(operation, name, copy.deepcopy(given))
        its = "reads" if outcome == "ok" else "refuses"
        own = "refuses" if isinstance(found, str) else "reads"
        if its == own:
            if own == "refuses" or essence(found) == essence(value):
                continue
            own = "otherwise"
        (field,) = given
        rules = [rule for rule in TYPE_RULES if explains(rule, (field, name, its, own))]
        assert rules, f"{name}: autobahn {its}, we {own}: {given}"
        used.update(rules)
    assert [rule for rule in TYPE_RULES if rule not in used] == []
    assert {rule[4] for rule in TYPE_RULES} <= {what for what, *_ in DIFFERENCES}
