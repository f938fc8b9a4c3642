"""A WAMP session, from HELLO to GOODBYE, on messages as lists (WAMP basic profile, client's side).

Pure: the owner passes each received message to `receive`, which says what happened as a tuple, and
gives a function `send(message)` that encodes and writes one message or raises. Nothing here knows
octets, sockets or clocks, and no code of the user is called from here.

Every request carries a handle, any object of the owner's. Each handle comes back exactly once: in
DONE, RESULT or FAILED, or from `forget` or `end`.
"""

from .errors import (
    ApplicationError,
    AuthenticationError,
    Error,
    LocalProtocolError,
    RemoteProtocolError,
    SessionAborted,
)
from .messages import (
    ABORT,
    AUTHENTICATE,
    CALL,
    CHALLENGE,
    ERROR,
    EVENT,
    GOODBYE,
    HELLO,
    ID_MAX,
    INTERRUPT,
    INVOCATION,
    LAYOUT,
    PUBLISH,
    PUBLISHED,
    REGISTER,
    REGISTERED,
    RESULT,
    SUBSCRIBE,
    SUBSCRIBED,
    UNREGISTER,
    UNREGISTERED,
    UNSUBSCRIBE,
    UNSUBSCRIBED,
    WELCOME,
    YIELD,
    roles,
    validate,
)

# What `receive` reports, as the first element of a tuple
CHALLENGED = 1  # (CHALLENGED, authenticator, extra): answer with authenticate()
JOINED = 2  # (JOINED, details)
ENDED = 3  # (ENDED, error): the session is over; None when we had said GOODBYE. Close, then end()
DONE = 4  # (DONE, handle, id): PUBLISHED, SUBSCRIBED, REGISTERED; UNSUBSCRIBED, UNREGISTERED
ANSWERED = 5  # (ANSWERED, handle, args, kwargs, details): RESULT
FAILED = 6  # (FAILED, handle, error): ERROR
HAPPENED = 7  # (HAPPENED, entries, publication, details, args, kwargs): EVENT
INVOKED = 8  # (INVOKED, entry, request, details, args, kwargs): INVOCATION
INTERRUPTED = 9  # (INTERRUPTED, request, mode)
REVOKED = 10  # (REVOKED, entries, reason): the router ended a subscription or registration

# States
CLOSED = 0
JOINING = 1
ESTABLISHED = 2
SHUTTING_DOWN = 3

# A challenge may be followed by a second one (two factors), not by many.
_CHALLENGES = 3

_REPLIES = {
    PUBLISHED: PUBLISH,
    SUBSCRIBED: SUBSCRIBE,
    UNSUBSCRIBED: UNSUBSCRIBE,
    REGISTERED: REGISTER,
    UNREGISTERED: UNREGISTER,
}


