"""Tables keyed by (URI, match policy), searched by a concrete URI."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Patterns(Generic[T]):
    """What is subscribed to or registered, found without walking over all of it.

    Exact and prefix entries are dictionary look-ups (a prefix look-up for each length that
    occurs); wildcards are walked among those with the URI's number of components.
    """

    def __init__(self) -> None:
        self._exact: dict[str, T] = {}
        self._prefix: dict[str, T] = {}
        self._lengths: dict[int, int] = {}  # length of a prefix: how many have it
        self._wildcard: dict[int, dict[tuple[str, ...], T]] = {}

    def get(self, uri: str, match: str) -> T | None:
        """The entry under exactly this pattern and policy, None if there is none."""
        if match == "exact":
            return self._exact.get(uri)
        if match == "prefix":
            return self._prefix.get(uri)
        parts = tuple(uri.split("."))
        return self._wildcard.get(len(parts), {}).get(parts)

    def add(self, uri: str, match: str, entry: T) -> None:
        """Enter a pattern that is not in the table yet."""
        if match == "exact":
            self._exact[uri] = entry
        elif match == "prefix":
            self._prefix[uri] = entry
            self._lengths[len(uri)] = self._lengths.get(len(uri), 0) + 1
        else:
            parts = tuple(uri.split("."))
            self._wildcard.setdefault(len(parts), {})[parts] = entry

    def remove(self, uri: str, match: str) -> None:
        """Take out a pattern that is in the table."""
        if match == "exact":
            del self._exact[uri]
        elif match == "prefix":
            del self._prefix[uri]
            self._lengths[len(uri)] -= 1
            if not self._lengths[len(uri)]:
                del self._lengths[len(uri)]
        else:
            parts = tuple(uri.split("."))
            same = self._wildcard[len(parts)]
            del same[parts]
            if not same:
                del self._wildcard[len(parts)]

    def matching(self, uri: str) -> list[T]:
        """Every entry whose pattern matches the concrete `uri`."""
        found = []
        entry = self._exact.get(uri)
        if entry is not None:
            found.append(entry)
        for length in self._lengths:
            if length <= len(uri):
                entry = self._prefix.get(uri[:length])
                if entry is not None:
                    found.append(entry)
        if self._wildcard:
            found.extend(entry for _, entry in self._wildcards(uri))
        return found

    def best(self, uri: str) -> T | None:
        """The one entry a call goes to: exact, then the longest prefix, then the wildcard with
        the longest run of components before each gap (advanced profile, "Calls matching multiple
        registrations").
        """
        entry = self._exact.get(uri)
        if entry is not None:
            return entry
        for length in sorted(self._lengths, reverse=True):
            if length <= len(uri):
                entry = self._prefix.get(uri[:length])
                if entry is not None:
                    return entry
        found = self._wildcards(uri)
        if not found:
            return None
        # Among patterns that match one URI, comparing runs from the left is comparing "is there a
        # component here" from the left.
        return max(found, key=lambda item: tuple(bool(part) for part in item[0]))[1]

    def _wildcards(self, uri: str) -> list[tuple[tuple[str, ...], T]]:
        parts = uri.split(".")
        same = self._wildcard.get(len(parts))
        if same is None:
            return []
        return [
            (pattern, entry)
            for pattern, entry in same.items()
            if all(not a or a == b for a, b in zip(pattern, parts, strict=True))
        ]
