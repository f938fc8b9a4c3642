"""The FlatBuffers schema and our codec, held against flatc: its compiler and the code it makes."""

from __future__ import annotations

import importlib
import inspect
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cbor2
import flatbuffers
import pytest
from corpus import HOPS, MESSAGES, PASSED

from microwamp.message import _table as table
from microwamp.schema import codec
from microwamp.schema._slots import MESSAGES as SLOTS
from microwamp.schema._slots import ROLES, WORDS
from microwamp.serializer import FlatBuffersSerializer

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "host" / "microwamp" / "schema"
GENERATOR = ROOT / "host" / "tools" / "gen_slots.py"
FLATC = Path(sys.executable).with_name("flatc")
PACKAGE = "wamp_flatc"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Python made by flatc from our schema, as the package `wamp_flatc`: `wamp` is taken."""
    folder = tmp_path_factory.mktemp("flatc")
    for path in SCHEMA.glob("*.fbs"):
        text = path.read_text().replace("namespace wamp", f"namespace {PACKAGE}")
        (folder / path.name).write_text(text.replace("wamp.Map", f"{PACKAGE}.Map"))
    subprocess.run([FLATC, "--python", "-o", folder, *folder.glob("*.fbs")], check=True)
    sys.path.insert(0, str(folder))
    yield folder / PACKAGE / "proto"
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def proto(name: str) -> ModuleType:
    return importlib.import_module(f"{PACKAGE}.proto.{name}")


def camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


# --- the schema ----------------------------------------------------------------------------------


def schema() -> str:
    return "\n".join(path.read_text() for path in sorted(SCHEMA.glob("*.fbs")))


def test_slots_are_those_of_the_schema() -> None:
    subprocess.run([sys.executable, GENERATOR, "--check"], check=True)


def test_flatc_and_flatbuffers_are_one_version() -> None:
    version = subprocess.run([FLATC, "--version"], check=True, capture_output=True, text=True)
    assert version.stdout.split()[-1] == flatbuffers.__version__


def test_everything_is_documented() -> None:
    """Each table, enumeration, union, attribute, field and value has a line with `///`."""
    declared = re.compile(r"^(table|enum|union|attribute) |^    \w+(:| = \d+[,\n]?)")
    for path in SCHEMA.glob("*.fbs"):
        before = ""
        for line in path.read_text().splitlines():
            if declared.match(line):
                assert before.lstrip().startswith("/// "), f"{path.name}: {line}"
            if line.strip() and not line.lstrip().startswith("// "):
                before = line


def test_slots_and_messages_have_the_same_keys() -> None:
    """Neither the table of messages nor the schema has an option the other lacks."""
    assert set(SLOTS) == {row.code for row in table.ROWS}
    for row in table.ROWS:
        tag, names, slots = SLOTS[row.code]
        assert tag == (37 if row.code == 337 else row.code)
        assert names == [element.name for element in row.elements]
        with_slot = {slot[0] for slot in slots if slot}
        held = {"options", "details", "extra"}
        needed = {element.name for element in row.elements} - held
        needed |= {option.key for option in row.options}
        if row.passthru:
            needed |= {"payload"}
            needed -= {"enc_algo", "enc_key", "enc_serializer"}  # in the slots of ppt_...
        if {element.name for element in row.elements} & held:
            needed |= {"rest"}
        assert with_slot - {"extra"} == needed, row.name


def test_roles_have_the_same_features() -> None:
    for role, features in table.FEATURES.items():
        assert {name for name in ROLES[role] if name} == set(features), role
    assert set(ROLES) == set(table.FEATURES)


ENUMERATIONS = {
    "CancelMode": ["SKIP", "KILL", "KILLNOWAIT"],
    "InvocationPolicy": ["SINGLE", "FIRST", "LAST", "ROUNDROBIN", "RANDOM"],
    "Match": ["EXACT", "PREFIX", "WILDCARD"],
    "PPTScheme": ["NONE", "CRYPTOBOX", "MQTT", "XBR", "OPAQUE"],
    "PPTSerializer": ["TRANSPORT", "JSON", "MSGPACK", "CBOR", "UBJSON", "OPAQUE", "FLATBUFFERS",
                      "FLEXBUFFERS"],
    "PPTCipher": ["NULL", "XSALSA20POLY1305", "AES256GCM"],
    "AuthMethod": ["NULL", "TICKET", "CRA", "SCRAM", "CRYPTOSIGN"],
    "TLSChannelBinding": ["NULL", "TLS_UNIQUE", "TLS_UNIQUE_TELNET", "TLS_SERVER_ENDPOINT",
                          "TLS_EXPORTER"],
    "KDF": ["NULL", "ARGON2ID13", "PBKDF2"],
    "TransportChannelType": ["NULL", "FUNCTION", "MEMORY", "SERIAL", "TCP", "TLS"],
    "TransportChannelFraming": ["NULL", "NATIVE", "WEBSOCKET", "RAWSOCKET"],
    "TransportChannelSerializer": ["NULL", "JSON", "MSGPACK", "CBOR", "UBJSON", "OPAQUE",
                                   "FLATBUFFERS", "FLEXBUFFERS"],
}  # fmt: skip


@pytest.mark.parametrize("name", ENUMERATIONS)
def test_enumerations(generated: Path, name: str) -> None:
    """Every value that was decided upon, and no other."""
    klass = getattr(proto(name), name)
    found = {key: value for key, value in vars(klass).items() if not key.startswith("_")}
    assert found == {key: number for number, key in enumerate(ENUMERATIONS[name])}


def test_attribute_of_key_ids_and_order_of_fields(generated: Path) -> None:
    assert 'attribute "ppt_keyid";' in schema()
    order = ["ppt_scheme", "ppt_serializer", "ppt_cipher", "ppt_keyid"]
    bodies = re.findall(r"table \w+ \{([^}]*)\}", schema())
    passing = [re.findall(r"^    (\w+): ([^;]*);", b, re.M) for b in bodies if "ppt_scheme:" in b]
    assert len(passing) == 7
    for fields in passing:
        names = [name for name, _ in fields]
        first = names.index("ppt_scheme")
        assert names[first : first + 4] == order
        assert dict(fields)["ppt_keyid"] == "string (ppt_keyid)"
        types = [dict(fields)[name].split(" ")[0] for name in order[:3]]
        assert types == ["PPTScheme", "PPTSerializer", "PPTCipher"]


def test_tags_are_the_codes(generated: Path) -> None:
    union = proto("AnyMessage").AnyMessage
    codes = proto("MessageType").MessageType
    for row in table.ROWS:
        number = 37 if row.code == 337 else row.code
        assert getattr(union, row.name) == number
        assert number in vars(codes).values()


def test_transport_details_are_a_table(generated: Path) -> None:
    details = proto("TransportDetails").TransportDetails
    fields = {name for name, _ in inspect.getmembers(details) if name[0].isupper()}
    seed = ["channel_type", "channel_framing", "channel_serializer", "own", "peer", "is_server",
            "own_pid", "own_tid", "own_fd", "is_secure", "channel_id", "peer_cert",
            "websocket_protocol", "websocket_extensions_in_use", "http_headers_received",
            "http_headers_sent", "http_cbtid"]  # fmt: skip
    assert {camel(name) for name in seed} <= fields


# --- flatc's code reads what we write ------------------------------------------------------------


def read_by_flatc(octets: bytes) -> tuple[int, Any]:
    """Tag and table of a buffer."""
    message = proto("Message").Message.GetRootAs(octets, 0)
    tag = message.MsgType()
    names = {value: key for key, value in vars(proto("AnyMessage").AnyMessage).items()
             if isinstance(value, int)}  # fmt: skip
    found = getattr(proto(names[tag]), names[tag])()
    union = message.Msg()
    found.Init(union.Bytes, union.Pos)
    return tag, found


def vector(found: Any, name: str) -> list[Any] | None:
    if getattr(found, name + "IsNone")():
        return None
    return [getattr(found, name)(i) for i in range(getattr(found, name + "Length")())]


def text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode()


def said(found: Any, name: str, kind: str) -> Any:
    """What flatc's code says of a field, in the words of the message."""
    field = camel(name.replace("-", "_"))
    if kind in ("args", "kwargs", "payload", "rest"):
        octets = vector(found, field)
        if octets is None or kind == "payload":
            return octets and bytes(octets)
        return cbor2.loads(bytes(octets))
    if kind == "u64s":
        return vector(found, field)
    if kind == "texts":
        values = vector(found, field)
        return values and [text(value) for value in values]
    if kind == "hops":
        hops = vector(found, field)
        return hops and [
            {"session": x.Session(), "authid": text(x.Authid()), "authrole": text(x.Authrole())}
            for x in hops
        ]
    if kind == "[AuthMethod]":
        numbers = vector(found, field)
        words = {number: word for word, number in WORDS["AuthMethod"].items()}
        return numbers and [words[number] for number in numbers]
    value = getattr(found, field)()
    if kind == "text":
        return text(value)
    if kind in WORDS and value is not None:
        return {number: word for word, number in WORDS[kind].items()}.get(value)
    return value


