"""The router's configuration from a TOML file, every key checked by name.

    listen = ["rs://127.0.0.1:8080", "rs://unix:/run/microwamp.sock"]
    [[realm]]
    name = "devices"
    anonymous = "guest"                  # the role; true is "anonymous"; absent: nobody
    [[realm.principal]]
    authid = "erin"
    role = "sensor"
    public_keys = ["<64 hex digits>"]
    [[realm.principal]]
    authid = "alice"
    role = "operator"
    totp = "<base32>"
    factors = ["ticket", "wamp-scram"]   # both, in this order
    [realm.principal.scram]
    password = "..."
    kdf = "argon2id13"
    iterations = 32
    memory = 512
    [[realm.role]]
    name = "sensor"
    [[realm.role.allow]]
    uri = "com.example."
    actions = ["publish", "call"]
    [[realm.role]]
    name = "operator"
    [[realm.role.allow]]
    uri = ""
    actions = ["call", "register", "publish", "subscribe"]
    [[realm.role.allow]]
    uri = "wamp."                        # named, so it holds for wamp.session.kill and the like
    actions = ["call", "subscribe"]
    [[realm.trust]]
    role = "operator"
    level = 2
    [[realm.history]]
    uri = "com.example."
    match = "prefix"
    events = 1000

The keys are the fields of the classes in `config` and `principals`, with `realm`, `principal` and
`role` for the lists of tables and `limits` for the one table of limits.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from .. import tomlfile
from ..tomlfile import KeyPath, TomlText
from .config import Kept, Limits, Permission, RealmConfig, Role, RouterConfig, Trust
from .principals import Principal, Scram

T = TypeVar("T")

# The type of each key by table: a type, or a list with the type of its items.
_Keys = dict[str, Any]
_ROUTER: _Keys = {
    "listen": [str],
    "certificate": str,
    "key": str,
    "identity": str,
    "origins": [str],
    "opening_timeout": float,
    "closing_timeout": float,
    "limits": dict,
    "realm": [dict],
}
_REALM: _Keys = {
    "name": str,
    "anonymous": (str, bool),
    "disclose": bool,
    "disclose_me": bool,
    "payload_transparency": bool,
    "lenient": bool,
    "principal": [dict],
    "role": [dict],
    "trust": [dict],
    "history": [dict],
}
_PRINCIPAL: _Keys = {
    "authid": str,
    "role": str,
    "ticket": str,
    "totp": str,
    "secret": str,
    "salt": str,
    "iterations": int,
    "keylen": int,
    "public_keys": [str],
    "scram": dict,
    "factors": [str],
}
_SCRAM: _Keys = {
    "password": str,
    "kdf": str,
    "iterations": int,
    "memory": int,
    "salt": str,
    "stored_key": str,
    "server_key": str,
    "dialect": str,
}
_TRUST: _Keys = {"level": int, "uri": str, "role": str}
_HISTORY: _Keys = {"uri": str, "match": str, "events": int, "octets": int}
_ROLE: _Keys = {"name": str, "allow": [dict]}
_PERMISSION: _Keys = {"uri": str, "actions": [str]}
_LIMITS: _Keys = {name: int for name in Limits.__dataclass_fields__}


def load(path: str | Path) -> RouterConfig:
    """Read a file.

    Raises ConfigurationError: no such file, not TOML, an unknown key (with its line and the known
    ones), a wrong type, a value that cannot work.
    """
    return tomlfile.load(path, parse)


def parse(text: str) -> RouterConfig:
    """The configuration in a TOML text; raises ConfigurationError as `load` does."""
    return _Reader(TomlText(text)).read()


class _Reader:
    def __init__(self, text: TomlText) -> None:
        self._table = text.table
        self._error = text.error
        self._guard = text.guard

    def read(self) -> RouterConfig:
        values = {**self._checked(self._table, (), _ROUTER)}
        realms = values.pop("realm", [])
        values["realms"] = tuple(self._realm(one, ("realm", i)) for i, one in enumerate(realms))
        for name in ("listen", "origins"):
            if name in values:
                values[name] = tuple(values[name])
        if "limits" in values:
            values["limits"] = self._made(Limits, values["limits"], ("limits",), _LIMITS)
        return self._guard((), lambda: RouterConfig(**values))

    def _realm(self, table: dict[str, Any], at: KeyPath) -> RealmConfig:
        values = {**self._checked(table, at, _REALM, "name")}
        anonymous = values.pop("anonymous", False)
        values["anonymous"] = {True: "anonymous", False: None}.get(anonymous, anonymous)
        values["principals"] = self._each(values, at, "principal", self._principal)
        values["roles"] = self._each(values, at, "role", self._role)
        values["trust"] = self._each(
            values, at, "trust", lambda one, here: self._made(Trust, one, here, _TRUST, "level")
        )
        values["history"] = self._each(
            values, at, "history", lambda one, here: self._made(Kept, one, here, _HISTORY, "uri")
        )
        return self._guard(at, lambda: RealmConfig(**values))

    def _principal(self, table: dict[str, Any], at: KeyPath) -> Principal:
        values = {**self._checked(table, at, _PRINCIPAL, "authid")}
        for key in ("public_keys", "factors"):
            values[key] = tuple(values.get(key, ()))
        if "scram" in values:
            values["scram"] = self._made(Scram, values["scram"], (*at, "scram"), _SCRAM)
        return self._guard(at, lambda: Principal(**values))

    def _role(self, table: dict[str, Any], at: KeyPath) -> Role:
        values = {**self._checked(table, at, _ROLE, "name", "allow")}
        return Role(values["name"], self._each(values, at, "allow", self._permission))

    def _permission(self, table: dict[str, Any], at: KeyPath) -> Permission:
        self._checked(table, at, _PERMISSION, "actions")
        actions = frozenset(table["actions"])
        return self._guard(at, lambda: Permission(table.get("uri", ""), actions))

    def _each(
        self,
        values: dict[str, Any],
        at: KeyPath,
        key: str,
        make: Callable[[dict[str, Any], KeyPath], T],
    ) -> tuple[T, ...]:
        """Takes the list of tables `key` out of `values`."""
        return tuple(make(one, (*at, key, i)) for i, one in enumerate(values.pop(key, [])))

    def _made(
        self,
        kind: Callable[..., T],
        table: dict[str, Any],
        at: KeyPath,
        keys: _Keys,
        *needed: str,
    ) -> T:
        self._checked(table, at, keys, *needed)
        return self._guard(at, lambda: kind(**table))

    def _checked(
        self, table: dict[str, Any], at: KeyPath, keys: _Keys, *needed: str
    ) -> dict[str, Any]:
        for key, value in table.items():
            here = (*at, key)
            if key not in keys:
                known = ", ".join(sorted(keys))
                raise self._error(here, f"unknown key {_name(here)}; known: {known}")
            kind = keys[key]
            if isinstance(kind, list):
                self._type(here, value, list)
                for i, item in enumerate(value):
                    self._type((*here, i), item, kind[0])
            else:
                self._type(here, value, kind)
        for key in needed:
            if key not in table:
                raise self._error(at, f"key {_name((*at, key))} is missing")
        return table

    def _type(self, at: KeyPath, value: Any, kind: Any) -> None:
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if type(value) in kinds or (float in kinds and type(value) is int):
            return
        name = _name(at)
        # A ticket without quotes is a ticket all the same: it is not repeated.
        secret = name.endswith(("ticket", "totp", "secret", "password", "_key"))
        found = "something else" if secret else f"{value!r:.32}"
        needed = " or ".join(_WORDS[one] for one in kinds)
        raise self._error(at, f"key {name} is {found}, {needed} needed")


_WORDS: Final = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def _name(at: KeyPath) -> str:
    """As in realm[0].principal[1].ticket"""
    return "".join(f"[{part}]" if type(part) is int else f".{part}" for part in at)[1:]
