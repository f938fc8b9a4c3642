"""The device's cryptobox: RFC 7748, RFC 8439, NaCl's own vectors, and what is malformed."""

from binascii import hexlify, unhexlify

from helpers import raises

from wamp import cryptobox
from wamp._salsa_int import core, mix
from wamp.cryptobox import Box, run
from wamp.errors import ConfigurationError, LocalProtocolError, RemoteProtocolError

# NaCl's tests ("Cryptography in NaCl", sections 2 to 10), whose keys are also RFC 7748's
ALICE = unhexlify("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
ALICE_PUB = unhexlify("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
BOB = unhexlify("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
BOB_PUB = unhexlify("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
SHARED = unhexlify("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
FIRST_KEY = unhexlify("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
NACL_NONCE = unhexlify("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
MESSAGE = unhexlify(
    "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c"
    "61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f"
    "21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705"
)
SEALED = unhexlify(
    "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1"
    "186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab9321645"
    "48e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b"
    "1f654cb45a74e355a5"
)
ORIGINATOR = bytes(range(32))
RESPONDER = bytes(range(32, 64))
ORIGINATOR_PUB = unhexlify("8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f")
RESPONDER_PUB = unhexlify("358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254")
URI = "com.myapp.hello"
VECTOR = unhexlify(
    "6465666768696a6b6c6d6e6f707172737475767778797a7b156c7fe77e8226c7c003b544c5a054639ea11ea6dd23"
    "148a949f3a290e50c2e721646cef99d2bf7e188a6d2b06f460e395353391997b913d56a46e0e233848c63ecd5a34"
    "eb57f74b0b31e2e0c34b6c68ba"
)
NONCE = VECTOR[:24]


def ends():
    return Box(ORIGINATOR, RESPONDER_PUB), Box(RESPONDER, ORIGINATOR_PUB)


def test_x25519_vectors():
    # RFC 7748, section 5.2
    for scalar, point, wanted in (
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ):
        found = run(cryptobox.x25519(unhexlify(scalar), unhexlify(point)))
        assert hexlify(found).decode() == wanted


def test_x25519_again():
    # RFC 7748, section 5.2, the first of its iterations
    nine = b"\x09" + bytes(31)
    found = hexlify(run(cryptobox.x25519(nine, nine)))
    assert found == b"422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"


def test_keys_of_the_rfc_and_of_nacl():
    assert run(cryptobox.public_key(ALICE)) == ALICE_PUB
    assert run(cryptobox.public_key(BOB)) == BOB_PUB
    assert run(cryptobox.x25519(ALICE, BOB_PUB)) == SHARED
    assert run(cryptobox.x25519(BOB, ALICE_PUB)) == SHARED
    assert cryptobox.hsalsa20(SHARED, bytes(16)) == FIRST_KEY


def test_box_of_nacl():
    alice, bob = Box(ALICE, BOB_PUB), Box(BOB, ALICE_PUB)
    assert run(alice.seal(MESSAGE, NACL_NONCE)) == NACL_NONCE + SEALED
    assert run(bob.unseal(NACL_NONCE + SEALED)) == MESSAGE


def test_salsa20_core_in_both_forms():
    state = bytearray([(i * 37 + 11) & 0xFF for i in range(64)])
    for feed in (0, 1):
        one = bytearray(64)
        two = bytearray(64)
        core(state, one, feed)
        cryptobox._core(state, two, feed)
        assert one == two != bytearray(64)
    one = bytearray(range(10))
    two = bytearray(range(10))
    mix(one, 3, state, 5, 6)
    cryptobox._mix(two, 3, state, 5, 6)
    assert one == two and one[:3] == bytes(range(3)) and one[9] == 9
    assert one[3] == 3 ^ state[5] and one[8] == 8 ^ state[10]


def test_poly1305_vector():
    # RFC 8439, section 2.5.2
    key = unhexlify("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b")
    tag = run(cryptobox.poly1305(key, b"Cryptographic Forum Research Group"))
    assert hexlify(tag) == b"a8061dc1305136c6c22b8baf0c0127a9"


def test_vector_of_autobahns_format():
    originator, responder = ends()
    assert run(responder.decode(URI, VECTOR)) == (["Hello", 42], {"k": True})
    assert run(originator.decode(URI, VECTOR)) == (["Hello", 42], {"k": True})
    text = b'{"uri":"com.myapp.hello","args":["Hello",42],"kwargs":{"k":true}}'
    assert run(originator.seal(text, NONCE)) == VECTOR


def test_there_and_back():
    originator, responder = ends()
    for args, kwargs in (
        (None, None),
        ([], {}),
        ([1, -1.5, None, True, "\u00fc\U0001f600", [b"", b"\x00\xff"]], {"k": {"b": b"octets"}}),
        (["x" * 1000], None),
    ):
        octets = run(originator.encode(URI, args, kwargs, NONCE))
        assert type(octets) is bytes
        assert run(responder.decode(URI, octets)) == (args, kwargs)
    octets = run(originator.encode(URI, (1,), None, NONCE))
    assert run(responder.decode(URI, octets)) == ([1], None)


def test_all_lengths_around_the_blocks():
    originator, responder = ends()
    for length in (0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 95, 96, 97, 160, 353):
        text = bytes([i & 0xFF for i in range(length)])
        octets = run(originator.seal(text, NONCE))
        assert len(octets) == length + 40 and run(responder.unseal(octets)) == text


def test_keys_as_text():
    text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    box = Box(text, hexlify(RESPONDER_PUB).decode())
    assert run(box.decode(URI, VECTOR)) == (["Hello", 42], {"k": True})
    for wrong in ("", "AAAA", "zz" * 32, text[:-4], bytes(31), None, 7):
        raises(ConfigurationError, lambda: Box(wrong, RESPONDER_PUB))
        raises(ConfigurationError, lambda: Box(ORIGINATOR, wrong))


def test_public_keys_that_are_none():
    # Points of low order: every private key gives the same shared key.
    for public in (bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"):
        raises(ConfigurationError, lambda: run(Box(ORIGINATOR, public).prepare()))


def test_changed_payloads():
    responder = ends()[1]
    for at in range(0, len(VECTOR), 7):
        changed = bytearray(VECTOR)
        changed[at] ^= 1 << at % 8
        raises(RemoteProtocolError, lambda: run(responder.decode(URI, bytes(changed))))
    for length in (0, 23, 39, 40, 60, len(VECTOR) - 1):
        raises(RemoteProtocolError, lambda: run(responder.decode(URI, VECTOR[:length])))
    raises(RemoteProtocolError, lambda: run(responder.decode("com.myapp.other", VECTOR)))
    raises(RemoteProtocolError, lambda: run(Box(BOB, ORIGINATOR_PUB).decode(URI, VECTOR)))


def test_texts_that_are_no_payload():
    originator, responder = ends()
    for text in (
        b"",
        b"\xff",
        b"{",
        b"[]",
        b"{}",
        b'{"uri":7,"args":[],"kwargs":{}}',
        b'{"uri":"com.myapp.hello","args":{},"kwargs":{}}',
        b'{"uri":"com.myapp.hello","args":[],"kwargs":[]}',
        b'{"uri":"com.myapp.hello","args":["\\u0000!"],"kwargs":{}}',
    ):
        octets = run(originator.seal(text, NONCE))
        raises(RemoteProtocolError, lambda: run(responder.decode(URI, octets)))


def test_what_json_does_not_have():
    originator = ends()[0]
    for value in (float("nan"), float("inf"), object(), "\x00text", {1, 2}):
        raises(LocalProtocolError, lambda: run(originator.encode(URI, [value], None, NONCE)))
    for nonce in (b"", bytes(23), bytes(25)):
        raises(LocalProtocolError, lambda: run(originator.encode(URI, [], None, nonce)))
