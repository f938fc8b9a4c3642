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

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from wamp.errors import ConfigurationError

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

    Raises ConfigurationError: no such file, not TOML, an unknown key (named, with the known ones),
    a wrong type, a value that cannot work.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as e:
        raise ConfigurationError(f"cannot read {path}: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise ConfigurationError(f"{path} is not UTF-8 text") from e
    try:
        return parse(text)
    except ConfigurationError as e:
        raise ConfigurationError(f"{path}: {e}") from e


def parse(text: str) -> RouterConfig:
    """The configuration in a TOML text; raises ConfigurationError as `load` does."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ConfigurationError(f"not TOML: {e}") from e
    _check(table, "", _ROUTER)
    values = {**table}
    realms = values.pop("realm", [])
    values["realms"] = tuple(_realm(one, f"realm[{i}].") for i, one in enumerate(realms))
    if "listen" in values:
        values["listen"] = tuple(values["listen"])
    if "limits" in values:
        _check(values["limits"], "limits.", _LIMITS)
        values["limits"] = Limits(**values["limits"])
    return RouterConfig(**values)


def _realm(table: dict[str, Any], at: str) -> RealmConfig:
    _check(table, at, _REALM)
    _needed(table, at, "name")
    values = {**table}
    anonymous = values.pop("anonymous", False)
    principals = []
    for i, one in enumerate(values.pop("principal", [])):
        here = f"{at}principal[{i}]."
        _check(one, here, _PRINCIPAL)
        _needed(one, here, "authid")
        principals.append(_principal(one, here))
    roles = []
    for i, one in enumerate(values.pop("role", [])):
        here = f"{at}role[{i}]."
        _check(one, here, _ROLE)
        _needed(one, here, "name")
        _needed(one, here, "allow")
        permissions = []
        for j, entry in enumerate(one["allow"]):
            _check(entry, f"{here}allow[{j}].", _PERMISSION)
            _needed(entry, f"{here}allow[{j}].", "actions")
            permissions.append(Permission(entry.get("uri", ""), frozenset(entry["actions"])))
        roles.append(Role(one["name"], tuple(permissions)))
    trust = _tables(values.pop("trust", []), f"{at}trust", _TRUST, "level", Trust)
    history = _tables(values.pop("history", []), f"{at}history", _HISTORY, "uri", Kept)
    return RealmConfig(
        anonymous={True: "anonymous", False: None}.get(anonymous, anonymous),
        principals=tuple(principals),
        roles=tuple(roles),
        trust=trust,
        history=history,
        **values,
    )


def _principal(table: dict[str, Any], at: str) -> Principal:
    values = {**table}
    for key in ("public_keys", "factors"):
        values[key] = tuple(values.get(key, ()))
    if "scram" in values:
        _check(values["scram"], f"{at}scram.", _SCRAM)
        values["scram"] = Scram(**values["scram"])
    return Principal(**values)


def _tables(
    tables: list[dict[str, Any]], at: str, keys: _Keys, needed: str, kind: Callable[..., T]
) -> tuple[T, ...]:
    made = []
    for i, one in enumerate(tables):
        _check(one, f"{at}[{i}].", keys)
        _needed(one, f"{at}[{i}].", needed)
        made.append(kind(**one))
    return tuple(made)


def _needed(table: dict[str, Any], at: str, key: str) -> None:
    if key not in table:
        raise ConfigurationError(f"key {at}{key} is missing")


def _check(table: dict[str, Any], at: str, keys: _Keys) -> None:
    for key, value in table.items():
        if key not in keys:
            raise ConfigurationError(f"unknown key {at}{key}; known: {', '.join(sorted(keys))}")
        kind = keys[key]
        if isinstance(kind, list):
            _type(f"{at}{key}", value, list)
            for i, item in enumerate(value):
                _type(f"{at}{key}[{i}]", item, kind[0])
        else:
            _type(f"{at}{key}", value, kind)


_WORDS = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def _type(name: str, value: Any, kind: Any) -> None:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if type(value) in kinds or (float in kinds and type(value) is int):
        return
    # A ticket without quotes is a ticket all the same: it is not repeated.
    secret = name.endswith(("ticket", "totp", "secret", "password", "_key"))
    found = "something else" if secret else f"{value!r:.32}"
    raise ConfigurationError(
        f"key {name} is {found}, {' or '.join(_WORDS[one] for one in kinds)} needed"
    )
