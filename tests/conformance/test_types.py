"""Options, details and the other types of the API."""

from typing import Any

import pytest
from covering import covers

from microwamp import message, request
from microwamp import types as _types
from microwamp.exception import LocalProtocolError, ProtocolError, RemoteProtocolError

# Values of wrong types are given on purpose.
types: Any = _types
TransportDetails: Any = _types.TransportDetails

HOPS = [{"session": 7, "authid": "joe", "authrole": "user"}]
SUBSCRIPTION = request.Subscription(5, "com.example.t", None, None)
REGISTRATION = request.Registration(None, 5, "com.example.p", None)

# --- options -------------------------------------------------------------------------------------

LISTS = [
    f"{who}{what}" for who in ("exclude", "eligible") for what in ("", "_authid", "_authrole")
]


@pytest.mark.parametrize("name", LISTS)
@covers("types.PublishOptions", "types.PublishOptions.message_attr")
def test_one_value_or_a_list_is_always_sent_as_a_list(name: str) -> None:
    one: Any
    many: Any
    one, many = (5, [5, 6]) if "_" not in name else ("joe", ["joe", "ann"])
    for given, sent in ((one, [one]), (many, many), (tuple(many), many), ([], [])):
        options = types.PublishOptions(**{name: given})
        assert getattr(options, name) == given
        assert options.message_attr() == {name: sent}
        # As the router wants it: crossbar resets the connection for what is no list.
        published = message.Publish(1, "a.b", **options.message_attr())
        assert published.marshal() == [16, 1, {name: sent}, "a.b"]
    wrong: list[Any] = [True, 1.5, {}, [one, None], [many], "" if "_" not in name else 5, [0]]
    for bad in wrong:
        with pytest.raises(
            LocalProtocolError, match=f"PublishOptions.{name}: .* given, .* needed"
        ):
            types.PublishOptions(**{name: bad})


def test_publish_options() -> None:
    options = types.PublishOptions(
        acknowledge=True,
        exclude_me=False,
        retain=True,
        forward_for=HOPS,
        transaction_hash="h",
        correlation_id="c",
        correlation_is_last=False,
        disclose_me=True,
    )
    assert options.message_attr() == {
        "acknowledge": True,
        "exclude_me": False,
        "retain": True,
        "forward_for": HOPS,
        "transaction_hash": "h",
        "disclose_me": True,
    }
    assert options.correlation_id == "c" and options.correlation_is_last is False
    assert types.PublishOptions().message_attr() == {}
    assert types.PublishOptions().acknowledge is None


@covers("types.CallOptions", "types.CallOptions.message_attr")
def test_call_options_have_seconds_and_the_message_milliseconds() -> None:
    for seconds, ms in ((1, 1000), (0.25, 250), (1.5, 1500), (0.0001, 1), (3600, 3_600_000)):
        options = types.CallOptions(timeout=seconds)
        assert options.timeout == seconds
        assert options.message_attr() == {"timeout": ms}
        assert message.Call(1, "a.b", **options.message_attr()).timeout == ms
    for bad in (0, -1, True, "1", float("nan"), float("inf"), 2**53, [1]):
        with pytest.raises(LocalProtocolError, match="CallOptions.timeout: .* seconds"):
            types.CallOptions(timeout=bad)


def test_call_options() -> None:
    def progress(*args: Any) -> None: ...

    options = types.CallOptions(
        on_progress=progress,
        transaction_hash="h",
        caller=7,
        caller_authid="joe",
        caller_authrole="user",
        forward_for=HOPS,
        details=True,
        disclose_me=True,
    )
    assert options.on_progress is progress and options.details is True
    attributes = options.message_attr()
    assert attributes == {
        "receive_progress": True,
        "transaction_hash": "h",
        "caller": 7,
        "caller_authid": "joe",
        "caller_authrole": "user",
        "forward_for": HOPS,
        "disclose_me": True,
    }
    assert message.Call(1, "a.b", **attributes).marshal()[2] == attributes
    with pytest.raises(LocalProtocolError, match="CallOptions.on_progress"):
        types.CallOptions(on_progress=5)


