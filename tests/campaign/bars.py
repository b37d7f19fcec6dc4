"""How far a campaign is, where somebody looks; a line a minute where it is logged."""

import sys
from collections.abc import Mapping, Sequence
from typing import Self

from campaign.findings import Findings
from campaign.plan import Piece, faults_in_scans
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

LOGGED_EVERY_S = 60
NAMES = {"every": "every fault of a handover", "kill": "killed and restarted"}


class Bars:
    """A bar for each stage that has an end, and one for the time."""

    def __init__(self, budget_s: float, ending: Mapping[str, Sequence[Piece]]) -> None:
        self._faults = self._bad = 0
        self._budget_s = budget_s
        self._logged_s = 0.0
        self._shown = sys.stderr.isatty()
        self._progress = Progress(
            TextColumn("{task.description:<27}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            console=Console(stderr=True),
            disable=not self._shown,
        )
        self._tasks = {
            stage: self._progress.add_task(
                NAMES[stage], total=sum(map(self._weight, pieces)), told=""
            )
            for stage, pieces in ending.items()
        }
        self._ending = {piece for pieces in ending.values() for piece in pieces}
        self._time = self._progress.add_task("time", total=budget_s, told="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @staticmethod
    def _weight(piece: Piece) -> int:
        """Faults, or changes in which the process is killed everywhere."""
        return faults_in_scans(piece.where)[piece.number] if piece.stage == "every" else 1

    def add(self, piece: Piece, findings: Findings) -> None:
        """That piece has been played."""
        self._faults += findings.count
        self._bad += len(findings.violations) + len(findings.wrong)
        if piece in self._ending:
            self._progress.update(self._tasks[piece.stage], advance=self._weight(piece))
        for stage, unit in (("every", "faults"), ("kill", "changes")):
            task = self._progress.tasks[self._tasks[stage]]
            told = f"{task.completed:,.0f} of {task.total:,.0f} {unit}"
            self._progress.update(self._tasks[stage], told=told)

    def spent(self, spent_s: float) -> None:
        """So much of the budget."""
        told = f"{_clock(spent_s)} of {_clock(self._budget_s)}: {self._faults:,} faults,"
        told += f" {self._bad} bad"
        self._progress.update(self._time, completed=spent_s, told=told)
        if not self._shown and spent_s >= self._logged_s + LOGGED_EVERY_S:
            self._logged_s = spent_s
            stages = [
                f"{NAMES[s]} {self._progress.tasks[t].percentage:.0f} %"
                for s, t in self._tasks.items()
            ]
            print(f"{told}; {', '.join(stages)}", file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02}"
