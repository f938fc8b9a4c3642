"""The client: joins a router, stays joined, and offers calls, events and procedures to programs.

The same program runs on a microcontroller, on MicroPython's unix port and on CPython. What was
declared with `register` and `subscribe` is sent again after every join; a request that was in
flight when a session ended fails with TransportLost; one that is started while the line is down
waits up to its `timeout_ms`. Part of the I/O edge.
"""

import asyncio

from . import rawsocket
from ._port import MICROPYTHON, Alarm, random32, sleep_ms, ticks
from .declarations import Declaration, Declarations
from .errors import (
    AuthenticationError,
    ConfigurationError,
    Error,
    LocalProtocolError,
    RemoteProtocolError,
    RequestTimeout,
    SessionAborted,
    TransportError,
    TransportLost,
)
from .handlers import Handlers
from .messages import CALL, PUBLISH, check_options, check_uri
from .requests import Request, result
from .session import (
    ANSWERED,
    CHALLENGED,
    DONE,
    ENDED,
    FAILED,
    HAPPENED,
    INVOKED,
    JOINED,
    REVOKED,
    Protocol,
)
from .transport import make

# Receive limit announced to the router: crossbar's WELCOME alone is 850 octets, and a device's
# heap is about 200 kB, so it must be able to hold a few messages at once.
_MAX_LENGTH = 8192 if MICROPYTHON else 1 << 20

_OPEN_MS = 20000  # TCP's own limit is minutes
_JOIN_MS = 30000
_REFUSED = 4000  # after a refused login the next attempt is not sooner: it will hardly do better
_WAITING = 128  # requests that may wait for a session, as Protocol's limit of open ones
_BACKOFF_FIRST = 250
_BACKOFF_MAX = 30000
_BACKLOG = 8192  # octets not yet sent above which a publisher waits
_LASTED = 8000  # what is over sooner, session or attempt, makes the next attempt wait longer


