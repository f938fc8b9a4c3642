"""The bridge's configuration from a TOML file; docs/bridge.md has all its keys.

Everything is checked before anything is opened; errors name the line and what is known there.
"""

import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from wamp.errors import ConfigurationError

from .. import tomlfile
from ..tomlfile import KeyPath, TomlText
from .config import BridgeConfig, Discover, Limits, PortConfig, context, loopback, pair

_WORDS: Final = {
    str: "a string",
    int: "an integer",
    bool: "true or false",
    list: "a list of strings",
    dict: "a table",
}
_LIMITS: Final[dict[str, type]] = {one.name: int for one in fields(Limits)}
_SERVED: Final[dict[str, type]] = {
    "router": str,
    "board": str,
    "baud": int,
    "dtr": bool,
    "rts": bool,
    "hupcl": bool,
    "settle_ms": int,
    "realms": list,
    "console": str,
    "lost_ms": int,
    "limits": dict,
}
_PORT: Final[dict[str, type]] = {"id": str, "name": str, **_SERVED}
_DISCOVER: Final[dict[str, type]] = {"match": list, "most": int, **_SERVED}
_ROUTER: Final[dict[str, type]] = {"url": str, "cafile": str}
_TOP: Final[dict[str, type]] = {
    "control": str,
    "metrics": str,
    "user": str,
    "routers": dict,
    "port": list,
    "discover": dict,
    **_SERVED,
}


def load(path: str | Path) -> BridgeConfig:
    """Read a file.

    Raises ConfigurationError: no such file, not TOML, an unknown key (with its line and the known
    ones), a wrong type, a value that cannot work.
    """
    return tomlfile.load(path, parse)


def parse(text: str) -> BridgeConfig:
    """The configuration in a TOML text; raises ConfigurationError as `load` does."""
    return _Reader(TomlText(text)).read()


class _Reader:
    def __init__(self, text: TomlText) -> None:
        self._table = text.table
        self._error = text.error
        self._guard = text.guard

    def _check(self, table: dict[str, Any], at: KeyPath, keys: dict[str, type]) -> None:
        for key, value in table.items():
            here = (*at, key)
            if key not in keys:
                known = ", ".join(sorted(keys))
                raise self._error(here, f"unknown key {key!r}; known here: {known}")
            kind = keys[key]
            right = type(value) is kind
            if right and kind is list:
                right = all(type(item) is (dict if key == "port" else str) for item in value)
            if not right:
                words = "written [[port]]" if key == "port" else _WORDS[kind]
                raise self._error(here, f"{key} is {value!r:.40}, {words} needed")

    def read(self) -> BridgeConfig:
        table = self._table
        self._check(table, (), _TOP)
        self._routers = self._read_routers(table.get("routers", {}))
        general = {key: value for key, value in table.items() if key in _SERVED}
        ports = []
        names: dict[str, int] = {}
        for i, one in enumerate(table.get("port", ())):
            at = ("port", i)
            self._check(one, at, _PORT)
            if "id" not in one:
                raise self._error(at, "the port has no id")
            port = self._port(one, at, general)
            for word in {port.port, port.called}:
                if word in names:
                    raise self._error(
                        (*at, "name" if "name" in one else "id"),
                        f"{word} is named twice, first in port {names[word] + 1}",
                    )
                names[word] = i
            ports.append(port)
        discover = None
        if "discover" in table:
            discover = self._discover(table["discover"], general)
        if not ports and discover is None:
            raise ConfigurationError("no port to serve: neither [[port]] nor [discover]")
        if "metrics" in table:
            self._guard((), lambda: loopback(table["metrics"]))
        if table.get("user"):
            self._user(table["user"])
        values = {key: table[key] for key in ("control", "metrics", "user") if key in table}
        return self._guard(
            (), lambda: BridgeConfig(ports=tuple(ports), discover=discover, **values)
        )

    def _user(self, name: str) -> None:
        import pwd

        try:
            pwd.getpwnam(name)
        except KeyError:
            raise self._error(("user",), f"user {name} does not exist here") from None

    def _read_routers(self, table: dict[str, Any]) -> dict[str, tuple[str, str]]:
        found = {}
        for name, one in table.items():
            at = ("routers", name)
            if type(one) is not dict:
                raise self._error(at, f"routers.{name} is {one!r:.40}, a table needed")
            self._check(one, at, _ROUTER)
            if "url" not in one:
                raise self._error(at, f"the router {name} has no url")
            cafile = one.get("cafile", "")
            if cafile:
                self._guard(at, lambda file=cafile: context(file))  # type: ignore[misc]
            found[name] = (one["url"], cafile)
        return found

    def _port(self, table: dict[str, Any], at: KeyPath, general: dict[str, Any]) -> PortConfig:
        values = {**general, **table}
        named_at = at if "router" in table else ()
        if "router" not in values:
            raise self._error(at, "no router: neither here nor for all ports")
        router = values["router"]
        url, cafile = self._routers.get(router, (router, ""))
        if router not in self._routers and ":" not in router:
            known = ", ".join(self._routers) or "none"
            raise self._error(
                (*named_at, "router"), f"router {router!r} is not in [routers]; known: {known}"
            )
        from .config import check_router

        named: KeyPath = ("routers", router, "url") if router in self._routers else ("router",)
        try:
            check_router(url)
        except ConfigurationError as e:
            raise self._error(
                named if router in self._routers else (*named_at, *named), str(e)
            ) from e
        limits_of = {**general.get("limits", {}), **table.get("limits", {})}
        for place, source in (((), general), (at, table)):
            self._check(source.get("limits", {}), (*place, "limits"), _LIMITS)
        inner = (*at, "limits") if "limits" in table else ("limits",)
        limits = self._guard(inner, lambda: Limits(**limits_of))
        values.update(router=url, cafile=cafile, limits=limits)
        values["port"] = values.pop("id")
        values["realms"] = tuple(values.get("realms", ()))
        try:
            return PortConfig(**values)
        except ConfigurationError as e:
            word = str(e).partition(" ")[0].rstrip(":")
            word = {"port": "id"}.get(word, word)
            raise self._error(
                (*at, word) if word in table else (word,) if word in general else at, str(e)
            ) from e

    def _discover(self, table: dict[str, Any], general: dict[str, Any]) -> Discover:
        at = ("discover",)
        self._check(table, at, _DISCOVER)
        if not table.get("match"):
            raise self._error(at, 'discover needs match, as in match = ["2E8A:0005"]')
        found = [
            self._guard((*at, "match"), lambda text=text: pair(text))  # type: ignore[misc]
            for text in table["match"]
        ]
        most = table.get("most", 64)
        if not 1 <= most <= 1000:
            raise self._error((*at, "most"), f"most is {most}: 1 to 1000")
        own = {key: value for key, value in table.items() if key in _SERVED}
        like = self._port({"id": "discovered", **own}, at, general)
        return Discover(tuple(found), replace(like, name=""), most)


def default_control() -> str:
    """Where the control socket is unless said otherwise: the service's own folder, else the
    user's; "" where there is neither."""
    folder = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if folder:
        return os.path.join(folder, "bridge.sock")
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    return os.path.join(folder, "microwamp-bridge.sock") if folder else ""
