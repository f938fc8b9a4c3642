"""argon2id version 1.3, one lane, 32 octets: what SCRAM needs of it, in C."""

from __future__ import annotations

from nacl.pwhash import argon2id as _argon2id

from ..exception import ConfigurationError


def argon2id(password: bytes, salt: bytes, iterations: int, memory: int) -> bytes:
    """The hash; memory in KiB, at least 8.

    libsodium wants salts of 16 octets, as crossbar's are; others need the extra `argon2`.
    """
    if memory < 8 or len(salt) < 8:
        raise ConfigurationError(
            f"argon2id needs 8 KiB and 8 octets of salt at least, not {memory} and {len(salt)}"
        )
    if len(salt) == _argon2id.SALTBYTES:
        return _argon2id.kdf(32, password, salt, iterations, memory << 10)
    try:
        from argon2.low_level import Type, hash_secret_raw
    except ImportError:
        raise ConfigurationError(
            f"argon2id with a salt of {len(salt)} octets needs: pip install microwamp[argon2]"
        ) from None
    return bytes(hash_secret_raw(password, salt, iterations, memory, 1, 32, Type.ID, 0x13))
