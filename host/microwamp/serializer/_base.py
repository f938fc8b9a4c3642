"""What all serializers share: batches, errors, statistics."""

import time
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from microwamp._text import shown
from microwamp.exception import SerializationError
from microwamp.interfaces import IObjectSerializer, ISerializer
from wamp.errors import RemoteProtocolError

if TYPE_CHECKING:
    from microwamp.message import Message

MessageTypeMap: TypeAlias = "dict[int, type[Message]]"
Stats = dict[str, Any]
"""What `Serializer.stats` returns."""


class ObjectSerializer:
    """Plain values to octets and back; a format defines `pack` and `unpack`.

    Batched, each message is preceded by its length (32 bits, big-endian; WAMP advanced profile,
    "Message Batching"). `unserialize` returns the values of one payload: one, or those of a batch.
    """

    NAME: ClassVar[str]
    """Name of the format."""

    BINARY: ClassVar[bool]
    """Whether the octets need a transport that carries any octets; else they are UTF-8."""

    def __init__(self, batched: bool = False) -> None:
        self._batched = batched

    def pack(self, obj: Any) -> bytes:
        """One value as octets; raises whatever the format's own library raises."""
        raise NotImplementedError

    def unpack(self, data: bytes) -> Any:
        """The one value in `data`; raises whatever the format's own library raises."""
        raise NotImplementedError

    def serialize(self, obj: Any) -> bytes:
        """One value as octets, as a batch of one if this serializer is batched."""
        data = self.pack(obj)
        return len(data).to_bytes(4, "big") + data if self._batched else data

    def serialize_message(self, message: "Message") -> bytes:
        """A message as octets; what `Message.serialize` asks for and keeps."""
        return self.serialize(message.marshal())

    def unserialize(self, payload: bytes) -> list[Any]:
        """The values in `payload`."""
        if not self._batched:
            return [self.unpack(payload)]
        found = []
        pos, size = 0, len(payload)
        while pos < size:
            end = pos + 4 + int.from_bytes(payload[pos : pos + 4], "big")
            if end > size or pos + 4 > size:
                raise RemoteProtocolError(f"a batch that ends within the message at octet {pos}")
            found.append(self.unpack(payload[pos + 4 : end]))
            pos = end
        if not found:
            raise RemoteProtocolError("an empty batch")
        return found


class _Count:
    """Octets, messages and rated messages of one direction."""

    __slots__ = ("octets", "messages", "rated")

    def __init__(self) -> None:
        self.octets = self.messages = self.rated = 0

    def row(self) -> dict[str, int]:
        return {"bytes": self.octets, "messages": self.messages, "rated_messages": self.rated}


def _class_of(wmsg: Any, classes: MessageTypeMap) -> "type[Message]":
    """The class of a message that is a list; ProtocolError for what is none."""
    try:
        return classes[wmsg[0]]
    except (IndexError, KeyError, TypeError):
        if type(wmsg) is not list or not wmsg:
            found = f"{shown(wmsg)} in place of a message"
        else:
            found = f"unknown message type {shown(wmsg[0])}"
    raise RemoteProtocolError(found)


class _MessageTypeMap:
    """`Serializer.MESSAGE_TYPE_MAP`, loaded when it is first asked for: 25 classes in 25 modules
    that whoever only serializes values does not need."""

    def __get__(self, _obj: Any, owner: type["Serializer"]) -> MessageTypeMap:
        found: MessageTypeMap = import_module("microwamp.message").MESSAGE_TYPE_MAP
        Serializer.MESSAGE_TYPE_MAP = found
        return found


