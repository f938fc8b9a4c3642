"""Publishes the chip's temperature once a second, for one reader alone: neither the bridge nor the
router can read it. The topic, the size and the time they see.

The board makes its private key at the first start, keeps it in /box.key and prints the public one,
which the reader needs. READER in settings.py is the reader's public key, which host.py prints.
"""

import asyncio
import os
from binascii import hexlify, unhexlify

import wamp
from wamp.cryptobox import Box, public_key, run
from wamp.keys import new_seed

try:
    from settings import READER
except ImportError:
    READER = None
try:
    from settings import KEY, URL
except ImportError:
    KEY, URL = "/box.key", "serial:"  # the USB cable, and a bridge at its other end

TOPIC = "com.example.sealed.temperature"


def private_key():
    """32 octets; made at the first start."""
    try:
        with open(KEY) as file:
            return unhexlify(file.read().strip())
    except OSError:
        key = new_seed()  # refuses a generator that repeats itself
        with open(KEY, "w") as file:
            file.write(hexlify(key).decode())
        return key


def temperature():
    """Degrees Celsius, by the RP2040's own sensor; a fixed value where there is none."""
    try:
        from machine import ADC

        volts = ADC(4).read_u16() * 3.3 / 65535
        return 27 - (volts - 0.706) / 0.001721
    except (ImportError, ValueError, AttributeError):
        return 21.5


async def steps(computation):
    """Its result. It takes milliseconds, and other tasks go on meanwhile."""
    try:
        while True:
            next(computation)
            await asyncio.sleep(0)
    except StopIteration as stop:
        return stop.value


async def main():
    key = private_key()
    print("public key", hexlify(run(public_key(key))).decode())
    if READER is None:
        print("whose eyes is it for? READER in settings.py is missing")
        return
    box = Box(key, READER)
    async with wamp.Client(URL, log=print) as client:
        n = 0
        while True:
            n += 1
            values = [round(temperature(), 1)], {"n": n, "unit": "C"}
            # The nonce is new for each payload, and at random.
            octets = await steps(box.encode(TOPIC, *values, os.urandom(24)))
            try:
                await client.publish(TOPIC, octets, enc_algo="cryptobox", acknowledge=True)
            except wamp.Error as error:
                print("not published:", error)  # the client joins again by itself
            await asyncio.sleep(1)


asyncio.run(main())
