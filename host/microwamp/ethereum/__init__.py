"""Ethereum keys: EIP-712 typed data, signed and verified (extra `ethereum`).

Signing is the package cryptography's, Keccak-256 pycryptodome's; this can be imported without
them. Typed data are made octets here (EIP-712), and addresses text with a checksum (EIP-55).
"""

from __future__ import annotations

from ._key import EthereumKey

__all__ = ["EthereumKey"]
