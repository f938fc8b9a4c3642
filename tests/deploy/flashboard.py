"""A board for the tests of deploy and provision: MicroPython with a flash, on a port of its own.

The interpreter is the 32-bit unix port, its flash a littlefs or a FAT in a file, its console the
raw REPL at the end of a pty. A reset is a new process. It can lose its power at any write of its
flash, and the cable can be pulled after any number of octets.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from microwamp_rig import micropython, process
from microwamp_rig.pty import Pty

DEVICE = Path(__file__).with_name("flashboard_device.py")
RESET, POWER_CUT = 3, 4
_SIGINT = 1 << signal.SIGINT - 1  # in a set of signals
SIZE = 256 * 4096


class FlashBoard:
    """port: what the host opens. text: all that the board printed. starts: of the interpreter.

    cut: the write of the flash at which the power fails. bite: the one at which a watchdog resets
    the board, once. pull: octets from the host after which the cable is pulled. dog_s: how long
    after a WDT was made it resets the board. constant: the random generator repeats itself.
    powered: whether it still runs. kind: "unix" for the 64-bit interpreter, which has TLS.
    system: "littlefs" or "fat".
    """

    def __init__(
        self,
        flash: Path,
        *,
        cut: int = 0,
        bite: int = 0,
        pull: int = 0,
        dog_s: float = 0.0,
        constant: bool = False,
        kind: str = "unix32",
        system: str = "littlefs",
    ) -> None:
        if not flash.exists():
            flash.write_bytes(b"\xff" * SIZE)
        self.text = ""
        self.starts = 0
        self.powered = False
        self.pulled = False
        self.octets = 0
        self._flash = flash
        self._cut = cut
        self._bite = bite
        self._pull = pull
        self._dog_s = dog_s
        self._constant = constant
        self._command = [*micropython.command(kind, "400k"), str(DEVICE), str(flash), system]
        self._pty = Pty()
        self.port = self._pty.path
        self._child: subprocess.Popen[bytes] | None = None
        self._stop, self._stopped = os.pipe()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        # A process on its way from fork to exec holds what is open here, a port's lock too.
        self._started.wait(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Power off."""
        os.write(self._stopped, b"x")
        self._thread.join(60)
        self._pty.close()
        os.close(self._stop)
        os.close(self._stopped)

    @property
    def over(self) -> bool:
        """Whether its power has failed: the port is gone for good."""
        return not self._thread.is_alive()

    def wait(self, text: str, limit_s: float = 60.0) -> None:
        """Until the board has printed a text."""
        end = time.monotonic() + limit_s
        while text not in self.text:
            assert time.monotonic() < end, f"no {text!r} in:\n{self.text[-2000:]}"
            time.sleep(0.01)

    def _run(self) -> None:
        while True:
            end = self._cut or self._bite
            self._child = child = process.start(
                [*self._command, *([str(end)] if end else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                env={"CONSTANT": "1"} if self._constant else {},
            )
            self.starts += 1
            self.powered = True
            self._started.set()
            ended = self._pump(child)
            child.kill()
            status = child.wait()
            self.powered = False
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
            if status == POWER_CUT and self._bite:
                self._bite, status = 0, RESET
            if ended or status not in (RESET, -signal.SIGKILL):
                self._pty.close()  # USB: the port goes with the power
                break

    def _pump(self, child: subprocess.Popen[bytes]) -> bool:
        """Carry octets until the child ends (False) or we are closed (True)."""
        assert child.stdin is not None and child.stdout is not None
        bite: float | None = None
        heard = False  # a signal before that would meet no interpreter
        out, into = child.stdout.fileno(), child.stdin.fileno()
        while True:
            left = None if bite is None else max(bite - time.monotonic(), 0)
            ready, _, _ = select.select([out, self._stop, self._pty.fd], [], [], left)
            if not ready:
                child.kill()  # the watchdog, which nobody feeds
                return False
            if self._stop in ready:
                return True
            if out in ready:
                octets = os.read(out, 65536)
                if not octets:
                    return False
                heard = True
                if self._dog_s and b"WDT" in octets:
                    bite = time.monotonic() + self._dog_s
                self.text += octets.decode("utf-8", "replace")
                if not self.pulled:
                    self._say(octets)
            if self._pty.fd in ready:
                octets = os.read(self._pty.fd, 65536)
                if self._pull and self.octets + len(octets) >= self._pull:
                    octets = octets[: max(self._pull - self.octets, 0)]
                    self.pulled = True
                self.octets += len(octets)
                if b"\x03" in octets and heard:
                    _interrupt(child)  # what follows is for the prompt, as on a slow line
                try:
                    os.write(into, octets.replace(b"\x03", b""))
                except OSError:
                    return False
                if self.pulled:
                    # The port hangs up for the host; the board goes on without it.
                    self._pty.close()
                    return self._alone(child)

    def _alone(self, child: subprocess.Popen[bytes]) -> bool:
        """The cable is out: the board runs on until we are closed."""
        select.select([self._stop], [], [])
        return True

    def _say(self, octets: bytes) -> None:
        view = memoryview(octets)
        while view:
            try:
                view = view[os.write(self._pty.fd, view) :]
            except BlockingIOError:
                if select.select([self._stop], [], [], 0.01)[0]:
                    return


def _interrupt(child: subprocess.Popen[bytes]) -> None:
    """Ctrl-C at a moment when it does no harm, and wait until it was taken.

    The port raises KeyboardInterrupt in its signal handler, whatever it is doing: in the middle
    of a collection the heap stays locked, and the interpreter ends.
    """
    _settle(child)
    child.send_signal(signal.SIGINT)
    _settle(child)


def _settle(child: subprocess.Popen[bytes]) -> None:
    """Until a process waits for something, or has computed for 50 ms: it is in a loop then."""
    begin = None
    while child.poll() is None:
        status = Path(f"/proc/{child.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        pending = (int(fields["ShdPnd"], 16) | int(fields["SigPnd"], 16)) & _SIGINT
        stat = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(stat[11]) + int(stat[12])
        begin = ticks if begin is None else begin
        if not pending and (stat[0] == "S" or ticks - begin >= 5):
            return
        time.sleep(0.002)


def files(flash: Path) -> dict[str, bytes]:
    """What is on a flash image."""
    from microwamp_rig.rp2040.flash import read_image

    return read_image(flash.read_bytes())
