"""Fills the table of docs/policies.md: `.venv/bin/python docs/policies.py`.

What the solver's policies gain over the documented rule, and what that costs, on the reference
station with random demands: 3 to 6 guns ask for whole kW, drawn evenly from 0 to 240. Each decision
starts from the one before it by the same policy.
"""

import random
from dataclasses import dataclass, replace
from pathlib import Path

from verified_alloc import Faults, Station, allocate
from verified_alloc.station.parts import POLICIES, Matrix

PAGE = Path(__file__).with_suffix(".md")
BEGIN, END = "<!-- gain: filled by docs/policies.py -->", "<!-- end of gain -->"
DRAWS = 1000
SEED = 1


@dataclass
class Tally:
    """Sums over the draws, powers in W."""

    wanted: int = 0
    delivered: int = 0
    top_lost: int = 0
    asking: int = 0
    nothing: int = 0
    operations: int = 0


def main() -> None:
    lines = [
        "| matrix | faults | load | policy | delivered | against the rule | top gun loses in"
        " | guns with nothing | operations a change |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in ("full", "half", "ring", "random"):
        for faulty in (False, True):
            tallies, load = tally(name, faulty)
            rule = tallies["documented"]
            for policy, it in tallies.items():
                gain = (it.delivered / rule.delivered - 1) * 100
                lines.append(
                    f"| {name} | {'one to three' if faulty else 'none'} | {load:.0%} | `{policy}`"
                    f" | {it.delivered / it.wanted:.1%} | {gain:+.1f} % | {it.top_lost / DRAWS:.0%}"
                    f" | {it.nothing / it.asking:.0%} | {it.operations / DRAWS:.1f} |"
                )
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    filled = "\n".join([BEGIN, *lines, END])
    PAGE.write_text(before + filled + after, encoding="utf-8")


def tally(matrix: str, faulty: bool) -> tuple[dict[str, Tally], float]:
    """The sums by policy, and what is asked for as a share of all modules' power."""
    draw = random.Random(f"{SEED} {matrix} {faulty}")
    tallies = {policy: Tally() for policy in POLICIES}
    current: dict[str, dict[int, tuple[int, ...]]] = {policy: {} for policy in POLICIES}
    station = some_station(matrix, draw)
    pool_w = sum(station.module_power_w)
    for number in range(DRAWS):
        if number % 50 == 0:
            station = some_station(matrix, draw)
            faults = some_faults(station, draw) if faulty else Faults()
            current = {policy: {} for policy in POLICIES}
        asking = draw.sample(range(1, 7), draw.randint(3, 6))
        demands = {gun: draw.randint(0, 240) for gun in asking}
        top = min(demands, key=lambda gun: (-demands[gun], gun))
        first_w = None
        for policy, it in tallies.items():
            a = allocate(station, demands, policy, current[policy], faults)
            current[policy] = a.modules
            first_w = a.delivered_w[top] if first_w is None else first_w
            it.wanted += sum(a.delivered_w.values()) + sum(a.unmet_w.values())
            it.delivered += sum(a.delivered_w.values())
            it.top_lost += a.delivered_w[top] < first_w
            it.asking += sum(kw > 0 for kw in demands.values())
            it.nothing += sum(a.delivered_w[gun] == 0 < kw for gun, kw in demands.items())
            it.operations += a.operations
    return tallies, tallies["documented"].wanted / DRAWS / pool_w


def some_station(matrix: str, draw: random.Random) -> Station:
    """The reference station with another matrix; `random`: three modules of nine to a gun."""
    station = Station.reference()
    reach = {
        "full": Matrix.full(6, 9),
        "half": Matrix.half(6, 9),
        "ring": Matrix.ring(6, 9),
        "random": Matrix.listed([draw.sample(range(1, 10), 3) for _ in range(6)], 9),
    }
    return replace(station, matrix=reach[matrix])


def some_faults(station: Station, draw: random.Random) -> Faults:
    """A failed module, a welded contactor, one failed open: each with even odds, one at least."""
    while True:
        welded, failed_open = draw.sample(station.contactors, 2)
        faults = Faults(
            modules={draw.randint(1, 9)} if draw.random() < 0.5 else (),
            failed_open={failed_open} if draw.random() < 0.5 else (),
            welded={welded} if draw.random() < 0.5 else (),
        )
        if faults != Faults():
            return faults


if __name__ == "__main__":
    main()
