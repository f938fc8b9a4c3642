from .errors import ApplicationError as ApplicationError
from .errors import HandshakeRefused as HandshakeRefused
from .errors import RequestTimeout as RequestTimeout
from .errors import SessionAborted as SessionAborted
