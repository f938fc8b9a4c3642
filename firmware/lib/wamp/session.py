"""A WAMP session, from HELLO to GOODBYE, on messages as lists (WAMP basic profile, client's side).

Pure: the owner passes each received message to `receive`, which says what happened as a tuple, and
gives a function `send(message)` that encodes and writes one message or raises. Nothing here knows
octets, sockets or clocks, and no code of the user is called from here.

Every request carries a handle, any object of the owner's. Each handle comes back exactly once: in
DONE, ANSWERED or FAILED, or from `forget` or `end`.

`tables` says what each report has, and has the names of reports and states; they can be had from
here too. What is used here is repeated as constants, which cost a board no memory.
"""

from .errors import (
    ApplicationError,
    AuthenticationError,
    Error,
    LocalProtocolError,
    RemoteProtocolError,
    SessionAborted,
    say,
)
from .messages import ID_MAX, validate

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_HELLO = const(1)
_WELCOME = const(2)
_ABORT = const(3)
_CHALLENGE = const(4)
_AUTHENTICATE = const(5)
_GOODBYE = const(6)
_ERROR = const(8)
_PUBLISH = const(16)
_PUBLISHED = const(17)
_SUBSCRIBE = const(32)
_SUBSCRIBED = const(33)
_UNSUBSCRIBE = const(34)
_UNSUBSCRIBED = const(35)
_EVENT = const(36)
_CALL = const(48)
_CANCEL = const(49)
_RESULT = const(50)
_REGISTER = const(64)
_REGISTERED = const(65)
_UNREGISTER = const(66)
_UNREGISTERED = const(67)
_INVOCATION = const(68)
_INTERRUPT = const(69)
_YIELD = const(70)

_CHALLENGED = const(1)
_JOINED = const(2)
_ENDED = const(3)
_DONE = const(4)
_ANSWERED = const(5)
_FAILED = const(6)
_HAPPENED = const(7)
_INVOKED = const(8)
_INTERRUPTED = const(9)
_REVOKED = const(10)
_PROGRESSED = const(11)
_CONTINUED = const(12)

_CLOSED = const(0)
_JOINING = const(1)
_ESTABLISHED = const(2)
_SHUTTING_DOWN = const(3)

# What is kept of a call and of an invocation, beside whose it is
_WANTED = const(1)  # its caller wants progressive results
_OPEN = const(2)  # further parts of it will come
_STOPPED = const(4)  # it was cancelled

# Calls in parts that were answered before their last part came, and are still remembered so that
# the parts that were under way are not taken for new calls. A caller stops at the answer.
_EARLY = const(16)


