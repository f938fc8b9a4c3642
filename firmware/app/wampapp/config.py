"""The configuration in flash: read, checked, and never lost.

/wamp.json is what was deployed, /wamp.good.json a copy of the last one that joined. What is
written goes to NAME.new, is read back and renamed, so that a power cut leaves the old file or the
new one, whole. On a FAT file system, which does not rename at once, it is copied: there a power
cut may leave half a file, with NAME.new, whole, beside it, which then counts.
"""

import json
import os

PATH = "/wamp.json"
GOOD = "/wamp.good.json"

_SIZE_MAX = 4096
_ENOSPC = 28  # littlefs' own; not in every port's `errno`

# Key: (default, types, lowest, highest of a number). A default of None may stay None.
KEYS = {
    "url": ("serial:", (str,), 0, 0),
    "realm": ("devices", (str,), 0, 0),
    "key": ("/device.key", (str, None), 0, 0),
    "authid": (None, (str, None), 0, 0),
    "prefix": ("com.example.", (str,), 0, 0),
    "heartbeat_s": (30, (int,), 0, 86400),
    "watchdog_ms": (0, (int,), 0, 8388),  # the most an RP2040 counts
    "wifi": (None, (dict, None), 0, 0),
    "ntp": ("pool.ntp.org", (str, None), 0, 0),
    "ca": (None, (str, None), 0, 0),
    "led": ("LED", (str, int, None), 0, 64),
    "log_lines": (20, (int,), 0, 200),
}

_WIFI = ("name", "password", "hostname")


def check(found):
    """The configuration with its defaults; raises ValueError, which says which key is wrong."""
    if type(found) is not dict:
        raise ValueError("it is no JSON object")
    for key in found:
        if key not in KEYS:
            raise ValueError("%s is not known; known: %s" % (key, ", ".join(sorted(KEYS))))
    checked = {}
    for key, (default, types, low, high) in KEYS.items():
        value = found.get(key, default)
        if value is None:
            if None not in types:
                raise ValueError("%s must be given" % key)
        elif type(value) not in types:
            names = [kind.__name__ for kind in types if kind is not None]
            raise ValueError("%s must be %s, not %r" % (key, " or ".join(names), value))
        elif type(value) is int and not low <= value <= high:
            raise ValueError("%s must be %d to %d, not %d" % (key, low, high, value))
        checked[key] = value
    if 0 < checked["watchdog_ms"] < 1000:
        raise ValueError("watchdog_ms must be 0 (off) or 1000 to 8388")
    wifi = checked["wifi"]
    if wifi is not None:
        for key in wifi:
            if key not in _WIFI or type(wifi[key]) is not str:
                raise ValueError("wifi has texts for %s, not %r" % (", ".join(_WIFI), key))
        if "name" not in wifi:
            raise ValueError("wifi has no name")
    return checked


def read(path):
    """(configuration, octets) of a file; raises OSError or ValueError."""
    with open(path, "rb") as file:
        octets = file.read(_SIZE_MAX + 1)
    return parse(octets), octets


def parse(octets):
    """The configuration in the octets of a file; raises ValueError."""
    if len(octets) > _SIZE_MAX:
        raise ValueError("it is longer than %d octets" % _SIZE_MAX)
    try:
        text = octets.decode()
        found = json.loads(text)
    except (ValueError, UnicodeError):
        raise ValueError("it is not JSON")
    if not _closed(text):
        raise ValueError("it is cut off: a bracket is not closed")
    return check(found)


def _closed(text):
    """Whether all brackets are closed: MicroPython's json takes an object that is cut off."""
    depth = 0
    quoted = False
    escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif quoted:
            escaped = char == "\\"
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char in "{[":
            depth += 1
        elif char in "}]":
            depth -= 1
    return depth == 0


def load():
    """(configuration, path, complaints): the deployed one, else the last good one, else None."""
    complaints = []
    for path in (PATH, PATH + ".new", GOOD):
        try:
            found, octets = read(path)
            if path == PATH or path == GOOD or is_rest(_octets(PATH), octets):
                return found, path, complaints
        except OSError:
            if path == PATH:
                complaints.append("there is no %s" % path)
        except (ValueError, MemoryError) as error:
            if path == PATH or path == GOOD:
                complaints.append("%s: %s" % (path, error))
    return None, None, complaints


def is_rest(octets, new):
    """Whether octets (None: no file) are what a power cut leaves while `new` is copied there."""
    return octets is None or new.startswith(octets)


def _octets(path):
    try:
        with open(path, "rb") as file:
            return file.read(_SIZE_MAX + 1)
    except OSError:
        return None


def good(other):
    """The last good configuration; None if there is none, or it is that other one."""
    try:
        found = read(GOOD)[0]
    except (OSError, ValueError, MemoryError):
        return None
    return None if found == other else found


def save(path, octets):
    """Write a file whole or not at all; raises OSError."""
    new = path + ".new"
    try:
        _write(new, octets)
    except OSError as error:
        _remove(new)
        if error.args[0] == _ENOSPC:
            raise OSError("there is no room for %s: the flash is full" % new)
        raise
    try:
        os.stat(new.upper())
    except OSError:
        os.rename(new, path)
        return
    # Letters of either case mean a FAT file system: its rename is a removal and a renaming, and a
    # power cut within the second leaves two names of the same blocks. So a copy.
    _write(path, octets)
    os.remove(new)


def _write(path, octets):
    with open(path, "wb") as file:
        file.write(octets)
    if _octets(path) != octets:
        raise OSError("%s is not what was written: is the flash worn out?" % path)


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass


def keep(path):
    """The configuration at `path` has joined: make it the last good one, if it is not yet."""
    if path == GOOD:
        return
    octets = read(path)[1]
    if _octets(GOOD) != octets:
        save(GOOD, octets)
