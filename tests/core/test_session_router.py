"""The session and what a router may send: events, invocations, revocations, and hostile input."""

from helpers import raises
from wire import WELCOME, joined, joining, registered, subscribed

from wamp import messages
from wamp.errors import LocalProtocolError, RemoteProtocolError, TransportLost
from wamp.session import (
    ANSWERED,
    CLOSED,
    DONE,
    ENDED,
    ESTABLISHED,
    FAILED,
    HAPPENED,
    INTERRUPTED,
    INVOKED,
    REVOKED,
    SHUTTING_DOWN,
)

VIOLATION = "wamp.error.protocol_violation"

# One good message of every type that only clients send, or that nobody sends twice.
NOT_IN_A_SESSION = (
    [1, "devices", {}],
    WELCOME,
    [4, "ticket", {}],
    [5, "x", {}],
    [16, 1, {}, "com.topic"],
    [32, 1, {}, "com.topic"],
    [34, 1, 77],
    [48, 1, {}, "com.procedure"],
    [49, 1, {}],
    [64, 1, {}, "com.procedure"],
    [66, 1, 88],
    [70, 1, {}],
)

NOT_BEFORE_WELCOME = (
    [1, "devices", {}],
    [5, "x", {}],
    [8, 48, 1, {}, "com.error"],
    [16, 1, {}, "com.topic"],
    [17, 1, 1],
    [32, 1, {}, "com.topic"],
    [33, 1, 77],
    [34, 1, 77],
    [35, 1],
    [35, 0, {"subscription": 77}],
    [36, 77, 1, {}],
    [48, 1, {}, "com.procedure"],
    [49, 1, {}],
    [50, 1, {}],
    [64, 1, {}, "com.procedure"],
    [65, 1, 88],
    [66, 1, 88],
    [67, 1],
    [67, 0, {"registration": 88}],
    [68, 1, 88, {}],
    [69, 1, {}],
    [70, 1, {}],
)

MALFORMED = (
    None,
    1,
    "x",
    {},
    [],
    [99],
    [337, 1, {}],
    ["36", 77, 1, {}],
    [36.0, 77, 1, {}],
    [True, 1, {}],
    [36, 77],
    [36, 77, 1],
    [36, 77, 1, {}, [], {}, 1],
    [36, 0, 1, {}],
    [36, -1, 1, {}],
    [36, (1 << 53) + 1, 1, {}],
    [36, True, 1, {}],
    [36, 77.0, 1, {}],
    [36, "77", 1, {}],
    [36, 77, 1, []],
    [36, 77, 1, {1: 2}],
    [36, 77, 1, {}, {}],
    [36, 77, 1, {}, [], {1: 2}],
    [33, 1, 77, {}],
    [8, 48, 1, {}, None],
    [2, 0, {"roles": {"broker": {}}}],
    [2, 1, None],
)

# Each pending request, and every reply that belongs to another kind of request.
KINDS = (
    (16, lambda p: p.publish("handle", "com.topic")),
    (32, lambda p: p.subscribe("handle", "com.topic", "entry")),
    (34, lambda p: p.unsubscribe("handle", 77, "entry")),
    (48, lambda p: p.call("handle", "com.procedure")),
    (64, lambda p: p.register("handle", "com.procedure", "entry")),
    (66, lambda p: p.unregister("handle", 88)),
)

ANSWERS = (
    (16, lambda n: [17, n, 5]),
    (32, lambda n: [33, n, 5]),
    (34, lambda n: [35, n]),
    (48, lambda n: [50, n, {}]),
    (48, lambda n: [50, n, {"progress": True}]),
    (64, lambda n: [65, n, 5]),
    (66, lambda n: [67, n]),
    (16, lambda n: [8, 16, n, {}, "com.error"]),
    (32, lambda n: [8, 32, n, {}, "com.error"]),
    (34, lambda n: [8, 34, n, {}, "com.error"]),
    (48, lambda n: [8, 48, n, {}, "com.error"]),
    (64, lambda n: [8, 64, n, {}, "com.error"]),
    (66, lambda n: [8, 66, n, {}, "com.error"]),
)


