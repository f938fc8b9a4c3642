"""Frames of the serial link: layout, checks, codes (docs/link.md, sections 1 and 2)."""

from . import linkcontrol

frame = linkcontrol.frame
reason = linkcontrol.reason

# Codes of CLOSE, RESET and REFUSE
BY_PEER = 0
BY_ROUTER = 1
NO_ROUTER = 2
STOPPING = 3
PROTOCOL = 4
VERSION = 5
NOT_SERVED = 6
NO_CONNECTION = 7
LOST = 255  # never on the line: nothing was heard for lost_ms

VERSION_1 = 0x41  # 0x40 + version, so that it is no control key
PAYLOAD_MAX = 1024  # octets
OVERHEAD = 14
SYNC = b"\xf8\xc1"

# Types
T_DATA = 0
T_ACK = 1
T_PROBE = 2
T_CLOSE = 3
T_RESET = 4
T_CONSOLE = 5
T_OPEN = 8  # from here on: no connection, empty seed
T_ACCEPT = 9
T_ANNOUNCE = 10
T_REFUSE = 11


def check(w):
    """H of the header: finds every error of one or two bits in W (16 bits) and H itself."""
    return (w * 11859 >> 11 & 255) ^ 0x5A


def is_text(octets):
    """Whether octets are printable ASCII, fit for a log."""
    for x in octets:
        if not 32 <= x < 127:
            return False
    return True
