"""One of two boards: each press of its button (GP15 to ground) switches the other board's lamp."""

import asyncio

import wamp

try:
    from settings import URL
except ImportError:
    URL = "serial:"  # the USB cable, and a bridge at its other end

try:
    from machine import Pin

    button = Pin(15, Pin.IN, Pin.PULL_UP)
except (ImportError, ValueError):
    button = None  # a process: the button presses itself twice a second


async def pressed():
    """Until the button goes down."""
    if button is None:
        await asyncio.sleep(0.5)
        return
    while not button.value():
        await asyncio.sleep(0.02)
    while button.value():
        await asyncio.sleep(0.02)


async def main():
    async with wamp.Client(URL, log=print) as client:
        on = False
        while True:
            await pressed()
            on = not on
            try:
                await client.call("com.example.lamp", on, timeout_ms=2000)
                print("the lamp is", "on" if on else "off")
            except wamp.Error as error:
                print("the lamp does not answer:", error)


asyncio.run(main())
