"""The roles in HELLO and WELCOME: from the wire, from the user, to the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exception import LocalProtocolError, ProtocolError, RemoteProtocolError
from ..role import ROLE_NAME_TO_CLASS, RoleFeatures
from ._check import is_dict, misuse, unfit

CLIENT = ("subscriber", "publisher", "caller", "callee")
ROUTER = ("broker", "dealer")


def read_roles(name: str, roles: Any, names: tuple[str, ...]) -> dict[str, RoleFeatures]:
    """Role name to features, as received; name: of the message, names: of roles it may have."""
    where = "details.roles"
    expected = "a dictionary with at least one of " + ", ".join(names)
    if not is_dict(roles) or not roles:
        raise unfit(name, where, roles, expected)
    found = {}
    for role, details in roles.items():
        if role not in names:
            raise unfit(name, where, role, "one of " + ", ".join(names))
        features: Any = details.get("features", {}) if is_dict(details) else None
        if not is_dict(features):
            raise unfit(name, f"{where}.{role}", details, "a dictionary (with features in it)")
        try:
            found[role] = ROLE_NAME_TO_CLASS[role].parse(features)
        except LocalProtocolError as error:
            raise RemoteProtocolError(f"{name}.{where}.{error}") from None
        if len(details) > 1 or (details and "features" not in details):
            found[role].others = {k: v for k, v in details.items() if k != "features"}
    return found


def own_roles(
    name: str, roles: Mapping[str, RoleFeatures | Mapping[str, Any]], names: tuple[str, ...]
) -> dict[str, RoleFeatures]:
    """Role name to features, as given: features, or what goes on the wire."""
    if not isinstance(roles, Mapping):
        raise misuse(name, "roles", roles, "a dictionary of roles")
    wire = {
        role: value.marshal() if isinstance(value, RoleFeatures) else value
        for role, value in roles.items()
    }
    try:
        return read_roles(name, wire, names)
    except ProtocolError as error:
        raise LocalProtocolError(str(error)) from None


def roles_on_wire(roles: Mapping[str, RoleFeatures]) -> dict[str, Any]:
    """The `roles` of HELLO or WELCOME as they are sent."""
    return {role: features.marshal() for role, features in roles.items()}
