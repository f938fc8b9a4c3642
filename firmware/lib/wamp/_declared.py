"""What seldom happens to declarations: waited for, refused, taken back; loaded when it does."""

import asyncio

from ._line import ended, tell
from ._port import wait_for
from .errors import Error, RequestTimeout, TransportLost
from .requests import Request

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_SUBSCRIBE = const(32)
_REGISTER = const(64)

_AGAIN_MAX = 30000


def late(declaration, ms):
    """The error for an answer that did not come."""
    text = "%s: the router has not confirmed it within %d ms"
    return RequestTimeout(text % (declaration.uri, ms))


async def _settled(declaration):
    client = declaration._client
    while not declaration.settled:
        if client.state == "ended":
            raise client.error or ended(client)
        await client._changed.wait()


async def confirmed(declaration, timeout_ms):
    """Wait until the router has confirmed."""
    timeout_ms = timeout_ms or declaration._client.timeout_ms
    try:
        await wait_for(_settled(declaration), timeout_ms / 1000)
    except asyncio.TimeoutError:
        raise late(declaration, timeout_ms)
    if declaration.error is not None:
        raise declaration.error
    return declaration


def settled(declaration, error):
    """The router refused it, or it was removed meanwhile."""
    client = declaration._client
    if declaration not in client._declarations:
        _withdraw(declaration)
    elif error is not None:
        client._log("%s: %s" % (declaration.uri, error))
        if getattr(error, "error", None) == "wamp.error.procedure_already_exists":
            # The router may still hold our former session, and with it the procedure.
            client._within(declaration, min(1000 << declaration.refusals, _AGAIN_MAX))
            declaration.refusals = min(declaration.refusals + 1, 5)


def _withdraw(declaration):
    """It was removed while the router was asked: take it back, whatever the answer."""
    id, declaration.id = declaration.id, None
    if id is None:
        return
    client = declaration._client
    try:
        if declaration.code == _SUBSCRIBE:
            client._protocol.unsubscribe(None, id, declaration)
        else:
            client._protocol.forget(client._protocol.unregister(declaration, id))
    except Error as e:
        client._log("%s: %s" % (declaration.uri, e))


async def remove(declaration):
    """Unsubscribe or unregister, now and for later sessions."""
    client = declaration._client
    if declaration not in client._declarations:
        return
    client._declarations.remove(declaration)
    if declaration.request is None:
        client._due.pop(declaration, None)
    if declaration in client._waiting:
        client._waiting.remove(declaration)
    client._perhaps_up()
    if client.session is None or declaration.id is None:
        return
    protocol = client._protocol
    request = Request(client, declaration.uri, None)
    try:
        id, declaration.id = declaration.id, None
        if declaration.code == _REGISTER:
            request.id = protocol.unregister(request, id)
        else:
            sent = protocol.unsubscribe(request, id, declaration)
            if not sent:
                return
        await request.outcome()
    except TransportLost:
        return  # and with the session what it had
    finally:
        request.done()


def revoked(client, declarations, reason):
    """The router took back what it had granted: the program is told, and it is declared anew."""
    for declaration in list(declarations):
        client._log("%s was revoked by the router: %s" % (declaration.uri, reason))
        declaration.id = None
        tell(client, "revoked", declaration)
        if declaration in client._declarations:
            declaration.wake()
