"""How much of each thing a device may still cause."""

from typing import Final

from .bucket import Bucket
from .config import Limits

# What may come at once before the limits per second count.
OPENS: Final = 20
CONSOLE_LINES: Final = 200
# Octets of noise that count as a damaged frame; and of anything where no stream flows, such as
# OPENs: each of those is answered.
NOISE_PIECE: Final = 64
IDLE_PIECE: Final = 16
OVERHEAD: Final = 14  # octets of a frame besides its payload


class Guard:
    """The buckets of one device. All times are seconds."""

    def __init__(self, limits: Limits) -> None:
        self.rate = Bucket(limits.messages_per_s, limits.messages_per_s)
        self.opens = Bucket(limits.opens_per_s, max(OPENS, limits.opens_per_s))
        noise = 2 * limits.noise_per_s
        self._noise = Bucket(limits.noise_per_s, noise, noise)
        lines = max(CONSOLE_LINES, limits.console_per_s)
        self.console = Bucket(limits.console_per_s, lines, limits.console_per_s)

    def noise(
        self, octets: int, stream: int, good: int, damaged: int, moved: bool, now: float
    ) -> float:
        """How long nothing should be read from the line.

        octets: what was read, with `stream` octets of the stream in `good` frames, and `damaged`
        ones. moved: whether the device has acknowledged something, or we have sent something.
        """
        if stream or moved:
            noise = max(octets - stream - good * OVERHEAD, 0) / NOISE_PIECE
        else:
            noise = octets / IDLE_PIECE  # nobody has asked for anything
        noise += max(damaged, 0)
        return self._noise.take(noise, now) if noise >= 1 else 0.0
