"""autobahn as our router's client; run with the Python of crossbar's environment.

    autobahn_client.py rs://HOST:PORT|ws://HOST:PORT SERIALIZER LOGINS_JSON

Prints one JSON line: what it saw.
"""

# mypy: ignore-errors

import asyncio
import base64
import json
import sys

import txaio

txaio.use_asyncio()

from autobahn.asyncio.rawsocket import WampRawSocketClientFactory  # noqa: E402
from autobahn.asyncio.wamp import Session as PlainSession  # noqa: E402
from autobahn.asyncio.websocket import WampWebSocketClientFactory  # noqa: E402
from autobahn.wamp.auth import create_authenticator  # noqa: E402
from autobahn.wamp.cryptobox import KeyRing  # noqa: E402
from autobahn.wamp.exception import ApplicationError  # noqa: E402
from autobahn.wamp.serializer import create_transport_serializer  # noqa: E402
from autobahn.wamp.types import (  # noqa: E402
    CallOptions,
    CallResult,
    ComponentConfig,
    PublishOptions,
    RegisterOptions,
    SubscribeOptions,
)

SCHEME, _, ADDRESS = sys.argv[1].partition("://")
HOST, PORT = ADDRESS.split(":")[0], int(ADDRESS.split(":")[1])


class Session(PlainSession):
    """A session that tells the script when it is joined and when it is gone."""

    def __init__(self, realm, login=None):
        super().__init__(ComponentConfig(realm))
        loop = asyncio.get_running_loop()
        self.ready = loop.create_future()
        self.gone = loop.create_future()
        if login is not None:
            self.add_authenticator(create_authenticator(login.pop("kind"), **login))

    def on_join(self, details):
        self.ready.set_result(details)

    def on_leave(self, details):
        if not self.ready.done():
            self.ready.set_exception(RuntimeError(f"{details.reason}: {details.message}"))
        self.disconnect()

    def on_disconnect(self):
        if not self.gone.done():
            self.gone.set_result(None)


async def connect(realm, login=None):
    session = Session(realm, login)
    serializer = create_transport_serializer(sys.argv[2])
    if SCHEME == "ws":
        factory = WampWebSocketClientFactory(
            lambda: session, url=sys.argv[1], serializers=[serializer]
        )
        factory.setProtocolOptions(openHandshakeTimeout=60, closeHandshakeTimeout=60)
    else:
        factory = WampRawSocketClientFactory(lambda: session, serializer=serializer)
    await asyncio.get_running_loop().create_connection(factory, HOST, PORT)
    return session, await asyncio.wait_for(session.ready, 60)


async def close(session):
    session.leave()
    await asyncio.wait_for(session.gone, 60)


async def logins(seen):
    for login in json.loads(sys.argv[3]):
        session, details = await connect("closed", login)
        seen["logins"].append([details.authmethod, details.authid, details.authrole])
        await close(session)
    wrong = {"kind": "ticket", "authid": "alice", "ticket": "wrong"}
    try:
        await connect("closed", wrong)
    except RuntimeError as e:
        seen["wrong"] = str(e)


async def calls(one, two, seen):
    def add(a, b=0):
        return a + b

    def both(*args, **kwargs):
        return CallResult(*args, **kwargs)

    def fail(text):
        raise ApplicationError("com.example.error", text, code=7)

    async def slow(details=None):
        if details.progress:
            for i in range(3):
                details.progress(i)
                await asyncio.sleep(0)
            return "done"
        await asyncio.sleep(60)

    def where(details=None):
        return [details.procedure, details.caller]

    registration = await one.register(add, "com.example.add")
    await one.register(both, "com.example.both")
    await one.register(fail, "com.example.fail")
    await one.register(slow, "com.example.slow", RegisterOptions(details_arg="details"))
    await one.register(
        where, "com.example.where", RegisterOptions(match="prefix", details_arg="details")
    )
    seen["add"] = await two.call("com.example.add", 2, b=3)
    result = await two.call("com.example.both", 1, 2, k=3)
    seen["both"] = [list(result.results), result.kwresults]
    seen["octets"] = (await two.call("com.example.both", b"\0" * 65536)) == b"\0" * 65536
    try:
        await two.call("com.example.fail", "text")
    except ApplicationError as e:
        seen["fail"] = [e.error, list(e.args), e.kwargs]
    progress = []
    seen["result"] = await two.call(
        "com.example.slow", options=CallOptions(on_progress=progress.append)
    )
    seen["progress"] = progress
    pending = two.call("com.example.slow")
    await asyncio.sleep(0.1)
    pending.cancel()
    try:
        await two.call("com.example.slow", options=CallOptions(timeout=100))
    except ApplicationError as e:
        seen["timeout"] = e.error
    seen["where"] = await two.call("com.example.where.here")
    try:
        await two.register(add, "com.example.add")
    except ApplicationError as e:
        seen["twice"] = e.error
    await registration.unregister()
    try:
        await two.call("com.example.add", 2)
    except ApplicationError as e:
        seen["unregistered"] = e.error


async def events(one, two, seen):
    heard = []

    def on_event(*args, details=None, **kwargs):
        heard.append([list(args), kwargs, details.topic, details.retained])

    options = PublishOptions(acknowledge=True)
    subscription = await one.subscribe(
        on_event, "com.topic", SubscribeOptions(match="prefix", details_arg="details")
    )
    await two.publish("com.topic.a", 1, k=2, options=options)
    without = PublishOptions(acknowledge=True, exclude=[one._session_id])
    await two.publish("com.topic.b", 2, options=without)
    await two.publish("com.topic.c", 3, options=PublishOptions(acknowledge=True, retain=True))
    await asyncio.sleep(0.1)
    await subscription.unsubscribe()
    await two.publish("com.topic.d", 4, options=options)
    await one.subscribe(
        on_event, "com.topic.c", SubscribeOptions(get_retained=True, details_arg="details")
    )
    await asyncio.sleep(0.1)
    seen["events"] = heard
    seen["count"] = await one.call("wamp.session.count")


async def sealed(one, two, seen):
    """Payloads that the router cannot read, by a key that both have."""
    key = base64.b64encode(bytes(range(32))).decode()
    for session in (one, two):
        ring = KeyRing()
        ring.set_key("com.sealed.", key)
        session.set_payload_codec(ring)
    heard = asyncio.get_running_loop().create_future()
    await one.register(lambda a, b: a + b, "com.sealed.add")
    await one.subscribe(heard.set_result, "com.sealed.topic")
    seen["sealed call"] = await two.call("com.sealed.add", 20, b=22)
    await two.publish("com.sealed.topic", "secret", options=PublishOptions(acknowledge=True))
    seen["sealed event"] = await asyncio.wait_for(heard, 60)
    seen["count of subscribers"] = await one.call(
        "wamp.subscription.count_subscribers",
        await one.call("wamp.subscription.lookup", "com.sealed.topic"),
    )


async def main():
    seen = {"logins": []}
    if sys.argv[3] != "[]":
        await logins(seen)
    one, _ = await connect("open")
    two, _ = await connect("open")
    seen["roles"] = sorted(two._router_roles)
    await calls(one, two, seen)
    await events(one, two, seen)
    await sealed(one, two, seen)
    await close(one)
    await close(two)
    print(json.dumps(seen))


asyncio.run(main())
