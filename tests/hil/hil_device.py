"""The device program of the hardware-in-the-loop suite: what a `Bench` calls, hears and breaks."""

import asyncio
import gc
import json
import os
import sys
import time
from binascii import hexlify

import machine

import wamp
from wamp import auth, serial

FAULT = "/fault"
FAULTS = 0x4005800C  # the RP2040's watchdog keeps this word over every reset: faults so far
LINE_CONTROL = 0x4003402C  # of UART0
HOST = "com.example.host."

with open("/hil.json") as file:
    settings = json.load(file)

client = wamp.Client(settings["url"], auth=wamp.Cryptosign("/device.key"), log=print)
boot = hexlify(os.urandom(4)).decode()
heard = []
ended = asyncio.Event()


@client.register("com.example.add")
def add(a, b):
    return a + b


@client.register("com.example.echo")
def echo(value):
    return value


@client.register("com.example.length")
def length(value):
    return len(value)


@client.register("com.example.blob")
def blob(count):
    return bytes(count)


@client.register("com.example.write")
def write(count):
    with open("/scratch", "w") as file:
        for _ in range(count):
            file.write("x" * 100)


@client.register("com.example.break")
def hold_low(ms):
    """A break of UART0, in mid-traffic."""
    machine.mem32[LINE_CONTROL] |= 1
    time.sleep_ms(ms)
    machine.mem32[LINE_CONTROL] &= ~1


@client.register("com.example.state")
def state():
    return {
        "faults": machine.mem32[FAULTS],
        "boot": boot,
        "cause": machine.reset_cause(),
        "joins": client.joins,
        "failures": client.failures,
        "heard": heard,
        "version": sys.implementation[1],
    }


@client.register("com.example.memory")
def memory():
    gc.collect()
    return gc.mem_free()


@client.register("com.example.print")
def say(*lines):
    for line in lines:
        print(line)


@client.register("com.example.traceback")
def traceback():
    try:
        {}["missing"]
    except KeyError as error:
        sys.print_exception(error)


@client.register("com.example.publish")
async def publish(count, text):
    """Acknowledged events, one after another; text: or how many octets."""
    for n in range(count):
        octets = bytes(text) if isinstance(text, int) else text
        await client.publish(HOST + "heard", n, octets, acknowledge=True)


@client.register("com.example.calls")
async def calls(count):
    """So many calls of the host at a time; returns the results."""
    return await asyncio.gather(*[client.call(HOST + "add", n, 1) for n in range(count)])


@client.subscribe("com.example.down")
def down(value):
    heard.append(value)
    del heard[:-10]


@client.register("com.example.leave")
def leave():
    ended.set()


@client.register("com.example.chatter")
async def chatter(count):
    """Prints while frames come and go: lines of any length, and tracebacks."""
    for n in range(count):
        print("line", n, "-" * (n * 7 % 90))
        if n % 5 == 4:
            traceback()
        await asyncio.sleep_ms(n % 3)
    return count


# -- faults: the board stops itself, in a state of the protocol


def act(kind):
    machine.mem32[FAULTS] += 1
    if kind == "hard":
        machine.reset()
    elif kind == "soft":
        machine.soft_reset()
    elif kind == "watchdog":
        machine.WDT(timeout=20)
        while True:
            pass
    elif kind == "interrupt":
        raise KeyboardInterrupt
    else:
        raise ValueError(kind)


def at_boot():
    """The fault that was ordered before the reset, once."""
    try:
        with open(FAULT) as file:
            kind, state = file.read().split()
    except OSError:
        return
    os.remove(FAULT)
    transport = serial.SerialTransport
    if state == "connecting":

        def pull(self):
            time.sleep_ms(3)  # the OPEN goes out
            act(kind)

        transport._pull = pull
    elif state == "hello":
        write = transport.write
        frames = []

        def hooked(self, octets):
            write(self, octets)
            frames.append(len(octets))
            if len(frames) == 2:  # after RawSocket's handshake
                time.sleep_ms(10)
                act(kind)

        transport.write = hooked
    elif state == "signing":
        challenge = auth.Cryptosign.challenge

        def signing(self, extra):
            for n, step in enumerate(challenge(self, extra)):
                if n == 5:
                    act(kind)
                yield step

        auth.Cryptosign.challenge = signing
    elif state == "welcome":

        def joined(event, details):
            if event == "up":
                act(kind)

        client.on_event = joined
    else:
        raise ValueError(state)


@client.register("com.example.fault")
def fault(kind, state):
    """kind: see `act`. state: "now", one of `at_boot`, or one of `soon`."""
    if state == "called":
        act(kind)
    asyncio.create_task(soon(kind, state))


async def soon(kind, state):
    await asyncio.sleep_ms(50)  # our answer goes out
    if state == "call":
        asyncio.create_task(client.call(HOST + "hold"))
        await asyncio.sleep_ms(50)
    elif state == "publish":
        await client.publish(HOST + "heard", -1, "x" * 1500)
    elif state == "write":
        if kind == "watchdog":
            machine.mem32[FAULTS] += 1
            machine.WDT(timeout=20)  # an erase takes 45 ms, and interrupts are off meanwhile
        file = open("/scratch", "w")
        file.write("x" * 600)
        while kind == "watchdog":
            file.flush()
    elif state != "now":
        with open(FAULT, "w") as file:
            file.write(kind + " " + state)
        kind = "hard"
    act(kind)


async def main():
    async with client:
        await ended.wait()
    print("left")


at_boot()
asyncio.run(main())
