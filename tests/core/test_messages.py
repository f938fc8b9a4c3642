"""The table of messages: numbers, layouts, each element missing, superfluous, of wrong type."""

from helpers import raises

from wamp import messages
from wamp.errors import LocalProtocolError, RemoteProtocolError

MAX = 1 << 53

# WAMP basic profile, "Messages", as the specification has it: code, name, kinds of the elements
# that must be there, kinds of those that may. i id, z id or 0, d dictionary, s string, t type of
# a request, a arguments, k keyword arguments.
LAYOUTS = (
    (1, "HELLO", "sd", ""),
    (2, "WELCOME", "id", ""),
    (3, "ABORT", "ds", "ak"),
    (4, "CHALLENGE", "sd", ""),
    (5, "AUTHENTICATE", "sd", ""),
    (6, "GOODBYE", "ds", "ak"),
    (8, "ERROR", "tids", "ak"),
    (16, "PUBLISH", "ids", "ak"),
    (17, "PUBLISHED", "ii", ""),
    (32, "SUBSCRIBE", "ids", ""),
    (33, "SUBSCRIBED", "ii", ""),
    (34, "UNSUBSCRIBE", "ii", ""),
    (35, "UNSUBSCRIBED", "z", "d"),
    (36, "EVENT", "iid", "ak"),
    (48, "CALL", "ids", "ak"),
    (49, "CANCEL", "id", ""),
    (50, "RESULT", "id", "ak"),
    (64, "REGISTER", "ids", ""),
    (65, "REGISTERED", "ii", ""),
    (66, "UNREGISTER", "ii", ""),
    (67, "UNREGISTERED", "z", "d"),
    (68, "INVOCATION", "iid", "ak"),
    (69, "INTERRUPT", "id", ""),
    (70, "YIELD", "id", "ak"),
)

GOOD = {
    "i": (1, 2, MAX),
    "z": (0, 1, MAX),
    "d": ({}, {"x": None, "_unknown": [1]}),
    "s": ("com.example", "", "with space", "\u00fc\u20ac"),
    "t": (16, 32, 34, 48, 64, 66),
    # Null as crossbar sends it, octets as it passes opaque payloads.
    "a": ([], [1, {2: 3}], None, b"", b"\x00opaque"),
    "k": ({}, {"x": {1: 2}}, None),
}

BAD = {
    "i": (0, -1, MAX + 1, 1 << 64, True, 1.0, "1", b"1", None, [], {}),
    "z": (-1, MAX + 1, False, 0.0, "0", None, [], {}),
    "d": (None, [], "x", b"x", 0, True, {1: 2}, {b"x": 1}, {"x": 1, None: 2}, {True: 1}),
    "s": (None, b"x", 1, True, 1.5, [], ["x"], {}),
    "t": (0, -16, 1, 17, 36, 49, 50, 70, 99, True, 16.0, "16", None, []),
    "a": ({}, "x", 1, True, 1.5, {"x": 1}),
    "k": ([], "x", b"x", 1, False, {1: 2}, {"x": 1, b"y": 2}),
}

NO_MESSAGES = (
    None,
    True,
    0,
    36,
    1.5,
    "[36]",
    b"\x81\x01",
    {},
    {"x": 1},
    (36, 1, 1, {}),
    [],
    [None],
    [True, "realm", {}],
    [36.0, 1, 1, {}],
    ["36", 1, 1, {}],
    [b"36", 1, 1, {}],
    [[36], 1, 1, {}],
    [{36: 1}, 1, 1, {}],
    [-36, 1, 1, {}],
    [1 << 70],
)

UNKNOWN_CODES = (0, 7, 9, 15, 18, 31, 37, 47, 51, 63, 71, 99, 255, 256, 337, 1023, 1024)


def message(code, kinds, variant=0):
    """A good message of these kinds; variants differ in the values."""
    return [code] + [GOOD[kind][variant % len(GOOD[kind])] for kind in kinds]


def test_numbers_and_names():
    assert len(messages.LAYOUT) == len(LAYOUTS)
    for code, name, must, may in LAYOUTS:
        assert getattr(messages, name) == code, name
        assert messages.LAYOUT[code][0] == name, name
        assert messages.LAYOUT[code][1] == len(must), name
        assert len(messages.LAYOUT[code][2]) == len(must + may), name


