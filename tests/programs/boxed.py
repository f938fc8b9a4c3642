"""A device whose payloads nobody in between can read, for the tests.

MICROWAMP_URL: where to. TEST_DEVICE: JSON with "private" and "public" (ours, theirs, in hex).
Serves `com.example.box.board.*`, hears `com.example.box.board.topic`, calls and publishes what the
procedures in clear `com.example.board.*` tell it to. Prints `ready` once joined.
"""

import asyncio
import json
import os
from binascii import unhexlify

import wamp
from wamp.cryptobox import Box, run

SETTINGS = json.loads(os.getenv("TEST_DEVICE") or "{}")
PASSTHRU = {"enc_algo": "cryptobox"}

client = wamp.Client(os.getenv("MICROWAMP_URL") or "", log=print)
box = Box(unhexlify(SETTINGS["private"]), unhexlify(SETTINGS["public"]))
run(box.prepare())
heard: list[object] = []


def sealed(uri, args, kwargs=None):
    return run(box.encode(uri, args, kwargs, os.urandom(24)))


def opened(uri, octets):
    assert type(octets) is bytes, octets
    args, kwargs = run(box.decode(uri, octets))
    return args or [], kwargs or {}


@client.register("com.example.box.board.echo")
def echo(octets):
    uri = "com.example.box.board.echo"
    result = wamp.Result(sealed(uri, *opened(uri, octets)))
    result.options = PASSTHRU
    return result


@client.register("com.example.box.board.fail")
def fail(octets):
    args, kwargs = opened("com.example.box.board.fail", octets)
    uri = "com.example.box.board.failed"
    error = wamp.ApplicationError(uri, sealed(uri, args, kwargs))
    error.details = PASSTHRU
    raise error


@client.subscribe("com.example.box.board.topic")
def topic(octets):
    heard.append(list(opened("com.example.box.board.topic", octets)))


@client.register("com.example.board.heard")
def take_heard():
    return list(heard)


@client.register("com.example.board.call")
async def call(uri, args):
    try:
        found = await client.call(uri, sealed(uri, args), enc_algo="cryptobox")
    except wamp.ApplicationError as e:
        assert (e.details or {})["enc_algo"] == "cryptobox", e.details
        return [e.error] + list(opened(e.error, e.args[0]))
    assert found.details["enc_algo"] == "cryptobox", found.details
    return list(opened(uri, found.args[0]))


@client.register("com.example.board.publish")
async def publish(uri, args):
    await client.publish(uri, sealed(uri, args), acknowledge=True, enc_algo="cryptobox")


async def main():
    async with client:
        print("ready")
        await client.ended()


asyncio.run(main())
