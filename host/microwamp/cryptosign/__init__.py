"""Ed25519 keys for WAMP-cryptosign: where they come from, and what they sign.

The octets that are signed are the core's (wamp.authcryptosign); the signatures are libsodium's.
"""

from __future__ import annotations

from ._authextra import CryptosignAuthextra
from ._challenge import channel_id_of, signed_octets
from ._key import CryptosignKey

__all__ = ["CryptosignAuthextra", "CryptosignKey", "channel_id_of", "signed_octets"]
