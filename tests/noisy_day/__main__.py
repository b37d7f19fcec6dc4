"""24 noisy hours under every policy, with a limit and without: `python -m noisy_day`."""

import argparse
import sys
from collections.abc import Iterator
from typing import NamedTuple

from noisy_day.demands import HOUR_MS, LimitChange, chattering_limits, noisy_demands

from verified_alloc.compare import metrics
from verified_alloc.compare.demand_source import NEVER_MS, TraceSource
from verified_alloc.compare.ideal_charger import Charger
from verified_alloc.compare.replay import Replay, Tally
from verified_alloc.decide.allocate import decide
from verified_alloc.kernel.offer import Offer
from verified_alloc.station.model import Station
from verified_alloc.station.parts import POLICIES
from verified_alloc.workload.traces import DemandTrace


class Watched(Charger):
    """Counts offers that fall to 0 although the gun asks."""

    fell_to_0 = 0
    unexplained = 0
    """Of them those that a decision made anew, from what is asked alone, would not let fall."""

    def _publish(self, gun: int, offered: Offer, now_ms: int) -> None:
        if self.demand_w[gun] and self._offers[gun].offer_w and not offered.offer_w:
            self.fell_to_0 += 1
            anew = decide(self._station, self._asked, policy=self.policy)
            self.unexplained += anew.delivered_w[gun + 1] > 0
        super()._publish(gun, offered, now_ms)

    def __init__(self, station: Station, policy: str, start_ms: int) -> None:
        self.policy = policy
        super().__init__(station, policy, start_ms)


class Day(NamedTuple):
    """What became of it."""

    replay: Replay
    fell_to_0: int
    unexplained: int


def play(
    station: Station,
    policy: str,
    demanded: DemandTrace,
    limits: list[LimitChange],
    end_ms: int,
) -> Day:
    """One station, one policy."""
    tally = Tally(station, lambda _: None)
    demands = TraceSource(station, demanded, tally.finished)
    charger = Watched(station, policy, 0)
    now_ms = 0
    to_come = iter((*limits, LimitChange(NEVER_MS, 0)))
    limit = next(to_come)
    while (
        next_ms := min(demands.next_ms(now_ms, charger.draw_w), charger.next_ms, limit.time_ms)
    ) < end_ms:
        tally.pass_time(charger, demands, next_ms - now_ms, None)
        now_ms = next_ms
        if limit.time_ms <= now_ms:
            charger.limit(limit.limit_w, now_ms)
            limit = next(to_come)
        demands.advance(now_ms, charger.ask)
        charger.advance(now_ms)
    tally.pass_time(charger, demands, end_ms - now_ms, None)
    demands.close(end_ms)
    charger.take_off()
    return Day(
        tally.replay(charger, demands, policy, 0, end_ms, False, None),
        charger.fell_to_0,
        charger.unexplained,
    )


def lines(hours: int, seed: int) -> Iterator[str]:
    """The table, row by row."""
    yield (
        "| policy | site limit | operations an hour | without noise | for each MWh |"
        " offers that fell to 0 | unexplained | unmet energy | years to 200,000 operations |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    station = Station.reference()
    end_ms = hours * HOUR_MS
    for limited in (False, True):
        for policy in POLICIES:
            noisy, calm = (
                play(
                    station,
                    policy,
                    noisy_demands(station, hours, seed, with_noise),
                    chattering_limits(hours, seed, with_noise) if limited else [],
                    end_ms,
                )
                for with_noise in (True, False)
            )
            moved, mwh = metrics.operations(noisy.replay), noisy.replay.delivered_mj / 3.6e12
            yield (
                f"| `{policy}` | {'about 150 kW' if limited else 'none'} | {moved / hours:.1f} |"
                f" {metrics.operations(calm.replay) / hours:.1f} | {moved / mwh:.1f} |"
                f" {noisy.fell_to_0} | {noisy.unexplained} |"
                f" {metrics.unmet_share(noisy.replay):.2%} |"
                f" {metrics.worst_life_years(noisy.replay) or 0:.1f} |"
            )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m noisy_day", description=__doc__)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    for line in lines(asked.hours, asked.seed):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
