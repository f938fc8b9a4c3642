"""The session under pseudo-random use, by a router that is honest, late, wrong or hostile.

Whatever happens, each handle comes back exactly once, request ids count from 1 without a gap,
nothing is sent after GOODBYE or ABORT, nothing is delivered outside of a session, each invocation
gets one answer at most, and `receive` never raises.
"""

from wamp import messages
from wamp.errors import (
    ApplicationError,
    Error,
    LocalProtocolError,
    RemoteProtocolError,
    TransportLost,
)
from wamp.session import (
    ANSWERED,
    CHALLENGED,
    CLOSED,
    CONTINUED,
    DONE,
    ENDED,
    ESTABLISHED,
    FAILED,
    HAPPENED,
    INTERRUPTED,
    INVOKED,
    JOINED,
    JOINING,
    PROGRESSED,
    REVOKED,
    SHUTTING_DOWN,
    Protocol,
)

REQUESTS_MAX = 12
INVOCATIONS_MAX = 5
REPLY = {16: 17, 32: 33, 34: 35, 48: 50, 64: 65, 66: 67}
FROM_CLIENT = (1, 3, 5, 6, 8, 16, 32, 34, 48, 49, 64, 66, 70)

# A router that can do all, in both roles.
ABLE = {
    "features": {
        "call_canceling": True,
        "progressive_call_invocations": True,
        "payload_passthru_mode": True,
    }
}
ROLES = {"broker": ABLE, "dealer": ABLE}
CALL_OPTIONS = (None, {"receive_progress": True}, {"progress": True})

VALUES = (
    None,
    True,
    0,
    1,
    -1,
    7,
    1 << 53,
    (1 << 53) + 1,
    1.0,
    "",
    "com.x",
    b"",
    b"x",
    [],
    [1],
    {},
    {"x": 1},
    {1: 2},
)


class Random:
    """A linear congruential generator: the same numbers on every interpreter."""

    def __init__(self, seed):
        self._state = seed * 2654435761 & 0xFFFFFFFF

    def below(self, n):
        self._state = (self._state * 1664525 + 1013904223) & 0xFFFFFFFF
        return (self._state >> 8) % n

    def one_of(self, values):
        return values[self.below(len(values))]


class Ticket:
    method = "ticket"

    def hello(self, details):
        details["authid"] = "joe"

    def welcome(self, details):
        pass


