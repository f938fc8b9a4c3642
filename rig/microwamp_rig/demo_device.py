"""The device of `make demo`: what would run on a Pico, with another URL.

Logs in with its own key, offers an LED, publishes a temperature, asks the host for the time.
"""

import asyncio
import os

import wamp

client = wamp.Client(os.getenv("MICROWAMP_URL"), auth=wamp.Cryptosign("device.key"), log=print)
seen = {"led": False, "joins": 0, "lost": 0, "time": None, "other": []}


@client.register("com.example.led")
def led(on):
    seen["led"] = on
    return on


@client.register("com.example.seen")
def report():
    seen["joins"] = client.joins
    return seen


async def main():
    async with client:
        print("channel", client.transport_details.channel_typeid)
        n = 0
        while True:
            try:
                seen["time"] = await client.call("com.example.time")
                temperature = 21.5 + n % 10 / 10
                await client.publish(
                    "com.example.temperature", temperature, kwargs={"n": n}, acknowledge=True
                )
                n += 1
            except wamp.TransportLost as e:
                seen["lost"] += 1
                print("caught TransportLost:", e)
            except wamp.Error as e:
                seen["other"].append(repr(e))
                print("caught", repr(e))
            await asyncio.sleep_ms(50)


asyncio.run(main())
