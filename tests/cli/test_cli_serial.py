"""The commands on a serial line, through the bridge."""

from __future__ import annotations

from commands import Running, microwamp

from microwamp_rig.pty import Pty


def test_commands_through_the_bridge(url: str, echo: str):
    line = Pty()
    try:
        where = ["--url", f"serial:fd/{line.fd}"]
        with Running("bridge", line.path, "--router", url) as bridge:
            bridge.wait("open")
            found = microwamp("call", echo, "x" * 5000, "@hex:00ff", *where, fds=[line.fd])
            assert found == (0, f'"{"x" * 5000}"\n@hex:00ff\n', "")
            found = microwamp("call", "com.example.nobody", *where, fds=[line.fd])
            assert found.status == 1 and "wamp.error.no_such_procedure" in found.err
            found = microwamp(
                "subscribe", "com.serial.x", "--duration", "0.2", *where, fds=[line.fd]
            )
            assert (found.status, found.out) == (0, "")
            assert bridge.stop().status == 0
        found = microwamp("call", echo, "--timeout", "0.5", *where, fds=[line.fd])
        assert found.status == 5 and "is a bridge running" in found.err
        assert found.err.count("\n") == 1
    finally:
        line.close()
