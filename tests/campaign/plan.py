"""The pieces of a campaign, in an order in which any budget sees something of each stage."""

from collections.abc import Iterator
from itertools import count, zip_longest
from typing import NamedTuple

from campaign.findings import Findings
from campaign.handover import MATRICES, representative
from campaign.stages import every_fault, every_kill, random_faults

KILLED_CHANGES = 200
STAGES = ("every", "kill", "random")
SCANS_IN_A_PIECE = 1


class Piece(NamedTuple):
    """One stage of it: `every` scan of a matrix's handover, `kill` or `random` of a seed."""

    stage: str
    where: str
    number: int

    def play(self) -> Findings:
        if self.stage == "every":
            return every_fault(self.where, self.number, self.number + SCANS_IN_A_PIECE)
        return every_kill(self.number) if self.stage == "kill" else random_faults(self.number)


def scans_of(matrix: str) -> int:
    """How long the representative handover of this matrix takes."""
    with representative(matrix) as handover:
        return handover.scans


def finite(stage: str, seed: int) -> list[Piece]:
    """The stage that has an end, all of it."""
    if stage == "kill":
        return [Piece("kill", "", seed + number) for number in range(KILLED_CHANGES)]
    return [Piece("every", matrix, scan) for matrix in MATRICES for scan in range(scans_of(matrix))]


def pieces(stages: tuple[str, ...], seed: int) -> Iterator[Piece]:
    """In turn one of each stage; what is random goes on for ever."""
    endless = "random" in stages
    ending = [finite(stage, seed) for stage in stages if stage != "random"]
    numbers = count(seed)
    for together in zip_longest(*ending):
        yield from (piece for piece in together if piece is not None)
        if endless:
            yield Piece("random", "", next(numbers))
    while endless:
        yield Piece("random", "", next(numbers))
