"""Callees that are unavailable: advanced profile, "Call Re-Routing"."""

from __future__ import annotations

from typing import Any

from peer import Peer, joined, roles, serve
from test_router_timeouts import One, Plant, Timers, timed_out

from microwamp.router import Limits, Router

ABLE = roles(callee=("call_reroute",))
UNAVAILABLE = "wamp.error.unavailable"


class Crew:
    """Callees of com.f that say who they are by what they answer."""

    def __init__(self, peers: list[Peer]) -> None:
        self.peers = peers

    @classmethod
    async def of(cls, router: Router, count: int, announced: Any = ABLE, **options: Any) -> Crew:
        peers = []
        for _ in range(count):
            peer = await (await Peer.connect(router.urls[0])).join(roles=announced)
            await peer.register("com.f", **options)
            peers.append(peer)
        return cls(peers)

    async def turn(self) -> int:
        """Who has the one INVOCATION that is out; it answers that it is unavailable."""
        for i, peer in enumerate(self.peers):
            await peer.send(34, peer.next(), 9_999_999)
            message = await peer.receive()
            if message[0] == 68:
                assert (await peer.receive())[0] == 8
                await peer.send(8, 68, message[1], {}, UNAVAILABLE)
                assert await peer.silent()
                return i
        raise AssertionError("nobody has it")

    async def close(self) -> None:
        for peer in self.peers:
            await peer.close()


async def test_the_order_is_that_of_the_invocation_policy():
    for invoke, orders in (
        ("first", ([0, 1, 2], [0, 1, 2])),
        ("last", ([2, 1, 0], [2, 1, 0])),
        ("roundrobin", ([0, 1, 2], [0, 1, 2])),
    ):
        async with serve() as router, joined(router) as caller:
            crew = await Crew.of(router, 3, invoke=invoke)
            for order in orders:
                request = caller.next()
                await caller.send(48, request, {}, "com.f", [1])
                assert [await crew.turn() for _ in order] == order, invoke
                answer = await caller.receive()
                assert answer[:5] == [8, 48, request, {}, "wamp.error.no_available_callee"]
            await crew.close()


async def test_random_asks_each_once():
    async with serve() as router, joined(router) as caller:
        crew = await Crew.of(router, 3, invoke="random")
        seen = set()
        for _ in range(20):
            await caller.send(48, caller.next(), {}, "com.f", [1])
            order = [await crew.turn() for _ in range(3)]
            assert sorted(order) == [0, 1, 2]
            seen.add(tuple(order))
            assert (await caller.receive())[4] == "wamp.error.no_available_callee"
        assert len(seen) > 1
        await crew.close()


async def test_the_second_one_answers():
    async with (
        serve() as router,
        joined(router, roles=ABLE) as one,
        joined(router, roles=ABLE) as two,
        joined(router) as caller,
    ):
        for callee in (one, two):
            registration = await callee.register("com.f", invoke="first", concurrency=1)
        request = caller.next()
        options = {"disclose_me": True, "receive_progress": True}
        await caller.send(48, request, options, "com.f", [1], {"k": 2})
        invocation = await one.receive()
        await one.send(8, 68, 1, {}, UNAVAILABLE, ["busy"])
        assert (
            await two.receive()
            == invocation
            == [
                *(68, 1, registration),
                {
                    "caller": caller.session,
                    "caller_authid": caller.welcome["authid"],
                    "caller_authrole": "anonymous",
                    "receive_progress": True,
                },
                *([1], {"k": 2}),
            ]
        )
        await two.send(70, 1, {"progress": True}, ["half"])
        assert await caller.receive() == [50, request, {"progress": True}, ["half"]]
        await two.send(70, 1, {}, ["whole"])
        assert await caller.receive() == [50, request, {}, ["whole"]]
        # Both are free again.
        for _ in range(2):
            await caller.send(48, caller.next(), {}, "com.f")
        assert (await one.receive())[1] == 2
        assert (await two.receive())[1] == 2
        assert router.counters["calls rerouted"] == 1


async def test_single_and_those_who_did_not_announce_it():
    async with serve() as router, joined(router, roles=ABLE) as one, joined(router) as two:
        await one.register("com.f")
        await two.register("com.g")
        for callee, procedure, expected in (
            (one, "com.f", "wamp.error.no_available_callee"),
            (two, "com.g", UNAVAILABLE),
        ):
            request = two.next() if callee is one else one.next()
            caller = two if callee is one else one
            await caller.send(48, request, {}, procedure)
            await callee.receive()
            await callee.send(8, 68, 1, {}, UNAVAILABLE)
            assert (await caller.receive())[:5] == [8, 48, request, {}, expected]