class Protocol:
    """One session.

    send: function that takes a message (a list) and writes it whole, or raises and writes nothing.
    requests: most requests that may wait for an answer at a time. invocations: most calls of our
    procedures that may be under way; a router that sends more is answered with
    `wamp.error.unavailable`. Both bound the memory a flood can take: 128 small ones are about
    40 kB on a microcontroller.

    Payloads: args is a list or tuple and kwargs a dictionary; or args is octets and kwargs None,
    with `ppt_*` or `enc_*` in options and details (payload passthru). Options are taken as checked
    by `messages.check_options`.
    """

    def __init__(self, send, requests=128, invocations=128):
        self._send = send
        self._requests = requests
        self._invocations_max = invocations
        self.details = None  # of WELCOME
        self.dropped = 0  # messages that came too late, or that nobody asked for
        self._pending = {}
        self.end()

    # -- joining and leaving

    def join(self, realm, auth=(), agent=None):
        """Send HELLO. auth: authenticators in the order of preference; none means anonymous.

        Raises LocalProtocolError in a session that is not closed.
        """
        if self.state != _CLOSED:
            raise say(LocalProtocolError, "open")
        from .joining import Joining

        joining = Joining(auth)
        self._send([_HELLO, realm, joining.hello(agent)])
        self._joining = joining
        self.state = _JOINING

    def authenticate(self, signature, extra):
        """Answer CHALLENGED. signature: text; extra: dictionary."""
        if self.state == _JOINING:
            self._send([_AUTHENTICATE, signature, extra])

    def leave(self, reason="wamp.close.close_realm"):
        """Send GOODBYE; ENDED follows when the router has answered. After it and `end` the same
        transport can carry another session."""
        if self.state == _ESTABLISHED:
            self._send([_GOODBYE, {}, reason])
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
                self.abort("wamp.error.authentication_failed")
            else:
                self.abort("wamp.error.protocol_violation", str(error)[:200])
        except Error:
            pass  # it cannot be told: the session ends all the same
        return (_ENDED, error)

    def abandon(self):
        """Our side will not log in to this router: tell it with ABORT."""
        self.violation(AuthenticationError())

    def end(self):
        """The session or its transport is gone: returns the handles of all open requests."""
        handles = [p[1] for p in self._pending.values()]
        self.state = _CLOSED
        self.session = None  # its id
        self._joining = None
        self._last = 0  # the request id used last
        self._highest = 0  # 2^53 once the request ids have begun anew
        self._pending = {}  # request id: (code, handle, entry, id or flags)
        self._subscriptions = {}  # subscription id: [entry]
        self._registrations = {}  # registration id: entry
        self._invocations = {}  # request id: (entry, flags)
        self._early = []  # request ids, see _EARLY
        return handles

    def router_has(self, role, feature):
        """Whether the router announced a feature, as router_has("dealer", "call_canceling")."""
        try:
            return self.details["roles"][role]["features"][feature] is True
        except (KeyError, TypeError):
            return False

    # -- requests

    def _request(self, handle, further, message):
        """Send a request with the next id; the id counts as used only when it went out."""
        if self.state != _ESTABLISHED:
            raise say(LocalProtocolError, "closed", message[0])
        if handle is not None and len(self._pending) >= self._requests:
            raise say(LocalProtocolError, "full", self._requests)
        request = self._last + 1
        if request > ID_MAX:
            request = 1
        message[1] = request
        self._send(message)
        if request < self._last:
            self._highest = ID_MAX
        self._last = request
        if handle is not None:
            self._pending[request] = (message[0], handle, further)
        return request

    def _filled(self, message, at, args, kwargs):
        """The message with its payload, absent when empty as the specification wants it. at: of
        the options in it, in which stands how octets are to be read."""
        options = message[at]
        if type(args) is bytes or options and ("ppt_scheme" in options or "enc_algo" in options):
            from .passthru import wrap

            wrap(self, message, at, args, kwargs)
        elif kwargs:
            for key in kwargs:
                if type(key) is not str or not isinstance(kwargs, dict):
                    raise say(LocalProtocolError, "kwargs", kwargs)
            message.append(args if args is not None else [])
            message.append(kwargs)
        elif args:
            message.append(args)
        return message

    def full(self):
        """Whether no further request may be sent until one is answered."""
        return len(self._pending) >= self._requests

    def publish(self, handle, topic, args=None, kwargs=None, options=None):
        """PUBLISH; with a handle acknowledged (DONE or FAILED follows), with None not."""
        options = options or {}
        if handle is not None:
            options = dict(options)
            options["acknowledge"] = True
        message = self._filled([_PUBLISH, 0, options, topic], 2, args, kwargs)
        return self._request(handle, None, message)

    def call(self, handle, procedure, args=None, kwargs=None, options=None):
        """CALL; ANSWERED or FAILED follows, and with `receive_progress` PROGRESSED before it.

        With `progress` it is the first part of a call in parts: see `call_on`. Raises
        LocalProtocolError for an option that the router would mistake.
        """
        flags = 0
        if options:
            from .options import call_flags

            flags = call_flags(self, options)
        message = self._filled([_CALL, 0, options or {}, procedure], 2, args, kwargs)
        return self._request(handle, flags, message)

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

        kill: the callee is interrupted, and its answer, mostly an ERROR, is the call's.
        killnowait: it is interrupted, and the router answers at once. skip: the router answers at
        once, and the callee is left alone; crossbar does not answer then: `forget` the request.
        Returns False, and sends nothing, when the call is over or the router cannot cancel.
        """
        if mode not in ("skip", "kill", "killnowait"):
            raise say(LocalProtocolError, "mode", mode)
        found = self._pending.get(request)
        if (
            self.state != _ESTABLISHED
            or found is None
            or found[0] != _CALL
            or not self.router_has("dealer", "call_canceling")
        ):
            return False
        self._send([_CANCEL, request, {"mode": mode}])
        self._pending[request] = (_CALL, found[1], found[2] | _STOPPED)
        return True

    def subscribe(self, handle, topic, entry, options=None):
        """SUBSCRIBE; after DONE, HAPPENED reports come with this entry (any object)."""
        return self._request(handle, entry, [_SUBSCRIBE, 0, options or {}, topic])

    def register(self, handle, procedure, entry, options=None):
        """REGISTER; after DONE, INVOKED reports come with this entry (any object)."""
        return self._request(handle, entry, [_REGISTER, 0, options or {}, procedure])

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

    def forget(self, request):
        """Give up waiting (a time-out, a cancelled task); its answer will be dropped. Returns the
        handle, or None when it has come back already."""
        found = self._pending.pop(request, None)
        if found is None:
            return None
        if found[0] == _UNREGISTER:
            self._registrations.pop(found[2], None)
        return found[1]

    # -- answers to invocations

    def progress(self, request, args=None, kwargs=None, options=None):
        """YIELD with `progress`: one result of several. Returns False, and sends nothing, when the
        caller asked for none, has cancelled, or is answered."""
        found = self._invocations.get(request)
        if (
            self.state != _ESTABLISHED
            or found is None
            or found[1] & (_WANTED | _STOPPED) != _WANTED
        ):
            return False
        options = dict(options or {})
        options["progress"] = True
        self._send(self._filled([_YIELD, request, options], 2, args, kwargs))
        return True

    def answer(self, request, args=None, kwargs=None, options=None):
        """YIELD: the final result of an invocation. Raises what `send` raises, and then the
        invocation is still open and can be answered with `fail`."""
        self._finish(request, [_YIELD, request, options or {}], 2, args, kwargs)

    def fail(self, request, error, args=None, kwargs=None, options=None):
        """ERROR: the final answer of an invocation that failed, or that was interrupted. error:
        URI. Raises as `answer` does, and then the invocation is still open."""
        message = [_ERROR, _INVOCATION, request, options or {}, error]
        self._finish(request, message, 3, args, kwargs)

    def _finish(self, request, message, at, args, kwargs):
        found = self._invocations.get(request)
        if found is not None and self.state == _ESTABLISHED:
            self._send(self._filled(message, at, args, kwargs))
            del self._invocations[request]
            if found[1] & _OPEN:
                self._early = self._early[1 - _EARLY :] + [request]

    # -- what the router says

    def receive(self, message):
        """Take one message (a list, decoded); returns a report (see `tables`) or None.

        A message that breaks the protocol is answered with ABORT and reported as ENDED with a
        RemoteProtocolError. What only comes late is dropped and counted.
        """
        if self.state == _CLOSED:
            return None
        # The usual event, without the table: a fifth of the time.
        if type(message) is list and len(message) == 5 and message[0] == _EVENT:
            _, subscription, publication, details, args = message
            if (
                self.state == _ESTABLISHED
                and type(details) is dict
                and not details
                and type(args) is list
                and type(publication) is int
                and 0 < publication <= ID_MAX
                and type(subscription) is int
                and subscription in self._subscriptions
            ):
                entries = self._subscriptions[subscription]
                return (_HAPPENED, entries, publication, details, args, {})
        try:
            code = validate(message)
            if self.state == _ESTABLISHED:
                return self._established(code, message)
            if self.state == _JOINING:
                return self._opening(code, message)
            # After our GOODBYE only the router's GOODBYE counts (session state 14).
            if code == _GOODBYE or code == _ABORT:
                self.state = _CLOSED
                return (_ENDED, None)
            return None
        except (RemoteProtocolError, AuthenticationError) as e:
            if self.state == _SHUTTING_DOWN:
                return None
            if type(message) is list and message and message[0] == _ABORT:
                # Never answered, however odd it is.
                self.state = _CLOSED
                return (_ENDED, SessionAborted("unknown", str(e)))
            return self.violation(e)
        except Error as e:
            # An answer of ours could not be written: the transport is going.
            self.state = _CLOSED
            return (_ENDED, e)

    def _opening(self, code, message):
        if code == _WELCOME:
            details = message[2]
            self._joining.welcome(details)
            self._joining = None
            self.session = message[1]
            self.details = details
            self.state = _ESTABLISHED
            return (_JOINED, details)
        if code == _CHALLENGE:
            found = self._joining.challenge(message[1])
            if isinstance(found, SessionAborted):
                self.abort(found.reason, found.message)
                return (_ENDED, found)
            return (_CHALLENGED, found, message[2])
        if code == _ABORT or code == _GOODBYE:
            return self._ended(message)
        raise say(RemoteProtocolError, "before", code)

    def _ended(self, message):
        self.state = _CLOSED
        text = message[1].get("message")
        return (_ENDED, SessionAborted(message[2], text[:200] if type(text) is str else ""))

    def _established(self, code, message):
        if code == _EVENT:
            entries = self._subscriptions.get(message[1])
            args, kwargs = _payload(message, 4, message[3])
            if entries is None or args is None:
                self.dropped += 1  # late, after UNSUBSCRIBE; or no octets where they should be
                return None
            return (_HAPPENED, entries, message[2], message[3], args, kwargs)
        if code == _INVOCATION:
            return self._invocation(message)
        if code == _RESULT:
            request = message[1]
            found = self._reply(_CALL, request)
            if found is None:
                return None
            details = message[2]
            args, kwargs = _payload(message, 3, details)
            if details.get("progress") is True:
                # The final result is still to come, whether this one was asked for or not.
                self._pending[request] = found
                if args is None or found[2] & (_WANTED | _STOPPED) != _WANTED:
                    self.dropped += 1
                    return None
                return (_PROGRESSED, found[1], args, kwargs, details)
            if args is None:
                return (_FAILED, found[1], ApplicationError("wamp.error.invalid_payload"))
            return (_ANSWERED, found[1], args, kwargs, details)
        if code == _ERROR:
            if message[1] == _INVOCATION:
                raise say(RemoteProtocolError, "callee")
            found = self._reply(message[1], message[2])
            if found is None:
                return None
            args, kwargs = _payload(message, 5, message[3])
            if type(args) is bytes:
                args = (args,)
            error = ApplicationError(message[4], *(args or ()))
            error.kwargs = kwargs or {}
            error.details = message[3]
            return (_FAILED, found[1], error)
        if code == _INTERRUPT:
            found = self._invocations.get(message[1])
            if found is None:
                self.dropped += 1
                return None
            self._invocations[message[1]] = (found[0], found[1] | _STOPPED)
            mode = message[2].get("mode")
            return (_INTERRUPTED, message[1], mode if mode == "killnowait" else "kill")
        if code == _GOODBYE:
            report = self._ended(message)
            try:
                self._send([_GOODBYE, {}, "wamp.close.goodbye_and_out"])
            except Error:
                self.dropped += 1  # the transport went first
            return report
        if code == _ABORT:
            return self._ended(message)
        return self._done(code, message)

    def _reply(self, code, request):
        """The pending request a reply belongs to, or None for a late one."""
        found = self._pending.get(request)
        if found is None:
            if request > self._last and request > self._highest:
                raise say(RemoteProtocolError, "never", request)
            self.dropped += 1
            return None
        if found[0] != code:
            raise say(RemoteProtocolError, "other", code, request, found[0])
        del self._pending[request]
        return found

    def _done(self, code, message):
        """PUBLISHED, SUBSCRIBED, UNSUBSCRIBED, REGISTERED, UNREGISTERED, each one above the number
        of its request; with request 0 the router took back what it had granted."""
        if code not in (_PUBLISHED, _SUBSCRIBED, _UNSUBSCRIBED, _REGISTERED, _UNREGISTERED):
            raise say(RemoteProtocolError, "joined", code)
        request = message[1]
        id = message[2] if len(message) > 2 else None
        if request == 0:
            entries = None
            if id:
                reason = id.get("reason")
                if code == _UNSUBSCRIBED:
                    id = id.get("subscription")
                    if type(id) is int:
                        entries = self._subscriptions.pop(id, None)
                else:
                    id = id.get("registration")
                    if type(id) is int and id in self._registrations:
                        entries = [self._registrations.pop(id)]
            if entries is None:
                self.dropped += 1
                return None
            return (_REVOKED, entries, reason if type(reason) is str else "")
        if type(id) is dict:
            raise say(RemoteProtocolError, "details", code)
        found = self._reply(code - 1, request)
        if found is None:
            return None
        if code == _SUBSCRIBED:
            entries = self._subscriptions.get(id)
            if entries is None:
                self._subscriptions[id] = [found[2]]
            else:
                entries.append(found[2])  # the same topic: the router gives the same id
        elif code == _REGISTERED:
            if id in self._registrations:
                self._pending[request] = found  # `end` gives its handle back
                raise say(RemoteProtocolError, "taken", id)
            self._registrations[id] = found[2]
        elif code == _UNREGISTERED:
            self._registrations.pop(found[2], None)
        return (_DONE, found[1], found[2] if id is None else id)

    def _invocation(self, message):
        _, request, registration, details = message[:4]
        is_open = details.get("progress") is True
        args, kwargs = _payload(message, 4, details)
        running = self._invocations.get(request)
        report = _CONTINUED
        flags = _OPEN if is_open else 0
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
            report = _INVOKED
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
            return (report, entry, request, details, args, kwargs)
        self.dropped += 1
        self.fail(request, error)
        # Who has begun with it should stop.
        return None if running is None else (_INTERRUPTED, request, "killnowait")


def _payload(message, at, details):
    """(args, kwargs) of a received message, from `at` on; (octets, None) of an opaque one, in the
    specification's form or in crossbar's; (None, None) where octets are announced and are none."""
    n = len(message)
    args = message[at] if n > at else None
    kwargs = message[at + 1] if n > at + 1 else None
    if type(args) is bytes:
        return args, None
    if type(details.get("ppt_scheme")) is str:
        if args and len(args) == 1 and type(args[0]) is bytes and not kwargs:
            return args[0], None
        return None, None
    return args or (), kwargs or {}


def __getattr__(name):
    from . import tables

    found = globals()[name] = getattr(tables, name)
    return found
