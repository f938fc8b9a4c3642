"""What messages do beyond their fields: payloads, passthru, unknown keys, caching, comparing."""

import json
import subprocess
import sys
from typing import Any

import pytest
from covering import covers
from message_samples import full, least

from microwamp import message as _message
from microwamp import role
from microwamp.exception import LocalProtocolError, RemoteProtocolError
from microwamp.message._table import ROWS, Row

# Values of wrong types are given on purpose.
message: Any = _message
WITH_PAYLOAD = [row for row in ROWS if row.passthru]
PAYLOAD = pytest.mark.parametrize("row", WITH_PAYLOAD, ids=lambda row: row.name)
OCTETS = b"\x00\x01octets"


def made(row: Row, **given: Any) -> Any:
    """A message with the fewest elements, and these."""
    klass = getattr(message, row.name)
    parts = {p.name: v for p, v in zip(row.elements, least(row)[1:], strict=False)}
    return klass(**{k: v for k, v in parts.items() if k not in ("options", "details")}, **given)


def holder_of(row: Row, wmsg: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(part for part in wmsg if type(part) is dict)
    return found


def received(row: Row, *payload: Any, **options: Any) -> Any:
    """A parsed message with the fewest elements, these options and this payload."""
    wmsg = [*least(row), *payload]
    holder_of(row, wmsg).update(options)
    return getattr(message, row.name).parse(wmsg)


# --- arguments -----------------------------------------------------------------------------------


@PAYLOAD
def test_empty_arguments_are_not_sent(row: Row) -> None:
    shortest = least(row)
    assert made(row).marshal() == shortest
    assert made(row, args=[], kwargs={}).marshal() == shortest
    assert made(row, args=[1]).marshal() == [*shortest, [1]]
    assert made(row, args=[1], kwargs={}).marshal() == [*shortest, [1]]
    assert made(row, kwargs={"a": 1}).marshal() == [*shortest, [], {"a": 1}]
    assert made(row, args=(1, 2)).marshal() == [*shortest, (1, 2)]


@PAYLOAD
def test_null_for_arguments_is_understood(row: Row) -> None:
    # crossbar and autobahn send null where only keywords are set.
    parsed = received(row, None, {"a": 1})
    assert parsed.args is None and parsed.kwargs == {"a": 1}
    assert received(row, [1], None).kwargs is None
    assert received(row, None, None).marshal() == least(row)


@pytest.mark.parametrize("name", ["Abort", "Goodbye"])
@covers("message.Abort", "message.Goodbye", "message.Goodbye.DEFAULT_REASON")
def test_abort_and_goodbye_may_have_arguments(name: str) -> None:
    klass = getattr(message, name)
    wmsg = [klass.MESSAGE_TYPE, {"message": "why"}, "com.example.why", [1], {"a": 2}]
    parsed = klass.parse(wmsg)
    assert (parsed.message, parsed.args, parsed.kwargs) == ("why", [1], {"a": 2})
    assert parsed.marshal() == wmsg
    assert klass("com.example.why", "why", args=[1], kwargs={"a": 2}) == parsed
    assert message.Goodbye().marshal() == [6, {}, message.Goodbye.DEFAULT_REASON]


# --- the passthru, both forms --------------------------------------------------------------------


@PAYLOAD
def test_enc_form_in_and_out(row: Row) -> None:
    keys = {"enc_algo": "cryptobox", "enc_key": "key1", "enc_serializer": "cbor"}
    parsed = received(row, OCTETS, **keys)
    assert parsed.passthru == "enc"
    assert parsed.payload == OCTETS and parsed.args is None and parsed.kwargs is None
    assert (parsed.enc_algo, parsed.enc_key, parsed.enc_serializer) == tuple(keys.values())
    assert parsed.ppt_scheme == "x_cryptobox" and parsed.ppt_serializer == "cbor"
    assert parsed.ppt_cipher == "xsalsa20poly1305" and parsed.ppt_keyid == "key1"
    assert holder_of(row, parsed.marshal()) == {**holder_of(row, least(row)), **keys}
    assert parsed.marshal()[-1] == OCTETS
    assert parsed == made(row, payload=OCTETS, **keys)


@PAYLOAD
def test_ppt_form_in_and_out(row: Row) -> None:
    keys = {
        "ppt_scheme": "x_cryptobox",
        "ppt_serializer": "json",
        "ppt_cipher": "xsalsa20poly1305",
        "ppt_keyid": "key1",
    }
    parsed = received(row, [OCTETS], **keys)
    assert parsed.passthru == "ppt"
    assert parsed.payload == OCTETS and parsed.args is None
    assert (parsed.enc_algo, parsed.enc_key, parsed.enc_serializer) == (
        "cryptobox",
        "key1",
        "json",
    )
    assert holder_of(row, parsed.marshal()) == {**holder_of(row, least(row)), **keys}
    assert parsed.marshal()[-1] == [OCTETS]
    assert parsed == made(row, payload=OCTETS, **keys)
    assert received(row, [OCTETS], {}, **keys) == parsed


@PAYLOAD
def test_a_message_changes_its_form(row: Row) -> None:
    enc = made(row, payload=OCTETS, enc_algo="cryptobox", enc_serializer="json")
    ppt = enc.use_passthru("ppt")
    assert ppt is enc and ppt.passthru == "ppt"
    assert ppt.marshal()[-1] == [OCTETS]
    assert holder_of(row, ppt.marshal()) == {
        "ppt_scheme": "x_cryptobox",
        "ppt_serializer": "json",
        "ppt_cipher": "xsalsa20poly1305",
    }
    assert ppt.use_passthru("enc") == made(
        row, payload=OCTETS, enc_algo="cryptobox", enc_serializer="json"
    )
    with pytest.raises(LocalProtocolError, match="cannot be said with enc_algo"):
        made(row, payload=OCTETS, ppt_scheme="x_own", ppt_cipher="aes256gcm").use_passthru("enc")
    with pytest.raises(LocalProtocolError, match="has no scheme"):
        made(row, args=[1]).use_passthru("enc")
    with pytest.raises(LocalProtocolError, match="enc or ppt"):
        enc.use_passthru("both")


@PAYLOAD
def test_octets_without_a_scheme_are_a_payload(row: Row) -> None:
    parsed = received(row, OCTETS)
    assert parsed.payload == OCTETS and parsed.passthru is None
    assert parsed.marshal() == [*least(row), OCTETS]
    assert made(row, payload=bytearray(OCTETS)) == parsed
    assert made(row, payload=memoryview(OCTETS)) == parsed
    assert made(row, payload=b"").marshal() == [*least(row), b""]
    assert received(row, OCTETS, {}) == parsed
    for kwargs in ({"a": 1}, 5):
        with pytest.raises(RemoteProtocolError, match="kwargs"):
            received(row, OCTETS, kwargs)


@PAYLOAD
def test_payload_and_attributes_that_contradict_each_other(row: Row) -> None:
    """A scheme without its payload would have the application take clear text for encrypted."""
    payloads: list[tuple[Any, ...]] = [(), ([1],), ([OCTETS],), (None, {"a": 1})]
    for payload in payloads:
        with pytest.raises(RemoteProtocolError, match=r"\.payload: .* octets \(for enc_algo\)"):
            received(row, *payload, enc_algo="cryptobox")
    payloads = [(), (OCTETS,), ([],), ([OCTETS, 1],), (["text"],), ([OCTETS], {"a": 1})]
    for payload in payloads:
        with pytest.raises(RemoteProtocolError, match=r"\.args: .* only argument"):
            received(row, *payload, ppt_scheme="x_own")
    with pytest.raises(RemoteProtocolError, match="enc_algo and ppt_scheme found"):
        received(row, OCTETS, enc_algo="mqtt", ppt_scheme="mqtt")


@PAYLOAD
def test_what_belongs_to_a_scheme_that_is_not_there_is_kept(row: Row) -> None:
    stray = {"ppt_keyid": "key1", "enc_serializer": "cbor"}
    parsed = received(row, [1], **stray)
    assert parsed.enc_serializer is None and parsed.ppt_keyid is None and parsed.args == [1]
    assert holder_of(row, parsed.marshal()) == {**holder_of(row, least(row)), **stray}
    assert received(row, [1], enc_algo=None, ppt_scheme=None) == received(row, [1])
    both = received(row, OCTETS, enc_algo="mqtt", ppt_cipher="aes256gcm")
    assert both.ppt_cipher is None
    assert holder_of(row, both.marshal())["ppt_cipher"] == "aes256gcm"


@PAYLOAD
def test_a_scheme_is_given_with_one_set_of_names_or_with_both_alike(row: Row) -> None:
    alike = made(
        row, payload=OCTETS, enc_algo="mqtt", enc_key="k", ppt_scheme="mqtt", ppt_keyid="k"
    )
    assert alike.passthru == "enc"
    assert alike == made(row, payload=OCTETS, enc_algo="mqtt", enc_key="k")
    for given, name in (
        ({"enc_algo": "mqtt", "ppt_scheme": "x_cryptobox"}, "ppt_scheme"),
        ({"enc_algo": "mqtt", "enc_key": "a", "ppt_keyid": "b"}, "ppt_keyid"),
        ({"enc_algo": "mqtt", "ppt_cipher": "aes256gcm"}, "ppt_cipher"),
        ({"ppt_scheme": "mqtt", "enc_serializer": "cbor"}, "enc_serializer"),
        ({"enc_key": "a"}, "enc_key"),
        ({"ppt_serializer": "cbor"}, "ppt_serializer"),
    ):
        with pytest.raises(LocalProtocolError, match=rf"\.{name}: "):
            made(row, payload=OCTETS, **given)
    with pytest.raises(LocalProtocolError, match=r"\.payload: needed with ppt_scheme"):
        made(row, ppt_scheme="mqtt")
    with pytest.raises(LocalProtocolError, match=r"\.payload: given together"):
        made(row, payload=OCTETS, args=[1])


@PAYLOAD
def test_scheme_wamp_is_received_but_not_sent(row: Row) -> None:
    keys = {"ppt_scheme": "wamp", "ppt_serializer": "cbor", "ppt_cipher": "aes256gcm"}
    parsed = received(row, [OCTETS], **keys)
    assert parsed.payload == OCTETS and parsed.ppt_scheme == "wamp" and parsed.enc_algo is None
    assert holder_of(row, parsed.marshal()) == {**holder_of(row, least(row)), **keys}
    with pytest.raises(LocalProtocolError, match="not specified"):
        made(row, payload=OCTETS, **keys)


@pytest.mark.parametrize(
    ("enc", "ppt"),
    [
        (("cryptobox", None, None), ("x_cryptobox", "json", "xsalsa20poly1305", None)),
        (("cryptobox", "k", "cbor"), ("x_cryptobox", "cbor", "xsalsa20poly1305", "k")),
        (("mqtt", None, None), ("mqtt", None, None, None)),
        (("xbr", "k", "cbor"), ("xbr", "cbor", None, "k")),
        (("x_opaque", None, "x_opaque"), ("x_opaque", "opaque", None, None)),
        (("x_own", None, "x_flexbuffers"), ("x_own", "flexbuffers", None, None)),
        (("x_own", "k", "x_theirs"), ("x_own", "x_theirs", None, "k")),
    ],
)
def test_the_two_forms_translate(enc: tuple[Any, ...], ppt: tuple[Any, ...]) -> None:
    assert tuple(message.ppt_from_enc(*enc).values()) == ppt
    back = tuple(message.enc_from_ppt(*ppt).values())
    assert back == ("cryptobox", None, "json") if enc == ("cryptobox", None, None) else enc


def test_what_enc_names_cannot_say() -> None:
    nothing = {"enc_algo": None, "enc_key": None, "enc_serializer": None}
    assert message.enc_from_ppt("wamp", "cbor", "aes256gcm", "k") == nothing
    assert message.enc_from_ppt("x_own", None, "aes256gcm") == nothing
    assert message.enc_from_ppt("x_cryptobox", None, "aes256gcm") == nothing
    assert message.enc_from_ppt("x_a") == nothing  # crossbar needs two characters
    assert message.enc_from_ppt("x_own", "x_a") == nothing
    assert message.enc_from_ppt("mqtt", "native")["enc_serializer"] is None


def test_words_of_the_enumerations_are_understood() -> None:
    publish = message.Publish(1, "a.b", payload=OCTETS, ppt_scheme="cryptobox")
    assert publish.ppt_scheme == "x_cryptobox" and publish.enc_algo == "cryptobox"
    assert message.Publish(1, "a.b", payload=OCTETS, ppt_scheme="opaque").enc_algo == "x_opaque"


# --- unknown keys --------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [r for r in ROWS if r.options], ids=lambda row: row.name)
def test_unknown_keys_survive(row: Row) -> None:
    wmsg = full(row)
    new = {"new_option": [1, {"a": None}], "_x": 5, "request": 0, "enc_algorithm": "x"}
    holder_of(row, wmsg).update(new)
    parsed = getattr(message, row.name).parse(wmsg)
    assert parsed.unknown == new
    assert parsed.marshal() == wmsg
    assert parsed == type(parsed).parse(parsed.marshal())
    assert parsed != type(parsed).parse(full(row))
    assert "new_option" in repr(parsed)


def test_unknown_keys_do_not_replace_known_ones() -> None:
    publish = message.Publish(1, "a.b", acknowledge=True, unknown={"acknowledge": 5, "x": 1})
    assert publish.marshal() == [16, 1, {"acknowledge": True, "x": 1}, "a.b"]
    taken = {"roles": 5, "authid": 5}
    welcome = message.Welcome(1, {"broker": {}}, authid="joe", custom=taken, unknown=taken)
    assert welcome.marshal() == [2, 1, {"roles": {"broker": {}}, "authid": "joe"}]


@covers("message.Welcome")
def test_what_the_router_defined_for_itself_is_custom() -> None:
    least_welcome: list[Any] = [2, 1, {"roles": {"broker": {}}}]
    wmsg: list[Any] = [
        2,
        1,
        {"roles": {"broker": {}}, "x_cb_node": "n", "x_": 1, "other": 2, "authid": None},
    ]
    welcome = message.Welcome.parse(wmsg)
    assert welcome.custom == {"x_cb_node": "n", "x_": 1}
    assert welcome.unknown == {"other": 2}
    assert welcome.authid is None
    assert message.Welcome.parse(least_welcome).custom == {}
    assert message.Welcome(1, {"broker": {}}).custom == {}
    del wmsg[2]["authid"]
    assert welcome.marshal() == wmsg
    assert message.Welcome(1, {"broker": {}}, custom={"x_a": 1}).marshal() == [
        2,
        1,
        {"roles": {"broker": {}}, "x_a": 1},
    ]


# --- particular messages -------------------------------------------------------------------------


@covers("message.Hello")
def test_hello_takes_features_or_dictionaries() -> None:
    features = role.RoleCallerFeatures(call_canceling=True)
    hello = message.Hello("realm1", {"caller": features})
    assert hello.roles == {"caller": features}
    assert hello.marshal() == [
        1,
        "realm1",
        {"roles": {"caller": {"features": {"call_canceling": True}}}},
    ]
    assert message.Hello("realm1", {"caller": {"features": {"call_canceling": True}}}) == hello
    assert message.Hello(None, {"callee": {}}).marshal() == [1, None, {"roles": {"callee": {}}}]
    wrong: list[Any] = [{}, {"broker": {}}, {"caller": 5}, None, []]
    for roles in wrong:
        with pytest.raises(LocalProtocolError, match=r"HELLO\..*roles"):
            message.Hello("realm1", roles)


def test_hello_with_a_session_to_resume_needs_the_token() -> None:
    roles: dict[str, Any] = {"caller": {}}
    with pytest.raises(RemoteProtocolError, match="HELLO.details.resume-token"):
        message.Hello.parse([1, "realm1", {"roles": roles, "resume-session": 5}])
    with pytest.raises(LocalProtocolError, match="HELLO.resume_token"):
        message.Hello("realm1", roles, resume_session=5)
    hello = message.Hello("realm1", roles, resume_session=5, resume_token="t")
    assert hello.marshal()[2] == {"roles": roles, "resume-session": 5, "resume-token": "t"}


@covers("message.Challenge", "message.Authenticate")
def test_extra_is_a_dictionary_even_if_not_given() -> None:
    assert message.Challenge("ticket").extra == {}
    assert message.Challenge("ticket").marshal() == [4, "ticket", {}]
    assert message.Authenticate("secret", {"a": 1}).marshal() == [5, "secret", {"a": 1}]
    assert message.Authenticate("secret").marshal() == [5, "secret", {}]


@pytest.mark.parametrize("klass", [message.Register, message.Subscribe])
@covers("message.Register", "message.Subscribe")
def test_patterns_by_match(klass: Any) -> None:
    accepted = {
        None: ["a", "a.b"],
        "exact": ["a", "a.b"],
        "prefix": ["a", "a.b", "a.", ""],
        "wildcard": ["a", "a.b", "a..b", ".", "..", "a.", ".a", ""],
    }
    for match, uris in accepted.items():
        for uri in ("a", "a.b", "a.", "", "a..b", ".", "..", ".a", "a b", "a#", 5):
            options = {} if match is None else {"match": match}
            wmsg = [klass.MESSAGE_TYPE, 1, options, uri]
            if uri in uris:
                assert klass.parse(wmsg).marshal() == wmsg
                assert klass(1, uri, match=match).marshal() == wmsg
            else:
                with pytest.raises(RemoteProtocolError, match="topic|procedure"):
                    klass.parse(wmsg)
                with pytest.raises(LocalProtocolError, match="topic|procedure"):
                    klass(1, uri, match=match)


@covers(
    "message.Unsubscribed", "message.Unregistered", "message.Unsubscribe", "message.Unregister"
)
def test_revocations_and_options_at_the_end() -> None:
    assert message.Unsubscribed(0, subscription=5, reason="a.b").marshal() == [
        35,
        0,
        {"subscription": 5, "reason": "a.b"},
    ]
    assert message.Unsubscribed.parse([35, 0, {"subscription": 5}]).subscription == 5
    assert message.Unregistered(7).marshal() == [67, 7]
    assert message.Unregistered.parse([67, 0, {}]).marshal() == [67, 0]
    assert message.Unsubscribe(1, 2).marshal() == [34, 1, 2]
    assert message.Unregister(1, 2, unknown={"a": 1}).marshal() == [66, 1, 2, {"a": 1}]


@covers("message.Error")
def test_an_error_answers_requests_only() -> None:
    for code in (16, 32, 34, 48, 64, 66, 68):
        assert message.Error(code, 1, "a.b").marshal() == [8, code, 1, {}, "a.b"]


def test_constants_of_the_words() -> None:
    assert message.Cancel(1, message.Cancel.KILLNOWAIT).mode == "killnowait"
    assert (message.Cancel.SKIP, message.Cancel.KILL) == ("skip", "kill")
    assert message.Interrupt(1, message.Interrupt.KILL).mode == "kill"
    register = message.Register(
        1, "a", message.Register.MATCH_PREFIX, message.Register.INVOKE_LAST
    )
    assert register.marshal() == [64, 1, {"match": "prefix", "invoke": "last"}, "a"]
    assert message.Subscribe.MATCH_WILDCARD == "wildcard"


# --- comparing, showing, caching -----------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_equality(row: Row) -> None:
    klass = getattr(message, row.name)
    one, two = klass.parse(full(row)), klass.parse(full(row))
    assert one == two and not one != two
    assert one != klass.parse(least(row)) or not row.options
    assert one != full(row) and one != None  # noqa: E711
    with pytest.raises(TypeError):
        hash(one)


def test_equal_is_what_says_the_same() -> None:
    publish = message.Publish(1, "a.b")
    assert publish == message.Publish(1, "a.b", args=[], kwargs={})
    assert message.Publish(1, "a.b", args=(1,)) == message.Publish(1, "a.b", args=[1])
    assert publish != message.Publish(2, "a.b")
    assert publish != message.Publish(1, "a.b", acknowledge=False)
    assert message.Published(1, 2) != message.Subscribed(1, 2)
    publish.correlation_id = "mine"
    assert publish == message.Publish(1, "a.b")
    assert publish.marshal() == [16, 1, {}, "a.b"]


def test_repr_says_what_is_set_and_stays_short() -> None:
    publish = message.Publish(1, "a.b", args=["x"], acknowledge=True)
    assert repr(publish) == "Publish(request=1, topic='a.b', args=['x'], acknowledge=True)"
    assert str(publish) == repr(publish)
    big = message.Publish(1, "a.b", args=["x" * 10**6] * 40, kwargs={"k": b"x" * 10**6})
    assert len(repr(big)) < 1000
    assert "octets" in repr(message.Publish(1, "a.b", payload=bytes(1000)))
    endless: list[Any] = []
    for _ in range(100_000):
        endless = [endless]
    for odd in (endless, [10**5000]):
        assert repr(message.Publish(1, "a.b", args=odd)).endswith("args=<a list of 1>)")


class Counting:
    """An object serializer that counts."""

    NAME = "counting"
    BINARY = False

    def __init__(self) -> None:
        self.count = 0

    def serialize(self, obj: Any) -> bytes:
        self.count += 1
        return json.dumps(obj).encode()


@covers("message.Message.serialize", "message.Message.uncache")
def test_octets_are_kept_for_each_serializer() -> None:
    one, two = Counting(), Counting()
    call = message.Call(1, "a.b", args=[1])
    octets = call.serialize(one)
    assert octets == b'[48, 1, {}, "a.b", [1]]'
    assert call.serialize(one) is octets
    assert (one.count, two.count) == (1, 0)
    assert call.serialize(two) == octets
    assert two.count == 1
    call.args = [2]
    assert call.serialize(one) is octets
    call.uncache()
    assert call.serialize(one) == b'[48, 1, {}, "a.b", [2]]'
    assert (one.count, two.count) == (2, 1)
    assert call == message.Call(1, "a.b", args=[2])


def test_serializers_that_take_messages() -> None:
    class Whole:
        SERIALIZER_ID = "whole"

        def serialize(self, msg: Any) -> tuple[bytes, bool]:
            return repr(msg.marshal()).encode(), True

    class Tables:
        def serialize_message(self, msg: Any) -> bytes:
            return type(msg).__name__.encode()

    cancel = message.Cancel(1)
    assert cancel.serialize(Whole()) == b"[49, 1, {}]"
    assert cancel.serialize(Tables()) == b"Cancel"


@covers("message.Message")
def test_attributes_from_flatbuffers() -> None:
    class Table(_message.FlatBuffersTable):
        def attributes(self) -> dict[str, Any]:
            return {"request": 1, "topic": "a.b", "acknowledge": True}

    assert message.Publish(from_fbs=Table()) == message.Publish(1, "a.b", acknowledge=True)
    assert message.Publish(topic="c.d", from_fbs=Table()).topic == "c.d"
    assert message.Message(Table()).__dict__ == Table().attributes()

    class Bad(Table):
        def attributes(self) -> dict[str, Any]:
            return {"request": 0, "topic": "a.b"}

    with pytest.raises(LocalProtocolError, match="PUBLISH.request: 0"):
        message.Publish(from_fbs=Bad())
    with pytest.raises(NotImplementedError):
        message.Message().marshal()


# --- the module ----------------------------------------------------------------------------------


def test_classes_are_loaded_when_they_are_used() -> None:
    program = """if True:
        import sys
        import microwamp.message as message
        def loaded():
            prefix = "microwamp.message._generated."
            return sorted(n.removeprefix(prefix) for n in sys.modules if n.startswith(prefix))
        assert loaded() == [], loaded()
        assert not {"microwamp.role", "wamp.client", "wamp.messages"} & set(sys.modules)
        message.Publish(1, "a.b")
        assert 48 in message.MESSAGE_TYPE_MAP and len(message.MESSAGE_TYPE_MAP) == 25
        assert list(message.MESSAGE_TYPE_MAP)[:2] == [1, 2]
        message.MESSAGE_TYPE_MAP[50]
        assert loaded() == ["publish", "result"], loaded()
        assert set(dir(message)) >= set(message.__all__)
        for name in message.__all__:
            getattr(message, name)
        assert len(loaded()) == 25
    """
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_map_of_messages() -> None:
    types = message.MESSAGE_TYPE_MAP
    assert types[16] is message.Publish and types.get(337) is message.EventReceived
    assert types.get(7) is None and 7 not in types
    with pytest.raises(KeyError):
        types[7]
    assert {code: klass.MESSAGE_TYPE for code, klass in types.items()} == {c: c for c in types}
    assert dict(types.items()) == types == types.copy()
    assert set(types.keys()) == set(types) and len(types.values()) == len(types) == 25
    assert "Publish" in repr(types)
    with pytest.raises(AttributeError, match="Nothing"):
        message.Nothing  # noqa: B018
