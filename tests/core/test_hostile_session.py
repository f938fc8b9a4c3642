"""Hostile and broken routers, continued: what takes more than one message to try.

The rows are numbered as in test_hostile.py.
"""

import asyncio

from script import ROLES, Router, Scripted, settled, until
from test_hostile import LIMIT, aside, frame, works

from wamp.errors import (
    ApplicationError,
    AuthenticationError,
    RemoteProtocolError,
    RequestTimeout,
    TransportError,
    TransportLost,
)


class Session:
    """`async with Session(...) as scene`: a joined client with a subscription and a procedure."""

    def __init__(self, auth=None, **options):
        options.setdefault("timeout_ms", 3000)
        self.router = Router()
        self._scripted = Scripted(self.router, auth=auth, max_length=LIMIT, **options)
        self.events = []
        self.calls = []

    def event(self, *args, **kwargs):
        self.events.append((args, kwargs))

    def procedure(self, *args, **kwargs):
        self.calls.append((args, kwargs))
        return len(self.calls)

    async def __aenter__(self):
        self.client = await self._scripted.__aenter__()
        topic = self.client.subscribe("com.topic", self.event, details=True)
        procedure = self.client.register("com.procedure", self.procedure, details=True)
        self.topic = (await topic.confirmed()).id
        self.registration = (await procedure.confirmed()).id
        self.router.take()
        return self

    async def __aexit__(self, *error):
        return await self._scripted.__aexit__(*error)

    async def heard(self, *messages):
        """What the client says to these messages."""
        self.router.take()
        self.router.send(*messages)
        await settled()
        return self.router.take()


async def test_cut_in_a_frame():
    """Row 13: nothing is delivered of a message that did not come whole."""
    whole = frame(b"\x85\x18\x24\x01\x02\xa0\x81\x05")
    for n in range(1, len(whole)):
        async with Session() as scene:
            scene.router.push(whole[:n])
            scene.router.drop()
            await until(lambda: scene.client.joins == 2)
            assert not scene.events
            await works(scene.client)


async def test_pings():
    """Rows 15 and 16: one PONG each with the same payload, and no store of them that grows."""
    async with Session() as scene:
        for payload in (b"", b"x", bytes(LIMIT)):
            scene.router.push(frame(payload, 1))
            await settled()
            assert scene.router.take() == [[-2, payload]]
        scene.router.transports[0].waiting = 20000  # the router does not read
        for _ in range(5):
            scene.router.push(frame(b"x", 1) * 50)
        await settled()
        assert scene.router.transports[0].drains
        await works(scene.client)


async def test_odd_values_in_payloads():
    """Row 24: tags, bignums, undefined, simple values, NaN and half floats reach the handler."""
    values = (
        (b"\xc1\x05", 5),
        (b"\xd9\xd9\xf7\x05", 5),
        (b"\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00", 1 << 64),
        (b"\xf7", None),
        (b"\xf6", None),
        (b"\xf9\x3e\x00", 1.5),
    )
    async with Session() as scene:
        for octets, value in values:
            head = b"\x85\x18\x24" + bytes((0x18, scene.topic)) + b"\x09\xa0\x81"
            scene.router.push(frame(head + octets))
            await settled()
            assert scene.events.pop()[0][0] == value, octets
        scene.router.push(frame(head + b"\xf9\x7e\x00"))
        await settled()
        value = scene.events.pop()[0][0]
        assert value != value
        # Integers as keys are for the program to judge where they are inside of its arguments.
        scene.router.push(frame(head + b"\xa1\x01\x02"))
        await settled()
        assert scene.events.pop()[0][0] == {1: 2}
        await works(scene.client)


async def test_arguments_that_are_null():
    """Row 29: as if they were absent."""
    async with Session() as scene:
        scene.router.send([36, scene.topic, 9, {}, None, None])
        assert await scene.heard([68, 5, scene.registration, {}, None, None]) == [[70, 5, {}, [1]]]
        assert scene.events == [(({"publication": 9},), {})]
        scene.router.on[48] = lambda m: scene.router.send([50, m[1], {}, None, None])
        assert await scene.client.call("com.x") is None
        scene.router.on[48] = lambda m: scene.router.send([8, 48, m[1], {}, "com.e", None, None])
        error = await aside(scene.client.call("com.x"))
        assert error.error == "com.e" and error.args == () and error.kwargs == {}


async def test_welcomes_that_are_odd_but_good():
    """Rows 33 and 47: unknown roles, features that are none, another realm or authid."""
    for details in (
        {"roles": {"dealer": {}, "notary": {"features": 5}, "broker": {}}},
        {"roles": {"dealer": {"features": {"call_canceling": "yes"}}, "broker": None}},
        {"roles": {"dealer": 5}},
        {"roles": ROLES, "realm": "another", "authid": "somebody", "authrole": 7},
    ):
        router = Router()
        router.on[1] = lambda m: router.send([2, 77, details])
        async with Scripted(router) as client:
            assert client.details.get("realm") == details.get("realm")
            assert not client._protocol.router_has("dealer", "call_canceling")
            await works(client)


