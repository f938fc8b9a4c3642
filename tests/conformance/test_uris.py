"""URIs, ids, realm names and words of the payload transparency, as documented."""

from typing import Any

import pytest
from covering import covers

from microwamp import message as _message
from microwamp.exception import InvalidUriError, ProtocolError

# Values of wrong types are given on purpose.
message: Any = _message

# URI: which of the forms accept it. s strict, l loose, with: nothing, e (empty components), t (the
# last component empty). From the specification's patterns, by hand.
URIS = {
    "com.example.x1": {"s", "l", "se", "le", "st", "lt"},
    "a": {"s", "l", "se", "le", "st", "lt"},
    "a_b.c_1": {"s", "l", "se", "le", "st", "lt"},
    "0": {"s", "l", "se", "le", "st", "lt"},
    "Com.Example": {"l", "le", "lt"},
    "com.my-app": {"l", "le", "lt"},
    "com.ex/ample:8080": {"l", "le", "lt"},
    "köln.straße": {"l", "le", "lt"},
    "日本.語": {"l", "le", "lt"},
    "": {"se", "le", "st", "lt"},
    "com.": {"se", "le", "st", "lt"},
    "Com.": {"le", "lt"},
    "com..x": {"se", "le"},
    ".com": {"se", "le"},
    ".": {"se", "le"},
    "...": {"se", "le"},
    "com.x..": {"se", "le"},
    "C..x": {"le"},
    "com x": set(),
    "com.x ": set(),
    " com": set(),
    "com.x\n": set(),
    "\n": set(),
    "com\t.x": set(),
    "com.\u2003x": set(),
    "com.\u00a0x": set(),
    "com.x\ud800": set(),
    "\udfff": set(),
    "com#x": set(),
    "#": set(),
}


@pytest.mark.parametrize("uri", URIS, ids=ascii)
@covers("message.check_or_raise_uri")
def test_uris_of_every_form(uri: str) -> None:
    forms: dict[str, dict[str, Any]] = {
        "l": {},
        "s": {"strict": True},
        "le": {"allow_empty_components": True},
        "se": {"strict": True, "allow_empty_components": True},
        "lt": {"allow_last_empty": True},
        "st": {"strict": True, "allow_last_empty": True},
    }
    for form, given in forms.items():
        for none in (False, True):
            if form in URIS[uri]:
                assert message.check_or_raise_uri(uri, allow_none=none, **given) == uri
            else:
                with pytest.raises(InvalidUriError, match="^the topic: .* found, a URI expected"):
                    message.check_or_raise_uri(uri, "the topic", allow_none=none, **given)


def test_what_is_no_string_is_no_uri() -> None:
    values: list[Any] = [5, b"com.x", True, ["com.x"], {}, 1.5]
    for value in values:
        with pytest.raises(InvalidUriError, match="^WAMP message invalid: "):
            message.check_or_raise_uri(value, allow_empty_components=True, allow_none=True)
    with pytest.raises(InvalidUriError, match="None found"):
        message.check_or_raise_uri(None)
    assert message.check_or_raise_uri(None, allow_none=True) is None
    assert issubclass(InvalidUriError, ProtocolError)


def test_a_long_uri_is_checked_in_linear_time_and_shown_short() -> None:
    assert message.check_or_raise_uri("a." * 100_000 + "a")
    with pytest.raises(InvalidUriError) as caught:
        message.check_or_raise_uri("a" * 100_000 + "!" * 1000 + " ")
    assert len(str(caught.value)) < 250


def test_the_uris_that_are_remembered_are_few_and_short() -> None:
    from microwamp.message import _check

    for number in range(3 * _check._GOOD_MAX):
        message.Call(1, f"com.example.number{number}")
    message.Call(1, "a" * (_check._GOOD_LENGTH + 1))
    assert len(_check._good) <= _check._GOOD_MAX
    assert max(map(len, _check._good)) <= _check._GOOD_LENGTH
    # What is remembered is what is good: a bad one is refused the second time too.
    for _ in range(2):
        assert not _check.is_uri("a b")
    assert _check.is_uri("a.b") and _check.is_uri("a.b")


