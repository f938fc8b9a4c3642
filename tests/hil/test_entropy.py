"""Keys are made on a board with a generator that works, and refused on one whose is constant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from microwamp_rig.rp2040 import Machine

pytestmark = [pytest.mark.hil_smoke, pytest.mark.emulated]

PROGRAM = """
from wamp import keys, errors
try:
    for entropy in (b"", b"from the host"):
        print(keys.new_seed(entropy).hex())
except errors.ConfigurationError as error:
    print("refused:", error)
print("done")
"""


def printed(machine: Machine) -> list[str]:
    text = bytearray()

    def take(octets: bytes) -> None:
        text.extend(octets)
        machine.stop()

    machine.console.on_data = take
    machine.power_on()
    assert machine.run_until(lambda: b"done" in text, 3000), text
    return text.decode().splitlines()


def test_new_keys_differ(rp2040_machine: Callable[..., Machine]) -> None:
    one = printed(rp2040_machine(files={"main.py": PROGRAM}))
    other = printed(rp2040_machine(files={"main.py": PROGRAM}, seed=1001))
    assert [len(line) for line in one] == [64, 64, 4]
    assert len({*one[:2], *other[:2]}) == 4


def test_constant_generator_is_refused(rp2040_machine: Callable[..., Machine]) -> None:
    machine = rp2040_machine(files={"main.py": PROGRAM}, entropy="stock")
    lines = printed(machine)
    assert lines[0].startswith("refused: this system's random generator (os.urandom) repeats")
