"""Vectors of the serial link, version 1: the table of docs/link.md, section 6."""

INITIATOR = 0x01020304
ACCEPTOR = 0xA1A2A3A4

# name: (sender, type, payload, seq, ack, credit, octets)
FRAMES = {
    "OPEN": (
        "i",
        8,
        "414101020304040064" + b"pico".hex(),
        0xFFFF,
        0xFFFF,
        64,
        "f8c1400db9ffffffff404141010203040400647069636f3f052e74",
    ),
    "ACCEPT": (
        "a",
        9,
        "4101020304a1a2a3a40400646955b900",
        0xFFFF,
        0xFFFF,
        255,
        "f8c148101dffffffffff4101020304a1a2a3a40400646955b90022826ec5",
    ),
    "DATA": ("i", 0, "7f330000", 0, 0, 64, "f8c100044d00000000407f3300007b22de76"),
    "ACK": ("a", 1, "", 0, 4, 255, "f8c108000900000004ff4e98fa39"),
    "ACK with a pair": (
        "a",
        1,
        "00440084",
        0,
        4,
        255,
        "f8c108043000000004ff0044008485b14ae1",
    ),
    "PROBE": ("i", 2, "", 4, 65535, 0, "f8c11000fc0004ffff005bdd0b55"),
    "CLOSE": ("a", 3, "01" + b"bye".hex(), 300, 4, 255, "f8c118044a012c0004ff016279657cec9c70"),
    "RESET": ("i", 4, "07", 4, 300, 64, "f8c120010b0004012c40070d7163bd"),
    "CONSOLE": ("i", 5, b"hi".hex(), 4, 0, 64, "f8c12802f000040000406869ee0bb250"),
    "REFUSE": (
        "a",
        11,
        "0102030405" + b"v2".hex(),
        0xFFFF,
        0xFFFF,
        255,
        "f8c15807e3ffffffffff01020304057632d6382740",
    ),
    "ANNOUNCE": (
        "a",
        10,
        "41410000000020",
        0xFFFF,
        0xFFFF,
        255,
        "f8c150073cffffffffff414100000000201e33a17b",
    ),
}
