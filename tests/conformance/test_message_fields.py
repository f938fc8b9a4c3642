"""Every field of every message, from the table: missing, superfluous, of the wrong type or range.

Each is one ProtocolError that names message and field, and never another exception.
"""

import random
from copy import deepcopy
from typing import Any

import pytest
from covering import covers
from message_samples import (
    BAD,
    BAD_ARGS,
    BAD_KWARGS,
    GOOD,
    element,
    full,
    holder,
    least,
    name_of,
    plain_options,
)

from microwamp import message as _message
from microwamp.exception import LocalProtocolError, ProtocolError, RemoteProtocolError
from microwamp.message._table import PASSTHRU, ROWS, Row

# Values of wrong types are given on purpose.
message: Any = _message
ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def refused(row: Row, wmsg: Any, where: str) -> None:
    """The message is refused, and the error names message and field."""
    klass = getattr(message, row.name)
    for parse in (klass.parse, message.Message.parse):
        with pytest.raises(RemoteProtocolError) as caught:
            parse(wmsg)
        text = str(caught.value)
        assert text.startswith(f"{name_of(row)}.{where}"), text
        assert "expected" in text
        assert len(text) < 400


@ROW
@covers("message.*.parse", "message.*.marshal", "message.*.MESSAGE_TYPE")
def test_the_shortest_and_the_fullest_message_survive(row: Row) -> None:
    klass = getattr(message, row.name)
    assert klass.MESSAGE_TYPE == row.code
    assert klass.parse(least(row)).marshal() == least(row)
    parsed = klass.parse(full(row))
    assert type(parsed) is klass
    assert parsed.marshal() == full(row)
    for option in plain_options(row):
        if not option.kind.endswith("roles"):
            assert getattr(parsed, option.name) == GOOD[option.kind]
    for part in row.elements:
        if part is not holder(row):
            assert getattr(parsed, part.name) == GOOD[part.kind]


@ROW
def test_absent_options_are_none(row: Row) -> None:
    parsed = getattr(message, row.name).parse(least(row))
    for option in row.options:
        if not option.kind.endswith("roles"):
            assert getattr(parsed, option.name) == option.default


@ROW
def test_an_element_of_the_wrong_type_or_range(row: Row) -> None:
    for part in row.elements:
        if part.name in ("args", "kwargs"):
            continue
        for value in BAD[part.kind]:
            if part is holder(row) and value == {}:
                continue
            wmsg = full(row)
            wmsg[element(row, part.name)] = value
            refused(row, wmsg, part.name)


@ROW
def test_arguments_of_the_wrong_type(row: Row) -> None:
    if not row.payload:
        return
    for value in BAD_ARGS + ([] if row.passthru else [b"octets"]):
        wmsg = full(row)
        wmsg[element(row, "args")] = value
        refused(row, wmsg, "args")
    for value in BAD_KWARGS:
        wmsg = full(row)
        wmsg[element(row, "kwargs")] = value
        refused(row, wmsg, "kwargs")


@ROW
def test_an_option_of_the_wrong_type_or_range(row: Row) -> None:
    held = holder(row)
    for option in row.options:
        assert held is not None
        for value in BAD[option.kind]:
            wmsg = full(row)
            wmsg[element(row, held.name)][option.key] = value
            where = f"{held.name}.{option.key}"
            # The topic or procedure no longer fits a match that is wrong: the match is named.
            refused(row, wmsg, where)


@ROW
def test_keys_of_options_that_are_no_strings(row: Row) -> None:
    held = holder(row)
    if held is None:
        return
    for key in (1, None, b"match", (1,), True):
        wmsg = full(row)
        wmsg[element(row, held.name)][key] = 1
        refused(row, wmsg, held.name)


@ROW
def test_a_missing_element(row: Row) -> None:
    required = [part.name for part in row.elements if part.required]
    for index, name in enumerate(required):
        refused(row, least(row)[: index + 1], name)


@ROW
def test_a_superfluous_element(row: Row) -> None:
    wmsg = [*full(row), None]
    with pytest.raises(RemoteProtocolError, match=f"^{name_of(row)}: {len(wmsg)} elements found"):
        getattr(message, row.name).parse(wmsg)


@ROW
def test_what_is_not_this_message(row: Row) -> None:
    klass = getattr(message, row.name)
    bad: list[Any] = [None, (), (row.code,), {}, "x", b"x", 5]
    bad += [[], [None], [float(row.code)], [-1], [[]]]
    for wmsg in bad:
        with pytest.raises(RemoteProtocolError, match=f"^{name_of(row)}"):
            klass.parse(wmsg)
    codes: list[Any] = [True, 0, 7, 256, 1024, 2**64, str(row.code)]
    for code in codes:
        wmsg = least(row)
        wmsg[0] = code
        with pytest.raises(RemoteProtocolError, match=f"^{name_of(row)}: code"):
            klass.parse(wmsg)


