"""Pending requests, and what becomes of their answers. Part of the I/O edge."""

from asyncio import Event


def result(args, kwargs, details=None):
    """A plain value where there is only one, None where there is none, else a Result."""
    if type(args) is not bytes and not kwargs and len(args) < 2:
        return args[0] if args else None
    from .results import Result

    if type(args) is bytes:
        found = Result(args)  # an opaque payload
        found.details = details
    else:
        found = Result(*args)
        found.kwargs = kwargs
    return found


class Request:
    """One request under way: settles exactly once, by an answer, an error or its deadline.

    mode: how to cancel it, None if it is no call. on_progress: what gets its progressive results.
    """

    def __init__(self, client, name, timeout_ms, mode=None, on_progress=None):
        self.client = client
        self.name = name
        self.timeout_ms = client.timeout_ms if timeout_ms is None else timeout_ms
        self.mode = mode
        self.on_progress = on_progress
        self.id = None  # while the router owes an answer
        self.settled = False
        self.value = self.error = None
        self._event = Event()
        self.wake = self._event.set
        client._within(self, self.timeout_ms)

    def settle(self, value, error=None):
        """The router's answer, or why there is none."""
        self.id = None
        if not self.settled:
            self.settled = True
            self.value = value
            self.error = error
            self.wake()

    def expire(self):
        """The deadline: whoever waits gives the request up."""
        id = self.id
        try:
            from ._failed import late

            error = late(self)
        except MemoryError as e:
            error = e  # who waits may have what is missing here
        self.settle(None, error)
        self.id = id

    async def outcome(self):
        """Wait until it is settled, or woken because there may be room for it."""
        if not self.settled:
            await self._event.wait()
            self._event.clear()
        if self.error is not None:
            raise self.error
        return self.value

    def done(self):
        """Nobody waits any more: if the router still owes an answer, do without it."""
        client = self.client
        client._due.pop(self, None)
        if self.id is not None:
            if self.mode is not None:
                try:
                    from ._failed import cancel

                    cancel(client, self.id, self.mode)
                except MemoryError:
                    pass  # its answer will be dropped
            client._protocol.forget(self.id)
        client._next()
