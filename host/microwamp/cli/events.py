"""One line an event on stdout, for the commands that run for long: text, or JSON objects."""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any


def printer(
    as_json: bool, colours: Mapping[str, int], forms: Mapping[str, str] | None = None
) -> Callable[[str, Mapping[str, Any]], None]:
    """A function (event, fields) that prints; falls silent when nobody reads any more.

    colours: event to SGR number. forms: event to a format string for its fields; without one they
    are printed one after another, those named "state", "reason" and "text" without their names.
    """
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    silent = False

    def show(event: str, fields: Mapping[str, Any]) -> None:
        nonlocal silent
        if silent:
            return
        if as_json:
            line = json.dumps({"time": round(time.time(), 3), "event": event, **fields})
        else:
            line = _line(event, fields, colours.get(event, 0) if colour else None, forms or {})
        try:
            print(line, flush=True)
        except OSError:
            silent = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    return show


_BARE = ("port", "state", "reason", "text")


def _line(
    event: str, fields: Mapping[str, Any], colour: int | None, forms: Mapping[str, str]
) -> str:
    word = f"{event:9}"
    if colour is not None:
        word = f"\x1b[{colour}m{word}\x1b[0m"
    if event in forms:
        text = forms[event].format_map(fields)
    else:
        text = " ".join(
            str(value) if name in _BARE else f"{name}={value}"
            for name, value in fields.items()
            if value not in (None, "")
        )
    # Names and reasons come from outside: no control characters onto somebody's terminal.
    text = "".join(c if c.isprintable() else "?" for c in text)
    return f"{time.strftime('%H:%M:%S')} {word} {text}"
