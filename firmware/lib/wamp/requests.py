"""Results and pending requests: what a client keeps for its program."""

import asyncio


class Result:
    """Several results, or results with keywords, of a call; what a handler returns for that.

    args: tuple or list. kwargs: dict.
    """

    def __init__(self, *args, **kwargs):
        self.args = args
        self.kwargs = kwargs

    def __repr__(self):
        return "Result(args=%r, kwargs=%r)" % (tuple(self.args), self.kwargs)

    def __eq__(self, other):
        return (
            isinstance(other, Result)
            and tuple(self.args) == tuple(other.args)
            and self.kwargs == other.kwargs
        )


def result(args, kwargs):
    """A plain value where there is only one, None where there is none, else a Result."""
    if kwargs or len(args) > 1:
        found = Result(*args)
        found.kwargs = kwargs
        return found
    return args[0] if args else None


class Request:
    """One request under way: settles exactly once, by an answer, an error or its deadline."""

    def __init__(self, name, at, timeout_ms):
        self.name = name
        self.at = at
        self.timeout_ms = timeout_ms
        self.id = None
        self.settled = False
        self.value = None
        self.error = None
        self._event = asyncio.Event()

    def settle(self, value=None, error=None):
        if not self.settled:
            self.settled = True
            self.value = value
            self.error = error
            self._event.set()

    async def wait(self):
        await self._event.wait()

    def wake(self):
        self._event.set()

    def rest(self):
        self._event.clear()
