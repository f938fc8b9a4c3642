"""The bridge: splices the RawSocket octets of devices on serial ports to a router.

It has no key and cannot log in for a device; what it can and cannot do stands in SECURITY.md.
"""

import asyncio
import ssl
from collections.abc import Sequence

from wamp.errors import ConfigurationError
from wamp.transport import make

from .device import Device, Report

__all__ = ["Bridge", "Device", "Report"]


class Bridge:
    """Serves a number of ports with one router; each device gets a connection of its own.

    ports: ttys, ptys or pyserial URLs. router: rs://host:port, rss://host:port (the certificate is
    verified; tls overrides how) or rs://unix:/path. Raises ConfigurationError.
    """

    def __init__(
        self,
        ports: Sequence[str],
        router: str,
        report: Report,
        *,
        baud: int = 115200,
        tls: ssl.SSLContext | None = None,
        console: str = "out",
        lost_ms: int = 10000,
    ) -> None:
        if not ports:
            raise ConfigurationError("no port to serve")
        if len(set(ports)) < len(ports):
            raise ConfigurationError("a port is named twice")
        if router.startswith("serial:"):
            raise ConfigurationError(f"{router}: the router's URL is rs://, rss:// or rs://unix:")
        make(router, **({"ssl": tls} if router.startswith("rss://") else {}))
        self.devices = [
            Device(p, router, report, baud=baud, tls=tls, console=console, lost_ms=lost_ms)
            for p in ports
        ]

    async def run(self) -> None:
        """Serve until cancelled."""
        await asyncio.gather(*(device.run() for device in self.devices))

    async def stop(self) -> None:
        """Tell all devices, and close the ports."""
        await asyncio.gather(*(device.stop() for device in self.devices))
