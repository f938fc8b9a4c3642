"""The two ways to name what was done to a payload that is passed through, and how they translate.

`enc_*` is what autobahn and crossbar speak (payload transparency: the payload is one element of
octets), `ppt_*` is what the specification describes (advanced profile, Payload Passthru Mode: the
payload is the only argument). A message has the attributes of both; `passthru` says which form it
has on the wire, "enc" or "ppt". Where one form cannot express the other, its attributes are None.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from .._text import shown
from ..exception import LocalProtocolError, RemoteProtocolError
from ._check import (
    ALGO_OR_NULL,
    CIPHER_OR_NULL,
    ENCODING_OR_NULL,
    PPTSER_OR_NULL,
    SCHEME_OR_NULL,
    SCHEME_WORDS,
    STR_OR_NULL,
    Kind,
    unfit,
)
from ._uri import is_valid_enc_algo, is_valid_enc_serializer

Form: TypeAlias = Literal["enc", "ppt"]

KINDS: dict[str, Kind] = {
    "enc_algo": ALGO_OR_NULL,
    "enc_key": STR_OR_NULL,
    "enc_serializer": ENCODING_OR_NULL,
    "ppt_scheme": SCHEME_OR_NULL,
    "ppt_serializer": PPTSER_OR_NULL,
    "ppt_cipher": CIPHER_OR_NULL,
    "ppt_keyid": STR_OR_NULL,
}
ENC = ("enc_algo", "enc_key", "enc_serializer")
PPT = ("ppt_scheme", "ppt_serializer", "ppt_cipher", "ppt_keyid")
# Attributes that make it necessary to look at how they fit together.
PASSING = frozenset(("payload", *ENC, *PPT))
NAMES = {"enc": ENC, "ppt": PPT}

# The cipher of WAMP-cryptobox, which enc_* does not name (NaCl crypto_box).
_CRYPTOBOX_CIPHER = "xsalsa20poly1305"
_CRYPTOBOX = {"enc_algo": "cryptobox", "ppt_scheme": "x_cryptobox"}
# Payload serializers that enc_serializer has no word for.
_SERIALIZER_WORDS = {"opaque": "x_opaque", "flexbuffers": "x_flexbuffers"}
_SERIALIZER_BACK = {word: name for name, word in _SERIALIZER_WORDS.items()}


def ppt_from_enc(
    enc_algo: str, enc_key: str | None = None, enc_serializer: str | None = None
) -> dict[str, str | None]:
    """The `ppt_*` attributes that say the same as these `enc_*` ones."""
    cryptobox = enc_algo == _CRYPTOBOX["enc_algo"]
    if cryptobox and enc_serializer is None:
        enc_serializer = "json"
    return {
        "ppt_scheme": _CRYPTOBOX["ppt_scheme"] if cryptobox else enc_algo,
        "ppt_serializer": _SERIALIZER_BACK.get(enc_serializer or "", enc_serializer),
        "ppt_cipher": _CRYPTOBOX_CIPHER if cryptobox else None,
        "ppt_keyid": enc_key,
    }


def enc_from_ppt(
    ppt_scheme: str,
    ppt_serializer: str | None = None,
    ppt_cipher: str | None = None,
    ppt_keyid: str | None = None,
) -> dict[str, str | None]:
    """The `enc_*` attributes that say the same as these `ppt_*` ones.

    All None where they cannot: scheme wamp, a cipher (cryptobox's excepted), a custom word that
    crossbar does not accept.
    """
    cryptobox = ppt_scheme == _CRYPTOBOX["ppt_scheme"]
    algo = _CRYPTOBOX["enc_algo"] if cryptobox else ppt_scheme
    if not is_valid_enc_algo(algo) or ppt_cipher not in (
        (None, _CRYPTOBOX_CIPHER) if cryptobox else (None,)
    ):
        return dict.fromkeys(ENC)
    serializer = ppt_serializer
    if serializer == "native":
        serializer = None
    if cryptobox and serializer is None:
        serializer = "json"
    serializer = _SERIALIZER_WORDS.get(serializer or "", serializer)
    if serializer is not None and not is_valid_enc_serializer(serializer):
        return dict.fromkeys(ENC)
    return {"enc_algo": algo, "enc_key": ppt_keyid, "enc_serializer": serializer}


def _translate(found: dict[str, Any], form: Form) -> dict[str, str | None]:
    """The attributes of the other form, from those of `form`."""
    values: list[Any] = [found.get(name) for name in NAMES[form]]
    return ppt_from_enc(*values) if form == "enc" else enc_from_ppt(*values)


def complete(name: str, where: str, found: dict[str, Any]) -> None:
    """Bring the attributes of a received message in order: payload, form, the other names.

    name: of the message; where: its dictionary; found: attributes read so far, changed in place.
    Raises RemoteProtocolError where payload and attributes contradict each other.
    """
    form: Form | None = None
    if found.get("enc_algo") is not None:
        form = "enc"
    if found.get("ppt_scheme") is not None:
        if form is not None:
            raise RemoteProtocolError(
                f"{name}.{where}: enc_algo and ppt_scheme found, one of them expected"
            )
        form = "ppt"
    if form is None:
        # Without a scheme the others mean nothing; they are kept like any unknown key.
        rest = {key: found.pop(key) for key in KINDS if key in found}
        found["unknown"] = found.get("unknown", {}) | rest
        return
    if form == "enc":
        if "payload" not in found:
            raise unfit(name, "payload", found.get("args"), "octets (for enc_algo)")
    else:
        args = found.get("args")
        if args is None or len(args) != 1 or type(args[0]) is not bytes or found.get("kwargs"):
            raise unfit(name, "args", args, "octets as the only argument (for ppt_scheme)")
        found["payload"] = args[0]
        del found["args"]
        found.pop("kwargs", None)
    other = NAMES["ppt" if form == "enc" else "enc"]
    stray = {key: found.pop(key) for key in other if found.get(key) is not None}
    if stray:
        found["unknown"] = found.get("unknown", {}) | stray
    found["passthru"] = form
    found.update(_translate(found, form))


def settle(name: str, given: dict[str, Any]) -> None:
    """Bring the attributes of a message of our own in order; `given` is changed in place.

    Each fits for itself. Raises LocalProtocolError: values that contradict each other, a scheme
    without payload or with arguments, scheme wamp (its encryption is not specified).
    """
    scheme = given.get("ppt_scheme")
    if scheme in SCHEME_WORDS:
        scheme = given["ppt_scheme"] = SCHEME_WORDS[scheme]
    algo = given.get("enc_algo")
    if scheme == "wamp":
        raise LocalProtocolError(
            f"{name}.ppt_scheme: 'wamp' given, its encryption is not specified; use x_..."
        )
    payload = given.get("payload")
    if payload is not None and (given.get("args") or given.get("kwargs")):
        raise LocalProtocolError(f"{name}.payload: given together with args or kwargs")
    if algo is None and scheme is None:
        for key in KINDS:
            if given.get(key) is not None:
                raise LocalProtocolError(f"{name}.{key}: given without enc_algo or ppt_scheme")
        return
    form: Form = "enc" if algo is not None else "ppt"
    if payload is None:
        raise LocalProtocolError(f"{name}.payload: needed with {NAMES[form][0]}")
    for key, value in _translate(given, form).items():
        if given.get(key) not in (None, value):
            raise LocalProtocolError(
                f"{name}.{key}: {shown(given[key])} given, {shown(value)} follows from "
                f"{NAMES[form][0]}"
            )
        given[key] = value
    given["passthru"] = form


def on_wire(found: dict[str, Any], form: Form) -> dict[str, str]:
    """Keys and values of `form` for the options or details of a message that is sent."""
    return {key: found[key] for key in NAMES[form] if found.get(key) is not None}
