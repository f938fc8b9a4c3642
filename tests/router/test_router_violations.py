"""Every violation of the protocol is answered with ABORT protocol_violation and the end."""

from __future__ import annotations

from typing import Any

import cbor2
from peer import REALM, ROLES, Log, Peer, joined, serve, without

from microwamp.router import Principal, RealmConfig

ID = 1 << 53

# In a session whose next request id is 1. (message, words of the explanation)
IN_SESSION: list[tuple[Any, str]] = [
    # What a client never sends, and what it must not send twice.
    ([1, REALM, {"roles": ROLES}], "HELLO"),
    ([2, 1, {}], "WELCOME"),
    ([4, "ticket", {}], "CHALLENGE"),
    ([5, "x", {}], "AUTHENTICATE"),
    ([17, 1, 1], "PUBLISHED"),
    ([33, 1, 1], "SUBSCRIBED"),
    ([35, 1], "UNSUBSCRIBED"),
    ([36, 1, 1, {}], "EVENT"),
    ([50, 1, {}], "RESULT"),
    ([65, 1, 1], "REGISTERED"),
    ([67, 1], "UNREGISTERED"),
    ([68, 1, 1, {}], "INVOCATION"),
    ([69, 1, {}], "INTERRUPT"),
    # No message at all.
    ([], "not a WAMP message"),
    ({}, "not a WAMP message"),
    (48, "not a WAMP message"),
    ("CALL", "not a WAMP message"),
    (None, "not a WAMP message"),
    ([0], "unknown WAMP message type 0"),
    ([7], "unknown WAMP message type 7"),
    ([337, 1], "unknown WAMP message type 337"),
    ([-1], "unknown WAMP message type -1"),
    ([True, REALM, {}], "unknown WAMP message type True"),
    ([48.0, 1, {}, "com.a"], "unknown WAMP message type 48.0"),
    (["48", 1, {}, "com.a"], "unknown WAMP message type '48'"),
    ([[48], 1, {}, "com.a"], "unknown WAMP message type"),
    # Elements.
    ([48], "1 elements"),
    ([48, 1, {}], "3 elements"),
    ([48, 1, {}, "com.a", [], {}, 1], "7 elements"),
    ([48, 0, {}, "com.a"], "CALL.request"),
    ([48, -1, {}, "com.a"], "CALL.request"),
    ([48, True, {}, "com.a"], "CALL.request"),
    ([48, 1.0, {}, "com.a"], "CALL.request"),
    ([48, "1", {}, "com.a"], "CALL.request"),
    ([48, ID + 1, {}, "com.a"], "CALL.request"),
    ([48, 1 << 4000, {}, "com.a"], "CALL.request"),
    ([48, 1, [], "com.a"], "CALL.options"),
    ([48, 1, None, "com.a"], "CALL.options"),
    ([48, 1, {1: 2}, "com.a"], "key of type int"),
    ([48, 1, {}, b"com.a"], "CALL.procedure"),
    ([48, 1, {}, None], "CALL.procedure"),
    ([48, 1, {}, "com.a", None], "CALL.args"),
    ([48, 1, {}, "com.a", b"opaque"], "CALL.args"),
    ([48, 1, {}, "com.a", {}], "CALL.args"),
    ([48, 1, {}, "com.a", "x"], "CALL.args"),
    ([48, 1, {}, "com.a", [], None], "CALL.kwargs"),
    ([48, 1, {}, "com.a", [], []], "CALL.kwargs"),
    ([48, 1, {}, "com.a", [], {1: 1}], "key of type int"),
    ([48, 1, {}, "com.a", [{b"k": 1}]], "key of type bytes"),
    ([16, 1, {}, "com.a", None, {"a": 1}], "PUBLISH.args"),
    ([6, {}, 1], "GOODBYE.reason"),
    ([6, "x", "wamp.close.close_realm"], "GOODBYE.details"),
    ([3, {}, None], "ABORT.reason"),
    # Request ids.
    ([48, 2, {}, "com.a"], "1 is the next"),
    ([32, ID, {}, "com.a"], "1 is the next"),
    ([16, 7, {}, "com.a"], "1 is the next"),
    ([64, 2, {}, "com.a"], "1 is the next"),
    ([34, 2, 1], "1 is the next"),
    ([66, 2, 1], "1 is the next"),
    # Answers and cancellations of what never was.
    ([70, 1, {}], "invocation 1, which is not open"),
    ([70, ID, {"progress": True}], "which is not open"),
    ([8, 68, 1, {}, "com.a"], "invocation 1, which is not open"),
    ([49, 1, {}], "request 1, which was never made"),
    ([8, 48, 1, {}, "com.a"], "type 48"),
    ([8, 32, 1, {}, "com.a"], "type 32"),
    ([8, 69, 1, {}, "com.a"], "ERROR.request type"),
    ([8, 0, 1, {}, "com.a"], "ERROR.request type"),
    ([8, 68, 1, {}, "not a uri"], "a URI needed"),
    ([8, 68, 1, {}, ""], "a URI needed"),
    # Options.
    ([16, 1, {"acknowledge": 1}, "com.a"], "PUBLISH.acknowledge"),
    ([16, 1, {"acknowledge": None}, "com.a"], "PUBLISH.acknowledge"),
    ([16, 1, {"exclude_me": 0}, "com.a"], "PUBLISH.exclude_me"),
    ([16, 1, {"disclose_me": "yes"}, "com.a"], "PUBLISH.disclose_me"),
    ([16, 1, {"retain": 1}, "com.a"], "PUBLISH.retain"),
    ([16, 1, {"exclude": 5}, "com.a"], "PUBLISH.exclude"),
    ([16, 1, {"exclude": ["5"]}, "com.a"], "PUBLISH.exclude"),
    ([16, 1, {"eligible": [0]}, "com.a"], "PUBLISH.eligible"),
    ([16, 1, {"eligible": [True]}, "com.a"], "PUBLISH.eligible"),
    ([16, 1, {"exclude_authid": [5]}, "com.a"], "PUBLISH.exclude_authid"),
    ([16, 1, {"eligible_authid": "x"}, "com.a"], "PUBLISH.eligible_authid"),
    ([16, 1, {"exclude_authrole": [None]}, "com.a"], "PUBLISH.exclude_authrole"),
    ([16, 1, {"eligible_authrole": {}}, "com.a"], "PUBLISH.eligible_authrole"),
    ([16, 1, {"ppt_scheme": "x_a"}, "com.a", []], "one binary item"),
    ([16, 1, {"ppt_scheme": "x_a"}, "com.a", ["text"]], "one binary item"),
    ([16, 1, {"ppt_scheme": "x_a"}, "com.a", [b"", b""]], "one binary item"),
    ([16, 1, {"ppt_scheme": "x_a"}, "com.a", b"octets"], "one binary item"),
    ([16, 1, {"ppt_scheme": "x_a"}, "com.a", [b""], {"k": 1}], "one binary item"),
    ([16, 1, {"ppt_scheme": ""}, "com.a", [b""]], "without a ppt_scheme"),
    ([16, 1, {"ppt_cipher": "aes256gcm"}, "com.a", [b""]], "PUBLISH.ppt_cipher without"),
    ([16, 1, {"ppt_scheme": 5}, "com.a", [b""]], "PUBLISH.ppt_scheme is 5"),
    ([16, 1, {"ppt_scheme": "x_a", "ppt_keyid": 5}, "com.a", [b""]], "PUBLISH.ppt_keyid is 5"),
    ([16, 1, {"enc_algo": "cryptobox"}, "com.a", b"octets"], "PUBLISH.args"),
    ([32, 1, {"match": "fuzzy"}, "com.a"], "SUBSCRIBE.match"),
    ([32, 1, {"match": 1}, "com.a"], "SUBSCRIBE.match"),
    ([32, 1, {"get_retained": 1}, "com.a"], "SUBSCRIBE.get_retained"),
    ([48, 1, {"receive_progress": 1}, "com.a"], "CALL.receive_progress"),
    ([48, 1, {"disclose_me": 1}, "com.a"], "CALL.disclose_me"),
    ([48, 1, {"timeout": -1}, "com.a"], "CALL.timeout"),
    ([48, 1, {"timeout": 1.5}, "com.a"], "CALL.timeout"),
    ([48, 1, {"progress": 1}, "com.a"], "CALL.progress"),
    ([48, 1, {"timeout": ID + 1}, "com.a"], "CALL.timeout"),
    ([48, 1, {"timeout": 1 << 3000}, "com.a"], "CALL.timeout"),
    ([48, 1, {"ppt_scheme": "wamp"}, "com.a", ["clear"]], "one binary item"),
    ([49, 1, {"mode": "abort"}], "CANCEL.mode"),
    ([49, 1, {"mode": 1}], "CANCEL.mode"),
    ([64, 1, {"match": ""}, "com.a"], "REGISTER.match"),
    ([64, 1, {"invoke": "all"}, "com.a"], "REGISTER.invoke"),
    ([64, 1, {"invoke": None}, "com.a"], "REGISTER.invoke"),
    ([64, 1, {"concurrency": 0}, "com.a"], "REGISTER.concurrency"),
    ([64, 1, {"concurrency": True}, "com.a"], "REGISTER.concurrency"),
    ([64, 1, {"disclose_caller": 1}, "com.a"], "REGISTER.disclose_caller"),
    ([64, 1, {"force_reregister": 1}, "com.a"], "REGISTER.force_reregister"),
    ([70, 1, {"progress": 1}], "YIELD.progress"),
    ([70, 1, {"ppt_scheme": "x_a"}, []], "one binary item"),
    ([8, 68, 1, {"ppt_scheme": "x_a"}, "com.a", ["x"]], "one binary item"),
    ([8, 68, 1, {"ppt_serializer": "cbor"}, "com.a", [b"x"]], "without a ppt_scheme"),
]

