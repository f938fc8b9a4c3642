"""autobahn as the other end of a session's calls and events; run with crossbar's Python.

    autobahn_other_end.py HOST PORT REALM [KEYS]

Registers `com.example.ab.*`, subscribes `com.example.ab.topic`, prints "ready", and calls what
`com.example.ab.do` is told to: (procedure, args, kwargs) -> [args, kwargs] of the result. KEYS:
JSON of a dictionary from URIs to the keys of cryptobox; then there is `com.example.box.ab.*` too.
"""

# mypy: ignore-errors

import asyncio
import json
import sys

import txaio

txaio.use_asyncio()

from autobahn.asyncio.rawsocket import WampRawSocketClientFactory  # noqa: E402
from autobahn.asyncio.wamp import ApplicationSession  # noqa: E402
from autobahn.wamp.cryptobox import Key, KeyRing  # noqa: E402
from autobahn.wamp.exception import ApplicationError  # noqa: E402
from autobahn.wamp.serializer import CBORSerializer  # noqa: E402
from autobahn.wamp.types import (  # noqa: E402
    CallOptions,
    CallResult,
    ComponentConfig,
    PublishOptions,
    RegisterOptions,
)

HOST, PORT, REALM = sys.argv[1], int(sys.argv[2]), sys.argv[3]
KEYS = json.loads(sys.argv[4]) if len(sys.argv) > 4 else {}


class Peer(ApplicationSession):
    def onUserError(self, fail, msg):
        print(msg, file=sys.stderr)

    async def onJoin(self, details):
        self.events = []

        def echo(*args, **kwargs):
            return CallResult(*args, **kwargs)

        def fail(*args, **kwargs):
            raise ApplicationError("com.example.ab.failed", *args, **kwargs)

        async def count(n, details):
            for i in range(n):
                details.progress(i)
                await asyncio.sleep(0)
            return n

        async def slow():
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.events.append("interrupted")
                raise

        async def do(procedure, args, kwargs):
            parts = []
            options = CallOptions(on_progress=lambda *args: parts.append(list(args)))
            try:
                found = await self.call(procedure, *args, options=options, **kwargs)
            except ApplicationError as e:
                return ["error", e.error, list(e.args), e.kwargs]
            except Exception as e:
                # autobahn has a class of its own for some URIs.
                return ["error", type(e).__name__, [str(one) for one in e.args], {}]
            if isinstance(found, CallResult):
                return ["result", list(found.results), found.kwresults, parts]
            return ["result", [found], {}, parts]

        async def tell(topic, args, kwargs):
            options = PublishOptions(acknowledge=True)
            return (await self.publish(topic, *args, options=options, **kwargs)).id

        await self.register(echo, "com.example.ab.echo")
        await self.register(fail, "com.example.ab.fail")
        await self.register(count, "com.example.ab.count", RegisterOptions(details=True))
        await self.register(slow, "com.example.ab.slow")
        await self.register(do, "com.example.ab.do")
        await self.register(tell, "com.example.ab.tell")
        await self.register(lambda: self.events, "com.example.ab.events")
        await self.subscribe(
            lambda *args, **kwargs: self.events.append([list(args), kwargs]),
            "com.example.ab.topic",
        )
        if KEYS:
            ring = KeyRing()
            for uri, key in KEYS.items():
                ring.set_key(uri, Key(**key))
            self.set_payload_codec(ring)

            def fail_as(uri, *args, **kwargs):
                raise ApplicationError(uri, *args, **kwargs)

            await self.register(echo, "com.example.box.ab.echo")
            await self.register(fail_as, "com.example.box.ab.fail")
            await self.subscribe(
                lambda *args, **kwargs: self.events.append([list(args), kwargs]),
                "com.example.box.ab.topic",
            )
        print("ready", flush=True)


async def main():
    session = Peer(ComponentConfig(REALM))
    factory = WampRawSocketClientFactory(lambda: session, serializer=CBORSerializer())
    await asyncio.get_running_loop().create_connection(factory, HOST, PORT)
    await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