@covers("types.RegisterOptions", "types.RegisterOptions.message_attr")
def test_register_options() -> None:
    options = types.RegisterOptions(
        match="prefix",
        invoke="random",
        concurrency=3,
        force_reregister=True,
        forward_for=HOPS,
        details=True,
        disclose_caller=True,
        forward_timeout=False,
    )
    attributes = options.message_attr()
    assert message.Register(1, "a.", **attributes).marshal()[2] == attributes
    assert attributes == {
        "match": "prefix",
        "invoke": "random",
        "concurrency": 3,
        "force_reregister": True,
        "forward_for": HOPS,
        "disclose_caller": True,
        "forward_timeout": False,
    }
    for name, value in (("match", "x"), ("invoke", "all"), ("concurrency", 0), ("details", 1)):
        with pytest.raises(LocalProtocolError, match=f"RegisterOptions.{name}"):
            types.RegisterOptions(**{name: value})


@covers("types.SubscribeOptions", "types.SubscribeOptions.message_attr")
def test_subscribe_options() -> None:
    options = types.SubscribeOptions(match="wildcard", get_retained=True, forward_for=HOPS)
    attributes = options.message_attr()
    assert attributes == {"match": "wildcard", "get_retained": True, "forward_for": HOPS}
    assert message.Subscribe(1, "a..b", **attributes).marshal()[2] == attributes
    with pytest.raises(LocalProtocolError, match="SubscribeOptions.get_retained"):
        types.SubscribeOptions(get_retained="yes")


@pytest.mark.parametrize("klass", [types.RegisterOptions, types.SubscribeOptions])
def test_the_keyword_for_details(klass: Any) -> None:
    assert klass().details_arg is None
    assert klass(details=False).details_arg is None
    assert klass(details=True).details_arg == "details"
    assert klass(details_arg="d").details_arg == "d"
    assert klass(details=True).message_attr() == {}
    with pytest.raises(LocalProtocolError, match="only one of details and details_arg"):
        klass(details=True, details_arg="d")


def test_options_are_those_of_the_messages() -> None:
    """Every field is an option of the message, or one of the few that stay on this side."""
    local = {"details", "details_arg", "on_progress", "cancel_mode"}
    local |= {f"correlation_{what}" for what in ("id", "uri", "is_anchor", "is_last")}
    for klass in (
        types.PublishOptions,
        types.SubscribeOptions,
        types.RegisterOptions,
        types.CallOptions,
    ):
        assert set(klass.FIELDS) - local <= set(klass.MESSAGE._WIRE), klass


# --- details -------------------------------------------------------------------------------------


@covers("types.CallDetails")
def test_call_details() -> None:
    details = types.CallDetails(REGISTRATION, print, 7, "joe", "user", "a.b", "h", "mqtt", HOPS)
    assert details.registration is REGISTRATION and details.progress is print
    assert (details.caller, details.caller_authid, details.caller_authrole) == (7, "joe", "user")
    assert (details.procedure, details.transaction_hash, details.enc_algo) == ("a.b", "h", "mqtt")
    assert details.forward_for == HOPS
    for given in (
        {"registration": None},
        {"registration": 5},
        {"registration": REGISTRATION, "caller": "x"},
        {"registration": REGISTRATION, "progress": 5},
        {"registration": REGISTRATION, "forward_for": {}},
    ):
        with pytest.raises(LocalProtocolError, match=f"CallDetails.{list(given)[-1]}"):
            types.CallDetails(**given)


@covers("types.EventDetails")
def test_event_details() -> None:
    details = types.EventDetails(SUBSCRIPTION, 9, 7, "joe", "user", "a.b", True, "h", "mqtt", HOPS)
    assert details.subscription is SUBSCRIPTION and details.publication == 9
    assert (details.publisher, details.publisher_authid, details.topic) == (7, "joe", "a.b")
    assert details.retained is True and details.publisher_authrole == "user"
    for given in (
        {"subscription": None, "publication": 9},
        {"subscription": SUBSCRIPTION, "publication": None},
        {"subscription": SUBSCRIPTION, "publication": 0},
    ):
        with pytest.raises(LocalProtocolError, match="EventDetails"):
            types.EventDetails(**given)


@covers("types.SessionIdent.from_calldetails", "types.SessionIdent.from_eventdetails")
@covers("types.SessionIdent")
def test_session_ident() -> None:
    caller = types.CallDetails(REGISTRATION, caller=7, caller_authid="joe", caller_authrole="user")
    event = types.EventDetails(SUBSCRIPTION, 9, 7, "joe", "user")
    ident = types.SessionIdent(7, "joe", "user")
    assert types.SessionIdent.from_calldetails(caller) == ident
    assert types.SessionIdent.from_eventdetails(event) == ident
    assert ident.marshal() == {"session": 7, "authid": "joe", "authrole": "user"}
    assert message.Call(1, "a.b", forward_for=[ident.marshal()]).forward_for == HOPS
    for wrong in (None, event, 5):
        with pytest.raises(LocalProtocolError, match="call_details"):
            types.SessionIdent.from_calldetails(wrong)
    for wrong in (None, caller, 5):
        with pytest.raises(LocalProtocolError, match="event_details"):
            types.SessionIdent.from_eventdetails(wrong)
    with pytest.raises(LocalProtocolError, match="SessionIdent.session"):
        types.SessionIdent("7")


