"""`python -m proofs.suite.growth [6x9 ...]`: how proof times grow, into docs/proof-times.md.

Every obligation in a process of its own, one after another, with a limit on its time.
"""

import os
import platform
import resource
import sys
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from proofs import manifest
from proofs.suite import prove
from proofs.suite.prove import GREEN, SKIPPED, Result
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Gun, Matrix, PowerModule

SIZES = ("6x9", "12x18", "24x48")
LIMIT_S = 10
PAGE = Path(__file__).parents[2] / "docs" / "proof-times.md"


def station(size: str) -> Station:
    """A full matrix of that size, guns and modules as in the reference station."""
    guns, modules = map(int, size.split("x"))
    return Station(
        name=size,
        guns=tuple(Gun(number, 240_000) for number in range(1, guns + 1)),
        modules=tuple(PowerModule(number, 40_000) for number in range(1, modules + 1)),
        matrix=Matrix.full(guns, modules),
    )


def _check(name: str, size: str, limit_s: int, pipe: Any) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
    result = prove.check(manifest.obligations()[name], station(size))
    pipe.send(result._replace(certificates=(), seconds=time.process_time()))


def timed(name: str, size: str, limit_s: int = LIMIT_S) -> Result | None:
    """The result with the seconds of CPU that it took, or None if that is beyond the limit."""
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_check, args=(name, size, limit_s, sender), daemon=True)
    process.start()
    sender.close()
    try:
        result: Result = receiver.recv()
    except EOFError:
        return None
    finally:
        process.kill()
        process.join()
    return result


def row(file: str, sizes: Sequence[str], results: dict[tuple[str, str], Result | None]) -> str:
    """One file's line: seconds of all its obligations, and what was not decided."""
    cells = []
    for size in sizes:
        found = [results[f"{file}.{name}", size] for name in manifest.NAMES[file]]
        there = [result for result in found if result and result.state != SKIPPED]
        late = sum(result is None for result in found)
        wrong = sum(result.state != GREEN for result in there)
        notes = [f"{late} beyond {LIMIT_S} s"] if late else []
        notes += [f"{wrong} not as expected"] if wrong else []
        figure = f"{sum(result.seconds for result in there):.1f} s for {len(there)}"
        cells.append(f"{figure} ({', '.join(notes)})" if notes else figure)
    return f"| {file} | {' | '.join(cells)} |"


def slowest(size: str, results: dict[tuple[str, str], Result | None]) -> str:
    """The three that take longest."""
    found = [result for (_, of), result in results.items() if of == size and result]
    longest = sorted(found, key=lambda result: -result.seconds)[:3]
    late = [name for (name, of), result in results.items() if of == size and not result]
    told = ", ".join(f"`{result.id}` {result.seconds:.0f} s" for result in longest)
    beyond = f"; beyond the limit: {', '.join(f'`{name}`' for name in late)}" if late else ""
    return f"* {size}: {told}{beyond}."


def page(sizes: Sequence[str], results: dict[tuple[str, str], Result | None]) -> str:
    """The page, as Markdown."""
    import z3

    head = f"""\
# How long the proofs take

<!-- Written by `python -m proofs.suite.growth`. -->

Z3 {z3.get_version_string()}, {platform.machine()}, {os.cpu_count()} cores, Python
{platform.python_version()}. One obligation after another on one core, with its vacuity checks,
without certificates and second solver; seconds of CPU, of which about half a second each to load
Z3, and how many obligations apply. A full matrix of
guns x modules of the reference station's sizes. What is about one module or one gun does not grow
with the number of modules. "Not as expected" is also what its budget of resources leaves undecided.
Beyond the pins of 24 expanders (336 contactors) the wiring does not
apply, nor does the enumeration beyond 600,000 cases.

"""
    lines = [f"| file | {' | '.join(sizes)} |", f"|---|{'---|' * len(sizes)}"]
    lines += [row(file, sizes, results) for file in manifest.NAMES]
    lines += ["", "Slowest:", "", *(slowest(size, results) for size in sizes)]
    return head + "\n".join(lines) + "\n"


def main() -> None:
    sizes = sys.argv[1:] or list(SIZES)
    results: dict[tuple[str, str], Result | None] = {}
    for size in sizes:
        for name in manifest.ids():
            results[name, size] = result = timed(name, size)
            told = f"{result.verdict} {result.state} {result.seconds:.1f} s" if result else "late"
            print(f"{size} {name}: {told}", flush=True)
    PAGE.write_text(page(sizes, results), encoding="utf-8")


if __name__ == "__main__":
    main()