class Client(Handlers, Declarations):
    """A WAMP client with all four roles.

    url: see `transport`. realm: of the router. auth: an authenticator, or several in the order of
    preference; None is anonymous. timeout_ms: how long requests wait by default. max_length:
    longest message accepted, in octets (rounded up to a power of two, 16 MiB at most). reconnect:
    False ends with the first failure, and `async with` raises it; True goes on for ever. log: a
    function of one string, such as print, for what happens below. codec: (encode, decode) instead
    of this library's CBOR; must raise LocalProtocolError and RemoteProtocolError as that does.
    Further options go to the transport.
    """

    def __init__(
        self,
        url,
        realm="devices",
        auth=None,
        timeout_ms=10000,
        max_length=_MAX_LENGTH,
        reconnect=True,
        log=None,
        codec=None,
        **transport,
    ):
        if type(realm) is not str or not realm:
            raise ConfigurationError("the realm is %r, not a non-empty string" % (realm,))
        Handlers.__init__(self)
        Declarations.__init__(self)
        self.url = url
        self.realm = realm
        self.timeout_ms = timeout_ms
        self.session = None  # id of the session, None while there is none
        self.details = {}  # WELCOME.details of the last session
        self.error = None  # why the last session, or the last attempt, ended
        self.joins = 0  # sessions so far
        self.failures = 0  # attempts that did not end in a session
        self._auth = () if auth is None else auth if isinstance(auth, (tuple, list)) else (auth,)
        self._max_length = max_length
        self._reconnect = reconnect
        self._log = log or (lambda text: None)
        if codec is None:
            from .cbor import decode, encode

            codec = (encode, decode)
        self._encode, self._decode = codec
        self._options = transport
        self._transport = make(url, **transport)
        self.transport_details = self._transport.details  # what carries the session
        self._frames = None
        self._protocol = Protocol(self._send)
        self._requests = {}
        self._waiting = []  # requests that wait for a session
        self._alarm = Alarm(self._expire)
        self._task = None
        self._ready = False  # joined, and what was declared is answered
        self._over = asyncio.Event()  # the client has ended
        self._news = asyncio.Event()  # ready or over
        self._leaving = False

    # -- life

    async def __aenter__(self):
        await self.join()
        return self

    async def __aexit__(self, *_):
        await self.leave()

    async def join(self):
        """Start, and wait until joined and until the router has answered what was declared.

        With reconnect=False raises what prevented it; otherwise waits as long as it takes.
        """
        self.start()
        await self._news.wait()
        while not self._ready:
            if self._over.is_set():
                raise self.error or TransportLost("%s: the client has ended" % self.url)
            await self._news.wait()

    def start(self):
        """Start without waiting; must be called from within asyncio."""
        if self._task is None:
            if self._over.is_set():
                self._transport = make(self.url, **self._options)
            self._leaving = False
            self._over.clear()
            self._news.clear()
            self._task = asyncio.create_task(self._run())

    async def leave(self):
        """Say GOODBYE, wait for the router's (2 s at most), close. Requests fail."""
        if self._task is None:
            return
        self._leaving = True
        if self.session is not None:
            try:
                self._protocol.leave()
                await asyncio.wait_for(self._over.wait(), 2)
            except (Error, asyncio.TimeoutError) as e:
                self._log("left without the router's answer: %s" % type(e).__name__)
        task, self._task = self._task, None
        if task is not None and not self._over.is_set():
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                if not self._over.is_set():
                    self._end()  # it was cancelled before it had begun
        self._task = None

    async def ended(self):
        """Wait until the client has ended: after `leave`, or for good with reconnect=False."""
        await self._over.wait()

    async def _run(self):
        backoff = _BACKOFF_FIRST
        try:
            while True:
                began = ticks()
                joins = self.joins
                try:
                    await self._session()
                    self.error = None
                except Exception as e:
                    # Also what is no Error of ours, such as MemoryError: the next session may do.
                    self.error = e
                if self._leaving:
                    return
                if self.joins > joins:
                    self._log("session ended: %s" % self.error)
                else:
                    self.failures += 1
                    self._log("no session: %s" % self.error)
                if not self._reconnect or isinstance(self.error, ConfigurationError):
                    return
                if (ticks() - began) & 0x3FFFFFFF > _LASTED:
                    # A session that lasted, or an attempt that took its time (nobody on the other
                    # end of the line): the next one need not wait.
                    backoff = _BACKOFF_FIRST
                if self.joins == joins and isinstance(
                    self.error, (SessionAborted, AuthenticationError)
                ):
                    backoff = max(backoff, _REFUSED)
                # Jitter: a rack of boards must not come back all at once.
                await sleep_ms(backoff // 2 + random32() % backoff)
                backoff = min(backoff * 2, _BACKOFF_MAX)
                self._transport = make(self.url, **self._options)
        finally:
            self._end()

    def _end(self):
        self._transport.release()
        self._alarm.stop()
        self._settle_all(self.error or TransportLost("%s: the client has ended" % self.url))
        self._over.set()
        self._news.set()

    async def _session(self):
        """One connection and one session on it, until it ends; raises why."""
        transport = self._transport
        if not transport.private:
            for a in self._auth:
                if a.needs_private_link:
                    raise ConfigurationError(
                        "%s would send its secret in clear over %s: use rss:// or a Unix socket, "
                        "another method, or allow_clear=True" % (a.method, self.url)
                    )
        protocol = self._protocol
        over = None
        try:
            for a in self._auth:
                for _ in a.prepare():
                    await sleep_ms(0)
            await self._limited(transport.open(), _OPEN_MS, "no connection")
            await self._handshake(transport)
            protocol.join(self.realm, self._auth, "microwamp")
            deadline = ticks()
            while True:
                if protocol.session is None:
                    left = _JOIN_MS - ((ticks() - deadline) & 0x3FFFFFFF)
                    octets = await self._limited(transport.read(), left, "HELLO stays unanswered")
                else:
                    octets = await transport.read()
                if not octets:
                    raise TransportLost("%s: the router closed the connection" % self.url)
                await self._take(self._receive(octets))
        except _Left:
            over = None
        except Exception as e:
            over = e
        finally:
            self.session = None
            self._ready = False
            self._news.clear()
            self._frames = None
            self._replaying = 0
            self._later.clear()
            lost = TransportLost("the session ended: %s" % (over or "we left"))
            for handle in protocol.end():
                self._settle(handle, None, lost)
            for declaration in self._declarations:
                declaration.id = None
                if declaration.error is None:
                    declaration._settled.clear()
            try:
                if not isinstance(over, TransportError):
                    await transport.finish()
            finally:
                transport.close()
        if over is not None:
            raise over

    async def _handshake(self, transport):
        """RawSocket's; `_receive` works after it."""
        raw = rawsocket.RawSocket(self._max_length)
        transport.write(raw.request())
        first = ()
        begin = ticks()
        while raw.frames is None:
            left = self.timeout_ms - ((ticks() - begin) & 0x3FFFFFFF)
            try:
                octets = await self._limited(transport.read(), left, "no RawSocket handshake")
            except TransportLost as e:
                raise raw.ended() if "reset" in str(e) or "closed" in str(e) else e
            if not octets:
                raise raw.ended()
            first = raw.receive(octets)
        self._frames = raw.frames
        await self._take(first)

    async def _limited(self, coroutine, ms, what):
        try:
            return await asyncio.wait_for(coroutine, max(ms, 1) / 1000)
        except asyncio.TimeoutError:
            raise TransportError("%s: the router does not answer: %s" % (self.url, what))

    def _receive(self, octets):
        try:
            return self._frames.receive(octets)
        except RemoteProtocolError as e:
            self._protocol.violation(e)
            raise

    async def _take(self, frames):
        for kind, payload in frames:
            if kind == rawsocket.MESSAGE:
                try:
                    report = self._protocol.receive(self._decode(payload))
                except RemoteProtocolError as e:
                    report = self._protocol.violation(e)
                if report is not None:
                    if report[0] == CHALLENGED:
                        await self._authenticate(report[1], report[2])
                    else:
                        self._act(report)
            elif kind == rawsocket.PING:
                try:
                    self._transport.write(self._frames.frame(payload, rawsocket.PONG))
                except LocalProtocolError as e:
                    self._log("a PING cannot be answered: %s" % e)
                if self._transport.backlog() > _BACKLOG:
                    # A flood of PINGs must not fill the memory with PONGs; and a router that sends
                    # them but reads nothing must not keep us here.
                    drained = self._transport.drain()
                    await self._limited(drained, self.timeout_ms, "it does not read")

    async def _authenticate(self, auth, extra):
        """Answer a CHALLENGE; the computation gives way to other tasks as it goes."""
        steps = auth.challenge(extra)
        try:
            while True:
                next(steps)
                await sleep_ms(0)
        except StopIteration as e:
            signature, extra = e.value
        except RemoteProtocolError as e:
            self._protocol.violation(e)
            raise
        except AuthenticationError:
            self._protocol.abandon()
            raise
        self._protocol.authenticate(signature, extra)

    def _send(self, message):
        if self._frames is None:
            raise TransportLost("%s: no connection" % self.url)
        self._transport.write(self._frames.frame(self._encode(message)))

    # -- what happens

    def _act(self, report):
        kind = report[0]
        if kind == HAPPENED:
            for declaration in report[1]:
                self._event(declaration, report)
        elif kind == INVOKED:
            self._invocation(report)
        elif kind == ANSWERED:
            self._settle(report[1], result(report[2], report[3]))
        elif kind == DONE:
            self._settle(report[1], report[2])
        elif kind == FAILED:
            self._settle(report[1], None, report[2])
        elif kind == JOINED:
            self._on_join(report[1])
        elif kind == ENDED:
            if report[1] is None:
                raise _Left()
            raise report[1]
        elif kind == REVOKED:
            for declaration in report[1]:
                self._log("%s was revoked by the router: %s" % (declaration.uri, report[2]))
                declaration.id = None
                if declaration in self._declarations:
                    self._declare(declaration)

    def _settle(self, handle, value, error=None):
        if self._waiting and self.session is not None:
            self._waiting.pop(0).wake()  # there is room for one more
        if self._later and self.session is not None and not self._protocol.full():
            self._declare(self._later.pop(0), True)
        if isinstance(handle, Declaration):
            if handle._asked:
                if isinstance(error, TransportLost):
                    handle._asked = False
                else:
                    handle._settle(value, error)
                    if error is not None:
                        self._log("%s: %s" % (handle.uri, error))
                        self._perhaps_again(handle)
                    elif handle not in self._declarations:
                        self._withdraw(handle)
                self._replayed()
        else:
            handle.settle(value, error)

    def _on_join(self, details):
        self.session = self._protocol.session
        self.details = details
        self.joins += 1
        self._log(
            "joined %s as %s (%s)"
            % (
                details.get("realm", self.realm),
                details.get("authid"),
                details.get("authmethod", "anonymous"),
            )
        )
        self._replaying = 1
        for declaration in self._declarations:
            declaration.error = None
            declaration.refusals = 0
            self._declare(declaration)
        self._replayed()
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            request.wake()

    def _replayed(self):
        """One declaration less to be answered; with the last one, `join` returns."""
        if self._replaying:
            self._replaying -= 1
            if not self._replaying:
                self._ready = True
                self._news.set()

    # -- what programs ask for

    async def call(self, procedure, *args, kwargs=None, timeout_ms=None, **options):
        """Call a procedure; returns None, the one result, or a Result.

        Raises ApplicationError (the callee's or the router's), RequestTimeout, TransportLost (the
        session ended meanwhile: whether the call took effect is unknown), LocalProtocolError.
        """
        check_uri(procedure, "procedure")
        if options:
            check_options(CALL, options)
        request = self._request(procedure, timeout_ms)
        try:
            await self._session_for(request)
            request.id = self._protocol.call(request, procedure, args, kwargs, options)
            return await self._outcome(request)
        finally:
            self._done(request)

    async def publish(
        self, topic, *args, kwargs=None, acknowledge=False, timeout_ms=None, **options
    ):
        """Publish an event; with acknowledge=True returns the publication's id once the router
        has it, and raises as `call` does; without, returns None when it is on its way."""
        check_uri(topic, "topic")
        if options:
            check_options(PUBLISH, options)
        if not acknowledge and self.session is not None:
            self._protocol.publish(None, topic, args, kwargs, options)
            backlog = self._transport.backlog()
            if backlog > _BACKLOG:
                limit = self.timeout_ms if timeout_ms is None else timeout_ms
                await self._limited(self._transport.drain(), limit, "it does not read")
            elif backlog > 1024:
                await sleep_ms(0)  # a burst of publications must not keep others from running
            return None
        request = self._request(topic, timeout_ms)
        try:
            await self._session_for(request)
            handle = request if acknowledge else None
            request.id = self._protocol.publish(handle, topic, args, kwargs, options)
            return await self._outcome(request) if acknowledge else None
        finally:
            self._done(request)

    # -- waiting

    def _request(self, name, timeout_ms):
        if timeout_ms is None:
            timeout_ms = self.timeout_ms
        request = Request(name, (ticks() + timeout_ms) & 0x3FFFFFFF, timeout_ms)
        self._requests[id(request)] = request
        self._alarm.within(timeout_ms)
        return request

    async def _session_for(self, request):
        """Wait for a session with room for one more request, until the request's deadline."""
        while self.session is None or self._protocol.full():
            if self._task is None or self._over.is_set():
                raise TransportLost("%s: the client is not running" % self.url)
            if len(self._waiting) >= _WAITING:
                raise LocalProtocolError("%d requests wait to be sent already" % _WAITING)
            self._waiting.append(request)
            try:
                await request.wait()
            finally:
                if request in self._waiting:
                    self._waiting.remove(request)
            if request.settled:
                raise request.error
            request.rest()

    async def _outcome(self, request):
        if not request.settled:
            await request.wait()
        if request.error is not None:
            raise request.error
        return request.value

    def _done(self, request):
        self._requests.pop(id(request), None)
        if not request.settled and request.id is not None:
            self._protocol.forget(request.id)  # the task was cancelled
            if self._waiting:
                self._waiting.pop(0).wake()

    def _expire(self):
        """The alarm: settle what is overdue, and find out when to look again."""
        now = ticks()
        soonest = None
        for request in list(self._requests.values()):
            if request.settled:
                continue
            left = ((request.at - now + 0x20000000) & 0x3FFFFFFF) - 0x20000000
            if left <= 0:
                if request.id is not None:
                    self._protocol.forget(request.id)
                    if self._waiting:
                        self._waiting.pop(0).wake()
                    text = "%s: no answer within %d ms"
                else:
                    text = "%s: no session within %d ms"
                error = RequestTimeout(text % (request.name, request.timeout_ms))
                request.settle(None, error)
            elif soonest is None or left < soonest:
                soonest = left
        for declaration in self._declarations:
            if not declaration._asked:
                continue
            left = ((declaration.at - now + 0x20000000) & 0x3FFFFFFF) - 0x20000000
            if left <= 0:
                self._protocol.forget(declaration.request)
                text = "%s: the router has not confirmed it within %d ms"
                error = RequestTimeout(text % (declaration.uri, self.timeout_ms))
                self._settle(declaration, None, error)
            elif soonest is None or left < soonest:
                soonest = left
        if soonest is not None:
            self._alarm.within(soonest)

    def _settle_all(self, error):
        for request in list(self._requests.values()):
            request.settle(None, error)
        for declaration in self._declarations:
            if not declaration._settled.is_set():
                declaration._settle(None, error)


class _Left(Exception):
    """The router answered our GOODBYE."""
