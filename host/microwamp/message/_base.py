"""What all messages share: reading and writing by the tables of their classes, the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from .._text import shown
from ..exception import LocalProtocolError, RemoteProtocolError
from ._check import Keys, Kind, is_uri, misuse, unfit
from ._passthru import KINDS, Form, on_wire, settle
from ._uri import CUSTOM, fits_uri, matches

if TYPE_CHECKING:
    from ..interfaces import IMessage
else:
    IMessage = object  # interfaces registers Message: a metaclass would cost each message time


class FlatBuffersTable:
    """Base of what reads a message from FlatBuffers, for the `from_fbs` of the constructors."""

    def attributes(self) -> dict[str, Any]:
        """Attributes that are on the wire, by name."""
        raise NotImplementedError


class Message(IMessage):
    """Base of all messages; only the classes derived from it are used.

    Attributes may be changed; call `uncache()` after that. Two messages are equal if they are of
    one class and say the same. `unknown` holds options or details that no table knows: they are
    sent as they were received. The correlation attributes are the application's own; they are
    neither sent nor compared.
    """

    MESSAGE_TYPE: ClassVar[int] = None  # type: ignore[assignment]

    # What generated classes fill in: name in errors; positional elements; fewest and most of them
    # with the code; wire key to attribute and kind; attribute to wire key; attribute to kind;
    # the element that is a dictionary of options; attributes that are compared and shown.
    _NAME: ClassVar[str] = "MESSAGE"
    _ELEMENTS: ClassVar[tuple[str, ...]] = ()
    _LEAST: ClassVar[int] = 1
    _MOST: ClassVar[int] = 1
    _KEYS: ClassVar[Keys] = {}
    _WIRE: ClassVar[dict[str, str]] = {}
    _KINDS: ClassVar[dict[str, Kind]] = {}
    _WHERE: ClassVar[str] = ""
    _ORDER: ClassVar[tuple[str, ...]] = ()

    unknown: dict[str, Any] | None = None
    correlation_id: str | None = None
    correlation_uri: str | None = None
    correlation_is_anchor: bool | None = None
    correlation_is_last: bool | None = None
    _serialized: dict[Any, bytes] | None = None

    def __init__(self, from_fbs: FlatBuffersTable | None = None) -> None:
        """from_fbs: a message read from FlatBuffers, whose attributes are taken over."""
        if from_fbs is not None:
            self.__dict__.update(from_fbs.attributes())

    @staticmethod
    def parse(wmsg: list[Any]) -> Message:
        """A message from the list that a serializer made of octets, by the code it begins with.

        Raises ProtocolError, which names message and element, for what is not a valid message.
        """
        from . import MESSAGE_TYPE_MAP  # the classes derive from this one

        if type(wmsg) is not list or not wmsg:
            raise RemoteProtocolError(f"message: {shown(wmsg)} found, a list with a code expected")
        code = wmsg[0]
        if type(code) is not int or code not in MESSAGE_TYPE_MAP:
            raise RemoteProtocolError(f"message: code {shown(code)} found, a known one expected")
        return MESSAGE_TYPE_MAP[code].parse(wmsg)

    def marshal(self) -> list[Any]:
        """The message as the list that a serializer makes octets of."""
        raise NotImplementedError

    def serialize(self, serializer: Any) -> bytes:
        """The message in octets; kept, so that the same serializer need not do it again.

        serializer: an object serializer (`serialize(list) -> octets`), one that takes messages
        (`serialize_message(message) -> octets`), or a whole serializer
        (`serialize(message) -> (octets, is_binary)`).
        """
        kept = self._serialized
        if kept is None:
            kept = self._serialized = {}
        octets = kept.get(serializer)
        if octets is None:
            if hasattr(serializer, "serialize_message"):
                octets = serializer.serialize_message(self)
            elif hasattr(serializer, "SERIALIZER_ID"):
                octets = serializer.serialize(self)[0]
            else:
                octets = serializer.serialize(self.marshal())
            kept[serializer] = octets
        return octets

    def uncache(self) -> None:
        """Forget the octets that `serialize` keeps."""
        self._serialized = None

    def _said(self) -> dict[str, Any]:
        """What the message says: attributes that are set, in the order of the constructor."""
        found = self.__dict__
        said = {name: found[name] for name in self._ORDER if found.get(name) is not None}
        for name in ("args", "kwargs", "custom", "unknown"):
            if not said.get(name, True):
                del said[name]
        if "args" in said:
            said["args"] = list(said["args"])
        return said

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return type(self) is type(other) and self._said() == other._said()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={brief(value)}" for name, value in self._said().items())
        return f"{type(self).__name__}({said})"

    def _check(self) -> None:
        """Check what the constructor was given; LocalProtocolError names what does not fit."""
        kinds = self._KINDS
        for name, value in self.__dict__.items():
            kind = kinds.get(name)
            if kind is not None and not kind[0](value):
                raise misuse(self._NAME, name, value, kind[1])

    def _options(self) -> dict[str, Any]:
        """The dictionary of options or details that goes on the wire."""
        wire = self._WIRE
        found = self.__dict__
        options = dict(found["unknown"]) if found.get("unknown") else {}
        for name, value in found.items():
            if name in wire and value is not None:
                options[wire[name]] = value
        form = found.get("passthru")
        if form is not None:
            options.update(on_wire(found, form))
        return options


class PayloadMessage(Message):
    """A message with arguments."""

    args: list[Any] | tuple[Any, ...] | None = None
    kwargs: dict[str, Any] | None = None

    def _append_payload(self, message: list[Any]) -> list[Any]:
        """Append arguments, of which empty ones are not sent (WAMP basic profile, Messages)."""
        if self.kwargs:
            message.append(self.args or [])
            message.append(self.kwargs)
        elif self.args:
            message.append(self.args)
        return message


class MessageWithAppPayload(PayloadMessage):
    """A message whose payload may be passed through: octets instead of arguments.

    passthru: how it is on the wire, "enc" (enc_* and one element of octets) or "ppt" (ppt_* and
    octets as the only argument), None without a scheme.
    """

    payload: bytes | None = None
    enc_algo: str | None = None
    enc_key: str | None = None
    enc_serializer: str | None = None
    ppt_scheme: str | None = None
    ppt_serializer: str | None = None
    ppt_cipher: str | None = None
    ppt_keyid: str | None = None
    passthru: Form | None = None

    def use_passthru(self, form: Form) -> Self:
        """Have the payload go out in this form, "enc" or "ppt"; returns the message.

        LocalProtocolError: the message has no scheme, or one that this form cannot express.
        """
        if form not in ("enc", "ppt"):
            raise misuse(self._NAME, "passthru", form, "enc or ppt")
        if self.passthru is None:
            raise LocalProtocolError(f"{self._NAME}.passthru: the payload has no scheme")
        if form == "enc" and self.enc_algo is None:
            raise LocalProtocolError(
                f"{self._NAME}.ppt_scheme: {shown(self.ppt_scheme)} cannot be said with enc_algo"
            )
        if form != self.passthru:
            self.passthru = form
            self.uncache()
        return self

    def _settle(self) -> None:
        """Check how what the constructor was given fits together; fill in the passthru's names."""
        if self.payload is not None:
            self.payload = bytes(self.payload)
        settle(self._NAME, self.__dict__)

    def _append_payload(self, message: list[Any]) -> list[Any]:
        # Written out, not by super(): this is on the path of every message.
        if self.payload is not None:
            message.append([self.payload] if self.passthru == "ppt" else self.payload)
        elif self.kwargs:
            message.append(self.args or [])
            message.append(self.kwargs)
        elif self.args:
            message.append(self.args)
        return message