@pytest.mark.parametrize("name", MESSAGES)
def test_flatc_reads_what_we_write(generated: Path, name: str) -> None:
    raw = MESSAGES[name]
    octets = codec.encode(raw, cbor2.dumps, cbor2.dumps)
    tag, found = read_by_flatc(octets)
    code = raw[0]
    assert tag == SLOTS[code][0]
    names = SLOTS[code][1]
    options: dict[str, Any] = next((x for x in raw[1:4] if isinstance(x, dict)), {})
    elements = dict(zip(names, raw[1:], strict=False))
    passing = isinstance(elements.get("args"), bytes)
    for slot in SLOTS[code][2]:
        if slot is None or slot[1] in ("roles", "map", "word", "words"):
            continue
        key, kind = slot
        if key.startswith("ppt_"):
            continue
        field = "acknowledge" if key == "x_acknowledged_delivery" else key
        value = said(found, field, kind)
        if key == "payload":
            assert value == (PASSED if passing else None)
        elif key == "rest":
            assert not value or not set(value) & {s[0] for s in SLOTS[code][2] if s} - {
                "authextra", "roles"
            }  # fmt: skip
        elif key == "args" and (passing or elements.get(key) == []):
            assert value is None
        elif key in elements:
            assert value == elements[key]
        elif kind == "u64" and key not in options and value == 0:
            pass  # an element that autobahn has as a number without a default
        else:
            assert value == options.get(key)


