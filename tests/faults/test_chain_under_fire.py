"""Device, line, bridge and router under faults drawn from seeds: the whole chain, real code, in
virtual time (`chain.Chain`).

Whatever the schedule: a publication whose PUBLISHED arrived is at the router, none is there twice,
a request ends once and with the right result, memory stays bounded, and once the line is clean all
of it soon works again. test_link_under_fire.py has the same for the link alone, octet by octet.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from chain import (
    AT_ONCE_S,
    Chain,
    bridge_killed,
    device_reset,
    erased,
    handed_over,
    handed_over_unplugged,
    held_low,
    now,
    reloaded,
    reloaded_anew,
    router_killed,
    unplugged,
    unplugged_at_the_board,
    until,
)

import wamp
from microwamp.bridge import handover
from microwamp.bridge.upstream import SocketUpstream
from microwamp_rig.virtual_link import Faults
from microwamp_rig.virtual_loop import virtual_time
from wamp import _posixport

#: From a clean line to a connection of the link (docs/link.md).
LINK_S = 15.0
#: The longest pause of a client whose attempts have failed again and again, and a request that
#: began before the end of the disturbance and takes all of its time.
CLIENT_S = 45.0 + 10.0
#: Frames on the line until the device has joined, declared, published, called and was called.
STATES = (*range(0, 40, 2), *range(40, 140, 10))


async def frames(chain: Chain, count: int) -> None:
    """Until so many frames have been put on the line, in both directions together."""
    seen = [0]

    def on_send(octets: bytes) -> None:
        seen[0] += 1

    chain.cable.up.on_send = chain.cable.down.on_send = on_send
    await until(lambda: seen[0] >= count, lambda: f"{count} frames {chain.story()}", 20)


# what happens, for how many seconds, whether a session outlives it
AT_EVERY_STATE = [
    (unplugged, 1.0, True),
    (unplugged, 6.5, True),
    (unplugged, 12.0, False),
    (unplugged_at_the_board, 1.0, True),
    (bridge_killed, 0.0, False),
    (bridge_killed, 3.0, False),
    (handed_over, 0.0, True),
    (handed_over, 3.0, True),
    (handed_over_unplugged, 1.0, True),
    (reloaded, 0.0, True),
    (reloaded_anew, 0.0, False),
    (router_killed, 0.0, False),
    (router_killed, 3.0, False),
    (device_reset, 0.0, False),
    (erased, 0.045, True),
    (erased, 0.4, True),
    (held_low, 1.0, True),
]


@pytest.mark.parametrize(
    ("what", "seconds", "outlived"),
    AT_EVERY_STATE,
    ids=[f"{what.__name__}-{seconds:g}" for what, seconds, _ in AT_EVERY_STATE],
)
def test_at_every_state_of_the_protocol(what, seconds, outlived, tmp_path):
    """After each of the first frames of a connection, through login, declarations and traffic."""

    async def main(state: int, folder: Path) -> float:
        async with Chain(state, str(folder), 921600) as chain:
            chain.work()
            await frames(chain, state)
            if state == STATES[-1]:
                assert chain.all_worked()
            was = chain.device.session
            joins = chain.device.joins
            await what(chain, seconds)
            took = await chain.recovers(AT_ONCE_S)
            if outlived and was is not None:
                assert (chain.device.joins, chain.device.session) == (joins, was), state
            elif was is not None:
                assert chain.device.session != was, f"{state}: not a new session"
            # What the bridge has counted and timed since it began.
            status = chain.port.status()
            assert status["counts"]["joins"] >= 1 and status["counts"]["faults"] == 0, status
            assert 0 < status["join_ms"] < 1000 * (seconds + AT_ONCE_S), status
            return took

    longest = 0.0
    for state in STATES:
        with virtual_time() as runner:
            longest = max(longest, runner.run(main(state, tmp_path)))
    print(f"{what.__name__} {seconds:g} s: works again after {longest:.2f} s at most")


def disturb(chain: Chain) -> None:
    """Something happens to the line, or to who is at its ends."""
    rng, cable = chain.rng, chain.cable
    wire = rng.choice((cable.up, cable.down))
    end = rng.choice((cable.board, cable.host))
    what = rng.randrange(18)
    if what < 4:
        cable.up.faults = cable.down.faults = Faults(
            bits=rng.choice((0, 1e-5, 1e-4, 1e-3)),
            drop=rng.choice((0, 0, 1e-3)),
            duplicate=rng.choice((0, 0, 1e-3)),
            insert=rng.choice((0, 0, 1e-3)),
            bursts=rng.choice((0, 0, 3e-4)),
            burst_octets=rng.choice((8, 100, 2000)),
        )
    elif what == 4:
        wire.cut = not wire.cut
    elif what == 5:
        wire.stalled = not wire.stalled
        cable.resume()
    elif what == 6:
        wire.stuck = rng.choice((-1, -1, 0x00, 0xFF, 0xF8))
    elif what == 7:
        cable.erase(rng.choice((45, 400)))
    elif what == 8:
        cable.board.every_s = rng.choice((0.0, 0.02, 0.2))  # a program that reads slowly
    elif what == 9:
        cable.drift(rng.choice((0.0, 0.0, 0.03, 0.045, -0.06)))
    elif what == 10:
        wire.hold_low(now() * 1e6, rng.choice((1, 20, 300, 5000)))
    elif what == 11:
        if end.plugged:
            end.unplug()
        else:
            end.replug()
    elif what == 12:
        chain.soon("bridge", bridge_killed, rng.choice((0.0, 0.5, 11.0)))
    elif what == 13:
        chain.soon("router", router_killed, rng.choice((0.0, 0.5, 11.0)))
    elif what == 14:
        chain.soon("device", device_reset, 0.0)
    elif what == 15:
        chain.soon("bridge", handed_over, rng.choice((0.0, 0.5, 3.0, 11.0)))
    elif what == 16:
        chain.soon("bridge", rng.choice((reloaded, reloaded, reloaded_anew)), 0.0)
    else:
        chain.hold_router(rng.choice((True, False)))  # a router that does not read


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens(seed, tmp_path):
    async def main() -> None:
        async with Chain(seed, str(tmp_path), (115200, 921600)[seed & 1]) as chain:
            chain.work()
            for _ in range(25):
                await asyncio.sleep(chain.rng.choice((0.01, 0.1, 0.7, 2.0)))
                chain.check()
                disturb(chain)
            await chain.settle_down()
            took = await chain.recovers(LINK_S + CLIENT_S)
            print(f"seed {seed}: works again after {took:.1f} s; {chain.settled}")

    with virtual_time() as runner:
        runner.run(main())


def test_a_bridge_that_comes_late(tmp_path):
    """Its device asks all the time: nobody is burdened by that, and the start has no order."""

    async def main() -> None:
        async with Chain(3, str(tmp_path)) as chain:
            for n in range(3):
                await chain.kill_bridge()
                await asyncio.sleep(300 + 3 * n)
                assert chain.device.state in ("connecting", "waiting")
                await chain.start_bridge()
                # Within an attempt, or after a pause of 250 ms, doubled by two sessions at most.
                await until(lambda: chain.device.state == "up", chain.story, LINK_S)

    with virtual_time() as runner:
        runner.run(main())


# What a session outlives, one after another and on a line that spoils octets all the while.
SHORT = (
    (unplugged, 2.0),
    (unplugged_at_the_board, 2.0),
    (handed_over, 0.0),
    (handed_over, 2.0),
    (handed_over_unplugged, 1.0),
    (reloaded, 0.0),
    (erased, 0.4),
    (held_low, 1.0),
)


@pytest.mark.parametrize("seed", range(6))
def test_interruptions_that_are_short_cost_no_session(seed, tmp_path):
    """Cable bumped, noise, reload, hand-over: no new join, no failed request, and every
    publication at the router once and in order, whichever process was the bridge."""

    async def main() -> None:
        baud = (115200, 921600)[seed & 1]
        async with Chain(seed, str(tmp_path), baud, timeout_ms=60_000) as chain:
            rng = chain.rng
            await chain.device.join()
            await chain.host.join()
            session = chain.device.session
            chain.work()
            for what, seconds in rng.sample(SHORT * 2, 2 * len(SHORT)):
                bits = rng.choice((0, 0, 1e-5, 1e-4, 3e-4))
                chain.cable.up.faults = chain.cable.down.faults = Faults(bits=bits)
                await asyncio.sleep(rng.random() * 1.5)
                await what(chain, seconds * rng.random())
                chain.check()
                await chain.recovers(AT_ONCE_S)
            assert (chain.device.joins, chain.device.session) == (1, session), chain.story()
            assert [failed for _, failed in chain.settled.values()] == [0, 0, 0], chain.settled
            assert len(chain.taken) == 6 and all(one["sessions"] == 1 for one in chain.taken)
            await until(lambda: len(chain.acknowledged) > 20, chain.story, 60)
            done = chain.acknowledged[-1] + 1
            assert chain.acknowledged == chain.routed[:done] == list(range(done))

    with virtual_time() as runner:
        runner.run(main())


@pytest.mark.parametrize("where", ["port", "link", "router"])
def test_a_hand_over_that_fails_is_one_new_join(where, tmp_path, monkeypatch):
    """Nothing is left of what could not be used: the router hears that the old session ended."""

    def refuse(*args):
        raise ValueError("no")

    async def lost(*args):
        raise OSError(5, "no")

    async def main() -> None:
        async with Chain(1, str(tmp_path), 921600) as chain:
            chain.work()
            await chain.device.join()
            for _ in range(3):
                joins, descriptors = chain.device.joins, len(os.listdir("/proc/self/fd"))
                with monkeypatch.context() as patch:
                    if where == "port":
                        patch.setattr(_posixport, "open_port", lost)
                    elif where == "link":
                        patch.setattr(handover, "restore", refuse)
                    else:
                        patch.setattr(SocketUpstream, "adopt", lost)
                    await chain.hand_over(0.0)
                assert chain.taken[-1]["sessions"] == 0 and "no" in chain.taken[-1]["reason"]
                await chain.recovers(AT_ONCE_S)
                assert chain.device.joins == joins + 1
                assert len(os.listdir("/proc/self/fd")) == descriptors
                assert chain.router is not None
                assert len(chain.router._connections) == 2  # the device's and the host's

    with virtual_time() as runner:
        runner.run(main())


MANY = 200


def test_a_router_that_does_not_read(tmp_path):
    """The device is held back; nothing piles up on the way, and nothing is lost."""

    async def main() -> None:
        async with Chain(1, str(tmp_path), 921600, timeout_ms=60_000) as chain:
            await chain.device.join()
            chain.hold_router(True)
            publishing = asyncio.create_task(publish(chain.device, "com.device.count"))
            most = 0
            for _ in range(300):
                await asyncio.sleep(0.1)
                most = max(most, chain.port.status()["buffers"]["router"])
                chain.check()
            assert not publishing.done() and chain.port.status()["held"] == ["router"]
            assert most < 2 * chain.port.config.limits.buffer_octets, most
            chain.hold_router(False)
            await until(publishing.done, chain.story, 60)
            await until(lambda: len(chain.routed) == MANY, chain.story, 60)
            assert chain.routed == list(range(MANY)) and chain.device.joins == 1

    with virtual_time() as runner:
        runner.run(main())


def test_a_device_that_reads_slowly(tmp_path):
    """The router is held back: what waits for the device waits there."""

    async def main() -> None:
        async with Chain(2, str(tmp_path), 921600) as chain:
            heard: list[int] = []
            chain.device.subscribe("com.host.count", lambda n, octets: heard.append(n))
            await chain.device.join()
            await chain.host.join()
            chain.cable.board.every_s = 0.2
            await publish(chain.host, "com.host.count")
            most = 0
            while len(heard) < MANY:
                await asyncio.sleep(0.1)
                most = max(most, chain.port.status()["buffers"]["device"])
                assert now() < 300
            assert heard == list(range(MANY)) and chain.device.joins == 1
            assert 0 < most < chain.port.config.limits.buffer_octets, most

    with virtual_time() as runner:
        runner.run(main())


async def publish(client: wamp.Client, topic: str) -> None:
    """As fast as it goes."""
    for n in range(MANY):
        await client.publish(topic, n, bytes(3000))