def violated(protocol, wire, message):
    """The message ends the session: one ABORT, and the error that says whose fault it was."""
    n = len(wire.sent)
    report = protocol.receive(message)
    assert report is not None and report[0] == ENDED, (message, report)
    assert type(report[1]) is RemoteProtocolError, (message, report)
    assert len(wire.sent) == n + 1, (message, wire.sent)
    abort = wire.sent[-1]
    assert abort[0] == 3 and abort[2] == VIOLATION and len(abort) == 3, (message, abort)
    assert 0 < len(abort[1]["message"]) <= 200, (message, abort)
    assert protocol.state == CLOSED, message


def dropped(protocol, wire, message):
    """The message is counted and changes nothing."""
    n = protocol.dropped
    sent = len(wire.sent)
    assert protocol.receive(message) is None, message
    assert protocol.dropped == n + 1, message
    assert protocol.state == ESTABLISHED and len(wire.sent) == sent, message


def ready():
    """(protocol, wire) joined, with registration 88 and subscription 77, after request 2."""
    protocol, wire = joined()
    registered(protocol, wire)
    subscribed(protocol, wire)
    return protocol, wire


# -- what breaks the protocol


def test_not_before_welcome():
    for message in NOT_BEFORE_WELCOME:
        protocol, wire = joining()
        messages.validate(message)
        violated(protocol, wire, message)
        assert protocol.session is None


def test_not_in_a_session():
    for message in NOT_IN_A_SESSION:
        protocol, wire = joined()
        messages.validate(message)
        violated(protocol, wire, message)


def test_malformed():
    for message in MALFORMED:
        violated(*joining(), message)
        protocol, wire = ready()
        protocol.call("handle", "com.procedure")
        violated(protocol, wire, message)
        assert protocol.end() == ["handle"], message


def test_reply_of_the_wrong_kind():
    for code, send in KINDS:
        for of, answer in ANSWERS:
            if of == code:
                continue
            protocol, wire = ready()
            send(protocol)
            violated(protocol, wire, answer(3))
            # The handle comes back, once.
            assert protocol.end() == ["handle"], (code, answer(3))


def test_reply_to_what_was_never_sent():
    for _, answer in ANSWERS:
        for n in (3, 999, 1 << 53):
            violated(*ready(), answer(n))


def test_error_for_what_is_no_request_of_ours():
    for code in (0, 1, 8, 17, 33, 36, 49, 50, 68, 69, 70, 99, -48):
        violated(*ready(), [8, code, 1, {}, "com.error"])


def test_registration_that_is_taken():
    protocol, wire = ready()
    protocol.register("handle", "com.other", "other")
    violated(protocol, wire, [65, 3, 88])
    assert protocol.end() == ["handle"]


def test_unsubscribed_with_details():
    for code, send in (KINDS[2], KINDS[5]):
        protocol, wire = ready()
        send(protocol)
        violated(protocol, wire, [code + 1, 3, {}])
        assert protocol.end() == ["handle"]


# -- what comes late


def test_late_and_double_replies():
    for code, send in KINDS:
        for of, answer in ANSWERS:
            if of != code or answer(3)[2:] == [{"progress": True}]:
                continue
            protocol, wire = ready()
            send(protocol)
            assert protocol.receive(answer(3))[1] == "handle", code
            for _, other in ANSWERS:
                dropped(protocol, wire, other(3))
            assert protocol.end() == [], code


def test_reply_to_a_publication_that_asked_for_none():
    protocol, wire = joined()
    protocol.publish(None, "com.topic")
    dropped(protocol, wire, [17, 1, 5])
    dropped(protocol, wire, [8, 16, 1, {}, "wamp.error.not_authorized"])


def test_progress_that_nobody_asked_for():
    protocol, wire = joined()
    protocol.call("handle", "com.procedure")
    wire.take()
    for i in range(100):
        dropped(protocol, wire, [50, 1, {"progress": True}, [i]])
    assert protocol.receive([50, 1, {"progress": 1}, ["last"]])[:3] == (
        ANSWERED,
        "handle",
        ["last"],
    )
    dropped(protocol, wire, [50, 1, {"progress": True}])


