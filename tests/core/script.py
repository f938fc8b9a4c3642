"""A router in memory for tests of the client: it answers as scripted, and notes what it heard."""

import asyncio

import wamp.client
from wamp import _declared
from wamp.cbor import decode, encode
from wamp.errors import TransportLost
from wamp.rawsocket import Frames
from wamp.transport import TransportDetails

# What tests replace in wamp.client, so that they need no network and no patience.
PATCHED = ("make", "_JOIN_MS", "_BACKOFF_FIRST", "_BACKOFF_MAX", "_REFUSED")

ROLES = {"broker": {"features": {}}, "dealer": {"features": {}}}


class Transport:
    """One connection; see wamp.transport for the interface."""

    def __init__(self, router):
        self.private = router.private
        self.details = TransportDetails("memory", "script:")
        self.opens = 0
        self.closes = 0
        self.releases = 0
        self.finished = 0
        self.drains = 0
        self.waiting = 0  # what backlog() says
        self.write_error = None
        self._router = router
        self._shaken = False
        self._frames = Frames(1 << 24)
        self._inbox = []
        self._end = None  # None, b"" or the error that `read` raises
        self._event = asyncio.Event()

    async def open(self):
        self.opens += 1
        error = self._router.open_error
        if error is not None:
            raise error

    async def read(self):
        while not self._inbox:
            if self.closes:
                return b""
            if self._end is not None:
                if self._end == b"":
                    return b""
                raise self._end
            self._event.clear()
            await self._event.wait()
        return self._inbox.pop(0)

    def write(self, octets):
        if self.opens != 1 or self.closes:
            raise TransportLost("script: not open")
        if self.write_error is not None:
            raise self.write_error
        if not self._shaken:
            self._shaken = True
            assert octets[0] == 0x7F and len(octets) == 4, octets
            if self._router.handshake is not None:
                self.push(self._router.handshake)
            return 0
        # Messages as they are; PING and PONG as [-1, payload] and [-2, payload].
        for kind, payload in self._frames.receive(octets):
            if kind == 0:
                self._router.hear(decode(payload))
            else:
                self._router.hear([-kind, payload])
        return self.waiting

    def push(self, octets):
        """What the client reads next."""
        self._inbox.append(octets)
        self._event.set()

    def end(self, error):
        """The connection ends after what was pushed: b"", or an error."""
        self._end = error
        self._event.set()

    def backlog(self):
        return self.waiting

    async def drain(self):
        self.drains += 1
        self.waiting = 0

    async def finish(self):
        self.finished += 1

    def close(self):
        self.closes += 1
        self._event.set()

    def release(self):
        self.releases += 1


class Router:
    """Honest as it stands; `on[code]` is a function of a message in place of what it does."""

    def __init__(self):
        self.private = True
        self.handshake = b"\x7f\xf3\x00\x00"
        self.open_error = None
        self.heard = []
        self.on = {}
        self.transports = []
        self.roles = ROLES
        self.session = 1000
        self.ids = 100
        self._frames = Frames(1 << 24)

    def announce(self, role, *features):
        """Have a role announce features."""
        self.roles = dict(self.roles)
        self.roles[role] = {"features": {name: True for name in features}}

    def make(self, url, **options):
        """In place of wamp.transport.make."""
        self.transports.append(Transport(self))
        return self.transports[-1]

    def new_id(self):
        self.ids += 1
        return self.ids

    def hear(self, message):
        self.heard.append(message)
        code = message[0]
        answer = self.on.get(code, self.answer)
        if answer is not None:
            answer(message)

    def answer(self, message):
        """What an honest router answers; RESULT echoes the arguments of CALL."""
        code = message[0]
        if code == 1:
            self.session += 1
            self.send([2, self.session, {"roles": self.roles, "realm": message[1]}])
        elif code == 6:
            self.send([6, {}, "wamp.close.goodbye_and_out"])
        elif code == 16:
            if message[2].get("acknowledge"):
                self.send([17, message[1], self.new_id()])
        elif code == 48:
            self.send([50, message[1], {}] + message[4:])
        elif code in (32, 64):
            self.send([code + 1, message[1], self.new_id()])
        elif code in (34, 66):
            self.send([code + 1, message[1]])

    def frame(self, message):
        return self._frames.frame(bytes(encode(message)))

    def send(self, *messages):
        """Send messages, all in one piece."""
        self.push(b"".join([self.frame(message) for message in messages]))

    def push(self, octets):
        self.transports[-1].push(octets)

    def drop(self, error=b""):
        """End the connection."""
        self.transports[-1].end(error)

    def take(self, *codes):
        """The messages heard of these types (all, without), and forget everything heard."""
        heard, self.heard = self.heard, []
        return [message for message in heard if not codes or message[0] in codes]

    async def wait(self, code, count=1):
        """Wait until so many messages of a type were heard; returns the last."""
        for _ in range(2000):
            found = [message for message in self.heard if message[0] == code]
            if len(found) >= count:
                return found[-1]
            await asyncio.sleep(0.001)
        raise AssertionError("%d of type %d expected, heard %r" % (count, code, self.heard))


class Scripted:
    """`async with Scripted(router) as client`: a client that has joined, and leaves at the end.

    join=False does not start it. Whatever happened, nothing may be left that waits.
    """

    def __init__(self, router, join=True, join_ms=2000, **options):
        self._router = router
        self._join = join
        self._join_ms = join_ms
        self._options = options
        self.log = []

    async def __aenter__(self):
        module = wamp.client
        self._saved = [(name, getattr(module, name)) for name in PATCHED]
        module.make = self._router.make
        module._JOIN_MS = self._join_ms
        module._BACKOFF_FIRST = module._BACKOFF_MAX = module._REFUSED = 2
        self._again = _declared._AGAIN_MAX
        _declared._AGAIN_MAX = 2
        try:
            options = self._options
            options.setdefault("log", self.log.append)
            self.client = module.Client("rs://script:8080", **options)
            if self._join:
                await self.client.join()
        except BaseException:
            self._restore()
            raise
        return self.client

    def _restore(self):
        for name, value in self._saved:
            setattr(wamp.client, name, value)
        _declared._AGAIN_MAX = self._again

    async def __aexit__(self, kind, error, traceback):
        try:
            await self.client.leave()
        finally:
            self._restore()
        if kind is None:
            await settled()
            assert not self.client._due, self.client._due
            assert not self.client._waiting, self.client._waiting
            for transport in self._router.transports:
                assert transport.opens <= 1, "a transport was opened twice"
                assert transport.closes or not transport.opens, "a transport was not closed"


async def settled():
    """Let every task that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition):
    """Wait until a condition (a function) is true."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it does not happen")


async def fails(error, awaitable):
    """Await it; returns its exception, which must be of that type."""
    try:
        value = await awaitable
    except error as e:
        return e
    raise AssertionError("%s expected, got %r" % (error.__name__, value))