@covers("types.CallResult")
def test_call_result() -> None:
    result = types.CallResult(1, "two", three=3, callee=7, callee_authid="joe", forward_for=HOPS)
    assert result.results == (1, "two") and result.kwresults == {"three": 3}
    assert (result.callee, result.callee_authid, result.callee_authrole) == (7, "joe", None)
    assert result.forward_for == HOPS and result.enc_algo is None
    assert result == types.CallResult(
        1, "two", three=3, callee=7, callee_authid="joe", forward_for=HOPS
    )
    assert result != types.CallResult(1, "two", three=3)
    assert repr(types.CallResult(1, a=2)) == "CallResult(results=(1,), kwresults={'a': 2})"


@covers("types.CloseDetails")
def test_close_details() -> None:
    details = types.CloseDetails("wamp.close.normal", "bye")
    assert details.marshal() == {"reason": "wamp.close.normal", "message": "bye"}
    assert types.CloseDetails().reason is None
    assert types.CloseDetails.REASON_DEFAULT == "wamp.close.normal"
    assert types.CloseDetails.REASON_TRANSPORT_LOST == "wamp.close.transport_lost"
    with pytest.raises(LocalProtocolError, match="CloseDetails.reason"):
        types.CloseDetails(5)


@covers("types.EncodedPayload")
def test_encoded_payload() -> None:
    encoded = types.EncodedPayload(b"x", "cryptobox", "json", "k")
    assert (encoded.payload, encoded.enc_algo, encoded.enc_serializer) == (
        b"x",
        "cryptobox",
        "json",
    )
    assert (encoded.enc_key, encoded.ppt_scheme, encoded.passthru) == ("k", "x_cryptobox", "enc")
    spec = types.EncodedPayload(b"x", ppt_scheme="x_own", ppt_serializer="cbor", ppt_keyid="k")
    assert (spec.enc_algo, spec.enc_serializer, spec.passthru) == ("x_own", "cbor", "ppt")
    assert types.EncodedPayload(b"x", ppt_scheme="opaque").enc_algo == "x_opaque"
    for given in (
        {"payload": "text", "enc_algo": "mqtt"},
        {"payload": None, "enc_algo": "mqtt"},
        {"payload": b"x"},
        {"payload": b"x", "enc_algo": "foo"},
        {"payload": b"x", "ppt_scheme": "foo"},
        {"payload": b"x", "ppt_scheme": "wamp"},
        {"payload": b"x", "enc_algo": "mqtt", "ppt_scheme": "xbr"},
    ):
        with pytest.raises(LocalProtocolError, match=r"EncodedPayload\."):
            types.EncodedPayload(**given)


# --- sessions ------------------------------------------------------------------------------------


@covers("types.ComponentConfig")
def test_component_config() -> None:
    extra = object()
    config = types.ComponentConfig("realm1", extra, "ring", "controller", {"a": 1}, "runner")
    assert config.realm == "realm1" and config.extra is extra and config.shared == {"a": 1}
    assert (config.keyring, config.controller, config.runner) == ("ring", "controller", "runner")
    assert types.ComponentConfig().realm is None
    wrong: list[dict[str, Any]] = [{"realm": 5}, {"shared": []}]
    for given in wrong:
        with pytest.raises(LocalProtocolError, match=f"ComponentConfig.{list(given)[0]}"):
            types.ComponentConfig(**given)


@covers("types.HelloReturn", "types.Accept", "types.Deny", "types.Challenge")
def test_answers_to_hello() -> None:
    accept = types.Accept("realm1", "joe", "user", "ticket", "static", {"a": 1})
    assert (accept.realm, accept.authid, accept.authrole) == ("realm1", "joe", "user")
    assert (accept.authmethod, accept.authprovider, accept.authextra) == (
        "ticket",
        "static",
        {"a": 1},
    )
    assert (types.Deny().reason, types.Deny().message) == ("wamp.error.not_authorized", None)
    assert types.Deny("a.b", "no").message == "no"
    assert types.Challenge("ticket").extra == {}
    assert types.Challenge("wampcra", {"challenge": "x"}).extra == {"challenge": "x"}
    for answer in (accept, types.Deny(), types.Challenge("ticket")):
        assert isinstance(answer, types.HelloReturn)
        assert type(answer).__name__ in repr(answer)
    assert not isinstance(types.CloseDetails(), types.HelloReturn)
    for klass, given in (
        (types.Accept, {"realm": 5}),
        (types.Accept, {"authextra": "x"}),
        (types.Deny, {"reason": None}),
        (types.Deny, {"message": 5}),
        (types.Challenge, {"method": None}),
        (types.Challenge, {"method": 5}),
        (types.Challenge, {"method": "x", "extra": []}),
    ):
        with pytest.raises(LocalProtocolError, match=f"{klass.__name__}.{list(given)[-1]}"):
            klass(**given)