async def test_welcome_that_is_too_long():
    """Row 34: ended by its length, before it came."""
    router = Router()
    lies = [frame(b"x" * 3)[:1] + (100000).to_bytes(3, "big")]
    router.on[1] = lambda m: router.push(lies.pop()) if lies else router.answer(m)
    async with Scripted(router, join=False, max_length=LIMIT) as client:
        await client.join()
        assert client.joins == 1 and client.failures == 1
        await works(client)


class Anything:
    """A login that answers each challenge, and minds nothing."""

    method = "ticket"
    needs_private_link = False
    authid = None

    def prepare(self):
        return iter(())

    def hello(self, details):
        pass

    def challenge(self, extra):
        yield
        return "", {}

    def welcome(self, details):
        pass


async def test_challenges_without_end():
    """Row 39."""
    router = Router()
    rounds = []

    def challenge(m):
        if len(rounds) < 50:
            rounds.append(1)
            router.send([4, "ticket", {}])
        else:
            router.answer([1, "devices"])

    router.on = {1: challenge, 5: challenge}
    async with Scripted(router, join=False, auth=Anything(), reconnect=False) as client:
        error = await aside(client.join())
        assert isinstance(error, RemoteProtocolError), error
        assert [m[0] for m in router.heard] == [1, 5, 5, 5, 3] and len(rounds) == 4


SEED = bytes(range(32))
CHALLENGE = "ff" * 32

# Logins, what the router sends (several: the second is its WELCOME), and the reason of the ABORT
VIOLATION = "wamp.error.protocol_violation"
FAILED = "wamp.error.authentication_failed"
CHALLENGES = (
    (40, "cryptosign", [4, "cryptosign", {}], VIOLATION),
    (40, "cryptosign", [4, "cryptosign", {"challenge": 5}], VIOLATION),
    (40, "cryptosign", [4, "cryptosign", {"challenge": "ff" * 31}], VIOLATION),
    (40, "cryptosign", [4, "cryptosign", {"challenge": "ff" * 33}], VIOLATION),
    (40, "cryptosign", [4, "cryptosign", {"challenge": "xx" * 32}], VIOLATION),
    (
        41,
        "cryptosign",
        [4, "cryptosign", {"challenge": CHALLENGE, "channel_binding": "tls-unique"}],
        FAILED,
    ),
    (43, "cra", [4, "wampcra", {}], VIOLATION),
    (43, "cra", [4, "wampcra", {"challenge": 5}], VIOLATION),
    (43, "cra", {"iterations": 1 << 31, "keylen": 32, "salt": "s"}, FAILED),
    (43, "cra", {"iterations": 1000, "keylen": 10**9, "salt": "s"}, FAILED),
    (43, "cra", {"iterations": 0, "keylen": 32, "salt": "s"}, None),
    (43, "cra", {"iterations": -5, "keylen": 32, "salt": "s"}, None),
    (43, "cra", {"iterations": 1000, "keylen": 0, "salt": "s"}, None),
    (43, "cra", {"iterations": 1000, "keylen": 32, "salt": 5}, VIOLATION),
    (43, "cra", {"iterations": "many", "keylen": 32, "salt": "s"}, VIOLATION),
)


def login(name):
    from wamp.auth import CRA, Cryptosign

    return Cryptosign(SEED) if name == "cryptosign" else CRA("joe", "secret")


async def test_challenges_that_are_wrong():
    """Rows 40, 41 and 43."""
    for row, name, challenge, reason in CHALLENGES:
        if type(challenge) is dict:
            challenge["challenge"] = "{}"
            challenge = [4, "wampcra", challenge]
        router = Router()
        router.on[1] = lambda m: router.send(challenge)
        auth = login(name)
        async with Scripted(router, join=False, auth=auth, reconnect=False) as client:
            error = await aside(client.join())
            assert isinstance(error, (AuthenticationError, RemoteProtocolError)), (row, error)
            heard = router.heard[1:]
            assert len(heard) == 1 and heard[0][0] == 3, (row, heard)
            assert heard[0][2] == reason or reason is None, (row, heard)


async def test_challenge_in_capitals():
    """Row 40: that is a challenge."""
    router = Router()
    router.on[1] = lambda m: router.send([4, "cryptosign", {"challenge": "FF" * 32}])
    router.on[5] = lambda m: router.answer([1, "devices"])
    async with Scripted(router, auth=login("cryptosign")) as client:
        assert len(router.take(5)[0][1]) == 192
        await works(client)


