"""The serial transport, on a line in memory with the acceptor's end of the link behind it."""

import asyncio

from helpers import raises
from script import fails

import wamp.serialcontrol
from wamp import linkframe
from wamp._port import ticks
from wamp.errors import ConfigurationError, TransportError, TransportLost
from wamp.link import CLOSED, OPENED, STREAM
from wamp.linkacceptor import Acceptor
from wamp.serial import SerialTransport
from wamp.serialcontrol import parse


class Line:
    """A port (see wamp._mpports); `heard` is the stream as it came out at the other end."""

    def __init__(self, answer=True, lost_ms=10000):
        self.link = Acceptor(lost_ms=lost_ms)
        self.answer = answer
        self.refuse = None
        self.heard = b""
        self.ended = None
        self.text = b""
        self.broken = None  # "read": it is gone for good; "reopen": it comes back
        self.up = False
        self.reading = False
        self._out = []
        self._event = asyncio.Event()

    async def open(self, url, path, options):
        """In place of wamp.serialcontrol.open_port."""
        self.up = True
        return self

    async def read(self):
        assert not self.reading  # MicroPython has a place for one task that waits
        self.reading = True
        try:
            if not self._out:
                self._event.clear()
                await self._event.wait()
        finally:
            self.reading = False
        if self.broken:
            raise OSError(5)
        return self._out.pop(0) if self._out else b""

    def more(self):
        return b""

    def wake(self):
        self._event.set()

    def write(self, octets):
        if not self.answer:
            return
        for kind, value in self.link.receive(bytes(octets), ticks()):
            if kind == OPENED and self.refuse:
                self.link.refuse(linkframe.NOT_SERVED, self.refuse)
            elif kind == OPENED:
                self.link.accept(77, 1234567890, ticks())
            elif kind == STREAM:
                self.heard += value
            elif kind == CLOSED:
                self.ended = value
        self.pump()

    def pump(self):
        """What the other end has to send."""
        while True:
            octets = self.link.output(ticks())
            if octets is None:
                break
            self._out.append(bytes(octets))
        self._event.set()

    def send(self, octets):
        assert self.link.send(octets) == len(octets)
        self.pump()

    def busy(self):
        return False

    async def drain(self):
        pass

    async def reopen(self):
        if self.broken != "reopen":
            return False
        self.broken = None
        self.up = False
        await asyncio.sleep(0.02)
        self.up = True
        return True

    def console(self, octets):
        self.text += octets

    def close(self):
        self.up = False

    def release(self):
        pass


class On:
    """`async with On(line) as transport`: opened, and closed at the end."""

    def __init__(self, line, url="serial:/dev/line", **options):
        self._line = line
        self._saved = wamp.serialcontrol.open_port, wamp.serialcontrol.OPEN_MS
        wamp.serialcontrol.open_port = line.open
        wamp.serialcontrol.OPEN_MS = 300
        self._transport = SerialTransport(url, **options)

    async def __aenter__(self):
        try:
            await self._transport.open()
        except BaseException:
            await self.__aexit__()
            raise
        return self._transport

    async def __aexit__(self, *_):
        self._transport.close()
        wamp.serialcontrol.open_port, wamp.serialcontrol.OPEN_MS = self._saved
        assert not self._line.up


async def opened(line, **options):
    async with On(line, **options):
        pass


def test_urls():
    for url, path, options in (
        ("serial:/dev/ttyACM0", "/dev/ttyACM0", {"baud": 115200}),
        ("serial:0?tx=0&rx=1&baud=921600", "0", {"baud": 921600, "tx": 0, "rx": 1}),
        ("serial:fd/5?window=1024", "fd/5", {"baud": 115200, "window": 1024}),
    ):
        assert parse(url) == (path, options), url
    for url in (
        "serial:0?bauds=9600",
        "serial:0?baud=fast",
        "serial:0?baud=-1",
        "serial:0?baud",
        "serial:0?baud=",
        "serial:0?baud=299",
        "serial:0?baud=12000001",
        "serial:0?&",
    ):
        assert url in str(raises(ConfigurationError, parse, url)), url


class Esp32:
    platform = "esp32"


def test_an_esp32_is_never_given_the_default_pins_of_a_uart():
    """Those of UART1 are the flash's: using them stops the chip."""
    saved = wamp.serialcontrol.sys
    wamp.serialcontrol.sys = Esp32
    try:
        for url in ("serial:1", "serial:1?tx=17", "serial:2?rx=16&baud=9600"):
            assert "needs tx and rx" in str(raises(ConfigurationError, parse, url)), url
        assert parse("serial:1?tx=33&rx=32")[0] == "1"
        assert parse("serial:/dev/x")[0] == "/dev/x"
    finally:
        wamp.serialcontrol.sys = saved


