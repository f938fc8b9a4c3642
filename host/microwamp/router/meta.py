"""The procedures of the router itself, and which of them only administrators may call.

Source: WAMP advanced profile, "Meta API".
"""

from . import sessionmeta, tablemeta
from .metatools import Procedure

# These end or take away what is others': a role needs a permission of its own for them.
ADMINISTRATION = frozenset((*sessionmeta.ADMINISTRATION, *tablemeta.ADMINISTRATION))

PROCEDURES: dict[str, Procedure] = {
    **sessionmeta.PROCEDURES,
    **sessionmeta.ADMINISTRATION,
    **tablemeta.PROCEDURES,
    **tablemeta.ADMINISTRATION,
}
