"""The device of tests/faults/test_micropython_under_fire.py, on MicroPython in lockstep.

Commands: `on`, a client begins, and a program that publishes and calls; `off`, both end. It says
what became of each request, and what the client says of its session.
"""

import lockstep_device as lockstep  # type: ignore[import-not-found]

# isort: split
# It takes the places of modules that the others import.
import asyncio
import gc

import wamp

SECRET = "not much of a secret"


async def publish(client, first):
    n = first
    while True:
        lockstep.say(f"publish {n}")
        try:
            await client.publish("com.device.count", n, acknowledge=True)
            lockstep.say(f"published {n}")
        except wamp.Error as e:
            lockstep.say(f"unpublished {n} {e!r}")
        n += 1
        await asyncio.sleep(0.05)


async def call(client):
    n = 0
    while True:
        n += 1
        try:
            found = await client.call("com.host.double", n)
            lockstep.say("called" if found == n + n else f"wrong {found!r} for {n}")
        except wamp.Error as e:
            lockstep.say(f"uncalled {e!r}")
        await asyncio.sleep(0.05)


async def one(first):
    """A client's life."""

    def on_event(event, what):
        if event == "up":
            lockstep.say(f"up {client.session}")
        elif event == "down":
            lockstep.say(f"down {what!r}")

    client = wamp.Client(
        "serial:0?baud=921600", auth=wamp.CRA("device", SECRET), on_event=on_event
    )
    client.register("com.device.echo", lambda octets: octets)
    client.subscribe("com.device.down", lambda *args: None)
    client.start()
    tasks = [asyncio.create_task(work) for work in (publish(client, first), call(client))]
    await lockstep.commands.take()
    for task in tasks:
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
    await client.leave()


async def main():
    while True:
        await one(int(await lockstep.commands.take()))
        gc.collect()
        lockstep.say(f"off {gc.mem_alloc()}")  # type: ignore[attr-defined]


asyncio.run(main())
