"""Calls and invocations in more than one message: progress, parts, cancelling, interruption."""

from helpers import raises
from wire import joined, registered

from wamp.errors import LocalProtocolError, RemoteProtocolError, TransportLost
from wamp.session import (
    ANSWERED,
    CONTINUED,
    DONE,
    ENDED,
    ESTABLISHED,
    FAILED,
    INTERRUPTED,
    INVOKED,
    JOINED,
    PROGRESSED,
)

PARTS = "progressive_call_invocations"
CANCELED = "wamp.error.canceled"
MORE = {"progress": True}


def ready(**options):
    """(protocol, wire) with registration 88, at a router that can do all, after request 1."""
    protocol, wire = joined(PARTS, "call_canceling", "call_timeout", **options)
    registered(protocol, wire)
    return protocol, wire


def dropped(protocol, wire, message):
    """The message is counted and changes nothing."""
    n = protocol.dropped
    sent = len(wire.sent)
    assert protocol.receive(message) is None, message
    assert protocol.dropped == n + 1, message
    assert protocol.state == ESTABLISHED and len(wire.sent) == sent, message


# -- progressive results, as a caller


def test_progressive_results():
    protocol, wire = joined()
    n = protocol.call("h", "com.x", [1], None, {"receive_progress": True})
    assert wire.take() == [[48, n, {"receive_progress": True}, "com.x", [1]]]
    for rest, args, kwargs in (
        ([], (), {}),
        ([[1]], [1], {}),
        ([None, {"x": 1}], (), {"x": 1}),
        ([[], {}], (), {}),
    ):
        report = protocol.receive([50, n, MORE] + rest)
        assert report[:2] == (PROGRESSED, "h") and list(report[2]) == list(args), rest
        assert report[3:] == (kwargs, MORE), rest
    # The last result may be empty, and ends it.
    assert protocol.receive([50, n, {}]) == (ANSWERED, "h", (), {}, {})
    dropped(protocol, wire, [50, n, MORE])
    dropped(protocol, wire, [50, n, {}])
    assert protocol.end() == []


def test_progress_ends_with_an_error_or_with_the_session():
    protocol, wire = joined()
    for handle in "ab":
        protocol.call(handle, "com.x", None, None, {"receive_progress": True})
    assert protocol.receive([50, 1, MORE, [1]])[0] == PROGRESSED
    assert protocol.receive([8, 48, 1, {}, "com.error"])[:2] == (FAILED, "a")
    assert protocol.receive([50, 2, MORE, [1]])[0] == PROGRESSED
    assert protocol.end() == ["b"]


def test_progress_after_it_was_forgotten():
    protocol, wire = joined()
    n = protocol.call("h", "com.x", None, None, {"receive_progress": True})
    assert protocol.forget(n) == "h"
    dropped(protocol, wire, [50, n, MORE, [1]])
    dropped(protocol, wire, [50, n, {}])


# -- calls in parts, as a caller


def test_a_call_in_parts():
    protocol, wire = ready()
    n = protocol.call("h", "com.x", [1], None, MORE)
    assert protocol.call_on(n, "com.x", [2], {"x": 1}, MORE) is True
    assert protocol.call_on(n, "com.x", [3]) is True
    assert wire.take() == [
        [48, n, MORE, "com.x", [1]],
        [48, n, MORE, "com.x", [2], {"x": 1}],
        [48, n, {}, "com.x", [3]],
    ]
    error = raises(LocalProtocolError, protocol.call_on, n, "com.x")
    assert "last part" in str(error), error
    # Requests between the parts have numbers of their own.
    assert protocol.call("other", "com.y") == n + 1
    assert protocol.receive([50, n, {}, [4]])[:3] == (ANSWERED, "h", [4])
    assert protocol.call_on(n, "com.x") is False
    assert len(wire.sent) == 1


def test_parts_stop_at_the_answer():
    for answer, kind in (([50, 2, {}], ANSWERED), ([8, 48, 2, {}, "com.error"], FAILED)):
        protocol, wire = ready()
        n = protocol.call("h", "com.x", None, None, MORE)
        assert protocol.receive(answer)[:2] == (kind, "h")
        wire.take()
        assert protocol.call_on(n, "com.x", [2], None, MORE) is False
        assert wire.sent == []


