"""What sessions, transports, serializers and keys have to be able to do: abstract base classes.

A class that derives from one of these and leaves a method out cannot be instantiated. Methods that
may take time may be coroutines, and their callers await them if they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .message._base import Message

if TYPE_CHECKING:
    from .message import Welcome
    from .types import (
        CallResult,
        Challenge,
        CloseDetails,
        ComponentConfig,
        EncodedPayload,
        Publication,
        RegisterOptions,
        Registration,
        SessionDetails,
        SubscribeOptions,
        Subscription,
        TransportDetails,
    )

__all__ = [
    "IAuthenticator",
    "ICryptosignKey",
    "IEthereumKey",
    "IKey",
    "IMessage",
    "IObjectSerializer",
    "IPayloadCodec",
    "ISecurityModule",
    "ISerializer",
    "ISession",
    "ITransport",
    "ITransportHandler",
]


class IObjectSerializer(ABC):
    """Objects to octets and back."""

    @property
    @abstractmethod
    def NAME(self) -> str:
        """Name of the format."""

    @property
    @abstractmethod
    def BINARY(self) -> bool:
        """Whether the octets need a channel for any octets; if not, they are UTF-8."""

    @abstractmethod
    def serialize(self, obj: Any) -> bytes:
        """The object in octets. SerializationError: the format cannot express it."""

    @abstractmethod
    def unserialize(self, payload: bytes) -> list[Any]:
        """The objects that the octets hold. ProtocolError: they are not of the format."""


class IMessage(ABC):
    """A WAMP message; microwamp.message.Message is one."""

    @property
    @abstractmethod
    def MESSAGE_TYPE(self) -> int:
        """Code of the message."""

    @staticmethod
    @abstractmethod
    def parse(wmsg: list[Any]) -> IMessage:
        """A message from the list that a serializer made of octets. ProtocolError: not one."""

    @abstractmethod
    def serialize(self, serializer: ISerializer) -> bytes:
        """The message in octets, kept for the next time with this serializer."""

    @abstractmethod
    def uncache(self) -> None:
        """Forget the octets that `serialize` keeps."""


IMessage.register(Message)


class ISerializer(ABC):
    """WAMP messages to octets and back."""

    @property
    @abstractmethod
    def MESSAGE_TYPE_MAP(self) -> dict[int, type[IMessage]]:
        """Code to message class."""

    @property
    @abstractmethod
    def SERIALIZER_ID(self) -> str:
        """Name in WebSocket subprotocols, such as `json` or `json.batched`."""

    @property
    @abstractmethod
    def RAWSOCKET_SERIALIZER_ID(self) -> int:
        """Number in the RawSocket handshake."""

    @property
    @abstractmethod
    def MIME_TYPE(self) -> str:
        """MIME type of the format."""

    @abstractmethod
    def serialize(self, message: IMessage) -> tuple[bytes, bool]:
        """The message in octets, and whether they are binary (not UTF-8)."""

    @abstractmethod
    def unserialize(self, payload: bytes, is_binary: bool | None = None) -> list[IMessage]:
        """The messages in octets from a transport; is_binary: as the transport marked them.

        ProtocolError: not messages.
        """


class ITransport(ABC):
    """A channel for messages in both directions, reliable and in order."""

    @abstractmethod
    def send(self, message: IMessage) -> Any:
        """Send a message; what is returned may be awaited until more may be sent.

        TransportLost: the transport is not open.
        """

    @abstractmethod
    def isOpen(self) -> bool:
        """Whether messages can be sent."""

    @property
    @abstractmethod
    def transport_details(self) -> TransportDetails | None:
        """What the transport is, while it is open."""

    @abstractmethod
    def close(self) -> Any:
        """Close, with the closing handshake that the transport has."""

    @abstractmethod
    def abort(self) -> Any:
        """Close at once, without a word to the peer."""


class ITransportHandler(ABC):
    """Who is told what happens on a transport."""

    @abstractmethod
    def onOpen(self, transport: ITransport) -> Any:
        """The transport is open."""

    @abstractmethod
    def onMessage(self, message: IMessage) -> Any:
        """A message came."""

    @abstractmethod
    def onClose(self, wasClean: bool) -> Any:
        """The transport is closed; wasClean: regularly."""


class ISession(ABC):
    """A WAMP session: what an application calls, and the on... methods it overrides."""

    @property
    @abstractmethod
    def config(self) -> ComponentConfig:
        """What the session was made with."""

    @property
    @abstractmethod
    def transport(self) -> ITransport | None:
        """The transport while it is open, else None."""

    @property
    @abstractmethod
    def session_details(self) -> SessionDetails | None:
        """What `onJoin` was given, while the session is joined."""

    @abstractmethod
    def onUserError(self, fail: Any, msg: str) -> None:
        """A callback of the application raised an error; msg says which."""

    @abstractmethod
    def onConnect(self) -> Any:
        """The transport is open; an application joins here."""

    @abstractmethod
    def join(
        self,
        realm: str,
        authmethods: list[str] | None = None,
        authid: str | None = None,
        authrole: str | None = None,
        authextra: dict[str, Any] | None = None,
        resumable: bool | None = None,
        resume_session: int | None = None,
        resume_token: str | None = None,
    ) -> Any:
        """Join a realm (HELLO)."""

    @abstractmethod
    def onChallenge(self, challenge: Challenge) -> Any:
        """Answer a challenge of the router; returns the signature."""

    @abstractmethod
    def onWelcome(self, welcome: Welcome) -> Any:
        """The router accepts; anything but None or False aborts, with it as the message."""

    @abstractmethod
    def onJoin(self, details: SessionDetails) -> Any:
        """The session is joined."""

    @abstractmethod
    def leave(self, reason: str | None = None, message: str | None = None) -> Any:
        """Leave the realm (GOODBYE); reason: URI, message: for people."""

    @abstractmethod
    def onLeave(self, details: CloseDetails) -> Any:
        """The session has ended."""

    @abstractmethod
    def disconnect(self) -> Any:
        """Close the transport."""

    @abstractmethod
    def onDisconnect(self) -> Any:
        """The transport is closed."""

    @abstractmethod
    def is_connected(self) -> bool:
        """Whether the transport is open."""

    @abstractmethod
    def is_attached(self) -> bool:
        """Whether a realm is joined."""

    @abstractmethod
    def set_payload_codec(self, payload_codec: IPayloadCodec | None) -> None:
        """Use a codec for payloads that are passed through; None: none."""

    @abstractmethod
    def get_payload_codec(self) -> IPayloadCodec | None:
        """The codec in use."""

    @abstractmethod
    def define(self, exception: type[Exception], error: str | None = None) -> None:
        """Have an exception class stand for an error URI.

        error: the URI or pattern; None for a class that `microwamp.exception.error` decorated.
        """

    @abstractmethod
    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any | CallResult:
        """Call a procedure; the keyword `options` may be CallOptions.

        The result is None, the single value, or a CallResult. ApplicationError: the call failed.
        """

    @abstractmethod
    def register(
        self,
        endpoint: Callable[..., Any] | Any,
        procedure: str | None = None,
        options: RegisterOptions | None = None,
        prefix: str | None = None,
        check_types: bool | None = None,
    ) -> Registration | list[Any] | Any:
        """Register a function as a procedure, or all decorated methods of an object.

        prefix: put before their URIs. check_types: check arguments by the annotations.
        """

    @abstractmethod
    def publish(self, topic: str, *args: Any, **kwargs: Any) -> Publication | Any | None:
        """Publish to a topic; the keyword `options` may be PublishOptions.

        With `acknowledge` the Publication, else None.
        """

    @abstractmethod
    def subscribe(
        self,
        handler: Callable[..., Any] | Any,
        topic: str | None = None,
        options: SubscribeOptions | None = None,
        check_types: bool | None = None,
    ) -> Subscription | list[Any] | Any:
        """Subscribe a function to a topic, or all decorated methods of an object."""


class IPayloadCodec(ABC):
    """Encodes and decodes payloads that routers pass through."""

    @abstractmethod
    def encode(
        self,
        is_originating: bool,
        uri: str,
        args: list[Any] | tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> EncodedPayload | None:
        """The payload, encoded; None: send it as it is.

        is_originating: for CALL and PUBLISH; else for YIELD and ERROR. uri: of the procedure,
        topic or error.
        """

    @abstractmethod
    def decode(
        self, is_originating: bool, uri: str, encoded_payload: EncodedPayload
    ) -> tuple[str, list[Any] | None, dict[str, Any] | None]:
        """(URI, args, kwargs) of an encoded payload; the URI is the one that was encoded with it.

        is_originating: on the side of caller or publisher.
        """


class IAuthenticator(ABC):
    """Logs in with one authentication method."""

    @abstractmethod
    def on_challenge(self, session: ISession, challenge: Challenge) -> Any:
        """Answer a challenge of the router; returns the signature."""

    @abstractmethod
    def on_welcome(self, session: ISession, authextra: dict[str, Any] | None) -> str | None:
        """Check what the router says about itself; None if it may be trusted, else why not."""


class IKey(ABC):
    """A key for signing, or its public half for verifying."""

    @property
    @abstractmethod
    def security_module(self) -> ISecurityModule | None:
        """Where the key is kept; None: the key stands alone."""

    @property
    @abstractmethod
    def key_no(self) -> int | None:
        """Number of the key in its security module."""

    @property
    @abstractmethod
    def key_type(self) -> str:
        """`cryptosign` (Ed25519) or `ethereum` (secp256k1)."""

    @abstractmethod
    def public_key(self, binary: bool = False) -> str | bytes:
        """The public key in hexadecimal, or in octets."""

    @abstractmethod
    def can_sign(self) -> bool:
        """Whether this is the whole key, not only the public half."""

    @abstractmethod
    def sign(self, data: bytes) -> Any:
        """The signature of the data; a future."""

    @abstractmethod
    def recover(self, data: bytes, signature: bytes) -> Any:
        """The public key that signed the data; a future."""


class ICryptosignKey(IKey):
    """A key for WAMP-cryptosign."""

    @abstractmethod
    def sign_challenge(
        self,
        challenge: Challenge,
        channel_id: bytes | None = None,
        channel_id_type: str | None = None,
    ) -> Any:
        """Sign a challenge, bound to the TLS channel if its id is given; a future."""

    @abstractmethod
    def verify_challenge(
        self,
        challenge: Challenge,
        signature: bytes,
        channel_id: bytes | None = None,
        channel_id_type: str | None = None,
    ) -> bool:
        """Whether the signature is this key's for the challenge (and TLS channel)."""


