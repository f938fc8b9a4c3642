"""docs/router.md says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from test_router_timeouts import Timers

from microwamp.router import RealmConfig, options
from microwamp.router.configfile import parse
from microwamp.router.meta import ADMINISTRATION
from microwamp.router.realm import Realm
from wamp import messages

TEXT = (Path(__file__).parents[2] / "docs" / "router.md").read_text()
(FILE,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
FILE = FILE.replace("<64 hex digits>", "ab" * 32).replace("<base32>", "JBSWY3DPEHPK3PXP")


def announced(config: RealmConfig) -> dict[str, set[str]]:
    roles = Realm(config, Timers().later).roles
    return {role: set(roles[role]["features"]) for role in roles}


def test_the_features_are_those_of_the_welcome():
    (switched,) = parse(FILE).realms
    plain = announced(RealmConfig("r", anonymous="a"))
    full = announced(
        RealmConfig(
            "r",
            anonymous="a",
            history=switched.history,
            payload_transparency=True,
            trust=switched.trust,
        )
    )
    for role in ("broker", "dealer"):
        (row,) = re.findall(rf"^\| {role} \|(.*)\|(.*)\|$", TEXT, re.MULTILINE)
        always, switch = (re.findall(r"`([a-z_]+)`", cell) for cell in row)
        assert always == sorted(plain[role]), role
        assert full[role] - plain[role] <= set(switch), role
        assert set(switch) - {"history", "trust"} == full[role] - plain[role], role


def test_the_file_is_one():
    (realm,) = parse(FILE).realms
    assert realm.anonymous == "guest" and len(realm.principals) == 2 and len(realm.roles) == 2
    assert realm.principals[1].factors == ("ticket", "wamp-scram")


def test_all_of_administration_is_named():
    for procedure in ADMINISTRATION:
        assert procedure in TEXT or f"`{procedure.removeprefix('wamp.session.')}`" in TEXT


def test_no_option_of_the_core_goes_unchecked():
    ours = {*options.PASSTHRU, *options.TRANSPARENCY}
    for code, known in messages.OPTIONS.items():
        assert set(known) <= ours.union(options._TYPES[code]), code
