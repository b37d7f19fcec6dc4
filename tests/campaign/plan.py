"""The pieces of a campaign: every fault of a handover first, then the kills, then at random."""

from collections.abc import Iterator
from functools import cache
from itertools import count
from typing import NamedTuple

from campaign import faults
from campaign.findings import Findings
from campaign.handover import MATRICES, representative
from campaign.stages import every_fault, every_kill, looked_at, random_faults

KILLED_CHANGES = 200
STAGES = ("every", "kill", "random")
APART = 1_000_000
"""No two seeds of a campaign share a random change."""


class Piece(NamedTuple):
    """Some seconds of it: `every` fault in a scan of a matrix's handover, `kill` or `random` in the
    change of a seed."""

    stage: str
    where: str
    number: int

    def play(self) -> Findings:
        """What it finds. What cannot even be played is as bad as a violation."""
        try:
            if self.stage == "every":
                return every_fault(self.where, self.number, self.number + 1)
            return every_kill(self.number) if self.stage == "kill" else random_faults(self.number)
        except Exception as error:
            return Findings(violations=[f"{self}: {error!r}"])


@cache
def faults_in_scans(matrix: str) -> tuple[int, ...]:
    """How many faults there are in each scan of this matrix's handover, by counting them."""
    with representative(matrix) as handover:
        return tuple(
            sum(1 for _ in faults.every(looked_at(handover)[1], handover.at_work))
            for _ in handover.each_scan()
        )


def finite(stage: str, seed: int) -> list[Piece]:
    """The stage that has an end, all of it; of every matrix something early."""
    if stage == "kill":
        return [Piece("kill", "", seed * APART + number) for number in range(KILLED_CHANGES)]
    scans = [(scan, matrix) for matrix in MATRICES for scan in range(len(faults_in_scans(matrix)))]
    return [Piece("every", matrix, scan) for scan, matrix in sorted(scans)]


def pieces(stages: tuple[str, ...], seed: int) -> Iterator[Piece]:
    """One stage after another; what is random goes on for ever."""
    for stage in STAGES[:2]:
        if stage in stages:
            yield from finite(stage, seed)
    if "random" in stages:
        yield from (Piece("random", "", number) for number in count(seed * APART))