# -- events


def test_events():
    protocol, wire = ready()
    for rest, args, kwargs in (
        ([], (), {}),
        ([None], (), {}),
        ([[1, None]], [1, None], {}),
        ([None, {"x": 1}], (), {"x": 1}),
        ([[], None], (), {}),
        ([[{1: 2}], {"x": 1}], [{1: 2}], {"x": 1}),
    ):
        details = {"topic": 5, "retained": "x", "_unknown": {}}
        report = protocol.receive([36, 77, 5, details] + rest)
        assert report[:4] == (HAPPENED, ["entry"], 5, details), rest
        assert list(report[4]) == list(args) and report[5] == kwargs, rest
    assert wire.sent == [] and protocol.state == ESTABLISHED


def test_events_for_nobody():
    protocol, wire = ready()
    dropped(protocol, wire, [36, 78, 5, {}])
    # Not confirmed yet.
    protocol.subscribe("handle", "com.other", "other")
    dropped(protocol, wire, [36, 78, 5, {}])
    assert protocol.receive([33, 3, 78]) == (DONE, "handle", 78)
    assert protocol.receive([36, 78, 5, {}])[1] == ["other"]
    # Taken back: at once, not when the router has confirmed it.
    assert protocol.unsubscribe("handle", 78, "other") is True
    dropped(protocol, wire, [36, 78, 5, {}])
    assert protocol.receive([35, 4]) == (DONE, "handle", 78)
    dropped(protocol, wire, [36, 78, 5, {}])


def test_the_same_topic_again():
    protocol, wire = ready()
    protocol.subscribe("second", "com.topic", "other")
    assert protocol.receive([33, 3, 77]) == (DONE, "second", 77)
    assert protocol.receive([36, 77, 5, {}])[1] == ["entry", "other"]
    wire.take()
    # The router ends a subscription with the first UNSUBSCRIBE: it is for the last entry.
    assert protocol.unsubscribe("handle", 77, "entry") is False
    assert wire.sent == []
    assert protocol.receive([36, 77, 6, {}])[1] == ["other"]
    raises(LocalProtocolError, protocol.unsubscribe, "handle", 77, "entry")
    assert protocol.unsubscribe("handle", 77, "other") is True
    assert wire.sent == [[34, 4, 77]]
    raises(LocalProtocolError, protocol.unsubscribe, "handle", 77, "other")


def test_the_same_publication_twice():
    protocol, wire = ready()
    protocol.subscribe("second", "com.", "other", {"match": "prefix"})
    protocol.receive([33, 3, 78])
    assert protocol.receive([36, 77, 5, {}])[1:3] == (["entry"], 5)
    assert protocol.receive([36, 78, 5, {"topic": "com.topic"}])[1:3] == (["other"], 5)


# -- invocations


def test_invocations():
    protocol, wire = ready()
    for n, (rest, args, kwargs) in enumerate(
        (
            ([], (), {}),
            ([None, {"x": 1}], (), {"x": 1}),
            ([[1], None], [1], {}),
            ([[1, 2], {"x": 1}], [1, 2], {"x": 1}),
        )
    ):
        details = {"caller": 5, "progress": False}
        # The router's ids are its own business: crossbar has one counter for all sessions.
        request = 1000 - n
        report = protocol.receive([68, request, 88, details] + rest)
        assert report[:4] == (INVOKED, "entry", request, details), rest
        assert list(report[4]) == list(args) and report[5] == kwargs, rest
    protocol.answer(1000)
    protocol.answer(999, [1])
    protocol.answer(998, [1], {"x": 2})
    protocol.fail(997, "com.error", [1], {"x": 2})
    assert wire.sent == [
        [70, 1000, {}],
        [70, 999, {}, [1]],
        [70, 998, {}, [1], {"x": 2}],
        [8, 68, 997, {}, "com.error", [1], {"x": 2}],
    ]


