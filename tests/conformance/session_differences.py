"""Asks one API what it does where it and the other one differ: `session_differences.py WHO`.

WHO: autobahn, with the Python of crossbar's environment, or microwamp. Both have the same names,
so each question is put to both in the same words. Prints one JSON object: question to answer.
"""

# mypy: ignore-errors

import asyncio
import base64
import inspect
import json
import logging
import os
import sys
import tempfile

WHO = sys.argv[1]
if WHO == "autobahn":
    import txaio

    txaio.use_asyncio()
    from autobahn.asyncio.wamp import ApplicationSession as Session
    from autobahn.wamp import auth, cryptobox, cryptosign, message, types
else:
    from microwamp import Session, auth, cryptobox, cryptosign, message, types

logging.disable(logging.CRITICAL)  # what is logged is not asked
FEATURES = {
    "call_canceling": True,
    "progressive_call_results": True,
    "payload_transparency": True,
}
WELCOME = [2, 4711, {"roles": {"broker": {}, "dealer": {"features": FEATURES}}}]
SEED = bytes(range(32))


class Transport:
    """Keeps what is sent."""

    def __init__(self):
        self.sent = []
        self.transport_details = types.TransportDetails()
        self._serializer = None

    def send(self, msg):
        self.sent.append(msg.marshal())

    def isOpen(self):
        return True

    def is_open(self):
        return True

    def close(self):
        pass

    abort = close

    @property
    def is_closed(self):
        return asyncio.get_running_loop().create_future()


async def turns():
    for _ in range(20):
        await asyncio.sleep(0)


async def joined(kind=Session):
    """(session, transport), joined; nothing is sent yet that is not forgotten."""
    session, transport = kind(types.ComponentConfig("realm1")), Transport()
    session.onOpen(transport)
    await turns()
    session.onMessage(message.Welcome.parse(WELCOME))
    await turns()
    transport.sent.clear()
    return session, transport


async def give(session, wmsg):
    session.onMessage(message.Message.parse(wmsg) if WHO != "autobahn" else parse(wmsg))
    await turns()


def parse(wmsg):
    from autobahn.wamp.serializer import Serializer

    return Serializer.MESSAGE_TYPE_MAP[wmsg[0]].parse(wmsg)


async def outcome(awaitable):
    try:
        return await asyncio.wait_for(awaitable, 60)
    except BaseException as error:
        return type(error).__name__


async def registered(session, transport, endpoint):
    future = session.register(endpoint, "com.example.p")
    await turns()
    await give(session, [65, transport.sent.pop()[1], 9])
    return await future


# -- sessions


async def requests_under_way_when_a_session_ends():
    class Own(Session):
        def onLeave(self, details):
            pass

        def onDisconnect(self):
            pass

    session, transport = await joined(Own)
    call = session.call("com.example.p")
    await turns()
    session.onClose(False)
    await turns()
    return type(call.exception()).__name__ if call.done() else "waits"


async def cancelling_a_calls_future():
    session, transport = await joined()
    call = session.call("com.example.p")
    call.cancel()
    await turns()
    return transport.sent[-1][2]


async def calloptions_timeout():
    session, transport = await joined()
    call = session.call("com.example.p", options=types.CallOptions(timeout=1))
    await asyncio.sleep(1.5)
    return [transport.sent[0][2].get("timeout"), call.done()]


async def interrupted_endpoint():
    session, transport = await joined()

    async def hang():
        await asyncio.sleep(3600)

    await registered(session, transport, hang)
    await give(session, [68, 1, 9, {}])
    await give(session, [69, 1, {"mode": "kill"}])
    return [message[4] for message in transport.sent if message[0] == 8]


async def revocation():
    session, transport = await joined()
    registration = await registered(session, transport, lambda: 1)
    await give(session, [67, 0, {"registration": 9}])
    return registration.active


async def calls_in_parts():
    return hasattr(Session, "open_call")


def private(octets):
    return base64.b64encode(octets).decode()


def public(octets):
    from nacl.public import PrivateKey

    return base64.b64encode(bytes(PrivateKey(octets).public_key)).decode()


def keyring():
    ring = cryptobox.KeyRing()
    pair = {"originator_priv": private(SEED), "responder_priv": private(SEED[::-1])}
    ring.set_key("com.example.", cryptobox.Key(**pair))
    return ring


async def error_of_an_encrypted_call():
    session, transport = await joined()
    session.set_payload_codec(keyring())

    def fails():
        raise ValueError("secret")

    await registered(session, transport, fails)
    payload = keyring().encode(True, "com.example.p", [], {})
    details = {"enc_algo": payload.enc_algo, "enc_serializer": payload.enc_serializer}
    await give(session, [68, 1, 9, details, payload.payload])
    answer = transport.sent[-1]
    return [answer[4], "secret" in str(answer)]


async def goodbye_or_hello_unanswered():
    session, transport = await joined()
    loop = asyncio.get_running_loop()
    before = len(loop._scheduled)
    session.leave()
    await turns()
    return len(loop._scheduled) - before


async def result_none():
    session, transport = await joined()
    await registered(session, transport, lambda: None)
    await give(session, [68, 1, 9, {}])
    return transport.sent[-1][3:]


