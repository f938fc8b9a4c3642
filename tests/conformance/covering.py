"""Says which part of the API a test is behind; test_api_reference.py reads it from the source."""

from collections.abc import Callable
from typing import TypeVar

_Test = TypeVar("_Test", bound=Callable[..., object])


def covers(*names: str) -> Callable[[_Test], _Test]:
    """names: as in api_reference.json, `module.Class` or `module.Class.member`; * is allowed."""
    assert names

    def same(test: _Test) -> _Test:
        return test

    return same
