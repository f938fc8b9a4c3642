"""Options and details of requests, through `Session` with crossbar.io and the embedded router."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sessions import LIMIT_S, REALM, Told, close, joined, until

from microwamp.exception import ApplicationError
from microwamp.router import RealmConfig, Router, RouterConfig
from microwamp.types import (
    CallDetails,
    CallOptions,
    EventDetails,
    PublishOptions,
    RegisterOptions,
    SubscribeOptions,
)
from microwamp_rig.crossbar import CrossbarNode


@pytest.fixture(params=("embedded", "crossbar"))
def router(request: pytest.FixtureRequest) -> Any:
    """An asynchronous context manager of a router's URL."""
    if request.param == "crossbar":
        node: CrossbarNode = request.getfixturevalue("crossbar")

        @asynccontextmanager
        async def of_crossbar() -> AsyncIterator[str]:
            yield node.url

        return of_crossbar

    @asynccontextmanager
    async def embedded() -> AsyncIterator[str]:
        realm = RealmConfig(REALM, anonymous="anonymous", disclose=True)
        config = RouterConfig((realm,), listen=("rs://127.0.0.1:0",))
        async with Router(config, lambda *_: None) as found:
            yield found.urls[0]

    return embedded


class Heard:
    """What a subscription heard, with its details."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, EventDetails]] = []

    def __call__(self, value: Any, details: EventDetails) -> None:
        self.events.append((value, details))

    @property
    def values(self) -> list[Any]:
        return [value for value, _ in self.events]


async def published(session: Told, topic: str, value: Any, **options: Any) -> Any:
    wanted = PublishOptions(acknowledge=True, **options)
    return await session.publish(topic, value, options=wanted)


async def test_who_hears_a_publication(router: Any) -> None:
    async with router() as url:
        one, two, three = [await joined(url) for _ in range(3)]
        heard = [Heard() for _ in range(3)]
        topic = "com.example.options.who"
        for session, found in zip((one, two, three), heard, strict=True):
            await session.subscribe(found, topic, SubscribeOptions(details=True))
        two_details = two.session_details
        assert two_details is not None
        await published(one, topic, "default")
        await published(one, topic, "me too", exclude_me=False)
        await published(one, topic, "not two", exclude=two.session_id)
        await published(one, topic, "only three", eligible=[three.session_id])
        await published(one, topic, "not by authid", exclude_authid=two_details.authid)
        await published(one, topic, "only by authid", eligible_authid=[two_details.authid])
        await published(one, topic, "only by role", eligible_authrole="anonymous")
        await published(one, topic, "not by role", exclude_authrole=["anonymous"])
        await published(one, topic, "last", exclude_me=False)
        await until(lambda: all(found.values[-1:] == ["last"] for found in heard))
        assert heard[0].values == ["me too", "last"]
        common = ["default", "me too"]
        assert heard[1].values == [*common, "only by authid", "only by role", "last"]
        assert heard[2].values == [
            *common,
            "not two",
            "only three",
            "not by authid",
            "only by role",
            "last",
        ]
        await close(one, two, three)


async def test_details_of_events_patterns_and_retained_events(router: Any) -> None:
    async with router() as url:
        one, two = await joined(url), await joined(url)
        prefix, wildcard, exact, late = Heard(), Heard(), Heard(), Heard()
        topic = "com.example.options.kitchen.light"
        for found, uri, options in (
            (prefix, "com.example.options.kit", SubscribeOptions("prefix", details=True)),
            (wildcard, "com.example.options..light", SubscribeOptions("wildcard", details=True)),
            (exact, topic, SubscribeOptions(details_arg="details")),
        ):
            await two.subscribe(found, uri, options)
        publication = await published(one, topic, 1, retain=True)
        await until(lambda: prefix.events and wildcard.events and exact.events)
        for found in (prefix, wildcard, exact):
            ((value, details),) = found.events
            assert value == 1 and details.publication == publication.id
            assert details.publisher == one.session_id and details.topic == topic
            assert details.publisher_authrole == "anonymous" and not details.retained
            assert details.subscription.active and details.subscription.session is two
        again = SubscribeOptions(get_retained=True, details=True)
        three = await joined(url)
        await three.subscribe(late, topic, again)
        await until(lambda: late.events)
        assert late.events[0][1].retained is True and late.values == [1]
        await close(one, two, three)


async def test_registrations_by_pattern_and_shared(router: Any) -> None:
    async with router() as url:
        one, two, caller = [await joined(url) for _ in range(3)]
        asked: list[CallDetails] = []

        def where(*args: Any, details: CallDetails) -> str:
            asked.append(details)
            return details.procedure or ""

        base = "com.example.options"
        await one.register(where, f"{base}.pre", RegisterOptions("prefix", details=True))
        options = RegisterOptions("wildcard", details_arg="details")
        await one.register(where, f"{base}..light", options)
        assert await caller.call(f"{base}.prefixed.x") == f"{base}.prefixed.x"
        assert await caller.call(f"{base}.hall.light") == f"{base}.hall.light"
        assert asked[0].caller == caller.session_id and asked[0].registration.active
        assert asked[0].caller_authrole == "anonymous" and asked[0].progress is None
        for invoke, expected in (
            ("roundrobin", {"one", "two"}),
            ("first", {"one"}),
            ("last", {"two"}),
        ):
            shared = RegisterOptions(invoke=invoke)
            uri = f"{base}.shared.{invoke}"
            await one.register(lambda: "one", uri, shared)
            await two.register(lambda: "two", uri, shared)
            assert {await caller.call(uri) for _ in range(4)} == expected, invoke
        single = f"{base}.single"
        registration = await one.register(lambda: "one", single)
        with pytest.raises(ApplicationError) as caught:
            await two.register(lambda: "two", single)
        assert caught.value.error == ApplicationError.PROCEDURE_ALREADY_EXISTS
        await two.register(lambda: "two", single, RegisterOptions(force_reregister=True))
        await until(lambda: not registration.active)
        assert await caller.call(single) == "two"
        await close(one, two, caller)


async def test_concurrency_of_an_endpoint(router: Any) -> None:
    async with router() as url:
        one, caller = await joined(url), await joined(url)
        go, under_way = asyncio.Event(), 0

        async def slow() -> int:
            nonlocal under_way
            under_way += 1
            most = under_way
            await go.wait()
            under_way -= 1
            return most

        uri = "com.example.options.concurrency"
        options = RegisterOptions(invoke="roundrobin", concurrency=2)
        await one.register(slow, uri, options)
        calls = [caller.call(uri) for _ in range(4)]
        await until(lambda: under_way == 2)
        await asyncio.sleep(0.05)
        go.set()
        found = await asyncio.gather(*calls, return_exceptions=True)
        # crossbar queues the others, the embedded router refuses them: never more than two.
        assert [one for one in found if isinstance(one, int) and one > 2] == []
        assert sum(isinstance(one, int) for one in found) >= 2
        await close(one, caller)


async def test_details_of_results(router: Any) -> None:
    async with router() as url:
        one, caller = await joined(url), await joined(url)
        await one.register(lambda: "x", "com.example.options.result")
        options = CallOptions(details=True, timeout=LIMIT_S)
        found = await caller.call("com.example.options.result", options=options)
        assert found.results == ("x",) and found.kwresults == {}
        await close(one, caller)
