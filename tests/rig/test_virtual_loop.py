"""Processors in virtual time: what stands still, and what goes on meanwhile."""

from __future__ import annotations

import asyncio

from microwamp_rig.virtual_loop import Processor, virtual_time


async def ticks(seen: list[float], seconds: float = 0.01) -> None:
    loop = asyncio.get_running_loop()
    while True:
        seen.append(round(loop.time(), 6))
        await asyncio.sleep(seconds)


def test_a_processor_stands_still_and_goes_on_where_it_was():
    async def main() -> None:
        processor = Processor()
        mine: list[float] = []
        others: list[float] = []
        tasks = [processor.task(ticks(mine)), asyncio.create_task(ticks(others))]
        await asyncio.sleep(0.0951)
        processor.stop(0.4)
        processor.stop(0.045)  # ends sooner, so it changes nothing
        await asyncio.sleep(0.6)
        assert [at for at in mine if 0.0951 < at < 0.4951] == [] and 0.4951 in mine
        assert len(mine) == 10 + 20 and len(others) == 70
        for task in tasks:
            task.cancel()

    with virtual_time() as runner:
        runner.run(main())


def test_everything_of_a_processor_waits_and_in_order():
    """Tasks that it started, callbacks, timers; what is cancelled meanwhile does not happen."""

    async def main() -> None:
        processor = Processor()
        loop = asyncio.get_running_loop()
        done: list[str] = []
        event = asyncio.Event()

        async def child() -> None:
            await event.wait()
            done.append("woken")

        async def parent() -> None:
            asyncio.create_task(child())
            loop.call_later(0.1, done.append, "timer")

        processor.run(loop.call_soon, done.append, "before")
        await processor.task(parent())
        await asyncio.sleep(0.01)
        assert done == ["before"]
        processor.stop(1.0)
        event.set()  # by somebody else
        handles = [processor.run(loop.call_soon, done.append, name) for name in "abc"]
        await asyncio.sleep(0.5)
        assert done == ["before"]
        handles[1].cancel()
        await asyncio.sleep(0.51)
        assert done == ["before", "woken", "a", "c", "timer"]
        processor.stop(1.0)
        processor.run(loop.call_soon, done.append, "again")
        await asyncio.sleep(0.1)
        processor.go()
        await asyncio.sleep(0.0)
        await asyncio.sleep(0.0)
        assert done[-1] == "again" and not processor.stopped

    with virtual_time() as runner:
        runner.run(main())
