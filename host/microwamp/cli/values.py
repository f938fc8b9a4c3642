"""Values between the command line and WAMP: read from words, shown as text or JSON.

Into octets and back as JSON goes what WAMP says (basic profile, "Binary conversion of JSON
Strings"): a string of U+0000 and base64. What is shown may come from anybody: control characters
are escaped, so that none reaches a terminal.
"""

import base64
import binascii
import json
import math
import os
import sys
from typing import Any

from wamp.errors import ApplicationError, ConfigurationError, Error
from wamp.rawsocket import LENGTH_MAX

HELP = """arguments:
  a word that is JSON is that value: 3, true, null, "3", [1, 2], {"a": 1}; "\\u0000AAEC" is octets
  @hex:00ff     octets
  @file:PATH    the octets of a file
  @text:WORD    the word itself, whatever it looks like
  anything else is text; what begins with a dash comes after --
"""

# An integer of more bits is shown in hexadecimal: CPython prints 4300 decimal digits at most.
_DECIMAL_BITS = 14000
# Characters of an error's line: a router can send megabytes.
_LINE = 1000


def read(word: str) -> Any:
    """The value that a word of the command line stands for; raises ConfigurationError."""
    if word.startswith("@hex:"):
        try:
            return bytes.fromhex(word[5:])
        except ValueError:
            raise ConfigurationError(f"{_short(word)}: pairs of hex digits needed") from None
    if word.startswith("@file:"):
        return _file(word[6:])
    if word.startswith("@text:"):
        return _utf8(word[6:])
    try:
        return from_json(_utf8(word))
    except ValueError:
        if word.lstrip()[:1] in ("{", "["):
            note(f"warning: '{_short(word)}' is no JSON and was taken as text (@text: says so)")
        return word


def keyword(word: str) -> tuple[str, Any]:
    """Name and value of NAME=VALUE; raises ConfigurationError."""
    name, found, value = word.partition("=")
    if not found or not name:
        raise ConfigurationError(f"--kw {_short(word)}: NAME=VALUE needed")
    return _utf8(name), read(value)


def keywords(words: list[str]) -> dict[str, Any]:
    """The keyword arguments of all --kw; raises ConfigurationError."""
    found: dict[str, Any] = {}
    for word in words:
        name, value = keyword(word)
        if name in found:
            raise ConfigurationError(f"--kw {_short(name)}: there are two of that name")
        found[name] = value
    return found


def from_json(text: str) -> Any:
    """The value of a JSON text, with strings of U+0000 and base64 as octets.

    Raises ValueError for what is no JSON (NaN and Infinity are none), ConfigurationError for JSON
    that WAMP cannot carry.
    """
    try:
        return _octets(json.loads(text, parse_constant=_no_constant))
    except RecursionError:
        raise ConfigurationError(f"{_short(text)}: nested too deeply") from None


def to_json(value: Any, exact: bool = True) -> Any:
    """The value as the json module takes it; octets become strings of U+0000 and base64.

    exact: JSON has no infinities and no NaN: they become null; else they stay, for people.
    """
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _DECIMAL_BITS else hex(value)
    if isinstance(value, float):
        return value if math.isfinite(value) or not exact else None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "\0" + base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else plain(key): to_json(item, exact)
            for key, item in value.items()
        }
    return [to_json(item, exact) for item in value]


def dumps(value: Any) -> str:
    """The value as one line of JSON in ASCII."""
    # U+007F is a control character that JSON does not escape.
    return json.dumps(to_json(value)).replace("\x7f", "\\u007f")


def plain(value: Any) -> str:
    """The value in one line for people: JSON, save that octets are as they are entered."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "@hex:" + bytes(value).hex()
    return safe(json.dumps(to_json(value, exact=False), ensure_ascii=False))


def line(args: Any, kwargs: dict[str, Any]) -> str:
    """Arguments in one line, as they are entered."""
    words = [plain(item) for item in args]
    words += [f"{safe(name)}={plain(item)}" for name, item in kwargs.items()]
    return " ".join(words)


def failure(error: ApplicationError) -> str:
    """A WAMP ERROR in one line: its URI, its arguments."""
    words = [safe(one) if isinstance(one, str) else plain(one) for one in error.args]
    words += [f"{safe(name)}={plain(item)}" for name, item in error.kwargs.items()]
    return cut(safe(error.error) + (": " + ", ".join(words) if words else ""))


def safe(text: str, keep: str = "") -> str:
    """The text with everything escaped that is not printable, except the characters in `keep`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def cut(text: str) -> str:
    """The text, or the beginning of a very long one."""
    return text if len(text) <= _LINE else text[:_LINE] + " ..."


def emit(text: str) -> None:
    """Print a line at once; raises BrokenPipeError where nobody reads any more, or Error."""
    out = sys.stdout
    if out is None:
        return  # closed by whoever started us
    try:
        try:
            out.write(text + "\n")
        except UnicodeEncodeError:
            name = out.encoding or "ascii"
            out.write(text.encode(name, "backslashreplace").decode(name) + "\n")
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as e:
        # What is still in the buffer would fail once more at exit, with a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        raise Error(f"cannot write to stdout: {e.strerror or e}") from e


def note(text: str) -> None:
    """A line on stderr for people."""
    if sys.stderr is not None:
        try:
            print(f"microwamp: {cut(safe(text))}", file=sys.stderr, flush=True)
        except OSError:
            pass  # nobody reads it


def _escaped(character: str) -> str:
    # As JSON has it: what was JSON stays JSON.
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


def _utf8(word: str) -> str:
    try:
        word.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{_short(word)} is not UTF-8: give octets as @hex:") from None
    return word


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _octets(value: Any) -> Any:
    if isinstance(value, str):
        if not value.startswith("\0"):
            return _utf8(value)
        try:
            return base64.b64decode(value[1:], validate=True)
        except (binascii.Error, ValueError):
            raise ConfigurationError(
                f"{_short(plain(value))}: base64 must follow \\u0000"
            ) from None
    if isinstance(value, list):
        return [_octets(item) for item in value]
    if isinstance(value, dict):
        return {_utf8(key): _octets(item) for key, item in value.items()}
    return value


def _file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            octets = file.read(LENGTH_MAX + 1)
    except (OSError, ValueError) as e:
        reason = (e.strerror if isinstance(e, OSError) else None) or str(e)
        raise ConfigurationError(f"@file:{_short(path)}: {reason}") from None
    if len(octets) > LENGTH_MAX:
        raise ConfigurationError(
            f"@file:{_short(path)}: longer than the {LENGTH_MAX} octets of a WAMP message"
        )
    return octets


def _short(word: str) -> str:
    return safe(word if len(word) <= 60 else word[:60] + "...")