def test_flatc_reads_roles(generated: Path) -> None:
    octets = codec.encode(MESSAGES["hello full"], cbor2.dumps, cbor2.dumps)
    _, hello = read_by_flatc(octets)
    roles = hello.Roles()
    assert roles.Publisher().PublisherExclusion() is True
    assert roles.Publisher().PublisherIdentification() is None
    assert roles.Caller().ProgressiveCallResults() is True
    assert roles.Callee().SharedRegistration() is True
    octets = codec.encode(MESSAGES["welcome bare"], cbor2.dumps, cbor2.dumps)
    _, welcome = read_by_flatc(octets)
    assert welcome.Roles().Broker() is None and welcome.Roles().Dealer() is not None


def test_flatc_reads_passthru(generated: Path) -> None:
    for raw, scheme, serializer, cipher in (
        ([48, 1, {"enc_algo": "cryptobox", "enc_serializer": "json", "enc_key": "k"}, "a.b", b"x"],
         1, 1, None),
        ([48, 1, {"ppt_scheme": "x_cryptobox", "ppt_serializer": "json", "ppt_keyid": "k",
                  "ppt_cipher": "xsalsa20poly1305"}, "a.b", [b"x"]], 1, 1, 1),
        ([48, 1, {"ppt_scheme": "x_mine", "ppt_serializer": "native", "ppt_keyid": "k"}, "a.b",
          [b"x"]], None, 0, None),
    ):  # fmt: skip
        _, call = read_by_flatc(codec.encode(raw, cbor2.dumps, cbor2.dumps))
        assert call.PptScheme() == scheme
        assert call.PptSerializer() == serializer
        assert call.PptCipher() == cipher
        assert call.PptKeyid() == b"k"
        assert text(call.PptSchemeWord()) == (None if scheme else "x_mine")


# --- we read what flatc's code writes ------------------------------------------------------------


def built(name: str, fields: dict[str, Any]) -> bytes:
    """A buffer made by flatc's builders: fields are numbers, strings, octets and lists of those;
    callables build what has a table of its own."""
    builder = flatbuffers.Builder(0)
    module = proto(name)
    placed = {}
    for field, value in fields.items():
        if callable(value):
            value = value(builder)
        elif isinstance(value, str):
            value = builder.CreateString(value)
        elif isinstance(value, bytes):
            value = builder.CreateByteVector(value)
        elif isinstance(value, list):
            items = [builder.CreateString(x) if isinstance(x, str) else x for x in value]
            getattr(module, f"{name}Start{field}Vector")(builder, len(items))
            for item in reversed(items):
                if isinstance(value[0], str):
                    builder.PrependUOffsetTRelative(item)
                else:
                    builder.PrependUint64(item)
            value = builder.EndVector()
        placed[field] = value
    getattr(module, f"{name}Start")(builder)
    for field, value in placed.items():
        getattr(module, f"{name}Add{field}")(builder, value)
    body = getattr(module, f"{name}End")(builder)
    message = proto("Message")
    message.Start(builder)
    message.AddMsgType(builder, getattr(proto("AnyMessage").AnyMessage, name))
    message.AddMsg(builder, body)
    builder.Finish(message.End(builder))
    return bytes(builder.Output())


