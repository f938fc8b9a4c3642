"""Payload passthru: octets in and out, in the specification's form and in crossbar's."""

from helpers import raises
from wire import joined, registered, subscribed

from wamp.errors import LocalProtocolError
from wamp.session import (
    ANSWERED,
    CONTINUED,
    FAILED,
    HAPPENED,
    INTERRUPTED,
    INVOKED,
    PROGRESSED,
)

SPECIFIED = "payload_passthru_mode"
CROSSBAR = "payload_transparency"
OCTETS = b"\x00opaque"

# What a program says; what the specification's form says; what crossbar's form says.
WORDS = (
    ({"ppt_scheme": "x_yz"}, {"ppt_scheme": "x_yz"}, {"enc_algo": "x_yz"}),
    ({"enc_algo": "x_yz"}, {"ppt_scheme": "x_yz"}, {"enc_algo": "x_yz"}),
    ({"ppt_scheme": "mqtt"}, {"ppt_scheme": "mqtt"}, {"enc_algo": "mqtt"}),
    ({"enc_algo": "xbr"}, {"ppt_scheme": "xbr"}, {"enc_algo": "xbr"}),
    ({"ppt_scheme": "opaque"}, {"ppt_scheme": "x_opaque"}, {"enc_algo": "x_opaque"}),
    (
        {"ppt_scheme": "x_yz", "ppt_serializer": "cbor", "ppt_keyid": "k"},
        {"ppt_scheme": "x_yz", "ppt_serializer": "cbor", "ppt_keyid": "k"},
        {"enc_algo": "x_yz", "enc_serializer": "cbor", "enc_key": "k"},
    ),
    (
        {"enc_algo": "x_yz", "enc_serializer": "cbor", "enc_key": "k"},
        {"ppt_scheme": "x_yz", "ppt_serializer": "cbor", "ppt_keyid": "k"},
        {"enc_algo": "x_yz", "enc_serializer": "cbor", "enc_key": "k"},
    ),
    (
        {"ppt_scheme": "x_yz", "ppt_serializer": "native"},
        {"ppt_scheme": "x_yz"},
        {"enc_algo": "x_yz"},
    ),
    (
        {"ppt_scheme": "x_yz", "ppt_serializer": "opaque", "ppt_keyid": "opaque"},
        {"ppt_scheme": "x_yz", "ppt_serializer": "x_opaque", "ppt_keyid": "opaque"},
        {"enc_algo": "x_yz", "enc_serializer": "x_opaque", "enc_key": "opaque"},
    ),
    (
        {"enc_algo": "cryptobox"},
        {
            "ppt_scheme": "x_cryptobox",
            "ppt_serializer": "json",
            "ppt_cipher": "xsalsa20poly1305",
        },
        {"enc_algo": "cryptobox", "enc_serializer": "json"},
    ),
    (
        {"ppt_scheme": "x_cryptobox", "ppt_cipher": "xsalsa20poly1305", "enc_algo": "cryptobox"},
        {
            "ppt_scheme": "x_cryptobox",
            "ppt_serializer": "json",
            "ppt_cipher": "xsalsa20poly1305",
        },
        {"enc_algo": "cryptobox", "enc_serializer": "json"},
    ),
    (
        {"ppt_scheme": "x_yz", "enc_algo": "x_yz", "ppt_keyid": "k", "enc_key": "k"},
        {"ppt_scheme": "x_yz", "ppt_keyid": "k"},
        {"enc_algo": "x_yz", "enc_key": "k"},
    ),
)

WRONG = (
    # Octets whose scheme nobody knows
    (OCTETS, None, {}),
    (OCTETS, None, {"ppt_serializer": "cbor"}),
    # Not octets alone
    (OCTETS, {"x": 1}, {"ppt_scheme": "x_yz"}),
    ([OCTETS], None, {"ppt_scheme": "x_yz"}),
    ([], None, {"enc_algo": "x_yz"}),
    (None, None, {"enc_algo": "x_yz"}),
    (None, {"x": 1}, {"ppt_scheme": "x_yz"}),
    # Two names that say different things
    (OCTETS, None, {"ppt_scheme": "x_yz", "enc_algo": "x_zz"}),
    (OCTETS, None, {"ppt_scheme": "x_yz", "ppt_serializer": "cbor", "enc_serializer": "json"}),
    (OCTETS, None, {"ppt_scheme": "x_yz", "ppt_keyid": "k", "enc_key": "l"}),
    # Words for which crossbar resets the connection
    (OCTETS, None, {"ppt_scheme": "x_"}),
    (OCTETS, None, {"ppt_scheme": "x_y"}),
    (OCTETS, None, {"enc_algo": "x_Yz"}),
    (OCTETS, None, {"enc_algo": "x_1z"}),
    (OCTETS, None, {"enc_algo": "x_y-z"}),
    (OCTETS, None, {"enc_algo": "rot13"}),
    (OCTETS, None, {"enc_algo": "x_yz", "enc_serializer": "pickle"}),
    # No specification
    (OCTETS, None, {"ppt_scheme": "wamp", "ppt_serializer": "cbor"}),
)


