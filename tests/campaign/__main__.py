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
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path

from campaign import picture, report
from campaign.bars import Bars
from campaign.findings import Findings
from campaign.plan import STAGES, Piece, finite, pieces

ROOT = Path(__file__).parents[2]
SOURCES = ("verified_alloc", "hardware", "tests/campaign", "tests/sweep")
UNIT_S = {"s": 1, "min": 60, "h": 3600}


def main() -> int:
    asked = _asked()
    folder = Path(asked.folder)
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{_sources()}-{asked.seed}.jsonl"
    found = dict(kept_in(kept))
    resumed = bool(found)
    began_s = time.monotonic()
    with kept.open("a", encoding="utf-8") as file:
        for piece, findings in _play(asked, found, began_s):
            found[piece] = findings
            file.write(json.dumps({"piece": piece, "findings": findings.as_json()}) + "\n")
            file.flush()
    whole = report.Whole(found, asked.seed, asked.workers, time.monotonic() - began_s, resumed)
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
    whole, _, torn = path.read_bytes().rpartition(b"\n")
    if torn:
        os.truncate(path, len(whole) + bool(whole))
    for line in whole.splitlines():
        told = json.loads(line)
        yield Piece(*told["piece"]), Findings.from_json(told["findings"])


def _play(
    asked: argparse.Namespace, found: Mapping[Piece, Findings], began_s: float
) -> Iterator[tuple[Piece, Findings]]:
    """Play what has not been played until the budget is up."""
    stages = tuple(asked.only) if asked.only else STAGES
    done = set(found)
    coming = (piece for piece in pieces(stages, asked.seed) if piece not in done)
    running: dict[Future[Findings], Piece] = {}
    gc.freeze()
    context = get_context("fork")  # what is imported by now need not be imported again
    with (
        ProcessPoolExecutor(asked.workers, mp_context=context) as pool,
        Bars(asked.budget, {stage: finite(stage, asked.seed) for stage in STAGES[:2]}) as bars,
    ):
        for piece, findings in found.items():
            bars.add(piece, findings)
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
                bars.add(piece, findings)
                bars.spent(time.monotonic() - began_s)
                yield piece, findings


if __name__ == "__main__":
    sys.exit(main())
