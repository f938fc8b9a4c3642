"""What a session does seldom: loaded when it is first needed, reached through `Protocol`.

Each function is a method of `session.Protocol`, whose `__getattr__` finds it here.
"""

from .errors import (
    AuthenticationError,
    Error,
    LocalProtocolError,
    RemoteProtocolError,
    SessionAborted,
    say,
)

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_ABORT = const(3)
_GOODBYE = const(6)
_CALL = const(48)
_CANCEL = const(49)
_UNSUBSCRIBE = const(34)
_UNSUBSCRIBED = const(35)
_UNREGISTER = const(66)
_INTERRUPT = const(69)
_YIELD = const(70)
_ENDED = const(3)
_INVOKED = const(8)
_INTERRUPTED = const(9)
_REVOKED = const(10)
_CONTINUED = const(12)
_CLOSED = const(0)
_JOINING = const(1)
_ESTABLISHED = const(2)
_SHUTTING_DOWN = const(3)
_WANTED = const(1)
_OPEN = const(2)
_STOPPED = const(4)


def leave(self, reason="wamp.close.close_realm", message=""):
    """Send GOODBYE; ENDED follows when the router has answered. After it and `end` the same
    transport can carry another session."""
    if self.state == _ESTABLISHED:
        self._send([_GOODBYE, {"message": message} if message else {}, reason])
        self.state = _SHUTTING_DOWN


def abort(self, reason, message=""):
    """Send ABORT and be done; nothing is sent after it, nor it after our GOODBYE."""
    state, self.state = self.state, _CLOSED
    if state == _JOINING or state == _ESTABLISHED:
        # Details only: autobahn and crossbar refuse an ABORT with arguments.
        self._send([_ABORT, {"message": message} if message else {}, reason])


def violation(self, error):
    """The router broke the protocol (also below: undecodable octets): tell it, and end.

    error: RemoteProtocolError. Returns (ENDED, error).
    """
    try:
        if isinstance(error, AuthenticationError):
            # Without reasons that could help an impostor.
            abort(self, "wamp.error.authentication_failed")
        else:
            abort(self, "wamp.error.protocol_violation", str(error)[:200])
    except Error:
        pass  # it cannot be told: the session ends all the same
    return (_ENDED, error)


def failed(self, message, error):
    """A message that was refused, or one of ours that could not be written."""
    if isinstance(error, (RemoteProtocolError, AuthenticationError)):
        if self.state == _SHUTTING_DOWN:
            return None
        if type(message) is not list or not message or message[0] != _ABORT:
            return violation(self, error)
        # An ABORT is never answered, however odd it is.
        error = SessionAborted("unknown", str(error))
    self.state = _CLOSED
    return (_ENDED, error)


def abandon(self):
    """Our side will not log in to this router: tell it with ABORT."""
    violation(self, AuthenticationError())


def router_has(self, role, feature):
    """Whether the router announced a feature, as router_has("dealer", "call_canceling")."""
    try:
        return self.details["roles"][role]["features"][feature] is True
    except (KeyError, TypeError):
        return False


# -- what programs ask for


def unsubscribe(self, handle, subscription, entry):
    """Take an entry from a subscription. Returns False when others are left (nothing sent)."""
    entries = self._subscriptions.get(subscription)
    if not entries or entry not in entries:
        raise say(LocalProtocolError, "gone", "subscription", subscription)
    if len(entries) > 1:
        entries.remove(entry)
        return False
    self._request(handle, subscription, [_UNSUBSCRIBE, 0, subscription])
    # Events that are under way already must not reach a handler that was taken off.
    del self._subscriptions[subscription]
    return True


def unregister(self, handle, registration):
    """UNREGISTER; calls that are under way may still come until DONE."""
    if registration not in self._registrations:
        raise say(LocalProtocolError, "gone", "registration", registration)
    return self._request(handle, registration, [_UNREGISTER, 0, registration])


def call_on(self, request, procedure, args=None, kwargs=None, options=None):
    """One more part of a call that began with `progress`; the last comes without.

    The options of the first part hold for all; only octets are described with each. Returns
    False, and sends nothing, when the call is over or cancelled.
    """
    found = self._pending.get(request)
    if self.state != _ESTABLISHED or found is None or found[0] != _CALL:
        return False
    flags = found[2]
    if flags & _STOPPED:
        return False
    if not flags & _OPEN:
        raise say(LocalProtocolError, "last", request)
    options = options or {}
    self._send(self._filled([_CALL, request, options, procedure], 2, args, kwargs))
    if not options.get("progress"):
        self._pending[request] = (_CALL, found[1], flags & ~_OPEN)
    return True