def brief(value: Any) -> str:
    """A value in a repr: whole if it is short."""
    if isinstance(value, bytes) and len(value) > 32:
        return f"<{len(value)} octets>"
    if isinstance(value, list | dict) and len(value) > 16:
        return f"<{shown(value)}>"
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # lists in lists without end; numbers of 4300 digits
        return f"<{shown(value)}>"
    return text if len(text) <= 400 else text[:397] + "..."


# --- reading, called by the generated `parse` ----------------------------------------------------


def misshapen(klass: type[Message], wmsg: Any) -> RemoteProtocolError:
    """The error for what is not a list of the right code and length."""
    name = klass._NAME
    if type(wmsg) is not list:
        return RemoteProtocolError(f"{name}: {shown(wmsg)} found, a list expected")
    if not wmsg or type(wmsg[0]) is not int or wmsg[0] != klass.MESSAGE_TYPE:
        found = shown(wmsg[0]) if wmsg else "nothing"
        return RemoteProtocolError(f"{name}: code {found} found, {klass.MESSAGE_TYPE} expected")
    many = f"{klass._LEAST}" if klass._LEAST == klass._MOST else f"{klass._LEAST} to {klass._MOST}"
    if len(wmsg) < klass._LEAST:
        missing = klass._ELEMENTS[len(wmsg) - 1]
        return RemoteProtocolError(
            f"{name}.{missing}: nothing found ({len(wmsg)} elements), {many} elements expected"
        )
    return RemoteProtocolError(f"{name}: {len(wmsg)} elements found, {many} expected")


