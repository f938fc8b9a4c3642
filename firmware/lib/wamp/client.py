"""The client: joins a router, stays joined, and offers calls, events and procedures to programs.

The same program runs on a microcontroller, on MicroPython's unix port and on CPython. What was
declared with `register` and `subscribe` is sent again after every join; a request that was in
flight when a session ended fails with TransportLost; one that is started while the line is down
waits up to its `timeout_ms`. What only the beginning needs is in `_opening`, which is let go when
the session is there; what not every program does, and what happens seldom, in modules that are
loaded with it: `declarations`, `_line`, `_failed`, `_declared`, `progress`. Part of the I/O edge.
"""

import asyncio

from ._port import DONE, MICROPYTHON, Alarm, random32, sleep_ms, ticks
from .errors import (
    AuthenticationError,
    ConfigurationError,
    Error,
    RemoteProtocolError,
    TransportError,
    TransportLost,
)
from .messages import check_uri
from .requests import Request, result
from .session import Protocol
from .transport import make

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_PUBLISH = const(16)
_SUBSCRIBE = const(32)
_CALL = const(48)
_REGISTER = const(64)

_CHALLENGED = const(1)
_JOINED = const(2)
_ENDED = const(3)
_DONE = const(4)
_ANSWERED = const(5)
_FAILED = const(6)
_HAPPENED = const(7)
_INVOKED = const(8)
_REVOKED = const(10)

_MESSAGE = const(0)
_PING = const(1)

# Until what `_receive` goes on
_HANDSHAKE = const(0)
_SESSION = const(1)
_END = const(2)
_LEFT = const(3)  # the router has answered our GOODBYE

_JOIN_MS = 30000
_REFUSED = 4000  # after a refused login the next attempt is not sooner: it will hardly do better
_BACKOFF_FIRST = 250
_BACKOFF_MAX = 30000
_BURST = const(1024)  # octets not yet sent above which others must have their turn
_STARVED_MS = const(100)  # until memory is looked for again
_LASTED = const(8000)  # a session that is over sooner lets the next attempt wait longer


