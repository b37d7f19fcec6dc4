"""`python -m proofs.suite.mutation [FILE ...]`: breaks the kernel; some obligation must turn red.

Each mutant is loaded in place of its file, in a process forked from one that has loaded the solver,
and the obligations are tried on it until one is red: those that have noticed most mutants of the
same function first, then those that name it, the cheapest first. At first each is only glanced at:
what is false is quickly seen to be false. Only if none is, they are run as `prove` runs them. A
mutant that survives is shown equivalent by the solver, or argued in
`proofs.suite.equivalent_mutants`, or it shows a gap in the proofs.
"""

import ast
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any, NamedTuple

from proofs.suite import equivalent_mutants
from proofs.suite.mutants import PACKAGE, Instead, Mutant, files, folder, mutants

WALL_S = 300.0
"""A mutant that is not judged by then is not decided, which is red."""
LEAST_GLANCE, GLANCES = 1_000_000, 4
"""A glance may take so many resources, or this many times what the shipped kernel takes."""
FIRST = 6
"""So many obligations are glanced at before a mutant is compared with the shipped function."""

KILLED, UNDECIDED, SHOWN, ARGUED, SURVIVES = (
    "killed",
    "undecided",
    "shown equivalent",
    "argued equivalent",
    "survives",
)
"""Fates. `undecided` turns an obligation red as well: it is killed, though not refuted."""


class Cost(NamedTuple):
    """What an obligation takes on the shipped kernel."""

    seconds: float
    resources: int


class Fate(NamedTuple):
    """What became of a mutant."""

    mutant: Mutant
    state: str
    by: str
    """The obligation that turned red, if one did."""
    seconds: float


class Score(NamedTuple):
    """The fates of a file's mutants."""

    file: str
    fates: tuple[Fate, ...]

    def count(self, *states: str) -> int:
        """How many have one of these fates."""
        return sum(fate.state in states for fate in self.fates)

    def __str__(self) -> str:
        undecided = self.count(UNDECIDED)
        note = f" ({undecided} of them undecided)" if undecided else ""
        return (
            f"{self.file}: {len(self.fates)} mutants, {self.count(KILLED, UNDECIDED)} killed{note},"
            f" {self.count(SHOWN)} shown equivalent, {self.count(ARGUED)} argued equivalent,"
            f" {self.count(SURVIVES)} survive, {sum(fate.seconds for fate in self.fates):.0f} s"
        )


def _judge(mutant: Mutant, order: Sequence[tuple[str, int]], pipe: Any) -> None:
    """In a process of its own: sends the fate's state, and what turned red."""
    # Before anything is loaded in its place.
    is_shown = equivalent_mutants.shown(mutant) if not order else None
    sys.meta_path.insert(0, Instead(f"{PACKAGE}.{mutant.file}", mutant.source))
    for name in [name for name in sys.modules if name.startswith(("proofs", "verified_alloc"))]:
        if name not in ("proofs", "verified_alloc", __name__):
            del sys.modules[name]
    try:
        pipe.send(_fate(mutant, order, is_shown))
    except Exception as error:
        pipe.send((KILLED, f"loading: {type(error).__name__}"))


def _fate(
    mutant: Mutant, order: Sequence[tuple[str, int]], is_shown: bool | None
) -> tuple[str, str]:
    from proofs import manifest, solver
    from proofs.obligation import UNKNOWN
    from proofs.suite import prove
    from verified_alloc.station.model import Station

    station = Station.reference()
    there = manifest.obligations()

    def glance(name: str, limit: int) -> bool:
        """It is seen to be red."""
        one = there[name]
        if one.expected not in solver.DECIDED or not one.applies(station):
            return False
        try:
            answer = solver.glance(one.claim(station), limit)
        except Exception:
            return True
        return answer not in (one.expected, UNKNOWN)

    for place, (name, limit) in enumerate(order):
        if glance(name, limit):
            return KILLED, name
        if place == FIRST and equivalent_mutants.shown(mutant):
            return SHOWN, ""
    if equivalent_mutants.shown(mutant):
        return SHOWN, ""
    for name, _ in sorted(order, key=lambda each: each[1]):
        result = prove.check(there[name], station)
        if result.state == prove.RED:
            return UNDECIDED if result.verdict == UNKNOWN else KILLED, name
    return SURVIVES, ""


