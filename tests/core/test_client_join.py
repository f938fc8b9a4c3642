"""The client's joining: refusals, logins, routers that do not answer, and joining again."""

import asyncio

from script import Router, Scripted, fails, settled, until

import wamp
from wamp.errors import (
    ApplicationError,
    AuthenticationError,
    ConfigurationError,
    HandshakeRefused,
    RemoteProtocolError,
    RequestTimeout,
    SessionAborted,
    TransportError,
    TransportLost,
)

MS = 40


class Login:
    """An authenticator whose answer takes several steps."""

    method = "stepwise"
    needs_private_link = False

    def __init__(self, error=None, steps=5):
        self.error = error
        self.steps = steps
        self.prepared = 0
        self.between = []  # called between two steps

    def prepare(self):
        for _ in range(self.steps):
            self.prepared += 1
            yield

    def hello(self, details):
        details["authid"] = "joe"

    def challenge(self, extra):
        for _ in range(self.steps):
            yield
        if self.error is not None:
            raise self.error
        return "signed " + extra["challenge"], {"x": 1}

    def welcome(self, details):
        pass


def challenge(router, method="stepwise"):
    """Make the router challenge before it welcomes."""
    router.on[1] = lambda m: router.send([4, method, {"challenge": "this"}])
    router.on[5] = lambda m: router.answer([1, "devices", {}])


# How the first attempt fails: name, what the router does, the error, a word of its text.
REFUSALS = (
    ("no port", lambda r: setattr(r, "open_error", TransportError("no port")), TransportError, ""),
    ("closed", lambda r: (setattr(r, "handshake", None), close(r)), HandshakeRefused, "closed"),
    ("reset", lambda r: (setattr(r, "handshake", None), reset(r)), HandshakeRefused, "closed"),
    ("half", lambda r: (setattr(r, "handshake", b"\x7f\xf3"), close(r)), HandshakeRefused, "mid"),
    ("silent", lambda r: setattr(r, "handshake", None), TransportError, "handshake"),
    ("half, silent", lambda r: setattr(r, "handshake", b"\x7f"), TransportError, "handshake"),
    ("refused", lambda r: setattr(r, "handshake", REFUSED), HandshakeRefused, "serializer"),
    ("HTTP", lambda r: setattr(r, "handshake", b"HTTP/1.1 400"), HandshakeRefused, "HTTP"),
    ("no WELCOME", lambda r: r.on.update({1: None}), TransportError, "HELLO"),
    ("only PING", lambda r: r.on.update({1: lambda m: r.push(PING)}), TransportError, "HELLO"),
    ("ABORT", lambda r: answer(r, [3, {"message": "no"}, "com.no"]), SessionAborted, "com.no: no"),
    ("GOODBYE", lambda r: answer(r, [6, {}, "com.off"]), SessionAborted, "com.off"),
    ("no roles", lambda r: answer(r, [2, 1, {}]), RemoteProtocolError, "roles"),
    ("session 0", lambda r: answer(r, [2, 0, {}]), RemoteProtocolError, "session"),
    ("EVENT", lambda r: answer(r, [36, 1, 1, {}]), RemoteProtocolError, "EVENT"),
    ("CHALLENGE", lambda r: answer(r, [4, "ticket", {}]), SessionAborted, "ticket"),
    ("too long", lambda r: r.on.update({1: lambda m: r.push(LONG)}), RemoteProtocolError, "limit"),
    ("no CBOR", lambda r: r.on.update({1: lambda m: r.push(NONE)}), RemoteProtocolError, ""),
)

REFUSED = b"\x7f\x10\x00\x00"
PING = b"\x01\x00\x00\x00"
LONG = b"\x00\xff\xff\xff"
NONE = b"\x00\x00\x00\x01\xff"


def answer(router, message):
    router.on[1] = lambda m: router.send(message)


def close(router):
    end(router, b"")


def reset(router):
    end(router, TransportLost("script: the connection was reset"))


def end(router, error):
    make = router.make

    def make_and_end(url, **options):
        transport = make(url)
        transport.end(error)
        return transport

    router.make = make_and_end