async def test_welcome_by_a_method_that_was_not_offered():
    """Row 46: a login was asked for, the router does as if it had taken place in another way."""
    for method in ("anonymous", "ticket", 5):
        router = Router()
        router.on[1] = lambda m: router.send([2, 77, {"roles": ROLES, "authmethod": method}])
        auth = login("cryptosign")
        async with Scripted(router, join=False, auth=auth, reconnect=False) as client:
            error = await aside(client.join())
            assert isinstance(error, AuthenticationError), (method, error)
            assert router.heard[-1] == [3, {}, FAILED], router.heard


async def test_ids_that_are_known():
    """Rows 55 and 56: a topic twice is one subscription; an id is of one procedure."""
    async with Session() as scene:
        more = []
        scene.router.on[32] = lambda m: scene.router.send([33, m[1], scene.topic])
        await scene.client.subscribe("com.topic", more.append).confirmed()
        scene.router.send([36, scene.topic, 9, {}, ["x"]])
        await settled()
        assert more == ["x"] and scene.events == [(("x", {"publication": 9}), {})]
        scene.router.on = {64: lambda m: scene.router.send([65, m[1], scene.registration])}
        scene.client.register("com.other", more.append)
        await until(lambda: scene.router.transports[0].closes)
        scene.router.on = {}
        await until(lambda: scene.client.joins == 2)
        assert [m[0] for m in scene.router.heard][:4] == [32, 64, 3, 1], scene.router.heard
        await works(scene.client)


async def test_events_before_they_are_subscribed():
    """Row 58."""
    async with Session() as scene:
        scene.router.on[32] = lambda m: scene.router.send([36, 500, 9, {}], [33, m[1], 500])
        events = []
        await scene.client.subscribe("com.other", events.append).confirmed()
        assert not events
        scene.router.send([36, 500, 10, {}, [1]])
        await settled()
        assert events == [1]


async def test_flood_of_events():
    """Row 59: nothing is stored for handlers that are functions; of coroutines only so many."""
    async with Session() as scene:
        hold = asyncio.Event()

        async def slow(n):
            await hold.wait()

        declaration = await scene.client.subscribe("com.slow", slow).confirmed()
        for _ in range(10):
            scene.router.send(*[[36, declaration.id, n + 1, {}, [n]] for n in range(50)])
            await settled()
        assert scene.client.dropped == 500 - 64
        hold.set()
        await settled()
        await works(scene.client)


async def test_details_of_events_that_are_odd():
    """Row 60: the event arrives; what is no topic and no flag stands there as it came."""
    async with Session() as scene:
        details = {"topic": 5, "retained": "yes", "publisher": "me", "trustlevel": None}
        scene.router.send([36, scene.topic, 9, details, [1]])
        await settled()
        assert len(scene.events) == 1 and scene.events[0][0][0] == 1
        await works(scene.client)


async def test_invocations_that_cannot_be_served():
    """Rows 30, 61, 64 and 67: the caller is told, and each is answered once."""
    async with Session() as scene:
        heard = await scene.heard([68, 1, 999999, {}, [5]])
        assert heard == [[8, 68, 1, {}, "wamp.error.no_such_registration"]], heard
        await works(scene.client)
        hold = asyncio.Event()

        async def slow():
            await hold.wait()
            return 5

        declaration = await scene.client.register("com.slow", slow).confirmed()
        n = scene.client._protocol._invocations_max
        flood = [[68, 100 + k, declaration.id, {}] for k in range(n + 5)]
        heard = await scene.heard(*flood)
        assert [m[2:] for m in heard] == [
            [100 + n + k, {}, "wamp.error.unavailable"] for k in range(5)
        ], heard
        scene.router.take()
        hold.set()
        await until(lambda: len(scene.router.heard) >= n)
        assert sorted([m[1] for m in scene.router.take()]) == [100 + k for k in range(n)]
        await works(scene.client)


async def test_results_of_handlers_that_cannot_be_sent():
    """Row 65: an error that fits, whatever was raised or returned."""

    def raising():
        raise ValueError("x" * 20000)

    def unspeakable():
        return object()

    def huge():
        return bytes(2000)

    def refusing():
        raise ApplicationError("com.error.refused", "y" * 20000)

    wanted = (
        (raising, "wamp.error.runtime_error"),
        (unspeakable, "wamp.error.invalid_payload"),
        (huge, "wamp.error.payload_size_exceeded"),
        (refusing, "com.error.refused"),
    )
    router = Router()
    router.handshake = b"\x7f\x13\x00\x00"  # 1,024 octets
    async with Scripted(router) as client:
        for n, (handler, uri) in enumerate(wanted):
            declaration = await client.register("com.p%d" % n, handler).confirmed()
            router.take()
            router.send([68, 50 + n, declaration.id, {}])
            await settled()
            heard = router.take()
            assert len(heard) == 1 and heard[0][:3] == [8, 68, 50 + n], heard
            assert heard[0][4] == uri, heard
        await works(client)


