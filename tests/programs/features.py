"""What the client has of WAMP's advanced profile, tried on a real router, on every interpreter.

MICROWAMP_URL: the router. TEST_PREFIX: of the URIs. Prints `ok NAME` for each check, or `skipped
NAME: FEATURE` where the router has not what it needs; then `all done`, or `failed NAME:
...` and status 1.
"""

import asyncio
import os
import sys

import wamp
from wamp import meta
from wamp.errors import ApplicationError, RequestTimeout, TransportLost
from wamp.outbox import Outbox
from wamp.progress import ProgressiveCall

URL = os.getenv("MICROWAMP_URL") or ""
PREFIX = (os.getenv("TEST_PREFIX") or "com.test.features") + "."


async def until(condition, what):
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not happen: " + what)


def announced(client, role, feature):
    features = client.details["roles"][role].get("features", {})
    return features.get(feature) is True


async def progress(a, b):
    def count(n, details):
        for i in range(n):
            assert details["progress"](i, kwargs={"of": n})
        return "done"

    async def slowly(n, details):
        await asyncio.sleep(0)
        return count(n, details)

    heard = []

    def on_progress(*args, **kwargs):
        heard.append((args, kwargs))

    for name, handler in (("count", count), ("slowly", slowly)):
        declared = await a.register(PREFIX + name, handler, details=True).confirmed()
        assert await b.call(PREFIX + name, 3, on_progress=on_progress) == "done"
        assert heard == [((i,), {"of": 3}) for i in range(3)], heard
        del heard[:]
        await declared.remove()


async def cancelling(a, b):
    started = []
    ended = []

    async def forever(n):
        started.append(n)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append(n)
            raise

    declared = await a.register(PREFIX + "forever", forever).confirmed()
    for n, mode in enumerate(("killnowait", "kill")):
        call = b.call(PREFIX + "forever", n, cancel_mode=mode)
        task = asyncio.create_task(call)
        await until(lambda: started == list(range(n + 1)), "the handler runs: " + mode)
        task.cancel()
        await until(lambda: ended == list(range(n + 1)), "the handler is cancelled: " + mode)
    # By the caller's clock. Where that is up before the handler runs, it never will.
    while 9 not in ended:
        try:
            await b.call(PREFIX + "forever", 9, timeout_ms=200)
            raise AssertionError("it answered")
        except RequestTimeout:
            pass
        await until(lambda: not a._tasks, "the handler is cancelled with the time-out")
    await declared.remove()


async def patterns(a, b):
    def which(details):
        return details["procedure"]

    heard = []

    def event(details):
        heard.append(details["topic"])

    base = PREFIX + "pattern"
    declared = [
        await a.register(base, which, details=True, match="prefix").confirmed(),
        await a.subscribe(base + "..end", event, details=True, match="wildcard").confirmed(),
    ]
    assert await b.call(base + ".x.y") == base + ".x.y"
    await b.publish(base + ".one.end", acknowledge=True)
    await b.publish(base + ".one.other", acknowledge=True)
    await b.publish(base + ".two.end", acknowledge=True)
    await until(lambda: heard == [base + ".one.end", base + ".two.end"], "events by pattern")
    for d in declared:
        await d.remove()


async def sharing(a, b):
    name = PREFIX + "shared"
    declared = [
        await a.register(name, lambda: "a", invoke="roundrobin").confirmed(),
        await b.register(name, lambda: "b", invoke="roundrobin").confirmed(),
    ]
    found = []
    for _ in range(4):
        found.append(await a.call(name))
    assert sorted(found) == ["a", "a", "b", "b"], found
    assert sorted(await meta.members(a, "registration", declared[0].id)) == sorted(
        [a.session, b.session]
    )
    for d in declared:
        await d.remove()


async def taking_over(a, b):
    name = PREFIX + "taken"
    revoked = []

    def told(what, detail):
        revoked.append((what, detail))

    a.on_event = told
    mine = await a.register(name, lambda: "a").confirmed()
    yours = await b.register(name, lambda: "b", force_reregister=True).confirmed()
    await until(lambda: revoked == [("revoked", mine)], "the former callee is told")
    assert await a.call(name) == "b"
    # Declared once, true for ever: it asks again until the name is free.
    await until(lambda: mine.error is not None, "the name is taken")
    await yours.remove()
    await until(lambda: mine.id is not None, "the name is back")
    assert await b.call(name) == "a"
    a.on_event = None
    await mine.remove()