def decoded(octets: bytes) -> list[Any]:
    return codec.decode(octets, cbor2.loads, cbor2.loads)


def hops(builder: Any) -> int:
    module, places = proto("Principal"), []
    for hop in HOPS:
        authid = builder.CreateSharedString(hop["authid"])
        authrole = builder.CreateSharedString(hop["authrole"])
        module.Start(builder)
        module.AddAuthrole(builder, authrole)
        module.AddSession(builder, hop["session"])
        module.AddAuthid(builder, authid)
        places.append(module.End(builder))
    proto("Publish").StartForwardForVector(builder, len(places))
    for place in reversed(places):
        builder.PrependUOffsetTRelative(place)
    return int(builder.EndVector())


def test_we_read_what_flatc_writes(generated: Path) -> None:
    publish = built(
        "Publish",
        {
            "Session": 5,
            "Request": 7,
            "Topic": "com.example.\u00e9",
            "Args": cbor2.dumps([1, "two"]),
            "Kwargs": cbor2.dumps({"k": b"\0"}),
            "Acknowledge": True,
            "ExcludeMe": False,
            "Exclude": [1, 2**63],
            "ExcludeAuthid": ["alice", "", "alice"],
            "Retain": False,
            "TransactionHash": "0x12",
            "ForwardFor": hops,
            "Rest": cbor2.dumps({"x_more": [1]}),
        },
    )
    assert decoded(publish) == [
        16,
        7,
        {
            "acknowledge": True,
            "exclude_me": False,
            "exclude": [1, 2**63],
            "exclude_authid": ["alice", "", "alice"],
            "retain": False,
            "transaction_hash": "0x12",
            "forward_for": HOPS,
            "x_more": [1],
        },
        "com.example.\u00e9",
        [1, "two"],
        {"k": b"\0"},
    ]
    assert decoded(built("Unsubscribed", {"Request": 3})) == [35, 3]
    assert decoded(built("Cancel", {"Request": 3, "Mode": 2})) == [49, 3, {"mode": "killnowait"}]
    call = {"Request": 3, "Procedure": "a.b", "Payload": b"xyz", "PptScheme": 2, "PptKeyid": "k"}
    options = {"enc_algo": "mqtt", "enc_key": "k"}
    assert decoded(built("Call", call)) == [48, 3, options, "a.b", b"xyz"]


def test_pairs_of_older_peers(generated: Path) -> None:
    """`Map`, which holds one pair: we do not write it, but read it."""

    def pair(builder: Any) -> int:
        module = importlib.import_module(f"{PACKAGE}.Map")
        key, value = builder.CreateString("nonce"), builder.CreateString("n")
        module.Start(builder)
        module.AddKey(builder, key)
        module.AddValue(builder, value)
        return int(module.End(builder))

    assert decoded(built("Challenge", {"Method": 1, "Extra": pair})) == [
        4,
        "ticket",
        {"nonce": "n"},
    ]
    found = decoded(built("Hello", {"Realm": "r", "Authextra": pair}))
    assert found[2]["authextra"] == {"nonce": "n"}


# --- nothing is lost -----------------------------------------------------------------------------

