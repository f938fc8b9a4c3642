"""Logging in on a host: authenticators by the names of their methods, and what they compute with.

The logins themselves are the core's (wamp.auth); here they get C where C is faster.
"""

from __future__ import annotations

from ._authenticators import (
    AuthAnonymous,
    AuthAnonymousProxy,
    AuthCryptoSign,
    AuthCryptoSignProxy,
    Authenticator,
    AuthScram,
    AuthTicket,
    AuthTotp,
    AuthWampCra,
    AuthWampScram,
    create_authenticator,
)
from ._secrets import (
    check_totp,
    compute_totp,
    compute_wcs,
    derive_key,
    derive_scram_credential,
    generate_totp_secret,
    generate_wcs,
    pbkdf2,
    qrcode_from_totp,
)

__all__ = [
    "AuthAnonymous",
    "AuthAnonymousProxy",
    "AuthCryptoSign",
    "AuthCryptoSignProxy",
    "AuthScram",
    "AuthTicket",
    "AuthTotp",
    "AuthWampCra",
    "AuthWampScram",
    "Authenticator",
    "check_totp",
    "compute_totp",
    "compute_wcs",
    "create_authenticator",
    "derive_key",
    "derive_scram_credential",
    "generate_totp_secret",
    "generate_wcs",
    "pbkdf2",
    "qrcode_from_totp",
]
