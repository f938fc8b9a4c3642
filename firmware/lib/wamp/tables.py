"""The whole table of WAMP messages, for hosts and tests: names, layout, options, features.

A board has no need of it: its modules use `_NAME = const(number)`, which costs no memory, and
tests/arch compares each with these names. `wamp.messages` and `wamp.session` have them too.
"""

from .joining import FEATURES as FEATURES
from .joining import roles as roles
from .messages import KINDS
from .options import NAMES, check, names_of
from .words import ELEMENTS

# code: (name, elements that must be there, (label, kind) of every element after the code).
LAYOUT = {}
for _code in KINDS:
    _name, *_labels = [text.replace("_", " ") for text in ELEMENTS[_code].split()]
    _kinds = [chr(kind) for kind in KINDS[_code][1:]]
    LAYOUT[_code] = (_name, KINDS[_code][0], tuple(zip(_labels, _kinds)))
    globals()[_name] = _code  # HELLO = 1 and so on

# Options that a user may pass, by the number of the message, with their types.
OPTIONS = {}
_types = {"b": bool, "n": int, "i": list, "s": list, "t": str, "w": str}
for _code in NAMES:
    OPTIONS[_code] = {text[:-2]: _types[text[-1]] for text in names_of(_code).split()}

check_options = check

# What `Protocol.receive` reports, as the first element of a tuple
CHALLENGED = 1  # (CHALLENGED, authenticator, extra): answer with authenticate()
JOINED = 2  # (JOINED, details)
ENDED = 3  # (ENDED, error): the session is over; None when we had said GOODBYE. Close, then end()
DONE = 4  # (DONE, handle, id): PUBLISHED, SUBSCRIBED, REGISTERED; UNSUBSCRIBED, UNREGISTERED
ANSWERED = 5  # (ANSWERED, handle, args, kwargs, details): RESULT, the last
FAILED = 6  # (FAILED, handle, error): ERROR
HAPPENED = 7  # (HAPPENED, entries, publication, details, args, kwargs): EVENT
INVOKED = 8  # (INVOKED, entry, request, details, args, kwargs): INVOCATION
INTERRUPTED = 9  # (INTERRUPTED, request, mode): INTERRUPT; answer with fail(). kill or killnowait
REVOKED = 10  # (REVOKED, entries, reason): the router ended a subscription or registration
PROGRESSED = 11  # (PROGRESSED, handle, args, kwargs, details): RESULT, more will follow
CONTINUED = 12  # (CONTINUED, entry, request, details, args, kwargs): INVOCATION, a further part

# States
CLOSED = 0
JOINING = 1
ESTABLISHED = 2
SHUTTING_DOWN = 3