async def test_errors_whose_uri_is_odd():
    """Row 71: the caller gets it as it is."""
    async with Session() as scene:
        for uri in ("", "NOT A URI", "a..b", "x" * 1000):
            scene.router.on[48] = lambda m: scene.router.send([8, 48, m[1], {}, uri])
            error = await aside(scene.client.call("com.x"))
            assert isinstance(error, ApplicationError) and error.error == uri, error
        assert scene.client.joins == 1


async def test_revocations():
    """Rows 72 and 74: what the router takes back is declared anew."""
    async with Session() as scene:
        for message in (
            [35, 0, {"subscription": scene.topic, "reason": "wamp.error.not_authorized"}],
            [67, 0, {"registration": scene.registration}],
        ):
            heard = await scene.heard(message)
            assert [m[0] for m in heard] == [32 if message[0] == 35 else 64], heard
        assert scene.client.joins == 1
        await works(scene.client)


async def test_goodbye_while_calls_are_pending():
    """Row 75: answered, the calls fail, and the client comes back."""
    async with Session() as scene:
        scene.router.on[48] = None
        call = asyncio.create_task(aside(scene.client.call("com.hangs")))
        await scene.router.wait(48)
        scene.router.take()
        scene.router.on = {}
        scene.router.send([6, {}, "wamp.close.system_shutdown"])
        lost = await call
        assert isinstance(lost, TransportLost) and "system_shutdown" in str(lost), lost
        await until(lambda: scene.client.joins == 2)
        assert scene.router.heard[0] == [6, {}, "wamp.close.goodbye_and_out"]
        await works(scene.client)


async def test_goodbye_that_is_not_answered():
    """Row 76: `leave` comes to its end all the same."""
    router = Router()
    router.on[6] = None
    async with Scripted(router) as client:
        await client.leave()
        assert router.transports[0].closes == 1 and client.session is None


async def test_answers_that_never_come():
    """Row 77: every request ends by its time; what comes later is dropped."""
    async with Session() as scene:
        scene.router.on = {32: None, 48: None, 64: None, 16: None, 34: None, 49: None}
        client = scene.client
        tasks = [
            aside(client.call("com.x", timeout_ms=30)),
            aside(client.publish("com.x", acknowledge=True, timeout_ms=30)),
            aside(client.subscribe("com.y", scene.event).confirmed(30)),
            aside(client.register("com.y", scene.procedure).confirmed(30)),
        ]
        for error in await asyncio.gather(*tasks):
            assert isinstance(error, RequestTimeout), error
        call = scene.router.take(48)[0]
        scene.router.on = {}
        scene.router.send([50, call[1], {}, [5]])
        await works(client)
        assert client.joins == 1 and client._protocol.dropped == 1


async def test_connections_that_are_closed_at_once():
    """Row 80: again and again, with waits in between, and never two at a time."""
    router = Router()
    honest = Router.make

    def make(url, **options):
        transport = honest(router, url, **options)
        if len(router.transports) <= 10:
            transport.end(b"")
        return transport

    router.make = make
    router.handshake = None
    async with Scripted(router, join=False) as client:
        client.start()
        await until(lambda: client.failures >= 10)
        router.handshake = b"\x7f\xf3\x00\x00"
        await client.join()
        assert client.joins == 1
        await works(client)


async def test_router_that_stops_reading():
    """Row 81: a publisher waits, for so long; the session goes on once it reads again."""

    async with Session() as scene:
        transport = scene.router.transports[0]
        gate = asyncio.Event()
        honest = transport.drain

        async def drain():
            await gate.wait()
            await honest()

        transport.drain = drain
        transport.waiting = 100000
        error = await aside(scene.client.publish("com.x", 1, timeout_ms=30))
        assert isinstance(error, TransportError), error
        gate.set()
        await scene.client.publish("com.x", 2)
        await works(scene.client)


async def test_publication_on_several_subscriptions():
    """Row 84: delivered on each, with the same publication id."""
    async with Session() as scene:
        other = await scene.client.subscribe("com", scene.event, True, match="prefix").confirmed()
        scene.router.send(
            [36, scene.topic, 9, {}, ["x"]], [36, other.id, 9, {"topic": "com.topic"}, ["x"]]
        )
        await settled()
        assert scene.events == [
            (("x", {"publication": 9}), {}),
            (("x", {"topic": "com.topic", "publication": 9}), {}),
        ]
