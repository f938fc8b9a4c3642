"""The session's beginning: what HELLO says, logins, refusals, and what must not come first."""

import sys

from helpers import raises
from wire import ROLES, SESSION, WELCOME, Login, Wire, joined, joining

from wamp import messages
from wamp.errors import (
    AuthenticationError,
    LocalProtocolError,
    RemoteProtocolError,
    SessionAborted,
    TransportLost,
)
from wamp.session import CHALLENGED, CLOSED, ENDED, ESTABLISHED, JOINED, JOINING, Protocol

NO_MATCH = "wamp.error.no_matching_auth_method"


def test_hello():
    wire = Wire()
    protocol = Protocol(wire.send)
    assert protocol.state == CLOSED and protocol.session is None
    protocol.join("devices")
    assert protocol.state == JOINING
    assert wire.take() == [[1, "devices", {"roles": messages.roles()}]]


def test_hello_announces_exactly_the_features_of_the_table():
    wire = Wire()
    Protocol(wire.send).join("devices")
    roles = wire.sent[0][2]["roles"]
    assert sorted(roles) == sorted(messages.FEATURES)
    for role in roles:
        assert sorted(roles[role]["features"]) == sorted(messages.FEATURES[role]), role
    # What is announced decides what the router sends: neither of these is implemented.
    for role, feature in (
        ("callee", "call_reroute"),
        ("caller", "sharded_registration"),
    ):
        assert feature not in roles[role]["features"], (role, feature)
    # Who can be asked for progress must be able to stop (progressive results).
    for role in ("caller", "callee"):
        assert "progressive_call_results" in roles[role]["features"]
        assert "call_canceling" in roles[role]["features"]


def test_hello_with_logins():
    wire = Wire()
    logins = (Login("cryptosign", "joe"), Login("wampcra"))
    Protocol(wire.send).join("realm1", logins, "agent 1.0")
    details = wire.sent[0][2]
    assert wire.sent[0][:2] == [1, "realm1"]
    assert details["authmethods"] == ["cryptosign", "wampcra"]
    assert details["authid"] == "joe" and details["agent"] == "agent 1.0"
    assert sorted(details) == ["agent", "authid", "authmethods", "roles"]


def test_join_in_a_session():
    protocol, wire = joining()
    raises(LocalProtocolError, protocol.join, "devices")
    protocol, wire = joined()
    raises(LocalProtocolError, protocol.join, "devices")
    protocol.leave()
    raises(LocalProtocolError, protocol.join, "devices")
    assert [m[0] for m in wire.sent] == [6]


def test_join_that_cannot_be_sent():
    wire = Wire()
    protocol = Protocol(wire.send)
    wire.error = LocalProtocolError("HELLO of 900 octets, the router accepts 512")
    assert raises(LocalProtocolError, protocol.join, "devices") is wire.error
    assert protocol.state == CLOSED
    wire.error = None
    protocol.join("devices")
    assert protocol.state == JOINING


def test_welcome():
    protocol, wire = joining()
    assert protocol.receive(WELCOME) == (JOINED, WELCOME[2])
    assert protocol.state == ESTABLISHED
    assert protocol.session == SESSION and protocol.details == WELCOME[2]
    assert wire.sent == []


def test_a_board_lets_go_of_what_the_beginning_needed():
    board = sys.implementation.name == "micropython"
    for _ in range(2):
        closed = Protocol(None)
        raises(LocalProtocolError, closed.unregister, "h", 1)
        protocol, wire = joining()
        for name in ("joining", "seldom", "words"):
            assert "wamp." + name in sys.modules, name
        protocol.receive(WELCOME)
        for name in ("joining", "seldom", "words"):
            assert ("wamp." + name in sys.modules) != board, name
        assert protocol._joining is None
        # The next session finds it again.
        protocol.end()
        protocol.join("devices")
        assert protocol.receive(WELCOME)[0] == JOINED