async def test_ctrl_c_is_not_replaced_by_what_comes_of_it():
    """It hits the middle of anything. The polite end may then fail: it must count all the same."""
    router = Router()

    def welcome_and_interrupt(message):
        router.answer(message)
        router.drop(KeyboardInterrupt())

    async def finish():
        raise AttributeError("what comes of tables of asyncio that are half written")

    router.on[1] = welcome_and_interrupt
    async with Scripted(router, join=False) as client:
        client._transport.finish = finish
        await fails(KeyboardInterrupt, client._session())
        assert client._transport.closes == 1 and client.session is None


async def test_refusals_without_reconnect():
    for name, script, kind, word in REFUSALS:
        router = Router()
        script(router)
        options = {"join": False, "join_ms": MS, "timeout_ms": MS, "reconnect": False}
        async with Scripted(router, **options) as client:

            async def body():
                async with client:
                    raise AssertionError("joined: " + name)

            error = await fails(kind, body())
            assert type(error) is kind and word in str(error), (name, error)
            assert client.error is error and client.failures == 1 and client.joins == 0, name
            assert len(router.transports) == 1, name
            assert router.transports[0].closes == 1 and router.transports[0].releases == 1, name
            await client.ended()
            # Nor does anything else wait.
            assert await fails(kind, client.join()) is error, name
            await fails(TransportLost, client.call("com.x"))


async def test_refusals_and_then_a_router():
    for name, script, kind, _ in REFUSALS:
        router = Router()
        honest = router.handshake
        make = router.make
        script(router)
        options = {"join": False, "join_ms": MS, "timeout_ms": MS}
        async with Scripted(router, **options) as client:
            client.start()
            await until(lambda: client.failures >= 2)
            assert isinstance(client.error, kind), (name, client.error)
            router.open_error, router.handshake = None, honest
            router.on.clear()
            router.make = wamp.client.make = make
            await client.join()
            assert client.session is not None, name
            # One transport for each attempt, and all but the last are closed.
            assert len(router.transports) == client.failures + 1, name
            for transport in router.transports[:-1]:
                assert transport.closes == 1, name


async def test_hello_that_the_router_cannot_take():
    router = Router()
    router.handshake = b"\x7f\x03\x00\x00"  # 512 octets
    async with Scripted(router, join=False, reconnect=False, realm="r" * 600) as client:
        error = await fails(wamp.LocalProtocolError, client.join())
        assert "512" in str(error) and router.take() == []


async def test_ticket_on_a_link_that_others_can_read():
    for reconnect in (False, True):
        router = Router()
        router.private = False
        login = wamp.Ticket("joe", "secret!")
        async with Scripted(router, join=False, auth=login, reconnect=reconnect) as client:
            error = await fails(ConfigurationError, client.join())
            assert "ticket" in str(error) and "secret!" not in str(error), error
            assert router.transports[0].opens == 0 and router.heard == []
            assert len(router.transports) == 1


async def test_ticket():
    for private, login in (
        (True, wamp.Ticket("joe", "secret!")),
        (False, wamp.Ticket("joe", "secret!", allow_clear=True)),
    ):
        router = Router()
        router.private = private
        challenge(router, "ticket")
        async with Scripted(router, auth=login):
            hello, authenticate = router.take()
            assert hello[2]["authmethods"] == ["ticket"] and hello[2]["authid"] == "joe"
            assert authenticate == [5, "secret!", {}]


async def test_login_in_steps():
    router = Router()
    challenge(router)
    login = Login(steps=50)
    turns = []

    async def other():
        while True:
            turns.append(router.heard[-1][0] if router.heard else 0)
            await asyncio.sleep(0)

    async with Scripted(router, join=False, auth=login) as client:
        task = asyncio.create_task(other())
        await client.join()
        task.cancel()
        hello, authenticate = router.take()
        assert hello[2]["authmethods"] == ["stepwise"] and login.prepared == 50
        assert authenticate == [5, "signed this", {"x": 1}]
        # Others had their turn while it was computed, before HELLO and before AUTHENTICATE.
        assert turns.count(0) >= 40 and turns.count(1) >= 40, (turns.count(0), turns.count(1))


async def test_login_that_cannot_answer():
    for error, reason in (
        (AuthenticationError("not this"), "wamp.error.authentication_failed"),
        (RemoteProtocolError("malformed"), "wamp.error.protocol_violation"),
    ):
        router = Router()
        challenge(router)
        options = {"join": False, "auth": Login(error), "reconnect": False}
        async with Scripted(router, **options) as client:
            assert await fails(type(error), client.join()) is error
            assert [m[0] for m in router.heard] == [1, 3] and router.heard[1][2] == reason
            assert router.transports[0].finished


