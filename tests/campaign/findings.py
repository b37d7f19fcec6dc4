"""What came of the faults, added up so that it can be kept as JSON and told in a report."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import floor, log10
from typing import Any

from campaign.life import Ahead

OUTCOMES = ("nothing left of it", "exposure", "reported", "bad")
"""Of one fault, the worst that came of it."""
ONCE, LASTS, TWO = SORTS = ("a fault that strikes once", "one that lasts", "two")
STRAY = "wrong coil pattern after "
BINS_A_DECADE = 10


@dataclass
class Seen:
    """One sort of exposure."""

    count: int = 0
    longest_ms: float = 0
    current_a: float = 0
    """The largest that was broken, or that flowed."""
    example: str = ""

    def add(self, count: int, longest_ms: float, current_a: float, example: str) -> None:
        self.count += count
        if longest_ms > self.longest_ms or not self.example:
            self.longest_ms, self.example = max(longest_ms, self.longest_ms), example
        self.current_a = max(self.current_a, current_a)


COUNTERS = ("faults", "struck", "reported", "outcomes", "spread", "excuses")


@dataclass
class Findings:
    """Of so many faults; by the name of what struck."""

    faults: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    reported: Counter[str] = field(default_factory=Counter)
    """Something was latched and told."""
    exposures: dict[str, Seen] = field(default_factory=dict)
    """By `what struck | rule | cause`."""
    stray_us: dict[str, int] = field(default_factory=dict)
    """The longest that a coil was as the wire had made it."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """By `what struck | outcome`."""
    spread: Counter[str] = field(default_factory=Counter)
    """How many lasted how long: by `what | bin`, of `BINS_A_DECADE` for each decade of 1 us."""
    excuses: Counter[str] = field(default_factory=Counter)
    """What the monitor has excused."""
    violations: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Neither a violation nor as it should be."""
    unseen: int = 0
    """Double faults that join guns by a contactor whose auxiliary contact nobody can read."""
    changes: int = 0
    scans: int = 0
    cpu_s: float = 0

    def add(self, name: str, struck: bool, ahead: Ahead, wrong: Iterable[str], text: str) -> None:
        """One fault, or several that struck together, and what came of it."""
        self.faults[name] += 1
        self.struck[name] += struck
        self.reported[name] += bool(ahead.reported)
        wrong = list(wrong)
        outcome = (
            bool(ahead.violations or wrong) * 3
            or bool(ahead.reported) * 2
            or bool(ahead.exposures) * 1
        )
        self.outcomes[f"{name} | {OUTCOMES[outcome]}"] += 1
        if ahead.stray_us:
            self.spread[f"{STRAY}{sort(name)} | {_bin(ahead.stray_us)}"] += 1
            self.stray_us[name] = max(self.stray_us.get(name, 0), ahead.stray_us)
        for event in ahead.exposures:
            key = f"{name} | {event.rule} | {event.cause}"
            seen = self.exposures.setdefault(key, Seen())
            self.spread[f"{without_place(event.cause)} | {_bin(1000 * event.duration_ms)}"] += 1
            if event.excuse:
                self.excuses[event.excuse] += 1
            seen.add(1, event.duration_ms, event.current_a, f"{text}: {event.text}")
        self.violations += [f"{text}: {violation}" for violation in ahead.violations]
        self.wrong += [f"{text}: {what}" for what in wrong]

    def __iadd__(self, other: "Findings") -> "Findings":
        self.faults += other.faults
        self.struck += other.struck
        self.reported += other.reported
        self.outcomes += other.outcomes
        self.spread += other.spread
        self.excuses += other.excuses
        for key, seen in other.exposures.items():
            mine = self.exposures.setdefault(key, Seen())
            mine.add(seen.count, seen.longest_ms, seen.current_a, seen.example)
        for name, us in other.stray_us.items():
            self.stray_us[name] = max(self.stray_us.get(name, 0), us)
        self.violations += other.violations
        self.wrong += other.wrong
        self.unseen += other.unseen
        self.changes += other.changes
        self.scans += other.scans
        self.cpu_s += other.cpu_s
        return self

    @property
    def count(self) -> int:
        return sum(self.faults.values())

    def as_json(self) -> dict[str, Any]:
        exposures = {key: asdict(seen) for key, seen in self.exposures.items()}
        return {**vars(self), "exposures": exposures}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Findings":
        counters = {name: Counter(told[name]) for name in COUNTERS}
        exposures = {key: Seen(**seen) for key, seen in told["exposures"].items()}
        return cls(**{**told, **counters, "exposures": exposures})


def sort(name: str) -> str:
    """Whether what struck did so once, lasted, or was two faults."""
    return TWO if " + " in name else LASTS if " for " in name else ONCE


def without_place(cause: str) -> str:
    if cause.startswith("auxiliary contact"):
        return "auxiliary contact lies"
    return "module does not switch off" if cause.endswith("does not switch off") else cause


def _bin(us: float) -> int:
    """-1 for what did not last."""
    return floor(BINS_A_DECADE * log10(us)) if us >= 1 else -1