def test_parts_stop_when_it_was_cancelled_or_forgotten_or_is_no_call():
    protocol, wire = ready()
    n = protocol.call("h", "com.x", None, None, MORE)
    protocol.cancel(n)
    wire.take()
    assert protocol.call_on(n, "com.x") is False
    protocol.forget(n)
    assert protocol.call_on(n, "com.x") is False
    assert protocol.call_on(999, "com.x") is False
    n = protocol.publish("h", "com.x")
    assert protocol.call_on(n, "com.x") is False
    assert [m[0] for m in wire.sent] == [16]


def test_parts_only_for_a_router_that_announces_them():
    protocol, wire = joined("call_canceling")
    error = raises(LocalProtocolError, protocol.call, "h", "com.x", None, None, MORE)
    assert PARTS in str(error), error
    error = raises(LocalProtocolError, protocol.call, "h", "com.x", None, None, {"timeout": 5})
    assert "call_timeout" in str(error), error
    assert wire.sent == [] and protocol.end() == []
    protocol, wire = ready()
    protocol.call("h", "com.x", None, None, {"timeout": 5, "progress": False})
    assert wire.sent == [[48, 2, {"timeout": 5, "progress": False}, "com.x"]]


def test_a_part_that_cannot_be_sent():
    protocol, wire = ready()
    n = protocol.call("h", "com.x", None, None, MORE)
    for error in (LocalProtocolError("too long"), TransportLost("gone")):
        wire.error = error
        assert raises(type(error), protocol.call_on, n, "com.x", ["x" * 999]) is error
    wire.error = None
    assert protocol.call_on(n, "com.x") is True
    assert protocol.receive([50, n, {}])[:2] == (ANSWERED, "h")


# -- cancelling


def test_cancel():
    for mode in ("skip", "kill", "killnowait"):
        protocol, wire = ready()
        n = protocol.call("h", "com.x", None, None, {"receive_progress": True})
        wire.take()
        assert protocol.cancel(n, mode) is True
        assert wire.take() == [[49, n, {"mode": mode}]]
        # What crosses it is of no use; the handle waits for the end.
        dropped(protocol, wire, [50, n, MORE, [1]])
        kind, handle, error = protocol.receive([8, 48, n, {}, CANCELED])
        assert (kind, handle, error.error) == (FAILED, "h", CANCELED)
        assert protocol.cancel(n, mode) is False
        assert wire.sent == [] and protocol.end() == []


def test_cancel_is_not_always_heard():
    protocol, wire = ready()
    n = protocol.call("h", "com.x")
    protocol.cancel(n, "kill")
    # The result crossed it, or the callee finished all the same.
    assert protocol.receive([50, n, {}, [5]])[:3] == (ANSWERED, "h", [5])
    n = protocol.call("h", "com.x")
    protocol.cancel(n, "skip")
    # crossbar says nothing to this.
    assert protocol.forget(n) == "h" and protocol.forget(n) is None
    dropped(protocol, wire, [8, 48, n, {}, CANCELED])


def test_cancel_again_with_another_mode():
    protocol, wire = ready()
    n = protocol.call("h", "com.x")
    assert protocol.cancel(n, "kill") is True
    assert protocol.cancel(n) is True
    assert [m[2] for m in wire.sent[1:]] == [{"mode": "kill"}, {"mode": "killnowait"}]


def test_what_cannot_be_cancelled():
    protocol, wire = joined(PARTS)
    n = protocol.call("h", "com.x")
    assert protocol.cancel(n) is False  # the router does not announce it
    protocol, wire = ready()
    call = protocol.call("h", "com.x")
    publication = protocol.publish("h", "com.x")
    wire.take()
    for request in (publication, 99, 0, 1):
        assert protocol.cancel(request) is False, request
    for mode in (None, "", "abort", "Kill", 1, ["kill"]):
        raises(LocalProtocolError, protocol.cancel, call, mode)
    assert wire.sent == []
    protocol.leave()
    assert protocol.cancel(call) is False
    assert [m[0] for m in wire.sent] == [6]


