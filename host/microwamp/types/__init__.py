"""The types that users of a session pass and get: options, details, results."""

from ..request import Publication, Registration, Subscription
from ._details import (
    CallDetails,
    CallResult,
    CloseDetails,
    EncodedPayload,
    EventDetails,
    SessionIdent,
)
from ._options import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions
from ._session import (
    Accept,
    Challenge,
    ComponentConfig,
    Deny,
    HelloDetails,
    HelloReturn,
    SessionDetails,
)
from ._transport import TransportDetails

__all__ = [
    "Accept",
    "CallDetails",
    "CallOptions",
    "CallResult",
    "Challenge",
    "CloseDetails",
    "ComponentConfig",
    "Deny",
    "EncodedPayload",
    "EventDetails",
    "HelloDetails",
    "HelloReturn",
    "Publication",
    "PublishOptions",
    "RegisterOptions",
    "Registration",
    "SessionDetails",
    "SessionIdent",
    "SubscribeOptions",
    "Subscription",
    "TransportDetails",
]