def ready(*features):
    """(protocol, wire) with subscription 77, registration 88 and invocation 5, after request 2."""
    protocol, wire = joined("call_canceling", "progressive_call_invocations", *features)
    registered(protocol, wire)
    subscribed(protocol, wire)
    protocol.receive([68, 5, 88, {"receive_progress": True}])
    return protocol, wire


# Everything that has a payload: how it is sent, and where its options stand.
SENT = (
    (lambda p, *rest: p.publish(None, "com.x", *rest), 2, {}),
    (lambda p, *rest: p.publish("h", "com.x", *rest), 2, {"acknowledge": True}),
    (lambda p, *rest: p.call("h", "com.x", *rest), 2, {}),
    (lambda p, *rest: p.progress(5, *rest), 2, {"progress": True}),
    (lambda p, *rest: p.answer(5, *rest), 2, {}),
    (lambda p, *rest: p.fail(5, "com.error", *rest), 3, {}),
)


def test_words_on_the_wire():
    for words, specified, crossbars in WORDS:
        for send, at, also in SENT:
            for features, options, payload in (
                ((SPECIFIED,), specified, [OCTETS]),
                ((CROSSBAR,), crossbars, OCTETS),
                ((SPECIFIED, CROSSBAR), specified, [OCTETS]),
            ):
                protocol, wire = ready(*features)
                said = dict(words)
                send(protocol, OCTETS, None, said)
                assert said == words
                options = dict(options)
                options.update(also)
                (message,) = wire.sent
                assert message[at] == options, (words, features, message)
                assert message[-1] == payload, (words, features, message)


def test_each_role_is_asked():
    for role, n in (("broker", 0), ("dealer", 1)):
        protocol, wire = joined()
        protocol.details = {"roles": {role: {"features": {SPECIFIED: True}}}}
        sends = [SENT[0][0], SENT[2][0]]
        sends.pop(n)(protocol, OCTETS, None, {"ppt_scheme": "x_yz"})
        raises(LocalProtocolError, sends[0], protocol, OCTETS, None, {"ppt_scheme": "x_yz"})


def test_what_cannot_be_sent():
    for args, kwargs, options in WRONG:
        for send, _, _ in SENT:
            for features in ((SPECIFIED,), (CROSSBAR,)):
                protocol, wire = ready(*features)
                raises(LocalProtocolError, send, protocol, args, kwargs, options)
                assert wire.sent == [] and protocol.end() == [], options
    # crossbar's form has no word for a cipher.
    options = {"ppt_scheme": "x_yz", "ppt_cipher": "aes256gcm"}
    protocol, wire = ready(CROSSBAR)
    error = raises(LocalProtocolError, protocol.publish, None, "com.x", OCTETS, None, options)
    assert "aes256gcm" in str(error), error
    protocol, wire = ready(SPECIFIED)
    protocol.publish(None, "com.x", OCTETS, None, options)
    assert wire.sent == [[16, 3, options, "com.x", [OCTETS]]]


def test_a_router_that_announces_neither():
    for send, _, _ in SENT:
        protocol, wire = ready()
        error = raises(LocalProtocolError, send, protocol, OCTETS, None, {"ppt_scheme": "x_yz"})
        assert SPECIFIED in str(error), error
        assert wire.sent == [] and protocol.end() == []


def test_parts_of_a_call():
    protocol, wire = ready(SPECIFIED)
    options = {"ppt_scheme": "x_yz", "progress": True}
    n = protocol.call("h", "com.x", OCTETS, None, options)
    assert protocol.call_on(n, "com.x", OCTETS, None, options) is True
    assert protocol.call_on(n, "com.x", OCTETS, None, {"ppt_scheme": "x_yz"}) is True
    assert wire.sent == [
        [48, n, options, "com.x", [OCTETS]],
        [48, n, options, "com.x", [OCTETS]],
        [48, n, {"ppt_scheme": "x_yz"}, "com.x", [OCTETS]],
    ]