def test_cancel_that_cannot_be_sent():
    protocol, wire = ready()
    n = protocol.call("h", "com.x", None, None, {"receive_progress": True})
    wire.error = TransportLost("gone")
    assert raises(TransportLost, protocol.cancel, n) is wire.error
    wire.error = None
    assert protocol.receive([50, n, MORE, [1]])[0] == PROGRESSED
    assert protocol.end() == ["h"]


# -- progressive results, as a callee


def test_progress_of_an_invocation():
    protocol, wire = ready()
    protocol.receive([68, 5, 88, {"receive_progress": True}])
    options = {"x_y": 1}
    assert protocol.progress(5, [1]) is True
    assert protocol.progress(5, None, {"x": 2}, options) is True
    assert protocol.progress(5) is True
    assert options == {"x_y": 1}
    protocol.answer(5, [3])
    assert protocol.progress(5, [4]) is False
    assert wire.sent == [
        [70, 5, MORE, [1]],
        [70, 5, {"x_y": 1, "progress": True}, [], {"x": 2}],
        [70, 5, MORE],
        [70, 5, {}, [3]],
    ]


def test_progress_that_nobody_wants():
    protocol, wire = ready()
    for request, details in ((5, {}), (6, {"receive_progress": 1}), (7, {"progress": False})):
        protocol.receive([68, request, 88, details])
        assert protocol.progress(request, [1]) is False, details
    assert protocol.progress(99, [1]) is False
    protocol.receive([68, 8, 88, {"receive_progress": True}])
    protocol.leave()
    assert protocol.progress(8, [1]) is False
    assert [m[0] for m in wire.sent] == [6]


def test_progress_that_cannot_be_sent():
    protocol, wire = ready()
    protocol.receive([68, 5, 88, {"receive_progress": True}])
    wire.error = LocalProtocolError("too long")
    assert raises(LocalProtocolError, protocol.progress, 5, ["x" * 999]) is wire.error
    wire.error = None
    assert protocol.progress(5, ["x"]) is True
    protocol.fail(5, "com.error")
    assert wire.sent == [[70, 5, MORE, ["x"]], [8, 68, 5, {}, "com.error"]]


# -- interruption


def test_an_interrupted_invocation_is_answered_once():
    protocol, wire = ready()
    protocol.receive([68, 5, 88, {"receive_progress": True}])
    for _ in range(2):
        assert protocol.receive([69, 5, {"mode": "killnowait"}]) == (INTERRUPTED, 5, "killnowait")
        # Who interrupts wants no more results.
        assert protocol.progress(5, [1]) is False
    protocol.fail(5, CANCELED)
    protocol.fail(5, CANCELED)
    protocol.answer(5, [1])
    assert wire.sent == [[8, 68, 5, {}, CANCELED]]
    dropped(protocol, wire, [69, 5, {}])


# -- invocations in parts


def test_an_invocation_in_parts():
    protocol, wire = ready()
    first = {"progress": True, "receive_progress": True}
    assert protocol.receive([68, 5, 88, first, [1]]) == (INVOKED, "entry", 5, first, [1], {})
    assert protocol.progress(5, [1]) is True
    for rest, args, kwargs in (([], (), {}), ([[2], {"x": 1}], [2], {"x": 1})):
        report = protocol.receive([68, 5, 88, MORE] + rest)
        assert report[:4] == (CONTINUED, "entry", 5, MORE), rest
        assert list(report[4]) == list(args) and report[5] == kwargs
    # What the first part said of progress holds.
    assert protocol.progress(5, [2]) is True
    assert protocol.receive([68, 5, 88, {}, [3]]) == (CONTINUED, "entry", 5, {}, [3], {})
    protocol.answer(5, [4])
    assert [m[0] for m in wire.sent] == [70, 70, 70]
    # The number is free again.
    assert protocol.receive([68, 5, 88, {}])[0] == INVOKED


