"""Power cuts at every write of a FAT file system, in RAM. Run by MicroPython with a JSON file:

path: for sys.path. files: what is there first, in hex, by path; names: so many empty files more.
define: code that is run once. act: a statement during which the power fails. ask: an expression,
evaluated when it is back. images: the file that all images go to, one after the other.

For each write at which the power can fail, with that sector as it was or half new, it prints the
answer, as JSON.
"""

import binascii
import json
import sys

import vfs

SECTOR = 512
SECTORS = 80


class Ram:
    """After `cut` writes nothing arrives any more; of the one after them the first half does."""

    def __init__(self, data, cut=-1, torn=False):
        self.data = data
        self.cut = cut
        self.torn = torn
        self.writes = 0

    def readblocks(self, n, buffer):
        buffer[:] = memoryview(self.data)[n * SECTOR : n * SECTOR + len(buffer)]

    def writeblocks(self, n, buffer):
        for at in range(0, len(buffer), SECTOR):
            size = SECTOR
            if self.writes == self.cut and self.torn:
                size //= 2
            elif 0 <= self.cut <= self.writes:
                size = 0
            self.writes += 1
            begin = n * SECTOR + at
            memoryview(self.data)[begin : begin + size] = memoryview(buffer)[at : at + size]

    def ioctl(self, op, argument):
        if op == 4:
            return SECTORS
        return SECTOR if op == 5 else 0


def mount(data, *words):
    ram = Ram(data, *words)
    vfs.mount(vfs.VfsFat(ram), "/")
    return ram


def first(files, names):
    ram = Ram(bytearray(SECTORS * SECTOR))
    vfs.VfsFat.mkfs(ram)
    mount(ram.data)
    for n in range(names):
        open("/F" + str(n), "w").close()
    for path, octets in files.items():
        with open(path, "wb") as file:
            file.write(binascii.unhexlify(octets))
    vfs.umount("/")
    return ram.data


def main():
    with open(sys.argv[1]) as file:
        task = json.load(file)
    sys.path.extend(task["path"])
    scope = {}
    images = open(task["images"], "wb")
    exec(task["define"], scope)
    vfs.umount("/")
    begin = first(task["files"], task["names"])
    for torn in (False, True):
        cut = 0
        while True:
            ram = mount(bytearray(begin), cut, torn)
            try:
                exec(task["act"], scope)
            except Exception:
                pass  # the power is off: what is read back is not what was written
            vfs.umount("/")
            images.write(ram.data)
            mount(bytearray(ram.data))
            print(json.dumps(eval(task["ask"], scope)))
            vfs.umount("/")
            if ram.writes <= cut:
                break
            cut += 1
    images.close()


main()
