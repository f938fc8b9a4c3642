"""What a service says to systemd, by the datagrams of sd_notify(3), and what it gets from it."""

import array
import os
import select
import socket
from collections.abc import Iterable, MutableMapping
from typing import Final

_FIRST: Final = 3  # SD_LISTEN_FDS_START
_BARRIER_S: Final = 5.0


class Notify:
    """Says how the service is; says nothing where nobody wants to know.

    address: path of the datagram socket, "@" first for an abstract one.
    """

    def __init__(self, address: str = "") -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    @property
    def there(self) -> bool:
        """Whether somebody listens."""
        return self._socket is not None

    def send(self, *lines: str, fds: Iterable[int] = ()) -> bool:
        """Send one datagram; False where it did not get through, which is no reason to end."""
        if self._socket is None:
            return False
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        try:
            self._socket.sendmsg(
                ["\n".join(lines).encode()],
                ancillary if ancillary[0][2] else [],
                0,
                self._address,
            )
        except OSError:
            return False
        return True

    def store(self, name: str, fd: int) -> bool:
        """Give a descriptor into systemd's keeping."""
        return self.send("FDSTORE=1", f"FDNAME={name}", fds=[fd])

    def remove(self, name: str) -> bool:
        """It need not be kept any more."""
        return self.send("FDSTOREREMOVE=1", f"FDNAME={name}")

    def barrier(self) -> bool:
        """Wait until all that was sent has been read; blocks, 5 s at most."""
        reader, writer = os.pipe()
        try:
            if not self.send("BARRIER=1", fds=[writer]):
                return False
            os.close(writer)
            writer = -1
            poll = select.poll()
            poll.register(reader, 0)  # POLLHUP comes unasked, when the last writer is closed
            return bool(poll.poll(_BARRIER_S * 1000))
        finally:
            os.close(reader)
            if writer >= 0:
                os.close(writer)


def descriptors(environment: MutableMapping[str, str]) -> dict[str, int]:
    """The descriptors that were passed to this process, by name; the variables that told of them
    are taken away, and children do not inherit them."""
    pid = environment.pop("LISTEN_PID", "")
    count = environment.pop("LISTEN_FDS", "")
    names = environment.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not count.isdigit():
        return {}
    found = {}
    for i in range(int(count)):
        os.set_inheritable(_FIRST + i, False)
        found[names[i] if i < len(names) else f"unknown-{i}"] = _FIRST + i
    return found


def watchdog_s(environment: MutableMapping[str, str]) -> float:
    """How often the watchdog wants to hear of us: half of its time; 0 for never."""
    usec = environment.get("WATCHDOG_USEC", "")
    pid = environment.get("WATCHDOG_PID", "")
    if not usec.isdigit() or pid not in ("", str(os.getpid())):
        return 0.0
    return int(usec) / 2e6
