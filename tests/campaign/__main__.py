"""The fault campaign: `python -m campaign --budget 10min`, with `tests` on the path.

It goes on where it was left as long as the sources are the same, and ends with 1 if anything was
found that must not be."""

import argparse
import gc
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path

from campaign import report
from campaign.findings import Findings
from campaign.plan import STAGES, Piece, pieces
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

ROOT = Path(__file__).parents[2]
SOURCES = ("verified_alloc", "hardware", "tests/campaign", "tests/sweep")
UNIT_S = {"s": 1, "min": 60, "h": 3600}


def main() -> int:
    asked = _asked()
    folder = Path(asked.folder)
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{_sources()}-{asked.seed}.jsonl"
    found = dict(_kept(kept))
    already_s = sum(findings.cpu_s for findings in found.values())
    began_s = time.monotonic()
    with kept.open("a", encoding="utf-8") as file:
        for piece, findings in _play(asked, set(found), began_s):
            found[piece] = findings
            file.write(json.dumps({"piece": piece, "findings": findings.as_json()}) + "\n")
            file.flush()
    whole = report.Whole(found, asked.workers, time.monotonic() - began_s, already_s > 0)
    (folder / "report.json").write_text(whole.as_json(), encoding="utf-8")
    (folder / "report.md").write_text(whole.as_markdown(), encoding="utf-8")
    if asked.write:
        report.fill(ROOT / "docs" / "campaign.md", whole)
    print("\n".join(whole.lines()))
    return 1 if whole.bad else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m campaign", description=__doc__)
    parser.add_argument("--budget", type=_seconds, default=3600, help="60min unless told")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=STAGES, action="append", help="a stage; may be repeated")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", default=str(ROOT / ".campaign"), help="what was found so far")
    parser.add_argument("--write", action="store_true", help="fill docs/campaign.md")
    return parser.parse_args()


def _seconds(text: str) -> float:
    told = re.fullmatch(r"(\d+(?:\.\d+)?)(s|min|h)", text)
    if told is None:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is a time such as 90s, 10min or 1h")
    return float(told[1]) * UNIT_S[told[2]]


def _sources() -> str:
    """What is tried, as a digest: findings of other sources say nothing about these."""
    digest = hashlib.blake2b(digest_size=8)
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _kept(path: Path) -> Iterator[tuple[Piece, Findings]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            told = json.loads(line)
            yield Piece(*told["piece"]), Findings.from_json(told["findings"])


def _play(
    asked: argparse.Namespace, done: set[Piece], began_s: float
) -> Iterator[tuple[Piece, Findings]]:
    """Play what has not been played until the budget is up."""
    stages = tuple(asked.only) if asked.only else STAGES
    coming = (piece for piece in pieces(stages, asked.seed) if piece not in done)
    running: dict[Future[Findings], Piece] = {}
    gc.freeze()
    context = get_context("fork")  # what is imported by now need not be imported again
    with (
        ProcessPoolExecutor(asked.workers, mp_context=context) as pool,
        _Bar(asked.budget) as bar,
    ):
        while True:
            spent_s = time.monotonic() - began_s
            while len(running) < asked.workers and spent_s < asked.budget:
                piece = next(coming, None)
                if piece is None:
                    break
                running[pool.submit(piece.play)] = piece
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                piece, findings = running.pop(future), future.result()
                bar.add(findings, time.monotonic() - began_s)
                yield piece, findings


class _Bar:
    """How far it is, where somebody looks."""

    def __init__(self, budget_s: float) -> None:
        self._faults = self._bad = 0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("campaign", total=budget_s)

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def add(self, findings: Findings, spent_s: float) -> None:
        self._faults += findings.count
        self._bad += len(findings.violations) + len(findings.wrong)
        told = f"{self._faults} faults, {self._bad} bad"
        self._progress.update(self._task, completed=spent_s, description=told)


if __name__ == "__main__":
    sys.exit(main())
