"""The transport a session runs over, with the codes of WAMP's TransportChannel enumerations."""

from __future__ import annotations

import re
from typing import Any

from ..exception import LocalProtocolError, RemoteProtocolError
from ..message._check import BOOL, DICT, STR, Kind, is_dict, unfit
from ._record import Record, checked

_INT: Kind = (lambda value: type(value) is int, "an integer")
# TLS channel bindings (RFC 5929, RFC 9266).
_BINDINGS = ("tls-unique", "tls-unique-for-telnet", "tls-server-end-point", "tls-exporter")
# The channel id is a hash of 32 octets, whatever the TLS version.
_CHANNEL_ID_LENGTH = 32
_HEX = re.compile(r"[0-9a-fA-F]{64}")


def _is_channel_id(value: Any) -> bool:
    return isinstance(value, dict) and all(
        kind in _BINDINGS and isinstance(octets, bytes) and len(octets) == _CHANNEL_ID_LENGTH
        for kind, octets in value.items()
    )


def _is_extensions(value: Any) -> bool:
    # Strings by the reference; crossbar has a dictionary of parameters for each.
    return isinstance(value, list) and all(isinstance(item, str | dict) for item in value)


def _code(names: dict[int, str]) -> Kind:
    words = ", ".join(f"{code} ({name})" for code, name in names.items())
    return lambda value: type(value) is int and value in names, "one of " + words


