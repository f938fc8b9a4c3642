"""How a client begins: itself, its connections and its sessions; loaded for that, and let go when
a session is there. Part of the I/O edge."""

import asyncio

from ._port import sleep_ms, wait_for
from .errors import TransportLost
from .handshake import RawSocket

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_OPEN_MS = const(20000)  # TCP's own limit is minutes
_ALIVE_MS = const(60000)

# Until what the client's `_receive` goes on
_HANDSHAKE = const(0)
_SESSION = const(1)


def prepare(client, auth, log, codec):
    """The rest of a client's attributes, from its arguments; see there."""
    if type(client.realm) is not str or not client.realm:
        from ._line import no_realm

        raise no_realm(client.realm)
    client.state = "ended"
    client.details = {}  # WELCOME.details of the last session
    client.joins = 0  # sessions so far
    client.failures = 0  # attempts that did not end in a session
    client.reads = 0  # whole frames from the router: what trickles in is no sign of life
    client.dropped = 0  # events dropped because too many handlers were under way
    # error: why the last session, or the last attempt, ended. session: its id, None while there
    # is none. _silent: the reason, once the router is given up for its silence.
    client.error = client.session = client._task = client._silent = None
    if not isinstance(auth, (tuple, list)):
        auth = () if auth is None else (auth,)
    client.auth = auth
    client._log = log or str  # nothing is done with the text
    if codec is None:
        from .cbor import decode, encode

        codec = (encode, decode)
    client._encode, client._decode = codec
    client.transport_details = client._transport.details  # what carries the session
    if client.alive_ms is None:
        client.alive_ms = 0 if client.transport_details.channel_type == 3 else _ALIVE_MS
    client._declarations = []
    # Handlers under way: [session, request, task, declaration, coroutine not begun, parts]
    client._tasks = {}
    # What has a deadline: .at, and .expire() for when it is there. No set: MicroPython's breaks
    # when the memory runs out while it grows, and the interpreter with it.
    client._due = {}
    client._waiting = []  # what waits for a session, or for room among the open requests
    client._joined = []  # what is told of each join, by its `up`
    client._changed = asyncio.Event()  # for a moment, when `state` changes
    client._leaving = False
    client._rejoining = False  # GOODBYE was sent for the sake of another session
    client._raw = None  # of the connection: its handshake, then its frames
    if client.outbox is not None:
        client.outbox.attach(client)


async def connect(client, join_ms):
    """Open the client's transport, and join; raises why that cannot be."""
    transport = client._transport
    for a in client.auth:
        if a.needs_private_link and not transport.private:
            from ._line import in_clear

            raise in_clear(a.method, client.url)
        await steps(a.prepare())
    if client._raw is None:
        await _open(client, transport)
    client._turn("joining")
    client._protocol.join(client.realm, client.auth, "microwamp")
    await limited(client, client._receive(_SESSION), join_ms)
    _joined(client)


async def _open(client, transport):
    """Network, connection and handshake; not where the session before has left its own."""
    if client.network is not None:
        await client.network()
    await limited(client, transport.open(), _OPEN_MS)
    client._raw = raw = RawSocket(client.max_length, client._serializer)
    transport.write(raw.request())
    try:
        await limited(client, client._receive(_HANDSHAKE), client.timeout_ms)
    except TransportLost as e:
        if raw.frames is None:
            from ._line import refused

            raise refused(raw, e)
        raise
    client._raw = raw.frames
    # Bound once: finding a method takes as long as a short one runs.
    client._write = transport.write
    client._frame = raw.frames.frame


async def limited(client, steps, ms):
    """The result of a coroutine; raises TransportError when it takes longer."""
    try:
        return await wait_for(steps, ms / 1000)
    except asyncio.TimeoutError:
        from ._line import late

        raise late(client)


async def steps(generator):
    """A long computation, giving way to other tasks as it goes; returns its result."""
    try:
        while True:
            next(generator)
            await sleep_ms(0)
    except StopIteration as e:
        return e.value


def _joined(client):
    """The session is there: what waited for it goes on, what was declared is sent."""
    get = client.details.get
    method = get("authmethod") or ("by an unnamed method" if client.auth else "anonymous")
    who = get("realm", client.realm), get("authid"), method
    client._log("joined %s as %s (%s)" % who)
    waiting, client._waiting = client._waiting, []
    for declaration in client._declarations:
        declaration.error = None
        declaration.refusals = 0
        declaration.wake()
    for waiter in waiting:
        waiter.wake()
    for waiter in client._joined:
        waiter.up()
    client._seen = -1
    if client.alive_ms:
        client._within(client, client.alive_ms // 3)
    client._perhaps_up()
