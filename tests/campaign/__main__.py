"""The fault campaign: `python -m campaign --budget 10min`, with `tests` on the path.

It goes on where it was left as long as the sources are the same, and ends with 1 if anything was
found that must not be."""

import argparse
import ctypes
import gc
import hashlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Set
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import filterfalse
from multiprocessing import get_context
from pathlib import Path

from campaign import picture, report
from campaign.bars import Bars
from campaign.findings import Findings
from campaign.plan import STAGES, Piece, finite, pieces
from campaign.remembered import remember

ROOT = Path(__file__).parents[2]
SOURCES = ("verified_alloc", "hardware", "tests/campaign", "tests/sweep")
PR_SET_PDEATHSIG = 1  # of prctl(2)
UNIT_S = {"s": 1, "min": 60, "h": 3600}
AT_RANDOM = 0.2
"""Of the budget, at least: what has an end is broken off for it, and goes on in the next run."""


def main() -> int:
    asked = _asked()
    folder = Path(asked.folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_sources()}-{asked.seed}.jsonl"
    whole = report.Whole(asked.seed, asked.workers)
    began_s = time.monotonic()
    with Bars(asked.budget, {stage: finite(stage, asked.seed) for stage in STAGES[:2]}) as bars:
        for piece, findings in kept_in(path):
            whole.add(piece, findings)
            bars.add(piece, findings)
        whole.resumed = bool(whole.done)
        with path.open("a", encoding="utf-8") as file:
            for piece, findings in _play(asked, whole.done, began_s):
                file.write(json.dumps({"piece": piece, "findings": findings.as_json()}) + "\n")
                file.flush()
                whole.add(piece, findings)
                bars.add(piece, findings)
                bars.spent(time.monotonic() - began_s)
    whole.wall_s = time.monotonic() - began_s
    (folder / "report.json").write_text(whole.as_json(), encoding="utf-8")
    (folder / "report.md").write_text(whole.as_markdown(), encoding="utf-8")
    if asked.write:
        report.fill(ROOT / "docs" / "campaign.md", whole)
        picture.draw(ROOT / "docs" / "campaign.png", whole)
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


def kept_in(path: Path) -> Iterator[tuple[Piece, Findings]]:
    """What was played before. A line that was being written when the process died is cut off, and
    its piece played again."""
    if not path.exists():
        return
    whole = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                os.truncate(path, whole)
                return
            whole += len(line)
            told = json.loads(line)
            yield Piece(*told["piece"]), Findings.from_json(told["findings"])


def _play(
    asked: argparse.Namespace, done: Set[Piece], began_s: float
) -> Iterator[tuple[Piece, Findings]]:
    """Play what has not been played until the budget is up."""
    coming = _coming(asked, frozenset(done), began_s)
    running: dict[Future[Findings], Piece] = {}
    remember()
    gc.freeze()
    context = get_context("fork")  # what is imported by now need not be imported again
    with ProcessPoolExecutor(asked.workers, context, _end_with_the_campaign) as pool:
        while True:
            while len(running) < asked.workers and time.monotonic() - began_s < asked.budget:
                piece = next(coming, None)
                if piece is None:
                    break
                running[pool.submit(piece.play)] = piece
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()


def _coming(asked: argparse.Namespace, done: Set[Piece], began_s: float) -> Iterator[Piece]:
    """What is to be played next, at any time."""
    stages = tuple(asked.only) if asked.only else STAGES
    enough_s = began_s + asked.budget * (1 - AT_RANDOM * ("random" in stages))
    for piece in filterfalse(done.__contains__, pieces(stages, asked.seed)):
        if piece.stage == "random" or time.monotonic() < enough_s:
            yield piece


def _end_with_the_campaign() -> None:
    """A worker does not outlive a campaign that is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
