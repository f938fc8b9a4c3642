"""URIs as routers see them: loose form, patterns, the reserved name space.

Source: WAMP basic profile, "URIs"; advanced profile, "Pattern-based Subscriptions".
"""

import re

_EXACT = re.compile(r"[^\s.#]+(?:\.[^\s.#]+)*")
_PATTERN = re.compile(r"[^\s.#]*(?:\.[^\s.#]*)*")


def valid(uri: str, match: str = "exact") -> bool:
    """Whether `uri` is well formed; empty components are for prefix and wildcard matching only."""
    return (_EXACT if match == "exact" else _PATTERN).fullmatch(uri) is not None


def reserved(uri: str) -> bool:
    """Whether applications must not define `uri`: its first component is `wamp`."""
    return uri == "wamp" or uri.startswith("wamp.")


def covers(pattern: str, match: str, uri: str) -> bool:
    """Whether `uri` matches `pattern` under the policy `match` (exact, prefix, wildcard)."""
    if match == "exact":
        return uri == pattern
    if match == "prefix":
        return uri.startswith(pattern)
    ours = pattern.split(".")
    theirs = uri.split(".")
    return len(ours) == len(theirs) and all(
        not a or a == b for a, b in zip(ours, theirs, strict=True)
    )


def literal(pattern: str, match: str) -> str:
    """The beginning of `pattern` that every URI under it shares: what a permission must cover."""
    if match != "wildcard":
        return pattern
    head: list[str] = []
    for part in pattern.split("."):
        if not part:
            return "".join(word + "." for word in head)
        head.append(part)
    return pattern
