"""Reads a FAT12 or FAT16 image, and checks that no block belongs to two files or to none."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_LONG, _VOLUME, _FOLDER = 0x0F, 0x08, 0x10
_ENTRY = 32


class Damaged(AssertionError):
    """Two names of the same blocks, or a file in blocks that are free."""


class FatImage:
    """files: what is there, by path; `Damaged` where that is not sound."""

    def __init__(self, image: bytes) -> None:
        self._image = image
        start = struct.unpack_from("<I", image, 446 + 8)[0] if image[446 + 4] else 0
        self._begin = begin = start * 512
        fields: tuple[int, ...] = struct.unpack_from("<HBHBH", image, begin + 11)
        self._sector, self._cluster, reserved, tables, roots = fields
        small, table = struct.unpack_from("<H1xH", image, begin + 19)
        total = small or struct.unpack_from("<I", image, begin + 32)[0]
        self._table = begin + reserved * self._sector
        root = self._table + tables * table * self._sector
        self._data = root + roots * _ENTRY
        clusters = (begin + total * self._sector - self._data) // self._size
        self._twelve = clusters < 4085
        self._owners: dict[int, str] = {}
        self.files: dict[str, bytes] = {}
        self._folder("", image[root : self._data])

    @property
    def _size(self) -> int:
        return self._sector * self._cluster

    def _next(self, cluster: int) -> int:
        """What the table says of a cluster; 0x1000 and more at a file's end."""
        if not self._twelve:
            found = struct.unpack_from("<H", self._image, self._table + 2 * cluster)[0]
            return 0x10000 if found >= 0xFFF8 else int(found)
        word = struct.unpack_from("<H", self._image, self._table + cluster * 3 // 2)[0]
        found = int(word >> 4 if cluster & 1 else word & 0xFFF)
        return 0x1000 if found >= 0xFF8 else found

    def _chain(self, path: str, cluster: int) -> Iterator[bytes]:
        while cluster < 0x1000:
            if cluster < 2:
                raise Damaged(f"{path} goes on in blocks that are free")
            if cluster in self._owners:
                raise Damaged(f"{path} has blocks of {self._owners[cluster]}")
            self._owners[cluster] = path
            at = self._data + (cluster - 2) * self._size
            yield self._image[at : at + self._size]
            cluster = self._next(cluster)

    def _folder(self, path: str, octets: bytes) -> None:
        long = ""
        for at in range(0, len(octets), _ENTRY):
            entry = octets[at : at + _ENTRY]
            if not entry[0]:
                break
            if entry[0] == 0xE5:
                long = ""
            elif entry[11] == _LONG:
                part = (entry[1:11] + entry[14:26] + entry[28:32]).decode("utf-16-le")
                long = part.partition("\0")[0] + long
            else:
                if not entry[11] & _VOLUME and entry[0] != 0x2E:
                    self._entry(f"{path}/{long or _short(entry)}", entry)
                long = ""

    def _entry(self, path: str, entry: bytes) -> None:
        first, size = struct.unpack_from("<HI", entry, 26)
        octets = b"".join(self._chain(path, first)) if first else b""
        if entry[11] & _FOLDER:
            self._folder(path, octets)
        elif len(octets) < size:
            raise Damaged(f"{path} is cut off")
        else:
            self.files[path] = octets[:size]


def _short(entry: bytes) -> str:
    """A name of 8 and 3 letters; the two bits that make each part a small one."""
    name, end = entry[:8].decode("ascii").rstrip(), entry[8:11].decode("ascii").rstrip()
    name = name.lower() if entry[12] & 0x08 else name
    end = end.lower() if entry[12] & 0x10 else end
    return f"{name}.{end}" if end else name
