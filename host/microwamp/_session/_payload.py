"""Payloads that a codec encodes (payload passthru), on the session's side."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..exception import ApplicationError
from ..interfaces import IPayloadCodec
from ..types import EncodedPayload

_PPT = ("ppt_scheme", "ppt_serializer", "ppt_cipher", "ppt_keyid")
_ENC = ("enc_algo", "enc_serializer", "enc_key")


def encode(
    codec: IPayloadCodec | None,
    originating: bool,
    uri: str,
    args: Any,
    kwargs: dict[str, Any] | None,
    options: dict[str, Any] | None,
) -> tuple[Any, dict[str, Any] | None, dict[str, Any] | None]:
    """(args, kwargs, options) of a message, encoded if there is a codec that wants to."""
    if codec is None:
        return args, kwargs, options
    found = codec.encode(originating, uri, list(args or ()), kwargs or {})
    return _instead(found, args, kwargs, options)


def encode_error(
    codec: IPayloadCodec | None,
    procedure: str,
    error: str,
    args: list[Any],
    kwargs: dict[str, Any] | None,
) -> tuple[Any, dict[str, Any] | None, dict[str, Any] | None]:
    """(args, kwargs, options) of the ERROR to a call.

    A codec that has `encode_error`, such as cryptobox's, decides itself; else it is encoded for
    the procedure: the caller has a key for that, for error URIs hardly.
    """
    own = getattr(codec, "encode_error", None)
    if own is None:
        return encode(codec, False, procedure, args, kwargs, None)
    return _instead(own(procedure, error, list(args), kwargs or {}), args, kwargs, None)


def _instead(
    found: EncodedPayload | None,
    args: Any,
    kwargs: dict[str, Any] | None,
    options: dict[str, Any] | None,
) -> tuple[Any, dict[str, Any] | None, dict[str, Any] | None]:
    if found is None:
        return args, kwargs, options
    more = dict(options or {})
    for name in _PPT:
        value = getattr(found, name)
        if value is not None:
            more[name] = value
    if "ppt_scheme" not in more:
        for name in _ENC:
            value = getattr(found, name)
            if value is not None:
                more[name] = value
    return found.payload, None, more


def decode(
    codec: IPayloadCodec | None,
    originating: bool,
    uri: str,
    payload: bytes,
    details: dict[str, Any],
    error: str | None = None,
) -> tuple[list[Any], dict[str, Any], str | None]:
    """(args, kwargs, algorithm) of octets that came.

    error: the URI of an ERROR to a call of `uri`: autobahn encodes for that. ApplicationError:
    there is no codec, it cannot, or the payload was made for another URI.
    """
    given = {name: details[name] for name in _PPT + _ENC if details.get(name) is not None}
    if "ppt_scheme" not in given and "enc_algo" not in given:
        # Octets that nobody says anything about: crossbar forwards such.
        return [payload], {}, None
    if codec is None:
        raise ApplicationError(
            ApplicationError.ENC_NO_PAYLOAD_CODEC,
            f"the payload of {uri} is encoded, and the session has no codec",
        )
    try:
        encoded = EncodedPayload(payload, **given)
    except Exception as e:
        raise ApplicationError(ApplicationError.ENC_NO_PAYLOAD_CODEC, str(e)) from e
    own = getattr(codec, "decode_error", None) if error is not None else None
    meant: list[tuple[str, Callable[[], Any]]]
    if own is not None:
        meant = [(error or "", lambda: own(uri, error, encoded))]
    else:
        uris = (uri,) if error is None or error == uri else (uri, error)
        meant = [(one, partial(codec.decode, originating, one, encoded)) for one in uris]
    wrong: Exception | None = None
    for one, decoded in meant:
        try:
            inner, args, kwargs = decoded()
        except Exception as e:
            wrong = wrong or e
            continue
        if inner != one:
            raise ApplicationError(
                ApplicationError.ENC_TRUSTED_URI_MISMATCH,
                f"a payload made for {inner} came for {one}",
            )
        return list(args or ()), dict(kwargs or {}), encoded.enc_algo
    if isinstance(wrong, ApplicationError):
        raise wrong  # it says what is wrong better than we can
    raise ApplicationError(
        ApplicationError.ENC_DECRYPT_ERROR, f"the payload of {uri} cannot be decoded: {wrong}"
    ) from wrong