def test_welcome_roles():
    for roles, good in (
        (ROLES, True),
        ({"broker": {}}, True),
        ({"dealer": {}}, True),
        ({"broker": {}, "cook": {}, "x": 1}, True),
        ({"broker": {"features": {"x": "maybe", "y": None}}}, True),
        ({"broker": None}, True),
        (None, False),
        ({}, False),
        ([], False),
        ("broker", False),
        (["broker"], False),
        ({"caller": {}}, False),
    ):
        protocol, wire = joining()
        report = protocol.receive([2, 1, {"roles": roles}])
        if good:
            assert report[0] == JOINED and wire.sent == [], roles
        else:
            assert report[0] == ENDED and type(report[1]) is RemoteProtocolError, roles
            assert wire.sent[0][2] == "wamp.error.protocol_violation", roles
    protocol, wire = joining()
    assert protocol.receive([2, 1, {}])[0] == ENDED


def test_router_has():
    protocol, wire = joining()
    assert not protocol.router_has("broker", "x")
    for roles, found in (
        ({"broker": {"features": {"x": True}}}, True),
        ({"broker": {"features": {"x": 1}}}, False),
        ({"broker": {"features": {"x": False}}}, False),
        ({"broker": {"features": {"y": True}}}, False),
        ({"dealer": {"features": {"x": True}}}, False),
        ({"broker": {"features": None}}, False),
        ({"broker": {"features": ["x"]}}, False),
        ({"broker": {"features": "x"}}, False),
        ({"broker": {}}, False),
        ({"broker": None}, False),
        ({"broker": 1}, False),
        ({"broker": "features"}, False),
    ):
        protocol, wire = joining()
        roles["dealer"] = roles.get("dealer", {})
        protocol.receive([2, 1, {"roles": roles}])
        assert protocol.router_has("broker", "x") is found, roles


def test_login():
    login = Login("ticket", "joe")
    protocol, wire = joining(login)
    extra = {"x": 1}
    assert protocol.receive([4, "ticket", extra]) == (CHALLENGED, login, extra)
    assert wire.sent == [] and protocol.state == JOINING
    protocol.authenticate("secret", {"y": 2})
    assert wire.take() == [[5, "secret", {"y": 2}]]
    assert protocol.receive(WELCOME)[0] == JOINED
    assert login.welcomed == [WELCOME[2]]
    protocol.authenticate("again", {})
    assert wire.sent == []


def test_login_refused():
    for refusal, reason, text in (
        ([3, {}, "wamp.error.not_authorized"], "wamp.error.not_authorized", ""),
        ([3, {"message": "no"}, "a.b"], "a.b", "no"),
        ([3, {"message": None}, "a.b"], "a.b", ""),
        ([3, {"message": 1, "x": []}, "no URI!"], "no URI!", ""),
        ([3, {"message": "x" * 900}, "a.b", [1]], "a.b", "x" * 200),
        ([3, {}, "a.b", [1], {"x": 1}], "a.b", ""),
        ([3, {}, ""], "", ""),
        ([6, {"message": "off"}, "wamp.close.killed"], "wamp.close.killed", "off"),
    ):
        for challenge in (False, True):
            protocol, wire = joining(Login("ticket"))
            if challenge:
                protocol.receive([4, "ticket", {}])
                protocol.authenticate("x", {})
                wire.take()
            kind, error = protocol.receive(refusal)
            assert kind == ENDED and type(error) is SessionAborted, refusal
            assert (error.reason, error.message) == (reason, text), refusal
            assert protocol.state == CLOSED
            # Neither is answered: an ABORT never, a GOODBYE only in a session.
            assert wire.sent == [], refusal


