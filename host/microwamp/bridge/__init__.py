"""The bridge: splices the RawSocket octets of devices on serial ports to a router.

It has no key and cannot log in for a device; what it can and cannot do stands in SECURITY.md, how
to run it in docs/bridge.md.
"""

from .config import BridgeConfig, Discover, Limits, PortConfig
from .device import Device, Report
from .manager import Bridge

__all__ = ["Bridge", "BridgeConfig", "Device", "Discover", "Limits", "PortConfig", "Report"]
