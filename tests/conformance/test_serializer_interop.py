"""Every message in every serializer, between us and autobahn 26.10.2.

In JSON, MessagePack, CBOR and UBJSON both sides say and read the same. Of FlatBuffers autobahn
writes less than it is given and reads less than there is: each of these defects is a line of
`autobahn_writes` or `autobahn_reads`, and the day one is mended, its test fails.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from autobahn_side import ask
from corpus import ENC, MESSAGES

from microwamp.message import Message
from microwamp.serializer import JsonSerializer, create_transport_serializer

PLAIN = ("json", "msgpack", "cbor", "ubjson")
BATCHED = ("msgpack.batched", "cbor.batched", "ubjson.batched")
Answer = dict[str, Any]
Answers = Callable[[str, str, str], Answer]

PUBLISH, SUBSCRIBE, UNSUBSCRIBE, EVENT, CALL = 16, 32, 34, 36, 48
ERROR, CANCEL, RESULT, REGISTER, UNREGISTER = 8, 49, 50, 64, 66
INVOCATION, INTERRUPT, YIELD = 68, 69, 70
OPTIONS_AT = {ERROR: 3, EVENT: 3, INVOCATION: 3, UNSUBSCRIBE: 3, UNREGISTER: 3}


@pytest.fixture(scope="module")
def autobahn() -> Answers:
    """What autobahn says, by operation, serializer and name of the message."""
    keys: list[tuple[str, str, str]] = []
    questions: list[dict[str, Any]] = []
    for serializer in (*PLAIN, *BATCHED, "flatbuffers", "json.batched"):
        ours = create_transport_serializer(serializer)
        for name, raw in MESSAGES.items():
            octets, _ = ours.serialize(Message.parse(raw))
            keys += [("write", serializer, name), ("read", serializer, name)]
            questions += [
                {"op": "write", "serializer": serializer, "message": raw},
                {"op": "read", "serializer": serializer, "octets": octets.hex()},
            ]
    answers = dict(zip(keys, ask(questions), strict=True))
    return lambda *key: answers[key]


def read(serializer: str, answer: Answer) -> list[Any]:
    """The octets in an answer, as we read them."""
    (found,) = create_transport_serializer(serializer).unserialize(bytes.fromhex(answer["octets"]))
    return found.marshal()


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("serializer", PLAIN + BATCHED)
def test_we_read_what_autobahn_writes(autobahn: Answers, serializer: str, name: str) -> None:
    answer = autobahn("write", serializer, name)
    assert answer["message"] == MESSAGES[name]
    assert read(serializer, answer) == MESSAGES[name]


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("serializer", PLAIN + BATCHED)
def test_autobahn_reads_what_we_write(autobahn: Answers, serializer: str, name: str) -> None:
    assert autobahn("read", serializer, name) == {"messages": [MESSAGES[name]]}


# --- batched JSON: the separator -----------------------------------------------------------------


@pytest.mark.parametrize("name", MESSAGES)
def test_we_read_autobahns_batched_json(autobahn: Answers, name: str) -> None:
    answer = autobahn("write", "json.batched", name)
    assert answer["octets"].endswith("18")  # octal 30, where the specification says 0x1E
    assert read("json.batched", answer) == MESSAGES[name]


def test_autobahn_does_not_read_the_separator_of_the_specification(autobahn: Answers) -> None:
    assert "batch format error" in autobahn("read", "json.batched", "published")["error"]
    octets, _ = JsonSerializer(batched=True).serialize(Message.parse(MESSAGES["published"]))
    theirs = octets.replace(b"\x1e", b"\x18").hex()
    (answer,) = ask([{"op": "read", "serializer": "json.batched", "octets": theirs}])
    assert answer == {"messages": [MESSAGES["published"]]}


# --- FlatBuffers ---------------------------------------------------------------------------------


def options_of(wmsg: list[Any]) -> dict[str, Any]:
    at = OPTIONS_AT.get(wmsg[0], 2)
    return wmsg[at] if len(wmsg) > at and isinstance(wmsg[at], dict) else {}


def drop(options: dict[str, Any], *keys: str) -> None:
    for key in keys:
        options.pop(key, None)


def autobahn_writes(wmsg: list[Any]) -> list[Any]:
    """What is left of a message in autobahn's octets, as we read them."""
    wmsg = copy.deepcopy(wmsg)
    code, options = wmsg[0], options_of(wmsg)
    if code == 1:
        drop(options, "authmethods", "authextra")
        options["roles"] = dict.fromkeys(("publisher", "subscriber", "caller", "callee"), {})
    elif code == 2:
        drop(options, "authmethod", "authextra", "x_custom")
        options["roles"] = {"broker": {}, "dealer": {}}
    elif code in (4, 5):
        options.clear()
    elif code in (SUBSCRIBE, UNSUBSCRIBE, REGISTER, UNREGISTER):
        drop(options, "forward_for")
        if code in (UNSUBSCRIBE, UNREGISTER):
            del wmsg[3:]
    elif code == INTERRUPT:
        drop(options, "mode")
    elif code == ERROR:
        drop(options, "callee", "callee_authid", "callee_authrole")
    if options.get("enc_algo") == "x_mine":
        drop(options, "enc_algo", "enc_serializer")
    return wmsg


