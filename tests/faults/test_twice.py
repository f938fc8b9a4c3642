"""What is sent again after a re-join may arrive twice; what docs/bridge.md says about it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from chain import Chain, until

from microwamp_rig.virtual_loop import virtual_time
from wamp.errors import TransportLost
from wamp.outbox import Outbox

PAGE = Path(__file__).parents[2] / "docs" / "bridge.md"
TOPIC = "com.device.count"


def handler_of_the_page(stored: list[int]) -> Any:
    """The idempotent handler as it is printed there."""
    section = PAGE.read_text().partition("## What arrives once")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    found: dict[str, Any] = {"store": stored.append}
    exec(code, found)
    return found["reading"]


async def lose_the_acknowledgement(chain: Chain, *args: Any) -> asyncio.Task[Any]:
    """Publish; it gets to the router, whose answer is lost with the bridge."""
    before = len(chain.routed)
    chain.cable.down.cut = True
    publishing = asyncio.create_task(chain.device.publish(TOPIC, *args, acknowledge=True))
    await until(lambda: len(chain.routed) > before, chain.story, 5)
    await chain.kill_bridge()
    chain.cable.down.cut = False
    await chain.start_bridge()
    return publishing


def test_what_an_outbox_sends_again_arrives_twice_and_the_handler_of_the_page_acts_once(tmp_path):
    async def main() -> None:
        async with Chain(1, str(tmp_path), outbox=Outbox(8)) as chain:
            heard: list[int] = []
            stored: list[int] = []
            reading = handler_of_the_page(stored)
            chain.host.subscribe(TOPIC, lambda value, *rest: heard.append(value))
            chain.host.subscribe(TOPIC, reading)
            await chain.host.join()
            await chain.device.join()
            for number, value in enumerate((20, 20, 21), 1):
                publishing = await lose_the_acknowledgement(chain, value, "shed", "a1", number)
                assert await publishing
            assert heard == chain.routed == [20, 20, 20, 20, 21, 21]
            assert stored == [20, 20, 21]
            # The device starts anew, and counts from one.
            await chain.device.publish(TOPIC, 22, "shed", "b2", 1, acknowledge=True)
            await until(lambda: len(heard) == 7, chain.story, 5)
            assert stored == [20, 20, 21, 22]

    with virtual_time() as runner:
        runner.run(main())


def test_without_an_outbox_nothing_is_sent_again(tmp_path):
    """The program is told, and the publication is at the router once, or not at all."""

    async def main() -> None:
        async with Chain(2, str(tmp_path)) as chain:
            await chain.host.join()
            await chain.device.join()
            publishing = await lose_the_acknowledgement(chain, 1)
            with pytest.raises(TransportLost, match="the bridge was restarted"):
                await publishing
            await until(lambda: chain.device.joins == 2, chain.story, 5)
            await asyncio.sleep(30)
            assert chain.routed == [1]
            # Nothing of it reaches the router where the line is cut the other way.
            chain.cable.up.cut = True
            publishing = asyncio.create_task(chain.device.publish(TOPIC, 2, acknowledge=True))
            await asyncio.sleep(0.1)
            await chain.kill_bridge()
            chain.cable.up.cut = False
            await chain.start_bridge()
            with pytest.raises(TransportLost):
                await publishing
            await until(lambda: chain.device.joins == 3, chain.story, 5)
            await asyncio.sleep(30)
            assert chain.routed == [1]

    with virtual_time() as runner:
        runner.run(main())
