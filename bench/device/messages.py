"""The WAMP messages that the codec is measured with, and their octets as routers send them.

The three of TUNED everybody tunes for. OTHERS are for the rest of the truth: nobody may tune for
them, so they do not change. The octets come from cbor2 in C, as crossbar's do: floats are doubles.
"""

from __future__ import annotations

from typing import Any

import cbor2

TUNED: dict[str, list[Any]] = {
    "call": [48, 7814135, {}, "com.myapp.ping", [23.5, "hello", True]],
    "event": [36, 5512315355, 4429313566, {}, [], {"color": "orange", "sizes": [23, 42, 7]}],
    "octets1k": [bytes(1024)],
}

_FEATURES = {
    "publisher_identification": True,
    "pattern_based_subscription": True,
    "subscription_revocation": True,
}

OTHERS: dict[str, list[Any]] = {
    "hello": [
        1,
        "devices",
        {
            "roles": {"publisher": {}, "subscriber": {"features": _FEATURES}},
            "agent": "microwamp",
            "authmethods": ["cryptosign", "wampcra"],
            "authid": "board-17",
        },
    ],
    "welcome": [
        2,
        3251278072152162,
        {
            "roles": {
                "broker": {"features": dict(_FEATURES, event_retention=True, session_meta_api=1)},
                "dealer": {"features": {"call_canceling": True, "call_timeout": False}},
            },
            "realm": "devices",
            "authid": "board-17",
            "authrole": "device",
            "authmethod": "cryptosign",
            "authprovider": "static",
            "x_cb_node": "intel-nuc-43871",
            "x_cb_worker": "worker001",
            "x_cb_pid": 43881,
        },
    ],
    "challenge": [4, "cryptosign", {"challenge": "8f" * 32, "channel_binding": None}],
    "authenticate": [5, "0123456789abcdef" * 12, {}],
    "abort": [3, {"message": "The realm does not exist."}, "wamp.error.no_such_realm"],
    "goodbye": [6, {}, "wamp.close.close_realm"],
    "subscribe": [32, 713845233, {"match": "prefix", "get_retained": True}, "com.example.alarm."],
    "subscribed": [33, 713845233, 5512315355],
    "publish": [
        16,
        239714735,
        {"acknowledge": True, "exclude_me": False},
        "com.example.plant.temperature",
        [21.75],
        {"unit": "C", "sensor": 3},
    ],
    "published": [17, 239714735, 4429313566],
    "samples": [36, 77, 4429313567, {}, [[0, 5, 17, 23, 24, 99, 255, 256, 1000, 4095, 7, 12] * 2]],
    "floats": [36, 78, 4429313568, {}, [[0.1, -2.5, 3.14159, 1e6, 0.0, 1e-3, 100.25, -0.7] * 2]],
    "text": [36, 79, 4429313569, {"topic": "com.example.log"}, ["Größe: 5 µm, passt – " * 12]],
    "call_bare": [48, 1, {}, "com.example.time"],
    "configure": [
        48,
        2,
        {"timeout": 2000},
        "com.example.configure",
        [],
        {
            "network": {"ssid": "plant", "channel": 6, "dhcp": True, "address": None},
            "pins": {"tx": 0, "rx": 1, "led": 25},
            "limits": [[10, 90], [-20, 60], [0, 65535]],
            "name": "board-17",
        },
    ],
    "rows": [50, 3, {}, [[[i, i * 1000, i % 2 == 0, f"row {i}"] for i in range(8)]]],
    "octets": [50, 4, {}, [bytes(range(64))]],
    "register": [
        64,
        25349185,
        {"invoke": "roundrobin", "concurrency": 4, "disclose_caller": True},
        "com.example.board.17.led",
    ],
    "invocation": [
        68,
        6131533,
        9823526,
        {"caller": 3335656, "procedure": "com.example.led"},
        [True, None, -1, -300, -70000, 1099511627776, ""],
    ],
    "error": [
        8,
        68,
        6131533,
        {},
        "com.example.error.out_of_range",
        ["brightness is 0 to 255, not 300"],
        {"value": 300, "low": 0, "high": 255},
    ],
}


def device_module() -> str:
    """The Python source of the module that brings them to the board."""
    messages = TUNED | OTHERS
    octets = {name: cbor2.dumps(message) for name, message in messages.items()}
    return (
        f"TUNED = {tuple(TUNED)!r}\nOTHERS = {tuple(OTHERS)!r}\n"
        f"MESSAGES = {messages!r}\nOCTETS = {octets!r}\n"
    )
