"""Roles and their features."""

import inspect
from typing import Any

import core_tables
import pytest

from microwamp import role as _role
from microwamp.exception import LocalProtocolError
from microwamp.message import Hello, Welcome
from microwamp.message._table import FEATURES

# Values of wrong types are given on purpose.
role: Any = _role


@pytest.mark.parametrize("name", FEATURES)
def test_features_of_a_role(name: str) -> None:
    klass = role.ROLE_NAME_TO_CLASS[name]
    assert klass is getattr(role, f"Role{name.title()}Features")
    assert issubclass(klass, role.RoleFeatures) and klass.ROLE == name
    assert list(inspect.signature(klass).parameters) == [*FEATURES[name], "others"]
    assert klass().marshal() == {}
    for feature in FEATURES[name]:
        assert getattr(klass(), feature) is None
        for value in (True, False):
            made = klass(**{feature: value})
            assert getattr(made, feature) is value
            assert made.marshal() == {"features": {feature: value}}
        values: list[Any] = [0, 1, "true", [], {}]
        for wrong in values:
            with pytest.raises(
                LocalProtocolError, match=rf"^{name}\.{feature}: .* true or false expected"
            ):
                klass(**{feature: wrong})


def test_features_that_are_not_known_are_kept() -> None:
    caller = role.RoleCallerFeatures(call_canceling=True, x_new=[1])
    assert caller.unknown == {"x_new": [1]}
    assert caller.marshal() == {"features": {"call_canceling": True, "x_new": [1]}}
    assert caller == role.RoleCallerFeatures(x_new=[1], call_canceling=True)
    assert caller != role.RoleCallerFeatures(call_canceling=True)
    assert caller != role.RoleCalleeFeatures(call_canceling=True, x_new=[1])
    assert caller != caller.marshal()
    assert repr(caller) == "RoleCallerFeatures(call_canceling=True, x_new=[1])"
    with pytest.raises(TypeError):
        hash(caller)


@pytest.mark.parametrize(
    "name",
    ["ROLE", "marshal", "_new", "__class__", "__dict__", "others", "unknown", "self", "", "a b"],
)
def test_any_key_is_only_a_key(name: str) -> None:
    wmsg = [1, "r", {"roles": {"caller": {"features": {name: [1], "call_timeout": True}}}}]
    hello = Hello.parse(wmsg)
    caller: Any = hello.roles["caller"]
    assert caller.unknown == {name: [1]} and caller.call_timeout is True
    assert caller.ROLE == "caller" and caller.others is None
    assert hello.marshal() == wmsg


def test_the_rest_of_a_roles_dictionary_survives() -> None:
    wmsg = [
        2,
        1,
        {
            "roles": {
                "broker": {"features": {"event_history": True}, "x_more": 5},
                "dealer": {"y": 1},
            }
        },
    ]
    welcome = Welcome.parse(wmsg)
    assert welcome.roles["broker"].others == {"x_more": 5}
    assert welcome.marshal() == wmsg


def test_the_default_is_what_the_core_announces() -> None:
    default = role.DEFAULT_CLIENT_ROLES
    assert {name: features.marshal() for name, features in default.items()} == core_tables.roles()
    assert Hello("realm1", default).marshal() == [1, "realm1", {"roles": core_tables.roles()}]
    with pytest.raises(AttributeError, match="NOTHING"):
        role.NOTHING  # noqa: B018
