"""The session: requests and their replies, ids, limits, leaving, the end, joining again."""

from helpers import raises
from wire import ROLES, WELCOME, Wire, joined, joining, registered, subscribed

from wamp import messages
from wamp.errors import (
    ApplicationError,
    LocalProtocolError,
    RemoteProtocolError,
    SessionAborted,
    TransportLost,
)
from wamp.session import (
    ANSWERED,
    CLOSED,
    DONE,
    ENDED,
    ESTABLISHED,
    FAILED,
    JOINED,
    SHUTTING_DOWN,
    Protocol,
)

# Each request: its code, how to send it with a handle, its reply to request n (17 is its id).
REQUESTS = (
    (16, lambda p, h: p.publish(h, "com.topic"), lambda n: [17, n, 17]),
    (32, lambda p, h: p.subscribe(h, "com.topic", "entry"), lambda n: [33, n, 17]),
    (48, lambda p, h: p.call(h, "com.procedure"), lambda n: [50, n, {}]),
    (64, lambda p, h: p.register(h, "com.procedure", "entry"), lambda n: [65, n, 17]),
    (66, lambda p, h: p.unregister(h, 88), lambda n: [67, n]),
    (34, lambda p, h: p.unsubscribe(h, 77, "entry") and p._last, lambda n: [35, n]),
)


def ready():
    """(protocol, wire) joined, with registration 88 and subscription 77, after request 2."""
    protocol, wire = joined()
    registered(protocol, wire)
    subscribed(protocol, wire)
    return protocol, wire


# -- requests


def test_what_requests_look_like():
    protocol, wire = joined()
    registered(protocol, wire)
    subscribed(protocol, wire)
    protocol.publish(None, "com.topic")
    protocol.publish(None, "com.topic", [], {})
    protocol.publish(None, "com.topic", (), None, {"retain": True})
    options = {"exclude_me": False}
    protocol.publish("h", "com.topic", [1], None, options)
    assert options == {"exclude_me": False}
    protocol.publish(None, "com.topic", None, {"x": 1})
    protocol.publish(None, "com.topic", [None], {"x": 1})
    protocol.call("h", "com.procedure")
    protocol.call("h", "com.procedure", [1, 2], {"x": 3}, {"disclose_me": True})
    protocol.call("h", "com.procedure", None, {"x": 3})
    protocol.subscribe("h", "com.topic", "entry", {"match": "prefix"})
    protocol.subscribe("h", "com.topic", "entry")
    protocol.register("h", "com.procedure", "entry", {"invoke": "first"})
    assert protocol.unsubscribe("h", 77, "entry") is True
    protocol.unregister("h", 88)
    assert wire.sent == [
        [16, 3, {}, "com.topic"],
        [16, 4, {}, "com.topic"],
        [16, 5, {"retain": True}, "com.topic"],
        [16, 6, {"exclude_me": False, "acknowledge": True}, "com.topic", [1]],
        [16, 7, {}, "com.topic", [], {"x": 1}],
        [16, 8, {}, "com.topic", [None], {"x": 1}],
        [48, 9, {}, "com.procedure"],
        [48, 10, {"disclose_me": True}, "com.procedure", [1, 2], {"x": 3}],
        [48, 11, {}, "com.procedure", [], {"x": 3}],
        [32, 12, {"match": "prefix"}, "com.topic"],
        [32, 13, {}, "com.topic"],
        [64, 14, {"invoke": "first"}, "com.procedure"],
        [34, 15, 77],
        [66, 16, 88],
    ]
    for message in wire.sent:
        messages.validate(message)


def test_kwargs_that_are_none():
    protocol, wire = joined()
    registered(protocol, wire)
    protocol.receive([68, 5, 88, {}])
    for kwargs in ({1: 2}, {"x": 1, b"y": 2}, {None: 1}, ["x"], "x", [["x", 1]]):
        raises(LocalProtocolError, protocol.call, "h", "com.procedure", (), kwargs)
        raises(LocalProtocolError, protocol.publish, "h", "com.topic", (), kwargs)
        raises(LocalProtocolError, protocol.publish, None, "com.topic", (), kwargs)
        raises(LocalProtocolError, protocol.answer, 5, (), kwargs)
        raises(LocalProtocolError, protocol.fail, 5, "com.error", (), kwargs)
    assert wire.sent == []
    protocol.call("h", "com.procedure")
    protocol.answer(5)
    assert wire.sent == [[48, 2, {}, "com.procedure"], [70, 5, {}]]