def test_invocations_are_answered_once():
    protocol, wire = ready()
    protocol.receive([68, 1, 88, {}])
    protocol.receive([68, 2, 88, {}])
    for _ in range(3):
        protocol.answer(1)
        protocol.fail(1, "com.error")
        protocol.fail(2, "com.error")
        protocol.answer(2)
        protocol.answer(3)
    assert wire.sent == [[70, 1, {}], [8, 68, 2, {}, "com.error"]]


def test_an_answer_that_cannot_be_sent():
    for error in (LocalProtocolError("too long"), TransportLost("gone")):
        protocol, wire = ready()
        protocol.receive([68, 1, 88, {}])
        wire.error = error
        raises(type(error), protocol.answer, 1, ["x" * 9999])
        raises(type(error), protocol.fail, 1, "com.error", ["x" * 9999])
        # Still open: a shorter one is on its way.
        wire.error = None
        protocol.fail(1, "com.error")
        assert wire.sent == [[8, 68, 1, {}, "com.error"]]


def test_invocation_for_an_unknown_registration():
    protocol, wire = ready()
    for request in (1, 2, 2):
        assert protocol.receive([68, request, 99, {}, [1]]) is None
        assert wire.take() == [[8, 68, request, {}, "wamp.error.no_such_registration"]]
    assert protocol.dropped == 3 and protocol.state == ESTABLISHED
    protocol.answer(1)
    assert wire.sent == []


def test_invocation_twice_under_one_id():
    protocol, wire = ready()
    protocol.receive([68, 1, 88, {}])
    violated(protocol, wire, [68, 1, 88, {}])
    protocol, wire = ready()
    protocol.receive([68, 1, 88, {}])
    violated(protocol, wire, [68, 1, 99, {"progress": True}])
    # After the answer the id is free again.
    protocol, wire = ready()
    for _ in range(3):
        assert protocol.receive([68, 1, 88, {}])[0] == INVOKED
        protocol.answer(1)


def test_limit_of_invocations():
    protocol, wire = joined(invocations=3)
    registered(protocol, wire)
    for n in (1, 2, 3):
        assert protocol.receive([68, n, 88, {}])[0] == INVOKED
    for n in range(4, 50):
        assert protocol.receive([68, n, 88, {}]) is None
        assert wire.take() == [[8, 68, n, {}, "wamp.error.unavailable"]]
    assert protocol.dropped == 46
    protocol.answer(2)
    assert protocol.receive([68, 50, 88, {}])[0] == INVOKED
    assert protocol.receive([68, 51, 88, {}]) is None


def test_invocation_while_it_is_unregistered():
    protocol, wire = ready()
    protocol.unregister("handle", 88)
    assert protocol.receive([68, 1, 88, {}])[0] == INVOKED
    assert protocol.receive([67, 3]) == (DONE, "handle", 88)
    wire.take()
    assert protocol.receive([68, 2, 88, {}]) is None
    assert wire.take() == [[8, 68, 2, {}, "wamp.error.no_such_registration"]]
    # What was under way is still answered.
    protocol.answer(1)
    assert wire.take() == [[70, 1, {}]]
    raises(LocalProtocolError, protocol.unregister, "handle", 88)


def test_unregister_that_was_forgotten():
    protocol, wire = ready()
    protocol.forget(protocol.unregister("handle", 88))
    wire.take()
    assert protocol.receive([68, 1, 88, {}]) is None
    assert wire.take() == [[8, 68, 1, {}, "wamp.error.no_such_registration"]]
    dropped(protocol, wire, [67, 3])


def test_unregister_that_is_refused():
    protocol, wire = ready()
    protocol.unregister("handle", 88)
    assert protocol.receive([8, 66, 3, {}, "com.error"])[0] == FAILED
    assert protocol.receive([68, 1, 88, {}])[0] == INVOKED


