"""The core's table of messages, for the comparison with the host's: only this file knows it."""

from wamp.tables import FEATURES, LAYOUT, OPTIONS, roles

__all__ = [
    "FEATURES",
    "HOST_ONLY_ELEMENTS",
    "HOST_ONLY_MESSAGES",
    "HOST_ONLY_OPTIONS",
    "LAYOUT",
    "NAMES",
    "OPTIONS",
    "roles",
]

# What the host calls differently: the API's names.
NAMES = {("CHALLENGE", "authmethod"): "method", ("ERROR", "request type"): "request_type"}

# What a device neither sends nor receives (EVENT_RECEIVED is autobahn's extension, and
# the options of UNSUBSCRIBE and UNREGISTER are for routers that forward them).
HOST_ONLY_MESSAGES = {337}
HOST_ONLY_ELEMENTS = {("UNSUBSCRIBE", "options"), ("UNREGISTER", "options")}

# Options that a device cannot send, where it can send options at all: routers set them when they
# forward a message (forward_for, caller...), or the core has no use for them yet.
_FORWARDED = {"forward_for", "transaction_hash"}
_PASSTHRU = {"enc_algo", "enc_key", "enc_serializer"}
_PASSTHRU |= {"ppt_scheme", "ppt_serializer", "ppt_cipher", "ppt_keyid"}
_DISCLOSED = {
    f"{who}{what}" for who in ("caller", "callee") for what in ("", "_authid", "_authrole")
}
_PROGRESS = {"progress", "receive_progress", "timeout", "forward_timeout", "mode"}
HOST_ONLY_OPTIONS = _FORWARDED | _PASSTHRU | _DISCLOSED | _PROGRESS
