"""One thing that was looked at."""

from typing import NamedTuple

MET, UNMET, UNSEEN = "met", "unmet", "unseen"


class Check(NamedTuple):
    """What it is, whether it is as it must be, and in words."""

    id: str
    """A short name, or the number of an assumption."""
    verdict: str
    told: str


def check(id: str, holds: bool, met: str, unmet: str) -> Check:
    """Met or unmet, each with its words."""
    return Check(id, MET if holds else UNMET, met if holds else unmet)
