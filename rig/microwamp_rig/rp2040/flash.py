"""The board's flash: a littlefs image from files and back, and how long the chip takes to write.

A flash chip is busy for a long time after an erase or program command, and MicroPython waits for
it with interrupts off. The emulator's chip is ready at once; `FlashChip` makes the processor stand
still for as long as a real one would keep it waiting (see `Machine.stall`), while the other parts
of the chip, its UARTs above all, go on. When the power fails meanwhile, the sector or page being
written is left half done.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from littlefs import LittleFS, LittleFSError
from rp2040py.rp2040 import RP2040

SECTOR = 4096
PAGE = 256
_BLOCK = 65536

_PAGE_PROGRAM, _SECTOR_ERASE, _BLOCK_ERASE = 0x02, 0x20, 0xD8
_READ_UNIQUE_ID = 0x4B
# On disk version 2.0, which is what MicroPython writes; 2.1 it refuses.
_DISK_VERSION = 0x00020000


class FileSystemError(RuntimeError):
    """The flash holds no file system that can be mounted."""


def make_image(files: Mapping[str, bytes | str], size: int) -> bytes:
    """A littlefs of `size` octets with these files; str is encoded as UTF-8."""
    fs = LittleFS(block_size=SECTOR, block_count=size // SECTOR, disk_version=_DISK_VERSION)
    for path, content in files.items():
        path = path.strip("/")
        folder = path.rpartition("/")[0]
        if folder:
            fs.makedirs(folder, exist_ok=True)
        try:
            with fs.open(path, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
        except LittleFSError as error:
            raise FileSystemError(f"/{path} does not fit on the board: {error}") from None
    return bytes(fs.context.buffer)


def read_image(image: bytes) -> dict[str, bytes]:
    """The files of a littlefs, by absolute path; raises FileSystemError."""
    fs = LittleFS(block_size=SECTOR, block_count=len(image) // SECTOR, mount=False)
    fs.context.buffer = bytearray(image)
    files = {}
    try:
        fs.mount()
        for folder, _, names in fs.walk("/"):
            for name in names:
                path = f"{folder.rstrip('/')}/{name}"
                with fs.open(path, "rb") as file:
                    files[path] = file.read()
    except LittleFSError as error:
        raise FileSystemError(f"the board's file system cannot be read: {error}") from None
    return files


@dataclass(frozen=True)
class FlashTiming:
    """How long the chip is busy, in milliseconds; the typical times of a Pico's W25Q16JV.

    erase: a sector of 4 KiB. block_erase: 64 KiB. program: a page of 256 octets.
    """

    erase: float = 45.0
    block_erase: float = 150.0
    program: float = 0.4

    @classmethod
    def worst(cls) -> FlashTiming:
        """The longest times that the data sheet allows."""
        return cls(erase=400.0, block_erase=2000.0, program=3.0)

    @classmethod
    def none(cls) -> FlashTiming:
        """The emulator's own chip, which is ready at once."""
        return cls(0.0, 0.0, 0.0)


@dataclass
class _Work:
    """What the chip is busy with. before: the octets there, and how they are changed."""

    start: int
    before: bytes
    after: bytes
    begin: float
    end: float


class FlashChip:
    """Time, wear and power cuts of the flash chip behind the emulator's SSI block.

    stall(ns): called when the processor has to wait. unique_id: 8 octets, what
    `machine.unique_id()` gives (the emulator's own chip does not know the command).
    Counters: erased, programmed (sectors, pages); erased_at: sectors by offset, for wear.
    """

    def __init__(
        self,
        mcu: RP2040,
        timing: FlashTiming,
        unique_id: bytes,
        rng: random.Random,
        stall: Callable[[float], None],
    ) -> None:
        if len(unique_id) != 8:
            raise ValueError(f"a unique id has 8 octets, not {len(unique_id)}")
        self.timing = timing
        self.unique_id = unique_id
        self.erased = 0
        self.programmed = 0
        self.erased_at: dict[int, int] = {}
        self._mcu = mcu
        self._ssi = mcu.ssi
        self._rng = rng
        self._stall = stall
        self._work: _Work | None = None
        # The chip is framed by its select line; these two are what the emulator calls for a
        # complete command and for each octet that is exchanged.
        self._apply = mcu.ssi._apply_command
        self._shift = mcu.ssi._shift_byte
        mcu.ssi._apply_command = self._command  # type: ignore[method-assign]
        mcu.ssi._shift_byte = self._exchange  # type: ignore[assignment, method-assign]

    @property
    def busy(self) -> bool:
        return self._work is not None and self._mcu.clock.nanos < self._work.end

    def _exchange(self, octet: int) -> int:
        answer = self._shift(octet)
        buffer = self._ssi._tx_buffer
        if buffer[0] == _READ_UNIQUE_ID and 5 <= len(buffer) - 1 < 13:
            return self.unique_id[len(buffer) - 6]
        return answer

    def _command(self) -> None:
        buffer = bytes(self._ssi._tx_buffer)
        enabled = self._ssi._write_enabled
        if not enabled or len(buffer) < 4:
            self._apply()
            return
        address = int.from_bytes(buffer[1:4], "big")
        if buffer[0] == _SECTOR_ERASE:
            size, ms = SECTOR, self.timing.erase
        elif buffer[0] == _BLOCK_ERASE:
            size, ms = _BLOCK, self.timing.block_erase
        elif buffer[0] == _PAGE_PROGRAM:
            size, ms = PAGE, self.timing.program
        else:
            self._apply()
            return
        start = address & ~(size - 1)
        before = bytes(self._mcu.flash[start : start + size])
        self._apply()
        if buffer[0] == _PAGE_PROGRAM:
            self.programmed += 1
        else:
            for sector in range(start, start + size, SECTOR):
                self.erased += 1
                self.erased_at[sector] = self.erased_at.get(sector, 0) + 1
        now = self._mcu.clock.nanos
        nanos = round(ms * 1e6)
        after = bytes(self._mcu.flash[start : start + size])
        self._work = _Work(start, before, after, now, now + nanos)
        if nanos:
            self._stall(nanos)

    def power_cut(self) -> bool:
        """The power fails now. Returns whether it tore something.

        Of the bits that were to change, as many have changed as of the time has passed; which of
        them, the seed decides.
        """
        work, self._work = self._work, None
        now = self._mcu.clock.nanos
        if work is None or now >= work.end:
            return False
        done = (now - work.begin) / (work.end - work.begin)
        torn = bytearray(work.before)
        for n, (before, after) in enumerate(zip(work.before, work.after, strict=True)):
            change = before ^ after
            for bit in range(8):
                if change >> bit & 1 and self._rng.random() < done:
                    torn[n] ^= 1 << bit
        self._mcu.flash[work.start : work.start + len(torn)] = bytes(torn)
        return True