# What needs a feature that HELLO did not announce. (message, role, feature)
UNANNOUNCED: list[tuple[Any, str, str]] = [
    ([16, 1, {"exclude_me": False}, "com.a"], "publisher", "publisher_exclusion"),
    ([16, 1, {"disclose_me": True}, "com.a"], "publisher", "publisher_identification"),
    ([16, 1, {"exclude": []}, "com.a"], "publisher", "subscriber_blackwhite_listing"),
    ([16, 1, {"eligible": [1]}, "com.a"], "publisher", "subscriber_blackwhite_listing"),
    ([16, 1, {"eligible_authid": []}, "com.a"], "publisher", "subscriber_blackwhite_listing"),
    ([16, 1, {"exclude_authrole": []}, "com.a"], "publisher", "subscriber_blackwhite_listing"),
    ([16, 1, {"ppt_scheme": "x_a"}, "com.a", [b""]], "publisher", "payload_passthru_mode"),
    ([32, 1, {"match": "prefix"}, "com.a"], "subscriber", "pattern_based_subscription"),
    ([48, 1, {"disclose_me": True}, "com.a"], "caller", "caller_identification"),
    ([48, 1, {"receive_progress": True}, "com.a"], "caller", "progressive_call_results"),
    ([48, 1, {"progress": True}, "com.a"], "caller", "progressive_call_invocations"),
    ([48, 1, {"ppt_scheme": "x_a"}, "com.a", [b""]], "caller", "payload_passthru_mode"),
    ([49, 1, {}], "caller", "call_canceling"),
    ([64, 1, {"match": "wildcard"}, "com.a"], "callee", "pattern_based_registration"),
    ([64, 1, {"invoke": "random"}, "com.a"], "callee", "shared_registration"),
    ([64, 1, {"disclose_caller": True}, "com.a"], "callee", "caller_identification"),
    ([64, 1, {"forward_timeout": True}, "com.a"], "callee", "call_timeout"),
    ([70, 1, {"ppt_scheme": "x_a"}, [b""]], "callee", "payload_passthru_mode"),
    ([8, 68, 1, {"ppt_scheme": "x_a"}, "com.a", [b""]], "callee", "payload_passthru_mode"),
]
# Those that the specification itself calls violations, whatever the configuration.
ALWAYS = ("progressive_call_invocations", "payload_passthru_mode")