def test_challenge_for_a_method_that_was_not_offered():
    for offered, asked in (
        ((), "ticket"),
        ((), "anonymous"),
        ((), "x" * 500),
        (("cryptosign",), "ticket"),
        (("cryptosign",), "anonymous"),
        (("cryptosign",), ""),
        (("cryptosign",), "Cryptosign"),
        (("cryptosign", "wampcra"), "ticket"),
        (("wampcra",), "scram"),
    ):
        protocol, wire = joining(*[Login(method) for method in offered])
        kind, error = protocol.receive([4, asked, {"challenge": "00" * 32}])
        assert kind == ENDED and type(error) is SessionAborted, (offered, asked)
        assert error.reason == NO_MATCH
        assert [m[0] for m in wire.sent] == [3] and wire.sent[0][2] == NO_MATCH, (offered, asked)
        assert len(wire.sent[0]) == 3 and len(wire.sent[0][1]["message"]) < 150, wire.sent
        protocol.authenticate("weaker", {})
        assert protocol.receive(WELCOME) is None
        assert len(wire.sent) == 1 and protocol.state == CLOSED


def test_challenges():
    first, second = Login("wampcra"), Login("ticket")
    protocol, wire = joining(first, second)
    assert protocol.receive([4, "wampcra", {}])[1] is first
    protocol.authenticate("1", {})
    assert protocol.receive([4, "ticket", {}])[1] is second
    protocol.authenticate("2", {})
    assert protocol.receive(WELCOME)[0] == JOINED
    assert [m[:2] for m in wire.sent] == [[5, "1"], [5, "2"]]


def test_too_many_challenges():
    protocol, wire = joining(Login("ticket"))
    for _ in range(3):
        assert protocol.receive([4, "ticket", {}])[0] == CHALLENGED
    kind, error = protocol.receive([4, "ticket", {}])
    assert kind == ENDED and type(error) is RemoteProtocolError
    assert [m[0] for m in wire.sent] == [3]
    assert wire.sent[0][2] == "wamp.error.protocol_violation"
    # Counted for each session anew.
    protocol.end()
    protocol.join("devices", (Login("ticket"),))
    assert protocol.receive([4, "ticket", {}])[0] == CHALLENGED


def test_who_checks_the_welcome():
    for asked, method, checks in (
        (None, None, "scram"),
        (None, "scram", "scram"),
        (None, "ticket", "ticket"),
        (None, "anonymous", "scram"),
        ("ticket", None, "ticket"),
        ("ticket", "ticket", "ticket"),
        ("ticket", "other", "ticket"),
        ("scram", None, "scram"),
        ("scram", 1, "scram"),
    ):
        logins = (Login("scram"), Login("ticket"))
        protocol, wire = joining(*logins)
        if asked:
            protocol.receive([4, asked, {}])
            protocol.authenticate("x", {})
        details = {"roles": ROLES}
        if method:
            details["authmethod"] = method
        assert protocol.receive([2, 1, details])[0] == JOINED
        for login in logins:
            assert bool(login.welcomed) == (login.method == checks), (asked, method, login.method)


def test_welcome_that_must_not_be_accepted():
    error = AuthenticationError("a false router")
    protocol, wire = joining(Login("scram", None, error))
    assert protocol.receive(WELCOME) == (ENDED, error)
    # Without reasons that could help an impostor.
    assert wire.sent == [[3, {}, "wamp.error.authentication_failed"]]
    assert protocol.session is None and protocol.state == CLOSED


def test_abandon_and_violation_and_abort():
    for how, reason, text in (
        (lambda p: p.abandon(), "wamp.error.authentication_failed", None),
        (lambda p: p.abort("com.reason"), "com.reason", None),
        (lambda p: p.abort("com.reason", "why"), "com.reason", "why"),
        (
            lambda p: p.violation(RemoteProtocolError("x" * 999)),
            "wamp.error.protocol_violation",
            "x" * 200,
        ),
    ):
        for protocol, wire in (joining(), joined()):
            how(protocol)
            details = {} if text is None else {"message": text}
            assert wire.sent == [[3, details, reason]], wire.sent
            assert protocol.state == CLOSED
            how(protocol)
            assert len(wire.sent) == 1
    protocol, wire = joined()
    wire.error = TransportLost("gone")
    error = RemoteProtocolError("x")
    assert protocol.violation(error) == (ENDED, error)
    assert protocol.state == CLOSED
