"""Publications that outlive a session: kept while the line is down, re-sent until acknowledged.

`Client(url, outbox=Outbox(32))`. At least once: what was on its way when a session ended is sent
again in the next, and the router may have had it already. In order, one after another. Imported
where it is used; nothing is written to flash.
"""

import asyncio

from ._port import wait_for
from .errors import Error, RequestTimeout, TransportLost
from .messages import check_uri
from .options import check

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_PUBLISH = const(16)
_AGAIN_MS = const(1000)  # after a router that did not answer in time


class Outbox:
    """limit: most publications kept. latest: only the newest of each topic is kept.

    Beyond the limit the oldest goes. dropped: how many went unsent, replaced ones included.
    """

    def __init__(self, limit=32, latest=False):
        self.limit = limit
        self.latest = latest
        self.dropped = 0
        self._client = None
        self._entries = []  # the first may be on its way
        self._task = None

    def __len__(self):
        return len(self._entries)

    def attach(self, client):
        """The client begins to use it."""
        self._client = client
        client._joined.append(self)

    def publish(self, topic, args, kwargs, options, acknowledge, timeout_ms):
        """What `Client.publish` leaves to it; to be awaited."""
        client = self._client
        if client.session is not None and not acknowledge and not self._entries:
            return client._ask(_PUBLISH, topic, args, kwargs, options, (timeout_ms,), False)
        return self._keep(topic, args, kwargs, options, acknowledge, timeout_ms)

    async def _keep(self, topic, args, kwargs, options, acknowledge, timeout_ms):
        client = self._client
        check_uri(topic, "topic")
        check(_PUBLISH, options)
        entry = _Entry(topic, args, kwargs, options, acknowledge)
        begun = 1 if self._task is not None else 0
        if self.latest:
            for old in self._entries[begun:]:
                if old.topic == topic:
                    self._drop(old)
        if len(self._entries) >= self.limit and len(self._entries) > begun:
            self._drop(self._entries[begun])
        self._entries.append(entry)
        self.up()
        if not acknowledge:
            return None
        ms = client.timeout_ms if timeout_ms is None else timeout_ms
        try:
            await wait_for(entry.settled.wait(), ms / 1000)
        except asyncio.TimeoutError:
            raise RequestTimeout("%s: not acknowledged within %d ms, and kept" % (topic, ms))
        if entry.error is not None:
            raise entry.error
        return entry.id

    def _drop(self, entry):
        self.dropped += 1
        self._entries.remove(entry)
        entry.settle(None, TransportLost("%s: dropped from the outbox" % entry.topic))

    def up(self):
        """There may be something to do: the client has joined, or something was put in."""
        if self._task is None and self._entries and self._client.session is not None:
            self._task = asyncio.create_task(self._send())

    async def _send(self):
        client = self._client
        try:
            while self._entries and client.session is not None:
                entry = self._entries[0]
                id = error = None
                try:
                    id = await client._ask(
                        _PUBLISH,
                        entry.topic,
                        entry.args,
                        entry.kwargs,
                        dict(entry.options),
                        (None,),
                        entry.acknowledge,
                    )
                except TransportLost:
                    break  # the next session begins with it
                except RequestTimeout:
                    await asyncio.sleep(_AGAIN_MS / 1000)
                    continue
                except Error as e:
                    error = e  # the router refuses it, or it cannot be sent: nor can it later
                    client._log("outbox: %s: %s" % (entry.topic, e))
                self._entries.pop(0)
                entry.settle(id, error)
        finally:
            self._task = None
        # A session may have begun while the end of the last was told.
        self.up()


class _Entry:
    def __init__(self, topic, args, kwargs, options, acknowledge):
        self.topic = topic
        self.args = args
        self.kwargs = kwargs
        self.options = options
        self.acknowledge = acknowledge
        self.settled = asyncio.Event()
        self.id = None
        self.error = None

    def settle(self, id, error):
        self.id = id
        self.error = error
        self.settled.set()
