"""The other of two boards: com.example.lamp switches its lamp, and who wants to know is told."""

import asyncio

import wamp

try:
    from settings import URL
except ImportError:
    URL = "serial:"  # the USB cable, and a bridge at its other end

try:
    from machine import Pin

    lamp = Pin("LED", Pin.OUT)
except (ImportError, ValueError):
    lamp = None

client = wamp.Client(URL, log=print)


@client.register("com.example.lamp")
def switch(on):
    if lamp is not None:
        lamp.value(on)
    print("lamp", on)
    client.publish("com.example.lamp_is", on)  # without options it is sent at once


async def main():
    async with client:
        await client.ended()


asyncio.run(main())
