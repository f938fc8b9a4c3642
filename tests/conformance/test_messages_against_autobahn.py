"""Messages and types side by side with autobahn 26.10.2 (the router's environment has it).

What it makes we read, what we make it reads, with the same attributes. Where we differ on purpose
stands in message_differences.py and in docs/host-api.md: each with what autobahn does, so that a
test fails when that changes.
"""

import ast
import subprocess
from pathlib import Path
from typing import Any

import pytest
from message_differences import DIFFERENCES
from message_samples import GOOD as FITTING
from message_samples import element, full, holder, least, plain_options
from python_facts import facts

from microwamp import exception, message, request
from microwamp import types as _types
from microwamp.exception import ProtocolError
from microwamp.message._table import ROWS, Row

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-crossbar" / "bin" / "python"
PROGRAM = Path(__file__).with_name("autobahn_messages.py")
# Keywords come from lists of jobs.
types: Any = _types
HOPS = [{"session": 7, "authid": "joe", "authrole": "user"}]
# autobahn does not send what is the default anyway, nor features that it does not know.
CLIENT_ROLES = {"caller": {"features": {"call_timeout": True}}, "callee": {}}
GOOD = {**FITTING, "match": "prefix", "clientroles": CLIENT_ROLES}
LONG = "0xe59C7418403CF1D973485B36660728a5f4A8fF9c"


