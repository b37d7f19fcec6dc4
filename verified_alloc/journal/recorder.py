"""The journal: what happened and why. Demands, decisions with their reason, offers, operations,
faults, what was reported, and what the simulated cabinet's monitor saw.

It looks at the scans and writes what has changed. `journal_file` says into which tables, and
`journal_reader` reads it back.
"""

import json
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from verified_alloc.control.state import Inputs, State
from verified_alloc.decide.demand import strictly
from verified_alloc.errors import BadInput
from verified_alloc.journal.database import JournalFile, Row
from verified_alloc.journal.incident import Incident
from verified_alloc.station.faults import Faults
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair
from verified_alloc.words import kilowatts
from verified_alloc.words import modules as named

CLOCK_MOVED_MS = 1_000
ALIVE_MS = 600_000
"""So often the wall clock is written down although it has not moved: it shows that the station
ran."""

MOST_INTEGER = 2**63 - 1
"""That SQLite stores."""
FAULT_KINDS = ("modules", "guns", "failed_open", "welded")

T = TypeVar("T")


class Exclusion(NamedTuple):
    """A module or a gun that is out, a gun that is locked, a contactor that is welded or has
    failed open."""

    kind: str
    gun: int | None
    module: int | None

    def __str__(self) -> str:
        if self.gun is None:
            return f"PM{self.module} is out"
        if self.module is None:
            return f"gun {self.gun} is {self.kind}"
        verb = "is" if self.kind == "welded" else "has"
        return f"contactor {self.gun}:{self.module} {verb} {self.kind}"


class Journal:
    """One run's entries: `begin`, then every scan to `watch`, every sentence to `report`; `close`
    in the end. Nothing here waits for a disk or fails because of one; what happens to the file
    goes to the `tell` of `begin`.

    A `simulated` run waits where its time outruns the disk, and its wall clock is its own time,
    counted from the real time of its start.
    """

    def __init__(self, path: Path, station: Station, *, simulated: bool) -> None:
        self._file = JournalFile(path, patient=simulated)
        self._station = station
        self._simulated = simulated
        self.operations = {} if simulated else _operations_before(path, station)
        """Of the contactors in earlier runs; a simulated run begins with new ones."""
        self._worn: Mapping[Pair, int] = {}
        self._run = secrets.randbits(48)
        self._began_ms = 0
        self._unbegun: list[str] | None = []
        self._tell: Callable[[str], None] = lambda _: None
        self._clock_ms = (0, 0)
        nothing: tuple[int, ...] = ()
        guns = len(station.guns)
        self._seen: object = None
        self._demands = [(0, False)] * guns
        self._offers = [(0, nothing)] * guns
        self._closed: frozenset[Pair] = frozenset()
        self._faults: frozenset[Exclusion] = frozenset()
        self._decided: object = None
        self._kept: dict[int, tuple[int, ...]] = {}
        """By gun, the modules of which it was written that it could do without them."""
        self._inputs = Inputs(strictly([0] * guns), Faults(), {}, station.site_limit_w)

    def begin(self, now_ms: int, tell: Callable[[str], None]) -> None:
        """Time 0 of the run. What was reported before is written with it."""
        from importlib.metadata import version

        self._began_ms, self._tell = now_ms, tell
        reported, self._unbegun = self._unbegun or [], None
        station = _json(self._station.to_tables())
        self._file.put(
            [
                ("run", (self._run, version("verified-alloc"), self._simulated, station)),
                self._clock(0),
                *self._wear_news(0, self.operations),
                *(self._row("report", 0, sentence) for sentence in reported),
            ]
        )

    def report(self, now_ms: int, sentence: str) -> None:
        """Something was reported."""
        if self._unbegun is not None:
            self._unbegun.append(sentence)
        else:
            self._file.put([self._row("report", now_ms - self._began_ms, sentence)])

    def watch(self, state: State) -> None:
        """See a scan."""
        rows = list(self._news(state))
        if rows:
            self._file.put(rows)
        self._pass_on_problems()

    def incidents(self, kind: str, seen: Iterable[Incident]) -> None:
        """Each `exposure` or `violation` that the cabinet's monitor saw."""
        rows = []
        for one in seen:
            figures = (one.rule, one.gun, one.module, one.current_a, one.duration_ms)
            at_ms = round(one.at_s * 1000)
            rows.append(self._row("incident", at_ms, kind, *figures, one.cause, one.text))
        if rows:
            self._file.put(rows)

    def close(self) -> None:
        """Write what is not written yet; a disk that does not answer is waited for some seconds."""
        if self._unbegun:
            self.begin(0, self._tell)
        self._file.close()
        self._pass_on_problems()

    def _pass_on_problems(self) -> None:
        for problem in self._file.problems():
            self._tell(problem)

    def _row(self, table: str, at_ms: int, *values: object) -> Row:
        return table, (self._run, at_ms, *values)

    def _clock(self, at_ms: int) -> Row:
        unix_ms = round(time.time() * 1000)
        self._clock_ms = (at_ms, unix_ms)
        return self._row("clock", at_ms, unix_ms)

    def _clock_news(self, at_ms: int) -> Iterator[Row]:
        if not self._simulated:
            was_ms, was_unix_ms = self._clock_ms
            elapsed_ms = at_ms - was_ms
            moved_ms = time.time() * 1000 - was_unix_ms - elapsed_ms
            if abs(moved_ms) > CLOCK_MOVED_MS or elapsed_ms >= ALIVE_MS:
                yield self._clock(at_ms)

    def _news(self, state: State) -> Iterator[Row]:
        at_ms = state.at_ms - self._began_ms
        yield from self._clock_news(at_ms)
        now = state._replace(at_ms=0, settled=False, idle=False, quiet_until_ms=0)
        if now == self._seen:
            return
        self._seen = now

        demands = [(w, gun in state.stale) for gun, w in enumerate(state.demand_w, start=1)]
        for gun, (demand_w, stale) in _changed(self._demands, demands):
            yield self._row("demand", at_ms, gun, min(demand_w, MOST_INTEGER), stale)
        faults = _standing(state.faults) | {Exclusion("locked", gun, None) for gun in state.locked}
        for fault in sorted(faults ^ self._faults, key=str):
            yield self._row("fault", at_ms, *fault, fault in faults)
        yield from self._kept_news(at_ms, state)
        inputs, allocation = state.inputs, state.allocation
        counts = (inputs.held_w, inputs.faults, inputs.site_limit_w, inputs.holds_w)
        decided = (
            counts,
            inputs.limited,
            inputs.asked.order,
            allocation.modules,
            allocation.policy,
        )
        if decided != self._decided:
            yield self._decision(at_ms, state)
            self._inputs = state.inputs
        offers = list(zip(state.offer_w, state.live, strict=True))
        for gun, (offer_w, live) in _changed(self._offers, offers):
            yield self._row("offer", at_ms, gun, offer_w, _json(live))
        closed = frozenset(
            (gun, module)
            for gun, modules in enumerate(state.connected, start=1)
            for module in modules
        )
        for pair in sorted(closed ^ self._closed):
            yield self._row("operation", at_ms, *pair, pair in closed)
        yield from self._wear_news(at_ms, state.operations)

        self._demands, self._offers, self._closed, self._faults = demands, offers, closed, faults
        self._decided = decided

    def _kept_news(self, at_ms: int, state: State) -> Iterator[Row]:
        """What guns keep and could do without; of the same modules once, however it wobbles."""
        for gun, kept in state.kept.items():
            if self._kept.get(gun) != kept.modules:
                self._kept[gun] = kept.modules
                for_s = (kept.until_ms - state.at_ms) / 1000
                sentence = (
                    f"gun {gun} could do without {named(kept.modules)} and keeps them for"
                    f" {for_s:g} s, unless somebody needs them"
                )
                yield self._row("report", at_ms, sentence)
        for gun, modules in state.allocation.modules.items():
            if not {*self._kept.get(gun, ())} <= {*modules}:
                del self._kept[gun]

    def _wear_news(self, at_ms: int, operations: Mapping[Pair, int]) -> Iterator[Row]:
        for pair, count in sorted(operations.items() - self._worn.items()):
            yield self._row("wear", at_ms, *pair, count)
        self._worn = operations

    def _decision(self, at_ms: int, state: State) -> Row:
        inputs, allocation = state.inputs, state.allocation
        changed = why(self._inputs, inputs, state.stale)
        if not changed:
            changed = [allocation.fallback_reason or "the solver has answered"]
        return self._row(
            "decision",
            at_ms,
            "; ".join(changed),
            allocation.policy,
            allocation.fallback_from,
            allocation.fallback_reason,
            allocation.method,
            allocation.optimal,
            allocation.operations,
            _json(list(allocation.modules.values())),
            _json(list(allocation.delivered_w.values())),
            _json(inputs.asked.demand_w),
            _json(inputs.asked.rank_w),
            _json({kind: sorted(getattr(inputs.faults, kind)) for kind in FAULT_KINDS}),
            _json(inputs.reserved),
            inputs.site_limit_w,
            _json(inputs.held_w),
            _json(inputs.limited),
        )


