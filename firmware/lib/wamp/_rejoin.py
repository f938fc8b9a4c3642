"""Another session on the same transport, as `Client.rejoin` wants it; loaded when it does. Part of
the I/O edge."""

import asyncio

from ._line import ended, in_clear, leave, no_realm
from ._port import wait_for
from .errors import Error, LocalProtocolError, TransportLost

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_LEAVE_S = const(2)


async def rejoin(client, realm, auth):
    """Leave with GOODBYE, and wait until joined anew; see `Client.rejoin`."""
    realm = client.realm if realm is None else realm
    if type(realm) is not str or not realm:
        raise no_realm(realm)
    if auth is None:
        auth = client.auth
    elif not isinstance(auth, (tuple, list)):
        auth = (auth,)
    if client._rejoining:
        raise LocalProtocolError("the client leaves its session for another one already")
    if client._transport is not None and not client._transport.private:
        for a in auth:
            if a.needs_private_link:
                raise in_clear(a.method, client.url)
    if client.session is None:
        await leave(client)  # the attempt under way, with what it had begun
        client.realm, client.auth = realm, auth
        return await client.join()
    joins = client.joins
    await _goodbye(client, realm, auth)
    while client.joins == joins or client.state != "up":
        if client.state == "ended":
            raise client.error or ended(client)
        await client._changed.wait()
    return client


async def _goodbye(client, realm, auth):
    """End the session, so that the client keeps the transport if it can."""
    state = client.state
    # From here on the next session is meant.
    client._rejoining = True
    client.session = None
    client.realm, client.auth = realm, auth
    try:
        client._protocol.leave()
        await wait_for(_answered(client, state), _LEAVE_S)
    except (Error, asyncio.TimeoutError):
        pass
    finally:
        # Also where nobody waits any more.
        if client._rejoining and client.state == state:
            client._silent = TransportLost("%s: GOODBYE stays unanswered" % client.url)
            client._transport.close()


async def _answered(client, state):
    while client._rejoining and client.state == state:
        await client._changed.wait()