class IEthereumKey(IKey):
    """A key for Ethereum signatures."""

    @abstractmethod
    def address(self, binary: bool = False) -> str | bytes:
        """The address in hexadecimal with checksum and 0x, or in 20 octets."""

    @abstractmethod
    def sign_typed_data(self, data: dict[str, Any]) -> Any:
        """Sign EIP-712 data; a future."""

    @abstractmethod
    def verify_typed_data(
        self, data: dict[str, Any], signature: bytes, signer_address: str | bytes
    ) -> bool:
        """Whether the signature of EIP-712 data is by the key of this address."""


class ISecurityModule(ABC):
    """A place that keeps keys, and signs with them."""

    @abstractmethod
    def open(self) -> Any:
        """Open the module."""

    @abstractmethod
    def close(self) -> Any:
        """Close the module."""

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether the module is open."""

    @property
    @abstractmethod
    def can_lock(self) -> bool:
        """Whether the module can be locked."""

    @property
    @abstractmethod
    def is_locked(self) -> bool:
        """Whether the module is locked."""

    @abstractmethod
    def lock(self) -> Any:
        """Lock the module."""

    @abstractmethod
    def unlock(self) -> Any:
        """Unlock the module."""

    @abstractmethod
    def create_key(self, key_type: str) -> Any:
        """Make a key, `cryptosign` or `ethereum`; returns its number."""

    @abstractmethod
    def delete_key(self, key_no: int) -> Any:
        """Delete a key."""

    @abstractmethod
    def get_random(self, octets: int) -> Any:
        """So many random octets."""

    @abstractmethod
    def get_counter(self, counter_no: int) -> Any:
        """The counter's value; 0 if it was never incremented."""

    @abstractmethod
    def increment_counter(self, counter_no: int) -> Any:
        """Increment the counter; returns the new value."""
