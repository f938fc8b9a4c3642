"""Every login over every transport against crossbar.io, and what a session can do then.

The device is tests/programs/device.py in a process of its own; this process is its counterpart
on the host, directly connected and anonymous.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from devices import LIMIT_S, LOGINS, TRANSPORTS, Device, Lines, bridged, joined, running, url_of

import wamp
from microwamp_rig import crossbar as xb
from microwamp_rig.crossbar import CrossbarNode
from wamp.errors import ApplicationError

ROWS = [(transport, login) for transport in TRANSPORTS for login in LOGINS]


@pytest.fixture(scope="module")
def lines(crossbar: CrossbarNode) -> Iterator[Lines]:
    with bridged(crossbar.unix_url, 2) as found:
        yield found


@pytest.fixture(scope="module", params=ROWS, ids=["-".join(row) for row in ROWS])
def device(
    request: pytest.FixtureRequest, crossbar: CrossbarNode, lines: Lines
) -> Iterator[Device]:
    """One device for all tests of a row; it takes messages of 128 KiB."""
    with joined(crossbar, lines, *request.param, max_length=131072) as found:
        yield found


@asynccontextmanager
async def host(node: CrossbarNode, **options: Any) -> AsyncIterator[wamp.Client]:
    async with wamp.Client(node.url, timeout_ms=int(LIMIT_S * 1000), **options) as client:
        yield client


async def heard(device: Device, client: wamp.Client, count: int) -> list[Any]:
    """What the device heard, once it is that much."""
    found: list[Any] = []
    async with asyncio.timeout(LIMIT_S):
        while len(found) < count:
            found += await device.ask(client, "heard")
    return found


async def test_join(device, crossbar):
    async with host(crossbar) as client:
        about = await device.ask(client, "about")
    details = about["details"]
    arguments, authid, role = LOGINS[device.login]
    assert details["authmethod"] == arguments[0]
    assert details["authrole"] == role
    assert authid is None or details["authid"] == authid
    assert details["realm"] == xb.REALM
    channel, _, python = device.transport.partition("-")
    assert about["channel"] == f"{channel}-rawsocket-cbor"
    assert about["python"] == {"unix": "micropython"}.get(python, python)
    assert (about["joins"], about["failures"]) == (1, 0)


# args, kwargs
PAYLOADS: list[tuple[list[Any], dict[str, Any]]] = [
    ([], {}),
    ([1], {}),
    ([None], {}),
    ([1, "zwei", 3.5, b"\x00\xff", [True, None, {"k": [2**53, -1]}]], {}),
    ([], {"unit": "°C"}),
    ([-1, ""], {"a": [], "b": {}}),
]


async def test_the_device_is_called(device, crossbar):
    async with host(crossbar) as client:
        for args, kwargs in PAYLOADS:
            result = await client.call(f"{device.prefix}.echo", *args, kwargs=kwargs)
            if kwargs or len(args) > 1:
                assert result == wamp.Result(*args, **kwargs)
            else:
                assert result == (args[0] if args else None)


async def test_the_device_calls(device, crossbar):
    procedure = f"{device.prefix}.host.echo"
    async with host(crossbar) as client:
        client.register(procedure, lambda *args, **kwargs: wamp.Result(*args, **kwargs))
        await client.register(f"{procedure}.none", lambda: None).confirmed()
        for args, kwargs in PAYLOADS:
            came = await device.ask(client, "call", procedure, args, kwargs)
            if kwargs or len(args) > 1:
                assert came == {"args": args, "kwargs": kwargs}
            else:
                assert came == {"value": args[0] if args else None}
        assert await device.ask(client, "call", f"{procedure}.none", [], {}) == {"value": None}


async def test_the_device_hears(device, crossbar):
    async with host(crossbar) as client:
        await device.ask(client, "heard")
        for args, kwargs in PAYLOADS:
            done = await client.publish(
                f"{device.prefix}.news", *args, kwargs=kwargs, acknowledge=True
            )
            assert done
        assert await heard(device, client, len(PAYLOADS)) == [[a, k] for a, k in PAYLOADS]


@pytest.mark.parametrize("acknowledge", [True, False], ids=["acknowledged", "plain"])
async def test_the_device_publishes(device, crossbar, acknowledge):
    topic = f"{device.prefix}.data"
    found: list[Any] = []
    async with host(crossbar) as client:
        one = client.subscribe(topic, lambda *args, **kwargs: found.append((list(args), kwargs)))
        await one.confirmed()
        for args, kwargs in PAYLOADS:
            done = await device.ask(client, "publish", topic, args, kwargs, acknowledge)
            assert (done["publication"] is not None) == acknowledge
        async with asyncio.timeout(LIMIT_S):
            while len(found) < len(PAYLOADS):
                await asyncio.sleep(0.005)
    assert found == PAYLOADS


async def test_errors_of_the_device(device, crossbar):
    async with host(crossbar) as client:
        for args, kwargs in PAYLOADS:
            with pytest.raises(ApplicationError) as raised:
                await client.call(f"{device.prefix}.fail", *args, kwargs=kwargs)
            assert raised.value.error == "com.test.failed"
            assert list(raised.value.args) == args
            assert raised.value.kwargs == kwargs
        with pytest.raises(ApplicationError, match="IndexError") as raised:
            await device.ask(client, "crash")
        assert raised.value.error == "wamp.error.runtime_error"


async def test_errors_for_the_device(device, crossbar):
    procedure = f"{device.prefix}.host.fail"

    def fail(*args: Any, **kwargs: Any) -> None:
        error = ApplicationError("com.test.refused", *args)
        error.kwargs = kwargs
        raise error

    async with host(crossbar) as client:
        await client.register(procedure, fail).confirmed()
        for args, kwargs in PAYLOADS:
            assert await device.ask(client, "call", procedure, args, kwargs) == {
                "type": "ApplicationError",
                "error": "com.test.refused",
                "args": args,
                "kwargs": kwargs,
            }
        came = await device.ask(client, "call", f"{device.prefix}.nobody", [], {})
        assert came["error"] == "wamp.error.no_such_procedure"


async def test_what_is_taken_back_is_gone_and_can_be_declared_again(device, crossbar):
    async with host(crossbar) as client:
        for n in range(2):
            with pytest.raises(ApplicationError, match="no_such_procedure"):
                await device.ask(client, "extra")
            await device.ask(client, "declare")
            assert await device.ask(client, "extra", n) == n
            await client.publish(f"{device.prefix}.extra.news", n, acknowledge=True)
            assert await heard(device, client, 1) == [[[n], {}]]
            await device.ask(client, "remove")
            await client.publish(f"{device.prefix}.extra.news", "late", acknowledge=True)
        # An event that comes after a later one has not come at all.
        await client.publish(f"{device.prefix}.news", "last", acknowledge=True)
        assert await heard(device, client, 1) == [[["last"], {}]]


async def test_64_kib_both_ways(device, crossbar):
    octets = os.urandom(65536)
    topic = f"{device.prefix}.host.long"
    found: list[bytes] = []
    async with host(crossbar) as client:
        await client.subscribe(topic, found.append).confirmed()
        client.register(topic, lambda octets: octets[::-1])
        assert await device.ask(client, "echo", octets) == octets
        assert await device.ask(client, "publish", topic, [octets], {}, True)
        async with asyncio.timeout(LIMIT_S):
            while not found:
                await asyncio.sleep(0.005)
        assert found == [octets]
        came = await device.ask(client, "call", topic, [octets], {})
        assert came["value"] == octets[::-1]


async def test_what_the_role_may_not_do_is_refused(device, crossbar):
    """Acknowledged, the device learns of it; unacknowledged, nobody does, and nothing comes."""
    topic = xb.FORBIDDEN + ".news"
    found: list[Any] = []
    async with host(crossbar) as client:
        await client.subscribe(topic, found.append).confirmed()
        done = await device.ask(client, "publish", topic, ["acknowledged"], {}, True)
        if device.login == "restricted":
            assert done["type"] == "ApplicationError"
            assert done["error"] == "wamp.error.not_authorized"
        else:
            assert done["publication"]
        assert await device.ask(client, "publish", topic, ["plain"], {}, False) == {
            "publication": None
        }
        # Behind it on the same ways.
        last = f"{device.prefix}.last"
        await client.subscribe(last, lambda: found.append("last")).confirmed()
        await device.ask(client, "publish", last, [], {}, True)
        async with asyncio.timeout(LIMIT_S):
            while "last" not in found:
                await asyncio.sleep(0.005)
    allowed = [] if device.login == "restricted" else ["acknowledged", "plain"]
    assert found == [*allowed, "last"]


async def test_many_at_once(device, crossbar):
    """Calls in both directions that overlap."""
    procedure = f"{device.prefix}.host.add"

    async def add(a: int, b: int) -> int:
        await asyncio.sleep(0)
        return a + b

    async with host(crossbar) as client:
        await client.register(procedure, add).confirmed()
        calls = [device.ask(client, "call", procedure, [n, 1], {}) for n in range(30)]
        echoes = [device.ask(client, "echo", n) for n in range(30)]
        results = await asyncio.gather(*calls, *echoes)
    assert results == [{"value": n + 1} for n in range(30)] + list(range(30))


# -- logins that fail -----------------------------------------------------------------------------

WRONG_KEY = bytes(32).hex()

DENIED = "SessionAborted: wamp.error.not_authorized: "

# what is wrong, login, options, words that the device prints
WRONG: list[tuple[str, list[str], dict[str, Any], str]] = [
    (
        "key",
        ["cryptosign", WRONG_KEY, xb.CRYPTOSIGN_AUTHID],
        {},
        DENIED + "extra.pubkey provided does not match",
    ),
    ("authid", ["cryptosign", WRONG_KEY, "mallory"], {}, DENIED + "no principal with authid"),
    ("ticket", ["ticket", xb.TICKET_AUTHID, "wrong"], {}, DENIED + "ticket .* is invalid"),
    ("secret", ["wampcra", xb.CRA_AUTHID, "wrong"], {}, DENIED + "WAMP-CRA .* is invalid"),
    (
        "salted secret",
        ["wampcra", xb.CRA_SALTED_AUTHID, "wrong"],
        {},
        DENIED + "WAMP-CRA .* is invalid",
    ),
    (
        "realm",
        LOGINS["cryptosign"][0],
        {"realm": "nowhere"},
        'SessionAborted: wamp.error.no_such_realm: no realm "nowhere" exists',
    ),
    (
        "method",
        ["anonymous"],
        {"realm": xb.REALM},
        "SessionAborted: wamp.error.",
    ),
]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_wrong_logins_are_refused_in_one_sentence(transport, crossbar, lines):
    """By the router's own words, and the program ends instead of hanging."""
    for what, login, options, words in WRONG:
        serial = transport.startswith("serial")
        if what == "method" and serial:
            continue  # behind the bridge is a Unix socket that lets anonymous in
        settings = {
            "login": login,
            "prefix": "com.test.wrong",
            "options": {"reconnect": False, **options},
        }
        with lines.line() as pty:
            url = f"serial:fd/{pty.fd}" if serial else url_of(crossbar, "ticket")
            with running(transport, url, settings, pty if serial else None) as program:
                program.expect(f"^failed {words}", LIMIT_S)
                assert program.wait() == 1, what
                assert not any("Traceback" in line for line in program.lines), program.lines


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_ticket_is_not_sent_in_clear_unless_that_is_allowed(transport, crossbar, lines):
    settings = {"login": ["private ticket", xb.TICKET_AUTHID, xb.TICKET], "prefix": "com.test.x"}
    with lines.line() as pty:
        serial = transport.startswith("serial")
        url = f"serial:fd/{pty.fd}" if serial else crossbar.auth_url
        with running(transport, url, settings, pty if serial else None) as program:
            program.expect("^failed ConfigurationError: ticket would send its secret in clear")
            assert program.wait() == 1