def autobahn(jobs: list[tuple[str, str, Any]]) -> list[tuple[str, Any]]:
    """What autobahn makes of the jobs (autobahn_messages.py)."""
    done = subprocess.run(
        [PYTHON, PROGRAM], input=repr(jobs), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    results: list[tuple[str, Any]] = ast.literal_eval(done.stdout)
    assert len(results) == len(jobs)
    return results


def theirs(row: Row, wmsg: list[Any]) -> list[Any]:
    """The message with what autobahn knows only."""
    for part in wmsg:
        if type(part) is dict:
            part.update({o.key: GOOD[o.kind] for o in row.options if o.key in part})
            for option in row.options:
                if option.beyond:
                    part.pop(option.key, None)
    if row.name in ("Abort", "Goodbye"):
        del wmsg[3:]
    return wmsg


def samples(row: Row) -> list[list[Any]]:
    """Messages of one kind: the shortest, the fullest, each option alone, payloads."""
    found = [theirs(row, least(row)), theirs(row, full(row))]
    held = holder(row)
    for option in plain_options(row):
        if held is None or option.beyond or option.kind.endswith("roles"):
            continue
        if option.name in ("resume_session", "resumable", "authmethod"):
            continue  # autobahn wants a token with them, and sends authmethod only with authrole
        wmsg = full(row)[: element(row, held.name) + 1] if not held.required else least(row)
        wmsg[element(row, held.name)] = {
            **{o.key: GOOD[o.kind] for o in row.options if o.kind.endswith("roles")},
            option.key: GOOD[option.kind],
        }
        found.append(wmsg)
    if row.passthru:
        found.append([*least(row), [1, 2.5, None]])
        found.append([*least(row), [], {"a": b"octets"}])
        found.append([*least(row), b"octets"])
        assert held is not None
        for options in (
            {"enc_algo": "cryptobox", "enc_serializer": "json"},
            {"enc_algo": "x_own", "enc_key": "key1", "enc_serializer": "x_format"},
            {"enc_algo": "mqtt"},
        ):
            wmsg = [*least(row), b"octets"]
            wmsg[element(row, held.name)] = options
            found.append(wmsg)
    if row.name in ("Unsubscribed", "Unregistered"):
        for wmsg in found[1:]:
            wmsg[1] = 0  # a revocation: only then may there be details
    return found


SAMPLES = {row.name: samples(row) for row in ROWS}


def test_what_we_read_and_write_it_reads_and_writes() -> None:
    jobs = [("parse", name, wmsg) for name, wmsgs in SAMPLES.items() for wmsg in wmsgs]
    compared = 0
    for (_, name, wmsg), (outcome, value) in zip(jobs, autobahn(jobs), strict=True):
        assert outcome == "ok", (name, wmsg, value)
        attributes, marshalled = value
        ours = getattr(message, name).parse(wmsg)
        # What we make of it autobahn made the same of, and we read what it makes.
        assert getattr(message, name).parse(marshalled) == ours
        if name == "Welcome":  # it writes null for some of what is not set
            marshalled[2] = {k: v for k, v in marshalled[2].items() if v is not None}
        assert ours.marshal() == marshalled == wmsg, name
        for attribute, its in attributes.items():
            if hasattr(type(ours), attribute) or attribute in vars(ours):
                if attribute not in ("serialized", "from_fbs", "router_internal"):
                    assert getattr(ours, attribute) == its, (name, attribute)
                    compared += 1
    assert len(jobs) > 150 and compared > 1500


def test_constructors_make_the_same() -> None:
    jobs: list[tuple[str, str, Any]] = []
    for row in ROWS:
        given = {p.name: GOOD[p.kind] for p in row.elements if p is not holder(row)}
        if row.name in ("Abort", "Goodbye"):
            del given["args"], given["kwargs"]
        options = {
            o.name: GOOD[o.kind]
            for o in plain_options(row)
            if not o.beyond and not o.kind.endswith("roles")
        }
        if row.name in ("Hello", "Welcome"):
            continue  # its roles are objects; what parse makes of them was compared
        jobs.append(("make", row.name, given))
        if row.name in ("Unsubscribed", "Unregistered"):
            options["request"] = 0  # a revocation: only then may there be details
        jobs.append(("make", row.name, {**given, **options}))
    for (_, name, given), (outcome, value) in zip(jobs, autobahn(jobs), strict=True):
        assert outcome == "ok", (name, value)
        assert getattr(message, name)(**given).marshal() == value[1], name


def test_options_give_the_same() -> None:
    jobs: list[tuple[str, str, Any]] = [
        ("attr", "PublishOptions", {"acknowledge": True, "exclude_me": False, "retain": True}),
        (
            "attr",
            "PublishOptions",
            {"exclude": 5, "eligible_authid": "joe", "exclude_authrole": []},
        ),
        (
            "attr",
            "PublishOptions",
            {"eligible": [5], "transaction_hash": "h", "forward_for": HOPS},
        ),
        ("attr", "SubscribeOptions", {"match": "prefix", "details": True, "get_retained": False}),
        ("attr", "RegisterOptions", {"match": "exact", "invoke": "last", "concurrency": 3}),
        ("attr", "RegisterOptions", {"details_arg": "d", "force_reregister": True}),
        ("attr", "CallOptions", {"transaction_hash": "h", "caller": 7, "caller_authid": "joe"}),
        ("attr", "CallOptions", {"forward_for": HOPS, "correlation_id": "c"}),
    ]
    for (_, name, given), (outcome, value) in zip(jobs, autobahn(jobs), strict=True):
        assert (outcome, value) == ("ok", getattr(types, name)(**given).message_attr())


def test_transport_details_give_the_same() -> None:
    typeids = [{"channel_type": t, "channel_framing": f} for t in range(6) for f in range(4)]
    typeids = [{**g, "channel_serializer": s} for g in typeids for s in range(5)]
    typeids = [g for g in typeids if g["channel_type"] != 1]
    data = {
        "channel_type": "tls",
        "channel_framing": "rawsocket",
        "channel_serializer": "cbor",
        "own": "rss://example.com",
        "is_secure": True,
        "channel_id": {"tls-unique": "00" * 32},
        "own_fd": 5,
    }
    session = {"realm": "realm1", "session": 7, "authextra": {"a": 1}, "transport": data}
    jobs: list[tuple[str, str, Any]] = [("typeid", "", g) for g in typeids]
    jobs += [("details", "TransportDetails", data), ("details", "SessionDetails", session)]
    results = autobahn(jobs)
    for given, (outcome, value) in zip(typeids, results, strict=False):
        assert (outcome, value) == ("ok", types.TransportDetails(**given).channel_typeid), given
    assert results[-2] == ("ok", types.TransportDetails.parse(data).marshal())
    assert results[-1] == ("ok", types.SessionDetails.parse(session).marshal())


def test_uris_ids_and_realm_names_are_judged_alike() -> None:
    words: list[Any] = [
        "a",
        "a.b",
        "A.b",
        "a-b",
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a b",
        "a#b",
        5,
        None,
    ]
    words += ["realm1", "re", "x.eth", "xx.eth", "eth.xx", LONG, LONG[:-1], "0x", "x" * 256, "ä.b"]
    jobs: list[tuple[str, str, Any]] = []
    for word in words:
        for flags in ("", "strict", "allow_empty_components", "allow_last_empty", "allow_none"):
            given = {"value": word, **({flags: True} if flags else {})}
            jobs.append(("call", "check_or_raise_uri", given))
            if flags.startswith("allow_"):
                jobs.append(("call", "check_or_raise_uri", {**given, "strict": True}))
        jobs.append(("call", "identify_realm_name_category", {"value": word}))
        for allow_eth in (True, False):
            given = {"value": word, "allow_eth": allow_eth}
            jobs.append(("call", "check_or_raise_realm_name", given))
        jobs.append(("call", "check_or_raise_id", {"value": word}))
        jobs.append(("call", "check_or_raise_extra", {"value": word}))
    for value in (-1, 1, 2**53, 2**53 + 1, True, 1.0):
        jobs.append(("call", "check_or_raise_id", {"value": value}))
    extras: list[Any] = [{}, {"a": 1}, {1: 2}, []]
    for extra in extras:
        jobs.append(("call", "check_or_raise_extra", {"value": extra}))
    for (_, name, given), (outcome, value) in zip(jobs, autobahn(jobs), strict=True):
        try:
            ours: Any = ("ok", getattr(message, name)(**given))
        except ProtocolError as error:
            ours = (type(error).__name__, None)
        assert ours == (outcome, value if outcome == "ok" else None), (name, given)


def test_the_document_lists_the_same_differences() -> None:
    text = (ROOT / "docs" / "host-api.md").read_text(encoding="utf-8")
    section = text.split("## 4. Differences", 1)[1].split("\n## ", 1)[0]
    listed = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]
    assert sorted(listed) == sorted(["difference", *(what for what, *_ in DIFFERENCES)])


