"""Publishes the chip's temperature once a second."""

import asyncio

import wamp

try:
    from settings import URL
except ImportError:
    URL = "serial:"  # the USB cable, and a bridge at its other end


def temperature():
    """Degrees Celsius, by the RP2040's own sensor; a fixed value where there is none."""
    try:
        from machine import ADC

        volts = ADC(4).read_u16() * 3.3 / 65535
        return 27 - (volts - 0.706) / 0.001721
    except (ImportError, ValueError, AttributeError):
        return 21.5


async def main():
    async with wamp.Client(URL, log=print) as client:
        n = 0
        while True:
            n += 1
            try:
                await client.publish(
                    "com.example.temperature",
                    round(temperature(), 1),
                    kwargs={"n": n, "unit": "C"},
                    acknowledge=True,
                )
            except wamp.Error as error:
                print("not published:", error)  # the client joins again by itself
            await asyncio.sleep(1)


asyncio.run(main())
