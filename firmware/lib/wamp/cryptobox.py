"""Payloads that only the two ends can read: autobahn's cryptobox, for devices. Optional.

NaCl's box: X25519 (RFC 7748), XSalsa20, Poly1305 (RFC 8439, section 2.5), and in it the JSON text
of {"uri", "args", "kwargs"}. A router or bridge in the middle sees URIs, options and sizes, and
can show an old box again: nothing here says when it was made.

    box = Box(private, public)                  # ours, theirs: 32 octets each
    run(box.prepare())                          # once: computes the shared key
    octets = run(box.encode("com.example.t", [23.5], None, os.urandom(24)))
    await client.publish("com.example.t", octets, enc_algo="cryptobox")
    args, kwargs = run(box.decode("com.example.t", octets))

The generators yield every few milliseconds of RP2040 time; `run` drives one without a pause. On an
RP2040 the shared key takes 365 ms, once; 100 octets are sealed in 5 ms and opened in 7, 1,000
opened in 25. As with wamp.ed25519 the computations are not constant-time: who can time many of
them exactly may learn the private key.
"""

import json
from binascii import a2b_base64, b2a_base64

from ._ed25519_inverse import inverse
from ._salsa_int import core as _plain
from ._salsa_int import mix as _plain_mix
from .errors import ConfigurationError, LocalProtocolError, RemoteProtocolError

_P = (1 << 255) - 19
_M = (1 << 255) - 1
_SIGMA = b"expand 32-byte k"
_NONCE = 24
_TAG = 16
_PER_STEP = 4  # blocks between two yields


def _choose():
    """(core, mix) in viper where they are right, else on plain integers."""
    try:
        from . import _salsa_viper

        state = bytearray(range(64))
        one = bytearray(64)
        two = bytearray(64)
        _salsa_viper.core(state, one, 1)
        _plain(state, two, 1)
        _salsa_viper.mix(one, 0, two, 0, 64)
        if one == bytearray(64):
            return _salsa_viper.core, _salsa_viper.mix
    except Exception:  # not shipped, for another processor, or no code generator here
        pass
    return _plain, _plain_mix


_core, _mix = _choose()


def run(generator):
    """As wamp.ed25519.run, which would bring all of Ed25519 into a board's memory."""
    try:
        while True:
            next(generator)
    except StopIteration as stop:
        return stop.value


def x25519(scalar, point):
    """Generator; the product of `scalar` and the point with that u, 32 octets each (RFC 7748)."""
    if len(scalar) != 32 or len(point) != 32:
        raise ConfigurationError(
            "a cryptobox key has 32 octets, not %d and %d" % (len(scalar), len(point))
        )
    m = _M
    n = int.from_bytes(scalar, "little") & (1 << 254) - 8 | 1 << 254
    u = int.from_bytes(point, "little") & m
    x = 1
    z = 0
    x3 = u
    z3 = 1
    swapped = 0
    for t in range(254, -1, -1):
        if not t & 3:
            yield
        bit = n >> t & 1
        if bit != swapped:
            x, x3 = x3, x
            z, z3 = z3, z
            swapped = bit
        # RFC 7748's ladder step. A product is shortened once, which leaves 6 bits more than went
        # in, where it is used once more, and twice where it stays.
        a = x + z
        b = x - z
        d = (x3 - z3) * a
        d = (d & m) + (d >> 255) * 19
        c = (x3 + z3) * b
        c = (c & m) + (c >> 255) * 19
        a = a * a
        a = (a & m) + (a >> 255) * 19
        b = b * b
        b = (b & m) + (b >> 255) * 19
        x = a * b
        x = (x & m) + (x >> 255) * 19
        x = (x & m) + (x >> 255) * 19
        b = a - b
        z = b * (a + 121665 * b)
        z = (z & m) + (z >> 255) * 19
        z = (z & m) + (z >> 255) * 19
        x3 = d + c
        x3 = x3 * x3
        x3 = (x3 & m) + (x3 >> 255) * 19
        x3 = (x3 & m) + (x3 >> 255) * 19
        z3 = d - c
        z3 = z3 * z3
        z3 = (z3 & m) + (z3 >> 255) * 19
        z3 = z3 * u
        z3 = (z3 & m) + (z3 >> 255) * 19
        z3 = (z3 & m) + (z3 >> 255) * 19
    if swapped:
        x = x3
        z = z3
    z %= _P
    if z:
        z = yield from inverse(z)
    return (x * z % _P).to_bytes(32, "little")


def public_key(private):
    """Generator; the public key, 32 octets, of a private one, 32 random octets."""
    return (yield from x25519(private, b"\x09" + bytes(31)))


