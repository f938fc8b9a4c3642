"""No login (WAMP authmethod "anonymous")."""

from .auth import Authenticator


class Anonymous(Authenticator):
    """No login; `authid` is a wish that the router may ignore."""

    method = "anonymous"
    needs_authid = False