# Both forms, as routers hand them on.
RECEIVED = (
    ({"enc_algo": "x_yz", "enc_serializer": "cbor"}, [OCTETS]),
    ({}, [OCTETS]),
    ({"ppt_scheme": "x_yz"}, [[OCTETS]]),
    ({"ppt_scheme": "wamp", "ppt_serializer": "cbor"}, [[OCTETS], {}]),
    ({"ppt_scheme": "x_yz"}, [[OCTETS], None]),
    ({"ppt_scheme": "x_yz"}, [OCTETS]),
)

# A scheme, but not octets alone (wamp.md 5.3, row 85)
MALFORMED = (
    [],
    [None],
    [[]],
    [[OCTETS, OCTETS]],
    [["x"]],
    [[1]],
    [[OCTETS], {"x": 1}],
    [None, {"x": 1}],
)


def test_octets_are_reported_as_they_are():
    for details, rest in RECEIVED:
        protocol, wire = ready()
        report = protocol.receive([36, 77, 1, details] + rest)
        assert report == (HAPPENED, ["entry"], 1, details, OCTETS, None), rest
        report = protocol.receive([68, 6, 88, details] + rest)
        assert report == (INVOKED, "entry", 6, details, OCTETS, None), rest
        n = protocol.call("h", "com.x", None, None, {"receive_progress": True})
        more = dict(details)
        more["progress"] = True
        report = protocol.receive([50, n, more] + rest)
        assert report == (PROGRESSED, "h", OCTETS, None, more), rest
        report = protocol.receive([50, n, details] + rest)
        assert report == (ANSWERED, "h", OCTETS, None, details), rest
        n = protocol.call("h", "com.x")
        kind, handle, error = protocol.receive([8, 48, n, details, "com.error"] + rest)
        assert (kind, handle) == (FAILED, "h") and error.args == (OCTETS,), rest
        assert error.kwargs == {} and error.details == details, rest
        report = protocol.receive([68, 7, 88, more] + rest)
        report = protocol.receive([68, 7, 88, details] + rest)
        assert report == (CONTINUED, "entry", 7, details, OCTETS, None), rest


def test_octets_that_are_none():
    details = {"ppt_scheme": "x_yz"}
    for rest in MALFORMED:
        protocol, wire = ready()
        # An event is dropped,
        assert protocol.receive([36, 77, 1, details] + rest) is None, rest
        assert protocol.dropped == 1
        # an invocation is answered,
        assert protocol.receive([68, 6, 88, details] + rest) is None, rest
        assert wire.take() == [[8, 68, 6, {}, "wamp.error.invalid_argument"]], rest
        # a result is an error,
        n = protocol.call("h", "com.x", None, None, {"receive_progress": True})
        more = {"ppt_scheme": "x_yz", "progress": True}
        assert protocol.receive([50, n, more] + rest) is None, rest
        kind, handle, error = protocol.receive([50, n, details] + rest)
        assert (kind, handle) == (FAILED, "h"), rest
        assert error.error == "wamp.error.invalid_payload"
        # and an error is what it is, without its arguments.
        n = protocol.call("h", "com.x")
        kind, handle, error = protocol.receive([8, 48, n, details, "com.error"] + rest)
        assert (kind, handle, error.error) == (FAILED, "h", "com.error"), rest
        assert (error.args, error.kwargs) == ((), {}), rest


def test_a_part_that_is_no_octets():
    protocol, wire = ready()
    protocol.receive([68, 6, 88, {"progress": True}])
    # The caller is answered; whoever works on it is told to stop, and what it says then is late.
    report = protocol.receive([68, 6, 88, {"progress": True, "ppt_scheme": "x_yz"}, [1]])
    assert report == (INTERRUPTED, 6, "killnowait")
    assert wire.take() == [[8, 68, 6, {}, "wamp.error.invalid_argument"]]
    protocol.fail(6, "wamp.error.canceled")
    assert wire.sent == []
    assert protocol.receive([68, 6, 88, {}, [2]]) is None and wire.sent == []


def test_attributes_of_a_wrong_type_are_absent():
    protocol, wire = ready()
    for scheme in (None, 1, True, ["x_yz"], b"x_yz"):
        details = {"ppt_scheme": scheme}
        assert protocol.receive([36, 77, 1, details, [1]])[4:] == ([1], {}), scheme