BEFORE_SESSION: list[tuple[Any, str]] = [
    ([], "not a WAMP message"),
    ([99], "unknown WAMP message type"),
    ([5, "x", {}], "AUTHENTICATE before WELCOME"),
    ([6, {}, "wamp.close.close_realm"], "GOODBYE before WELCOME"),
    ([8, 68, 1, {}, "com.a"], "ERROR before WELCOME"),
    *(
        (message, "before WELCOME")
        for message in (
            [2, 1, {}],
            [4, "ticket", {}],
            [16, 1, {}, "com.a"],
            [17, 1, 1],
            [32, 1, {}, "com.a"],
            [33, 1, 1],
            [34, 1, 1],
            [35, 1],
            [36, 1, 1, {}],
            [48, 1, {}, "com.a"],
            [49, 1, {}],
            [50, 1, {}],
            [64, 1, {}, "com.a"],
            [65, 1, 1],
            [66, 1, 1],
            [67, 1],
            [68, 1, 1, {}],
            [69, 1, {}],
            [70, 1, {}],
        )
    ),
    ([1, REALM], "HELLO with 2 elements"),
    ([1, None, {"roles": ROLES}], "HELLO.realm"),
    ([1, REALM, {}], "HELLO.roles"),
    ([1, REALM, {"roles": {}}], "HELLO.roles"),
    ([1, REALM, {"roles": []}], "HELLO.roles"),
    ([1, REALM, {"roles": {"reader": {}}}], "HELLO.roles"),
    ([1, REALM, {"roles": {"caller": True}}], "HELLO.roles.caller"),
    ([1, REALM, {"roles": {"caller": {"features": []}}}], "HELLO.roles.caller.features"),
    ([1, REALM, {"roles": {"caller": {"features": {"x": 1}}}}], "HELLO.roles.caller.features.x"),
    ([1, REALM, {"roles": ROLES, "authid": None}], "HELLO.authid"),
    ([1, REALM, {"roles": ROLES, "authid": 5}], "HELLO.authid"),
    ([1, REALM, {"roles": ROLES, "authextra": []}], "HELLO.authextra"),
    ([1, REALM, {"roles": ROLES, "authmethods": "ticket"}], "HELLO.authmethods"),
    ([1, REALM, {"roles": ROLES, "authmethods": [1]}], "HELLO.authmethods"),
]