def test_the_routers_answer_cannot_be_sent():
    for error in (LocalProtocolError("too long"), TransportLost("gone")):
        protocol, wire = ready()
        protocol.call("handle", "com.procedure")
        wire.error = error
        assert protocol.receive([68, 1, 99, {}]) == (ENDED, error)
        assert protocol.state == CLOSED
        assert protocol.end() == ["handle"]


def test_interrupts():
    protocol, wire = ready()
    protocol.receive([68, 1, 88, {}])
    for options, mode in (
        ({}, "kill"),
        ({"mode": "kill"}, "kill"),
        ({"mode": "killnowait", "reason": None}, "killnowait"),
        ({"mode": "skip"}, "kill"),
        ({"mode": "unheard"}, "kill"),
        ({"mode": None, "reason": 1}, "kill"),
        ({"mode": ["kill"]}, "kill"),
    ):
        assert protocol.receive([69, 1, options]) == (INTERRUPTED, 1, mode), options
    dropped(protocol, wire, [69, 2, {}])
    protocol.answer(1)
    dropped(protocol, wire, [69, 1, {"mode": "kill"}])


# -- revocations


def test_revoked_subscription():
    protocol, wire = ready()
    protocol.subscribe("second", "com.topic", "other")
    protocol.receive([33, 3, 77])
    wire.take()
    report = protocol.receive([35, 0, {"subscription": 77, "reason": "com.reason"}])
    assert report == (REVOKED, ["entry", "other"], "com.reason")
    dropped(protocol, wire, [36, 77, 5, {}])
    raises(LocalProtocolError, protocol.unsubscribe, "handle", 77, "entry")
    dropped(protocol, wire, [35, 0, {"subscription": 77}])


def test_revoked_registration():
    protocol, wire = ready()
    protocol.receive([68, 1, 88, {}])
    report = protocol.receive([67, 0, {"registration": 88, "reason": 5}])
    assert report == (REVOKED, ["entry"], "")
    assert protocol.receive([68, 2, 88, {}]) is None
    assert wire.take() == [[8, 68, 2, {}, "wamp.error.no_such_registration"]]
    protocol.answer(1)
    assert wire.take() == [[70, 1, {}]]
    # The id may be given anew.
    protocol.register("handle", "com.procedure", "again")
    protocol.receive([65, 3, 88])
    assert protocol.receive([68, 3, 88, {}])[1] == "again"


def test_revocations_of_nothing():
    for code, name in ((35, "subscription"), (67, "registration")):
        protocol, wire = ready()
        dropped(protocol, wire, [code, 0])
        for what in (1, 0, -1, 99, 1 << 60, None, True, 77.0, 88.0, "77", b"77", [77], {"x": 1}):
            dropped(protocol, wire, [code, 0, {name: what}])
        dropped(protocol, wire, [code, 0, {}])
        dropped(protocol, wire, [code, 0, {"reason": "com.reason"}])
        other = "registration" if name == "subscription" else "subscription"
        dropped(protocol, wire, [code, 0, {other: 77}])
        dropped(protocol, wire, [code, 0, {other: 88}])
        assert protocol.receive([36, 77, 1, {}])[0] == HAPPENED
        assert protocol.receive([68, 1, 88, {}])[0] == INVOKED


def test_revoked_while_it_is_taken_back():
    protocol, wire = ready()
    protocol.unregister("handle", 88)
    assert protocol.receive([67, 0, {"registration": 88}])[0] == REVOKED
    assert protocol.receive([8, 66, 3, {}, "wamp.error.no_such_registration"])[0] == FAILED
    protocol.unsubscribe("handle", 77, "entry")
    dropped(protocol, wire, [35, 0, {"subscription": 77}])
    assert protocol.receive([35, 4]) == (DONE, "handle", 77)


def test_nothing_is_delivered_while_we_leave():
    protocol, wire = ready()
    protocol.leave()
    for message in ([36, 77, 1, {}], [68, 1, 88, {}], [35, 0, {"subscription": 77}], [69, 1, {}]):
        assert protocol.receive(message) is None, message
    assert protocol.state == SHUTTING_DOWN and wire.sent == [[6, {}, "wamp.close.close_realm"]]