class Hunt:
    """A hunt for all mutants of some files."""

    def __init__(self, costs: Mapping[str, Cost]) -> None:
        self._costs = costs
        self._kills: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def order(self, mutant: Mutant) -> list[tuple[str, int]]:
        """The obligations to try, with the resources of a glance."""
        from proofs import manifest

        there = manifest.obligations()
        function = f"{mutant.file}.{mutant.within}"
        near, above = [mutant.file], users(mutant.file)

        def rank(name: str) -> tuple[Any, ...]:
            proves = there[name].proves
            distance = 0 if function in proves else 1 if _about(near, proves) else 2
            kills = self._kills[function, name] * 1000 + self._kills[mutant.file, name]
            return (-kills, distance, self._costs[name].seconds)

        with self._lock:
            chosen = sorted(
                (name for name in self._costs if _about([*near, *above], there[name].proves)),
                key=rank,
            )
        return [(name, max(LEAST_GLANCE, GLANCES * self._costs[name].resources)) for name in chosen]

    def fate(self, mutant: Mutant, order: Sequence[tuple[str, int]] | None = None) -> Fate:
        """What becomes of this mutant."""
        started_s = time.perf_counter()
        if mutant.name in equivalent_mutants.ARGUED:
            return Fate(mutant, ARGUED, "", 0.0)
        # Forked from a process that has loaded the solver and done nothing with it.
        context = get_context("forkserver")
        context.set_forkserver_preload(["z3", "pydantic", "proofs.suite.mutation"])
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(
            target=_judge,
            args=(mutant, self.order(mutant) if order is None else order, sender),
            daemon=True,
        )
        process.start()
        sender.close()
        state, by = UNDECIDED, "time"
        if receiver.poll(WALL_S):
            try:
                state, by = receiver.recv()
            except EOFError:
                state, by = KILLED, "crash"
        process.kill()
        process.join()
        with self._lock:
            self._kills[f"{mutant.file}.{mutant.within}", by] += 1
            self._kills[mutant.file, by] += 1
        return Fate(mutant, state, by, time.perf_counter() - started_s)

    def all_of(
        self, names: Sequence[str], jobs: int, watch: Callable[[Fate, int], None]
    ) -> Iterator[Score]:
        """The scores of these files, each when it is done."""
        found = {name: mutants(name) for name in names}
        total = sum(map(len, found.values()))
        with ThreadPoolExecutor(jobs) as pool:
            for name, every in found.items():
                fates = []
                for done in as_completed([pool.submit(self.fate, mutant) for mutant in every]):
                    fates.append(done.result())
                    watch(fates[-1], total)
                yield Score(name, tuple(sorted(fates, key=lambda fate: fate.mutant.name)))


def users(file: str) -> list[str]:
    """The kernel's files that import from that file."""
    wanted = f"{PACKAGE}.{file}"
    return [
        other
        for other in files()
        for node in ast.parse((folder() / f"{other}.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        and (node.module == wanted or file in [name.name for name in node.names])
    ]


def _about(names: Sequence[str], functions: Sequence[str]) -> bool:
    files_proved = {function.split(".")[0] for function in functions}
    return "ops" in names or not files_proved.isdisjoint(names)


def gaps(scores: Sequence[Score]) -> list[str]:
    """A line for each mutant that no obligation notices."""
    return [
        f"{fate.mutant.name}: survives"
        for score in scores
        for fate in score.fates
        if fate.state == SURVIVES
    ]


def main() -> int:
    """The score by file, and all that were not killed; 1 if there is a gap."""
    from proofs.suite import prove
    from verified_alloc.station.model import Station

    jobs = os.cpu_count() or 1
    shipped = prove.prove(Station.reference(), jobs=jobs)
    costs = {
        result.id: Cost(result.seconds, result.resources)
        for result in shipped
        if result.state == prove.GREEN
    }
    scores = []
    for score in Hunt(costs).all_of(sys.argv[1:] or files(), jobs, lambda fate, total: None):
        scores.append(score)
        print(score, flush=True)
        for fate in score.fates:
            if fate.state not in (KILLED, SHOWN):
                reason = equivalent_mutants.ARGUED.get(fate.mutant.name, fate.state)
                print(f"  {fate.mutant.name}: {reason} {fate.by}".rstrip(), flush=True)
    return int(bool(gaps(scores)))


if __name__ == "__main__":
    sys.exit(main())
