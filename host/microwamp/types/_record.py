"""What the types share: named fields that are checked, compared and shown."""

from __future__ import annotations

from typing import Any, ClassVar

from ..message._base import brief
from ..message._check import Kind, misuse


class Record:
    """Base: FIELDS maps each field to its kind; None always fits, as "not given".

    LocalProtocolError names a field whose value does not fit. Records with equal fields are equal.
    """

    FIELDS: ClassVar[dict[str, Kind]] = {}

    def _set(self, **values: Any) -> None:
        """Check the values by their kinds and take them over."""
        for name, value in values.items():
            self._fit(name, value)
            setattr(self, name, value)

    def _fit(self, name: str, value: Any) -> None:
        kind = self.FIELDS.get(name)
        if kind is not None and value is not None and not kind[0](value):
            raise misuse(type(self).__name__, name, value, kind[1])

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.FIELDS)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        values = ((name, getattr(self, name)) for name in self.FIELDS)
        said = ", ".join(f"{name}={brief(value)}" for name, value in values if value is not None)
        return f"{type(self).__name__}({said})"
