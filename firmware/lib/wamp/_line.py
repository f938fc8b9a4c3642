"""What a client does seldom with its line: wait, leave, doubt it; loaded when it does."""

import asyncio

from ._port import sleep_ms, wait_for
from .errors import (
    AuthenticationError,
    ConfigurationError,
    Error,
    LocalProtocolError,
    TransportError,
    TransportLost,
)

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_PING = const(1)
_PONG = const(2)

_WAITING = const(128)  # requests that may wait for a session, as Protocol's limit of open ones
_BACKLOG = const(8192)  # octets not yet sent above which a publisher waits
_LEAVE_S = const(2)


def ended(client):
    """The error for what is asked of a client that does not run."""
    return TransportLost("%s: the client is not running" % client.url)


def no_realm(realm):
    """The error for a realm that is none."""
    return ConfigurationError("the realm is %r, not a non-empty string" % (realm,))


def closed(client):
    """The error for a stream that ended, by how far it had come."""
    error = None
    if hasattr(client._raw, "ended"):
        error = client._raw.ended()  # it may not have come as far as the handshake
    return error or TransportLost("%s: the router closed the connection" % client.url)


def refused(raw, error):
    """The error for a handshake that ended: ports of another kind have nothing else to say."""
    if "reset" in str(error) or "closed" in str(error):
        return raw.ended()
    return error


def late(client):
    """The error for a router that takes too long, by how far it had come."""
    if client.session is not None:
        what = "it does not read"
    elif client.state == "joining":
        what = "HELLO stays unanswered"
    elif client._raw is not None:
        what = "no RawSocket handshake"
    else:
        what = "no connection"
    return TransportError("%s: the router does not answer: %s" % (client.url, what))


def denied(error):
    """Whether a router, or our own side, has refused the login."""
    from .failures import SessionAborted

    return isinstance(error, (SessionAborted, AuthenticationError))


def in_clear(method, url):
    """The error for a login that must not be tried on a link which others can read."""
    return ConfigurationError(
        "%s would send its secret in clear over %s: use rss:// or a Unix socket, another method, "
        "or allow_clear=True" % (method, url)
    )


async def room(client, request):
    """Wait for a session with room for one more request, until the request's deadline."""
    while client.session is None or client._protocol.full():
        if client._task is None or client.state == "ended":
            raise ended(client)
        waiting = client._waiting
        if len(waiting) >= _WAITING:
            raise LocalProtocolError("%d requests wait to be sent already" % _WAITING)
        waiting.append(request)
        try:
            await request.outcome()
        finally:
            if request in client._waiting:
                client._waiting.remove(request)


async def ease(client, timeout_ms=None):
    """Let others run in a burst; wait for a router that does not read."""
    if client._transport.backlog() > _BACKLOG:
        limit = client.timeout_ms if timeout_ms is None else timeout_ms
        from ._opening import limited

        await limited(client, client._transport.drain(), limit)
    else:
        await sleep_ms(0)


async def pong(client, payload):
    """Answer a PING. A flood must not fill the memory with PONGs, nor keep the reader here."""
    try:
        # It may come right behind the router's handshake.
        frames = getattr(client._raw, "frames", client._raw)
        client._transport.write(frames.frame(payload, _PONG))
    except LocalProtocolError as e:
        client._log("a PING cannot be answered: %s" % e)
    if client._transport.backlog() > _BACKLOG:
        await ease(client)


def silence(client):
    """Nothing came for a third of `alive_ms`: ask for something; then give the router up."""
    if client._asked:
        text = "%s: the router was silent for %d ms"
        client._silent = TransportLost(text % (client.url, client.alive_ms))
        client._transport.close()
        return
    client._asked = True
    try:
        if client.ping:
            client._transport.write(client._frame(b"microwamp", _PING))
        else:
            # Any answer will do, "not authorized" too; nobody waits for it.
            client._protocol.call(None, "wamp.session.count")
    except Error as e:
        client._log("the router cannot be asked for a sign of life: %s" % e)


def turned(client, was):
    """Tell the program of a change of `state`, if it is one between up and down."""
    if client.state == "up":
        tell(client, "up", client.details)
    elif was == "up":
        tell(client, "down", client.error)


def tell(client, what, detail):
    """Tell the program."""
    try:
        if client.on_event is not None:
            client.on_event(what, detail)
    except Exception as e:
        client._log("on_event: %s: %s" % (type(e).__name__, e))


async def leave(client):
    """Say GOODBYE, wait for the router's, and end."""
    client._leaving = True
    if client.session is not None:
        try:
            client._protocol.leave()
            await wait_for(client.ended(), _LEAVE_S)
        except (Error, asyncio.TimeoutError) as e:
            client._log("left without the router's answer: %s" % type(e).__name__)
    task, client._task = client._task, None
    if task is not None and client.state != "ended":
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            if client.state != "ended":
                end(client)  # it was cancelled before it had begun
    client._task = None


def end(client):
    """The client has ended: whoever waits is told. To be repeated when the memory runs out."""
    if client._transport is not None:
        if client._raw is not None:
            client._transport.close()  # it was kept for another session
            client._raw = None
        client._transport.release()
        client._transport = None
    client._alarm.stop()
    lost = client.error or ended(client)
    for waiter in list(client._due):
        waiter.settle(None, lost)
    client._due.clear()
    client._turn("ended")