async def retained_events(a, b):
    heard = []

    def event(*args):
        heard.append(args)

    topic = PREFIX + "retained"
    await a.publish(topic, 42, retain=True, acknowledge=True)
    d = await b.subscribe(topic, event, details=True, get_retained=True).confirmed()
    await until(lambda: heard, "the retained event")
    assert heard[0][0] == 42 and heard[0][1]["retained"] is True, heard
    await d.remove()


async def who_and_whom(a, b):
    heard = []

    def event(*args):
        heard.append(args)

    def caller(details):
        return details["caller"]

    topic = PREFIX + "whom"
    d = await a.subscribe(topic, event, details=True).confirmed()
    p = await a.register(PREFIX + "who", caller, details=True, disclose_caller=True).confirmed()
    assert await b.call(PREFIX + "who") == b.session
    await b.publish(topic, 1, exclude=[a.session], acknowledge=True)
    await b.publish(topic, 2, eligible=[b.session], acknowledge=True)
    await b.publish(topic, 3, eligible=[a.session], acknowledge=True, disclose_me=True)
    await a.publish(topic, 4, acknowledge=True)
    await a.publish(topic, 5, exclude_me=False, acknowledge=True)
    await until(lambda: len(heard) == 2, "two events")
    assert [args[0] for args in heard] == [3, 5]
    assert heard[0][1]["publisher"] == b.session and heard[0][1]["publication"]
    await d.remove()
    await p.remove()


async def trust(a, b):
    heard: list[dict[str, object]] = []
    s = await a.subscribe(PREFIX + "trust", heard.append, details=True).confirmed()
    p = await a.register(
        PREFIX + "trust", lambda details: details["trustlevel"], details=True
    ).confirmed()
    assert await b.call(PREFIX + "trust") == 3
    await b.publish(PREFIX + "trust", acknowledge=True)
    await until(lambda: heard, "an event")
    assert heard[0]["trustlevel"] == 3, heard
    await s.remove()
    await p.remove()


async def testaments(a, b):
    heard = []

    def event(*args, **kwargs):
        heard.append((args, kwargs))

    topic = PREFIX + "gone"
    d = await a.subscribe(topic, event).confirmed()
    third = wamp.Client(URL, reconnect=False)
    await third.join()
    first = meta.Testament(third, topic, 1, kwargs={"x": 2})
    await first.confirmed()
    second = meta.Testament(third, topic, "revoked")
    await second.confirmed()
    await second.revoke()
    await first.confirmed()
    third._transport.close()  # type: ignore[attr-defined]  # without a word
    await third.ended()
    await until(lambda: heard, "the testament")
    assert heard == [((1,), {"x": 2})], heard
    await d.remove()


async def meta_procedures(a, b):
    assert await meta.count_sessions(a) >= 2
    assert b.session in await meta.list_sessions(a)
    about = await meta.get_session(a, b.session)
    assert about["session"] == b.session, about
    name = PREFIX + "known"
    p = await a.register(name, print).confirmed()
    assert await meta.lookup(b, "registration", name) == p.id
    assert await meta.match(b, "registration", name) == p.id
    assert (await meta.get(b, "registration", p.id))["uri"] == name
    assert await meta.count_members(b, "registration", p.id) == 1
    assert p.id in (await meta.list_ids(b, "registration"))["exact"]
    s = await a.subscribe(name, print, match="prefix").confirmed()
    assert await meta.lookup(b, "subscription", name, "prefix") == s.id
    assert await meta.members(b, "subscription", s.id) == [a.session]
    third = wamp.Client(URL, reconnect=False)
    await third.join()
    assert third.session is not None
    await meta.kill_session(a, third.session)
    await third.ended()
    assert third.error is not None
    await p.remove()
    await s.remove()


async def opaque_payloads(a, b):
    heard = []

    def event(octets, details):
        heard.append((octets, details.get("enc_algo") or details.get("ppt_scheme")))

    def echo(octets):
        answer = wamp.Result(octets + b"!")
        answer.options = {"ppt_scheme": "x_own"}
        return answer

    d = await a.subscribe(PREFIX + "opaque", event, details=True).confirmed()
    p = await a.register(PREFIX + "opaque", echo).confirmed()
    await b.publish(PREFIX + "opaque", b"\x00\xff", ppt_scheme="x_own", acknowledge=True)
    await until(lambda: heard == [(b"\x00\xff", "x_own")], "an opaque event")
    found = await b.call(PREFIX + "opaque", b"\x01", ppt_scheme="x_own")
    assert found.args == (b"\x01!",), found
    assert (found.details.get("enc_algo") or found.details.get("ppt_scheme")) == "x_own"
    # Said in crossbar's words: a router gets what it announces.
    found = await b.call(PREFIX + "opaque", b"\x02", enc_algo="x_own", enc_serializer="cbor")
    assert found.args == (b"\x02!",), found
    await d.remove()
    await p.remove()


