"""Replay: demands or sessions through one station under one policy, event by event.

Between two events every power is constant, so energies are whole watt-milliseconds and add up
exactly. The cars of sessions are in closed loop: what they get decides when they go down their
curve, when they have enough and when they leave. Everything that is kept is summed up on the way;
memory does not grow with the length of the input.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from verified_alloc.compare.demand_source import (
    DAY_MS,
    NEVER_MS,
    CarSource,
    DemandSource,
    Served,
    TraceSource,
)
from verified_alloc.compare.ideal_charger import NOBODY, Charger
from verified_alloc.compare.limit_schedule import UNLIMITED, Limiting, LimitSchedule, lower
from verified_alloc.compare.timeline import Recorder, Timeline
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair
from verified_alloc.workload.sessions import MJ_PER_KWH, Session
from verified_alloc.workload.traces import DemandTrace, TraceFile

PATIENCE_PERCENT = 50
"""How much longer than planned a driver stays for what is missing; chosen."""

SHARE_BINS = 101
ENERGY_BINS_KWH = 200


@dataclass(frozen=True)
class Replay:
    """What one station did under one policy. By gun and by module: the first first."""

    station: str
    policy: str
    seed: int
    start_ms: int
    end_ms: int
    pool_w: int
    """The power of all modules together."""
    gun_asked_mj: tuple[int, ...]
    """What the guns asked for while they did, each up to its maximum: power x time."""
    gun_delivered_mj: tuple[int, ...]
    closed_loop: bool
    """Sessions: what cars get decides when they leave. A demand trace asks what it asks."""
    wanted_mj: int
    """What cars came for; in a demand trace the same as asked."""
    sessions: int
    met: int
    """Sessions that got 99 % of what they came for, or more."""
    unserved: int
    """Sessions that left without having had a gun."""
    finished: int
    finishing_ms: int
    """From arrival to 80 % or the finish, of those that came there together."""
    waited: int
    """Sessions that found no free gun at once,"""
    waiting_ms: int
    """their waiting together,"""
    longest_wait_ms: int
    """and the longest."""
    share_sum_ppm: int
    """Sum over sessions of the share delivered, in millionths,"""
    share_square_sum_ppm2: int
    """and of its square."""
    share_counts: tuple[int, ...]
    """Sessions by whole percent delivered, 0 to 100."""
    energy_counts: tuple[int, ...]
    """Sessions by whole kWh delivered; the last bin takes what is above."""
    asking_ms: int
    """Time in which a gun asked, over all guns,"""
    nothing_ms: int
    """and of it the time in which it was granted nothing."""
    top_asked_mj: int
    """What the gun served first asked for, up to its maximum,"""
    top_delivered_mj: int
    """and got."""
    busy_ms: int
    """Time in which some gun asked."""
    short_ms: int
    """Time in which all guns together asked for more than all modules have."""
    limited: bool
    """The station has a limit, or was under a schedule of them."""
    limiting_ms: int
    """Time in which all guns together asked for more than the limit, and all modules have more,"""
    limiting_mj: int
    """and what was delivered in it."""
    live_ms: tuple[int, ...]
    """By module: time in which it fed a gun."""
    operations: dict[Pair, int]
    """Makes and breaks of each contactor of the station."""
    peak_w: int
    decisions: int
    """How often a decision was needed,"""
    decided: int
    """how often it was not known from before,"""
    decided_ns: int = field(compare=False)
    """and how long these took."""
    timeline: Timeline | None = field(default=None, repr=False)
    """Of the window that was asked for."""

    @property
    def delivered_mj(self) -> int:
        return sum(self.gun_delivered_mj)

    @property
    def duration_ms(self) -> int:
        return self.end_ms - self.start_ms


def replay(
    station: Station,
    source: DemandTrace | TraceFile | Iterable[Session],
    policy: str = "documented",
    seed: int = 0,
    *,
    limits: LimitSchedule = UNLIMITED,
    patience_percent: int = PATIENCE_PERCENT,
    window_ms: tuple[int, int] | None = None,
    each: Callable[[Served], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> Replay:
    """Replay a demand trace, or sessions in order of arrival.

    `seed` decides which free gun a car takes that may take any. `limits` count besides the
    station's own. `window_ms` (from, to) is where a
    timeline is kept. `each` hears every session when it is over, `progress` the time reached.
    Sessions run from the midnight before the first arrival to the one after the last departure, a
    trace from 0 to its last change.
    """
    tally = Tally(station, each)
    demands: DemandSource
    if isinstance(source, DemandTrace | TraceFile):
        demands = TraceSource(station, source, tally.finished)
    else:
        demands = CarSource(station, source, tally.finished, seed, patience_percent)
    charger = Charger(station, policy, demands.start_ms)
    # A fall is offered by the scan before the lead time, whenever that is.
    ahead_ms = station.timing.offer_lead_ms + station.timing.scan_ms
    limiting = Limiting(limits, demands.start_ms, ahead_ms)
    charger.limit(limiting.told_w, demands.start_ms)
    recorder = None
    if window_ms is not None:
        recorder = Recorder(len(station.guns), len(station.modules), window_ms)

    def until(next_ms: int) -> None:
        limit_w = lower(limiting.now_w, station.site_limit_w)
        tally.pass_time(charger, demands, next_ms - now_ms, limit_w)
        if recorder is not None:
            recorder.pass_time(now_ms, next_ms, charger.draw_w, charger.live_on)

    now_ms = demands.start_ms
    while (next_ms := min(demands.next_ms(now_ms, charger.draw_w), charger.next_ms)) < NEVER_MS:
        if demands.end_ms is not None and next_ms >= demands.end_ms:
            break
        next_ms = min(next_ms, limiting.next_ms)
        until(next_ms)
        now_ms = next_ms
        if now_ms >= limiting.next_ms:
            limiting.advance(now_ms)
            charger.limit(limiting.told_w, now_ms)
        demands.advance(now_ms, charger.ask)
        charger.advance(now_ms)
        progress(now_ms)
    end_ms = demands.end_ms
    if end_ms is None:
        end_ms = -(-now_ms // DAY_MS) * DAY_MS
    until(end_ms)
    demands.close(end_ms)
    charger.take_off()
    timeline = None
    if recorder is not None:
        window_ms = recorder.start_ms, recorder.end_ms
        timeline = recorder.timeline(limits.within(window_ms, station.site_limit_w))
    limited = limits != UNLIMITED or station.site_limit_w is not None
    return tally.replay(charger, demands, policy, seed, end_ms, limited, timeline)


class Tally:
    """What is summed up on the way."""

    def __init__(self, station: Station, each: Callable[[Served], None]) -> None:
        guns = len(station.guns)
        self._station = station
        self._each = each
        self._gun_asked_mj = [0] * guns
        self._gun_delivered_mj = [0] * guns
        self._asking_ms = self._nothing_ms = self._busy_ms = self._short_ms = 0
        self._top_asked_mj = self._top_delivered_mj = self._peak_w = 0
        self._limiting_ms = self._limiting_mj = 0
        self._live_ms = [0] * len(station.modules)
        self._pool_w = sum(station.module_power_w)
        self._wanted_mj = self._sessions = self._met = self._unserved = 0
        self._finished = self._finishing_ms = 0
        self._waited = self._waiting_ms = self._longest_wait_ms = 0
        self._share_sum_ppm = self._share_square_sum_ppm2 = 0
        self._share_counts = [0] * SHARE_BINS
        self._energy_counts = [0] * (ENERGY_BINS_KWH + 1)

    def pass_time(
        self, charger: Charger, demands: DemandSource, passed_ms: int, limit_w: int | None
    ) -> None:
        """Everything stays as it is for so long, under that limit."""
        if passed_ms <= 0:
            return
        together_w = drawn_w = delivered_mj = 0
        for gun, demand_w in enumerate(charger.demand_w):
            if demand_w:
                asked_w = min(demand_w, self._station.gun_max_w[gun])
                together_w += asked_w
                self._gun_asked_mj[gun] += asked_w * passed_ms
                drawn_w += (draw_w := charger.draw_w[gun])
                taken_mj = demands.settle(gun, asked_w * passed_ms, draw_w * passed_ms)
                self._gun_delivered_mj[gun] += taken_mj
                delivered_mj += taken_mj
                self._asking_ms += passed_ms
                if not charger.granted_w[gun]:
                    self._nothing_ms += passed_ms
                if gun == charger.top_gun:
                    self._top_asked_mj += asked_w * passed_ms
                    self._top_delivered_mj += taken_mj
        if together_w:
            self._busy_ms += passed_ms
            self._peak_w = max(self._peak_w, drawn_w)
            if together_w > self._pool_w:
                self._short_ms += passed_ms
            if limit_w is not None and min(together_w, self._pool_w) > limit_w:
                self._limiting_ms += passed_ms
                self._limiting_mj += delivered_mj
        for module, gun in enumerate(charger.live_on):
            if gun != NOBODY:
                self._live_ms[module] += passed_ms

    def finished(self, served: Served) -> None:
        """A session has ended."""
        self._sessions += 1
        self._wanted_mj += served.asked_mj
        share_ppm = served.delivered_mj * 1_000_000 // served.asked_mj
        self._met += share_ppm >= 990_000
        self._share_sum_ppm += share_ppm
        self._share_square_sum_ppm2 += share_ppm**2
        self._share_counts[share_ppm // 10_000] += 1
        self._energy_counts[min(served.delivered_mj // MJ_PER_KWH, ENERGY_BINS_KWH)] += 1
        waited_ms = served.plugged_ms - served.arrival_ms
        self._unserved += served.gun is None
        self._waited += waited_ms > 0
        self._waiting_ms += waited_ms
        self._longest_wait_ms = max(self._longest_wait_ms, waited_ms)
        if served.finished_ms is not None:
            self._finished += 1
            self._finishing_ms += served.finished_ms - served.arrival_ms
        self._each(served)

    def replay(
        self,
        charger: Charger,
        demands: DemandSource,
        policy: str,
        seed: int,
        end_ms: int,
        limited: bool,
        timeline: Timeline | None,
    ) -> Replay:
        return Replay(
            station=self._station.name,
            policy=policy,
            seed=seed,
            start_ms=demands.start_ms,
            end_ms=end_ms,
            pool_w=self._pool_w,
            gun_asked_mj=tuple(self._gun_asked_mj),
            gun_delivered_mj=tuple(self._gun_delivered_mj),
            closed_loop=demands.end_ms is None,
            wanted_mj=self._wanted_mj,
            sessions=self._sessions,
            met=self._met,
            unserved=self._unserved,
            finished=self._finished,
            finishing_ms=self._finishing_ms,
            waited=self._waited,
            waiting_ms=self._waiting_ms,
            longest_wait_ms=self._longest_wait_ms,
            share_sum_ppm=self._share_sum_ppm,
            share_square_sum_ppm2=self._share_square_sum_ppm2,
            share_counts=tuple(self._share_counts),
            energy_counts=tuple(self._energy_counts),
            asking_ms=self._asking_ms,
            nothing_ms=self._nothing_ms,
            top_asked_mj=self._top_asked_mj,
            top_delivered_mj=self._top_delivered_mj,
            busy_ms=self._busy_ms,
            short_ms=self._short_ms,
            limited=limited,
            limiting_ms=self._limiting_ms,
            limiting_mj=self._limiting_mj,
            live_ms=tuple(self._live_ms),
            operations={
                (gun, module): charger.operations[gun - 1][module - 1]
                for gun, module in self._station.contactors
            },
            peak_w=self._peak_w,
            decisions=charger.deciding.asked,
            decided=charger.deciding.made,
            decided_ns=charger.deciding.spent_ns,
            timeline=timeline,
        )