@covers("message.Message.parse")
def test_a_code_that_no_message_has() -> None:
    bad: list[Any] = [[0], [7, 1], [True, "realm1", {}], ["1"], [None], [], None, {}, [[1]], [{}]]
    for wmsg in bad:
        with pytest.raises(RemoteProtocolError, match="^message: "):
            message.Message.parse(wmsg)


def arguments(row: Row) -> dict[str, Any]:
    """Constructor keywords for a full message."""
    given = {p.name: GOOD[p.kind] for p in row.elements if p is not holder(row)}
    return deepcopy(given | {o.name: GOOD[o.kind] for o in plain_options(row)})


@ROW
@covers("message.[A-Z]*")
def test_the_constructor_makes_what_parse_makes(row: Row) -> None:
    klass = getattr(message, row.name)
    made = klass(**arguments(row))
    assert made.marshal() == full(row)
    assert made == klass.parse(full(row))
    assert repr(made) == repr(klass.parse(full(row)))


@ROW
def test_the_constructor_names_what_does_not_fit(row: Row) -> None:
    klass = getattr(message, row.name)
    parts = [(part.name, part.kind, part.required) for part in row.elements]
    parts += [(option.name, option.kind, False) for option in row.options]
    for name, kind, required in parts:
        if name in ("options", "details", "args", "kwargs"):
            continue
        for value in BAD[kind]:
            if value is None and (not required or row.defaults.get(name) == "None"):
                continue
            given = arguments(row)
            if name.startswith(("enc_", "ppt_")):
                if name in ("enc_algo", "ppt_scheme") and value in ("", "cryptobox"):
                    continue  # nothing, and a word for x_cryptobox
                del given["args"], given["kwargs"]
                given["payload"] = b"octets"
                if not name.endswith(("algo", "scheme")):
                    given["enc_algo" if name.startswith("enc_") else "ppt_scheme"] = "x_some"
            given[name] = value
            with pytest.raises(LocalProtocolError, match=name_of(row)) as caught:
                klass(**given)
            assert name in str(caught.value)


@ROW
def test_the_constructor_needs_what_the_message_needs(row: Row) -> None:
    klass = getattr(message, row.name)
    for part in row.elements:
        if not part.required or part is holder(row) or row.defaults.get(part.name, "x") != "x":
            continue
        given = arguments(row)
        del given[part.name]
        with pytest.raises(TypeError, match=part.name):
            klass(**given)


def test_publish_and_event_need_their_elements_too() -> None:
    for klass, name in ((message.Publish, "request"), (message.Event, "subscription")):
        with pytest.raises(LocalProtocolError, match=rf"\.{name}: None given"):
            klass()
    with pytest.raises(LocalProtocolError, match=r"PUBLISH\.topic: None given"):
        message.Publish(1)
    with pytest.raises(LocalProtocolError, match=r"EVENT\.publication: None given"):
        message.Event(1)


@ROW
def test_nothing_but_protocol_errors(row: Row) -> None:
    """Valid messages with parts exchanged, deleted, added, at random (the seed is the code)."""
    chance = random.Random(row.code)
    junk = [value for values in BAD.values() for value in values] + list(GOOD.values())
    junk += [float("nan"), object(), [[]] * 3, {"a": {1: 2}}, "\0", "\ud800", b"", 2**63, -1]
    keys = [option.key for option in PASSTHRU] + ["x_new", "", 5]
    refused_ones = 0
    for _ in range(1500):
        wmsg = full(row)
        for _ in range(chance.randint(1, 3)):
            what = chance.random()
            at = chance.randrange(len(wmsg)) if wmsg else 0
            if what < 0.5 and wmsg:
                wmsg[at] = deepcopy(chance.choice(junk))
            elif what < 0.6:
                wmsg.insert(at, deepcopy(chance.choice(junk)))
            elif what < 0.7 and wmsg:
                del wmsg[at]
            else:
                for part in wmsg:
                    if type(part) is dict:
                        part[chance.choice([*part, *keys])] = deepcopy(chance.choice(junk))
        try:
            parsed = message.Message.parse(wmsg)
        except ProtocolError as error:
            refused_ones += 1
            assert len(str(error)) < 600
        else:
            again = type(parsed).parse(parsed.marshal())
            assert again.marshal() == parsed.marshal() or "nan" in repr(parsed)
    assert 300 < refused_ones < 1500
