"""Shows what the encrypted sensor publishes.

Without arguments it prints this reader's public key, for the board's settings.py; its private key
is in reader.key, made at the first start. Arguments: the router's URL, the board's public key,
which the board prints, and the number of events after which to end.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from nacl.public import PrivateKey

import wamp
from microwamp.cryptobox import EncodedPayload, Key, KeyRing

TOPIC = "com.example.sealed.temperature"
FILE = Path("reader.key")


def private_key() -> PrivateKey:
    """Made at the first start, and for its owner's eyes only."""
    if not FILE.exists():
        descriptor = os.open(FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as file:
            file.write(PrivateKey.generate().encode().hex() + "\n")
    return PrivateKey(bytes.fromhex(FILE.read_text()))


async def main(url: str, board: str, count: int) -> None:
    ring = KeyRing()
    # We respond to what the board originates; other topics could have other keys.
    ring.set_key(TOPIC, Key(originator_pub=board, responder_priv=private_key().encode().hex()))
    client = wamp.Client(url)
    enough = asyncio.Event()
    seen = 0

    @client.subscribe(TOPIC, details=True)
    def show(octets: bytes, details: dict[str, Any]) -> None:
        nonlocal seen
        try:
            _, args, named = ring.decode(False, TOPIC, EncodedPayload(octets, "cryptobox"))
        except wamp.Error as error:
            print("cannot be read:", error, flush=True)
            return
        assert args and named  # by the board's hand, so what it wrote
        print(f"{named['n']}: {args[0]} {named['unit']}", flush=True)
        seen += 1
        if seen == count:
            enough.set()

    async with client:
        print("ready", flush=True)
        await enough.wait()


if len(sys.argv) < 3:
    print(private_key().public_key.encode().hex())
else:
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0))