# -- logins and keys


async def wrong_keywords_keys_files():
    found = []
    for make in (
        lambda: auth.create_authenticator("nosuch"),
        lambda: auth.create_authenticator("ticket", authid="a", nosuch=1),
        lambda: cryptosign.CryptosignKey.from_bytes(b"short"),
        lambda: cryptosign.CryptosignKey.from_file("/no/such/file"),
    ):
        try:
            make()
            found.append("nothing")
        except Exception as error:
            found.append(type(error).__name__)
    return found


def authenticator(name, **keywords):
    made = auth.create_authenticator(name, authid="a", **keywords)
    _ = made.authextra  # as a session asks for it before HELLO
    return made


async def on_challenge():
    made = authenticator("wampcra", secret="s")
    found = made.on_challenge(None, types.Challenge("wampcra", {"challenge": "{}"}))
    coroutine = inspect.isawaitable(found)
    if coroutine:
        await found
    return "coroutine" if coroutine else "value"


async def sign_sign_challenge():
    key = cryptosign.CryptosignKey.from_bytes(SEED)
    found = []
    for one in (
        key.sign(b"x"),
        key.sign_challenge(types.Challenge("cryptosign", {"challenge": "00" * 32})),
    ):
        found.append("future" if asyncio.isfuture(one) else "coroutine")
        await one
    return found


async def answered(made, extra):
    try:
        found = made.on_challenge(None, types.Challenge(made.name, extra))
        await found if inspect.isawaitable(found) else found
        return "answered"
    except Exception as error:
        return type(error).__name__


async def wampcra_without_iterations_or_keylen():
    made = authenticator("wampcra", secret="s")
    return await answered(made, {"challenge": "{}", "salt": "pepper"})


SCRAM = {"channel_binding": "", "salt": "AAECAwQFBgcICQoLDA0ODw==", "iterations": 4096}


async def routers_nonce_in_scram():
    extra = {**SCRAM, "kdf": "argon2id-13", "memory": 512, "nonce": "b3RoZXI="}
    return await answered(authenticator("scram", password="p"), extra)


async def scram_with_pbkdf2():
    made = authenticator("scram", password="p")
    nonce = made.authextra["nonce"] + "AAAA"
    return await answered(made, {**SCRAM, "kdf": "pbkdf2", "memory": 0, "nonce": nonce})


def written(octets, mode):
    handle, name = tempfile.mkstemp()
    with os.fdopen(handle, "wb") as file:
        file.write(octets)
    os.chmod(name, mode)
    return name


async def read(function, octets, mode=0o600, **keywords):
    name = written(octets, mode)
    try:
        return bool(function(name, **keywords).public_key())
    except Exception as error:
        return type(error).__name__
    finally:
        os.unlink(name)


async def key_files_that_others_can_read():
    return await read(cryptosign.CryptosignKey.from_file, SEED, 0o644)


async def raw_keys_in_from_keyfile_encrypted_ssh_files():
    return await read(cryptosign.CryptosignKey.from_keyfile, SEED)


async def a_key_with_both_halves_of_a_pair():
    whole = {"originator_priv": private(SEED), "originator_pub": public(SEED)}
    try:
        cryptobox.Key(**whole, responder_pub=public(SEED[::-1]))
        return "accepted"
    except BaseException as error:
        return type(error).__name__


async def a_key_without_the_private_half_of_this_side():
    ring = cryptobox.KeyRing()
    pair = {"originator_priv": private(SEED), "responder_pub": public(SEED[::-1])}
    ring.set_key("com.example.", cryptobox.Key(**pair))
    try:
        found = ring.encode(False, "com.example.p", ["secret"], {})
        return "in clear" if found is None else "encrypted"
    except Exception as error:
        return type(error).__name__


async def the_uri_in_a_payload():
    ring = keyring()
    payload = ring.encode(True, "com.example.p", ["x"], {})
    try:
        uri = ring.decode(True, "com.example.q", payload)[0]
        return f"left to the session: {uri}"
    except Exception as error:
        return type(error).__name__


QUESTIONS = [
    requests_under_way_when_a_session_ends,
    cancelling_a_calls_future,
    calloptions_timeout,
    interrupted_endpoint,
    revocation,
    calls_in_parts,
    error_of_an_encrypted_call,
    goodbye_or_hello_unanswered,
    result_none,
    wrong_keywords_keys_files,
    on_challenge,
    sign_sign_challenge,
    wampcra_without_iterations_or_keylen,
    routers_nonce_in_scram,
    scram_with_pbkdf2,
    key_files_that_others_can_read,
    raw_keys_in_from_keyfile_encrypted_ssh_files,
    a_key_with_both_halves_of_a_pair,
    a_key_without_the_private_half_of_this_side,
    the_uri_in_a_payload,
]


async def main():
    answers = {}
    for question in QUESTIONS:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        try:
            answers[question.__name__] = await question()
        except Exception as error:
            answers[question.__name__] = f"failed: {type(error).__name__}: {error}"
    print(json.dumps(answers))
    sys.stdout.flush()
    os._exit(0)  # whatever still waits


asyncio.run(main())
