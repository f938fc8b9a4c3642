"""From HELLO to WELCOME: who is it, may it join, and in which role.

A HELLO is read as HelloDetails; what is decided on it is Accept, Deny or Challenge, as in the API
of the host (microwamp.types). Pure but for the nonces. Source: WAMP basic profile, "Session
Establishment"; advanced profile, "Authentication".
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from wamp.errors import RemoteProtocolError

from .. import __version__
from ..types import Accept, Challenge, Deny, HelloDetails, HelloReturn
from .auth import Attempt, Check, Refused
from .cryptosign import Identity
from .directory import Account
from .principals import METHODS
from .realm import Realm
from .session import Message, Session
from .wire import (
    ABORT,
    AUTHENTICATE,
    CHALLENGE,
    CLIENT_ROLES,
    HELLO,
    WELCOME,
    validate,
)
from .wire import (
    name as message_name,
)

AGENT = "microwamp-router/" + __version__

_DENIED = "unknown authid or wrong credentials"


class Acceptor:
    """The opening of one session.

    realms: by name. session_id: what the session will be called. transport: its details for the
    session meta API. identity: the router's own key. tls_unique: asks for the channel binding of
    the connection. After `receive` returned WELCOME, `session` and `realm` are set; after ABORT
    `detail` says what the router's own log is to say.
    """

    def __init__(
        self,
        realms: Mapping[str, Realm],
        session_id: int,
        transport: dict[str, Any],
        identity: Identity | None = None,
        tls_unique: Callable[[], bytes | None] = lambda: None,
    ) -> None:
        self.session: Session | None = None
        self.realm: Realm | None = None
        self.detail = ""
        self._realms = realms
        self._id = session_id
        self._transport = transport
        self._identity = identity
        self._tls_unique = tls_unique
        self._features: dict[str, frozenset[str]] = {}
        self._account: Account | None = None
        self._attempt: Attempt | None = None
        self._methods: tuple[str, ...] = ()  # all that this login goes through
        self._passed = 0
        self._check: Check | None = None
        self._proof: dict[str, Any] = {}

    def receive(self, message: Any) -> Message:
        """The answer to HELLO or AUTHENTICATE: WELCOME, CHALLENGE or ABORT.

        Raises RemoteProtocolError for anything that has no place in the opening.
        """
        code = validate(message)
        try:
            if code == HELLO and self._check is None:
                answer = self._hello(self._read(message[1], message[2]))
            elif code == AUTHENTICATE and self._check is not None:
                answer = self._authenticate(message[1], message[2])
            else:
                wanted = "HELLO" if self._check is None else "AUTHENTICATE"
                raise RemoteProtocolError(
                    f"{message_name(code)} before WELCOME; {wanted} expected"
                )
        except Refused as e:
            self.detail = e.detail
            answer = Deny(e.reason, e.text)
        return self._message(answer)

    def _read(self, realm: str, details: dict[str, Any]) -> HelloDetails:
        self._features = _features(details)
        offered = _optional(details, "authmethods", list)
        if offered is None:
            offered = ["anonymous"]
        if not all(type(method) is str for method in offered):
            raise RemoteProtocolError("HELLO.authmethods must hold strings")
        return HelloDetails(
            realm=realm,
            authmethods=offered,
            authid=_optional(details, "authid", str),
            authextra=_optional(details, "authextra", dict) or {},
            session_roles=details["roles"],
            pending_session=self._id,
        )

    def _message(self, answer: HelloReturn) -> Message:
        """The decision as a message."""
        if isinstance(answer, Challenge):
            return [CHALLENGE, answer.method, answer.extra]
        if isinstance(answer, Deny):
            return [ABORT, {"message": answer.message}, answer.reason]
        assert isinstance(answer, Accept) and self.realm is not None
        details = {
            "realm": answer.realm,
            "authid": answer.authid,
            "authrole": answer.authrole,
            "authmethod": answer.authmethod,
            "authprovider": answer.authprovider,
            "agent": AGENT,
            "roles": self.realm.roles,
        }
        if answer.authextra:
            details["authextra"] = answer.authextra
        return [WELCOME, self._id, details]

    def _hello(self, hello: HelloDetails) -> HelloReturn:
        authid, extra = hello.authid, hello.authextra or {}
        name, offered = hello.realm or "", hello.authmethods or []
        realm = self._realms.get(name)
        if realm is None:
            raise Refused("no_such_realm", f"no realm {name[:80]!r} on this router")
        self.realm = realm
        if realm.config.anonymous is not None and "anonymous" in offered:
            # In the client's order: what stands before it and could be asked of anyone, is.
            before = offered[: offered.index("anonymous")]
            found = realm.directory.find(authid, extra, before) if before else None
            if found is None:
                # The authid is the router's to give: nobody may call himself what he likes.
                guest = "anonymous-" + secrets.token_hex(8)
                return self._welcome(guest, realm.config.anonymous, "anonymous")
        else:
            found = realm.directory.find(authid, extra, offered)
        if found is None:
            raise _impossible(realm.config.name, authid, offered)
        self._account, self._methods = found
        self._attempt = Attempt(
            self._id, authid or self._account.authid, extra, self._tls_unique, self._identity
        )
        return self._challenge()

    def _challenge(self) -> Challenge:
        assert self._account is not None and self._attempt is not None
        method = self._methods[self._passed]
        asked, self._check = self._account.challenge(method, self._attempt)
        return Challenge(method, asked)

    def _authenticate(self, signature: str, extra: dict[str, Any]) -> HelloReturn:
        assert self._account is not None and self._check is not None
        method = self._methods[self._passed]
        proof = self._check(signature, extra)
        if proof is None or not self._account.real:
            detail = f"the {method} answer for {self._account.authid[:80]} is not the right one"
            if not self._account.real:
                detail = f"no principal {self._account.authid[:80]}, or none that uses {method}"
            raise Refused("authentication_denied", _DENIED, detail)
        self._proof.update(proof)
        self._passed += 1
        if self._passed < len(self._methods):
            return self._challenge()
        return self._welcome(self._account.authid, self._account.role, self._methods[0])

    def _welcome(self, authid: str, role: str, method: str) -> Accept:
        assert self.realm is not None
        self.session = Session(
            id=self._id,
            realm=self.realm.config.name,
            authid=authid,
            authrole=role,
            authmethod=method,
            authprovider="static",
            features=self._features,
            transport=self._transport,
        )
        return Accept(
            realm=self.realm.config.name,
            authid=authid,
            authrole=role,
            authmethod=method,
            authprovider="static",
            authextra=self._proof,
        )


def _impossible(realm: str, authid: str | None, offered: list[str]) -> Refused:
    """Nothing that was offered will do: say which of the reasons it was."""
    if set(offered) <= {"anonymous"}:
        return Refused("authentication_required", f"realm {realm} is not open to anonymous")
    names = ", ".join(method[:20] for method in offered[:8])
    text = f"none of {names} is possible here"
    if authid is None and set(offered) & set(METHODS):
        text += " without an authid"
    return Refused("no_matching_auth_method", text)


def _features(details: dict[str, Any]) -> dict[str, frozenset[str]]:
    """Roles and features of HELLO; those that WAMP does not know are left alone."""
    roles = details.get("roles")
    if type(roles) is not dict:
        raise RemoteProtocolError("HELLO.roles must be a dictionary")
    found = {}
    for role in CLIENT_ROLES:
        if role not in roles:
            continue
        if type(roles[role]) is not dict:
            raise RemoteProtocolError(f"HELLO.roles.{role} must be a dictionary")
        features = roles[role].get("features", {})
        if type(features) is not dict:
            raise RemoteProtocolError(f"HELLO.roles.{role}.features must be a dictionary")
        for name, value in features.items():
            if type(value) is not bool:
                raise RemoteProtocolError(
                    f"HELLO.roles.{role}.features.{name[:40]} must be a boolean"
                )
        found[role] = frozenset(name for name, value in features.items() if value)
    if not found:
        raise RemoteProtocolError(
            f"HELLO.roles must name at least one of {', '.join(CLIENT_ROLES)}"
        )
    return found


def _optional(details: dict[str, Any], name: str, kind: type) -> Any:
    value = details.get(name)
    if name in details and type(value) is not kind:
        raise RemoteProtocolError(f"HELLO.{name} must be of type {kind.__name__}")
    return value
