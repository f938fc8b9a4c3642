"""What the tests of the emulated RP2040 share: its console and the host's end of its UART."""

from typing import Any

from microwamp_rig.rp2040 import Machine


class Console:
    """What a machine prints."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.text = ""
        machine.console.on_data = self._take

    def _take(self, octets: bytes) -> None:
        self.text += octets.decode()
        self.machine.stop()

    def wait(self, text: str, limit_ms: float = 3000) -> str:
        assert self.machine.run_until(lambda: text in self.text, limit_ms), self.text
        return self.text


def boot(program: str, **options: Any) -> tuple[Machine, Console]:
    machine = Machine(files={"main.py": program}, **options)
    console = Console(machine)
    machine.power_on()
    return machine, console


class Host:
    """The host's end of UART0."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.received = bytearray()
        machine.uarts[0].on_tx = self._take

    def _take(self, octet: int) -> None:
        self.received.append(octet)
        self.machine.stop()

    def wait(self, count: int, limit_ms: float) -> bytes:
        self.machine.run_until(lambda: len(self.received) >= count, limit_ms)
        return bytes(self.received)
