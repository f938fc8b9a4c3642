"""The board's clock is set from the bridge's time once, and never when somebody has set it."""

from microwamp_rig.rp2040.machine import Machine

PROGRAM = """
import time
from wamp._clock import set_clock
print("before", time.gmtime()[:6])
set_clock(1767225605)
print("set", time.gmtime()[:6])
set_clock(1)
print("kept", time.gmtime()[:5])
"""


def test_clock_that_was_never_set():
    heard = bytearray()
    machine = Machine(files={"main.py": PROGRAM})
    machine.console.on_data = heard.extend
    machine.power_on()
    machine.run(300)
    lines = heard.decode().splitlines()
    assert "before (2021, 1, 1, 0, 0, 0)" in lines
    assert "set (2026, 1, 1, 0, 0, 5)" in lines
    assert "kept (2026, 1, 1, 0, 0)" in lines
