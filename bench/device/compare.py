"""Figures of a run against those of a stored baseline. For all gated figures less is better."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from goals import gated, program, unit

#: A gated figure may become so much worse, as a fraction of the baseline's.
TOLERANCE = 0.03


@dataclass
class Verdict:
    """What a comparison found; each a list of sentences."""

    regressions: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    improvements: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.regressions and not self.missing


def change(now: float, before: float) -> float:
    """As a fraction of what it was; infinite where that was 0."""
    if now == before:
        return 0.0
    return (now - before) / abs(before) if before else float("inf")


def compare(
    run: dict[str, Any], baseline: dict[str, Any], programs: Collection[str] = ()
) -> Verdict:
    """run, baseline: {"versions": {name: version}, "figures": {name: value}}.

    programs: those that ran, none for all; figures of others are not missed.
    """
    verdict = Verdict()
    for name in sorted(run["versions"] | baseline["versions"]):
        ours, theirs = run["versions"].get(name), baseline["versions"].get(name)
        if ours != theirs:
            verdict.versions.append(
                f"{name}: {ours or 'absent'} here, {theirs or 'absent'} for the baseline"
            )
    figures, old = run["figures"], baseline["figures"]
    for name, before in old.items():
        if programs and program(name) not in programs:
            continue
        if name not in figures:
            if gated(name):
                verdict.missing.append(f"{name}: in the baseline, and not measured any more")
            continue
        if not gated(name):
            continue
        now = figures[name]
        worse = change(now, before)
        text = f"{name}: {now:g} {unit(name)}, was {before:g} ({percent(worse)})"
        if worse > TOLERANCE:
            verdict.regressions.append(text)
        elif worse < -TOLERANCE:
            verdict.improvements.append(text)
    verdict.new = [
        f"{name}: {figures[name]:g} {unit(name)}" for name in figures if name not in old
    ]
    return verdict


def percent(fraction: float) -> str:
    """Such as "+3.1 %"."""
    return "from nothing" if fraction == float("inf") else f"{100 * fraction:+.1f} %"