def read_options(klass: type[Message], message: Message, options: Any) -> bool:
    """Read the dictionary of options or details into a message: what is there, nothing else.

    Returns whether names of the payload's passthru were there, which `complete` has to look at.
    """
    if type(options) is not dict:
        raise unfit(klass._NAME, klass._WHERE, options, "a dictionary with string keys")
    keys = klass._KEYS
    passing = False
    for key, value in options.items():
        try:
            name, kind, whole = keys[key]
        except KeyError:
            passing |= _read_other(klass, message.__dict__, key, value)
        else:
            if type(value) is not whole and not kind[0](value):
                raise unfit(klass._NAME, f"{klass._WHERE}.{key}", value, kind[1])
            # Not by `__dict__`, which would make a dictionary of every message.
            setattr(message, name, value)
    return passing


def _read_other(klass: type[Message], found: dict[str, Any], key: Any, value: Any) -> bool:
    """An option that the class has no kind for: of the passthru (then True), or unknown."""
    if not isinstance(key, str):
        raise unfit(klass._NAME, f"{klass._WHERE} key", key, "a string")
    if key in KINDS and issubclass(klass, MessageWithAppPayload):
        fits, expected = KINDS[key]
        if not fits(value):
            raise unfit(klass._NAME, f"{klass._WHERE}.{key}", value, expected)
        if value is not None:
            found[key] = value
        return value is not None
    found.setdefault("unknown", {})[key] = value
    return False


def has_text_keys(value: Any) -> bool:
    """Whether a value is a dictionary all of whose keys are text."""
    if type(value) is not dict:
        return False
    for key in value:
        if type(key) is not str:
            return False
    return True


def read_arguments(klass: type[Message], found: dict[str, Any], wmsg: list[Any], at: int) -> None:
    """Read Arguments and ArgumentsKw, the first of them at index `at` (which is there)."""
    args = wmsg[at]
    if type(args) is list:
        found["args"] = args
    elif type(args) is bytes and issubclass(klass, MessageWithAppPayload):
        found["payload"] = args
    elif args is not None:
        expected = "a list or octets" if issubclass(klass, MessageWithAppPayload) else "a list"
        raise unfit(klass._NAME, "args", args, expected)
    if len(wmsg) > at + 1:
        kwargs = wmsg[at + 1]
        if type(kwargs) is dict:
            for key in kwargs:
                if type(key) is not str:
                    raise unfit(klass._NAME, "kwargs key", key, "a string")
            if "payload" in found:
                if kwargs:
                    raise unfit(klass._NAME, "kwargs", kwargs, "nothing after octets")
            else:
                found["kwargs"] = kwargs
        elif kwargs is not None:
            raise unfit(klass._NAME, "kwargs", kwargs, "a dictionary with string keys")


def check_pattern(klass: type[Message], where: str, value: Any, match: Any, own: bool) -> None:
    """Check a topic or procedure that may be a pattern, by the `match` that goes with it.

    own: ours (LocalProtocolError), else received (RemoteProtocolError).
    """
    if match == "prefix":
        fits, expected = fits_uri(value, "last"), "a URI, its last component may be empty (prefix)"
    elif match == "wildcard":
        fits, expected = fits_uri(value, "any"), "a URI, components may be empty (wildcard)"
    else:
        fits, expected = is_uri(value), "a URI"
    if not fits:
        raise (misuse if own else unfit)(klass._NAME, where, value, expected)


def take_custom(found: dict[str, Any]) -> None:
    """Move what a router defined for itself (`x_...`) from `unknown` to `custom`."""
    unknown = found.get("unknown", {})
    found["custom"] = {key: unknown.pop(key) for key in list(unknown) if matches(CUSTOM, key)}
    if not unknown:
        found.pop("unknown", None)