@covers("types.HelloDetails")
def test_hello_details() -> None:
    roles: dict[str, Any] = {"caller": {}}
    details = types.HelloDetails(
        "realm1", ["ticket"], "joe", "user", {"a": 1}, roles, 7, True, 8, "token"
    )
    assert (details.realm, details.authmethods, details.authid) == ("realm1", ["ticket"], "joe")
    assert (details.authrole, details.authextra, details.session_roles) == (
        "user",
        {"a": 1},
        roles,
    )
    assert (details.pending_session, details.resumable) == (7, True)
    assert (details.resume_session, details.resume_token) == (8, "token")
    with pytest.raises(LocalProtocolError, match="HelloDetails.authmethods"):
        types.HelloDetails(authmethods="ticket")


SESSION: dict[str, Any] = {
    "realm": "realm1",
    "session": 7069739155960584,
    "authid": "joe89",
    "authrole": "user",
    "authmethod": "wampcra",
    "authprovider": "static",
    "authextra": {"x_cb_node": "n"},
    "serializer": "cbor.batched",
    "transport": TransportDetails(TransportDetails.CHANNEL_TYPE_TCP).marshal(),
    "resumed": False,
    "resumable": True,
    "resume_token": "t",
}


@covers("types.SessionDetails.*", "types.SessionDetails")
def test_session_details() -> None:
    details = types.SessionDetails.parse(SESSION)
    for name, value in SESSION.items():
        if name == "transport":
            assert details.transport == TransportDetails(TransportDetails.CHANNEL_TYPE_TCP)
        else:
            assert getattr(details, name) == value
        with pytest.raises(AttributeError):
            setattr(details, name, value)
    assert details.marshal() == SESSION
    assert types.SessionDetails.parse(details.marshal()) == details
    assert details != types.SessionDetails("realm1")
    assert types.SessionDetails().marshal() == dict.fromkeys(SESSION)
    assert types.SessionDetails.parse({"realm": "r", "new": 5}) == types.SessionDetails("r")
    assert repr(types.SessionDetails("r", 5)) == "SessionDetails(realm='r', session=5)"


@pytest.mark.parametrize("name", SESSION)
def test_session_details_that_do_not_fit(name: str) -> None:
    values: list[Any] = [5.5, [], b"x", {1: 2}]
    for value in values:
        with pytest.raises(RemoteProtocolError, match="SessionDetails|TransportDetails"):
            types.SessionDetails.parse({name: value})
    no_data: list[Any] = [None, 5, [], {1: 2}]
    for wrong in no_data:
        with pytest.raises(ProtocolError, match="SessionDetails.data"):
            types.SessionDetails.parse(wrong)
    with pytest.raises(LocalProtocolError, match=f"SessionDetails.{name}"):
        types.SessionDetails(**{name: 5.5})


# --- transports ----------------------------------------------------------------------------------

CHANNEL_ID = bytes(range(32))
TRANSPORT: dict[str, Any] = {
    "channel_type": "tls",
    "channel_framing": "websocket",
    "channel_serializer": "cbor",
    "own": "wss://example.com:443/ws",
    "peer": "tcp4:127.0.0.1:443",
    "is_server": False,
    "own_pid": 1,
    "own_tid": 2,
    "own_fd": -1,
    "is_secure": True,
    "channel_id": {"tls-unique": CHANNEL_ID},
    "peer_cert": {"subject": []},
    "websocket_protocol": "wamp.2.cbor",
    "websocket_extensions_in_use": ["permessage-deflate", {"client_max_window_bits": 13}],
    "http_headers_received": {"host": "example.com"},
    "http_headers_sent": {"upgrade": "websocket"},
    "http_cbtid": "cookie",
}


