"""From HELLO to WELCOME: who is it, may it join, and in which role.

Pure but for the nonces. Source: WAMP basic profile, "Session Establishment"; advanced profile,
"Authentication".
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from wamp import messages
from wamp.errors import RemoteProtocolError
from wamp.messages import ABORT, AUTHENTICATE, CHALLENGE, HELLO, WELCOME

from .. import __version__
from . import auth
from .config import Principal
from .realm import ROLES, Realm
from .session import Message, Session

_CLIENT_ROLES = ("publisher", "subscriber", "caller", "callee")
AGENT = "microwamp-router/" + __version__


class Acceptor:
    """The opening of one session.

    realms: by name. session_id: what the session will be called. transport: its details for the
    session meta API. After `receive` returned WELCOME, `session` and `realm` are set.
    """

    def __init__(
        self, realms: Mapping[str, Realm], session_id: int, transport: dict[str, Any]
    ) -> None:
        self.session: Session | None = None
        self.realm: Realm | None = None
        self._realms = realms
        self._id = session_id
        self._transport = transport
        self._features: dict[str, frozenset[str]] = {}
        self._method = ""
        self._principal: Principal | None = None
        self._check: Callable[[str], bool] | None = None

    def receive(self, message: Any) -> Message:
        """The answer to HELLO or AUTHENTICATE: WELCOME, CHALLENGE or ABORT.

        Raises RemoteProtocolError for anything that has no place in the opening.
        """
        code = messages.validate(message)
        try:
            if code == HELLO and self._check is None:
                return self._hello(message[1], message[2])
            if code == AUTHENTICATE and self._check is not None:
                return self._authenticate(message[1])
        except auth.Refused as e:
            return [ABORT, {"message": e.text}, e.reason]
        wanted = "HELLO" if self._check is None else "AUTHENTICATE"
        raise RemoteProtocolError(f"{messages.LAYOUT[code][0]} before WELCOME; {wanted} expected")

    def _hello(self, name: str, details: dict[str, Any]) -> Message:
        self._features = _features(details)
        authid = _optional(details, "authid", str)
        extra = _optional(details, "authextra", dict) or {}
        offered = _optional(details, "authmethods", list)
        if offered is None:
            offered = ["anonymous"]
        if not all(type(method) is str for method in offered):
            raise RemoteProtocolError("HELLO.authmethods must hold strings")
        realm = self._realms.get(name)
        if realm is None:
            raise auth.Refused("no_such_realm", f"no realm {name[:80]!r} on this router")
        self.realm = realm
        principal = self._principal_of(realm, authid, extra, offered)
        for method in offered:
            if method == "anonymous" and realm.config.anonymous is not None:
                # The authid is the router's to give: nobody may call himself what he likes.
                guest = "anonymous-" + secrets.token_hex(8)
                return self._welcome(guest, realm.config.anonymous, method)
            if principal is not None and auth.possible(principal, method):
                asked, self._check = auth.challenge(principal, method, self._id, extra)
                self._method = method
                self._principal = principal
                return [CHALLENGE, method, asked]
        return self._no_method(realm, authid, principal, offered, extra)

    def _principal_of(
        self, realm: Realm, authid: str | None, extra: dict[str, Any], offered: list[str]
    ) -> Principal | None:
        if authid is not None:
            for principal in realm.config.principals:
                if principal.authid == authid:
                    return principal
            return None
        # Without an authid the key tells who it is.
        key = extra.get("pubkey")
        if "cryptosign" in offered and type(key) is str:
            for principal in realm.config.principals:
                if key.lower() in (one.lower() for one in principal.public_keys):
                    return principal
        return None

    def _no_method(
        self,
        realm: Realm,
        authid: str | None,
        principal: Principal | None,
        offered: list[str],
        extra: dict[str, Any],
    ) -> Message:
        """Nothing that was offered will do: say which of the reasons it was."""
        if set(offered) <= {"anonymous"}:
            raise auth.Refused(
                "authentication_required", f"realm {realm.config.name} is not open to anonymous"
            )
        if principal is None and any(method in auth.METHODS[1:] for method in offered):
            who = f"authid {authid[:80]!r}" if authid is not None else "no authid"
            if authid is None and "cryptosign" in offered:
                who = f"the public key {auth.public_key(extra)}"
            raise auth.Refused(
                "no_such_principal", f"realm {realm.config.name} knows no principal with {who}"
            )
        names = ", ".join(method[:20] for method in offered[:8])
        raise auth.Refused("no_matching_auth_method", f"none of {names} is possible here")

    def _authenticate(self, signature: str) -> Message:
        assert self._check is not None and self._principal is not None
        if not self._check(signature):
            raise auth.Refused(
                "authentication_denied", f"the {self._method} answer is not the right one"
            )
        return self._welcome(self._principal.authid, self._principal.role, self._method)

    def _welcome(self, authid: str, role: str, method: str) -> Message:
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
        details = {
            "realm": self.realm.config.name,
            "authid": authid,
            "authrole": role,
            "authmethod": method,
            "authprovider": "static",
            "agent": AGENT,
            "roles": ROLES,
        }
        return [WELCOME, self._id, details]


def _features(details: dict[str, Any]) -> dict[str, frozenset[str]]:
    """Roles and features of HELLO; those that WAMP does not know are left alone."""
    roles = details.get("roles")
    if type(roles) is not dict:
        raise RemoteProtocolError("HELLO.roles must be a dictionary")
    found = {}
    for role in _CLIENT_ROLES:
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
            f"HELLO.roles must name at least one of {', '.join(_CLIENT_ROLES)}"
        )
    return found


def _optional(details: dict[str, Any], name: str, kind: type) -> Any:
    value = details.get(name)
    if name in details and type(value) is not kind:
        raise RemoteProtocolError(f"HELLO.{name} must be of type {kind.__name__}")
    return value
