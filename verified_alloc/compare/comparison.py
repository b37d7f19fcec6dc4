"""One input through several stations and policies, and what follows from it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from itertools import repeat

from verified_alloc.compare import metrics
from verified_alloc.compare.demand_source import DAY_MS
from verified_alloc.compare.limit_schedule import UNLIMITED, LimitSchedule
from verified_alloc.compare.replay import Replay, replay
from verified_alloc.errors import BadInput
from verified_alloc.station.model import Station
from verified_alloc.workload.cars import CarType
from verified_alloc.workload.csv_rows import Skipped, csv_file, rows
from verified_alloc.workload.session_file import NEEDED, SessionFile
from verified_alloc.workload.sessions import Session
from verified_alloc.workload.traces import (
    COLUMNS,
    DemandChange,
    DemandTrace,
    TraceFile,
    sample_names,
)

BASELINE = "documented"
WORTH_IT = 0.005
"""Less of the energy unmet than that is hardly worth a solver; chosen."""
WINDOW_HOURS = 6
HOUR_MS = 3_600_000
ALLOWED = (
    "allowed: a readable CSV file of sessions or of demands, a journal, or one of the samples"
    f" {', '.join(sample_names())}"
)


@dataclass(frozen=True)
class Input:
    """What is replayed, and what is known of it beforehand."""

    name: str
    demands: DemandTrace | TraceFile | Iterable[Session]
    window_ms: tuple[int, int]
    """Its busiest hours, `WINDOW_HOURS` of them, or all of it if it is shorter."""
    span_ms: tuple[int, int]
    """Its first moment, and its last as planned."""
    skipped: Skipped
    station: Station | None = None
    """A journal's own,"""
    started_unix_ms: int | None = None
    """and its start."""
    limits: str | None = None
    """The file of limits that counts besides."""

    @property
    def starts_ms(self) -> int | None:
        """When its replay starts; None: it has no date."""
        if isinstance(self.demands, DemandTrace | TraceFile):
            return None if self.started_unix_ms is None else 0
        return self.span_ms[0] // DAY_MS * DAY_MS


@dataclass(frozen=True)
class Comparison:
    """The replays of one input: by station, then by policy."""

    input: Input
    stations: tuple[Station, ...]
    policies: tuple[str, ...]
    replays: tuple[tuple[Replay, ...], ...]

    @property
    def baseline(self) -> int:
        """The place of the policy that others are held against: the documented rule, or the
        first."""
        return self.policies.index(BASELINE) if BASELINE in self.policies else 0


def read_input(
    path: str, guns: int | None, cars: Mapping[str, CarType], skip_bad: bool = False
) -> Input:
    """A demand trace (by file or sample name), a file of sessions or a journal, told apart by how
    they begin, for stations of so many guns (None: the journal's, or the reference's).
    `BadInput` names the file, the line, the column, the value and what is allowed."""
    if path not in sample_names() and _begins(path, b"SQLite format 3\0"):
        return _journal(path, guns)
    numbers = range(1, (guns or len(Station.reference().guns)) + 1)
    if path in sample_names() or _header(path)[:1] == [COLUMNS[0]]:
        trace = TraceFile(path, numbers, skip_bad)
        window_ms = _busiest_of_trace(trace.changes, trace.last_ms)
        return Input(path, trace, window_ms, (0, trace.last_ms), trace.skipped)
    sessions = SessionFile(path, numbers, cars, skip_bad)
    first_ms, last_ms = next(iter(sessions)).arrival_ms, 0

    def amounts() -> Iterator[tuple[int, int]]:
        nonlocal last_ms
        for session in sessions:
            last_ms = max(last_ms, session.departure_ms)
            yield session.arrival_ms // HOUR_MS, session.energy_mj

    window_ms = _busiest(amounts())
    return Input(path, sessions, window_ms, (first_ms, last_ms), sessions.skipped)


def compare(
    source: Input,
    stations: Sequence[Station],
    policies: Sequence[str],
    *,
    seed: int,
    patience_percent: int,
    limits: Iterable[LimitSchedule] = repeat(UNLIMITED),
    progress: Callable[[str], Callable[[int], None]] = lambda _: lambda _: None,
) -> Comparison:
    """Replay the input on every station, each with its limits, under every policy. `progress` is
    told what begins and answers with who is told how far it is."""
    return Comparison(
        source,
        tuple(stations),
        tuple(policies),
        tuple(
            tuple(
                replay(
                    station,
                    source.demands,
                    policy,
                    seed,
                    limits=schedule,
                    patience_percent=patience_percent,
                    window_ms=source.window_ms,
                    progress=progress(f"{station.name}, {policy}"),
                )
                for policy in policies
            )
            for station, schedule in zip(stations, limits, strict=False)
        ),
    )


def with_distinct_names(stations: Sequence[Station]) -> list[Station]:
    """The stations, those of one name told apart by their matrix, or by a number."""
    names = [station.name for station in stations]
    named = [
        station
        if names.count(station.name) == 1
        else changed(station, name=f"{station.name} {station.matrix.kind}")
        for station in stations
    ]
    names = [station.name for station in named]
    return [
        station
        if names.count(station.name) == 1
        else changed(station, name=f"{station.name} {number}")
        for number, station in enumerate(named, start=1)
    ]