async def test_login_downgraded():
    router = Router()
    challenge(router, "ticket")
    auth = [wamp.CRA("joe", "secret!"), Login()]
    async with Scripted(router, join=False, auth=auth, reconnect=False) as client:
        error = await fails(SessionAborted, client.join())
        assert "ticket" in str(error) and "wampcra, stepwise" in str(error), error
        assert [m[0] for m in router.heard] == [1, 3], router.heard
        assert router.transports[0].finished, "the ABORT must get out"


async def test_welcome_by_another_method():
    router = Router()
    roles = {"broker": {}}
    answer(router, [2, 1, {"roles": roles, "authmethod": "anonymous"}])
    auth = wamp.CRA("joe", "secret!")
    async with Scripted(router, join=False, auth=auth, reconnect=False) as client:
        await fails(AuthenticationError, client.join())
        assert [m[0] for m in router.heard] == [1, 3] and client.joins == 0


async def test_login_that_takes_long_is_left():
    router = Router()
    challenge(router)
    async with Scripted(router, join=False, auth=Login(steps=1 << 30)) as client:
        client.start()
        await until(lambda: router.heard or client.auth[0].prepared > 20)
        await client.leave()
        assert client.session is None


# -- joining again


async def test_joining_again():
    router = Router()
    async with Scripted(router) as client:
        for n in range(1, 5):
            router.take()
            await client.call("com.x")
            await client.publish("com.t")
            # Request ids count from 1 in each session.
            assert [m[1] for m in router.take()] == [1, 2]
            assert (client.session, client.joins) == (1000 + n, n)
            router.drop()
            await until(lambda: client.joins > n)
        assert len(router.transports) == 5
        assert client.failures == 0


async def test_requests_while_the_line_is_down():
    router = Router()
    async with Scripted(router) as client:
        router.on[1] = None
        router.drop()
        await until(lambda: client.session is None)
        tasks = [
            asyncio.create_task(client.call("com.x", 1)),
            asyncio.create_task(client.publish("com.t", acknowledge=True)),
            asyncio.create_task(client.publish("com.t")),
        ]
        error = await fails(RequestTimeout, client.call("com.y", timeout_ms=MS))
        assert "no session" in str(error), error
        await fails(RequestTimeout, client.publish("com.u", timeout_ms=MS))
        await router.wait(1, 2)
        assert router.take(16, 48) == []
        router.answer([1, "devices", {}])
        assert await tasks[0] == 1
        assert await tasks[1] == 101
        assert await tasks[2] is None
        # What timed out meanwhile is not sent.
        assert sorted([m[0] for m in router.take(16, 48)]) == [16, 16, 48]


async def test_requests_before_the_first_session():
    router = Router()
    async with Scripted(router, join=False) as client:
        error = await fails(TransportLost, client.call("com.x"))
        assert "not running" in str(error)
        client.start()
        assert await client.call("com.x", 1) == 1


async def test_waiting_requests_when_the_client_ends():
    router = Router()
    router.on[1] = None
    async with Scripted(router, join=False, reconnect=False) as client:
        client.start()
        task = asyncio.create_task(client.call("com.x"))
        await settled()
        router.send([3, {}, "com.no"])
        error = await fails(SessionAborted, task)
        assert error is client.error


async def test_waiting_requests_when_we_leave():
    router = Router()
    router.on[1] = None
    async with Scripted(router, join=False) as client:
        client.start()
        task = asyncio.create_task(client.call("com.x"))
        await router.wait(1)
        await client.leave()
        await fails(TransportLost, task)


async def test_leave_at_every_point_of_a_join():
    for name in ("handshake", "HELLO", "backoff", "open"):
        router = Router()
        if name == "handshake":
            router.handshake = None
        elif name == "HELLO":
            router.on[1] = None
        elif name == "backoff":
            router.open_error = TransportError("no port")
        async with Scripted(router, join=False) as client:
            wamp.client._BACKOFF_FIRST = wamp.client._BACKOFF_MAX = 60000
            client.start()
            if name != "open":
                await settled()
            await client.leave()
            await client.ended()


