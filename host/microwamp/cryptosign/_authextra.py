"""The authextra of HELLO for cryptosign, as an object."""

from __future__ import annotations

from typing import Any

from wamp.authcryptosign import unhex

from .._text import shown
from ..exception import LocalProtocolError, RemoteProtocolError
from ._challenge import BINDINGS

# name: octets, prefix of its hex digits
_OCTETS = {
    "pubkey": (32, ""),
    "challenge": (32, ""),
    "channel_id": (32, ""),
    "trustroot": (20, "0x"),
    "realm": (20, "0x"),
    "delegate": (20, "0x"),
    "seeder": (20, "0x"),
    "signature": (65, ""),
}
# name: the least
_NUMBERS = {"chain_id": 1, "block_no": 1, "bandwidth": 0}
_ORDER = (
    ("pubkey", "challenge", "channel_binding", "channel_id", "trustroot", "signature"),
    ("chain_id", "block_no", "realm", "delegate", "seeder", "bandwidth"),
)


class CryptosignAuthextra:
    """What a client says of its key in HELLO: octets here, hexadecimal on the wire.

    pubkey, challenge, channel_id: 32 octets; trustroot, realm, delegate, seeder: 20 (addresses);
    signature: 65. channel_binding: `tls-unique` or `tls-exporter`. What is None is left out.
    Each is checked when it is set; LocalProtocolError says what does not fit.
    """

    __slots__ = (*_ORDER[0], *_ORDER[1])

    def __init__(
        self,
        pubkey: bytes | None = None,
        challenge: bytes | None = None,
        channel_binding: str | None = None,
        channel_id: bytes | None = None,
        trustroot: bytes | None = None,
        realm: bytes | None = None,
        chain_id: int | None = None,
        block_no: int | None = None,
        delegate: bytes | None = None,
        seeder: bytes | None = None,
        bandwidth: int | None = None,
        signature: bytes | None = None,
    ) -> None:
        self.pubkey = pubkey
        self.challenge = challenge
        self.channel_binding = channel_binding
        self.channel_id = channel_id
        self.trustroot = trustroot
        self.realm = realm
        self.chain_id = chain_id
        self.block_no = block_no
        self.delegate = delegate
        self.seeder = seeder
        self.bandwidth = bandwidth
        self.signature = signature

    def __setattr__(self, name: str, value: Any) -> None:
        expected = _misfit(name, value)
        if expected:
            raise LocalProtocolError(
                f"CryptosignAuthextra.{name}: {shown(value)} found, {expected} expected"
            )
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CryptosignAuthextra):
            return NotImplemented
        return self.marshal() == other.marshal()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"CryptosignAuthextra({self.marshal()!r})"

    def marshal(self) -> dict[str, Any]:
        """The dictionary for HELLO."""
        found: list[dict[str, Any]] = []
        for names in _ORDER:
            values = {name: getattr(self, name) for name in names}
            found.append(
                {
                    name: _OCTETS[name][1] + value.hex() if name in _OCTETS else value
                    for name, value in values.items()
                    if value is not None
                }
            )
        if found[1]:
            found[0]["reservation"] = found[1]
        return found[0]

    @classmethod
    def parse(cls, data: dict[str, Any]) -> CryptosignAuthextra:
        """The reverse of `marshal`; unknown names are passed over, RemoteProtocolError else."""
        reservation = data.get("reservation") or {}
        if not isinstance(reservation, dict):
            raise RemoteProtocolError(
                f"authextra.reservation: {shown(reservation)} found, a dictionary expected"
            )
        values: dict[str, Any] = {}
        for name in cls.__slots__:
            where = reservation if name in _ORDER[1] else data
            value = where.get(name)
            if value is not None and name in _OCTETS:
                length, prefix = _OCTETS[name]
                text = value if isinstance(value, str) else ""
                octets = unhex(text.removeprefix(prefix), length)
                if octets is None:
                    raise RemoteProtocolError(
                        f"authextra.{name}: {shown(value)} found, {prefix}{2 * length} hex digits "
                        "expected"
                    )
                value = octets
            expected = _misfit(name, value)
            if expected:
                raise RemoteProtocolError(
                    f"authextra.{name}: {shown(value)} found, {expected} expected"
                )
            values[name] = value
        return cls(**values)


def _misfit(name: str, value: Any) -> str:
    """What is expected of the value; empty where it fits."""
    if value is None:
        return ""
    if name in _OCTETS:
        length = _OCTETS[name][0]
        return "" if isinstance(value, bytes) and len(value) == length else f"{length} octets"
    if name in _NUMBERS:
        least = _NUMBERS[name]
        return "" if type(value) is int and value >= least else f"an integer from {least} up"
    return "" if value in BINDINGS else " or ".join(BINDINGS)
