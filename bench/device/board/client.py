"""The message path of a joined client on a real UART: one publish, one event, and what they cost.

The host's end takes the times: a pin rises where something begins and falls where it ends. Another
pin asks it for an event.
"""

import asyncio
import gc

import measure
from machine import Pin

import wamp

_MESSAGES = 12
_MANY = 50

mark = Pin(2, Pin.OUT, value=0)
ask = Pin(3, Pin.OUT, value=0)


def main(url):
    asyncio.run(_main(url))


async def _main(url):
    client = wamp.Client(url)
    arrived = asyncio.Event()
    heap = []

    @client.subscribe("com.example.setpoint")
    def on_setpoint(value):
        mark.on()
        mark.off()
        if len(heap) == 1:
            heap.append(gc.mem_alloc())
        arrived.set()

    async with client:
        await asyncio.sleep_ms(50)
        gc.collect()
        # What the marks themselves take.
        for _ in range(4):
            mark.on()
            mark.off()
        await _publish(client, _MESSAGES, True)
        measure.fresh()
        before = gc.mem_alloc()
        await client.publish("com.example.temperature", 23.45)
        measure.figure("client.publish.heap", gc.mem_alloc() - before)
        await asyncio.sleep_ms(20)
        gc.enable()

        for i in range(_MESSAGES):
            if i % 4 == 0:
                measure.fresh()
            await _event(arrived)
        measure.fresh()
        heap.append(0)
        arrived.clear()
        ask.on()
        ask.off()
        heap[0] = gc.mem_alloc()
        await arrived.wait()
        measure.figure("client.event.heap", heap[1] - heap[0])
        gc.enable()
        await asyncio.sleep_ms(20)

        before = _used()
        await _publish(client, _MANY, False)
        for _ in range(_MANY):
            await _event(arrived)
        measure.figure("client.growth", _used() - before)


def _used():
    gc.collect()
    return gc.mem_alloc()


async def _publish(client, n, settle):
    publish = client.publish
    for i in range(n):
        if settle and i % 6 == 0:
            measure.fresh()
        mark.on()
        await publish("com.example.temperature", 23.45)
        mark.off()
        await asyncio.sleep_ms(10)
    gc.enable()


async def _event(arrived):
    arrived.clear()
    ask.on()
    ask.off()
    await arrived.wait()
    await asyncio.sleep_ms(10)