KEPT: list[list[Any]] = [
    [1, None, {"roles": {"caller": {}}, "authmethods": ["anonymous", "wampcra", "wamp-scram"]}],
    [1, "r", {"roles": {"caller": {}}, "authmethods": ["scram", "ticket", "cookie"]}],
    [
        1,
        "r",
        {"roles": {"x_role": {"a": 1}, "caller": {"x": 1, "features": {"x_f": 1, "y": True}}}},
    ],
    [1, "r", {"roles": {"caller": {"features": {}}, "callee": {"features": {"call_timeout": 7}}}}],
    [1, "r", {"roles": {}, "authextra": {"pubkey": "ab", "n": None, "deep": {"x": [b"\0"]}}}],
    [2, 1, {"roles": {"broker": {}}, "authmethod": "x_own", "x_cb_pid": 7, "authextra": None}],
    [3, {"message": "m", "x": 1}, "a.b", ["args"], {"k": 1}],
    [4, "x_method", {"challenge": "c", "pubkey": None}],
    [4, "scram", {}],
    [5, "", {"nonce": b"n"}],
    [6, {"resumable": False}, "a.b", [], {"k": 1}],
    [8, 68, 1, {"ppt_scheme": "mqtt", "callee": 7}, "a.b", [b"octets"]],
    [16, 1, {"enc_algo": "x_foo", "ppt_scheme": "x_foo", "ppt_cipher": "c"}, "a.b", b"octets"],
    [16, 1, {"ppt_scheme": "x_foo", "enc_algo": "x_foo", "enc_key": "k"}, "a.b", [b"octets"]],
    [16, 1, {"ppt_scheme": "x_opaque", "ppt_serializer": "x", "ppt_cipher": "y"}, "a.b", [b"o"]],
    [16, 1, {"exclude": ["not", "ids"], "exclude_me": 1, "retain": None}, "a.b"],
    [16, 1, {"exclude": [], "eligible_authid": [], "forward_for": []}, "a.b", []],
    [16, 1, {"forward_for": [{"session": 1, "authid": None, "authrole": None}]}, "a.b"],
    [16, 1, {"forward_for": [{"session": 1}]}, "a.b"],
    [36, 1, 2, {"trustlevel": 2**40, "retained": False}, []],
    [48, 1, {"timeout": 2**32, "progress": False, "receive_progress": False}, "a.b"],
    [64, 1, {"concurrency": 2**16, "match": "regex", "invoke": "all"}, "a.b"],
    [34, 1, 2, {"x": 1}],
    [35, 0, {"subscription": 1}],
    [67, 0, {"registration": 1, "reason": "a.b", "x": [1]}],
]


@pytest.mark.parametrize("raw", KEPT, ids=lambda raw: f"{raw[0]} {raw!r:.60}")
def test_what_has_no_slot_is_kept(raw: list[Any]) -> None:
    octets = codec.encode(raw, cbor2.dumps, cbor2.dumps)
    assert decoded(octets) == raw


def test_random_messages_survive(generated: Path) -> None:
    """Options of any name with values of any kind, of the right ones and of others."""
    source = random.Random("flatbuffers")
    values: list[Any] = [None, True, False, 0, 1, 2**32, 2**64, -1, 1.5, "", "text", b"\0", [], {}]
    values += [["a"], [1], [None], {"k": 1}, HOPS, "exact", "kill", "ticket", ["ticket"], "json"]
    rows = [row for row in table.ROWS if any(e.name == "options" for e in row.elements)]
    rows += [row for row in table.ROWS if any(e.name == "details" for e in row.elements)]
    for _ in range(3000):
        row = source.choice(rows)
        keys = [option.key for option in row.options] + ["x_more", "roles_"]
        options = {source.choice(keys): source.choice(values) for _ in range(source.randrange(5))}
        raw: list[Any] = [row.code]
        for element in row.elements:
            if element.kind == "dict":
                if row.code in (34, 35, 66, 67) and not options:
                    break
                raw.append(options)
            elif element.kind in ("id", "id0"):
                raw.append(source.choice((1, 2**53)))
            elif element.kind == "code":
                raw.append(48)
            elif element.name in ("args", "kwargs"):
                break
            else:
                raw.append("com.example")
        if row.payload and source.randrange(2):
            raw.append(source.choice(([1], [b"x"], [])))
        if row.code in (1, 2):
            raw[2] = {**options, "roles": {"caller": {}}}
        octets = codec.encode(raw, cbor2.dumps, cbor2.dumps)
        assert decoded(octets) == raw
        read_by_flatc(octets)


def test_what_is_no_message_is_refused() -> None:
    serializer = FlatBuffersSerializer()._serializer
    values: list[Any] = [[], {}, None, 7, [999], [48], [48, 1], [48, "1", {}, "a"]]
    values += [[48, 2**64, {}, "a"], [48, 1, {}, 5], [48, 1, {}, "a", b"x", {"k": 1}]]
    for value in values:
        with pytest.raises((TypeError, ValueError, IndexError, KeyError, AttributeError)):
            serializer.serialize(value)
