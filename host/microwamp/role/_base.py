"""What all roles share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from .._text import shown
from ..exception import LocalProtocolError


class RoleFeatures:
    """The features of one role: attributes that are True, False or None (not announced).

    unknown: features that this library does not know. others: keys beside `features` in the
    dictionary of the role. Both are kept as they were received.
    """

    ROLE: ClassVar[str] = ""
    unknown: dict[str, Any] | None = None
    others: dict[str, Any] | None = None

    def __init__(self, **features: Any) -> None:
        """Features by name. LocalProtocolError: a known one that is no boolean."""
        self._take(features)

    @classmethod
    def parse(cls, features: Mapping[str, Any]) -> Self:
        """From the dictionary of features in HELLO or WELCOME, whatever the keys are.

        LocalProtocolError as from the constructor; its text begins `role.feature`.
        """
        made = cls.__new__(cls)
        made._take(features)
        return made

    def _take(self, features: Mapping[str, Any]) -> None:
        known = type(self).__annotations__
        unknown = {}
        for name, value in features.items():
            if name not in known or type(self) is RoleFeatures:
                unknown[name] = value
            elif isinstance(value, bool):
                setattr(self, name, value)
            elif value is not None:
                raise LocalProtocolError(
                    f"{self.ROLE}.{name}: {shown(value)} found, true or false expected"
                )
        if unknown:
            self.unknown = unknown

    def marshal(self) -> dict[str, Any]:
        """The dictionary of this role as it stands in HELLO or WELCOME."""
        known = type(self).__annotations__
        features = {
            name: value
            for name, value in self.__dict__.items()
            if name in known and name not in ("unknown", "others") and value is not None
        }
        features.update(self.unknown or {})
        return {**({"features": features} if features else {}), **(self.others or {})}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RoleFeatures):
            return NotImplemented
        return type(self) is type(other) and self.marshal() == other.marshal()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        said = self.marshal().get("features", {})
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in said.items())})"
