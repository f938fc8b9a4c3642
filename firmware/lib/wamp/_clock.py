"""The board's clock, set from what a bridge or a time server says. Part of the I/O edge."""

import time


def set_clock(utc):
    """Set the board's clock, if it was never set. utc: seconds since 1970.

    A Pico without a clock of its own starts in 2021, an ESP32 in 2000; a clock that somebody set
    (NTP, a battery) is left alone.
    """
    if time.gmtime()[0] >= 2025:
        return
    try:
        from machine import RTC
    except ImportError:
        return
    epoch = time.gmtime(0)[0]  # 1970, or 2000 on some ports
    year, month, day, hour, minute, second, weekday, _ = time.gmtime(
        utc - (946684800 if epoch == 2000 else 0)
    )[:8]
    RTC().datetime((year, month, day, weekday, hour, minute, second, 0))