def test_every_layout_from_shortest_to_longest():
    for code, name, must, may in LAYOUTS:
        for n in range(len(may) + 1):
            for variant in range(6):
                good = message(code, must + may[:n], variant)
                assert messages.validate(good) == code, (name, good)


def test_every_good_value_at_every_place():
    for code, name, must, may in LAYOUTS:
        kinds = must + may
        for i, kind in enumerate(kinds):
            for value in GOOD[kind]:
                good = message(code, kinds)
                good[i + 1] = value
                assert messages.validate(good) == code, (name, good)


def test_every_bad_value_at_every_place():
    for code, name, must, may in LAYOUTS:
        kinds = must + may
        for i, kind in enumerate(kinds):
            label = messages.LAYOUT[code][2][i][0]
            for value in BAD[kind]:
                bad = message(code, kinds)
                bad[i + 1] = value
                error = raises(RemoteProtocolError, messages.validate, bad)
                assert str(error).startswith(name + "." + label), (name, label, value, error)


def test_elements_missing():
    for code, name, must, _ in LAYOUTS:
        for n in range(len(must)):
            error = raises(RemoteProtocolError, messages.validate, message(code, must[:n]))
            assert name in str(error) and "%d elements" % (n + 1) in str(error), (name, error)


def test_elements_superfluous():
    for code, name, must, may in LAYOUTS:
        for extra in (None, {}, [], 1):
            bad = message(code, must + may) + [extra]
            error = raises(RemoteProtocolError, messages.validate, bad)
            assert name in str(error) and "elements" in str(error), (name, error)


def test_no_message_at_all():
    for bad in NO_MESSAGES:
        raises(RemoteProtocolError, messages.validate, bad)


def test_unknown_codes():
    for code in UNKNOWN_CODES:
        error = raises(RemoteProtocolError, messages.validate, [code, 1, {}])
        assert str(code) in str(error), code


def test_error_texts_are_short():
    huge = "x" * 5000
    for bad in (
        [huge],
        [huge.encode()],
        [[huge] * 1000],
        [36, huge, 1, {}],
        [36, huge.encode(), 1, {}],
        [36, [1] * 1000, 1, {}],
        [36, {huge: huge}, 1, {}],
        [36, 1, 1, {}, huge],
        [2, 10**50, {}],
    ):
        error = raises(RemoteProtocolError, messages.validate, bad)
        assert len(str(error)) < 150, error


def test_roles_are_the_table():
    roles = messages.roles()
    assert sorted(roles) == ["callee", "caller", "publisher", "subscriber"]
    for role in roles:
        assert list(roles[role]) == ["features"], role
        features = roles[role]["features"]
        assert sorted(features) == sorted(messages.FEATURES[role]), role
        for name in features:
            assert features[name] is True, name
    roles["caller"]["features"]["x"] = True
    assert "x" not in messages.roles()["caller"]["features"]


OPTIONS_GOOD = (
    ("PUBLISH", "acknowledge", (True, False)),
    ("PUBLISH", "exclude_me", (True, False)),
    ("PUBLISH", "exclude", ([], [1, MAX])),
    ("PUBLISH", "exclude_authid", ([], ["joe"])),
    ("PUBLISH", "exclude_authrole", (["admin"],)),
    ("PUBLISH", "eligible", ([1],)),
    ("PUBLISH", "eligible_authid", (["joe", "jim"],)),
    ("PUBLISH", "eligible_authrole", (["admin"],)),
    ("PUBLISH", "disclose_me", (True,)),
    ("PUBLISH", "retain", (True,)),
    ("SUBSCRIBE", "match", ("exact", "prefix", "wildcard")),
    ("SUBSCRIBE", "get_retained", (True,)),
    ("CALL", "disclose_me", (True,)),
    ("CALL", "receive_progress", (True, False)),
    ("CALL", "progress", (True, False)),
    ("CALL", "timeout", (1, 100000)),
    ("CANCEL", "mode", ("skip", "kill", "killnowait")),
    ("REGISTER", "match", ("exact", "prefix", "wildcard")),
    ("REGISTER", "invoke", ("single", "roundrobin", "random", "first", "last")),
    ("REGISTER", "concurrency", (1, 100)),
    ("REGISTER", "disclose_caller", (False,)),
    ("REGISTER", "force_reregister", (True,)),
    ("REGISTER", "forward_timeout", (True,)),
    ("YIELD", "progress", (True,)),
)

