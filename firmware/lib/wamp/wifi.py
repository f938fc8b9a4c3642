"""Wi-Fi, as a layer below the client: `Client(url, network=Wifi("name", "password").up)`.

For ports of MicroPython with a `network` module that has WLAN. The client awaits `up` before each
connection, so a lost access point is found again. Imported where it is used. Part of the I/O edge.
"""

import time

from ._port import sleep_ms, ticks
from .errors import ConfigurationError, TransportError

# Status of WLAN.status(), by the port: CYW43 (RP2), ESP32, ESP8266.
_WRONG_PASSWORD = (-3, 202, 204, 15)
_NO_SUCH_NETWORK = (-2, 201, 210, 211, 212)
_NO_ADDRESS = (2,)  # CYW43: associated, DHCP has not answered

_POLL_MS = 100


class Wifi:
    """A station's connection.

    timeout_ms: for association and DHCP together. ntp: host of a time server that is asked while
    the clock was never set (TLS needs it); None asks nobody. hostname: told to DHCP.
    """

    def __init__(self, name, password, timeout_ms=20000, ntp="pool.ntp.org", hostname=None):
        self.name = name
        self.timeout_ms = timeout_ms
        self.ntp = ntp
        self.connections = 0
        self._password = password
        self._hostname = hostname
        self._wlan = None

    async def up(self):
        """Return once there is a connection with an address; raises TransportError.

        ConfigurationError: there is no radio.
        """
        wlan = self._wlan
        if wlan is None:
            try:
                import network

                kind = network.WLAN
            except (ImportError, AttributeError):
                raise ConfigurationError("this board, or its firmware, has no Wi-Fi")
            if self._hostname is not None:
                network.hostname(self._hostname)
            self._wlan = wlan = kind(network.STA_IF)
        if not wlan.isconnected():
            try:
                wlan.active(True)
                wlan.disconnect()
                wlan.connect(self.name, self._password)
                await self._connected(wlan)
            except OSError as e:
                raise TransportError("Wi-Fi %s: %s" % (self.name, e))
            self.connections += 1
        if self.ntp is not None:
            await set_clock(self.ntp)

    async def _connected(self, wlan):
        begin = ticks()
        refused = 0
        while not wlan.isconnected():
            status = wlan.status()
            if status in _WRONG_PASSWORD:
                # An access point at the edge of its reach looks the same for a moment.
                refused += 1
                if refused > 10:
                    raise self._error("the access point refuses the password")
            if (ticks() - begin) & 0x3FFFFFFF > self.timeout_ms:
                if status in _NO_SUCH_NETWORK:
                    raise self._error("no network of this name is in reach")
                if status in _NO_ADDRESS or self._associated(wlan):
                    raise self._error("connected, but there is no address: no answer from DHCP")
                raise self._error("no connection within %d ms" % self.timeout_ms)
            await sleep_ms(_POLL_MS)

    def _associated(self, wlan):
        try:
            return wlan.status("rssi") < 0  # a port tells it of a connection only
        except (ValueError, TypeError, OSError):
            return False

    def _error(self, text):
        self._wlan.disconnect()
        return TransportError("Wi-Fi %s: %s" % (self.name, text))

    def down(self):
        """Leave the network."""
        if self._wlan is not None:
            self._wlan.disconnect()
            self._wlan.active(False)


async def set_clock(host):
    """Ask a time server, if the clock was never set; for TLS over any network."""
    if time.gmtime()[0] >= 2025:
        return
    for _ in range(3):
        try:
            import ntptime

            ntptime.host = host
            ntptime.settime()
            return
        except (OSError, ValueError):  # no answer, or none that is one
            await sleep_ms(500)
        except ImportError:
            break
    # No reason to stay away: where the clock matters (TLS) the error names it.