class TransportDetails(Record):
    """What carries a session. Fields are None where they are not known.

    channel_type, channel_framing, channel_serializer: the constants below.
    """

    CHANNEL_TYPE_NONE = 0
    CHANNEL_TYPE_FUNCTION = 1
    CHANNEL_TYPE_MEMORY = 2
    CHANNEL_TYPE_SERIAL = 3
    CHANNEL_TYPE_TCP = 4
    CHANNEL_TYPE_TLS = 5

    CHANNEL_FRAMING_NONE = 0
    CHANNEL_FRAMING_NATIVE = 1
    CHANNEL_FRAMING_WEBSOCKET = 2
    CHANNEL_FRAMING_RAWSOCKET = 3

    CHANNEL_SERIALIZER_NONE = 0
    CHANNEL_SERIALIZER_JSON = 1
    CHANNEL_SERIALIZER_MSGPACK = 2
    CHANNEL_SERIALIZER_CBOR = 3
    CHANNEL_SERIALIZER_UBJSON = 4
    CHANNEL_SERIALIZER_OPAQUE = 5
    CHANNEL_SERIALIZER_FLATBUFFERS = 6
    CHANNEL_SERIALIZER_FLEXBUFFERS = 7

    CHANNEL_TYPE_TO_STR = dict(enumerate(("null", "function", "memory", "serial", "tcp", "tls")))
    CHANNEL_FRAMING_TO_STR = dict(enumerate(("null", "native", "websocket", "rawsocket")))
    CHANNEL_SERIALIZER_TO_STR = dict(
        enumerate(
            ("null", "json", "msgpack", "cbor", "ubjson", "opaque", "flatbuffers", "flexbuffers")
        )
    )
    CHANNEL_TYPE_FROM_STR = {name: code for code, name in CHANNEL_TYPE_TO_STR.items()}
    CHANNEL_FRAMING_FROM_STR = {name: code for code, name in CHANNEL_FRAMING_TO_STR.items()}
    CHANNEL_SERIALIZER_FROM_STR = {name: code for code, name in CHANNEL_SERIALIZER_TO_STR.items()}

    FIELDS = {
        "channel_type": _code(CHANNEL_TYPE_TO_STR),
        "channel_framing": _code(CHANNEL_FRAMING_TO_STR),
        "channel_serializer": _code(CHANNEL_SERIALIZER_TO_STR),
        "own": STR,
        "peer": STR,
        "is_server": BOOL,
        "own_pid": _INT,
        "own_tid": _INT,
        "own_fd": _INT,
        "is_secure": BOOL,
        "channel_id": (_is_channel_id, "TLS channel bindings, each with 32 octets"),
        "peer_cert": DICT,
        "websocket_protocol": STR,
        "websocket_extensions_in_use": (_is_extensions, "a list of strings"),
        "http_headers_received": DICT,
        "http_headers_sent": DICT,
        "http_cbtid": STR,
    }

    channel_type: int | None = checked(
        "channel_type", "What the octets travel on, CHANNEL_TYPE_..."
    )
    channel_framing: int | None = checked(
        "channel_framing", "How messages are told apart, CHANNEL_FRAMING_..."
    )
    channel_serializer: int | None = checked(
        "channel_serializer", "How messages are serialized, CHANNEL_SERIALIZER_..."
    )
    own: str | None = checked(
        "own", "URL or address of this end, such as `rs://unix:/tmp/wamp.sock`."
    )
    peer: str | None = checked("peer", "Address of the other end, such as `tcp4:127.0.0.1:8080`.")
    is_server: bool | None = checked("is_server", "Whether this end accepted the connection.")
    own_pid: int | None = checked("own_pid", "Process id of this end.")
    own_tid: int | None = checked("own_tid", "Native thread id of this end.")
    own_fd: int | None = checked("own_fd", "File descriptor of this end.")
    is_secure: bool | None = checked("is_secure", "Whether the transport encrypts (TLS).")
    channel_id: dict[str, bytes] | None = checked(
        "channel_id", "TLS channel bindings: name to 32 octets."
    )
    peer_cert: dict[str, Any] | None = checked(
        "peer_cert", "Certificate of the other end, as `ssl` gives it."
    )
    websocket_protocol: str | None = checked(
        "websocket_protocol", "WebSocket subprotocol, such as `wamp.2.cbor`."
    )
    websocket_extensions_in_use: list[str] | None = checked(
        "websocket_extensions_in_use", "WebSocket extensions, such as `permessage-deflate`."
    )
    http_headers_received: dict[str, Any] | None = checked(
        "http_headers_received", "HTTP headers of the opening handshake, received."
    )
    http_headers_sent: dict[str, Any] | None = checked(
        "http_headers_sent", "HTTP headers of the opening handshake, sent."
    )
    http_cbtid: str | None = checked("http_cbtid", "Tracking cookie of the HTTP connection.")

    def __init__(
        self,
        channel_type: int | None = None,
        channel_framing: int | None = None,
        channel_serializer: int | None = None,
        own: str | None = None,
        peer: str | None = None,
        is_server: bool | None = None,
        own_pid: int | None = None,
        own_tid: int | None = None,
        own_fd: int | None = None,
        is_secure: bool | None = None,
        channel_id: dict[str, bytes] | None = None,
        peer_cert: dict[str, Any] | None = None,
        websocket_protocol: str | None = None,
        websocket_extensions_in_use: list[str] | None = None,
        http_headers_received: dict[str, Any] | None = None,
        http_headers_sent: dict[str, Any] | None = None,
        http_cbtid: str | None = None,
    ) -> None:
        self._take(locals())

    @staticmethod
    def parse(data: dict[str, Any]) -> TransportDetails:
        """From the dictionary that `marshal` makes; other keys are ignored.

        Channel ids may be octets or 64 hexadecimal digits. ProtocolError names the key that does
        not fit.
        """
        name = "TransportDetails"
        if not is_dict(data):
            raise unfit(name, "data", data, "a dictionary with string keys")
        found = {key: data[key] for key in TransportDetails.FIELDS if data.get(key) is not None}
        for key, codes in (
            ("channel_type", TransportDetails.CHANNEL_TYPE_FROM_STR),
            ("channel_framing", TransportDetails.CHANNEL_FRAMING_FROM_STR),
            ("channel_serializer", TransportDetails.CHANNEL_SERIALIZER_FROM_STR),
        ):
            if key in found:
                if not isinstance(found[key], str) or found[key] not in codes:
                    raise unfit(name, key, found[key], "one of " + ", ".join(codes))
                found[key] = codes[found[key]]
        if isinstance(found.get("channel_id"), dict):
            found["channel_id"] = {
                kind: bytes.fromhex(octets)
                if isinstance(octets, str) and _HEX.fullmatch(octets)
                else octets
                for kind, octets in found["channel_id"].items()
            }
        try:
            return TransportDetails(**found)
        except LocalProtocolError as error:
            raise RemoteProtocolError(str(error)) from None

    def marshal(self) -> dict[str, Any]:
        """All fields as a dictionary: names instead of codes, None for what is not known."""
        values = {name: getattr(self, name) for name in self.FIELDS}
        for key, names in (
            ("channel_type", self.CHANNEL_TYPE_TO_STR),
            ("channel_framing", self.CHANNEL_FRAMING_TO_STR),
            ("channel_serializer", self.CHANNEL_SERIALIZER_TO_STR),
        ):
            if values[key] is not None:
                values[key] = names[values[key]]
        return values

    @property
    def channel_typeid(self) -> str:
        """Type, framing and serializer in a word, such as `serial-rawsocket-cbor`.

        What is not known is `null`; for a FUNCTION channel, which needs neither framing nor
        serializer, it is `native`.
        """
        unset = "native" if self.channel_type == self.CHANNEL_TYPE_FUNCTION else "null"
        framing = self.CHANNEL_FRAMING_TO_STR[self.channel_framing or 0]
        serializer = self.CHANNEL_SERIALIZER_TO_STR[self.channel_serializer or 0]
        return "-".join(
            (
                self.CHANNEL_TYPE_TO_STR[self.channel_type or 0],
                framing if self.channel_framing else unset,
                serializer if self.channel_serializer else unset,
            )
        )
