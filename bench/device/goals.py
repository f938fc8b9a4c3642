"""What the figures mean: names, units, which are gated, what they must be, the peers' own."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """text: what it is. must, aim: limits in `unit`. peer: the best peer's figure, and whose.

    All peers' figures are recorded (with MicroPython 1.25.0 on the same emulated chip), unless a
    run measured them itself.
    """

    text: str
    unit: str
    must: float | None = None
    aim: float | None = None
    peer: float | None = None
    whose: str = ""


_CBOR2 = "micropython-lib cbor2"
_COBS = "COBS with CRC"

GOALS: dict[str, Goal] = {
    "codec.call.encode": Goal("CBOR encode, CALL", "us", 650, 365, 1180, _CBOR2),
    "codec.call.decode": Goal("CBOR decode, CALL", "us", 600, 340, 1239, _CBOR2),
    "codec.event.encode": Goal("CBOR encode, EVENT", "us", 950, 535, 1793, _CBOR2),
    "codec.event.decode": Goal("CBOR decode, EVENT", "us", 900, 510, 1791, _CBOR2),
    "codec.octets1k.encode": Goal("CBOR encode, 1 KiB octets", "us", 400, 235, 1092, _CBOR2),
    "codec.octets1k.decode": Goal("CBOR decode, 1 KiB octets", "us", 400, 290, 546, _CBOR2),
    "codec.others.encode": Goal("twenty others, encode (mean)", "us"),
    "codec.others.decode": Goal("twenty others, decode (mean)", "us"),
    "codec.others.ratio": Goal("twenty others, cbor2 / ours", "x", 1.8, 3.0, 1.0, _CBOR2),
    "link.64.encode": Goal("link frame encode, 64 octets", "us", 260, 150, 322, _COBS),
    "link.64.decode": Goal("link frame receive, 64 octets", "us", 350, 265, 354, _COBS),
    "link.1024.encode": Goal("link frame encode, 1 KiB", "us", 640, 490, 1927, _COBS),
    "link.1024.decode": Goal("link frame receive, 1 KiB", "us", 750, 590, 1379, _COBS),
    "link.1024.decode.pieces": Goal("  the same, 512 octets at a time", "us"),
    "client.publish": Goal("publish: call to last octet in the port", "us", 1600, 1000),
    "client.event": Goal("event: last octet in the ring to handler", "us", 1900, 1200),
    "client.publish.heap": Goal("heap of a publish", "octets", 700, 320),
    "client.event.heap": Goal("heap of an event", "octets", 1000, 560),
    "client.growth": Goal("heap growth over 100 messages", "octets", 0, 0),
    "crypto.sign.accel": Goal("Ed25519 signature, asm_thumb", "ms", 60, 32, 826, "published code"),
    "crypto.sign.accel.stall": Goal("  longest step between two yields", "ms", 20, 20),
    "crypto.sign.accel.heap": Goal("  heap of one, if nothing is collected", "octets"),
    "crypto.sign": Goal("Ed25519 signature, integers alone", "ms", 125, 95, 826, "published code"),
    "crypto.sign.stall": Goal("  longest step between two yields", "ms", 20, 20),
    "crypto.sign.heap": Goal("  heap of one, if nothing is collected", "octets"),
    "crypto.verify.accel": Goal("Ed25519 check of a signature, asm_thumb", "ms"),
    "crypto.verify.accel.stall": Goal("  longest step between two yields", "ms", 20, 20),
    "crypto.verify": Goal("Ed25519 check, integers alone", "ms"),
    "crypto.verify.stall": Goal("  longest step between two yields", "ms", 20, 20),
    "crypto.pbkdf2": Goal("PBKDF2-HMAC-SHA-256, an iteration", "us"),
    "crypto.pbkdf2.stall": Goal("  longest step between two yields", "ms", 50, 20),
    "box.prepare": Goal("cryptobox: the shared key of two (X25519)", "ms"),
    "box.prepare.stall": Goal("  longest step between two yields", "ms", 20, 20),
    "box.seal": Goal("cryptobox: 100 octets sealed", "ms"),
    "box.seal.stall": Goal("  longest step between two yields", "ms", 20, 20),
    "box.unseal": Goal("cryptobox: 100 octets opened", "ms"),
    "box.unseal.stall": Goal("  longest step between two yields", "ms", 20, 20),
    "box.unseal.1000": Goal("cryptobox: 1,000 octets opened", "ms"),
    "box.unseal.1000.stall": Goal("  longest step between two yields", "ms", 20, 20),
    "box.memory": Goal("cryptobox: RAM of its code, from a file system", "octets"),
    "crypto.sha512": Goal("SHA-512, one block", "us", None, None, 1770, "our prototype in viper"),
    "memory.mpy.asyncio": Goal("RAM, asyncio alone (frozen in all)", "octets"),
    "memory.mpy.tcp": Goal(
        "RAM, client over TCP with ticket, .mpy",
        "octets",
        24000,
        18000,
        22880,
        "mqtt_as + cbor2, with names",
    ),
    "memory.mpy.link": Goal("  + link", "octets", 32000, 23000),
    "memory.mpy.cryptosign": Goal("  + cryptosign", "octets", 42000, 30000),
    "memory.mpy.handlers": Goal("  + handlers: subscribe, register", "octets"),
    "memory.mpy.signing": Goal("  + what is there while it logs in", "octets"),
    "memory.frozen.tcp": Goal("RAM, client over TCP with ticket, frozen", "octets"),
    "memory.frozen.link": Goal("  + link", "octets"),
    "memory.frozen.cryptosign": Goal("  + cryptosign", "octets"),
    "memory.frozen.handlers": Goal("  + handlers: all the default needs", "octets", 16000, 11000),
    "memory.frozen.signing": Goal("  + what is there while it logs in", "octets"),
    "memory.size": Goal(".mpy files of all these", "octets"),
    "join.boot": Goal("power-on to main.py", "ms"),
    "join.import": Goal("  imports, frozen", "ms"),
    "join.join": Goal("  join with cryptosign, 921600 baud", "ms"),
    "join.total": Goal("power-on to joined", "ms"),
    "join.sent": Goal("octets on the line, from the board", "octets"),
    "join.received": Goal("octets on the line, to the board", "octets"),
    "join.heap": Goal("heap in use once joined", "octets"),
    "application.frozen.used": Goal("default application, joined, frozen", "octets", 48000, 40000),
    "application.frozen.left": Goal("  left for the user", "octets"),
    "application.frozen.joined": Goal("  power-on to joined", "ms"),
    "application.mpy.used": Goal("the same from .mpy, stock firmware", "octets", 100000, 90000),
    "application.mpy.left": Goal("  left for the user", "octets"),
    "application.mpy.joined": Goal("  power-on to joined", "ms"),
}

#: Figures that are reported only: single messages nobody tunes for, shares of a gated whole, some
#: few blocks of the heap, what is free, ratios.
_NOT_GATED = re.compile(
    r"codec\.other\.|codec\.others\.ratio|memory\..*\.module\.|features\.frozen\.|join\.free"
    r"|link\..*\.pieces|application\..*\.left"
)


def unit(name: str) -> str:
    """Of any figure."""
    if name in GOALS:
        return GOALS[name].unit
    return "us" if name.startswith("codec.other.") and not name.endswith(".heap") else "octets"


def gated(name: str) -> bool:
    """Whether a run fails when this figure becomes worse."""
    # What is left is what is not used, and that is gated.
    return not _NOT_GATED.match(name) and not name.endswith(".left")


def program(name: str) -> str:
    """The program that a figure is from."""
    return name.partition(".")[0]