def answer(comparison: Comparison) -> str:
    """Two sentences: whether another policy (and station) is worth it, and at what price."""
    best = min(
        (r for row in comparison.replays for r in row),
        key=lambda r: (round(metrics.unmet_share(r), 4), metrics.operations(r)),
    )
    where = [station.name for station in comparison.stations].index(best.station)
    base = comparison.replays[where][comparison.baseline]
    on = f" on {best.station}" if len(comparison.stations) > 1 else ""
    least = f"{best.policy}{on} leaves {metrics.unmet_share(best):.1%} of the energy unmet"
    load = f"at a load factor of {metrics.load_factor(base):.2f}"
    if best.policy == base.policy:
        others = [r for r in comparison.replays[where] if r is not base]
        if not others:
            return (
                f"{_capital(least)} {load}."
                f" The busiest contactor moves {metrics.worst_operations(base):,} times"
                f"{_life(base)}."
            )
        next_best = min(others, key=metrics.unmet_share)
        return (
            f"No other policy is worth it here: {least} {load}, and {next_best.policy}"
            f" {metrics.unmet_share(next_best):.1%}."
            f" Contactor operations: {metrics.operations(base):,} against"
            f" {metrics.operations(next_best):,} under {next_best.policy}."
        )
    gained_kwh = metrics.delivered_kwh(best) - metrics.delivered_kwh(base)
    gained = f"{gained_kwh:,.{0 if gained_kwh >= 100 else 1}f} kWh"
    saved = metrics.unmet_share(base) - metrics.unmet_share(best)
    moves, moved = metrics.operations(best), metrics.operations(base)
    wear = f"contactors move {moves:,} times instead of {moved:,}"
    price = (
        f"the gun served first loses {metrics.top_gun_loss(best):.1%} of what it asks for instead"
        f" of {metrics.top_gun_loss(base):.1%}"
    )
    return (
        f"Another policy is {'worth it' if saved >= WORTH_IT else 'hardly worth it'} here:"
        f" {least} {load}, {base.policy} {metrics.unmet_share(base):.1%}, a difference of {gained}."
        f" The price: {price}{', and ' if moves > moved else '; '}{wear}."
    )


def _life(replayed: Replay) -> str:
    years = metrics.worst_life_years(replayed)
    return "" if years is None else f", {years:.1f} years of life at that rate"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _header(path: str) -> list[str]:
    file = csv_file(path, "input", ALLOWED)
    columns = f"{','.join(NEEDED)} (sessions) or {','.join(COLUMNS)} (demands)"
    for _, fields in rows(file, columns):
        return fields
    raise BadInput(f"{file.name}: the file is empty; allowed: the header {columns}, then rows")


def _begins(path: str, magic: bytes) -> bool:
    file = csv_file(path, "input", ALLOWED)
    with file.opened() as data:
        return data.read(len(magic)) == magic


def _journal(path: str, guns: int | None) -> Input:
    from verified_alloc.journal.reader import read_journal

    recorded = read_journal(path)
    trace = recorded.trace
    needed = len(recorded.station.guns)
    if guns is not None and guns < needed:
        raise BadInput(
            f"{path}: a station has {guns} guns; allowed: the journal's {needed} or more"
        )
    if not trace.changes:
        raise BadInput(f"{path}: nobody asked for anything; allowed: a journal with demands")
    window_ms = _busiest_of_trace(trace.changes, trace.last_ms)
    span_ms = (0, trace.last_ms)
    return Input(
        path, trace, window_ms, span_ms, Skipped(False), recorded.station, recorded.started_unix_ms
    )


def _busiest_of_trace(changes: Iterable[DemandChange], last_ms: int) -> tuple[int, int]:
    """Where the most energy is asked for; all of a trace that is not longer than that."""
    if last_ms <= WINDOW_HOURS * HOUR_MS:
        return 0, last_ms

    def amounts() -> Iterator[tuple[int, int]]:
        demand_w: dict[int, int] = {}
        now_ms = 0
        for change in changes:
            while now_ms < change.time_ms:
                hour = now_ms // HOUR_MS
                until_ms = min(change.time_ms, (hour + 1) * HOUR_MS)
                yield hour, sum(demand_w.values()) * (until_ms - now_ms)
                now_ms = until_ms
            demand_w[change.gun] = change.demand_w

    return _busiest(amounts())


def _busiest(amounts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Of amounts by hour, in order of time, the `WINDOW_HOURS` in a row with the most; the first of
    equals."""
    recent: deque[tuple[int, int]] = deque()
    total = most = best = 0
    for hour, amount in amounts:
        recent.append((hour, amount))
        total += amount
        while recent[0][0] <= hour - WINDOW_HOURS:
            total -= recent.popleft()[1]
        if total > most:
            most, best = total, recent[0][0]
    return best * HOUR_MS, (best + WINDOW_HOURS) * HOUR_MS
