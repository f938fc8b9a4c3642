"""The API against its reference: names, signatures, constants, and a test behind each of them.

api_reference.json holds the facts of the autobahn.wamp reference: names, parameters with their
defaults, constants. What it says nothing about is behaviour; that each class and member has a test
of it is what `covers` in the test files says, and the last test here checks.
"""

import ast
import importlib
import inspect
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
# Modules of the reference that are there; a new one is added with its code.
MODULES = (
    "message",
    "types",
    "request",
    "exception",
    "interfaces",
    "serializer",
    "auth",
    "cryptosign",
    "cryptobox",
)
REFERENCE: dict[str, dict[str, Any]] = {
    name: entry
    for name, entry in json.loads((HERE / "api_reference.json").read_text()).items()
    if name.split(".")[0] in MODULES
}


def look_up(name: str) -> Any:
    module, _, rest = name.partition(".")
    return getattr(importlib.import_module(f"microwamp.{module}"), rest)


def check_parameters(wanted: list[list[Any]], thing: Any) -> None:
    """The reference's parameters are there, in order, with equal defaults; more may follow."""
    stars: dict[Any, str] = {
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
    }
    have = {
        stars.get(parameter.kind, "") + name: parameter.default
        for name, parameter in inspect.signature(thing).parameters.items()
    }
    have.pop("self", None)
    positions = [list(have).index(name) for name, _ in wanted]
    assert positions == sorted(positions)
    for name, default in wanted:
        if default is not None:
            assert have[name] == ast.literal_eval(default), name


@pytest.mark.parametrize("name", REFERENCE)
def test_names_signatures_and_constants(name: str) -> None:
    entry = REFERENCE[name]
    thing = look_up(name)
    if entry["kind"] == "function":
        assert inspect.isroutine(thing)
    else:
        assert inspect.isclass(thing)
        assert issubclass(thing, Exception) == (entry["kind"] == "exception")
    assert inspect.getdoc(thing), "no documentation"
    if "parameters" in entry:
        check_parameters(entry["parameters"], thing)
    for member, facts in entry.get("members", {}).items():
        static = inspect.getattr_static(thing, member)
        if "value" in facts:
            assert getattr(thing, member) == facts["value"]
        elif "property" in facts["kind"]:
            assert isinstance(static, property)
            assert inspect.getdoc(static), f"{member} has no documentation"
        elif "parameters" in facts:
            check_parameters(facts["parameters"], getattr(thing, member))
            assert inspect.getdoc(static), f"{member} has no documentation"
        if "static" in facts["kind"]:
            assert isinstance(static, staticmethod)


def test_messages_in_the_reference_have_their_own_parameters_first() -> None:
    """A positional argument means what it means in the reference."""
    for name, entry in REFERENCE.items():
        if name.startswith(("message.", "types.")) and "parameters" in entry:
            names = [n for n in inspect.signature(look_up(name)).parameters if n != "self"]
            wanted = [n.lstrip("*") for n, _ in entry["parameters"]]
            assert names[: len(wanted)] == wanted, name


def covered() -> Iterator[str]:
    """What the tests of this folder say they cover: the arguments of their `covers` decorators."""
    for path in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for decorator in node.decorator_list:
                    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "covers":
                        yield from (ast.literal_eval(argument) for argument in decorator.args)


def fits(name: str, pattern: str) -> bool:
    """Whether a pattern means a name; * stands for one part between dots, or for some of it."""
    parts, wanted = name.split("."), pattern.split(".")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def test_each_name_has_a_test() -> None:
    patterns = set(covered())
    names = set(REFERENCE)
    for name, entry in REFERENCE.items():
        names |= {f"{name}.{member}" for member in entry.get("members", {})}
    without = sorted(n for n in names if not any(fits(n, p) for p in patterns))
    assert not without, f"no test behind {', '.join(without)}"
    unknown = sorted(p for p in patterns if not any(fits(n, p) for n in names))
    assert not [p for p in unknown if p.split(".")[0] in MODULES], "tests of what is not there"