async def calls_in_parts(a, b):
    async def collect(first, details):
        found = [first]
        while True:
            part = await details["receive"]()
            if part is None:
                return wamp.Result(*found)
            found += part.args
            # Both ways: a result for each part.
            details["progress"](len(found))

    async def impatient(first, details):
        await details["receive"]()
        return "enough"

    heard: list[int] = []
    p = await a.register(PREFIX + "collect", collect, details=True).confirmed()
    call = ProgressiveCall(b, PREFIX + "collect", on_progress=heard.append)
    for n in range(3):
        assert await call.send(n)
    assert await call.finish(3) == wamp.Result(0, 1, 2, 3)
    assert heard == [2, 3, 4], heard
    # The callee has had enough before the caller has.
    q = await a.register(PREFIX + "impatient", impatient, details=True).confirmed()
    call = ProgressiveCall(b, PREFIX + "impatient")
    sent = 0
    # No more than may wait for a handler that has no time to look at them.
    while sent < 10 and await call.send(sent):
        sent += 1
        await asyncio.sleep(0.01)
    assert sent > 1 and await call.finish() == "enough"
    # The caller gives it up, and the callee is interrupted.
    call = ProgressiveCall(b, PREFIX + "collect")
    assert await call.send(1)
    await until(lambda: a._tasks, "the first part arrives")
    call.cancel()
    await until(lambda: not a._tasks, "the callee is interrupted")
    await p.remove()
    await q.remove()


async def history(a, b):
    topic = PREFIX + "history"
    s = await a.subscribe(topic, lambda *args, **kwargs: None).confirmed()
    for n in range(5):
        await b.publish(topic, n, kwargs={"k": n}, acknowledge=True)
    found = await meta.events(a, s)
    assert [(e["args"], e["kwargs"]) for e in found] == [([n], {"k": n}) for n in range(5)], found
    newest = await meta.events(a, s, limit=2, reverse=True)
    assert [e["args"] for e in newest] == [[4], [3]], newest
    await s.remove()


async def time_limits(a, b):
    ended: list[str] = []

    async def forever():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    # The dealer's clock, then that of the callee, to which the dealer forwards the limit.
    for options in ({}, {"forward_timeout": True}):
        p = await a.register(PREFIX + "limited", forever, **options).confirmed()
        # Where the time is up before the handler runs, it never will.
        while not ended:
            try:
                await b.call(PREFIX + "limited", timeout=100)
                raise AssertionError("it answered")
            except ApplicationError as e:
                assert e.error in ("wamp.error.timeout", "wamp.error.canceled"), e.error
            await until(lambda: not a._tasks, "the handler is cancelled")
        del ended[:]
        await p.remove()


async def concurrency(a, b):
    gate = asyncio.Event()
    running = [0, 0]

    async def slow():
        running[0] += 1
        running[1] = max(running)
        await gate.wait()
        running[0] -= 1

    p = await a.register(PREFIX + "few", slow, invoke="roundrobin", concurrency=2).confirmed()
    calls = [asyncio.create_task(b.call(PREFIX + "few")) for _ in range(2)]
    await until(lambda: running[0] == 2, "two calls run")
    try:
        await b.call(PREFIX + "few")
        raise AssertionError("a third one ran")
    except ApplicationError as e:
        refused = "max_concurrency_reached", "no_available_callee", "unavailable"
        assert e.error.split(".")[-1] in refused, e.error
    gate.set()
    await asyncio.gather(*calls)
    assert running == [0, 2], running
    await p.remove()


async def revocation(a, b):
    name = PREFIX + "revoked"
    told = []

    def event(what, detail):
        told.append((what, detail))

    a.on_event = event
    p = await a.register(name, lambda: 5).confirmed()
    first = p.id
    try:
        who = p.id, a.session
        await b.call("wamp.registration.remove_callee", *who, kwargs={"reason": "com.why"})
    except ApplicationError as e:
        if "forward_for" not in str(e.args):
            raise
        # crossbar 26.10 fails in its own procedure; `taking_over` has a revocation of its.
        print("skipped revocation: remove_callee")
        a.on_event = None
        try:
            await p.remove()
        except ApplicationError:
            pass  # it was half-way through
        return
    await until(lambda: told == [("revoked", p)], "the callee is told")
    await until(lambda: p.id not in (None, first), "it is declared anew")
    assert await b.call(name) == 5
    a.on_event = None
    await p.remove()