class Run:
    """One session after another on one Protocol, and what must be true of it."""

    def __init__(self, seed):
        self.random = Random(seed)
        self.seed = seed
        self.protocol = Protocol(self.send, REQUESTS_MAX, INVOCATIONS_MAX)
        self.handles = {}  # handle: times it came back
        self.accepted = set()  # handles whose request went out
        self.entries = set()  # entries that may be reported
        self.sessions = 0
        self.deliveries = 0
        self.progressed = 0
        self.continued = 0
        self.begin()

    def begin(self):
        self.sent = []
        self.hearing = False
        self.over = False  # GOODBYE or ABORT was sent, or ENDED reported
        self.ids = 0
        self.asked = []  # (code, request id) on the wire
        self.invoked = {}  # request id: whether it is open
        self.answers = 0
        self.parts = {}  # calls in parts that we began: whether more parts may go out
        self.granted = []  # ids of subscriptions and registrations
        self.subscriptions = []  # (id, entry)
        self.fail_next = 0
        self.last_invocation = 0

    def check(self, condition, *what):
        assert condition, ("seed %d" % self.seed, what, self.sent[-3:])

    # -- what the protocol sends

    def send(self, message):
        if self.fail_next:
            self.fail_next -= 1
            raise self.random.one_of((LocalProtocolError("too long"), TransportLost("gone")))
        code = messages.validate(message)
        self.check(code in FROM_CLIENT, message)
        self.check(not self.over, "sent after the end", message)
        self.sent.append(message)
        if code in (3, 6):
            self.over = True
        elif code == 48 and message[1] in self.parts:
            self.check(self.parts[message[1]], "a part after the last", message)
            self.parts[message[1]] = bool(message[2].get("progress"))
        elif code in REPLY:
            self.ids += 1
            self.check(message[1] == self.ids, "a gap in the ids", message)
            self.asked.append((code, message[1]))
            if code == 48 and message[2].get("progress"):
                self.parts[message[1]] = True
        elif code == 8 or code == 70:
            invocation = message[2] if code == 8 else message[1]
            # What the protocol refuses on its own it was asked anew.
            is_open = self.hearing or self.invoked[invocation]
            self.check(is_open, "an answer after the last", message)
            if code == 8 or not message[2].get("progress"):
                self.answers += 1

    # -- what the program does

    def request(self, function, *arguments):
        handle = object()
        self.handles[handle] = 0
        n = len(self.sent)
        try:
            function(handle, *arguments)
        except Error:
            self.check(len(self.sent) == n, "sent and raised")
            return False
        self.check(len(self.sent) == n + 1, "neither sent nor raised")
        self.accepted.add(handle)
        return True

    def back(self, handle):
        self.check(handle in self.accepted, "a handle that never went out")
        self.handles[handle] += 1
        self.check(self.handles[handle] == 1, "a handle came back twice")

    def operate(self):
        p = self.protocol
        what = self.random.below(20)
        if self.random.below(10) == 0:
            self.fail_next = 1
        if what < 2:
            self.request(p.call, "com.x", [1], {"x": 2}, self.random.one_of(CALL_OPTIONS))
        elif what < 4:
            self.request(p.publish, "com.x", [1])
        elif what == 4:
            try:
                p.publish(None, "com.x")
            except Error:
                pass
        elif what < 7:
            entry = object()
            if self.request(p.subscribe, "com.x", entry):
                self.entries.add(entry)
        elif what < 9:
            entry = object()
            if self.request(p.register, "com.x", entry):
                self.entries.add(entry)
        elif what == 9 and self.subscriptions:
            self.unsubscribe()
        elif what == 10 and self.granted:
            self.request(p.unregister, self.random.one_of(self.granted))
        elif what == 11 and self.asked:
            handle = p.forget(self.random.one_of(self.asked)[1])
            if handle is not None:
                self.back(handle)
        elif what < 15 and self.invoked:
            self.answer(self.random.one_of(sorted(self.invoked)))
        elif what > 15:
            self.go_on(what)
        elif self.random.below(30) == 0:
            self.end_it()
        self.fail_next = 0

    def go_on(self, what):
        """Cancel, or send one more part or one more result, of whatever there is."""
        r = self.random
        p = self.protocol
        n = len(self.sent)
        request = r.one_of(self.asked)[1] if self.asked else 1
        try:
            if what == 16:
                went = p.cancel(request, r.one_of(("skip", "kill", "killnowait")))
            elif what == 17:
                went = p.call_on(request, "com.x", [1], None, r.one_of((None, {"progress": True})))
            else:
                request = r.one_of(sorted(self.invoked)) if self.invoked else 1
                payload = r.one_of(([1], b"opaque"))
                options = {"ppt_scheme": "x_y"} if payload == b"opaque" else None
                went = p.progress(request, payload, None, options)
        except Error:
            self.check(len(self.sent) == n, "sent and raised")
            return
        self.check(len(self.sent) == n + went, what, went)

    def unsubscribe(self):
        pair = self.random.one_of(self.subscriptions)
        handle = object()
        self.handles[handle] = 0
        n = len(self.sent)
        try:
            went = self.protocol.unsubscribe(handle, pair[0], pair[1])
        except Error:
            self.check(len(self.sent) == n, "sent and raised")
            return
        self.check(len(self.sent) == n + went, went)
        if went:
            self.accepted.add(handle)
        self.subscriptions.remove(pair)
        self.entries.discard(pair[1])

    def answer(self, request):
        p = self.protocol
        n = self.answers
        was_open = self.invoked[request] and p.state == ESTABLISHED
        try:
            if self.random.below(2):
                p.answer(request, [1])
            else:
                p.fail(request, "com.error", [1])
        except Error:
            self.check(was_open and self.answers == n, "an answer")
            return
        self.check(self.answers == n + was_open, "answers to", request)
        self.invoked[request] = False

    def end_it(self):
        what = self.random.below(4)
        try:
            if what == 0:
                self.protocol.leave()
            elif what == 1:
                self.protocol.abort("com.reason")
            elif what == 2:
                self.protocol.abandon()
            else:
                report = self.protocol.violation(RemoteProtocolError("octets"))
                self.check(report[0] == ENDED, report)
        except Error:
            pass

    # -- what the router does

    def routed(self):
        """The router's next message."""
        r = self.random
        what = r.below(40)
        known = [1] + self.granted + [pair[0] for pair in self.subscriptions]
        id = r.one_of(known)
        if what < 16 and self.asked:
            code, request = r.one_of(self.asked[-REQUESTS_MAX:])
            return self.reply(code, request, self.new_id(code))
        if what < 22:
            return [36, id, 1, {}] + r.one_of(([], [[1]], [None, {"x": 1}], [b"opaque"]))
        if what < 28:
            self.last_invocation += 1
            request = self.last_invocation
            open_parts = self.protocol._invocations if r.below(3) == 0 else ()
            open_parts = sorted([n for n in open_parts if self.protocol._invocations[n][1] & 2])
            if open_parts:
                request = r.one_of(open_parts)
            elif r.below(30) == 0:
                request = 1 + r.below(self.last_invocation)
            details = r.one_of(({}, {}, {"receive_progress": True}, {"progress": True}))
            return [68, request, id, details] + r.one_of(([], [[1]], [None], [b"opaque"]))
        if what == 28:
            return [69, 1 + r.below(self.last_invocation + 1), {"mode": r.one_of(VALUES)}]
        if what == 29:
            name, code = r.one_of((("subscription", 35), ("registration", 67)))
            return [code, 0, {name: r.one_of(VALUES + (id, id, id))}]
        if what == 30 and r.below(8) == 0:
            return r.one_of(([6, {}, "com.close"], [3, {}, "com.reason"], [3, {}, None], [3]))
        if what == 31 and r.below(8) == 0:
            return self.mutated(self.reply(r.one_of(sorted(REPLY)), 1 + r.below(50), id))
        if what == 32 and r.below(8) == 0:
            return r.one_of(VALUES)
        if what == 33 and r.below(8) == 0:
            return [r.below(80)] + [r.one_of(VALUES) for _ in range(r.below(6))]
        if self.asked:
            code, request = self.asked[-1]
            return self.reply(code, request, self.new_id(code))
        return [36, id, 1, {}]

    def new_id(self, code):
        """Few for subscriptions, which share them; hardly ever a known one for registrations."""
        return 101 + self.random.below(5 if code == 32 else 2000)

    def reply(self, code, request, id):
        what = self.random.below(12)
        if what == 0:
            return [8, code, request, {}, "com.error", [1], {"x": 2}]
        if code == 48:
            details = {"progress": True} if what < 4 else {}
            return [50, request, details] + self.random.one_of(([], [[1]], [None, {"x": 1}]))
        if code == 34 or code == 66:
            return [REPLY[code], request]
        return [REPLY[code], request, id]

    def mutated(self, message):
        r = self.random
        message = list(message)
        if r.below(3) == 0:
            message.append(r.one_of(VALUES))
        elif r.below(2) and len(message) > 1:
            message.pop()
        else:
            message[r.below(len(message))] = r.one_of(VALUES)
        return message

    def hear(self, message):
        """Pass a message to the protocol and check what it reports."""
        p = self.protocol
        state = p.state
        sent = len(self.sent)
        self.hearing = True
        report = p.receive(message)
        self.hearing = False
        kind = None if report is None else report[0]
        if state == CLOSED:
            self.check(report is None and len(self.sent) == sent, "heard while closed", message)
            return
        if kind == ENDED:
            self.check(p.state == CLOSED, "ended and open", message)
            self.check(report[1] is None or isinstance(report[1], Error), report)
            self.check((report[1] is None) == (state == SHUTTING_DOWN), report)
            self.over = True
            return
        self.check(p.state == state or kind == JOINED, "the state changed", message)
        if kind == JOINED or kind == CHALLENGED:
            self.check(state == JOINING, report)
            return
        if report is None:
            self.check(len(self.sent) <= sent + 1, "more than one answer", message)
            return
        self.deliveries += 1
        self.check(state == ESTABLISHED, "delivered without a session", report)
        self.check(len(self.sent) == sent, "reported and answered", message)
        if kind in (DONE, ANSWERED, FAILED):
            self.back(report[1])
            if kind == FAILED:
                self.check(type(report[2]) is ApplicationError, report)
            elif message[0] == 33:
                entries = p._subscriptions[message[2]]
                self.subscriptions.append((message[2], entries[-1]))
            elif message[0] == 65:
                self.granted.append(message[2])
        elif kind == HAPPENED:
            self.check(len(report[1]) > 0, report)
            for entry in report[1]:
                self.check(entry in self.entries, "an event for an entry that was taken off")
        elif kind == INVOKED:
            self.check(report[1] in self.entries, report)
            self.check(not self.invoked.get(report[2]), "two invocations under one id")
            self.invoked[report[2]] = True
            running = [n for n in self.invoked if self.invoked[n]]
            self.check(len(running) <= INVOCATIONS_MAX, running)
        elif kind == CONTINUED:
            self.check(self.invoked.get(report[2]), "a part of what is answered", report)
            self.continued += 1
        elif kind == PROGRESSED:
            self.check(report[1] in self.accepted, report)
            self.check(self.handles[report[1]] == 0, "progress after the end", report)
            self.progressed += 1
        elif kind == REVOKED:
            for entry in report[1]:
                self.check(entry in self.entries, report)
                self.entries.discard(entry)
                self.subscriptions = [pair for pair in self.subscriptions if pair[1] is not entry]
        else:
            self.check(kind == INTERRUPTED and report[1] in self.invoked, report)

    # -- a session

    def session(self):
        self.begin()
        r = self.random
        p = self.protocol
        logins = (Ticket(),) if r.below(2) else ()
        p.join("devices", logins)
        self.check(self.sent[0][0] == 1 and p.state == JOINING, "HELLO")
        if r.below(4) == 0:
            self.hear([4, "ticket" if logins else "wampcra", {}])
            p.authenticate("x", {})
        if r.below(10) == 0:
            self.hear(self.routed())
        self.hear([2, 1 + r.below(1 << 20), {"roles": ROLES}])
        for _ in range(100):
            self.operate()
            self.operate()
            self.check(len(p._pending) <= REQUESTS_MAX, "pending")
            if r.below(30) == 0:
                self.fail_next = 1
            self.hear(self.routed())
            self.fail_next = 0
            if p.state == CLOSED:
                break
        # What is late, after the end or before it.
        for _ in range(5):
            self.operate()
        for handle in p.end():
            self.back(handle)
        for _ in range(3):
            self.operate()
            self.hear(self.routed())
        self.check(p.end() == [], "handles after the end")
        for handle in self.handles:
            times = 1 if handle in self.accepted else 0
            self.check(self.handles[handle] == times, "a handle never came back")
        self.handles = {}
        self.accepted = set()
        self.entries = set()
        self.sessions += 1


def test_pseudo_random_sessions():
    deliveries = 0
    progressed = 0
    continued = 0
    for seed in range(80):
        run = Run(seed)
        for _ in range(4):
            run.session()
        deliveries += run.deliveries
        progressed += run.progressed
        continued += run.continued
    # The runs have not all ended before anything happened.
    assert deliveries > 2000, deliveries
    assert progressed > 20 and continued > 20, (progressed, continued)


def test_a_router_that_only_sends_garbage():
    for seed in range(300):
        run = Run(seed)
        run.begin()
        run.protocol.join("devices")
        if seed % 2:
            run.hear([2, 1, {"roles": ROLES}])
        for _ in range(20):
            r = run.random
            message = [r.below(80)] + [r.one_of(VALUES) for _ in range(r.below(6))]
            run.hear(message)
        run.protocol.end()