def test_no_part_after_the_last():
    for details in ({}, MORE):
        protocol, wire = ready()
        protocol.receive([68, 5, 88, MORE])
        protocol.receive([68, 5, 88, {}])
        kind, error = protocol.receive([68, 5, 88, details])
        assert kind == ENDED and type(error) is RemoteProtocolError, details


def test_parts_of_what_was_answered_early():
    for answer in (lambda p: p.answer(5, [1]), lambda p: p.fail(5, "com.error")):
        protocol, wire = ready()
        protocol.receive([68, 5, 88, MORE])
        answer(protocol)
        wire.take()
        # They were under way: neither a new call, nor answered a second time.
        dropped(protocol, wire, [68, 5, 88, MORE, [2]])
        dropped(protocol, wire, [68, 5, 88, MORE, [3]])
        dropped(protocol, wire, [68, 5, 88, {}, [4]])
        assert protocol.receive([68, 5, 88, {}, [5]])[0] == INVOKED


def test_parts_of_what_was_refused():
    protocol, wire = ready(invocations=1)
    protocol.receive([68, 1, 88, {}])
    for request, registration, error in (
        (2, 88, "wamp.error.unavailable"),
        (3, 99, "wamp.error.no_such_registration"),
    ):
        assert protocol.receive([68, request, registration, MORE]) is None
        assert wire.take() == [[8, 68, request, {}, error]]
        dropped(protocol, wire, [68, request, registration, MORE])
        dropped(protocol, wire, [68, request, registration, {}])


def test_calls_in_parts_that_were_answered_early_are_bounded():
    protocol, wire = ready()
    for n in range(1, 100):
        protocol.receive([68, n, 88, MORE])
        protocol.answer(n)
        assert len(protocol._early) <= 16
    dropped(protocol, wire, [68, 99, 88, {}])
    protocol.end()
    assert protocol._early == []


def test_an_invocation_in_parts_survives_its_registration():
    protocol, wire = ready()
    protocol.receive([68, 5, 88, MORE])
    protocol.receive([67, 0, {"registration": 88}])
    assert protocol.receive([68, 5, 88, {}, [2]])[:3] == (CONTINUED, "entry", 5)
    protocol.answer(5)
    assert wire.sent[-1] == [70, 5, {}]


# -- ids, sessions


def test_late_replies_after_the_ids_began_anew():
    protocol, wire = ready()
    protocol._last = (1 << 53) - 2
    a = protocol.call("a", "com.x")
    b = protocol.call("b", "com.x")
    assert (a, b) == ((1 << 53) - 1, 1 << 53)
    protocol.forget(a)
    assert protocol.call("c", "com.x") == 1
    dropped(protocol, wire, [50, a, {}])
    assert protocol.receive([50, b, {}])[1] == "b"
    assert protocol.receive([50, 1, {}])[1] == "c"
    # In the next session nothing of that is left.
    protocol.end()
    protocol.join("devices")
    protocol.receive([2, 1, {"roles": {"dealer": {}}}])
    assert protocol.receive([50, 5, {}])[0] == ENDED


def test_a_new_session_on_the_same_transport():
    for polite in (True, False):
        protocol, wire = ready()
        protocol.call("lost", "com.x")
        protocol.receive([68, 5, 88, MORE])
        if polite:
            protocol.leave()
            assert protocol.receive([6, {}, "wamp.close.goodbye_and_out"]) == (ENDED, None)
        else:
            assert protocol.receive([6, {}, "wamp.close.close_realm"])[0] == ENDED
        raises(LocalProtocolError, protocol.call, "h", "com.x")
        assert protocol.end() == ["lost"]
        wire.take()
        protocol.join("devices", (), "agent")
        assert protocol.receive([2, 7, {"roles": {"broker": {}, "dealer": {}}}])[0] == JOINED
        assert protocol.call("h", "com.x") == 1
        assert protocol.register("h", "com.x", "again") == 2
        assert protocol.receive([65, 2, 88]) == (DONE, "h", 88)
        assert protocol.receive([68, 5, 88, {}])[:2] == (INVOKED, "again")
        assert not protocol.router_has("dealer", "call_canceling")
        assert [m[0] for m in wire.sent] == [1, 48, 64]