@covers("types.TransportDetails", "types.TransportDetails.*")
def test_transport_details() -> None:
    details = TransportDetails.parse(TRANSPORT)
    assert details.channel_type == TransportDetails.CHANNEL_TYPE_TLS == 5
    assert details.channel_framing == TransportDetails.CHANNEL_FRAMING_WEBSOCKET == 2
    assert details.channel_serializer == TransportDetails.CHANNEL_SERIALIZER_CBOR == 3
    for name in list(TRANSPORT)[3:]:
        assert getattr(details, name) == TRANSPORT[name]
    assert details.marshal() == TRANSPORT
    assert TransportDetails.parse(details.marshal()) == details
    assert details.channel_typeid == "tls-websocket-cbor"
    assert TransportDetails().marshal() == dict.fromkeys(TRANSPORT)
    assert TransportDetails.parse({"channel_type": "tcp", "new": 5}) == TransportDetails(4)
    details.peer = "unix"
    details.channel_type = TransportDetails.CHANNEL_TYPE_SERIAL
    assert details.marshal()["peer"] == "unix"
    assert details != TransportDetails.parse(TRANSPORT)
    with pytest.raises(LocalProtocolError, match="TransportDetails.own_fd"):
        details.own_fd = "x"
    hexadecimal = {"tls-exporter": CHANNEL_ID.hex()}
    assert TransportDetails.parse({"channel_id": hexadecimal}).channel_id == {
        "tls-exporter": CHANNEL_ID
    }


@covers("types.TransportDetails.channel_typeid")
def test_channel_typeid() -> None:
    for given, typeid in (
        ((), "null-null-null"),
        ((1,), "function-native-native"),
        ((1, 1, 1), "function-native-json"),
        ((2, 3, 3), "memory-rawsocket-cbor"),
        ((2, 3, 6), "memory-rawsocket-flatbuffers"),
        ((3, 3, 3), "serial-rawsocket-cbor"),
        ((4, 2, 1), "tcp-websocket-json"),
        ((5, 2, 2), "tls-websocket-msgpack"),
        ((4, 3), "tcp-rawsocket-null"),
        ((0, 0, 0), "null-null-null"),
        ((4, 3, 5), "tcp-rawsocket-opaque"),
        ((4, 3, 7), "tcp-rawsocket-flexbuffers"),
        ((4, 3, 4), "tcp-rawsocket-ubjson"),
    ):
        assert TransportDetails(*given).channel_typeid == typeid


@pytest.mark.parametrize("name", TRANSPORT)
def test_transport_details_that_do_not_fit(name: str) -> None:
    bad = [5.5, b"x", (1,), "quic" if name.startswith("channel_") else object()]
    bad += [4, True] if name in ("channel_type", "channel_framing") else []
    if name == "channel_id":
        bad += [
            {"tls-unique": b"short"},
            {"tls-unique": "00"},
            {"tls": CHANNEL_ID},
            {1: CHANNEL_ID},
        ]
    if name.startswith("is_"):
        bad += [0, 1]
    for value in bad:
        with pytest.raises(RemoteProtocolError, match=f"TransportDetails.{name}: "):
            TransportDetails.parse({name: value})
    with pytest.raises(LocalProtocolError, match=f"TransportDetails.{name}: "):
        TransportDetails(**{name: 5.5})


def test_codes_and_names_of_channels_are_those_of_the_enumerations() -> None:
    for what, names in (
        ("TYPE", ["null", "function", "memory", "serial", "tcp", "tls"]),
        ("FRAMING", ["null", "native", "websocket", "rawsocket"]),
        (
            "SERIALIZER",
            ["null", "json", "msgpack", "cbor", "ubjson", "opaque", "flatbuffers", "flexbuffers"],
        ),
    ):
        assert getattr(TransportDetails, f"CHANNEL_{what}_TO_STR") == dict(enumerate(names))
        assert getattr(TransportDetails, f"CHANNEL_{what}_FROM_STR") == {
            name: code for code, name in enumerate(names)
        }
        for code, name in enumerate(names):
            constant = f"CHANNEL_{what}_{'NONE' if code == 0 else name.upper()}"
            assert getattr(TransportDetails, constant) == code


def test_wrong_transport_data() -> None:
    no_data: list[Any] = [None, 5, [], {1: 2}]
    for wrong in no_data:
        with pytest.raises(RemoteProtocolError, match="TransportDetails.data"):
            TransportDetails.parse(wrong)


def test_types_are_not_hashable_and_differ_by_class() -> None:
    assert types.Deny("a.b") != types.CloseDetails("a.b")
    with pytest.raises(TypeError):
        hash(types.Deny())
