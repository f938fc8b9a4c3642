"""A procedure on the board: com.example.led switches its LED."""

import asyncio

import wamp

try:
    from settings import URL
except ImportError:
    URL = "serial:"  # the USB cable, and a bridge at its other end

try:
    from machine import Pin

    led = Pin("LED", Pin.OUT)
except (ImportError, ValueError):
    led = None  # a process, or a board without one

client = wamp.Client(URL, log=print)


@client.register("com.example.led")
def switch(on):
    if led is not None:
        led.value(on)
    print("led", on)
    return on


async def main():
    async with client:
        await client.ended()


asyncio.run(main())
