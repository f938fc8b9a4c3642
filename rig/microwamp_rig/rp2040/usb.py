"""The host's end of the board's USB console (CDC): octets both ways, DTR and RTS.

The emulator's own host (`rp2040py.usb.cdc.USBCDC`) enumerates the device and is kept; what it does
wrong is cured here (see `cures`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from rp2040py.rp2040 import RP2040
from rp2040py.usb.cdc import USBCDC

_IN_CONTROL = 0x80  # buffer control register of endpoint 0 IN; eight octets an endpoint
_AVAILABLE = 1 << 10

#: How long the host takes from the device's appearance to the bus reset that begins enumeration.
#: A real one takes hundreds of milliseconds, the emulator's own 10; what a program prints before
#: the console is up is lost, and here it should be seen.
RESET_NS = 100_000


class UsbConsole:
    """What the host has open as /dev/ttyACM0.

    on_data(octets): the device sent them; so does tap. on_connected(): the console is up.
    on_room(): the device took octets.
    reading: False makes the host stop reading, as a program that hangs with the port open;
    MicroPython then waits 500 ms at each full buffer and drops.
    """

    def __init__(self, mcu: RP2040) -> None:
        self.on_data: Callable[[bytes], None] | None = None
        self.on_connected: Callable[[], None] | None = None
        self.on_room: Callable[[], None] | None = None
        self.tap: Callable[[bytes], None] | None = None
        self.connected = False
        self.dtr = self.rts = True
        self._usb = mcu.usb_ctrl
        self.cdc = USBCDC(mcu.usb_ctrl)
        self._queue: deque[int] = deque()
        self._asked: tuple[int, int] | None = None  # OUT transfer that the device waits for
        self._reading = True
        self._held: list[tuple[int, int]] = []
        self.cdc.on_serial_data = self._data
        self.cdc.on_device_connected = self._connected
        usb = self._usb
        assert usb.on_endpoint_read is not None and usb.on_reset is not None
        self._serve = usb.on_endpoint_read
        self._forget = usb.on_reset
        self._update = usb.dpram_updated
        usb.on_endpoint_read = self._endpoint_read
        usb.on_reset = self._reset
        usb.dpram_updated = self._dpram_updated  # type: ignore[method-assign]
        alarm = usb.reset_alarm
        usb.reset_device = lambda: alarm.schedule(RESET_NS)  # type: ignore[method-assign]

    def send(self, octets: bytes) -> None:
        """Sends octets to the device, which takes them when it wants to."""
        self._queue.extend(octets)
        self._complete()

    @property
    def waiting(self) -> int:
        """Octets that the device has not yet taken."""
        return len(self._queue) + self.cdc.tx_fifo.item_count

    def drop_waiting(self) -> None:
        """Takes back what the device has not yet taken."""
        self._queue.clear()
        self.cdc.tx_fifo.reset()

    def set_lines(self, dtr: bool, rts: bool) -> None:
        """What a program that opens the port (True, True) or closes it does. Without DTR
        MicroPython drops what it prints."""
        self.dtr, self.rts = dtr, rts
        if self.connected:
            self.cdc.set_control_lines(dtr=dtr, rts=rts)

    @property
    def reading(self) -> bool:
        return self._reading

    @reading.setter
    def reading(self, reading: bool) -> None:
        self._reading = reading
        if reading:
            held, self._held = self._held, []
            for offset, value in held:
                self._update(offset, value)

    # -- called by the emulator ------------------------------------------------------------------

    def _endpoint_read(self, endpoint: int, size: int) -> None:
        """The device can take `size` octets. The emulator's host would answer a device that can
        take octets with none, every 10 us: it never slept. A real one sends nothing (to the
        device's controller: NAK) until there is something."""
        if endpoint != self.cdc._out_endpoint:
            self._serve(endpoint, size)
            return
        self._asked = (endpoint, size)
        self._complete()

    def _complete(self) -> None:
        fifo = self.cdc.tx_fifo
        while self._queue and not fifo.full:
            fifo.push(self._queue.popleft())
        if self._asked is not None and not fifo.empty:
            asked, self._asked = self._asked, None
            self._serve(*asked)
            if self.on_room is not None:
                self.on_room()

    def _dpram_updated(self, offset: int, value: int) -> None:
        if (
            not self._reading
            and value & (_AVAILABLE | _AVAILABLE << 16)
            and offset == _IN_CONTROL + 8 * self.cdc._in_endpoint
        ):
            self._held.append((offset, value))
        else:
            self._update(offset, value)

    def _data(self, octets: bytes | bytearray) -> None:
        if self.tap is not None:
            self.tap(bytes(octets))
        if self.on_data is not None and octets:
            self.on_data(bytes(octets))

    def _connected(self) -> None:
        self.connected = True
        if not (self.dtr and self.rts):
            self.cdc.set_control_lines(dtr=self.dtr, rts=self.rts)
        if self.on_connected is not None:
            self.on_connected()

    def _reset(self) -> None:
        """The chip was reset: it is off the bus, with all that was under way."""
        self.connected = False
        self._asked = None
        self._held = []
        self._queue.clear()
        self._forget()