def autobahn_reads(wmsg: list[Any]) -> list[Any]:
    """What autobahn makes of our octets."""
    wmsg = copy.deepcopy(wmsg)
    code, options = wmsg[0], options_of(wmsg)
    if code == 1:
        options.update(authmethods=[], authextra={}, roles={})
        options.setdefault("resumable", False)
        options.setdefault("resume-session", 0)
    elif code == 2:
        drop(options, "authextra", "x_custom")
        options["roles"] = {}
        if "authmethod" in options:
            options["authmethod"] = "authmethod_1"
    elif code in (4, 5):
        options.clear()
    elif code == 6:
        wmsg[2] = "wamp.close.normal"
    elif code == SUBSCRIBE:
        drop(options, "match", "forward_for")
        options.setdefault("get_retained", False)
    elif code == REGISTER:
        drop(options, "match", "invoke", "forward_for")
        options.setdefault("force_reregister", False)
    elif code in (UNSUBSCRIBE, UNREGISTER):
        del wmsg[3:]
    elif code in (35, 67) and wmsg[1]:
        wmsg.append({"subscription" if code == 35 else "registration": 0})
    elif code == CANCEL:
        if options.pop("mode", None) is None:
            options["mode"] = "skip"
    elif code == INTERRUPT and options:
        options["mode"] = "kill"
    if "enc_key" in options:
        options["enc_key"] = options["enc_key"].encode()
    if options.get("enc_algo") == "x_mine":
        drop(options, "enc_algo", "enc_serializer")
    for at, item in enumerate(wmsg):
        if item == [] and at == len(wmsg) - 2:
            wmsg[at] = None  # keyword arguments only: the specification wants an empty list
    return wmsg


# autobahn imports a module by a wrong name where these have `forward_for`.
CANNOT_BE_WRITTEN = {f"{name} full" for name in ("error", "call", "result", "invocation", "yield")}
# In ERROR autobahn looks for the payload in the fields beside it.
CANNOT_BE_READ = {f"error {form}" for form in ("args", "kwargs", "full", "enc", "custom")}


@pytest.mark.parametrize("name", [name for name in MESSAGES if name not in CANNOT_BE_WRITTEN])
def test_we_read_autobahns_flatbuffers(autobahn: Answers, name: str) -> None:
    answer = autobahn("write", "flatbuffers", name)
    assert answer["message"] == MESSAGES[name]
    assert read("flatbuffers", answer) == autobahn_writes(MESSAGES[name])


@pytest.mark.parametrize("name", sorted(CANNOT_BE_WRITTEN))
def test_what_autobahn_cannot_write(autobahn: Answers, name: str) -> None:
    error = "ModuleNotFoundError: No module named 'wamp'"
    assert autobahn("write", "flatbuffers", name) == {"error": error}


@pytest.mark.parametrize("name", [name for name in MESSAGES if name not in CANNOT_BE_READ])
def test_autobahn_reads_our_flatbuffers(autobahn: Answers, name: str) -> None:
    expected = autobahn_reads(MESSAGES[name])
    assert autobahn("read", "flatbuffers", name) == {"messages": [expected]}


@pytest.mark.parametrize("name", sorted(CANNOT_BE_READ))
def test_what_autobahn_cannot_read(autobahn: Answers, name: str) -> None:
    answer = autobahn("read", "flatbuffers", name)
    if name == "error kwargs":
        assert answer["error"].startswith("TypeError")
        return
    (found,) = answer["messages"]
    expected = MESSAGES[name]
    assert found[4] == "com.example.error"
    assert found[5:] != expected[5:]
    assert not {*ENC} & {*found[3]}


def test_our_flatbuffers_lose_nothing() -> None:
    serializer = create_transport_serializer("flatbuffers")
    for name, raw in MESSAGES.items():
        octets, binary = serializer.serialize(Message.parse(raw))
        (found,) = serializer.unserialize(octets, binary)
        assert found.marshal() == raw, name
