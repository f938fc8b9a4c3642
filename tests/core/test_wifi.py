"""The Wi-Fi layer, with a `network` module that stands in for a board's radio: the real one is on
boards only, and no access point can be made to fail in these ways at will."""

import sys

from script import Router, Scripted, fails, until

from wamp.errors import ConfigurationError, TransportError


class Radio:
    """What `network.WLAN(network.STA_IF)` gives. script: what each poll of status() says; the
    last goes on; 3 is a connection."""

    script = (1, 3)
    rssi = None
    calls = []
    error = None

    def __init__(self, interface):
        assert interface == 0
        self._at = 0
        self._joining = False

    def active(self, on):
        self.calls.append(("active", on))
        if self.error is not None:
            raise self.error

    def connect(self, name, password):
        self.calls.append(("connect", name, password))
        self._at = 0
        self._joining = True

    def disconnect(self):
        self.calls.append(("disconnect",))
        self._joining = False

    def isconnected(self):
        return self._joining and self.script[self._at] == 3

    def status(self, what=None):
        if what == "rssi":
            if self.rssi is None:
                raise ValueError("unknown status param")
            return self.rssi
        found = self.script[self._at]
        if self._at < len(self.script) - 1:
            self._at += 1
        return found


class Network:
    STA_IF = 0
    WLAN = Radio

    @staticmethod
    def hostname(name):
        Radio.calls.append(("hostname", name))


class Time:
    """In place of ntptime."""

    host = None
    asked = []
    error = None

    @classmethod
    def settime(cls):
        cls.asked.append(cls.host)
        if cls.error is not None:
            raise cls.error


sys.modules["network"] = Network
sys.modules["ntptime"] = Time

from wamp import wifi  # noqa: E402


class Clock:
    """In place of `time` in wamp.wifi: a year."""

    def __init__(self, year):
        self.year = year

    def gmtime(self):
        return (self.year, 1, 1, 0, 0, 0, 0, 0)


def radio(script, rssi=None, error=None):
    Radio.script = script
    Radio.rssi = rssi
    Radio.error = error
    del Radio.calls[:]
    del Time.asked[:]
    Time.error = None
    wifi._POLL_MS = 1
    wifi.time = Clock(2026)


async def test_connects_once():
    radio((1, 2, 3))
    layer = wifi.Wifi("home", "secret!", hostname="pico")
    await layer.up()
    assert Radio.calls == [
        ("hostname", "pico"),
        ("active", True),
        ("disconnect",),
        ("connect", "home", "secret!"),
    ]
    await layer.up()
    assert len(Radio.calls) == 4 and layer.connections == 1
    # The access point went away meanwhile.
    layer._wlan.disconnect()
    await layer.up()
    assert layer.connections == 2
    layer.down()
    assert Radio.calls[-1] == ("active", False)


# What status() says, the strength of a signal, words of the error
FAILURES = (
    ((1, -3), None, "refuses the password"),
    ((202,), None, "refuses the password"),
    ((1, 204), None, "refuses the password"),
    ((-2,), None, "no network of this name"),
    ((201,), None, "no network of this name"),
    ((1, 2), None, "no answer from DHCP"),
    ((1001,), -60, "no answer from DHCP"),
    ((1001,), None, "no connection within 30 ms"),
)


async def test_failures_in_words():
    for script, rssi, words in FAILURES:
        radio(script, rssi)
        layer = wifi.Wifi("home", "secret!", timeout_ms=30)
        error = await fails(TransportError, layer.up())
        assert words in str(error) and "Wi-Fi home" in str(error), (script, error)
        assert "secret!" not in str(error)
        assert Radio.calls[-1] == ("disconnect",)
        # And then it is there.
        Radio.script = (1, 3)
        await layer.up()


async def test_a_radio_that_fails():
    radio((3,), error=OSError("Wifi Internal Error"))
    error = await fails(TransportError, wifi.Wifi("home", "x").up())
    assert "Wifi Internal Error" in str(error)


async def test_a_password_refused_for_a_moment():
    radio((1, 204, 204, 1, 3))
    await wifi.Wifi("home", "x").up()


async def test_the_clock():
    for year, asked in ((2026, 0), (2021, 1), (2000, 1)):
        radio((3,))
        wifi.time = Clock(year)
        await wifi.Wifi("home", "x").up()
        assert Time.asked == ["pool.ntp.org"] * asked
        await wifi.Wifi("home", "x", ntp=None).up()
        assert len(Time.asked) == asked
    # A time server that does not answer keeps nobody away.
    radio((3,))
    wifi.time = Clock(2021)
    Time.error = OSError(110)
    await wifi.Wifi("home", "x", ntp="10.0.0.1").up()
    assert Time.asked == ["10.0.0.1"] * 3


async def test_the_clock_over_any_network():
    for year, asked in ((2026, 0), (2021, 1)):
        radio((3,))
        wifi.time = Clock(year)
        await wifi.set_clock("10.0.0.1")
        assert Time.asked == ["10.0.0.1"] * asked
    radio((3,))
    wifi.time = Clock(2021)
    Time.error = ValueError("buffer too small")  # half an answer
    await wifi.set_clock("10.0.0.1")
    assert len(Time.asked) == 3
    del sys.modules["ntptime"]  # a firmware without it
    try:
        await wifi.set_clock("10.0.0.1")
    finally:
        sys.modules["ntptime"] = Time
    assert len(Time.asked) == 3


async def test_no_radio():
    """A firmware without `network`, or with one for other networks."""
    for there in (None, Time):
        if there is None:
            del sys.modules["network"]
        else:
            sys.modules["network"] = there
        try:
            error = await fails(ConfigurationError, wifi.Wifi("home", "x").up())
        finally:
            sys.modules["network"] = Network
        assert "has no Wi-Fi" in str(error)


async def test_under_a_client():
    radio((1, -2))
    layer = wifi.Wifi("home", "x", timeout_ms=5)
    router = Router()
    async with Scripted(router, join=False, network=layer.up) as client:
        client.start()
        await until(lambda: client.failures >= 2)
        assert "no network of this name" in str(client.error)
        assert router.transports[0].opens == 0
        Radio.script = (1, 3)
        await client.join()