# Payload passthru, in the words of the specification and in those of crossbar.
PASSTHRU = (
    "ppt_scheme",
    "ppt_serializer",
    "ppt_cipher",
    "ppt_keyid",
    "enc_algo",
    "enc_serializer",
    "enc_key",
)
OPTIONS_GOOD += tuple(
    [(name, option, ("x_y",)) for name in ("PUBLISH", "CALL", "YIELD") for option in PASSTHRU]
)

OPTIONS_BAD = (
    # crossbar resets the connection for each of these.
    ("PUBLISH", "acknowledge", (1, 0, None, "true")),
    ("PUBLISH", "exclude", (1, None, (1,), ["1"], [True], [1, None])),
    ("PUBLISH", "exclude_authid", ("joe", [1], [None])),
    ("PUBLISH", "eligible", ({}, ["joe"])),
    ("PUBLISH", "eligible_authrole", ("admin", [b"admin"])),
    ("PUBLISH", "retain", (1,)),
    ("SUBSCRIBE", "match", (None, 1, "", "Prefix", "regex")),
    ("SUBSCRIBE", "get_retained", ("yes",)),
    ("CALL", "disclose_me", (1,)),
    ("CALL", "receive_progress", (1, None)),
    ("CALL", "timeout", (0, -1, True, 1.5, None)),
    ("CALL", "ppt_scheme", ("", None, 1, b"x_y")),
    ("CANCEL", "mode", ("abort", "", None, 1)),
    ("REGISTER", "match", ("any",)),
    ("REGISTER", "invoke", (None, "all", "")),
    ("REGISTER", "concurrency", (0, -1, True, 1.5, "1", None)),
    ("REGISTER", "force_reregister", (1,)),
)


def test_options_that_are_right():
    for name, option, values in OPTIONS_GOOD:
        for value in values:
            messages.check_options(getattr(messages, name), {option: value})
    for name, option, _ in OPTIONS_GOOD:
        assert option in messages.OPTIONS[getattr(messages, name)], (name, option)
    n = sum([len(options) for options in messages.OPTIONS.values()])
    assert n == len(OPTIONS_GOOD)


def test_options_of_wrong_type_or_value():
    for name, option, values in OPTIONS_BAD:
        for value in values:
            code = getattr(messages, name)
            error = raises(LocalProtocolError, messages.check_options, code, {option: value})
            assert name in str(error) and option in str(error), (value, error)
            assert "needed" in str(error), (value, error)


def test_unknown_options_name_the_known():
    for code in messages.OPTIONS:
        error = raises(LocalProtocolError, messages.check_options, code, {"acknowlege": True})
        assert "acknowlege" in str(error), error
        for known in messages.OPTIONS[code]:
            assert known in str(error), (known, error)


URIS = (
    "com",
    "com.example.topic",
    "com.example.Topic-1!",
    "wamp.session.on_join",
    "1.2.3",
    "\u00fcber.alles",
)

PATTERNS = ("", ".", "com.", ".com", "com..topic", "...", "com.example.")

NO_URIS = (
    None,
    1,
    True,
    b"com.example",
    [],
    "com.exam ple",
    " com",
    "com ",
    "com. .topic",
    "com.\t",
    "com\n.topic",
    "com.to#pic",
    "#",
    " ",
)


def test_uris():
    for uri in URIS:
        messages.check_uri(uri, "topic")
        messages.check_uri(uri, "topic", True)


def test_empty_components_are_for_patterns():
    for uri in PATTERNS:
        messages.check_uri(uri, "topic", True)
        error = raises(LocalProtocolError, messages.check_uri, uri, "topic")
        assert str(error).startswith("topic"), error


def test_no_uris():
    for uri in NO_URIS:
        for pattern in (False, True):
            error = raises(LocalProtocolError, messages.check_uri, uri, "procedure", pattern)
            assert str(error).startswith("procedure"), (uri, error)
