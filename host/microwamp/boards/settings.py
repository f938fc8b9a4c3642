"""The default application's configuration, checked on the host by the board's own code."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from wamp.errors import ConfigurationError

from . import application, boards
from .deployment import CONFIG
from .remote import Facts, Remote

CA = "/ca.der"  # the certificate on the board


def checker() -> ModuleType:
    """The module `wampapp.config`, as it runs on the board."""
    path = application() / "config.py"
    spec = importlib.util.spec_from_file_location("microwamp_wampapp_config", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def console_url(facts: Facts) -> str:
    """The URL of a board's console for its program: what holds a host back differs."""
    for board in boards().values():
        if board.console.url and facts.machine.endswith(f"with {board.chip.replace('-', '')}"):
            return board.console.url
    return "serial:"


def merge(remote: Remote, facts: Facts, given: dict[str, Any]) -> bytes:
    """The configuration on the board, if there is a good one, with what was given over it.

    Raises ConfigurationError, which says which key is wrong.
    """
    octets = remote.read(CONFIG)
    found = _checked(octets)
    if found is None:
        # On FAT a power cut may have left half of it, and all of it beside.
        new = remote.read(CONFIG + ".new")
        if new is not None and checker().is_rest(octets, new):
            found = _checked(new)
    # One that is broken would be of no use.
    merged = {"url": console_url(facts), **(found or {}), **given}
    return render(merged)


def _checked(octets: bytes | None) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(octets or b"")
        checker().check(found)
    except (ValueError, RecursionError):
        return None
    return found


def render(settings: dict[str, Any]) -> bytes:
    """The octets of /wamp.json. Raises ConfigurationError."""
    module = checker()
    try:
        module.check(settings)
    except ValueError as e:
        raise ConfigurationError(f"configuration: {e}") from None
    octets = (json.dumps(settings, indent=1, sort_keys=True) + "\n").encode()
    if len(octets) > module._SIZE_MAX:
        raise ConfigurationError(f"configuration: longer than {module._SIZE_MAX} octets")
    return octets


def load(path: str) -> dict[str, Any]:
    """A configuration file on the host. Raises ConfigurationError."""
    try:
        found = json.loads(Path(path).read_bytes())
    except OSError as e:
        raise ConfigurationError(f"{path} cannot be read: {e.strerror}") from e
    except ValueError as e:
        raise ConfigurationError(f"{path} is not JSON: {e}") from e
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path} holds no JSON object")
    return found


def wifi(name: str, password_file: str | None) -> dict[str, str]:
    """The Wi-Fi part; the password from a file or from MICROWAMP_WIFI_PASSWORD."""
    password = os.environ.get("MICROWAMP_WIFI_PASSWORD")
    if password_file is not None:
        try:
            password = Path(password_file).read_text().rstrip("\r\n")
        except (OSError, UnicodeError) as e:
            raise ConfigurationError(f"--wifi-password-file {password_file}: {e}") from None
    found = {"name": name}
    if password:
        found["password"] = password
    return found