def test_ids_are_sequential_over_all_requests():
    protocol, wire = ready()
    n = 2
    for _ in range(5):
        for code, send, _reply in REQUESTS[:5]:  # there is one subscription to take back
            n += 1
            assert send(protocol, object()) == n, code
            assert wire.sent[-1][:2] == [code, n], code
        n += 1
        assert protocol.publish(None, "com.topic") == n


def test_ids_are_not_burned_by_a_send_that_fails():
    for error in (LocalProtocolError("too long"), TransportLost("gone")):
        for code, send, reply in REQUESTS:
            protocol, wire = ready()
            wire.error = error
            assert raises(type(error), send, protocol, "failed") is error, code
            wire.error = None
            assert send(protocol, "sent") == 3, code
            assert protocol.receive(reply(3))[1] == "sent", code
            assert protocol.end() == [], code


def test_ids_wrap():
    protocol, wire = ready()
    protocol._last = messages.ID_MAX - 1
    assert protocol.call("a", "com.procedure") == 1 << 53
    assert protocol.call("b", "com.procedure") == 1
    assert protocol.call("c", "com.procedure") == 2
    for n, handle in ((1 << 53, "a"), (2, "c"), (1, "b")):
        assert protocol.receive([50, n, {}])[:2] == (ANSWERED, handle)


def test_limit_of_pending_requests():
    protocol, wire = joined(requests=5)
    for n in range(5):
        protocol.call(n, "com.procedure")
    for code, send, _ in REQUESTS[:4]:
        error = raises(LocalProtocolError, send, protocol, "surplus")
        assert "5 requests" in str(error), code
    # What waits for no answer takes no place.
    assert protocol.publish(None, "com.topic") == 6
    protocol.receive([50, 3, {}])
    assert protocol.call("again", "com.procedure") == 7
    raises(LocalProtocolError, protocol.call, "surplus", "com.procedure")
    protocol.forget(1)
    assert protocol.call("again", "com.procedure") == 8
    # Ids 1 and 3 have gone: the handles 0 and 2.
    assert sorted(protocol.end(), key=str) == [1, 3, 4, "again", "again"]


def test_limit_keeps_a_subscription():
    protocol, wire = joined(requests=1)
    subscribed(protocol, wire)
    protocol.call("h", "com.procedure")
    raises(LocalProtocolError, protocol.unsubscribe, "h", 77, "entry")
    assert protocol.receive([36, 77, 1, {}])[1] == ["entry"]


def test_requests_without_a_session():
    closed = Protocol(Wire().send)
    leaving, wire = joined()
    leaving.leave()
    aborted, wire = joined()
    aborted.abort("com.reason")
    for protocol in (closed, joining()[0], leaving, aborted):
        for code, send, _ in REQUESTS[:4]:
            error = raises(LocalProtocolError, send, protocol, "h")
            assert messages.LAYOUT[code][0] in str(error), code
        raises(LocalProtocolError, protocol.publish, None, "com.topic")
        raises(LocalProtocolError, protocol.unsubscribe, "h", 77, "entry")
        raises(LocalProtocolError, protocol.unregister, "h", 88)
        assert protocol.end() == []


# -- replies


def test_replies():
    for code, send, reply in REQUESTS:
        protocol, wire = ready()
        n = send(protocol, "handle")
        report = protocol.receive(reply(n))
        if code == 48:
            assert report == (ANSWERED, "handle", (), {}, {})
        else:
            id = {34: 77, 66: 88}.get(code, 17)
            assert report == (DONE, "handle", id), code
        assert protocol.end() == [], code