def cancel(self, request, mode="killnowait"):
    """CANCEL a call. Its handle stays pending, but PROGRESSED is not reported any more.

    kill: the callee is interrupted, and its answer, mostly an ERROR, is the call's. killnowait:
    it is interrupted, and the router answers at once. skip: the router answers at once, and the
    callee is left alone; crossbar does not answer then: `forget` the request. Returns False, and
    sends nothing, when the call is over or the router cannot cancel.
    """
    if mode not in ("skip", "kill", "killnowait"):
        raise say(LocalProtocolError, "mode", mode)
    found = self._pending.get(request)
    if self.state != _ESTABLISHED or found is None or found[0] != _CALL:
        return False
    if not router_has(self, "dealer", "call_canceling"):
        return False
    self._send([_CANCEL, request, {"mode": mode}])
    self._pending[request] = (_CALL, found[1], found[2] | _STOPPED)
    return True


def progress(self, request, args=None, kwargs=None, options=None):
    """YIELD with `progress`: one result of several. Returns False, and sends nothing, when the
    caller asked for none, has cancelled, or is answered."""
    found = self._invocations.get(request)
    if found is None or found[1] & (_WANTED | _STOPPED) != _WANTED:
        return False
    if self.state != _ESTABLISHED:
        return False
    options = dict(options or {})
    options["progress"] = True
    self._send(self._filled([_YIELD, request, options], 2, args, kwargs))
    return True


# -- what the router says seldom


def heard(self, code, message):
    """INTERRUPT, GOODBYE, ABORT, what must not come, and what comes while we leave."""
    state = self.state
    if code == _INTERRUPT and state == _ESTABLISHED:
        found = self._invocations.get(message[1])
        if found is None:
            self.dropped += 1
            return None
        self._invocations[message[1]] = (found[0], found[1] | _STOPPED)
        mode = message[2].get("mode")
        return (_INTERRUPTED, message[1], mode if mode == "killnowait" else "kill")
    if code == _GOODBYE or code == _ABORT:
        if code == _GOODBYE and state == _ESTABLISHED:
            try:
                self._send([_GOODBYE, {}, "wamp.close.goodbye_and_out"])
            except Error:
                self.dropped += 1  # the transport went first
        self.state = _CLOSED
        if state == _SHUTTING_DOWN:
            return (_ENDED, None)
        text = message[1].get("message")
        text = text[:200] if type(text) is str else ""
        return (_ENDED, SessionAborted(message[2], text))
    if state == _SHUTTING_DOWN:
        return None  # only the router's GOODBYE counts (session state 14)
    raise say(RemoteProtocolError, "joined" if state == _ESTABLISHED else "before", code)


def revoked(self, code, message):
    """UNSUBSCRIBED or UNREGISTERED with request 0: the router took back what it had granted."""
    if message[1]:
        raise say(RemoteProtocolError, "details", code)
    details = message[2] if len(message) > 2 else {}
    what = details.get("subscription" if code == _UNSUBSCRIBED else "registration")
    entries = None
    if type(what) is int:
        if code == _UNSUBSCRIBED:
            entries = self._subscriptions.pop(what, None)
        elif what in self._registrations:
            entries = [self._registrations.pop(what)]
    if entries is None:
        self.dropped += 1
        return None
    reason = details.get("reason")
    return (_REVOKED, entries, reason if type(reason) is str else "")


def invoked(self, message, args, kwargs):
    """An INVOCATION in parts, or one that is refused."""
    _, request, registration, details = message[:4]
    is_open = details.get("progress") is True
    flags = _OPEN if is_open else 0
    running = self._invocations.get(request)
    error = None
    if running is not None:
        if not running[1] & _OPEN:
            raise say(RemoteProtocolError, "running", request)
        entry = running[0]
        flags |= running[1] & ~_OPEN
    elif request in self._early:
        # It is answered: what was under way then is of no use.
        self.dropped += 1
        if not is_open:
            self._early.remove(request)
        return None
    else:
        entry = self._registrations.get(registration)
        if details.get("receive_progress") is True:
            flags |= _WANTED
        if entry is None:
            error = "wamp.error.no_such_registration"
        elif len(self._invocations) >= self._invocations_max:
            error = "wamp.error.unavailable"
    if error is None and args is None:
        error = "wamp.error.invalid_argument"  # no octets where they should be
    self._invocations[request] = (entry, flags)
    if error is None:
        report = _INVOKED if running is None else _CONTINUED
        return (report, entry, request, details, args, kwargs)
    self.dropped += 1
    self.fail(request, error)
    # Who has begun with it should stop.
    return None if running is None else (_INTERRUPTED, request, "killnowait")
