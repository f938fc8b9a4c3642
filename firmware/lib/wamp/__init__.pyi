from os import PathLike

from . import auth as _auth
from .auth import CRA as CRA
from .auth import Anonymous as Anonymous
from .auth import Ticket as Ticket
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
from .requests import Result as Result

__version__: str

# keys.cryptosign: the login with the key in a file.
def Cryptosign(path: str | PathLike[str], authid: str | None = None) -> _auth.Cryptosign: ...