async def test_those_who_cannot_take_it_are_passed_over():
    other = roles(callee=("call_reroute",))
    del other["callee"]["features"]["payload_passthru_mode"]
    async with serve() as router, joined(router) as caller:
        crew = await Crew.of(router, 1, invoke="first")
        unable = await Crew.of(router, 1, other, invoke="first")
        last = await Crew.of(router, 1, invoke="first")
        ppt = {"ppt_scheme": "x_a"}
        await caller.send(48, caller.next(), ppt, "com.f", [b"opaque"])
        assert await crew.turn() == 0
        invocation = await last.peers[0].receive()
        assert invocation[3:] == [ppt, [b"opaque"]]
        assert await unable.peers[0].silent()
        for some in (crew, unable, last):
            await some.close()


async def test_what_has_begun_stays_where_it_is():
    for begun in ("result", "part"):
        async with serve() as router, joined(router) as caller:
            crew = await Crew.of(router, 2, invoke="first")
            callee = crew.peers[0]
            request = caller.next()
            options = {"receive_progress": True, "progress": begun == "part"}
            await caller.send(48, request, options, "com.f")
            await callee.receive()
            if begun == "result":
                await callee.send(70, 1, {"progress": True})
                await caller.receive()
            else:
                await caller.send(48, request, {}, "com.f")
                await callee.receive()
            await callee.send(8, 68, 1, {}, UNAVAILABLE)
            assert (await caller.receive())[4] == "wamp.error.no_available_callee", begun
            assert await crew.peers[1].silent()
            await crew.close()


async def test_a_call_that_was_cancelled_is_not_sent_on():
    async with serve() as router, joined(router) as caller:
        crew = await Crew.of(router, 2, invoke="first")
        request = caller.next()
        await caller.send(48, request, {}, "com.f")
        await crew.peers[0].receive()
        await caller.send(49, request, {"mode": "kill"})
        await crew.peers[0].receive()
        await crew.peers[0].send(8, 68, 1, {}, UNAVAILABLE)
        assert (await caller.receive())[:5] == [8, 48, request, {}, UNAVAILABLE]
        assert await crew.peers[1].silent()
        await crew.close()


async def test_what_is_kept_for_another_callee_is_bounded():
    async with serve(limits=Limits(reroute_octets=1000)) as router, joined(router) as caller:
        crew = await Crew.of(router, 2, invoke="first")
        for _ in range(2):
            # Too long to be kept beside the first one; and when that is done there is room again.
            small, big = caller.next(), caller.next()
            await caller.send(48, small, {}, "com.f", ["x" * 500])
            await caller.send(48, big, {}, "com.f", ["y" * 600])
            callee = crew.peers[0]
            first, second = await callee.receive(), await callee.receive()
            await callee.send(8, 68, second[1], {}, UNAVAILABLE)
            answer = await caller.receive()
            assert answer[:5] == [8, 48, big, {}, "wamp.error.no_available_callee"]
            await callee.send(8, 68, first[1], {}, UNAVAILABLE)
            taken = await crew.peers[1].receive()
            assert taken[4] == ["x" * 500]
            await crew.peers[1].send(70, taken[1], {})
            assert (await caller.receive())[:2] == [50, small]
        await crew.close()


def test_the_time_of_the_caller_goes_on():
    plant = Plant(True, "call_reroute", invoke="first")
    other = plant._session(3, True, ("call_reroute",))
    plant.realm.receive(other, [64, 1, {"invoke": "first"}, "com.f"])
    plant.call(timeout=1500)
    timers: Timers = plant.timers
    (timer,) = timers.running
    assert type(timer) is One
    out = plant.realm.receive(plant.callee, [8, 68, 1, {}, UNAVAILABLE])
    assert out == [(other, [68, 1, 1, {}])]
    assert timers.running == [timer]
    assert timers.run_out() == [
        (plant.caller, timed_out(1, 1500)),
        (other, [69, 1, {"mode": "killnowait"}]),
    ]


def test_a_callee_that_watches_itself_takes_the_time_over():
    plant = Plant(True, "call_reroute", invoke="first")
    other = plant._session(3, True, ("call_reroute", "call_timeout"))
    plant.realm.receive(other, [64, 1, {"invoke": "first", "forward_timeout": True}, "com.f"])
    plant.call(timeout=1500)
    out = plant.realm.receive(plant.callee, [8, 68, 1, {}, UNAVAILABLE])
    assert out == [(other, [68, 1, 1, {"timeout": 1500}])]
    assert plant.timers.running == []
