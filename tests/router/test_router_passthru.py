"""Payloads the router does not look into: payload passthru mode, and crossbar's form of it."""

from __future__ import annotations

from typing import Any

from peer import REALM, Peer, joined, roles, serve, without

from microwamp.router import RealmConfig

PPT = {
    "ppt_scheme": "wamp",
    "ppt_serializer": "cbor",
    "ppt_cipher": "xsalsa20poly1305",
    "ppt_keyid": "0xAbC",
}
OCTETS = [b"\x00\xffopaque"]
UNABLE = ("payload_passthru_mode",)

OPEN = RealmConfig(REALM, anonymous="anonymous", payload_transparency=True)
TRANSPARENT = roles(
    **dict.fromkeys(("publisher", "subscriber", "caller", "callee"), ("payload_transparency",))
)
ENC = {"enc_algo": "cryptobox", "enc_serializer": "json"}


async def call(caller: Peer, options: dict[str, Any], *payload: Any) -> int:
    request = caller.next()
    await caller.send(48, request, options, "com.f", *payload)
    return request


async def test_attributes_travel_with_calls_results_and_errors():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.f")
        for scheme in (
            PPT,
            {"ppt_scheme": "x_a"},
            {"ppt_scheme": "mqtt", "ppt_serializer": "native"},
        ):
            request = await call(caller, scheme, OCTETS)
            invocation = await callee.receive()
            assert invocation[3:] == [scheme, OCTETS]
            await callee.send(70, invocation[1], scheme, OCTETS)
            assert await caller.receive() == [50, request, scheme, OCTETS]
            request = await call(caller, scheme, OCTETS, {})
            invocation = await callee.receive()
            assert invocation[3:] == [scheme, OCTETS]
            await callee.send(8, 68, invocation[1], scheme, "com.e", OCTETS)
            assert await caller.receive() == [8, 48, request, scheme, "com.e", OCTETS]
        # An answer need not be in the form of the call.
        request = await call(caller, PPT, OCTETS)
        invocation = await callee.receive()
        await callee.send(70, invocation[1], {}, ["clear"])
        assert await caller.receive() == [50, request, {}, ["clear"]]


async def test_attributes_travel_with_events_retained_ones_and_testaments():
    async with serve() as router, joined(router) as one, joined(router) as two:
        await one.subscribe("com.", match="prefix")
        await two.send(16, two.next(), {**PPT, "retain": True}, "com.t", OCTETS)
        event = await one.receive()
        assert event[3:] == [{**PPT, "topic": "com.t"}, OCTETS]
        async with joined(router) as late:
            await late.subscribe("com.t", get_retained=True)
            assert (await late.receive())[3:] == [{**PPT, "retained": True}, OCTETS]
            answer = await late.request(
                *(48, {}, "wamp.session.add_testament"),
                *(["com.will", OCTETS, {}], {"publish_options": PPT}),
            )
            assert answer[0] == 50
            for payload in ([], ["clear"]):
                answer = await late.request(
                    *(48, {}, "wamp.session.add_testament"),
                    *(["com.will", payload, {}], {"publish_options": PPT}),
                )
                assert answer[4] == "wamp.error.invalid_argument"
        event = await one.receive()
        assert event[3:] == [{**PPT, "topic": "com.will"}, OCTETS]


async def test_progressive_calls_and_results():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.f")
        request = await call(caller, {**PPT, "progress": True, "receive_progress": True}, OCTETS)
        invocation = await callee.receive()
        assert invocation[3] == {**PPT, "progress": True, "receive_progress": True}
        await caller.send(48, request, {}, "com.f", [b"2"])
        assert (await callee.receive())[3:] == [{**PPT, "receive_progress": True}, [b"2"]]
        await callee.send(70, 1, {**PPT, "progress": True}, OCTETS)
        assert await caller.receive() == [50, request, {**PPT, "progress": True}, OCTETS]
        await callee.send(70, 1, {})
        assert await caller.receive() == [50, request, {}]


async def test_a_callee_that_cannot():
    async with (
        serve() as router,
        joined(router, roles=without(callee=UNABLE)) as callee,
        joined(router) as caller,
    ):
        await callee.register("com.f")
        request = await call(caller, PPT, OCTETS)
        answer = await caller.receive()
        assert answer[:5] == [8, 48, request, {}, "wamp.error.feature_not_supported"]
        assert "payload_passthru_mode" in answer[5][0]
        assert await callee.silent()
        await call(caller, {}, ["clear"])
        assert (await callee.receive())[:2] == [68, 1]


