"""A WAMP session, from HELLO to GOODBYE, on messages as lists (WAMP basic profile, client's side).

Pure: the owner passes each received message to `receive`, which says what happened as a tuple, and
gives a function `send(message)` that encodes and writes one message or raises. Nothing here knows
octets, sockets or clocks, and no code of the user is called from here.

Every request carries a handle, any object of the owner's. Each handle comes back exactly once: in
DONE, ANSWERED or FAILED, or from `forget` or `end`.

`tables` says what each report has, and has the names of reports and states; they can be had from
here too. What is used here is repeated as constants, which cost a board no memory.
"""

from .errors import Error, LocalProtocolError, RemoteProtocolError, say
from .messages import ID_MAX, validate
from .messages import __getattr__ as __getattr__

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_ERROR = const(8)
_PUBLISH = const(16)
_PUBLISHED = const(17)
_SUBSCRIBE = const(32)
_SUBSCRIBED = const(33)
_UNSUBSCRIBED = const(35)
_EVENT = const(36)
_CALL = const(48)
_RESULT = const(50)
_REGISTER = const(64)
_REGISTERED = const(65)
_UNREGISTER = const(66)
_UNREGISTERED = const(67)
_INVOCATION = const(68)
_YIELD = const(70)

_DONE = const(4)
_ANSWERED = const(5)
_FAILED = const(6)
_HAPPENED = const(7)
_INVOKED = const(8)
_PROGRESSED = const(11)

_CLOSED = const(0)
_JOINING = const(1)
_ESTABLISHED = const(2)

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

    # -- the end, and what is elsewhere

    def end(self):
        """The session or its transport is gone: returns the handles of all open requests."""
        handles = [p[1] for p in self._pending.values()]
        self.state = _CLOSED
        self.session = None  # its id
        self._joining = None
        self._last = 0  # the request id used last
        self._highest = 0  # 2^53 once the request ids have begun anew
        self._subscriptions = {}  # subscription id: [entry]
        self._registrations = {}  # registration id: entry
        self._invocations = {}  # request id: (entry, flags)
        self._early = []  # request ids, see _EARLY
        # Request id: (code, handle, entry, id or flags). Last: if the memory runs out before, the
        # handles come back from the next `end`.
        self._pending = {}
        return handles

    def __getattr__(self, name):
        """What is not needed all the time stands in modules of its own."""
        if name == "join" or name == "authenticate":
            from . import joining as module
        else:
            from . import seldom as module
        function = getattr(module, name)
        return lambda *args, **kwargs: function(self, *args, **kwargs)

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
        if handle is not None:
            options = dict(options or {})
            options["acknowledge"] = True
        if options or kwargs or not args or type(args) is bytes:
            message = self._filled([_PUBLISH, 0, options or {}, topic], 2, args, kwargs)
        else:
            message = [_PUBLISH, 0, {}, topic, args]  # the usual one, all at once
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

    def subscribe(self, handle, topic, entry, options=None):
        """SUBSCRIBE; after DONE, HAPPENED reports come with this entry (any object)."""
        return self._request(handle, entry, [_SUBSCRIBE, 0, options or {}, topic])

    def register(self, handle, procedure, entry, options=None):
        """REGISTER; after DONE, INVOKED reports come with this entry (any object)."""
        return self._request(handle, entry, [_REGISTER, 0, options or {}, procedure])

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

    def answer(self, request, args=None, kwargs=None, options=None):
        """YIELD: the final result of an invocation. Raises what `send` raises, and then the
        invocation is still open and can be answered with `fail`."""
        self.fail(request, None, args, kwargs, options)

    def fail(self, request, error, args=None, kwargs=None, options=None):
        """ERROR: the final answer of an invocation that failed, or that was interrupted. error:
        URI. Raises as `answer` does, and then the invocation is still open."""
        found = self._invocations.get(request)
        if found is None or self.state != _ESTABLISHED:
            return
        if error is None:
            message = self._filled([_YIELD, request, options or {}], 2, args, kwargs)
        else:
            message = [_ERROR, _INVOCATION, request, options or {}, error]
            self._filled(message, 3, args, kwargs)
        self._send(message)
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
                return self._joining.receive(self, code, message)
            return self.heard(code, message)
        except Error as e:
            return self.failed(message, e)

    def _established(self, code, message):
        if code == _EVENT:
            entries = self._subscriptions.get(message[1])
            args, kwargs = _payload(message, 4, message[3])
            if entries is None or args is None:
                self.dropped += 1  # late, after UNSUBSCRIBE; or no octets where they should be
                return None
            return (_HAPPENED, entries, message[2], message[3], args, kwargs)
        if code == _INVOCATION:
            request = message[1]
            details = message[3]
            entry = self._registrations.get(message[2])
            args, kwargs = _payload(message, 4, details)
            if (
                entry is None
                or args is None
                or details.get("progress")
                or request in self._invocations
                or request in self._early
                or len(self._invocations) >= self._invocations_max
            ):
                return self.invoked(message, args, kwargs)
            flags = _WANTED if details.get("receive_progress") is True else 0
            self._invocations[request] = (entry, flags)
            return (_INVOKED, entry, request, details, args, kwargs)

        # The rest are answers to requests, or come seldom.
        request = message[1]
        if code == _RESULT:
            of = _CALL
        elif code == _ERROR and request != _INVOCATION:
            of = request
            request = message[2]
        elif code in (_PUBLISHED, _SUBSCRIBED, _UNSUBSCRIBED, _REGISTERED, _UNREGISTERED):
            if request == 0 or (len(message) > 2 and type(message[2]) is dict):
                return self.revoked(code, message)
            of = code - 1
        else:
            return self.heard(code, message)
        found = self._pending.get(request)
        if found is None:
            if request > self._last and request > self._highest:
                raise say(RemoteProtocolError, "never", request)
            self.dropped += 1
            return None
        if found[0] != of:
            raise say(RemoteProtocolError, "other", of, request, found[0])
        handle = found[1]
        if code == _RESULT:
            details = message[2]
            args, kwargs = _payload(message, 3, details)
            if details.get("progress") is True:
                # The final result is still to come, whether this one was asked for or not.
                if args is None or found[2] & (_WANTED | _STOPPED) != _WANTED:
                    self.dropped += 1
                    return None
                return (_PROGRESSED, handle, args, kwargs, details)
            report = (_ANSWERED, handle, args, kwargs, details)
            if args is None:
                from .failures import ApplicationError

                report = (_FAILED, handle, ApplicationError("wamp.error.invalid_payload"))
        elif code == _ERROR:
            args, kwargs = _payload(message, 5, message[3])
            if type(args) is bytes:
                args = (args,)
            from .failures import ApplicationError

            error = ApplicationError(message[4], *(args or ()))
            error.kwargs = kwargs or {}
            error.details = message[3]
            report = (_FAILED, handle, error)
        elif code == _UNSUBSCRIBED or code == _UNREGISTERED:
            if code == _UNREGISTERED:
                self._registrations.pop(found[2], None)
            report = (_DONE, handle, found[2])
        else:
            id = message[2]
            if code == _REGISTERED:
                if id in self._registrations:
                    raise say(RemoteProtocolError, "taken", id)
                self._registrations[id] = found[2]
            elif code == _SUBSCRIBED:
                if id in self._subscriptions:
                    # The same topic: the router gives the same id.
                    self._subscriptions[id].append(found[2])
                else:
                    self._subscriptions[id] = [found[2]]
            report = (_DONE, handle, id)
        del self._pending[request]
        return report


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