# Octets that are no message in any state.
OCTETS: list[tuple[str, str]] = [
    ("", "malformed CBOR"),
    ("83", "malformed CBOR"),  # cut off
    ("8318", "malformed CBOR"),
    ("84183001a0", "malformed CBOR"),
    ("fc", "malformed CBOR"),
    ("ff", "malformed CBOR"),
    ("8418300161ff61ff", "malformed CBOR"),  # not UTF-8
    ("8418300161a000", "malformed CBOR"),
    ("80f6", "octets after the end"),
    ("8080", "octets after the end"),
    ("9bffffffffffffffff", "malformed CBOR"),  # 2^64 elements
    ("5bffffffffffffffff", "malformed CBOR"),
    ("81" * 65 + "80", "nesting depth"),
    ("81" * 100_000, "nesting depth"),
    ("84183001a0" + "65636f6d2e61" + "81", "malformed CBOR"),
    ("a2616101616102", "malformed CBOR"),  # a key twice
    ("84183001a00a", "CALL.procedure"),
    ("81c074323031332d30332d32315432303a30343a30305a", "type datetime"),
    ("81c48221196ab3", "type Decimal"),
    ("81c1fb7e37e43c8800759c", "malformed CBOR"),
    ("81f820", "type CBORSimpleValue"),
    ("81d9ffff00", "type CBORTag"),
    ("d81c81d81d00", "shared references"),  # a list that holds itself
    ("81" + "d81c82" + "d81d00" * 2, "shared references"),
    ("81c25a00001000" + "ff" * 4096, "an integer of 32768 bits"),
]


async def test_violations_in_a_session():
    log = Log()
    async with serve(log=log) as router:
        for message, words in IN_SESSION:
            async with joined(router) as peer:
                await peer.frame(cbor2.dumps(message))
                text = await peer.aborted()
                assert words in text, (message, text)
        assert log.names().count("violation") == len(IN_SESSION)
        assert log.names().count("left") == len(IN_SESSION)
        assert not router.realms[REALM].sessions


async def test_features_that_were_not_announced():
    lenient = RealmConfig("lenient", anonymous="anonymous", lenient=True)
    strict = RealmConfig(REALM, anonymous="anonymous")
    async with serve(strict, lenient) as router:
        for message, role, feature in UNANNOUNCED:
            roles = without(**{role: (feature,)})
            async with joined(router, roles=roles) as peer:
                await peer.send(*message)
                text = await peer.aborted()
                assert f"did not announce {feature} for {role}" in text, (message, text)
            async with joined(router, realm="lenient", roles=roles) as peer:
                await peer.send(*message)
                if feature in ALWAYS:
                    assert feature in await peer.aborted(), message
                elif message[0] == 49:
                    assert "never made" in await peer.aborted()
                else:
                    peer.next()
                    while (await peer.request(34, 9_999_999))[0] != 8:
                        pass


async def test_what_is_the_default_needs_no_feature():
    basic: dict[str, Any] = {"roles": {name: {} for name in ROLES}}
    async with serve() as router, joined(router, **basic) as peer:
        plain: list[tuple[int, dict[str, Any], int]] = [
            (16, {"acknowledge": True, "exclude_me": True, "disclose_me": False}, 17),
            (32, {"match": "exact", "get_retained": False}, 33),
            (64, {"match": "exact", "invoke": "single", "disclose_caller": False}, 65),
            (48, {"progress": False, "receive_progress": False, "disclose_me": False}, 68),
        ]
        for code, options, answer in plain:
            assert (await peer.request(code, options, "com.a"))[0] == answer, code


async def test_violations_before_a_session():
    async with serve() as router:
        for message, words in BEFORE_SESSION:
            async with await Peer.connect(router.urls[0]) as peer:
                await peer.frame(cbor2.dumps(message))
                text = await peer.aborted()
                assert words in text, (message, text)