async def test_a_caller_that_cannot():
    async with (
        serve() as router,
        joined(router) as callee,
        joined(router, roles=without(caller=UNABLE)) as caller,
    ):
        await callee.register("com.f")
        for answer in (
            [70, 1, PPT, OCTETS],
            [8, 68, 2, PPT, "com.e", OCTETS],
            [70, 3, {**PPT, "progress": True}, OCTETS],
        ):
            request = await call(caller, {"receive_progress": True})
            assert (await callee.receive())[1] == request
            await callee.send(*answer)
            error = await caller.receive()
            assert error[:5] == [8, 48, request, {}, "wamp.error.feature_not_supported"], answer
        # The one that was not done is told to stop.
        assert await callee.receive() == [69, 3, {"mode": "killnowait"}]
        await callee.send(70, 3, {})
        assert await callee.silent() and await caller.silent()


async def test_a_subscriber_that_cannot_gets_the_event_all_the_same():
    async with (
        serve() as router,
        joined(router, roles=without(subscriber=UNABLE)) as one,
        joined(router) as two,
    ):
        await one.subscribe("com.t")
        await two.send(16, two.next(), PPT, "com.t", OCTETS)
        assert (await one.receive())[3:] == [PPT, OCTETS]


async def test_the_router_itself_cannot():
    async with serve() as router, joined(router) as caller:
        answer = await caller.request(48, PPT, "wamp.session.count", OCTETS)
        assert answer[:2] == [8, 48] and answer[4] == "wamp.error.feature_not_supported"


async def test_transparency_is_announced_where_it_is_switched_on():
    for realm, there in ((OPEN, True), (RealmConfig(REALM, anonymous="anonymous"), False)):
        async with serve(realm) as router, joined(router) as one:
            for role in ("broker", "dealer"):
                features = one.welcome["roles"][role]["features"]
                assert ("payload_transparency" in features) is there
                assert features["payload_passthru_mode"] is True


async def test_bare_octets_travel_everywhere():
    octets = OCTETS[0]
    async with (
        serve(OPEN) as router,
        joined(router, roles=TRANSPARENT) as one,
        joined(router, roles=TRANSPARENT) as two,
    ):
        await one.register("com.f")
        await one.subscribe("com.t")
        request = await call(two, {**ENC, "enc_key": None}, octets)
        assert (await one.receive())[3:] == [ENC, octets]
        await one.send(70, 1, ENC, octets)
        assert await two.receive() == [50, request, ENC, octets]
        request = await call(two, {}, b"")
        assert (await one.receive())[3:] == [{}, b""]
        await one.send(8, 68, 2, ENC, "com.e", octets)
        assert await two.receive() == [8, 48, request, ENC, "com.e", octets]
        await two.send(16, two.next(), {**ENC, "retain": True}, "com.t", octets)
        assert (await one.receive())[3:] == [ENC, octets]


async def test_transparency_needs_to_be_announced_and_well_formed():
    octets = OCTETS[0]
    rows: list[tuple[dict[str, Any], list[Any], str]] = [
        (without(), [16, 1, ENC, "com.t", octets], "payload_transparency for publisher"),
        (TRANSPARENT, [16, 1, {"enc_algo": 5}, "com.t", octets], "PUBLISH.enc_algo is 5"),
        (TRANSPARENT, [16, 1, ENC, "com.t", octets, {"k": 1}], "kwargs beside args"),
        (TRANSPARENT, [48, 1, ENC, "com.t", "text"], "CALL.args is"),
        (TRANSPARENT, [48, 1, ENC, "com.t", None], "CALL.args is NoneType"),
        (TRANSPARENT, [48, 1, PPT, "com.t", octets], "one binary item"),
    ]
    async with serve(OPEN) as router:
        for announced, message, words in rows:
            async with joined(router, roles=announced) as one:
                await one.send(*message)
                assert words in await one.aborted(), message


async def test_transparency_towards_those_who_cannot():
    async with (
        serve(OPEN) as router,
        joined(router) as plain,
        joined(router, roles=TRANSPARENT) as able,
    ):
        await plain.register("com.f")
        await able.register("com.g")
        request = await call(able, ENC, OCTETS[0])
        answer = await able.receive()
        assert answer[:5] == [8, 48, request, {}, "wamp.error.feature_not_supported"]
        await plain.send(48, plain.next(), {}, "com.g")
        assert (await able.receive())[0] == 68
        await able.send(70, 1, ENC, OCTETS[0])
        assert (await plain.receive())[4] == "wamp.error.feature_not_supported"
