"""A session: what opens it, what it is when it is open."""

from __future__ import annotations

from typing import Any

from ..exception import LocalProtocolError, RemoteProtocolError
from ..message._check import ANY, BOOL, DICT, ID, STR, STRS, Kind, is_dict, misuse, unfit
from ._record import Record
from ._transport import TransportDetails

_TRANSPORT: Kind = (lambda value: isinstance(value, TransportDetails), "TransportDetails")


class ComponentConfig(Record):
    """What a session is given when it is made.

    realm: to join; None lets the router decide. extra: the application's own. keyring: keys for
    the encryption of payloads. controller: session to a controlling entity. shared: dictionary
    that components share. runner: what runs the session.
    """

    FIELDS = {
        "realm": STR,
        "extra": ANY,
        "keyring": ANY,
        "controller": ANY,
        "shared": DICT,
        "runner": ANY,
    }

    def __init__(
        self,
        realm: str | None = None,
        extra: Any = None,
        keyring: Any = None,
        controller: Any = None,
        shared: dict[str, Any] | None = None,
        runner: Any = None,
    ) -> None:
        self.realm: str | None
        self.extra: Any
        self.keyring: Any
        self.controller: Any
        self.shared: dict[str, Any] | None
        self.runner: Any
        self._take(locals())


class HelloReturn:
    """Base of the answers to HELLO: Accept, Deny, Challenge."""


class Accept(Record, HelloReturn):
    """Accepts a HELLO, with what the client is given in WELCOME."""

    FIELDS = {
        "realm": STR,
        "authid": STR,
        "authrole": STR,
        "authmethod": STR,
        "authprovider": STR,
        "authextra": DICT,
    }

    def __init__(
        self,
        realm: str | None = None,
        authid: str | None = None,
        authrole: str | None = None,
        authmethod: str | None = None,
        authprovider: str | None = None,
        authextra: dict[str, Any] | None = None,
    ) -> None:
        self.realm: str | None
        self.authid: str | None
        self.authrole: str | None
        self.authmethod: str | None
        self.authprovider: str | None
        self.authextra: dict[str, Any] | None
        self._take(locals())


class Deny(Record, HelloReturn):
    """Refuses a HELLO: reason (URI), message (for people)."""

    FIELDS = {"reason": STR, "message": STR}

    def __init__(
        self, reason: str = "wamp.error.not_authorized", message: str | None = None
    ) -> None:
        if reason is None:
            raise misuse("Deny", "reason", None, "a string")
        self.reason: str
        self.message: str | None
        self._take(locals())


class Challenge(Record, HelloReturn):
    """Answers a HELLO with a challenge: authentication method, and what it needs ({} if None)."""

    FIELDS = {"method": STR, "extra": DICT}

    def __init__(self, method: str, extra: dict[str, Any] | None = None) -> None:
        if method is None:
            raise misuse("Challenge", "method", None, "a string")
        self.method: str
        self.extra: dict[str, Any]
        extra = {} if extra is None else extra
        self._take(locals())


class HelloDetails(Record):
    """A session that is being opened, for who decides on it.

    session_roles: as in HELLO. pending_session: the id it will have. The others as in HELLO.
    """

    FIELDS = {
        "realm": STR,
        "authmethods": STRS,
        "authid": STR,
        "authrole": STR,
        "authextra": DICT,
        "session_roles": DICT,
        "pending_session": ID,
        "resumable": BOOL,
        "resume_session": ID,
        "resume_token": STR,
    }

    def __init__(
        self,
        realm: str | None = None,
        authmethods: list[str] | None = None,
        authid: str | None = None,
        authrole: str | None = None,
        authextra: dict[str, Any] | None = None,
        session_roles: dict[str, Any] | None = None,
        pending_session: int | None = None,
        resumable: bool | None = None,
        resume_session: int | None = None,
        resume_token: str | None = None,
    ) -> None:
        self.realm: str | None
        self.authmethods: list[str] | None
        self.authid: str | None
        self.authrole: str | None
        self.authextra: dict[str, Any] | None
        self.session_roles: dict[str, Any] | None
        self.pending_session: int | None
        self.resumable: bool | None
        self.resume_session: int | None
        self.resume_token: str | None
        self._take(locals())


class SessionDetails(Record):
    """A session that is open. Its fields cannot be changed."""

    FIELDS = {
        "realm": STR,
        "session": ID,
        "authid": STR,
        "authrole": STR,
        "authmethod": STR,
        "authprovider": STR,
        "authextra": DICT,
        "serializer": STR,
        "transport": _TRANSPORT,
        "resumed": BOOL,
        "resumable": BOOL,
        "resume_token": STR,
    }

    def __init__(
        self,
        realm: str | None = None,
        session: int | None = None,
        authid: str | None = None,
        authrole: str | None = None,
        authmethod: str | None = None,
        authprovider: str | None = None,
        authextra: dict[str, Any] | None = None,
        serializer: str | None = None,
        transport: TransportDetails | None = None,
        resumed: bool | None = None,
        resumable: bool | None = None,
        resume_token: str | None = None,
    ) -> None:
        self._realm = realm
        self._session = session
        self._authid = authid
        self._authrole = authrole
        self._authmethod = authmethod
        self._authprovider = authprovider
        self._authextra = authextra
        self._serializer = serializer
        self._transport = transport
        self._resumed = resumed
        self._resumable = resumable
        self._resume_token = resume_token
        for name in self.FIELDS:
            self._fit(name, getattr(self, name))

    @staticmethod
    def parse(data: dict[str, Any]) -> SessionDetails:
        """From the dictionary that `marshal` makes; other keys are ignored.

        ProtocolError names the key that does not fit.
        """
        if not is_dict(data):
            raise unfit("SessionDetails", "data", data, "a dictionary with string keys")
        found = {name: data[name] for name in SessionDetails.FIELDS if data.get(name) is not None}
        if "transport" in found:
            found["transport"] = TransportDetails.parse(found["transport"])
        try:
            return SessionDetails(**found)
        except LocalProtocolError as error:
            raise RemoteProtocolError(str(error)) from None

    def marshal(self) -> dict[str, Any]:
        """All fields as a dictionary; None for those that are not known."""
        values = {name: getattr(self, name) for name in self.FIELDS}
        if self.transport is not None:
            values["transport"] = self.transport.marshal()
        return values

    @property
    def realm(self) -> str | None:
        """Realm that is joined."""
        return self._realm

    @property
    def session(self) -> int | None:
        """Session id."""
        return self._session

    @property
    def authid(self) -> str | None:
        """Authid the session is joined as."""
        return self._authid

    @property
    def authrole(self) -> str | None:
        """Authrole the session is joined as."""
        return self._authrole

    @property
    def authmethod(self) -> str | None:
        """Authentication method that was used."""
        return self._authmethod

    @property
    def authprovider(self) -> str | None:
        """Who authenticated."""
        return self._authprovider

    @property
    def authextra(self) -> dict[str, Any] | None:
        """What the authentication method added."""
        return self._authextra

    @property
    def serializer(self) -> str | None:
        """Serializer of the session, such as `cbor` or `json.batched`."""
        return self._serializer

    @property
    def transport(self) -> TransportDetails | None:
        """The transport it runs over."""
        return self._transport

    @property
    def resumed(self) -> bool | None:
        """Whether it is a resumed one."""
        return self._resumed

    @property
    def resumable(self) -> bool | None:
        """Whether it can be resumed."""
        return self._resumable

    @property
    def resume_token(self) -> str | None:
        """Token to resume it with."""
        return self._resume_token