async def test_octets_that_are_no_message():
    async with serve() as router:
        for octets, words in OCTETS:
            for opened in (False, True):
                async with await Peer.connect(router.urls[0]) as peer:
                    if opened:
                        await peer.join()
                    await peer.frame(bytes.fromhex(octets))
                    text = await peer.aborted()
                    assert words in text, (octets[:40], text)


async def test_references_that_blow_up_are_refused_at_once():
    # Each list holds the next one twice, by reference: 2^30 lists in 200 octets.
    value = "80"
    for i in range(30, 0, -1):
        value = f"82d81c{value}d81d" + (f"{i - 1:02x}" if i <= 24 else f"18{i - 1:02x}")
    octets = bytes.fromhex("85183001a0" + "65636f6d2e61" + "81" + value)
    lists = cbor2.loads(octets)[4][0]
    for _ in range(30):
        assert len(lists) == 2 and lists[0] is lists[1]
        lists = lists[0]
    async with serve() as router, joined(router) as peer:
        await peer.frame(octets)
        assert "shared references" in await peer.aborted()


async def test_a_second_hello_while_the_login_is_under_way():
    realm = RealmConfig(REALM, principals=(Principal("a", ticket="t"),))
    for message in ([1, REALM, {"roles": ROLES}], [48, 1, {}, "com.a"], [6, {}, "a.b"]):
        async with serve(realm) as router, await Peer.connect(router.urls[0]) as peer:
            assert (await peer.hello(authid="a", authmethods=["ticket"]))[0] == 4
            await peer.send(*message)
            assert "AUTHENTICATE expected" in await peer.aborted()


async def test_roles_that_were_not_announced():
    for role, messages in {
        "publisher": ([16, 1, {}, "com.a"],),
        "subscriber": ([32, 1, {}, "com.a"], [34, 1, 1]),
        "caller": ([48, 1, {}, "com.a"], [49, 1, {}]),
        "callee": ([64, 1, {}, "com.a"], [66, 1, 1], [70, 1, {}], [8, 68, 1, {}, "a.b"]),
    }.items():
        others: dict[str, Any] = {name: {} for name in ROLES if name != role}
        for message in messages:
            async with serve() as router, joined(router, roles=others) as peer:
                await peer.send(*message)
                assert role in await peer.aborted(), message


async def test_request_ids_are_one_sequence_for_all_requests():
    async with serve() as router, joined(router) as peer:
        assert (await peer.request(32, {}, "com.a"))[0] == 33
        assert (await peer.request(64, {}, "com.a"))[0] == 65
        await peer.send(16, peer.next(), {}, "com.a")
        await peer.send(48, 5, {}, "com.a")
        assert "4 is the next" in await peer.aborted()


async def test_an_answer_given_twice():
    for second in ([70, 1, {}], [8, 68, 1, {}, "com.a"]):
        async with serve() as router, joined(router) as callee, joined(router) as caller:
            await callee.register("com.f")
            await caller.send(48, 1, {}, "com.f")
            assert (await callee.receive())[1] == 1
            await callee.send(70, 1, {})
            await callee.send(*second)
            assert (await caller.receive())[0] == 50
            assert "which is not open" in await callee.aborted()


async def test_progress_that_nobody_asked_for():
    async with serve() as router, joined(router) as callee, joined(router) as caller:
        await callee.register("com.f")
        await caller.send(48, 1, {}, "com.f")
        await callee.receive()
        await callee.send(70, 1, {"progress": True})
        assert "did not ask" in await callee.aborted()
        assert (await caller.receive())[:5] == [8, 48, 1, {}, "wamp.error.canceled"]


async def test_a_violation_takes_everything_of_the_session_along():
    async with serve() as router, joined(router) as bad, joined(router) as good:
        await bad.register("com.f")
        await good.subscribe("wamp.session.on_leave")
        await bad.send(99)
        await bad.aborted()
        assert (await good.receive())[4][0] == bad.session
        await good.register("com.f")


async def test_unknown_options_and_roles_are_left_alone():
    extra: dict[str, Any] = {"_other": 1, "x_other": [1], "unheard_of": {}}
    roles = {**ROLES, "observer": {}, "caller": {"features": {"x": True}, "other": 1}}
    async with serve() as router, joined(router, roles=roles, agent="x", resumable=True) as peer:
        assert (await peer.request(32, extra, "com.a"))[0] == 33
        assert (await peer.request(64, extra, "com.a"))[0] == 65
        assert (await peer.request(16, {**extra, "acknowledge": True}, "com.a"))[0] == 17
        assert (await peer.request(48, {**extra, "timeout": 5}, "wamp.session.count"))[0] == 50
