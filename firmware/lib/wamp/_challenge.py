"""What wampcra and scram read of a CHALLENGE's extra, checked."""

from binascii import b2a_base64

from .errors import AuthenticationError, RemoteProtocolError


def octets(extra, name):
    """The text under `name` in UTF-8; RemoteProtocolError where there is none."""
    text = extra.get(name)
    if not isinstance(text, str):
        raise RemoteProtocolError("CHALLENGE: %s must be a text" % name)
    try:
        return text.encode()
    except ValueError:  # half a surrogate pair, which JSON can write
        raise RemoteProtocolError("CHALLENGE: %s is no Unicode text" % name) from None


def count(extra, name, default, limit):
    """The number under `name`, from 1 to `limit`; `default` where there is none or null.

    RemoteProtocolError where it is no positive integer, AuthenticationError where it is too large.
    """
    number = extra.get(name)
    if number is None:
        number = default
    if type(number) is not int or number < 1:  # `is`: True is an int too
        raise RemoteProtocolError("CHALLENGE: %s must be a positive integer" % name)
    if number > limit:
        raise AuthenticationError(
            "the router asks for more %s than the %d of this client's limit" % (name, limit)
        )
    return number


def base64(octets):
    """Octets as base64 text, with padding, without an end of line."""
    return b2a_base64(octets)[:-1].decode()
