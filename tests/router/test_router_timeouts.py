"""Call time-outs: the dealer's, and those that are left to the callee."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peer import BASIC, FEATURES, joined, roles, serve

from microwamp.router import RealmConfig
from microwamp.router.calls import Timer
from microwamp.router.realm import Realm
from microwamp.router.session import Out, Session

ABLE = roles(callee=("call_timeout",))


class Timers:
    """Time that stands still until the test lets a timer run out."""

    def __init__(self) -> None:
        self.running: list[One] = []

    def later(self, seconds: float, action: Callable[[], Out]) -> Timer:
        one = One(self, seconds, action)
        self.running.append(one)
        return one

    def seconds(self) -> list[float]:
        return [one.seconds for one in self.running]

    def run_out(self) -> Out:
        return self.running.pop(0).action()


class One:
    def __init__(self, timers: Timers, seconds: float, action: Callable[[], Out]) -> None:
        self._timers = timers
        self.seconds = seconds
        self.action = action

    def cancel(self) -> None:
        self._timers.running.remove(self)


class Plant:
    """A realm with a callee of com.f and a caller, without sockets and without a clock."""

    def __init__(self, able: bool = True, *more: str, **options: Any) -> None:
        self.timers = Timers()
        self.realm = Realm(RealmConfig("r", anonymous="a"), self.timers.later)
        self.callee = self._session(1, able, more)
        self.caller = self._session(2, True, ())
        out = self.realm.receive(self.callee, [64, 1, options, "com.f"])
        assert out == [(self.callee, [65, 1, 1])]

    def _session(self, number: int, able: bool, more: tuple[str, ...]) -> Session:
        features = {role: frozenset((*FEATURES[role], *more)) for role in FEATURES}
        if not able:
            features = {role: frozenset() for role in FEATURES}
        one = Session(number, "r", str(number), "a", "anonymous", "static", features, {})
        self.realm.join(one)
        return one

    def call(self, **options: Any) -> list[Any]:
        """CALL com.f; the INVOCATION."""
        request = self.caller.next_request()
        ((receiver, invocation),) = self.realm.receive(
            self.caller, [48, request, options, "com.f"]
        )
        assert receiver is self.callee
        return invocation


def timed_out(request: int, milliseconds: int) -> list[Any]:
    text = f"no result within {milliseconds} ms"
    return [8, 48, request, {}, "wamp.error.timeout", [text]]


def test_the_dealer_ends_a_call_that_takes_too_long():
    for able in (True, False):
        plant = Plant(able)
        assert plant.call(timeout=1500)[3] == {}
        assert plant.timers.seconds() == [1.5]
        expected: Out = [(plant.caller, timed_out(1, 1500))]
        if able:
            expected.append((plant.callee, [69, 1, {"mode": "killnowait"}]))
        assert plant.timers.run_out() == expected
        assert plant.timers.running == []
        # What the callee still says is dropped.
        assert plant.realm.receive(plant.callee, [70, 1, {}]) == []
        assert plant.realm.counters["answers nobody waited for"] == 1


def test_no_timeout_no_timer():
    plant = Plant()
    plant.call()
    plant.call(timeout=0)
    assert plant.timers.running == []


def test_every_end_of_a_call_stops_its_timer():
    plant = Plant()
    for message in ([70, 1, {}], [8, 68, 2, {}, "com.e"]):
        plant.call(timeout=1000)
        plant.realm.receive(plant.callee, message)
        assert plant.timers.running == [], message
    for mode in ("skip", "killnowait"):
        plant.call(timeout=1000)
        plant.realm.receive(plant.caller, [49, plant.caller.requests, {"mode": mode}])
        assert plant.timers.running == [], mode
    plant.call(timeout=1000)
    plant.realm.unfit(plant.callee, [68, 5, 1, {}])
    assert plant.timers.running == []
    plant.call(timeout=1000)
    plant.realm.leave(plant.caller)
    assert plant.timers.running == []
    plant = Plant()
    plant.call(timeout=1000)
    plant.realm.leave(plant.callee)
    assert plant.timers.running == []


def test_a_timeout_after_cancel_with_kill_interrupts_once():
    plant = Plant()
    plant.call(timeout=1000)
    out = plant.realm.receive(plant.caller, [49, 1, {"mode": "kill"}])
    assert out == [(plant.callee, [69, 1, {"mode": "kill"}])]
    assert plant.timers.run_out() == [(plant.caller, timed_out(1, 1000))]


def test_progressive_results_begin_the_time_anew():
    plant = Plant()
    assert plant.call(timeout=700, receive_progress=True)[3] == {"receive_progress": True}
    first = plant.timers.running[0]
    for i in range(3):
        plant.realm.receive(plant.callee, [70, 1, {"progress": True}, [i]])
        assert plant.timers.seconds() == [0.7]
        assert plant.timers.running[0] is not first
    assert plant.timers.run_out()[0] == (plant.caller, timed_out(1, 700))
    # Results that are still on their way find nobody, and no timer begins.
    assert plant.realm.receive(plant.callee, [70, 1, {"progress": True}]) == []
    assert plant.timers.running == []


def test_parts_of_a_progressive_call_do_not_begin_it_anew():
    plant = Plant()
    plant.call(timeout=700, progress=True)
    (timer,) = plant.timers.running
    plant.realm.receive(plant.caller, [48, 1, {"progress": True}, "com.f"])
    assert plant.timers.running == [timer]
    assert plant.timers.run_out()[0] == (plant.caller, timed_out(1, 700))
    assert plant.realm.receive(plant.caller, [48, 1, {}, "com.f"]) == []


def test_a_callee_that_wants_to_watches_over_the_time_itself():
    plant = Plant(True, "call_timeout", forward_timeout=True)
    assert plant.call(timeout=1500)[3] == {"timeout": 1500}
    assert plant.call(timeout=0)[3] == {}
    assert plant.call()[3] == {}
    assert plant.timers.running == []
    out = plant.realm.receive(plant.callee, [8, 68, 1, {}, "wamp.error.timeout"])
    assert out == [(plant.caller, [8, 48, 1, {}, "wamp.error.timeout"])]


def test_a_callee_that_can_but_does_not_want_to():
    plant = Plant(True, "call_timeout")
    assert plant.call(timeout=1500)[3] == {}
    assert plant.timers.seconds() == [1.5]


async def test_over_a_socket():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.f")
        await caller.send(48, caller.next(), {"timeout": 20}, "com.f")
        assert (await callee.receive())[:2] == [68, 1]
        assert await caller.receive() == timed_out(1, 20)
        assert await callee.receive() == [69, 1, {"mode": "killnowait"}]
        await callee.send(8, 68, 1, {}, "wamp.error.canceled")
        assert await callee.silent() and await caller.silent()


async def test_over_a_socket_to_a_callee_of_the_basic_profile():
    async with (
        serve() as router,
        joined(router, roles=BASIC) as callee,
        joined(router) as caller,
    ):
        await callee.register("com.f")
        await caller.send(48, caller.next(), {"timeout": 20}, "com.f")
        assert (await callee.receive())[3] == {}
        assert await caller.receive() == timed_out(1, 20)
        await callee.send(70, 1, {})
        assert await callee.silent()


async def test_over_a_socket_forwarded():
    async with serve() as router, joined(router, roles=ABLE) as callee, joined(router) as caller:
        await callee.register("com.f", forward_timeout=True)
        await caller.send(48, caller.next(), {"timeout": 20}, "com.f")
        assert (await callee.receive())[3] == {"timeout": 20}
        await callee.send(70, 1, {}, ["in time, says the callee"])
        assert (await caller.receive())[0] == 50


async def test_a_router_that_closes_leaves_no_timer_behind():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.f")
        await caller.send(48, caller.next(), {"timeout": 1 << 53}, "com.f")
        assert (await callee.receive())[0] == 68
        await router.close()
        assert not any(realm.sessions for realm in router.realms.values())