async def test_leave_and_join_again():
    router = Router()
    async with Scripted(router) as client:
        for n in range(1, 4):
            assert client.joins == n
            assert await client.call("com.x", n) == n
            await client.leave()
            await client.join()
        # A new transport for each.
        assert len(router.transports) == 4


async def test_join_from_several_tasks():
    router = Router()
    async with Scripted(router, join=False) as client:
        await asyncio.wait_for(asyncio.gather(*[client.join() for _ in range(3)]), 2)
        await asyncio.wait_for(asyncio.gather(*[client.join() for _ in range(3)]), 2)
        assert client.joins == 1


async def test_join_refused_to_several_tasks():
    router = Router()
    answer(router, [3, {}, "com.no"])
    async with Scripted(router, join=False, reconnect=False) as client:
        found = await asyncio.gather(*[client.join() for _ in range(3)], return_exceptions=True)
        for error in found:
            assert type(error) is SessionAborted, found


async def test_lost_before_the_declarations_are_answered():
    router = Router()
    router.on[32] = None
    router.on[64] = lambda m: router.drop()
    async with Scripted(router, join=False, reconnect=False) as client:
        client.subscribe("com.t", print)
        client.register("com.p", print)
        error = await fails(TransportLost, client.join())
        assert "closed" in str(error), error


async def test_lost_before_the_declarations_are_answered_and_back():
    router = Router()

    def once(m):
        router.on.clear()
        router.drop()

    router.on[64] = once
    async with Scripted(router, join=False) as client:
        declared = client.register("com.p", print)
        await client.join()
        # Not before the second session has it.
        assert client.joins == 2 and client.session == 1002
        assert declared.id is not None


async def test_a_router_that_does_not_answer_declarations():
    router = Router()
    router.on[64] = None
    async with Scripted(router, join=False, timeout_ms=MS) as client:
        declared = client.register("com.p", print)
        client.start()
        await fails(RequestTimeout, declared.confirmed())
        # Nothing waits for ever: the rest of the program need not.
        await asyncio.wait_for(client.join(), 2)
        assert await client.call("com.x", 1) == 1


async def test_log():
    router = Router()
    scripted = Scripted(router)
    async with scripted as client:
        router.drop()
        await until(lambda: client.joins == 2)
    assert "joined devices as None (anonymous)" in scripted.log[0], scripted.log
    assert "closed the connection" in scripted.log[1], scripted.log


async def test_errors_below_that_are_none_of_ours():
    # A codec, an authenticator or a log that raises what it should not: the client stays joined,
    # or joins again, but does not end silently.
    router = Router()
    broken = []

    def decode(octets):
        if broken:
            raise broken.pop()
        return wamp.cbor.decode(octets)

    async with Scripted(router, codec=(wamp.cbor.encode, decode)) as client:
        for error in (MemoryError("memory allocation failed"), ValueError("what")):
            joins = client.joins
            broken.append(error)
            router.send([36, 1, 1, {}])
            await until(lambda: client.joins > joins)
        assert await client.call("com.x", 1) == 1


async def test_application_errors_do_not_end_a_session():
    router = Router()
    router.on[48] = lambda m: router.send([8, 48, m[1], {}, "com.error"])
    async with Scripted(router) as client:
        for _ in range(5):
            await fails(ApplicationError, client.call("com.x"))
        assert client.joins == 1


async def test_more_declarations_than_open_requests():
    router = Router()
    async with Scripted(router, join=False) as client:
        declared = [client.register("com.p%d" % n, print) for n in range(300)]
        for _ in range(2):
            await client.join()
            assert [d for d in declared if d.id is None or d.error] == []
            assert len(router.take(64)) == 300
            router.drop()
            await until(lambda: client.session is None)


async def test_leaving_in_the_moment_of_the_handshake():
    """A cancellation that meets what was waited for must not be forgotten."""
    router = Router()
    router.handshake = None
    async with Scripted(router, join=False) as client:
        client.start()
        await until(lambda: router.transports and router.transports[-1].opens)
        await settled()
        leaving = asyncio.create_task(client.leave())
        router.push(b"\x7f\xf3\x00\x00")
        await asyncio.wait_for(leaving, 3)
        assert client.state == "ended", client.state
        assert not router.take(1)
