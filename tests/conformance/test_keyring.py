"""microwamp.cryptobox: vectors, the keys of URIs, interop with autobahn, and what is not its."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest
from autobahn_side import ask_keys
from covering import covers
from nacl.bindings import crypto_scalarmult
from nacl.public import Box, PrivateKey, PublicKey

import wamp.cryptobox
from microwamp.cryptobox import EncodedPayload, Key, KeyRing
from microwamp.exception import (
    ApplicationError,
    ConfigurationError,
    LocalProtocolError,
    SerializationError,
)
from microwamp.interfaces import IPayloadCodec
from wamp.cryptobox import run


def text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


ORIGINATOR, RESPONDER = bytes(range(32)), bytes(range(32, 64))
ORIGINATOR_PUB = bytes.fromhex("8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f")
RESPONDER_PUB = bytes.fromhex("358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254")
AS_ORIGINATOR = {"originator_priv": text(ORIGINATOR), "responder_pub": text(RESPONDER_PUB)}
AS_RESPONDER = {"originator_pub": text(ORIGINATOR_PUB), "responder_priv": text(RESPONDER)}
# libsodium's box of {"uri":"com.myapp.hello","args":["Hello",42],"kwargs":{"k":true}}
VECTOR = bytes.fromhex(
    "6465666768696a6b6c6d6e6f707172737475767778797a7b156c7fe77e8226c7c003b544c5a054639ea11ea6dd23"
    "148a949f3a290e50c2e721646cef99d2bf7e188a6d2b06f460e395353391997b913d56a46e0e233848c63ecd5a34"
    "eb57f74b0b31e2e0c34b6c68ba"
)
MISMATCH, FAILED = ApplicationError.ENC_TRUSTED_URI_MISMATCH, ApplicationError.ENC_DECRYPT_ERROR
NO_CODEC = ApplicationError.ENC_NO_PAYLOAD_CODEC
VALUES: list[tuple[Any, Any]] = [
    (None, None),
    ([], {}),
    (["Hello", 42], {"k": True}),
    ([1.5, None, -(2**53), "ü\u2028😀", "\\u0000"], {"ä": [{"x": []}]}),
    ([b"", b"\0\xff", [b"in a list"]], {"b": b"octets"}),
]


def box(inner: bytes) -> EncodedPayload:
    """What an originator encrypts, whatever it is."""
    sealed = Box(PrivateKey(ORIGINATOR), PublicKey(RESPONDER_PUB)).encrypt(inner)
    return EncodedPayload(bytes(sealed), "cryptobox", "json")


@covers("cryptobox.EncodedPayload", "cryptobox.KeyRing", "cryptobox.KeyRing.decode")
def test_vector():
    ring = KeyRing(Key(**AS_RESPONDER))
    assert isinstance(ring, IPayloadCodec)
    payload = EncodedPayload(VECTOR, "cryptobox", "json")
    assert payload.enc_algo == "cryptobox" and payload.enc_serializer == "json"
    assert payload.enc_key is None
    assert payload.ppt_scheme == "x_cryptobox"
    wanted = ("com.myapp.hello", ["Hello", 42], {"k": True})
    assert ring.decode(False, "com.myapp.hello", payload) == wanted
    assert KeyRing(Key(**AS_ORIGINATOR)).decode(True, "com.myapp.hello", payload) == wanted


@covers("cryptobox.KeyRing.encode")
@pytest.mark.parametrize("args, kwargs", VALUES)
def test_both_ways(args, kwargs):
    caller, callee = KeyRing(Key(**AS_ORIGINATOR)), KeyRing(Key(**AS_RESPONDER))
    call = caller.encode(True, "com.test", args, kwargs)
    assert call is not None and call.enc_algo == "cryptobox" and call.enc_serializer == "json"
    assert type(call.payload) is bytes
    assert callee.decode(False, "com.test", call) == ("com.test", args, kwargs)
    result = callee.encode(False, "com.test", tuple(args) if args else args, kwargs)
    assert result is not None and result.payload != call.payload
    assert caller.decode(True, "com.test", result) == ("com.test", args, kwargs)
    error = callee.encode_error("com.test", "com.test.error", args, kwargs)
    assert error is not None
    assert caller.decode_error("com.test", "com.test.error", error)[1:] == (args, kwargs)
    sent: list[Any] = [caller.encode(True, "com.test") for _ in range(50)]
    assert len({payload.payload[:24] for payload in sent}) == 50


@pytest.mark.parametrize("args, kwargs", VALUES)
def test_autobahn_reads_what_we_encrypt_and_we_what_it_encrypts(args, kwargs):
    caller, callee = KeyRing(Key(**AS_ORIGINATOR)), KeyRing(Key(**AS_RESPONDER))
    uri = "com.test.procedure"
    ours = [caller.encode(True, uri, args, kwargs), callee.encode(False, uri, args, kwargs)]
    assert ours[0] is not None and ours[1] is not None
    read, answered, called, returned = ask_keys(
        ("decode", {"com.test": AS_RESPONDER}, False, uri, ours[0].payload),
        ("decode", {"": AS_ORIGINATOR}, True, uri, ours[1].payload),
        ("encode", {"com.": AS_ORIGINATOR}, True, uri, args, kwargs),
        ("encode", {"": AS_RESPONDER}, False, uri, args, kwargs),
    )
    assert read == answered == [uri, args, kwargs]
    assert called[1:] == returned[1:] == ["cryptobox", "json", None]
    assert callee.decode(False, uri, EncodedPayload(*called)) == (uri, args, kwargs)
    assert caller.decode(True, uri, EncodedPayload(*returned)) == (uri, args, kwargs)


@covers("cryptobox.Key")
def test_keys():
    hexadecimal = {
        "originator_priv": ORIGINATOR.hex(),
        "originator_pub": ORIGINATOR_PUB.hex(),
        "responder_priv": RESPONDER.hex(),
        "responder_pub": RESPONDER_PUB.hex(),
    }
    both = Key(**hexadecimal)
    assert both.originator_box is not None and both.responder_box is not None
    assert bytes(both.originator_box) == bytes(both.responder_box)
    one = Key(**AS_ORIGINATOR)
    assert one.originator_box is not None and one.responder_box is None
    assert repr(one) == "<Key for originator>"
    for keywords, words in (
        ({}, "neither side"),
        ({"originator_priv": text(ORIGINATOR)}, "neither side"),
        ({"originator_pub": text(ORIGINATOR_PUB)}, "neither side"),
        ({**hexadecimal, "originator_pub": text(RESPONDER_PUB)}, "not the public key"),
        ({**AS_ORIGINATOR, "originator_priv": text(ORIGINATOR[:31])}, "originator_priv must be"),
        ({**AS_ORIGINATOR, "originator_priv": "zz" * 32}, "originator_priv must be"),
        ({**AS_ORIGINATOR, "responder_pub": "ä"}, "responder_pub must be"),
        ({**AS_ORIGINATOR, "responder_pub": RESPONDER_PUB}, "responder_pub must be"),
        ({**AS_ORIGINATOR, "responder_pub": text(RESPONDER_PUB) + "\n"}, "responder_pub must be"),
    ):
        with pytest.raises(ConfigurationError, match=words) as caught:
            Key(**keywords)
        assert text(ORIGINATOR) not in str(caught.value)


@covers("cryptobox.KeyRing.generate_key", "cryptobox.KeyRing.generate_key_hex")
def test_generated_keys():
    ring = KeyRing()
    for make, octets in ((ring.generate_key, 44), (ring.generate_key_hex, 64)):
        private, public = make()
        assert len(private) == len(public) == octets
        assert make()[0] != private
        Key(private, public, private, public)


@covers("cryptobox.KeyRing.set_key")
def test_the_longest_prefix_has_the_key():
    uris = ("", "com.", "com.my", "com.myapp.", "com.myapp.x")
    keys = {uri: KeyRing().generate_key()[0] for uri in uris}
    ring = KeyRing(keys[""])
    for uri in uris[1:]:
        ring.set_key(uri, keys[uri])
    alone = {uri: KeyRing(key) for uri, key in keys.items()}
    for uri, prefix in (
        ("org.x", ""),
        ("com", ""),
        ("com.x", "com."),
        ("com.my", "com.my"),
        ("com.mytown", "com.my"),
        ("com.myapp", "com.my"),
        ("com.myapp.y", "com.myapp."),
        ("com.myapp.xy", "com.myapp.x"),
    ):
        sent = ring.encode(True, uri, [1])
        assert sent is not None
        assert alone[prefix].decode(False, uri, sent) == (uri, [1], None)
        others = [other for other in uris if other != prefix]
        with pytest.raises(ApplicationError):
            alone[others[0]].decode(False, uri, sent)
        assert ask_keys(("decode", keys, False, uri, sent.payload)) == [[uri, [1], None]]
    ring.set_key("com.my", None)
    assert ring.key("com.mytown") is ring.key("com.x") is not None
    ring.set_key("", None)
    assert ring.encode(True, "org.x", [1]) is None
    ring.set_key("nosuch", None)
    for wrong in ((7, keys[""]), ("com.", 7), ("com.", b"x")):
        with pytest.raises(LocalProtocolError):
            ring.set_key(*wrong)
    with pytest.raises(ConfigurationError):
        KeyRing(error_keys="nosuch")


def test_a_key_without_this_side_sends_nothing_in_clear():
    ring = KeyRing(Key(**AS_ORIGINATOR))
    with pytest.raises(LocalProtocolError, match="cannot encrypt for the responder"):
        ring.encode(False, "com.test", [1])
    # autobahn sends it in clear
    assert ask_keys(("encode", {"": AS_ORIGINATOR}, False, "com.test", [1], None)) == [None]


def test_errors_under_the_key_of_the_procedure():
    keys = {"com.test": AS_RESPONDER}
    callee, by_error = KeyRing(), KeyRing(error_keys="error")
    for ring in (callee, by_error):
        ring.set_key("com.test", Key(**AS_RESPONDER))
    caller = KeyRing()
    caller.set_key("com.test", Key(**AS_ORIGINATOR))
    error = "wamp.error.runtime_error"
    sent = callee.encode_error("com.test.f", error, ["secret"])
    assert sent is not None
    assert caller.decode_error("com.test.f", error, sent) == (error, ["secret"], None)
    # A peer that looks for the key under the error's URI: in clear without one.
    assert by_error.encode_error("com.test.f", error, ["secret"]) is None
    assert ask_keys(("encode", keys, False, error, ["secret"], None)) == [None]
    other = KeyRing().generate_key()[0]
    by_error.set_key("wamp.error.", other)
    caller.set_key("wamp.error.", other)
    again = by_error.encode_error("com.test.f", error, ["secret"])
    assert again is not None
    assert caller.decode_error("com.test.f", error, again) == (error, ["secret"], None)
    found = ask_keys(("decode", {"wamp.error.": other}, True, error, again.payload))
    assert found == [[error, ["secret"], None]]
    with pytest.raises(ApplicationError) as caught:  # moved to another error
        caller.decode_error("com.test.f", "com.test.other", sent)
    assert caught.value.error == MISMATCH


def test_what_is_not_decrypted():
    ring = KeyRing()
    ring.set_key("com.test", Key(**AS_RESPONDER))
    good = box(b'{"uri":"com.test","args":[1],"kwargs":null}')
    assert ring.decode(False, "com.test", good) == ("com.test", [1], None)
    payload = good.payload
    for is_originating, uri, encoded, error in (
        (False, "com.test.other", good, MISMATCH),
        (False, "org.test", good, NO_CODEC),
        (True, "com.test", good, NO_CODEC),
        (False, "com.test", EncodedPayload(payload, "mqtt"), NO_CODEC),
        (False, "com.test", EncodedPayload(payload, "cryptobox", "cbor"), NO_CODEC),
        (False, "com.test", EncodedPayload(b"", "cryptobox", "json"), FAILED),
        (False, "com.test", EncodedPayload(payload[:39], "cryptobox", "json"), FAILED),
        (False, "com.test", EncodedPayload(payload[:-1], "cryptobox", "json"), FAILED),
        (False, "com.test", EncodedPayload(payload + b"x", "cryptobox", "json"), FAILED),
        (False, "com.test", box(b""), FAILED),
        (False, "com.test", box(b"\xff"), FAILED),
        (False, "com.test", box(b"not json"), FAILED),
        (False, "com.test", box(b"[]"), FAILED),
        (False, "com.test", box(b"{}"), FAILED),
        (False, "com.test", box(b'{"uri":7,"args":[],"kwargs":{}}'), FAILED),
        (False, "com.test", box(b'{"uri":"com.test","args":{},"kwargs":{}}'), FAILED),
        (False, "com.test", box(b'{"uri":"com.test","args":[],"kwargs":[]}'), FAILED),
        (False, "com.test", box(b'{"uri":"com.test","args":["\\u0000!"],"kwargs":{}}'), FAILED),
        (False, "com.test", box(b"[" * 100_000), FAILED),
    ):
        with pytest.raises(ApplicationError) as caught:
            ring.decode(is_originating, uri, encoded)
        assert caught.value.error == error, encoded
        assert len(caught.value.error_message()) < 300


def test_every_changed_octet_is_noticed():
    ring = KeyRing(Key(**AS_RESPONDER))
    payload = box(b'{"uri":"com.test","args":[1],"kwargs":null}').payload
    chance = random.Random(7)
    for at in range(len(payload)):
        changed = bytearray(payload)
        changed[at] ^= 1 << chance.randrange(8)
        with pytest.raises(ApplicationError) as caught:
            ring.decode(False, "com.test", EncodedPayload(bytes(changed), "cryptobox", "json"))
        assert caught.value.error == FAILED


def test_values_that_json_does_not_have():
    ring = KeyRing(Key(**AS_ORIGINATOR))
    circle: list[Any] = []
    circle.append(circle)
    for value in (float("nan"), {1, 2}, object(), "\0text", circle):
        with pytest.raises(SerializationError):
            ring.encode(True, "com.test", [value])


# The device's module: the same octets


@pytest.mark.parametrize("args, kwargs", VALUES)
def test_a_device_and_a_host(args, kwargs):
    device = wamp.cryptobox.Box(ORIGINATOR, RESPONDER_PUB)
    host = KeyRing(Key(**AS_RESPONDER))
    chance = random.Random(3)
    for _ in range(5):
        sent = run(device.encode("com.test", args, kwargs, chance.randbytes(24)))
        found = host.decode(False, "com.test", EncodedPayload(sent, "cryptobox", "json"))
        assert found == ("com.test", args, kwargs)
        answer = host.encode(False, "com.test", args, kwargs)
        assert answer is not None
        assert run(device.decode("com.test", answer.payload)) == (args, kwargs)
    assert ask_keys(("decode", {"": AS_RESPONDER}, False, "com.test", sent)) == [
        ["com.test", args, kwargs]
    ]


def test_x25519_and_the_box_against_libsodium():
    chance = random.Random(5)
    for length in [*range(0, 140, 7), 1000]:
        ours, theirs, nonce = (chance.randbytes(n) for n in (32, 32, 24))
        public = bytes(PrivateKey(theirs).public_key)
        assert run(wamp.cryptobox.public_key(theirs)) == public
        plain = chance.randbytes(length)
        wanted = Box(PrivateKey(ours), PublicKey(public)).encrypt(plain, nonce)
        assert run(wamp.cryptobox.Box(ours, public).seal(plain, nonce)) == bytes(wanted)
        anything = chance.randbytes(32)
        assert run(wamp.cryptobox.x25519(ours, anything)) == crypto_scalarmult(ours, anything)