def test_results():
    for rest, args, kwargs in (
        ([], (), {}),
        ([[]], (), {}),
        ([None], (), {}),
        ([[1]], [1], {}),
        ([[None]], [None], {}),
        ([None, {"x": 1}], (), {"x": 1}),
        ([[1, 2], None], [1, 2], {}),
        ([[1], {"x": 1}], [1], {"x": 1}),
    ):
        protocol, wire = joined()
        protocol.call("handle", "com.procedure")
        details = {"callee": 1}
        report = protocol.receive([50, 1, details] + rest)
        assert list(report[2]) == list(args), rest
        assert report[:2] == (ANSWERED, "handle") and report[3:] == (kwargs, details), rest


def test_errors():
    for code, send, _ in REQUESTS:
        for rest, args, kwargs in (
            ([], (), {}),
            ([[1, "two"]], (1, "two"), {}),
            ([None, {"x": 1}], (), {"x": 1}),
            ([[1], {"x": 1}], (1,), {"x": 1}),
            ([b"opaque"], (b"opaque",), {}),
        ):
            protocol, wire = ready()
            n = send(protocol, "handle")
            wire.take()
            kind, handle, error = protocol.receive([8, code, n, {}, "com.error"] + rest)
            assert (kind, handle) == (FAILED, "handle"), (code, rest)
            assert type(error) is ApplicationError and error.error == "com.error"
            assert (error.args, error.kwargs) == (args, kwargs), (code, rest)
            assert error.details == {}
            assert protocol.state == ESTABLISHED and wire.sent == []


def test_error_uris_that_are_odd():
    for uri in ("", "with space", "Upper.CASE", "x" * 300):
        protocol, wire = joined()
        protocol.call("handle", "com.procedure")
        assert protocol.receive([8, 48, 1, {}, uri])[2].error == uri


def test_forget():
    for code, send, reply in REQUESTS:
        protocol, wire = ready()
        n = send(protocol, "handle")
        assert protocol.forget(n) == "handle", code
        assert protocol.forget(n) is None, code
        assert protocol.forget(999) is None, code
        dropped = protocol.dropped
        assert protocol.receive(reply(n)) is None, code
        assert protocol.receive([8, code, n, {}, "com.error"]) is None, code
        assert protocol.dropped == dropped + 2, code
        assert protocol.end() == [], code


# -- the end


def test_goodbye_of_the_router():
    for goodbye in (
        [6, {}, "wamp.close.system_shutdown"],
        [6, {"message": "bye"}, "wamp.close.killed", [1], {"x": 1}],
    ):
        for error in (None, TransportLost("gone")):
            protocol, wire = ready()
            protocol.call("a", "com.procedure")
            protocol.publish("b", "com.topic")
            wire.take()
            wire.error = error
            report = protocol.receive(goodbye)
            assert report[0] == ENDED and type(report[1]) is SessionAborted
            assert report[1].reason == goodbye[2]
            if error is None:
                assert wire.sent == [[6, {}, "wamp.close.goodbye_and_out"]]
            assert protocol.state == CLOSED
            assert sorted(protocol.end()) == ["a", "b"]


def test_abort_of_the_router():
    # An ABORT is never answered, whatever it looks like.
    for abort, reason in (
        ([3, {}, "com.reason"], "com.reason"),
        ([3, {}, "com.reason", None, {}], "com.reason"),
        ([3, {}, "not a URI"], "not a URI"),
        ([3, {}, None], "unknown"),
        ([3, {}, 5], "unknown"),
        ([3, [], "com.reason"], "unknown"),
        ([3, {1: 2}, "com.reason"], "unknown"),
        ([3], "unknown"),
        ([3, {}, "com.reason", [], {}, 1], "unknown"),
    ):
        for protocol, wire in (joining(), joined()):
            report = protocol.receive(abort)
            assert report[0] == ENDED and type(report[1]) is SessionAborted, abort
            assert report[1].reason == reason, abort
            assert wire.sent == [] and protocol.state == CLOSED, abort