class Serializer:
    """WAMP messages to octets and back, counted.

    Octets that are not a message raise ProtocolError, messages that the format cannot express
    SerializationError.
    """

    RATED_MESSAGE_SIZE = 512
    """Octets of one rated message: a message of n octets counts as n / 512, rounded up."""

    MESSAGE_TYPE_MAP: "ClassVar[MessageTypeMap]" = _MessageTypeMap()  # type: ignore[assignment]
    """Message classes by the code of the message."""

    SERIALIZER_ID: str
    """Name in the WebSocket subprotocol, "cbor" or "cbor.batched"."""

    RAWSOCKET_SERIALIZER_ID: ClassVar[int]
    """Number in the RawSocket handshake."""

    MIME_TYPE: ClassVar[str]
    """MIME type of the format."""

    def __init__(self, serializer: ObjectSerializer | IObjectSerializer) -> None:
        """serializer: for the values that messages are made of; its `unserialize` returns a list
        of them."""
        self._serializer = serializer
        self._binary = serializer.BINARY
        self._unpack_all: Callable[[bytes], list[Any]] = serializer.unserialize
        # One message to a payload, without a list around it: not of a foreign serializer.
        self._unpack: Callable[[bytes], Any] | None = None
        self._pack_message: Callable[[Message], bytes]
        if isinstance(serializer, ObjectSerializer):
            self._pack_message = serializer.serialize_message
            if serializer._batched:
                self.SERIALIZER_ID = f"{self.SERIALIZER_ID}.batched"
            else:
                self._unpack = serializer.unpack
        else:
            self._pack_message = lambda message: serializer.serialize(message.marshal())
        self._sent, self._received = _Count(), _Count()
        self._stats_reset = time.time_ns()
        self._stats_cycle = 0
        self._limit_rated: int | None = None
        self._limit_duration: int | None = None
        self._on_limit: Callable[[Stats], object] | None = None

    @property
    def PAYLOAD_SERIALIZER_ID(self) -> str:
        """Name of the format of the application payload."""
        return self._serializer.NAME

    def serialize_payload(self, data: Any) -> bytes:
        """Application payload (a list or a dictionary) as octets of this serializer's format."""
        return self._serializer.serialize(data)

    def serialize(self, msg: "Message") -> tuple[bytes, bool]:
        """Octets of `msg`, and whether they are binary (else UTF-8).

        Raises SerializationError for values that the format does not have.
        """
        serializer = self._serializer
        # As `Message.serialize` does it, without the three calls on the way.
        kept = msg._serialized
        data = None if kept is None else kept.get(serializer)
        if data is None:
            try:
                data = self._pack_message(msg)
            except Exception as e:
                raise SerializationError(
                    f"{type(msg).__name__} as {self.SERIALIZER_ID}: {type(e).__name__}: {e!s:.200}"
                ) from e
            if kept is None:
                msg._serialized = {serializer: data}
            else:
                kept[serializer] = data
        octets = len(data)
        count = self._sent
        count.octets += octets
        count.messages += 1
        rated = self.RATED_MESSAGE_SIZE
        count.rated += 1 if octets <= rated else -(-octets // rated)
        if self._on_limit is not None:
            self._look_at_limit()
        return data, self._binary

    def unserialize(self, payload: bytes, isBinary: bool | None = None) -> "list[Message]":
        """The messages in `payload`: one, or those of a batch.

        isBinary: how the transport marked the payload (a WebSocket frame), if it did.
        Raises ProtocolError for whatever is wrong with the octets or with a message.
        """
        if isBinary is not None and isBinary is not self._binary:
            raise RemoteProtocolError(
                f"{self.SERIALIZER_ID} in a {'binary' if isBinary else 'text'} frame"
            )
        classes = self.MESSAGE_TYPE_MAP
        unpack = self._unpack
        try:
            found = self._unpack_all(payload) if unpack is None else unpack(payload)
        except Exception as e:
            # The libraries' own errors, RecursionError and MemoryError: the sender's fault.
            raise RemoteProtocolError(
                f"not a message in {self.SERIALIZER_ID}: {str(e)[:200] or type(e).__name__}"
            ) from e
        if unpack is None:
            messages = [_class_of(wmsg, classes).parse(wmsg) for wmsg in found]
        else:
            try:
                klass = classes[found[0]]
            except (IndexError, KeyError, TypeError):
                klass = _class_of(found, classes)
            messages = [klass.parse(found)]
        octets = len(payload)
        count = self._received
        count.octets += octets
        count.messages += len(messages)
        rated = self.RATED_MESSAGE_SIZE
        count.rated += 1 if octets <= rated else -(-octets // rated)
        if self._on_limit is not None:
            self._look_at_limit()
        return messages

    def _look_at_limit(self) -> None:
        """Resets and reports the statistics if a limit of `set_stats_autoreset` is reached."""
        duration, rated = self._limit_duration, self._limit_rated
        if (duration is not None and time.time_ns() - self._stats_reset >= duration) or (
            rated is not None and self.stats_rated_messages() >= rated
        ):
            assert self._on_limit is not None
            self._on_limit(self.stats())

    def stats_reset(self) -> int:
        """When the statistics were last reset: nanoseconds since 1970 (UTC)."""
        return self._stats_reset

    def stats_bytes(self) -> int:
        """Octets serialized and unserialized."""
        return self._sent.octets + self._received.octets

    def stats_messages(self) -> int:
        """Messages serialized and unserialized."""
        return self._sent.messages + self._received.messages

    def stats_rated_messages(self) -> int:
        """Rated messages serialized and unserialized."""
        return self._sent.rated + self._received.rated

    def set_stats_autoreset(
        self,
        rated_messages: int | None,
        duration: int | None,
        callback: Callable[[Stats], object],
        reset_now: bool = False,
    ) -> Stats | None:
        """Have `callback` called with the statistics, which are then reset, after that many rated
        messages or that many nanoseconds, whichever is first; time is looked at when a message
        passes. reset_now: call it at once, too, and return what it was given.

        Raises ValueError if neither limit is given, or one is not a number of 1 or more.
        """
        for name, limit in (("rated_messages", rated_messages), ("duration", duration)):
            if limit is not None and (type(limit) is not int or limit < 1):
                raise ValueError(f"{name} is {limit!r}, not None and not a number of 1 or more")
        if rated_messages is None and duration is None:
            raise ValueError("neither rated_messages nor duration is given")
        if not callable(callback):
            raise ValueError(f"callback is {callback!r}, which cannot be called")
        self._limit_rated = rated_messages
        self._limit_duration = duration
        self._on_limit = callback
        if not reset_now:
            return None
        stats = self.stats()
        callback(stats)
        return stats

    def stats(self, reset: bool = True, details: bool = False) -> Stats:
        """The statistics: cycle, serializer, timestamp of the last reset and duration since then
        (ns), bytes, messages, rated_messages; with `details` these three for each of "serialized"
        and "unserialized". `cycle` counts the calls of this method."""
        now = time.time_ns()
        self._stats_cycle += 1
        found: Stats = {
            "cycle": self._stats_cycle,
            "serializer": self.SERIALIZER_ID,
            "timestamp": self._stats_reset,
            "duration": now - self._stats_reset,
        }
        if details:
            found["serialized"] = self._sent.row()
            found["unserialized"] = self._received.row()
        else:
            found["bytes"] = self.stats_bytes()
            found["messages"] = self.stats_messages()
            found["rated_messages"] = self.stats_rated_messages()
        if reset:
            self._sent, self._received = _Count(), _Count()
            self._stats_reset = now
        return found


IObjectSerializer.register(ObjectSerializer)
ISerializer.register(Serializer)
