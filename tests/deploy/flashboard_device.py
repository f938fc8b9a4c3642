"""A board on the 32-bit unix port: littlefs in a file for its flash, a raw REPL for its prompt.

Run by flashboard.py with MicroPython: FLASH littlefs|fat [CUT]. Standard input and output are its
console. After CUT writes of the flash the power fails, with the last of them half done.
"""

import gc
import io
import os
import sys

import machine as _machine
import micropython as _micropython
import vfs

# Exit status: what the harness does next.
RESET, POWER_CUT = 3, 4

_fat = sys.argv[2] == "fat"
_cut = int(sys.argv[3]) if len(sys.argv) > 3 else -1
_BLOCK = 512 if _fat else 4096


class Flash:
    """1 MiB: blocks of 4 KiB, or sectors of 512 octets."""

    def __init__(self, path):
        self.file = open(path, "r+b")
        self.writes = 0
        self.powered = True

    def readblocks(self, n, buffer, offset=0):
        self.file.seek(n * _BLOCK + offset)
        self.file.readinto(buffer)

    def writeblocks(self, n, buffer, offset=0):
        self.writes += 1
        self.file.seek(n * _BLOCK + offset)
        if self.writes == _cut:
            self.file.write(memoryview(buffer)[: len(buffer) // 2])
            self.file.flush()
            self.powered = False
        if not self.powered:
            os_exit(POWER_CUT)  # again, where a `with` on the way out closes a file
        self.file.write(buffer)
        self.file.flush()

    def ioctl(self, op, argument):
        # Nothing is allocated: a collection may be what closes a file.
        if op == 4:
            return 1048576 // _BLOCK
        return _BLOCK if op == 5 else 0


def os_exit(status):
    sys.exit(status)


class Dog:
    """A watchdog that only tells."""

    def __init__(self, id=0, timeout=5000):
        print("WDT", timeout)
        self.fed = 0

    def feed(self):
        self.fed += 1
        if self.fed == 3:
            print("WDT fed")


class Machine:
    """What the unix port's `machine` lacks."""

    WDT = Dog
    mem32 = _machine.mem32

    @staticmethod
    def reset():
        os_exit(RESET)

    @staticmethod
    def unique_id():
        return b"flashbrd"

    @staticmethod
    def reset_cause():
        return 1


class Os:
    """A random generator that repeats itself."""

    urandom = staticmethod(lambda count: b"*" * count)

    def __getattr__(self, name):
        return getattr(os, name)


class Micropython:
    """Ctrl-C is a signal here, so it cannot be switched off by number."""

    const = staticmethod(lambda value: value)

    @staticmethod
    def kbd_intr(number):
        pass

    def __getattr__(self, name):
        return getattr(_micropython, name)


def mount(path):
    flash = Flash(path)
    system = vfs.VfsFat if _fat else vfs.VfsLfs2
    vfs.umount("/")
    try:
        vfs.mount(system(flash), "/")
    except OSError:
        system.mkfs(flash)
        vfs.mount(system(flash), "/")
    os.chdir("/")


def run(code, name):
    scope = {"__name__": "__main__"}
    try:
        exec(compile(code, name, "exec"), scope)
        return scope, ""
    except SystemExit:
        raise
    except BaseException as error:
        text = io.StringIO()
        sys.print_exception(error, text)
        return scope, text.getvalue()


def boot():
    sys.path[:] = ["", ".frozen", "/lib"]
    sys.modules["machine"] = Machine
    sys.modules["micropython"] = Micropython()
    if os.getenv("CONSTANT"):
        sys.modules["os"] = Os()
    sys.stdout.write("power on\n")  # from here on Ctrl-C is a signal
    for name in ("/boot.py", "/main.py"):
        try:
            with open(name) as file:
                code = file.read()
        except OSError:
            continue
        failed = run(code, name)[1]
        if failed:
            sys.stdout.write(failed)


def main():
    mount(sys.argv[1])
    steps = [boot, greet]
    # Signals come in pairs, and one in a handler below goes up: twice, so that nothing ends it.
    while True:
        try:
            while True:
                try:
                    while steps:
                        steps.pop(0)()
                    prompt()
                except KeyboardInterrupt:
                    pass
        except KeyboardInterrupt:
            pass


def greet():
    sys.stdout.write("MicroPython on a flash of its own\n>>> ")


def prompt():
    raw = False
    scope = {"__name__": "__main__"}
    console = sys.stdin.buffer
    line = b""
    while True:
        try:
            octet = console.read(1)
            if not octet:
                os_exit(0)
            if octet == b"\x01":
                raw = True
                sys.stdout.write("raw REPL; CTRL-B to exit\r\n>")
                line = b""
            elif octet == b"\x02":
                raw = False
                sys.stdout.write("\r\n>>> ")
                line = b""
            elif octet == b"\x05" and raw and not line:
                console.read(2)
                sys.stdout.write("R\x00")
            elif octet == b"\x04" and raw:
                sys.stdout.write("OK")
                failed = ""
                try:
                    exec(compile(line, "<stdin>", "exec"), scope)
                except SystemExit:
                    raise
                except BaseException as error:
                    text = io.StringIO()
                    sys.print_exception(error, text)
                    failed = text.getvalue()
                sys.stdout.write("\x04" + failed + "\x04>")
                line = b""
                gc.collect()
            elif octet != b"\x03":
                line += octet
        except KeyboardInterrupt:
            line = b""


main()
