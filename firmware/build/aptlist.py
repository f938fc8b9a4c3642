"""An apt configuration for one other Debian release, derived from the machine's own.

Where this machine gets its packages from (a mirror, a proxy, a company's archive) is written in
its source lists; another release of Debian is next door in the same archive. So each list is
read, the release's name in it is replaced, source packages are added, and apt is run on the
result with lists, cache and state in a temporary folder. The system's own apt state is not
touched, no root is needed, and no host name is kept in any file.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common import BUILD, BuildError, fail, os_release, run

RELEASE = "trixie"  # the release that has the packages pinned in sources.py

_ALIASES = ("oldoldstable", "oldstable", "stable", "testing", "unstable", "sid")
_BAD = ("E:", "W:")
_OPTIONS = re.compile(r"^(deb|deb-src)\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)$")


def _suite(suite: str, codename: str) -> str | None:
    """The same suite of RELEASE; None for suites it need not have (backports, other projects)."""
    name, dash, part = suite.partition("-")
    if name not in (codename, *_ALIASES) or (dash and part not in ("updates", "security")):
        return None
    return RELEASE + dash + part


def derive_list(text: str, codename: str) -> str:
    """The one-line format (sources.list): each Debian archive with its source packages."""
    lines: dict[str, None] = {}  # an ordered set
    for line in text.splitlines():
        match = _OPTIONS.match(line.partition("#")[0].strip())
        if not match:
            continue
        _, options, uri, name, components = match.groups()
        suite = _suite(name, codename)
        if suite is None or "main" not in components.split() or uri.startswith("cdrom:"):
            continue
        for kind in ("deb", "deb-src"):
            lines[f"{kind} {options or ''}{uri} {suite} main\n"] = None
    return "".join(lines)


def derive_sources(text: str, codename: str) -> str:
    """The deb822 format (*.sources): the same, with all other fields of a stanza kept."""
    result = []
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            if line[0] in " \t":  # a continuation, as in an inlined Signed-By key
                fields[key] += "\n" + line
            else:
                key, _, value = line.partition(":")
                fields[key] = value.strip()
        lower = {name.lower(): name for name in fields}
        if not {"types", "uris", "suites"} <= set(lower):
            continue
        if fields.get(lower.get("enabled", ""), "yes").lower() in ("no", "false", "0", "off"):
            continue
        if "main" not in fields.get(lower.get("components", ""), "").split():
            continue
        wanted = [_suite(name, codename) for name in fields[lower["suites"]].split()]
        suites = [suite for suite in wanted if suite]
        if not suites:
            continue
        fields[lower["types"]] = "deb deb-src"
        fields[lower["suites"]] = " ".join(suites)
        fields[lower["components"]] = "main"
        result.append("".join(f"{name}: {value}\n" for name, value in fields.items()))
    return "\n".join(result)


def _derive_all(parts: Path, apt: Path, codename: str) -> int:
    """Write the derived lists into `parts`; returns how many files have an archive in them."""
    found = 0
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        derive = derive_list if path.suffix == ".list" else derive_sources
        derived = derive(path.read_text(), codename)
        if derived:
            (parts / path.name).write_text(derived)
            found += 1
    return found


class Apt:
    """apt-get and apt-cache that see RELEASE instead of this machine's release."""

    def __init__(self, options: list[str], problems: str) -> None:
        self._options = options
        self.problems = problems  # apt's own complaints about its indexes

    def get(self, *words: str, cwd: Path) -> str:
        return run(["apt-get", *self._options, *words], cwd=cwd)

    def versions(self, package: str) -> list[str]:
        """Versions of a package, binary or source, that the archive has now."""
        table = run(["apt-cache", *self._options, "madison", package]).splitlines()
        return [line.split("|")[1].strip() for line in table if line.count("|") == 2]


@contextmanager
def apt_for_release() -> Iterator[Apt]:
    """Derive the lists, fetch the indexes (about 21 MB), and remove everything afterwards."""
    BUILD.mkdir(exist_ok=True)
    codename = os_release().get("VERSION_CODENAME", RELEASE)
    with tempfile.TemporaryDirectory(prefix="apt-", dir=BUILD) as folder:
        parts, state, cache = (Path(folder) / name for name in ("parts", "state", "cache"))
        for path in (parts, state / "lists" / "partial", cache / "archives" / "partial"):
            path.mkdir(parents=True)
        if not _derive_all(parts, Path("/etc/apt"), codename):
            fail(
                f"the apt configuration of this machine names no Debian archive for {codename},"
                f" so none for {RELEASE} can be derived. Give MPY_DIR=<MicroPython checkout>."
            )
        settings = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": str(parts),
            "Dir::State": str(state),
            "Dir::Cache": str(cache),
            "APT::Sandbox::User": "",  # the temporary folder is closed to the _apt user
            "APT::Default-Release": "",  # the machine's own preference would hide RELEASE
            "Acquire::Retries": "3",
        }
        options = [word for k, v in settings.items() for word in ("-o", f"{k}={v}")]
        try:
            output = run(["apt-get", *options, "update"])
        except BuildError as e:  # one archive of several may fail; only what we need counts
            output = str(e)
        problems = [line.strip() for line in output.splitlines() if line.lstrip()[:2] in _BAD]
        yield Apt(options, "\n".join(dict.fromkeys(problems)))
