"""Runs under the crossbar environment's Python: does to messages what autobahn does to them.

Standard input: the repr of a list of jobs, (operation, class name, argument). Standard output: the
repr of a list of results, ("ok", value) or (class name of the exception, its text).
Operations: "parse" (a list: gives attributes and what marshal makes of it), "make" (keywords: the
same), "call" (keywords for a function of autobahn.wamp.message), "attr" (keywords for an options
class of autobahn.wamp.types: gives message_attr()), "typeid" (keywords for TransportDetails: gives
channel_typeid), "details" (a dictionary for TransportDetails or SessionDetails: parsed and
marshalled), "facts" (nothing: gives the answers of python_facts.py).
"""

import ast
import sys

import txaio  # type: ignore[import-not-found]

txaio.use_asyncio()

from autobahn.wamp import (  # type: ignore[import-not-found]  # noqa: E402
    exception,
    message,
    request,
    types,
)
from python_facts import facts  # noqa: E402


def said(made):
    attributes: dict[str, object] = {}
    for klass in type(made).__mro__:
        for name in getattr(klass, "__slots__", ()):
            name = name.removeprefix("_")
            value = getattr(made, name, None)
            if isinstance(value, (type(None), bool, int, float, str, bytes, list, tuple)):
                attributes[name] = value
            elif isinstance(value, dict) and name != "roles":
                attributes[name] = value
    return attributes, made.marshal()


def run(operation, name, argument):
    if operation == "parse":
        return said(getattr(message, name).parse(argument))
    if operation == "make":
        return said(getattr(message, name)(**argument))
    if operation == "call":
        return getattr(message, name)(**argument)
    if operation == "attr":
        return getattr(types, name)(**argument).message_attr()
    if operation == "typeid":
        return types.TransportDetails(**argument).channel_typeid
    if operation == "details":
        return getattr(types, name).parse(argument).marshal()
    if operation == "facts":
        return facts(exception, message, types, request)
    raise AssertionError(operation)


results = []
for job in ast.literal_eval(sys.stdin.read()):
    try:
        results.append(("ok", run(*job)))
    except Exception as error:
        results.append((type(error).__name__, str(error)))
print(repr(results))