class Protocol:
    """One session.

    send: function that takes a message (a list) and writes it whole, or raises and writes nothing.
    requests: most requests that may wait for an answer at a time. invocations: most calls of our
    procedures that may be under way; a router that sends more is answered with
    `wamp.error.unavailable`. Both bound the memory a flood can take: 128 small ones are about
    40 kB on a microcontroller.
    """

    def __init__(self, send, requests=128, invocations=128):
        self._send = send
        self._requests = requests
        self._invocations_max = invocations
        self.state = CLOSED
        self.session = None  # id, realm and so on as the router gave them
        self.details = None
        self._auth = ()
        self._challenges = 0
        self._challenged = None
        self._last = 0  # the request id used last
        self._pending = {}  # request id: (code, handle, further)
        self._subscriptions = {}  # subscription id: [entry]
        self._registrations = {}  # registration id: entry
        self._invocations = {}  # request id: entry
        self.dropped = 0  # messages that came too late, or that nobody asked for

    # -- joining and leaving

    def join(self, realm, auth=(), agent=None):
        """Send HELLO. auth: authenticators in the order of preference; none means anonymous.

        Raises LocalProtocolError in a session that is not closed.
        """
        if self.state != CLOSED:
            raise LocalProtocolError("join: a session is open already")
        details = {"roles": roles()}
        if agent:
            details["agent"] = agent
        if auth:
            details["authmethods"] = [a.method for a in auth]
            for a in auth:
                a.hello(details)
        self._auth = auth
        self._challenges = 0
        self._challenged = None
        self._send([HELLO, realm, details])
        self.state = JOINING

    def authenticate(self, signature, extra):
        """Answer CHALLENGED. signature: text; extra: dictionary."""
        if self.state == JOINING:
            self._send([AUTHENTICATE, signature, extra])

    def leave(self, reason="wamp.close.close_realm"):
        """Send GOODBYE; ENDED follows when the router has answered."""
        if self.state == ESTABLISHED:
            self._send([GOODBYE, {}, reason])
            self.state = SHUTTING_DOWN

    def abort(self, reason, message=""):
        """Send ABORT and be done; nothing is sent after it, nor it after our GOODBYE."""
        state, self.state = self.state, CLOSED
        if state == JOINING or state == ESTABLISHED:
            # Details only: autobahn and crossbar refuse an ABORT with arguments.
            self._send([ABORT, {"message": message} if message else {}, reason])

    def violation(self, error):
        """The router broke the protocol (also below: undecodable octets): tell it, and end.

        error: RemoteProtocolError. Returns (ENDED, error).
        """
        self._last_words(ApplicationError.PROTOCOL_VIOLATION, str(error))
        return (ENDED, error)

    def abandon(self):
        """Our side will not log in to this router: tell it with ABORT, without reasons that could
        help an impostor."""
        self._last_words("wamp.error.authentication_failed", "")

    def _last_words(self, reason, message):
        try:
            self.abort(reason, message[:200])
        except Error:
            self.state = CLOSED  # it cannot be told: the session ends all the same

    def end(self):
        """The session or its transport is gone: returns the handles of all open requests."""
        self.state = CLOSED
        handles = [p[1] for p in self._pending.values()]
        self._pending = {}
        self._subscriptions = {}
        self._registrations = {}
        self._invocations = {}
        self._last = 0
        self.session = None
        return handles

    def router_has(self, role, feature):
        """Whether the router announced a feature, as router_has("dealer", "call_canceling")."""
        try:
            return self.details["roles"][role]["features"][feature] is True
        except (KeyError, TypeError):
            return False

    # -- requests

    def _request(self, code, handle, further, rest):
        """Send a request with the next id; the id counts as used only when it went out."""
        if self.state != ESTABLISHED:
            raise LocalProtocolError("no session: %s cannot be sent" % LAYOUT[code][0])
        if handle is not None and len(self._pending) >= self._requests:
            raise LocalProtocolError("%d requests wait for an answer already" % self._requests)
        request = self._last + 1
        if request > ID_MAX:
            request = 1
        message = [code, request]
        message += rest
        self._send(message)
        self._last = request
        if handle is not None:
            self._pending[request] = (code, handle, further)
        return request

    def full(self):
        """Whether no further request may be sent until one is answered."""
        return len(self._pending) >= self._requests

    def publish(self, handle, topic, args=None, kwargs=None, options=None):
        """PUBLISH; with a handle acknowledged (DONE or FAILED follows), with None not."""
        options = options or {}
        if handle is not None:
            options = dict(options)
            options["acknowledge"] = True
        return self._request(PUBLISH, handle, None, _payload([options, topic], args, kwargs))

    def call(self, handle, procedure, args=None, kwargs=None, options=None):
        """CALL; ANSWERED or FAILED follows."""
        rest = _payload([options or {}, procedure], args, kwargs)
        return self._request(CALL, handle, None, rest)

    def subscribe(self, handle, topic, entry, options=None):
        """SUBSCRIBE; after DONE, HAPPENED reports come with this entry (any object)."""
        return self._request(SUBSCRIBE, handle, entry, [options or {}, topic])

    def register(self, handle, procedure, entry, options=None):
        """REGISTER; after DONE, INVOKED reports come with this entry (any object)."""
        return self._request(REGISTER, handle, entry, [options or {}, procedure])

    def unsubscribe(self, handle, subscription, entry):
        """Take an entry from a subscription. Returns False when others are left (nothing sent)."""
        entries = self._subscriptions.get(subscription)
        if not entries or entry not in entries:
            raise LocalProtocolError("no such subscription: %s" % subscription)
        if len(entries) > 1:
            entries.remove(entry)
            return False
        self._request(UNSUBSCRIBE, handle, subscription, [subscription])
        # Events that are under way already must not reach a handler that was taken off.
        del self._subscriptions[subscription]
        return True

    def unregister(self, handle, registration):
        """UNREGISTER; calls that are under way may still come until DONE."""
        if registration not in self._registrations:
            raise LocalProtocolError("no such registration: %s" % registration)
        return self._request(UNREGISTER, handle, registration, [registration])

    def forget(self, request):
        """Give up waiting (a time-out, a cancelled task); its answer will be dropped. Returns the
        handle, or None when it has come back already."""
        found = self._pending.pop(request, None)
        if found is None:
            return None
        if found[0] == UNREGISTER:
            self._registrations.pop(found[2], None)
        return found[1]

    def answer(self, request, args=None, kwargs=None):
        """YIELD: the final result of an invocation. Raises what `send` raises, and then the
        invocation is still open and can be answered with `fail`."""
        if self.state == ESTABLISHED and request in self._invocations:
            self._send(_payload([YIELD, request, {}], args, kwargs))
            del self._invocations[request]

    def fail(self, request, error, args=None, kwargs=None):
        """ERROR: the final answer of an invocation that failed. error: URI. Raises as `answer`
        does, and then the invocation is still open."""
        if self.state == ESTABLISHED and request in self._invocations:
            self._send(_payload([ERROR, INVOCATION, request, {}, error], args, kwargs))
            del self._invocations[request]

    # -- what the router says

    def receive(self, message):
        """Take one message (a list, decoded); returns a report (see the constants) or None.

        A message that breaks the protocol is answered with ABORT and reported as ENDED with a
        RemoteProtocolError. What only comes late is dropped and counted.
        """
        if self.state == CLOSED:
            return None
        # The usual event, without the table: a fifth of the time.
        if type(message) is list and len(message) == 5 and message[0] == EVENT:
            _, subscription, publication, details, args = message
            if (
                self.state == ESTABLISHED
                and type(details) is dict
                and not details
                and type(args) is list
                and type(publication) is int
                and 0 < publication <= ID_MAX
                and type(subscription) is int
                and subscription in self._subscriptions
            ):
                entries = self._subscriptions[subscription]
                return (HAPPENED, entries, publication, details, args, {})
        try:
            code = validate(message)
            if self.state == ESTABLISHED:
                return self._established(code, message)
            if self.state == JOINING:
                return self._joining(code, message)
            # After our GOODBYE only the router's GOODBYE counts (session state 14).
            if code == GOODBYE or code == ABORT:
                self.state = CLOSED
                return (ENDED, None)
            return None
        except RemoteProtocolError as e:
            if self.state == SHUTTING_DOWN:
                return None
            if type(message) is list and message and message[0] == ABORT:
                # Never answered, however odd it is.
                self.state = CLOSED
                return (ENDED, SessionAborted("unknown", str(e)))
            return self.violation(e)
        except AuthenticationError as e:
            self.abandon()
            return (ENDED, e)
        except Error as e:
            # An answer of ours could not be written: the transport is going.
            self.state = CLOSED
            return (ENDED, e)

    def _joining(self, code, message):
        if code == WELCOME:
            details = message[2]
            roles = details.get("roles")
            if type(roles) is not dict or not ("broker" in roles or "dealer" in roles):
                raise RemoteProtocolError("WELCOME.details.roles names neither broker nor dealer")
            if self._auth:
                # The method that WELCOME names; else the one that was asked for last.
                method = details.get("authmethod")
                chosen = self._challenged or self._auth[0]
                for a in self._auth:
                    if a.method == method:
                        chosen = a
                for a in self._auth:
                    if a is not chosen and getattr(a, "unproved", False):
                        a.confirm(details)
                chosen.welcome(details)
            self.session = message[1]
            self.details = details
            self.state = ESTABLISHED
            return (JOINED, details)
        if code == CHALLENGE:
            self._challenges += 1
            if self._challenges > _CHALLENGES:
                raise RemoteProtocolError("%d CHALLENGEs in a row" % self._challenges)
            for a in self._auth:
                if a.method != message[1] and getattr(a, "unproved", False):
                    a.confirm({})  # raises: nothing is told to a router that may be another one
            for a in self._auth:
                if a.method == message[1]:
                    self._challenged = a
                    return (CHALLENGED, a, message[2])
            offered = ", ".join([a.method for a in self._auth]) or "anonymous"
            text = "the router asks for %s, offered was %s" % (message[1][:32], offered)
            self.abort("wamp.error.no_matching_auth_method", text)
            return (ENDED, SessionAborted("wamp.error.no_matching_auth_method", text))
        if code == ABORT or code == GOODBYE:
            return self._ended(message)
        raise RemoteProtocolError("%s before WELCOME" % LAYOUT[code][0])

    def _ended(self, message):
        self.state = CLOSED
        text = message[1].get("message")
        return (ENDED, SessionAborted(message[2], text[:200] if type(text) is str else ""))

    def _established(self, code, message):
        if code == EVENT:
            entries = self._subscriptions.get(message[1])
            args = message[4] if len(message) > 4 else None
            if entries is None or type(args) is bytes:
                # Late after UNSUBSCRIBE, or an opaque payload that nothing here can open.
                self.dropped += 1
                return None
            kwargs = message[5] if len(message) > 5 else None
            return (HAPPENED, entries, message[2], message[3], args or (), kwargs or {})
        if code == INVOCATION:
            return self._invocation(message)
        if code == RESULT:
            found = self._reply(CALL, message[1])
            if found is None:
                return None
            if message[2].get("progress") is True:
                # Nobody asked for progress; the final result is still to come.
                self._pending[message[1]] = found
                self.dropped += 1
                return None
            args = message[3] if len(message) > 3 else None
            if type(args) is bytes:
                text = "the result is an opaque payload"
                return (
                    FAILED,
                    found[1],
                    ApplicationError(ApplicationError.INVALID_PAYLOAD, text),
                )
            kwargs = message[4] if len(message) > 4 else None
            return (ANSWERED, found[1], args or (), kwargs or {}, message[2])
        if code == ERROR:
            if message[1] == INVOCATION:
                raise RemoteProtocolError(
                    "ERROR.request type 68 is the callee's, not the router's"
                )
            found = self._reply(message[1], message[2])
            if found is None:
                return None
            args = message[5] if len(message) > 5 else None
            kwargs = message[6] if len(message) > 6 else None
            if type(args) is bytes:
                args = None
            error = ApplicationError(message[4], *(args or ()))
            error.kwargs = kwargs or {}
            return (FAILED, found[1], error)
        if code in _REPLIES:
            return self._done(code, message)
        if code == INTERRUPT:
            if message[1] not in self._invocations:
                self.dropped += 1
                return None
            return (INTERRUPTED, message[1], message[2].get("mode"))
        if code == GOODBYE:
            report = self._ended(message)
            try:
                self._send([GOODBYE, {}, "wamp.close.goodbye_and_out"])
            except Error:
                self.dropped += 1  # the transport went first
            return report
        if code == ABORT:
            return self._ended(message)
        raise RemoteProtocolError("%s in an established session" % LAYOUT[code][0])

    def _reply(self, code, request):
        """The pending request a reply belongs to, or None for a late one."""
        found = self._pending.get(request)
        if found is None:
            if request > self._last:
                raise RemoteProtocolError("reply to request %d, which was never sent" % request)
            self.dropped += 1
            return None
        if found[0] != code:
            raise RemoteProtocolError(
                "reply for %s to request %d, which was %s"
                % (LAYOUT[code][0], request, LAYOUT[found[0]][0])
            )
        del self._pending[request]
        return found

    def _done(self, code, message):
        request = message[1]
        if request == 0:
            return self._revoked(code, message)
        if len(message) > 2 and (code == UNSUBSCRIBED or code == UNREGISTERED):
            raise RemoteProtocolError("%s of a request with details" % LAYOUT[code][0])
        found = self._reply(_REPLIES[code], request)
        if found is None:
            return None
        if code == SUBSCRIBED:
            entries = self._subscriptions.get(message[2])
            if entries is None:
                self._subscriptions[message[2]] = [found[2]]
            else:
                entries.append(found[2])  # the same topic: the router gives the same id
        elif code == REGISTERED:
            if message[2] in self._registrations:
                self._pending[request] = found  # `end` gives its handle back
                raise RemoteProtocolError("REGISTERED.registration %d is taken" % message[2])
            self._registrations[message[2]] = found[2]
        elif code == UNREGISTERED:
            self._registrations.pop(found[2], None)
        return (DONE, found[1], message[2] if len(message) > 2 else found[2])

    def _revoked(self, code, message):
        """[35, 0, {...}] or [67, 0, {...}]: the router took back what it had granted."""
        details = message[2] if len(message) > 2 else {}
        what = details.get("subscription" if code == UNSUBSCRIBED else "registration")
        if type(what) is not int:
            entries = None
        elif code == UNSUBSCRIBED:
            entries = self._subscriptions.pop(what, None)
        else:
            entry = self._registrations.pop(what, None)
            entries = None if entry is None else [entry]
        if entries is None:
            self.dropped += 1
            return None
        reason = details.get("reason")
        return (REVOKED, entries, reason if type(reason) is str else "")

    def _invocation(self, message):
        request = message[1]
        if request in self._invocations:
            raise RemoteProtocolError("INVOCATION.request %d is under way already" % request)
        entry = self._registrations.get(message[2])
        args = message[4] if len(message) > 4 else None
        error = None
        if entry is None:
            error = ApplicationError.NO_SUCH_REGISTRATION
        elif len(self._invocations) >= self._invocations_max:
            error = ApplicationError.UNAVAILABLE
        elif type(args) is bytes:
            error = ApplicationError.INVALID_PAYLOAD
        if error is not None:
            self.dropped += 1
            self._send([ERROR, INVOCATION, request, {}, error])
            return None
        self._invocations[request] = entry
        kwargs = message[5] if len(message) > 5 else None
        return (INVOKED, entry, request, message[3], args or (), kwargs or {})


def _payload(message, args, kwargs):
    """Append arguments as the specification wants them: absent when empty."""
    if kwargs:
        for key in kwargs:
            if type(key) is not str or not isinstance(kwargs, dict):
                raise LocalProtocolError("kwargs must be a dictionary with string keys")
        message.append(args if args is not None else [])
        message.append(kwargs)
    elif args:
        message.append(args)
    return message
