"""Messages for the tests of the serializers: every message, bare and with everything it can have.

Lists as they are before serialization, by name; only what autobahn 26.10.2 knows as well.
"""

from typing import Any

HOPS = [
    {"session": 7, "authid": "alice", "authrole": "user"},
    {"session": 2**53, "authid": "bob", "authrole": "router"},
]
ARGS = [1, -1, "two", 3.5, None, True, b"\x00\xff", [4, []], {"k": {"x": 2**40}}]
KWARGS = {"a": 1, "b": "\u00e9\U0001f600", "c": [False, 2**53]}
PASSED = b"\x00\x01\xfe\xff payload"
ENC = {"enc_algo": "cryptobox", "enc_serializer": "json", "enc_key": "key-1"}
CUSTOM = {"enc_algo": "x_mine", "enc_serializer": "x_own", "enc_key": "key-1"}
CALLEE = {"callee": 11, "callee_authid": "carol", "callee_authrole": "worker"}
CALLER = {"caller": 12, "caller_authid": "dave", "caller_authrole": "user"}
FORWARD = {"forward_for": HOPS}
HASH = {"transaction_hash": "0x1234"}
PUBLISH = {
    "acknowledge": True,
    "exclude_me": False,
    "exclude": [1, 2**53],
    "exclude_authid": ["alice", "bob"],
    "exclude_authrole": ["user"],
    "eligible": [3],
    "eligible_authid": ["carol"],
    "eligible_authrole": ["worker", "admin"],
    "retain": True,
}
EVENT = {
    "publisher": 5,
    "publisher_authid": "erin",
    "publisher_authrole": "user",
    "topic": "com.example.topic",
    "retained": True,
    "x_acknowledged_delivery": True,
}
CLIENT_ROLES = {
    "publisher": {"features": {"publisher_exclusion": True}},
    "subscriber": {"features": {"pattern_based_subscription": True}},
    "caller": {"features": {"call_canceling": True, "progressive_call_results": True}},
    "callee": {"features": {"shared_registration": True}},
}
ROUTER_ROLES = {
    "broker": {"features": {"event_retention": True}},
    "dealer": {"features": {"call_canceling": True}},
}


def _payloads(name: str, head: list[Any], at: int, options: dict[str, Any]) -> dict[str, Any]:
    """A message with every form of payload; `at` is where its options are."""

    def with_options(more: dict[str, Any]) -> list[Any]:
        return [*head[:at], more, *head[at + 1 :]]

    return {
        f"{name} bare": with_options({}),
        f"{name} args": [*with_options({}), ARGS],
        f"{name} kwargs": [*with_options({}), [], KWARGS],
        f"{name} full": [*with_options({**options, **FORWARD}), ARGS, KWARGS],
        f"{name} enc": [*with_options({**options, **ENC}), PASSED],
        f"{name} custom": [*with_options(CUSTOM), PASSED],
    }


MESSAGES: dict[str, list[Any]] = {
    "hello bare": [1, "realm1", {"roles": {"caller": {}}}],
    "hello full": [
        1,
        "realm1",
        {
            "roles": CLIENT_ROLES,
            "authmethods": ["cryptosign", "ticket"],
            "authid": "alice",
            "authrole": "user",
            "authextra": {"pubkey": "ab" * 32, "channel_binding": None},
            "resumable": True,
            "resume-session": 77,
            "resume-token": "token",
        },
    ],
    "welcome bare": [2, 2**53, {"roles": {"dealer": {}}}],
    "welcome full": [
        2,
        9129137332,
        {
            "roles": ROUTER_ROLES,
            "realm": "realm1",
            "authid": "alice",
            "authrole": "user",
            "authmethod": "ticket",
            "authprovider": "static",
            "authextra": {"x_cb_node": "node-1", "pid": 5},
            "resumed": True,
            "resumable": True,
            "resume_token": "token",
            "x_custom": {"a": [1]},
        },
    ],
    "abort bare": [3, {}, "wamp.error.no_such_realm"],
    "abort full": [3, {"message": "no such realm"}, "wamp.error.no_such_realm"],
    "challenge bare": [4, "ticket", {}],
    "challenge full": [4, "wampcra", {"challenge": '{"nonce": 1}', "iterations": 1000}],
    "authenticate bare": [5, "secret", {}],
    "authenticate full": [5, "c2lnbmF0dXJl", {"nonce": "n", "channel_binding": None}],
    "goodbye bare": [6, {}, "wamp.close.normal"],
    "goodbye full": [6, {"message": "bye", "resumable": True}, "wamp.close.close_realm"],
    **_payloads("error", [8, 48, 9, {}, "com.example.error"], 3, CALLEE),
    **_payloads("publish", [16, 1, {}, "com.example.topic"], 2, {**PUBLISH, **HASH}),
    "published": [17, 1, 2**53],
    "subscribe bare": [32, 1, {}, "com.example.topic"],
    "subscribe full": [32, 1, {"match": "prefix", "get_retained": True, **FORWARD}, "com.example"],
    "subscribed": [33, 1, 5],
    "unsubscribe bare": [34, 1, 5],
    "unsubscribe full": [34, 1, 5, FORWARD],
    "unsubscribed bare": [35, 1],
    "unsubscribed full": [35, 0, {"subscription": 5, "reason": "com.example.reason"}],
    **_payloads("event", [36, 5, 2**53, {}], 3, {**EVENT, **HASH}),
    "event received": [337, 5],
    **_payloads(
        "call",
        [48, 1, {}, "com.example.proc"],
        2,
        {"timeout": 5000, "receive_progress": True, **CALLER, **HASH},
    ),
    "cancel bare": [49, 1, {}],
    "cancel full": [49, 1, {"mode": "kill", **FORWARD}],
    **_payloads("result", [50, 1, {}], 2, {"progress": True, **CALLEE}),
    "register bare": [64, 1, {}, "com.example.proc"],
    "register full": [
        64,
        1,
        {
            "match": "wildcard",
            "invoke": "roundrobin",
            "concurrency": 3,
            "force_reregister": True,
            **FORWARD,
        },
        "com..proc",
    ],
    "registered": [65, 1, 6],
    "unregister bare": [66, 1, 6],
    "unregister full": [66, 1, 6, FORWARD],
    "unregistered bare": [67, 1],
    "unregistered full": [67, 0, {"registration": 6, "reason": "com.example.reason"}],
    **_payloads(
        "invocation",
        [68, 1, 6, {}],
        3,
        {
            "timeout": 5000,
            "receive_progress": True,
            "procedure": "com.example.proc",
            **CALLER,
            **HASH,
        },
    ),
    "interrupt bare": [69, 1, {}],
    "interrupt full": [69, 1, {"mode": "killnowait", "reason": "wamp.error.canceled", **FORWARD}],
    **_payloads("yield", [70, 1, {}], 2, {"progress": True, **CALLEE}),
}
