"""Diagnostic coverage in numbers: `python -m campaign.coverage` plays every single fault of every
part, by every path on which power may be taken off, and writes docs/coverage.csv and the table by
part in docs/coverage.md."""

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from pathlib import Path

from campaign.behaviour import (
    PATHS,
    PULL_DOWNS,
    SOFTWARE,
    STATION,
    SUPPLY,
    WATCHDOG,
    Seen,
    play,
    safe_ms,
)
from campaign.singles import Single, singles

from verified_alloc.control.fault_kinds import cleared_by

DOCS = Path(__file__).parents[2] / "docs"
TABLE, PAGE = DOCS / "coverage.csv", DOCS / "coverage.md"
BEGIN, END = "<!-- filled by make coverage -->", "<!-- end of the table -->"
YES, NO, HARMLESS = "yes", "no", "does not matter"
TAKEN_BY = {WATCHDOG: WATCHDOG, SUPPLY: SUPPLY, PULL_DOWNS: SUPPLY}
NOT_ENDED = "not within the time watched"
COLUMNS = (
    "part",
    "fault",
    "failure mode",
    "seen",
    "why not",
    "seen after ms",
    "what acts",
    *(f"no current after ms by {path}" for path in PATHS),
    "afterwards",
    "builder's to provide",
)
Cells = Mapping[str, str]


def cells(single: Single) -> Cells:
    """Play it: its line of the table."""
    told = [single.part, single.fault, single.mode]
    if single.happens is None:
        answer = HARMLESS if single.harmless else NO
        why = single.harmless or "nothing that is wired to us shows it"
        rest = [answer, why, "", "", *("" for _ in PATHS), "", single.builder]
        return dict(zip(COLUMNS, [*told, *rest], strict=True))
    seen = play(single.row)
    assert not seen.violations, (single, seen.violations)
    assert seen.recovers or not single.repaired, single
    answer = YES if seen.seen_ms is not None else HARMLESS if single.harmless else NO
    off = off_by_path(single, seen)
    rest = [
        *(answer, "" if answer == YES else single.harmless or "it shows at the next demand only"),
        *(_ms(seen.seen_ms), ", ".join(seen.acts)),
        *(off.get(path, "") for path in PATHS),
        *(_afterwards(single, seen, answer), single.builder),
    ]
    return dict(zip(COLUMNS, [*told, *rest], strict=True))


def off_by_path(single: Single, seen: Seen) -> dict[str, str]:
    """By path: until no current flows in any module that the fault concerns and that the software
    takes off. Where it lets them all go on, nothing is to be taken off."""
    off_ms = {module: seen.safe_ms.get(module) for module in single.modules}
    concerned = [module for module, ms in off_ms.items() if ms is not None]
    if not concerned:
        return {}
    by_path = {TAKEN_BY.get(seen.acts[0], SOFTWARE) if seen.acts else SOFTWARE: seen.safe_ms}
    if single.dies_with_it:
        by_path |= {path: safe_ms(single.row, path) for path in PATHS if path != SOFTWARE}
    off = {}
    for path, safe in by_path.items():
        times = [safe.get(module) for module in concerned]
        off[path] = NOT_ENDED if None in times else _ms(max(ms for ms in times if ms is not None))
    return off


def _afterwards(single: Single, seen: Seen, answer: str) -> str:
    if seen.latched:
        first, *more = dict.fromkeys(cleared_by(STATION, fault) for fault in seen.latched)
        others = f"; and so {len(more)} more" if more else ""
        return f"latched; {first}{others}"
    if not single.repaired:
        return "to be mended before the first use"
    return "heals by itself" if answer == YES else ""


def _ms(ms: float | None) -> str:
    return "" if ms is None else f"{ms:.0f}"


def as_csv(rows: Iterable[Cells]) -> str:
    told = StringIO(newline="")
    writer = csv.DictWriter(told, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return told.getvalue()


def rows_of(text: str) -> list[Cells]:
    return list(csv.DictReader(StringIO(text)))


def summary(rows: Iterable[Cells]) -> Iterator[str]:
    """By part, in Markdown, a line at a time."""
    rows = list(rows)
    off = (f"by {path}" for path in PATHS)
    heads = ("part", "faults", "matter", "seen", "share", "seen after, ms", *off)
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for part in [*dict.fromkeys(row["part"] for row in rows), ""]:
        of = [row for row in rows if part in ("", row["part"])]
        answers = Counter(row["seen"] for row in of)
        matter = answers[YES] + answers[NO]
        longest = (_longest(of, f"no current after ms by {path}") for path in PATHS)
        told = (
            *(f"{len(of)}", f"{matter}", f"{answers[YES]}"),
            f"{100 * answers[YES] / matter:.0f} %" if matter else "-",
            *(_longest(of, "seen after ms"), *longest),
        )
        yield "| " + " | ".join([part or "**all**", *told]) + " |"


def _longest(rows: Iterable[Cells], column: str) -> str:
    times = [int(row[column]) for row in rows if row[column].isdigit()]
    return f"{max(times):,}" if times else "-"


def unseen(rows: Iterable[Cells]) -> Iterator[str]:
    """What somebody else has to see, a line at a time."""
    for row in rows:
        if row["seen"] == NO:
            yield f"* {row['part']} {row['fault']}: {row[COLUMNS[-1]]}"


def main() -> int:
    rows = []
    for single in singles():
        rows.append(cells(single))
        print(", ".join(rows[-1].values()), flush=True)
    TABLE.write_text(as_csv(rows), encoding="utf-8")
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    filled = [
        BEGIN,
        "",
        *summary(rows),
        "",
        "Not seen by the software:",
        "",
        *unseen(rows),
        "",
        END,
    ]
    PAGE.write_text(before + "\n".join(filled) + after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
