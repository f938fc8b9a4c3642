"""What all roles share."""

from __future__ import annotations

from typing import Any, ClassVar

from ..exception import LocalProtocolError


class RoleFeatures:
    """The features of one role: attributes that are True, False or None (not announced).

    others: keys beside `features` in the dictionary of the role, as received.
    """

    ROLE: ClassVar[str] = ""
    others: dict[str, Any] | None = None

    def __init__(self, **features: Any) -> None:
        """Features by name, also ones that are not known; those known are booleans.

        LocalProtocolError: a known feature that is no boolean; its text begins `role.feature`.
        """
        for name, value in features.items():
            if value is None:
                continue
            if name.startswith("_") or name in ("others", "marshal", "ROLE"):
                raise LocalProtocolError(f"{self.ROLE}.{name}: not the name of a feature")
            if name in self._known() and not isinstance(value, bool):
                raise LocalProtocolError(f"{self.ROLE}.{name}: {value!r:.40}, not a boolean")
            setattr(self, name, value)

    @classmethod
    def _known(cls) -> dict[str, Any]:
        return cls.__annotations__

    def marshal(self) -> dict[str, Any]:
        """The dictionary of this role as it stands in HELLO or WELCOME."""
        features = {name: value for name, value in self.__dict__.items() if name != "others"}
        return {**({"features": features} if features else {}), **(self.others or {})}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RoleFeatures):
            return NotImplemented
        return type(self) is type(other) and self.marshal() == other.marshal()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        said = self.marshal().get("features", {})
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in said.items())})"