@covers("message.check_or_raise_id")
def test_ids() -> None:
    for value in (1, 2, 2**53 - 1, 2**53):
        assert message.check_or_raise_id(value) == value
    bad: list[Any] = [0, -1, 2**53 + 1, 2**64, -(2**53), 10**5000]
    bad += [True, False, 1.0, "1", b"1", None, []]
    for value in bad:
        with pytest.raises(
            ProtocolError, match="^the request: .* found, an id expected"
        ) as caught:
            message.check_or_raise_id(value, "the request")
        assert len(str(caught.value)) < 120


def test_ids_in_messages() -> None:
    for value in (1, 2**53):
        assert message.Published.parse([17, value, value]).marshal() == [17, value, value]
    for value in (0, -1, 2**53 + 1):
        with pytest.raises(ProtocolError, match=f"PUBLISHED.request: {value} found"):
            message.Published.parse([17, value, 1])
        with pytest.raises(ProtocolError, match=f"PUBLISHED.publication: {value} found"):
            message.Published.parse([17, 1, value])
    assert message.Unsubscribed.parse([35, 0]).request == 0
    assert message.Unregistered.parse([67, 0]).request == 0
    for value in (-1, 2**53 + 1, True):
        with pytest.raises(ProtocolError, match="UNREGISTERED.request"):
            message.Unregistered.parse([67, value])


@covers("message.check_or_raise_extra")
def test_extra() -> None:
    for value in ({}, {"a": 1}, {"a": {1: 2}}):
        assert message.check_or_raise_extra(value) is value
    values: list[Any] = [[], None, 5, "x", {1: 2}, {None: 1}, {"a": 1, b"b": 2}]
    for bad in values:
        with pytest.raises(ProtocolError, match="^the details: "):
            message.check_or_raise_extra(bad, "the details")


REALMS = {
    "realm1": "standalone",
    "com.example.myapp": "standalone",
    "com.example.": "standalone",
    "abc": "standalone",
    "a@b-c_d.e": "standalone",
    "A" * 255: "standalone",
    "eth.WAMP": "standalone",
    "Wamp.eth": "standalone",
    "wamp-proto.eth": "ens",
    "ab.eth": "ens",
    "eth.wamp-proto": "reverse_ens",
    "eth.x.eth": "ens",
    "0xe59C7418403CF1D973485B36660728a5f4A8fF9c": "eth",
    "0x" + "0" * 40: "eth",
    "0x" + "0" * 39: None,
    "0x" + "0" * 41: None,
    "0xg59C7418403CF1D973485B36660728a5f4A8fF9c": None,
    "ab": None,
    "": None,
    "A" * 256: None,
    "1realm": None,
    "_realm": None,
    "realm 1": None,
    "realm1\n": None,
    "realm#1": None,
    "réalm": None,
    "realm\u0661": None,
}


@pytest.mark.parametrize("name", REALMS, ids=lambda name: f"{len(name)}:{ascii(name):.30}")
@covers("message.identify_realm_name_category", "message.check_or_raise_realm_name")
def test_realm_names_of_all_categories(name: str) -> None:
    category = REALMS[name]
    assert message.identify_realm_name_category(name) == category
    for allow_eth in (True, False):
        if category is None or (category == "eth" and not allow_eth):
            with pytest.raises(InvalidUriError, match="^the realm: .* a realm name expected"):
                message.check_or_raise_realm_name(name, "the realm", allow_eth=allow_eth)
        else:
            assert message.check_or_raise_realm_name(name, allow_eth=allow_eth) == name


def test_what_is_no_string_is_no_realm_name() -> None:
    for value in (None, 5, b"realm1", ["realm1"]):
        assert message.identify_realm_name_category(value) is None
        with pytest.raises(InvalidUriError):
            message.check_or_raise_realm_name(value)


@covers("message.is_valid_enc_algo", "message.is_valid_enc_serializer")
def test_words_of_the_payload_transparency() -> None:
    own = ("x_", "x_own", "x_a1", "x_own_2")
    none: tuple[Any, ...] = (
        "",
        "X_own",
        "x_a",
        "x_1a",
        "x_Own",
        "x_own\n",
        "y_own",
        None,
        5,
        b"mqtt",
    )
    algos = ("cryptobox", "mqtt", "xbr")
    serializers = ("json", "msgpack", "cbor", "ubjson", "flatbuffers")
    for word in (*own, *algos, *serializers, *none, "opaque", "null", "native"):
        assert message.is_valid_enc_algo(word) is (word in (*own, *algos))
        assert message.is_valid_enc_serializer(word) is (word in (*own, *serializers))
