from collections.abc import Sequence
from os import PathLike

from . import authcrossbarscram as _authcrossbarscram
from . import authcryptosign as _authcryptosign
from . import authscram as _authscram
from . import authtotp as _authtotp
from .auth import Anonymous as Anonymous
from .auth import Ticket as Ticket
from .authcra import CRA as CRA
from .client import Client as Client
from .declarations import Declaration as Declaration
from .errors import ApplicationError as ApplicationError
from .errors import AuthenticationError as AuthenticationError
from .errors import ConfigurationError as ConfigurationError
from .errors import Error as Error
from .errors import HandshakeRefused as HandshakeRefused
from .errors import LocalProtocolError as LocalProtocolError
from .errors import ProtocolError as ProtocolError
from .errors import RemoteProtocolError as RemoteProtocolError
from .errors import RequestTimeout as RequestTimeout
from .errors import SessionAborted as SessionAborted
from .errors import TransportError as TransportError
from .errors import TransportLost as TransportLost
from .results import Result as Result

__version__: str

# keyfile.cryptosign: the login with the key in a file.
def Cryptosign(
    path: str | PathLike[str],
    authid: str | None = None,
    router: str | Sequence[str] | None = None,
) -> _authcryptosign.Cryptosign: ...

# Those of logins: with this system's randomness and clock.
def Scram(authid: str, password: str) -> _authscram.Scram: ...
def CrossbarScram(authid: str, password: str) -> _authcrossbarscram.CrossbarScram: ...
def TOTP(authid: str, secret: str | bytes, allow_clear: bool = False) -> _authtotp.TOTP: ...
