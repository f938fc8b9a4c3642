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

    def _take(self, given: dict[str, Any]) -> None:
        """Check the parameters of the constructor, its `locals()`, and take them over."""
        for name in self.FIELDS:
            if name in given:
                self._fit(name, given[name])
                setattr(self, name, given[name])

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


def checked(name: str, doc: str) -> Any:
    """A property for a field of a Record: what it is set to is checked."""

    def get(record: Record) -> Any:
        return record.__dict__["_" + name]

    def put(record: Record, value: Any) -> None:
        record._fit(name, value)
        record.__dict__["_" + name] = value

    return property(get, put, doc=doc)
