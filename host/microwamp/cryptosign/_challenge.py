"""What a cryptosign signature is over: the challenge, bound to the TLS channel or not.

Source: WAMP advanced profile, "Cryptosign-based Authentication", "Channel Binding".
"""

from __future__ import annotations

import hashlib
import ssl
from typing import Any

from wamp.authcryptosign import unhex

from .._text import shown
from ..exception import (
    AuthenticationError,
    ConfigurationError,
    LocalProtocolError,
    RemoteProtocolError,
)

BINDINGS = ("tls-unique", "tls-exporter")


def check_binding(binding: object) -> str | None:
    """The name of a channel binding, or None; ConfigurationError for any other word."""
    if binding is None:
        return None
    for known in BINDINGS:
        if binding == known:
            return known
    raise ConfigurationError(
        f"channel_binding {shown(binding)} is not known: {' and '.join(BINDINGS)} are"
    )


def bound(octets: bytes, channel_id: bytes | None, channel_id_type: str | None) -> bytes:
    """32 octets, combined with the channel's id where there is a type of it."""
    if channel_id_type is None:
        if channel_id is not None:
            raise LocalProtocolError("a channel_id needs its channel_id_type")
        return octets
    if channel_id_type not in BINDINGS:
        raise LocalProtocolError(
            f"channel_id_type {shown(channel_id_type)} is not known: {' and '.join(BINDINGS)} are"
        )
    if not isinstance(channel_id, bytes) or len(channel_id) != 32:
        raise LocalProtocolError(
            f"channel_id: {shown(channel_id)} found, for {channel_id_type} it is 32 octets"
        )
    return bytes(a ^ b for a, b in zip(octets, channel_id, strict=True))


def signed_octets(
    extra: dict[str, Any], channel_id: bytes | None, channel_id_type: str | None
) -> bytes:
    """The 32 octets that a CHALLENGE with this extra asks to sign.

    RemoteProtocolError: the challenge is malformed. AuthenticationError: the router names another
    channel binding than this side means. LocalProtocolError: a channel id that cannot be one.
    """
    octets = unhex(extra.get("challenge"), 32)
    if octets is None:
        raise RemoteProtocolError(
            f"CHALLENGE: challenge must be 64 hex digits, not {shown(extra.get('challenge'))}"
        )
    if "channel_binding" in extra and extra["channel_binding"] != channel_id_type:
        raise AuthenticationError(
            f"the router's channel binding is {shown(extra['channel_binding'])}, "
            f"and this side's {shown(channel_id_type)}"
        )
    return bound(octets, channel_id, channel_id_type)


def channel_id_of(channel: ssl.SSLObject | ssl.SSLSocket | None, binding: str) -> bytes:
    """The id of a live TLS connection, 32 octets; ConfigurationError where it has none.

    As autobahn and crossbar have it: SHA-256 of the TLS Finished message.
    """
    check_binding(binding)
    if channel is None:
        raise ConfigurationError(f"channel_binding {binding} needs a TLS connection")
    if binding == "tls-exporter":
        raise ConfigurationError(
            "channel_binding tls-exporter is not possible on a live connection, because Python's "
            "ssl cannot export keying material: use tls-unique on TLS 1.2"
        )
    version = channel.version()
    finished = channel.get_channel_binding("tls-unique")
    # TLS 1.3 has no tls-unique (RFC 8446, appendix C.5), whatever OpenSSL returns.
    if version == "TLSv1.3" or not finished:
        raise ConfigurationError(
            f"channel_binding tls-unique needs TLS 1.2, and this connection has {version}: set "
            "maximum_version of the SSL context"
        )
    return hashlib.sha256(finished).digest()