async def test_both_ways():
    line = Line()
    times = []
    async with On(line, on_utc=times.append) as transport:
        assert times == [1234567890] and not transport.private
        assert transport.details.channel_typeid == "serial-rawsocket-cbor"
        transport.write(b"hello")
        line.send(b"there")
        assert await transport.read() == b"there"
        assert line.heard == b"hello"
        for n in (1, 100, 1000, 4000, 20000):
            line.heard = b""
            transport.write(b"x" * n)
            while len(line.heard) < n:
                await asyncio.wait_for(transport._pull(), 2)
            assert line.heard == b"x" * n, n
        await transport.finish()
        assert line.ended[0] == linkframe.BY_PEER


async def test_nobody_answers():
    error = await fails(TransportError, opened(Line(answer=False)))
    assert "bridge" in str(error) and "115200" in str(error), error


async def test_refused():
    line = Line()
    line.refuse = "this port is for others"
    error = await fails(TransportError, opened(line))
    assert "this port is for others" in str(error), error


async def test_options_that_the_link_refuses():
    for query in ("window=1", "fragment=9999", "lost_ms=1"):
        transport = SerialTransport("serial:/dev/line?" + query)
        await fails(ConfigurationError, transport.open())


async def test_closed_by_the_bridge():
    line = Line()
    async with On(line) as transport:
        line.link.send(b"last words")
        line.link.close(linkframe.BY_ROUTER, "the router closed the connection")
        line.pump()
        assert await transport.read() == b"last words"
        error = await fails(TransportLost, transport.read())
        assert "the router closed the connection" in str(error), error
        raises(TransportLost, transport.write, b"x")


async def test_silence():
    line = Line()
    async with On(line, "serial:/dev/line?lost_ms=200") as transport:
        line.answer = False
        error = await fails(TransportLost, transport.read())
        assert "nothing was heard" in str(error), error


async def test_drain_by_the_one_who_reads():
    # The client's reader itself waits here when a flood of PINGs has filled the line; then nobody
    # else takes in the acknowledgements that make room.
    line = Line()
    async with On(line) as transport:
        line.link.set_window(0)
        line.send(b"x")  # says that there is no room
        await transport.read()
        transport.write(bytes(20000))
        assert transport.backlog() >= 20000 - 4096

        async def make_room():
            await asyncio.sleep(0.01)
            line.link.set_window(4096)
            line.pump()

        task = asyncio.create_task(make_room())
        await asyncio.wait_for(transport.drain(), 3)
        await task
        assert transport.backlog() < 20000


class Never:
    """An alarm that never rings: what is done in time needs none."""

    def within(self, ms):
        pass

    def stop(self):
        pass


async def test_drain_beside_the_one_who_reads():
    """Whoever of the two waits for the line: what comes is for both, and no timer is needed."""
    for first in ("drain", "read"):
        line = Line()
        async with On(line) as transport:
            transport._alarm.stop()
            transport._alarm = Never()
            line.link.set_window(0)
            line.send(b"x")
            assert await transport.read() == b"x"
            transport.write(bytes(20000))
            steps = [transport.drain(), transport.read()]
            if first == "read":
                steps.reverse()
            tasks = []
            for step in steps:
                tasks.append(asyncio.create_task(step))
                await asyncio.sleep(0.01)
            # An acknowledgement, and octets of the stream in the same piece.
            line.link.set_window(4096)
            line.send(b"y")
            found = []
            for task in tasks:
                found.append(await asyncio.wait_for(task, 3))
            assert b"y" in found
            assert transport.backlog() < 20000 and line.heard


async def test_finish_beside_the_one_who_reads():
    """A session's reader goes on until the other end knows that it is over."""
    line = Line()
    async with On(line) as transport:
        transport._alarm.stop()
        transport._alarm = Never()
        reading = asyncio.create_task(fails(TransportLost, transport.read()))
        await asyncio.sleep(0.01)
        await asyncio.wait_for(transport.finish(), 1)
        assert line.ended == (0, "the device left")
        await asyncio.wait_for(reading, 1)


async def test_drain_at_a_loss():
    line = Line()
    async with On(line, "serial:/dev/line?lost_ms=200") as transport:
        line.answer = False
        transport.write(bytes(20000))
        await asyncio.wait_for(transport.drain(), 3)


async def test_finish_writes_what_waits():
    line = Line()
    async with On(line) as transport:
        transport.write(b"x" * 20000)
        begin = ticks()
        await transport.finish()
        assert line.heard == b"x" * 20000, len(line.heard)
        # The line takes it at once: so must this.
        assert (ticks() - begin) & 0x3FFFFFFF < 1000


async def test_line_that_comes_back():
    line = Line()
    async with On(line) as transport:
        line.broken = "reopen"
        line.send(b"after all")
        assert await asyncio.wait_for(transport.read(), 2) == b"after all"
        assert line.up


async def test_closed_by_another_task_while_the_line_is_away():
    """While the reader waits for octets, or for the line to come back: the port stays closed."""
    for broken in ("read", "reopen"):
        line = Line()
        async with On(line) as transport:
            reading = asyncio.create_task(fails(TransportLost, transport.read()))
            await asyncio.sleep(0.01)
            line.broken = broken
            if broken == "reopen":
                line.wake()
                await asyncio.sleep(0.01)
            transport.close()
            line.wake()
            assert "closed" in str(await asyncio.wait_for(reading, 2))