class Client:
    """A WAMP client with all four roles.

    url: see `transport`. realm: of the router. auth: an authenticator, or several in the order of
    preference; None is anonymous. timeout_ms: how long requests wait by default. max_length:
    longest message accepted, in octets (rounded up to a power of two, 16 MiB at most). reconnect:
    False ends with the first failure, and `async with` raises it; True goes on for ever. log: a
    function of one string, such as print, for what happens below. codec: (encode, decode) instead
    of this library's CBOR; must raise LocalProtocolError and RemoteProtocolError as that does.
    alive_ms: a router that is silent for so long is gone; 0 does not look, None is 60 s, on a
    serial line 0 (the link looks there). ping: look with RawSocket's PING, which crossbar does not
    survive, in place of a call. on_event: a function of ("up", details), ("down", error) and
    ("revoked", declaration). network: a coroutine function to be awaited before each connection.
    outbox: see `outbox`. Further options go to the transport.

    state: "ended", "connecting", "joining", "up" or "waiting" (for the next attempt).
    """

    _serializer = 3  # CBOR, in RawSocket's handshake; a host's client has others

    def __init__(
        self,
        url,
        realm="devices",
        auth=None,
        timeout_ms=10000,
        max_length=8192 if MICROPYTHON else 1 << 20,
        reconnect=True,
        log=None,
        codec=None,
        alive_ms=None,
        ping=False,
        on_event=None,
        network=None,
        outbox=None,
        **transport,
    ):
        from ._opening import prepare

        self.url = url
        self.realm = realm
        self.timeout_ms = timeout_ms
        # crossbar's WELCOME alone is 850 octets, and a heap of 200 kB must hold some messages.
        self.max_length = max_length
        self.reconnect = reconnect
        self.alive_ms = alive_ms
        self.ping = ping
        self.on_event = on_event
        self.network = network
        self.outbox = outbox
        self._options = transport
        self._transport = self._make(url, **transport)
        self._protocol = Protocol(self._send)
        self._alarm = Alarm(self._expire)
        prepare(self, auth, log, codec)

    # -- life

    def _make(self, url, **options):
        return make(url, **options)  # a host's client knows more URLs

    async def join(self):
        """Start, and wait until joined and until the router has answered what was declared.

        With reconnect=False raises what prevented it; otherwise waits as long as it takes.
        """
        self.start()
        while self.state != "up":
            if self.state == "ended":
                from ._line import ended

                raise self.error or ended(self)
            await self._changed.wait()
        return self

    def start(self):
        """Start without waiting; must be called from within asyncio."""
        if self._task is None:
            if self._transport is None:
                self._transport = self._make(self.url, **self._options)
            self._leaving = False
            self.state = "connecting"
            self._task = asyncio.create_task(self._run())

    async def leave(self, *_):
        """Say GOODBYE, wait for the router's (2 s at most), close. Requests fail."""
        if self._task is not None:
            from ._line import leave

            await leave(self)

    __aenter__ = join
    __aexit__ = leave

    def rejoin(self, realm=None, auth=None):
        """Leave with GOODBYE and join anew on the same transport; awaited, as `join`.

        realm, auth: those of before where they are None; () is anonymous. Where the transport does
        not survive it, another is made. What was declared is declared in the new session, what
        waits for an answer fails with TransportLost, what is started meanwhile waits.
        """
        from ._rejoin import rejoin

        return rejoin(self, realm, auth)

    async def ended(self):
        """Wait until the client has ended: after `leave`, or for good with reconnect=False."""
        while self.state != "ended":
            await self._changed.wait()

    def _turn(self, state):
        was, self.state = self.state, state
        self._changed.set()
        self._changed.clear()
        if self.on_event is not None:
            from ._line import turned

            turned(self, was)

    async def _run(self):
        backoff = _BACKOFF_FIRST
        again = False
        try:
            while True:
                try:
                    if again:
                        self._transport = self._make(self.url, **self._options)
                        self._turn("connecting")
                    again = True
                    joins = self.joins
                    error = await self._session()
                    if self._leaving:
                        return
                    if self._raw is not None:
                        again = False  # `rejoin` goes on where the session was
                        continue
                    refused = self.joins == joins
                    if refused:
                        self.failures += 1
                        from ._line import denied

                        if denied(error):
                            backoff = max(backoff, _REFUSED)
                    elif (ticks() - self._since) & 0x3FFFFFFF > _LASTED:
                        backoff = _BACKOFF_FIRST
                    # Jitter: a rack of boards must not come back all at once.
                    pause = backoff // 2 + random32() % backoff
                    if not hasattr(self._transport, "alone"):
                        backoff = min(backoff * 2, _BACKOFF_MAX)
                    self._log("%s: %s" % ("no session" if refused else "session ended", error))
                    if not self.reconnect or isinstance(error, ConfigurationError):
                        return
                    self._turn("waiting")
                    await sleep_ms(pause)
                except MemoryError as e:
                    # Not even enough to begin, or to say so.
                    self.error = e
                    if self._leaving or not self.reconnect:
                        return
                    await sleep_ms(_BACKOFF_FIRST)
        finally:
            while True:
                try:
                    from ._line import end

                    end(self)
                    break
                except MemoryError:
                    await sleep_ms(_STARVED_MS)

    async def _session(self):
        """One connection and one session on it, until it ends; returns why."""
        transport = self._transport
        error = self._silent = None
        self._rejoining = kept = False
        try:
            from ._opening import connect

            await connect(self, _JOIN_MS)
            del connect
            await self._receive(_END)
            kept = self._rejoining  # the transport, for the session after this one
        except Exception as e:
            # Also what is no Error of ours, such as MemoryError: the next session may do.
            error = None if self._leaving else self._silent or e
        finally:
            self.error = error
            self.session = None
            self._due.pop(self, None)
            while True:
                try:
                    self._lose(error)
                    break
                except MemoryError:
                    transport.close()
                    await sleep_ms(_STARVED_MS)
            try:
                if not kept and not isinstance(error, TransportError):
                    await transport.finish()
            except Exception:
                # It is over in any case, and what ends us, such as Ctrl-C in the middle of
                # anything, asyncio's own tables too, is not to be replaced.
                pass
            finally:
                if not kept:
                    self._raw = None
                    transport.close()
        return error

    def _lose(self, error):
        """Settle what the session leaves behind. To be repeated when the memory runs out."""
        lost = TransportLost("the session ended: %s" % (error or "we left"))
        for handle in self._protocol.end():
            handle.settle(None, lost)
        for run in self._tasks.values():
            if run[5] is not None:
                run[5].lose(lost)
        for declaration in self._declarations:
            self._due.pop(declaration, None)
            if declaration in self._waiting:
                self._waiting.remove(declaration)
            declaration.id = None
            declaration.settled = declaration.error is not None

    def starved(self, error):
        """No memory for an answer that somebody waits for: the session ends, which tells them."""
        self._silent = error
        self._transport.close()

    async def _receive(self, state):
        """Take what comes until the handshake is done, the session there, or left as we asked;
        raises why it ends otherwise."""
        protocol = self._protocol
        raw = self._raw
        read = self._transport.read
        decode = self._decode
        receive = raw.receive
        try:
            while True:
                octets = await read()
                if not octets:
                    from ._line import closed

                    raise closed(self)
                for kind, payload in receive(octets):
                    self.reads += 1
                    if kind == _MESSAGE:
                        report = protocol.receive(decode(payload))
                        if report is not None:
                            kind = report[0]
                            if kind == _HAPPENED:
                                for declaration in report[1]:
                                    declaration.handle(report)
                            elif kind == _CHALLENGED:
                                from ._opening import steps

                                answer = await steps(report[1].challenge(report[2]))
                                protocol.authenticate(*answer)
                            elif kind == _ENDED:
                                if report[1] is not None:
                                    raise report[1]
                                state = _LEFT
                            else:
                                self._act(kind, report)
                    elif kind == _PING:
                        from ._line import pong

                        await pong(self, payload)
                if state != _END and (
                    state == _LEFT or (raw.frames if state == _HANDSHAKE else self.session)
                ):
                    return
        except RemoteProtocolError as e:
            protocol.violation(e)
            raise
        except AuthenticationError:
            protocol.abandon()
            raise

    def _send(self, message):
        self._backlog = self._write(self._frame(self._encode(message)))

    # -- what happens

    def _act(self, kind, report):
        if kind == _INVOKED:
            report[1].handle(report)
        elif kind == _ANSWERED or kind == _DONE or kind == _FAILED:
            if kind == _ANSWERED:
                report[1].settle(result(*report[2:]))
            elif kind == _DONE:
                report[1].settle(report[2])
            else:
                report[1].settle(None, report[2])
            self._next()
        elif kind == _JOINED:
            self.session = self._protocol.session
            self.details = report[1]
            self.joins += 1
            self._since = ticks()
        elif kind == _REVOKED:
            from ._declared import revoked

            revoked(self, report[1], report[2])
        else:
            from .progress import act

            act(self, kind, report)

    def _perhaps_up(self):
        """Once the last declaration is answered, `join` returns."""
        if self.state == "joining" and self.session is not None:
            for declaration in self._declarations:
                if not declaration.settled:
                    return
            self._turn("up")

    def _next(self):
        """There is room for one more request."""
        if self._waiting and self.session is not None and not self._protocol.full():
            self._waiting.pop(0).wake()

    # -- what programs ask for

    def subscribe(self, topic, handler=None, details=False, **options):
        """Declare a subscription: as a decorator, or with a handler, then returns a Declaration.

        handler(*args, **kwargs) gets the event; with details=True a dictionary as one more
        positional argument (publication, and topic, publisher ... as the router gives them).
        """
        from .declarations import declare

        return declare(self, _SUBSCRIBE, topic, handler, details, options)

    def register(self, procedure, handler=None, details=False, **options):
        """Declare a procedure: as a decorator, or with a handler, then returns a Declaration.

        handler(*args, **kwargs) returns a plain value or a Result, or raises ApplicationError to
        answer with one; it may be a coroutine function. details as for `subscribe`.
        """
        from .declarations import declare

        return declare(self, _REGISTER, procedure, handler, details, options)

    def call(
        self,
        procedure,
        *args,
        kwargs=None,
        timeout_ms=None,
        on_progress=None,
        cancel_mode="killnowait",
        **options,
    ):
        """Call a procedure; awaited, returns None, the one result, or a Result.

        on_progress: gets progressive results, as on_progress(*args, **kwargs); each starts
        `timeout_ms` anew. cancel_mode: what the router is told when the time is up or the task is
        cancelled: "killnowait", "kill" or "skip".
        Raises ApplicationError (the callee's or the router's), RequestTimeout, TransportLost (the
        session ended meanwhile: whether the call took effect is unknown), LocalProtocolError.
        """
        request = timeout_ms, cancel_mode, on_progress
        return self._ask(_CALL, procedure, args, kwargs, options, request)

    def publish(self, topic, *args, kwargs=None, acknowledge=False, timeout_ms=None, **options):
        """Publish an event; it is on its way at once where there is a session.

        Awaited with acknowledge=True, returns the publication's id once the router has it, and
        raises as `call` does; without, waits if there is no session or too much to be sent.
        """
        if acknowledge or options or self.session is None:
            if self.outbox is not None:
                return self.outbox.publish(topic, args, kwargs, options, acknowledge, timeout_ms)
        else:
            try:
                check_uri(topic, "topic")
                self._protocol.publish(None, topic, args, kwargs)
                if not self._backlog or self._backlog <= _BURST:
                    return DONE
                from ._line import ease

                return ease(self, timeout_ms)
            except Error:
                pass  # raised again where it is awaited
        return self._ask(_PUBLISH, topic, args, kwargs, options, (timeout_ms,), acknowledge)

    async def _ask(self, code, uri, args, kwargs, options, request, acknowledge=True):
        check_uri(uri, "procedure" if code == _CALL else "topic")
        if options:
            from .options import check

            check(code, options)
            if len(args) == 1 and ("ppt_scheme" in options or "enc_algo" in options):
                args = args[0]  # an opaque payload
        request = Request(self, uri, *request)
        try:
            if self.session is None or self._protocol.full():
                from ._line import room

                await room(self, request)
            if request.on_progress is not None:
                options["receive_progress"] = True
            send = self._protocol.call if code == _CALL else self._protocol.publish
            sent = send(request if acknowledge else None, uri, args, kwargs, options)
            if acknowledge:
                request.id = sent
                return await request.outcome()
        finally:
            request.done()

    # -- deadlines

    def _within(self, request, ms):
        """Call request.expire() in so many milliseconds; the soonest sets the alarm."""
        request.at = (ticks() + ms) & 0x3FFFFFFF
        self._due[request] = None
        self._alarm.within(ms)

    def _expire(self):
        """The alarm: settle what is overdue, and see when to look again."""
        now = ticks()
        for request in list(self._due):
            left = ((request.at - now + 0x20000000) & 0x3FFFFFFF) - 0x20000000
            if left <= 0:
                self._due.pop(request, None)
                try:
                    request.expire()
                except MemoryError:
                    self._within(request, _STARVED_MS)
            else:
                self._alarm.within(left)

    def expire(self):
        """Liveness: look whether something came since the last look."""
        if self._seen != self.reads:
            self._seen = self.reads
            self._asked = False
        else:
            from ._line import silence

            silence(self)
        self._within(self, self.alive_ms // 3)