def why(before: Inputs, now: Inputs, stale: Collection[int]) -> list[str]:
    """What of the inputs has changed, and so made the controller decide anew."""
    reasons = []
    for gun, demand_w in _changed(before.asked.demand_w, now.asked.demand_w):
        silent = ", for it has not told its demand in time" if gun in stale else ""
        more = "more than its own limit of " if gun in now.limited else ""
        reasons.append(f"gun {gun} asks for {more}{kilowatts(demand_w)}{silent}")
    was, stands = _standing(before.faults), _standing(now.faults)
    reasons += sorted(map(str, stands - was))
    reasons += [f"no longer: {fault}" for fault in sorted(map(str, was - stands))]
    if now.site_limit_w != before.site_limit_w:
        limit_w = now.site_limit_w
        reasons.append("no site limit" if limit_w is None else f"site limit {kilowatts(limit_w)}")
    if not reasons:
        for module in sorted(before.reserved.keys() - now.reserved.keys()):
            reasons.append(f"PM{module} may move again")
        for module, gun in sorted(now.reserved.items() - before.reserved.items()):
            reasons.append(f"PM{module} has come to gun {gun}")
    return reasons


def _operations_before(path: Path, station: Station) -> dict[Pair, int]:
    """What the journal knows; whatever is wrong with it must not keep a station from starting."""
    from verified_alloc.journal.reader import operations_so_far

    with suppress(BadInput, OSError):
        so_far = operations_so_far(path)
        return {pair: count for pair, count in so_far.items() if station.has(*pair)}
    return {}


def _standing(faults: Faults) -> frozenset[Exclusion]:
    return frozenset(
        [
            *(Exclusion("failed", None, module) for module in faults.modules),
            *(Exclusion("out", gun, None) for gun in faults.guns),
            *(Exclusion("failed open", *pair) for pair in faults.failed_open),
            *(Exclusion("welded", *pair) for pair in faults.welded),
        ]
    )


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _changed(before: Sequence[T], now: Sequence[T]) -> Iterator[tuple[int, T]]:
    """The guns of which something is new, and what."""
    for gun, (old, new) in enumerate(zip(before, now, strict=True), start=1):
        if old != new:
            yield gun, new
