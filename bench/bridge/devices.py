"""A rack of scripted devices: devices.py COUNT; told by lines on stdin, answers in JSON lines.

First it prints the ttys. `join` waits until all have a session. `run RATE SECONDS` publishes 64
octets RATE times a second with each, acknowledged, and prints for each device how many were
answered and the longest time one took, in ms. The end of stdin is its end.
"""

from __future__ import annotations

import heapq
import json
import resource
import select
import sys
import time

from scripted import Device, publish

SIZE = 64
_JOIN_S = 120.0  # a thousand boards, each with a router connection of its own
_TAKE_S = 10.0  # for answers to what was sent last


class Rack:
    """The devices, their timers and one poll."""

    def __init__(self, count: int) -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.devices = [Device(n) for n in range(count)]
        self._numbers = {device.fd: n for n, device in enumerate(self.devices)}
        self._poll = select.epoll()
        self._due: list[tuple[float, int]] = []
        self._at = [float("inf")] * count  # when each is due
        for device in self.devices:
            self._poll.register(device.fd, select.EPOLLIN)
        self.sent: list[list[float]] = [[] for _ in range(count)]  # times, by device
        self.took: list[list[float]] = [[] for _ in range(count)]

    def schedule(self, number: int) -> None:
        """Look after the device when its link wants it."""
        wait = self.devices[number].tick()
        at = time.monotonic() + wait / 1000 if wait >= 0 else float("inf")
        if at < self._at[number]:
            self._at[number] = at
            heapq.heappush(self._due, (at, number))

    def turn(self, until: float) -> None:
        """Wait for something, until then at most, and see to it."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            at, number = heapq.heappop(self._due)
            if at == self._at[number]:
                self._at[number] = float("inf")
                self.schedule(number)
        if self._due:
            until = min(until, self._due[0][0])
        for fd, _ in self._poll.poll(max(until - now, 0.0)):
            number = self._numbers[fd]
            device = self.devices[number]
            device.readable()
            if device.came:
                now = time.monotonic()
                for _ in device.came:
                    self.took[number].append(now - self.sent[number][len(self.took[number])])
                device.came.clear()
            self.schedule(number)

    def join(self) -> None:
        """Connect all, and wait for their sessions."""
        for number, device in enumerate(self.devices):
            device.connect()
            self.schedule(number)
        limit = time.monotonic() + _JOIN_S
        while not all(device.joined for device in self.devices):
            if time.monotonic() > limit:
                missing = sum(not device.joined for device in self.devices)
                raise SystemExit(f"{missing} devices have no session")
            self.turn(time.monotonic() + 0.1)

    def run(self, rate: float, seconds: float) -> dict[str, list[float]]:
        """Publish with all, evenly in time."""
        count = len(self.devices)
        self.sent = [[] for _ in range(count)]
        self.took = [[] for _ in range(count)]
        begin = time.monotonic()
        step = 1 / (rate * count)
        total = int(rate * seconds) * count
        for n in range(total):
            at = begin + n * step
            while time.monotonic() < at:
                self.turn(at)
            number = n % count
            # The time it was to be sent: one that goes out late has waited.
            self.sent[number].append(at)
            self.devices[number].send(publish(n // count, SIZE))
            self.schedule(number)
        limit = time.monotonic() + _TAKE_S
        while sum(map(len, self.took)) < total and time.monotonic() < limit:
            self.turn(time.monotonic() + 0.1)
        return {
            "answered": [len(took) for took in self.took],
            "worst_ms": [round(max(took, default=0.0) * 1000, 2) for took in self.took],
            "median_ms": [round(sorted(took)[len(took) // 2] * 1000, 3) for took in self.took],
            "connections": [device.connections for device in self.devices],
        }


def main() -> None:
    rack = Rack(int(sys.argv[1]))
    print(json.dumps([device.pty.path for device in rack.devices]), flush=True)
    poll = select.poll()
    poll.register(0, select.POLLIN)
    while True:
        while not poll.poll(0):
            rack.turn(time.monotonic() + 0.05)
        words = sys.stdin.readline().split()
        if not words:
            return
        found: object = True
        if words[0] == "join":
            rack.join()
        else:
            found = rack.run(float(words[1]), float(words[2]))
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
