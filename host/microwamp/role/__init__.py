"""Roles of WAMP peers and the features they announce (WAMP advanced profile)."""

from typing import Any

from ._base import RoleFeatures
from ._generated import (
    RoleBrokerFeatures,
    RoleCalleeFeatures,
    RoleCallerFeatures,
    RoleDealerFeatures,
    RolePublisherFeatures,
    RoleSubscriberFeatures,
)

__all__ = [
    "DEFAULT_CLIENT_ROLES",
    "ROLE_NAME_TO_CLASS",
    "RoleBrokerFeatures",
    "RoleCalleeFeatures",
    "RoleCallerFeatures",
    "RoleDealerFeatures",
    "RoleFeatures",
    "RolePublisherFeatures",
    "RoleSubscriberFeatures",
]

ROLE_NAME_TO_CLASS: dict[str, type[RoleFeatures]] = {
    "broker": RoleBrokerFeatures,
    "subscriber": RoleSubscriberFeatures,
    "publisher": RolePublisherFeatures,
    "dealer": RoleDealerFeatures,
    "caller": RoleCallerFeatures,
    "callee": RoleCalleeFeatures,
}
# What the core's session announces in HELLO; made when it is asked for.
DEFAULT_CLIENT_ROLES: dict[str, RoleFeatures]


def __getattr__(name: str) -> Any:
    if name == "DEFAULT_CLIENT_ROLES":
        from wamp.tables import roles

        return {
            role: ROLE_NAME_TO_CLASS[role](**details.get("features", {}))
            for role, details in roles().items()
        }
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
