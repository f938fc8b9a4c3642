"""Constants of the device library that repeat what stands in a table; declarations that do.

On a board a name in a table costs memory in every module that uses it, a constant none: so the
modules repeat numbers as `_NAME = const(number)`. Each is compared with the table here.
"""

import ast
from pathlib import Path

import pytest

from wamp import messages, rawsocket, session, tables
from wamp.options import call_flags

WAMP = Path(__file__).parents[2] / "firmware" / "lib" / "wamp"

# Modules that speak of messages, reports and states; in the others a name may mean another thing.
SPEAKERS = (
    "session",
    "seldom",
    "joining",
    "passthru",
    "client",
    "declarations",
    "progress",
    "messages",
    "_declared",
    "_line",
    "outbox",
)


def constants(path: Path) -> dict[str, int]:
    """The constants of a module: names without the underscore, and their numbers."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Name)
            and node.value.func.id == "const"
        ):
            (target,) = node.targets
            assert isinstance(target, ast.Name)
            assert target.id.startswith("_"), f"{path.name}: {target.id} keeps its name on a board"
            (value,) = node.value.args
            if isinstance(value, ast.Constant) and type(value.value) is int:
                found[target.id[1:]] = value.value
    return found


@pytest.mark.parametrize("module", SPEAKERS)
def test_constants_are_those_of_the_table(module: str) -> None:
    path = WAMP / f"{module}.py"
    for name, value in constants(path).items():
        for table in (tables, rawsocket):
            known = getattr(table, name, value)
            assert known == value, f"{path.name}: _{name} is {value}, the table has {known}"


def test_the_session_has_all_of_them() -> None:
    found = {}
    for module in ("session", "joining", "seldom"):
        found.update(constants(WAMP / f"{module}.py"))
    reports = (
        *("CHALLENGED", "JOINED", "ENDED", "DONE", "ANSWERED", "FAILED", "HAPPENED"),
        *("INVOKED", "INTERRUPTED", "REVOKED", "PROGRESSED", "CONTINUED"),
    )
    states = ("CLOSED", "JOINING", "ESTABLISHED", "SHUTTING_DOWN")
    heard = [entry[0] for entry in tables.LAYOUT.values()]
    for name in (*reports, *states, *heard):
        assert found[name] == getattr(tables, name) == getattr(session, name), name
    assert len({found[name] for name in reports}) == len(reports)


def test_every_letter_of_a_kind_has_its_name() -> None:
    found = constants(WAMP / "messages.py")
    letters = {kind for kinds in messages.KINDS.values() for kind in kinds[1:]}
    assert letters == {value for value in found.values() if 0x61 <= value <= 0x7A}
    for kinds in messages.KINDS.values():
        assert kinds[0] < len(kinds)


def test_flags_of_calls_are_those_of_the_session() -> None:
    # options.call_flags gives them to a session as numbers.
    found = constants(WAMP / "session.py")
    rare = constants(WAMP / "seldom.py")
    assert {name: rare[name] for name in ("WANTED", "OPEN", "STOPPED")}.items() <= found.items()
    able = session.Protocol(lambda message: None)
    able.details = {"roles": {"dealer": {"features": {"progressive_call_invocations": True}}}}
    for receive in (False, True):
        for progress in (False, True):
            flags = call_flags(able, {"receive_progress": receive, "progress": progress})
            wanted = (receive and found["WANTED"]) | (progress and found["OPEN"])
            assert flags == wanted, (receive, progress)


def signatures(stub: Path) -> dict[str, str]:
    """Every function of a stub, methods too: its arguments but the first, and what it returns."""
    found = {}
    for node in ast.walk(ast.parse(stub.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            del node.args.args[:1]
            found[node.name] = ast.unparse(node.args) + " -> " + ast.unparse(node.returns or node)
    return found


def test_seldom_is_declared_as_in_the_session() -> None:
    # stubtest cannot see these methods of Protocol, which are found when they are used.
    seldom = signatures(WAMP / "seldom.pyi")
    declared = signatures(WAMP / "session.pyi")
    internal = {"heard", "revoked", "invoked", "failed"}
    assert internal < set(seldom)
    joining = signatures(WAMP / "joining.pyi")
    seldom |= {name: joining[name] for name in ("join", "authenticate")}
    for name in set(seldom) - internal:
        assert declared[name] == seldom[name], name
    methods = {name for name in dir(session.Protocol) if not name.startswith("_")}
    assert {name for name in declared if not name.startswith("_")} - methods == (
        set(seldom) - internal | {"method", "hello", "welcome"}
    )