def ours(operation: str, name: str, argument: Any) -> Any:
    try:
        if operation == "parse":
            return getattr(message, name).parse(argument).marshal()
        if operation == "make":
            return getattr(message, name)(**argument).marshal()
        if operation == "call":
            return getattr(message, name)(**argument)
        if operation == "attr":
            return getattr(types, name)(**argument).message_attr()
        if operation == "typeid":
            return types.TransportDetails(**argument).channel_typeid
        return getattr(types, name).parse(argument).marshal()
    except ProtocolError as error:
        return type(error).__name__


def essence(value: Any) -> Any:
    """Without what is not set, so that the lines above stay short."""
    return {k: v for k, v in value.items() if v is not None} if type(value) is dict else value


@pytest.fixture(scope="module")
def its_results() -> list[tuple[str, Any]]:
    return autobahn(
        [(operation, name, argument) for _, operation, name, argument, _, _ in DIFFERENCES]
    )


@pytest.mark.parametrize("index", range(len(DIFFERENCES)), ids=[d[0] for d in DIFFERENCES])
def test_differences_are_as_documented(index: int, its_results: list[tuple[str, Any]]) -> None:
    what, operation, name, argument, its, own = DIFFERENCES[index]
    outcome, value = its_results[index]
    if operation in ("parse", "make") and outcome == "ok":
        value = value[1]
    assert (essence(value) if outcome == "ok" else outcome) == its, what
    assert essence(ours(operation, name, argument)) == own, what
    assert its != own


def test_differences_of_the_python_side() -> None:
    """Those that docs/host-api.md lists below its table; with autobahn's answer and ours."""
    answers = {
        "Error is a RuntimeError": (True, False),
        "NotAuthorized is an Error": (False, True),
        "InvalidUriError is a ProtocolError": (False, True),
        "a word that is none": (None, False),
        "a word of one's own": ("Match", "bool"),
        "str of an ApplicationError": ("ApplicationError(err", "a.b: one, 2 {'k': 3}"),
        "repr of a message": ("<autobah", "Publish("),
        "colours in str": (True, False),
        "the ident of a publisher": (
            "AssertionError",
            {"session": 7, "authid": "joe", "authrole": None},
        ),
        "channels of UDP": (["CHANNEL_TYPE_UDP"], []),
        "build of Publish": (True, False),
    }
    ((_, its),) = autobahn([("facts", "", None)])
    own = facts(exception, message, types, request)
    assert {q: (its[q], own[q]) for q in own if its[q] != own[q]} == answers
    assert len(own) - len(answers) == 4
