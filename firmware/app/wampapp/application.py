"""What the default application does while it is joined: procedures, heartbeat, watchdog."""

import asyncio
import gc
import os
import sys
import time

import machine

import wamp

from . import config

_RESET_AFTER_MS = 300  # the answer of `reset` is to get out
_LINE_MAX = 120
_NAMES = ("info", "ping", "led", "memory", "reset", "log")


class Application:
    """found: a configuration that was checked; path: where it came from."""

    def __init__(self, found, path):
        self.watchdog = None
        self.client = None
        self._config = found
        self._path = path
        self._lines = []
        self._begin = time.ticks_ms()
        self._lit = False
        self._pin = _pin(found["led"], self.log)

    def log(self, text):
        """Print a line and keep it for the procedure `log`."""
        text = "%d %s" % (self.uptime_ms() // 1000, text)
        print(text)
        lines = self._lines
        lines.append(text[:_LINE_MAX])
        if len(lines) > self._config["log_lines"]:
            lines.pop(0)

    def uptime_ms(self):
        """Since the start; wraps after 12 days, as ticks do."""
        return time.ticks_diff(time.ticks_ms(), self._begin)

    def run(self):
        """Until something ends it."""
        asyncio.new_event_loop()  # without the tasks of one that ended before
        asyncio.run(self._run())

    async def _run(self):
        found = self._config
        options, network = _options(found)
        login = None
        if found["key"] is not None:
            login = wamp.Cryptosign(found["key"], found["authid"])
        elif found["authid"] is not None:
            login = wamp.Anonymous(found["authid"])
        if network is not None:
            options["network"] = network
        client = wamp.Client(
            found["url"], realm=found["realm"], auth=login, log=self.log, **options
        )
        self.client = client
        for name in _NAMES:
            client.register(found["prefix"] + name)(getattr(self, "do_" + name))
        async with client:
            self._joined()
            gc.collect()
            if found["heartbeat_s"]:
                asyncio.create_task(self._heartbeat())
            await client.ended()

    def _joined(self):
        self.log("ready: %s%s" % (self._config["prefix"], ", ".join(_NAMES)))
        try:
            config.keep(self._path)
        except (OSError, ValueError) as error:
            self.log("the last good configuration is not kept: %s" % error)
        timeout = self._config["watchdog_ms"]
        if timeout:
            from wamp.watchdog import guard

            self.watchdog = machine.WDT(timeout=timeout)
            self.log("the watchdog is armed: %d ms" % timeout)
            guard(self.client, self.watchdog.feed, timeout // 4)

    async def _heartbeat(self):
        topic = self._config["prefix"] + "heartbeat"
        while True:
            gc.collect()
            values = {"uptime_ms": self.uptime_ms(), "free": gc.mem_free()}
            values["joins"] = self.client.joins
            try:
                await self.client.publish(topic, kwargs=values)
            except wamp.Error as error:
                self.log("no heartbeat: %s" % error)
            await asyncio.sleep(self._config["heartbeat_s"])

    # -- procedures -------------------------------------------------------------------------------

    def do_info(self):
        """What this board is and runs."""
        implementation = sys.implementation
        return {
            "machine": implementation[2] if len(implementation) > 2 else sys.platform,
            "micropython": ".".join([str(n) for n in implementation[1][:3]]),
            "wamp": wamp.__version__,
            "id": machine.unique_id().hex() if hasattr(machine, "unique_id") else "",
            "reset_cause": machine.reset_cause() if hasattr(machine, "reset_cause") else 0,
            "uptime_ms": self.uptime_ms(),
            "joins": self.client.joins,
            "channel": self.client.transport_details.channel_typeid,
            "config": self._path,
            "watchdog_ms": self._config["watchdog_ms"] if self.watchdog else 0,
        }

    def do_ping(self, *args):
        """The arguments again."""
        return wamp.Result(*args)

    def do_led(self, on=None):
        """Switch it on or off, or over without an argument; the new state."""
        self._lit = not self._lit if on is None else bool(on)
        if self._pin is not None:
            self._pin.value(self._lit)
        return self._lit

    def do_memory(self):
        """Octets, after a collection; of the file system too."""
        gc.collect()
        found = {"free": gc.mem_free(), "used": gc.mem_alloc()}
        try:
            system = os.statvfs("/")
            found["flash_free"] = system[0] * system[3]
        except (AttributeError, OSError):
            pass
        return found

    def do_reset(self):
        """Answer, and start anew."""
        self.log("reset was asked for")
        asyncio.create_task(self._reset())

    async def _reset(self):
        await asyncio.sleep_ms(_RESET_AFTER_MS)
        getattr(machine, "reset", sys.exit)()  # a process has no reset

    def do_log(self):
        """The last lines, oldest first."""
        return self._lines


def _pin(name, log):
    """The LED's pin, or None where there is none: its state is kept all the same."""
    if name is None or not hasattr(machine, "Pin"):
        return None
    try:
        return machine.Pin(name, machine.Pin.OUT)
    except (ValueError, TypeError, OSError) as error:
        log("no LED %s: %s" % (name, error))
        return None


def _options(found):
    """(options of the transport, what brings the network up or None)."""
    if found["wifi"] is None and not found["url"].startswith("rss://"):
        return {}, None
    from . import net

    return net.options(found)
