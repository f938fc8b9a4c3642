"""Serial ports on MicroPython: a UART; others in _mpdescriptor and _mpconsole. I/O edge.

What a port is to the serial transport: `await read()` gives octets (possibly none; raises OSError
when the line is gone), `more` what came meanwhile, `write` takes all, keeps what does not fit and
says whether it keeps some, as `busy` does, `await drain()` waits for it, `wake()` makes `read`
return. One whose line can go has `await reopen()`, which tries once to get it back and says
whether it did; one that shares it with a console has `console`, which takes the text that came
between frames, and `release`, which gives it back.
"""

from asyncio import core

from ._port import readable, sleep_ms, ticks

_READ = 512


class UartPort:
    """A hardware UART: neither reads nor writes make the interpreter wait.

    `UART.write` of more octets than its buffer has room for waits until the last one fits: 11 ms
    for a whole frame at 921600 baud, 90 at 115200, a second at 9600. MicroPython does not tell how
    much room there is, only (`txdone`) that everything has gone out. So octets count as waiting
    until that is so, and no more are written than fit beside them. A short pause on the line after
    each batch is the price: 1 ms in 22, measured. At slow rates a batch is what 40 ms take, so
    that an acknowledgement does not wait behind a whole buffer.

    Other ports derive from it and replace `more`, `write` and `drain`.
    """

    def __init__(self, number, options):
        from machine import UART, Pin

        pins = {name: Pin(options[name]) for name in ("tx", "rx") if name in options}
        self._baud = baud = options["baud"]
        txbuf = options.get("txbuf", 2048)
        rxbuf = options.get("rxbuf", 4096)
        uart = UART(number, baud, rxbuf=rxbuf, txbuf=txbuf, timeout=0, timeout_char=0, **pins)
        self._batch = max(min(txbuf, baud // 250), 32)
        self._sent = 0  # octets written since the buffer was known to be empty
        self._since = 0  # when that was
        self._start(uart)

    def _start(self, s):
        self._s = s
        self._buffer = memoryview(bytearray(_READ))
        self._rest = b""
        self._reader = None

    async def read(self):
        self._reader = core.cur_task
        try:
            await readable(self._s)
        finally:
            self._reader = None
        return self.more()

    def more(self):
        """What has come meanwhile, without waiting."""
        s = self._s
        n = s.any()
        if not n:
            return b""
        octets = self._buffer[:n]
        s.readinto(octets)
        return octets

    def wake(self):
        task = self._reader
        if task is not None and task is not core.cur_task:
            self._reader = None
            core._io_queue.remove(task)
            core._task_queue.push(task)

    def write(self, octets):
        s = self._s
        sent = self._sent
        if sent and s.txdone():
            sent = 0
        if not sent:
            self._since = ticks()
        room = self._batch - sent
        n = len(octets)
        if n > room:
            n = s.write(memoryview(octets)[:room]) if room > 0 else 0
            self._rest = bytes(octets[n:])
        else:
            s.write(octets)
        self._sent = sent + n
        return self._rest

    def busy(self):
        return self._rest

    async def drain(self):
        while self._rest:
            # Ten bits an octet.
            ms = self._sent * 10000 // self._baud - ((ticks() - self._since) & 0x3FFFFFFF)
            await sleep_ms(max(ms, 1))
            rest = self._rest
            self._rest = b""
            self.write(rest)

    def close(self):
        self._rest = b""
