"""Configuration files: TOML whose errors name the file and the line."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from wamp.errors import ConfigurationError

T = TypeVar("T")

# A table or key by its path: names, and the number of each entry of a list of tables.
KeyPath = tuple[str | int, ...]

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_NAME: Final = r"(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')"
_KEY: Final = re.compile(rf"\s*({_NAME}(?:\s*\.\s*{_NAME})*)\s*=")
_PART: Final = re.compile(_NAME)


def load(path: str | Path, parse: Callable[[str], T]) -> T:
    """What `parse` makes of a file's text.

    Raises ConfigurationError, beginning with the path: it cannot be read, is not UTF-8, or what
    `parse` raises.
    """
    try:
        octets = Path(path).read_bytes()
        text = octets.decode()
    except OSError as e:
        raise ConfigurationError(f"cannot read {path}: {e.strerror}") from e
    except UnicodeDecodeError as e:
        line = octets.count(b"\n", 0, e.start) + 1
        raise ConfigurationError(f"{path}: line {line}: it is not UTF-8 text") from e
    try:
        return parse(text)
    except ConfigurationError as e:
        raise ConfigurationError(f"{path}: {e}") from e


class TomlText:
    """A TOML text: its `table`, and errors that name the line. Raises ConfigurationError."""

    def __init__(self, text: str) -> None:
        try:
            self.table: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as e:
            raise ConfigurationError(f"not TOML: {e}") from e
        self._lines = where(text)

    def error(self, at: KeyPath, text: str) -> ConfigurationError:
        """`text`, after the line of the key at `at`, or of the nearest table around it."""
        while at and at not in self._lines:
            at = at[:-1]
        line = self._lines.get(at)
        return ConfigurationError(f"line {line}: {text}" if line else text)

    def guard(self, at: KeyPath, make: Callable[[], T]) -> T:
        """What `make` returns; what it raises names the line of the key that it begins with, in
        the table at `at`, or else of the table."""
        try:
            return make()
        except ConfigurationError as e:
            word = str(e).partition(" ")[0].rstrip(":")
            raise self.error((*at, word), str(e)) from e


def where(text: str) -> dict[KeyPath, int]:
    """The line on which each table and key of a TOML text begins, by its path. tomllib does not
    tell. Keys of inline tables are found by the key that holds them."""
    lines: dict[KeyPath, int] = {}
    lists: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), 1):
        match = _HEADER.match(line)
        if match:
            path: KeyPath = ()
            parts = _parts(match[2])
            for part in parts[:-1]:
                path = (*path, part)
                if path in lists:
                    path = (*path, lists[path])
            path = (*path, parts[-1]) if parts else path
            if match[1] == "[[":
                lists[path] = lists.get(path, -1) + 1
                path = (*path, lists[path])
            lines.setdefault(path, number)
            table = path
            continue
        match = _KEY.match(line)
        if match:
            path = table
            for part in _parts(match[1]):
                path = (*path, part)
                lines.setdefault(path, number)
    return lines


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(dotted)]