def test_leaving():
    for reason, last in (
        (None, [6, {}, "wamp.close.goodbye_and_out"]),
        ("com.reason", [3, {}, "x"]),
    ):
        protocol, wire = ready()
        assert protocol.call("handle", "com.procedure") == 3
        wire.take()
        if reason:
            protocol.leave(reason)
        else:
            protocol.leave()
        assert wire.sent == [[6, {}, reason or "wamp.close.close_realm"]]
        assert protocol.state == SHUTTING_DOWN
        protocol.leave()
        # Only GOODBYE and ABORT count; nothing else is looked at, not even what is malformed.
        for message in (
            [36, 77, 1, {}],
            [50, 3, {}],
            [50, 999, {}],
            [68, 1, 88, {}],
            [68, 1, 99, {}],
            WELCOME,
            [4, "ticket", {}],
            [99],
            [],
            None,
        ):
            assert protocol.receive(message) is None, message
        assert protocol.receive(last) == (ENDED, None)
        assert protocol.state == CLOSED and len(wire.sent) == 1
        assert protocol.end() == ["handle"]


def test_leave_without_a_session():
    for protocol, wire in (joining(), (Protocol(wire_of_none), Wire())):
        protocol.leave()
        assert wire.sent == []


def wire_of_none(message):
    raise AssertionError("nothing may be sent: %r" % message)


def test_leave_that_cannot_be_sent():
    protocol, wire = joined()
    wire.error = TransportLost("gone")
    assert raises(TransportLost, protocol.leave) is wire.error
    assert protocol.state == ESTABLISHED


def test_nothing_is_sent_after_the_end():
    endings = (
        lambda p: p.leave(),
        lambda p: p.abort("com.reason"),
        lambda p: p.abandon(),
        lambda p: p.violation(RemoteProtocolError("x")),
        lambda p: p.receive([99]),
        lambda p: p.receive([3, {}, "com.reason"]),
        lambda p: p.receive([6, {}, "com.reason"]),
        lambda p: p.end(),
    )
    for i, ending in enumerate(endings):
        protocol, wire = ready()
        protocol.receive([68, 1, 88, {}])
        protocol.receive([68, 2, 88, {}])
        ending(protocol)
        n = len(wire.sent)
        protocol.answer(1, [1])
        protocol.fail(2, "com.error")
        protocol.leave()
        protocol.authenticate("x", {})
        protocol.receive([68, 3, 99, {}])
        protocol.receive([99])
        protocol.receive([4, "ticket", {}])
        for _, send, _ in REQUESTS[:4]:
            raises(LocalProtocolError, send, protocol, "h")
        protocol.violation(RemoteProtocolError("x"))
        protocol.abort("com.reason")
        protocol.abandon()
        protocol.receive([6, {}, "com.reason"])
        assert len(wire.sent) == n, (i, wire.sent[n:])
        assert protocol.state == CLOSED, i


def test_closed_is_for_good():
    protocol, wire = joined()
    protocol.abort("com.reason")
    for message in (WELCOME, [36, 1, 1, {}], [99], None, [3, {}, "x"], [6, {}, "x"]):
        assert protocol.receive(message) is None, message
    assert protocol.state == CLOSED and len(wire.sent) == 1


def test_end_gives_every_handle_once():
    protocol, wire = ready()
    for i, (_, send, _) in enumerate(REQUESTS):
        send(protocol, i)
    assert sorted(protocol.end()) == [0, 1, 2, 3, 4, 5]
    assert protocol.end() == []
    assert protocol.state == CLOSED and protocol.session is None


def test_a_new_session_starts_anew():
    protocol, wire = ready()
    protocol.receive([68, 5, 88, {}])
    protocol.call("lost", "com.procedure")
    assert protocol.end() == ["lost"]
    wire.take()
    protocol.join("devices")
    assert protocol.receive([2, 2, {"roles": ROLES}])[0] == JOINED
    assert protocol.session == 2
    # Request ids, subscriptions, registrations and invocations are the session's.
    assert protocol.receive([36, 77, 1, {}]) is None
    protocol.answer(5)
    assert [m[0] for m in wire.take()] == [1]
    assert protocol.receive([68, 5, 88, {}]) is None
    assert wire.take() == [[8, 68, 5, {}, "wamp.error.no_such_registration"]]
    assert protocol.call("new", "com.procedure") == 1
    assert protocol.receive([50, 1, {}])[1] == "new"
    assert protocol.receive([50, 2, {}])[0] == ENDED