def poly1305(key, data):
    """Generator; the tag, 16 octets, of `data` under a key of 32 octets that is used once."""
    number = int.from_bytes
    r = number(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    a = 0
    m = (1 << 130) - 1
    for i in range(0, len(data), 16):
        if i & 0x1FF == 0x1F0:
            yield
        part = data[i : i + 16]
        a = (a + number(part, "little") + (1 << 8 * len(part))) * r
        a = (a & m) + (a >> 130) * 5
    a = a % ((1 << 130) - 5) + number(key[16:32], "little")
    return (a & (1 << 128) - 1).to_bytes(16, "little")


def hsalsa20(key, octets):
    """A key of 32 octets from one of 32 and 16 more octets."""
    out = bytearray(64)
    _core(_state(key, octets), out, 0)
    return bytes(out[0:4] + out[20:24] + out[40:44] + out[60:64] + out[24:40])


def _state(key, octets):
    s = _SIGMA
    return bytearray(s[:4] + key[:16] + s[4:8] + octets + s[8:12] + key[16:] + s[12:])


class Box:
    """What one end needs for all its payloads to and from another.

    private: our private key; public: theirs; 32 octets each, or their base64 text or hex digits.
    """

    def __init__(self, private, public):
        self._private = _key(private, "private key")
        self._public = _key(public, "public key")
        self._shared = None

    def prepare(self):
        """Generator; computes the shared key, which is kept. The others do it where it was not."""
        if self._shared is None:
            shared = yield from x25519(self._private, self._public)
            if shared == bytes(32):
                raise ConfigurationError("the public key for cryptobox is none: any key fits it")
            self._shared = hsalsa20(shared, bytes(16))

    def seal(self, text, nonce):
        """Generator; nonce, tag and what is encrypted, of the octets `text`.

        nonce: 24 octets, random, or never used before with these two keys.
        """
        if len(nonce) != _NONCE:
            raise LocalProtocolError("a nonce for cryptobox has 24 octets, not %d" % len(nonce))
        yield from self.prepare()
        hidden = bytearray(text)
        key = yield from self._stream(nonce, hidden)
        tag = yield from poly1305(key, hidden)
        return nonce + tag + hidden

    def unseal(self, octets):
        """Generator; what was sealed. RemoteProtocolError: it was not, or not by these keys."""
        if len(octets) < _NONCE + _TAG:
            raise RemoteProtocolError(
                "a cryptobox payload of %d octets is cut short" % len(octets)
            )
        yield from self.prepare()
        nonce = octets[:_NONCE]
        tag = octets[_NONCE : _NONCE + _TAG]
        hidden = bytearray(octets[_NONCE + _TAG :])
        # The key of the tag is the stream's beginning; nothing is decrypted that was changed.
        key = yield from self._stream(nonce, bytearray(0))
        wanted = yield from poly1305(key, hidden)
        differ = 0
        for a, b in zip(wanted, tag):
            differ |= a ^ b
        if differ:
            raise RemoteProtocolError(
                "a cryptobox payload was changed, or the keys are not those of its sender"
            )
        yield from self._stream(nonce, hidden)
        return bytes(hidden)

    def encode(self, uri, args, kwargs, nonce):
        """Generator; the payload for a URI. LocalProtocolError: JSON cannot express it."""
        value = {"uri": uri, "args": _out(args), "kwargs": _out(kwargs)}
        text = json.dumps(value, separators=(",", ":"))
        return (yield from self.seal(text.encode(), nonce))

    def decode(self, uri, octets):
        """Generator; (args, kwargs) of a payload for that URI; each may be None.

        RemoteProtocolError: it cannot be decrypted, is malformed, or is for another URI.
        """
        text = yield from self.unseal(octets)
        try:
            value = json.loads(text.decode())
        except (ValueError, RuntimeError):  # RuntimeError: nested too deep
            value = None
        if type(value) is not dict:
            value = {"args": False}
        args = value.get("args")
        kwargs = value.get("kwargs")
        if args is not None and type(args) is not list:
            raise RemoteProtocolError("a cryptobox payload is not JSON of uri, args and kwargs")
        if kwargs is not None and type(kwargs) is not dict:
            raise RemoteProtocolError("a cryptobox payload is not JSON of uri, args and kwargs")
        if value.get("uri") != uri:
            raise RemoteProtocolError("a cryptobox payload for %s was made for another URI" % uri)
        return _in(args), _in(kwargs)

    def _stream(self, nonce, target):
        """Generator; XOR the stream into `target`; returns the key for the tag, its first 32."""
        state = _state(hsalsa20(self._shared, nonce[:16]), nonce[16:] + bytes(8))
        out = bytearray(64)
        _core(state, out, 1)
        key = bytes(out[:32])
        at = min(32, len(target))
        _mix(target, 0, out, 32, at)
        block = 0
        while at < len(target):
            block += 1
            if block % _PER_STEP == 0:
                yield
            for i in range(4):  # the state's counter; longer payloads there are none
                state[32 + i] = block >> 8 * i & 0xFF
            _core(state, out, 1)
            count = min(64, len(target) - at)
            _mix(target, at, out, 0, count)
            at += count
        yield
        return key


def _out(value):
    """Octets as WAMP's JSON has them: U+0000 and base64."""
    if isinstance(value, (bytes, bytearray)):
        return "\0" + b2a_base64(value)[:-1].decode()
    if isinstance(value, (list, tuple)):
        return [_out(item) for item in value]
    if isinstance(value, dict):
        return {key: _out(value[key]) for key in value}
    if value is None or isinstance(value, (str, int, float, bool)):
        if isinstance(value, str) and value[:1] == "\0":
            raise LocalProtocolError("JSON takes a text that begins with U+0000 for octets")
        if isinstance(value, float) and value - value != 0:
            raise LocalProtocolError("JSON has neither infinity nor NaN")
        return value
    raise LocalProtocolError("JSON has no %s" % type(value).__name__)


def _in(value):
    """The reverse of `_out`."""
    if isinstance(value, str) and value[:1] == "\0":
        try:
            octets = a2b_base64(value[1:])
        except ValueError:
            octets = None
        if octets is None or b2a_base64(octets)[:-1].decode() != value[1:]:
            raise RemoteProtocolError("a cryptobox payload has a text of U+0000 and no base64")
        return octets
    if isinstance(value, list):
        return [_in(item) for item in value]
    if isinstance(value, dict):
        return {key: _in(value[key]) for key in value}
    return value


def _key(key, name):
    if isinstance(key, str):
        from .authcryptosign import unhex

        try:
            key = unhex(key, 32) or a2b_base64(key)
        except ValueError:
            key = b""
    if not isinstance(key, (bytes, bytearray)) or len(key) != 32:
        raise ConfigurationError(
            "the %s for cryptobox must be 32 octets, their base64 or 64 hex digits" % name
        )
    return bytes(key)
