"""autobahn's keys, logins and payload encryption, asked over stdin and stdout like autobahn_peer.

Each line is a JSON list, operation and arguments, each answer a JSON line; octets are {"$": hex}.
"""

# mypy: ignore-errors

import asyncio
import json
import sys

import txaio

txaio.use_asyncio()

from autobahn.wamp import auth, cryptobox, cryptosign, types  # noqa: E402
from octets_in_json import into, out  # noqa: E402


def ring(keys):
    found = cryptobox.KeyRing()
    for uri, key in keys.items():
        found.set_key(uri, cryptobox.Key(**key) if isinstance(key, dict) else key)
    return found


def encode(keys, is_originating, uri, args, kwargs):
    payload = ring(keys).encode(is_originating, uri, args, kwargs)
    if payload is None:
        return None
    return [payload.payload, payload.enc_algo, payload.enc_serializer, payload.enc_key]


def decode(keys, is_originating, uri, payload):
    encoded = cryptobox.EncodedPayload(payload, "cryptobox", "json")
    return ring(keys).decode(is_originating, uri, encoded)


def scram(authid, password, extra, nonce):
    login = auth.AuthScram(authid=authid, password=password)
    login._client_nonce = nonce
    return login.on_challenge(None, types.Challenge("scram", extra)).decode()


async def sign(seed, challenge, channel_id, channel_id_type):
    key = cryptosign.CryptosignKey.from_bytes(seed)
    asked = types.Challenge("cryptosign", {"challenge": challenge})
    return await key.sign_challenge(asked, channel_id, channel_id_type)


def ssh(text):
    key = cryptosign.CryptosignKey.from_ssh_bytes(text)
    return [key.public_key(), key.can_sign, key.comment]


def typed(seed, data):
    """EIP-712 by eth-account, which crossbar installs: [digest, signature]."""
    from eth_account import Account
    from eth_account.messages import encode_typed_data

    signed = Account.sign_message(encode_typed_data(full_message=data), seed)
    return [bytes(signed.message_hash), bytes(signed.signature)]


def personal(seed, octets):
    from eth_account import Account
    from eth_account.messages import encode_defunct

    return bytes(Account.sign_message(encode_defunct(octets), seed).signature)


OPERATIONS = {
    "typed": typed,
    "personal": personal,
    "derive_key": auth.derive_key,
    "compute_wcs": auth.compute_wcs,
    "pbkdf2": auth.pbkdf2,
    "compute_totp": auth.compute_totp,
    "derive_scram_credential": auth.derive_scram_credential,
    "scram": scram,
    "sign": lambda *a: asyncio.get_event_loop().run_until_complete(sign(*a)),
    "seedphrase": lambda *a: cryptosign.CryptosignKey.from_seedphrase(*a).public_key(),
    "keyfile": lambda path: cryptosign.CryptosignKey.from_keyfile(path).public_key(),
    "ssh": ssh,
    "authextra": lambda kw: cryptosign.CryptosignAuthextra(**kw).marshal(),
    "encode": encode,
    "decode": decode,
}

for line in sys.stdin:
    try:
        operation, *arguments = into(json.loads(line))
        reply = {"value": out(OPERATIONS[operation](*arguments))}
    except Exception as e:
        reply = {"error": f"{type(e).__name__}: {e}"}
    print(json.dumps(reply), flush=True)
