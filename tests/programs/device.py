"""A device for the tests, on MicroPython and CPython: logs in as told, does what it is asked.

MICROWAMP_URL: where to. TEST_DEVICE: JSON with "login" (a list: the method and its arguments),
"prefix" (of its procedures and topics), "options" (of the client) and "ca" (a file with the
certificate to trust). Prints `ready` once joined, what the client logs, and `failed TYPE: TEXT`
before it ends with status 1.
"""

import asyncio
import json
import os
import sys
from binascii import unhexlify

import wamp
from wamp import auth

URL = os.getenv("MICROWAMP_URL") or ""
SETTINGS = json.loads(os.getenv("TEST_DEVICE") or "{}")


def login(method="anonymous", *args):
    """The authenticator for what TEST_DEVICE says."""
    if method == "ticket":
        return auth.Ticket(args[0], args[1], allow_clear=True)
    if method == "private ticket":
        return auth.Ticket(args[0], args[1])
    if method == "wampcra":
        return auth.CRA(args[0], args[1])
    if method == "scram":
        return wamp.CrossbarScram(args[0], args[1])
    if method == "cryptosign" and len(args) > 2:
        router = unhexlify(args[2])
        return auth.Cryptosign(
            unhexlify(args[0]), authid=args[1], router=router, random=os.urandom
        )
    if method == "cryptosign":
        return auth.Cryptosign(unhexlify(args[0]), authid=args[1])
    if method == "key file":
        return wamp.Cryptosign(args[0])
    return None


options = SETTINGS.get("options", {})
if "ca" in SETTINGS:
    with open(SETTINGS["ca"], "rb") as file:
        options["ssl"] = file.read()
client = wamp.Client(URL, auth=login(*SETTINGS.get("login", ())), log=print, **options)
prefix = SETTINGS.get("prefix", "com.test.device")
heard: list[object] = []
declared: list[wamp.Declaration] = []


@client.register(prefix + ".about")
def about():
    return {
        "details": client.details,
        "joins": client.joins,
        "failures": client.failures,
        "channel": client.transport_details.channel_typeid,
        "python": sys.implementation.name,
    }


@client.register(prefix + ".echo")
def echo(*args, **kwargs):
    return wamp.Result(*args, **kwargs)


@client.register(prefix + ".fail")
def fail(*args, **kwargs):
    raise wamp.ApplicationError("com.test.failed", *args, **kwargs)


@client.register(prefix + ".crash")
def crash():
    return [][1]


@client.register(prefix + ".twice")
async def twice(octets):
    await asyncio.sleep(0)
    return octets + octets


def outcome(error):
    return {
        "type": type(error).__name__,
        "error": getattr(error, "error", None),
        "args": [str(x) if isinstance(x, Exception) else x for x in error.args],
        "kwargs": getattr(error, "kwargs", {}),
    }


@client.register(prefix + ".call")
async def call(procedure, args, kwargs):
    """Call out, and tell what came of it."""
    try:
        value = await client.call(procedure, *args, kwargs=kwargs)
    except wamp.Error as e:
        print("caught", type(e).__name__, e)
        return outcome(e)
    if isinstance(value, wamp.Result):
        return {"args": list(value.args), "kwargs": value.kwargs}
    return {"value": value}


@client.register(prefix + ".publish")
async def publish(topic, args, kwargs, acknowledge):
    try:
        return {
            "publication": await client.publish(
                topic, *args, kwargs=kwargs, acknowledge=acknowledge
            )
        }
    except wamp.Error as e:
        return outcome(e)


@client.subscribe(prefix + ".news")
def news(*args, **kwargs):
    heard.append([list(args), kwargs])


@client.register(prefix + ".heard")
def take_heard():
    found = list(heard)
    del heard[:]
    return found


@client.register(prefix + ".declare")
async def declare():
    """One procedure and one subscription more."""
    declared.append(client.register(prefix + ".extra", echo))
    declared.append(client.subscribe(prefix + ".extra.news", news))
    for one in declared:
        await one.confirmed()


@client.register(prefix + ".remove")
async def remove():
    while declared:
        await declared.pop().remove()


@client.register(prefix + ".print")
def print_on_the_wire(text):
    """On a board whose console is the line, this is what `print` does."""
    fd = int(URL.split("/")[1])
    if hasattr(os, "write"):
        os.write(fd, text.encode())
    else:
        open(fd, "r+b").write(text.encode())


async def main():
    try:
        await client.join()
        print("ready")
        await client.ended()
        if client.error is not None:
            raise client.error
    except wamp.Error as e:
        print("failed", type(e).__name__ + ":", e)
        sys.exit(1)


asyncio.run(main())
