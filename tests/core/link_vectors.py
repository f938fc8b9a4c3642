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
        "f8c1400db9ffffffff404141010203040400647069636f742e053f",
    ),
    "ACCEPT": (
        "a",
        9,
        "4101020304a1a2a3a40400646955b900",
        0xFFFF,
        0xFFFF,
        255,
        "f8c148101dffffffffff4101020304a1a2a3a40400646955b900c56e8222",
    ),
    "DATA": ("i", 0, "7f330000", 0, 0, 64, "f8c100044d00000000407f33000076de227b"),
    "ACK": ("a", 1, "", 0xFFFF, 4, 255, "f8c1080009ffff0004ff443bf95a"),
    "ACK with a pair": (
        "a",
        1,
        "00440084",
        7,
        4,
        255,
        "f8c108043000070004ff00440084f843748f",
    ),
    "PROBE": ("i", 2, "", 7, 65535, 0, "f8c11000fc0007ffff00bba46849"),
    "CLOSE": ("a", 3, "01" + b"bye".hex(), 300, 4, 255, "f8c118044a012c0004ff01627965709cec7c"),
    "RESET": ("i", 4, "07", 4, 300, 64, "f8c120010b0004012c4007bd63710d"),
    "CONSOLE": ("i", 5, b"hi".hex(), 4, 0, 64, "f8c12802f00004000040686950b20bee"),
    "REFUSE": (
        "a",
        11,
        "0102030405" + b"v2".hex(),
        0xFFFF,
        0xFFFF,
        255,
        "f8c15807e3ffffffffff01020304057632402738d6",
    ),
    "ANNOUNCE": (
        "a",
        10,
        "41410000000020",
        0xFFFF,
        0xFFFF,
        255,
        "f8c150073cffffffffff414100000000207ba1331e",
    ),
}