async def results_that_do_not_fit(a, b):
    if sys.implementation.name == "micropython":
        return  # 16 MiB
    p = await a.register(PREFIX + "long", lambda: bytes(1 << 24)).confirmed()
    try:
        await b.call(PREFIX + "long")
        raise AssertionError("it came")
    except ApplicationError as e:
        assert e.error == "wamp.error.payload_size_exceeded", e
    await p.remove()


async def signs_of_life(a, b):
    third = wamp.Client(URL, alive_ms=180000)
    async with third:
        for _ in range(3):
            third.expire()  # as if a minute had passed, and then another one in silence
            reads = third.reads
            third.expire()
            await until(lambda: third.reads > reads, "a sign of life")
        assert third.joins == 1 and third.error is None


async def keeping(a, b):
    heard: list[int] = []
    d = await a.subscribe(PREFIX + "kept", heard.append).confirmed()
    outbox = Outbox()
    third = wamp.Client(URL, outbox=outbox, log=print)
    await third.publish(PREFIX + "kept", 1)
    task = asyncio.create_task(third.publish(PREFIX + "kept", 2, acknowledge=True))
    await asyncio.sleep(0)
    async with third:
        assert await task
        await until(lambda: heard == [1, 2], "what was published before the join")
    await d.remove()


async def another_session(a, b):
    """On the same transport; the former one is over, what was declared is there again."""
    started: list[int] = []

    async def forever(n):
        started.append(n)
        await asyncio.sleep(60)

    heard: list[int] = []
    slow = await a.register(PREFIX + "never", forever).confirmed()
    async with wamp.Client(URL, reconnect=False) as third:
        transport = third._transport  # type: ignore[attr-defined]
        await third.register(PREFIX + "again", lambda n: n).confirmed()
        await third.subscribe(PREFIX + "again", heard.append).confirmed()
        for n in range(3):
            before = third.session
            lost = asyncio.create_task(third.call(PREFIX + "never", n))
            await until(lambda: len(started) == n + 1, "a call is under way")
            await third.rejoin()
            same = third._transport is transport  # type: ignore[attr-defined]
            assert same, "the transport is another one"
            assert third.session not in (None, before) and third.joins == n + 2
            try:
                await lost
                raise AssertionError("it was answered")
            except TransportLost:
                pass
            assert await b.call(PREFIX + "again", n) == n
            await b.publish(PREFIX + "again", n, acknowledge=True)
            await until(lambda: heard == list(range(n + 1)), "the event, once")
            while before in await meta.list_sessions(b):
                await asyncio.sleep(0.01)
            assert await third.call(PREFIX + "again", n) == n
    await until(lambda: not a._tasks, "its calls are cancelled")
    await slow.remove()


# A check, and what the router must announce for it: (role, feature)
CHECKS = (
    (progress, None),
    (calls_in_parts, ("dealer", "progressive_call_invocations")),
    (cancelling, None),
    (time_limits, ("dealer", "call_timeout")),
    (patterns, None),
    (sharing, None),
    (concurrency, None),
    (taking_over, None),
    (revocation, ("dealer", "registration_revocation")),
    (retained_events, None),
    (history, ("broker", "event_history")),
    (who_and_whom, None),
    (trust, ("dealer", "call_trustlevels")),
    (testaments, None),
    (meta_procedures, None),
    (opaque_payloads, None),
    (results_that_do_not_fit, None),
    (signs_of_life, None),
    (keeping, None),
    (another_session, None),
)


async def main():
    async with wamp.Client(URL, log=print) as a, wamp.Client(URL) as b:
        for check, feature in CHECKS:
            if feature is not None and not announced(a, *feature):
                print(f"skipped {check.__name__}: {feature[1]}")
                continue
            try:
                await asyncio.wait_for(check(a, b), 60)
            except Exception as e:
                print(f"failed {check.__name__}: {type(e).__name__}: {e}")
                raise
            print("ok", check.__name__)
            assert a.joins == b.joins == 1, (a.error, b.error)
    print("all done")


asyncio.run(main())
