"""What cars and the grid may ask of a station within a day, at their noisiest: tapers with noise,
wobble at module thresholds, cars that come and go, a limit that chatters."""

import random
from collections.abc import Iterator
from typing import NamedTuple

from verified_alloc.station.model import Station
from verified_alloc.workload.traces import DemandChange, DemandTrace

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NOISE_W = 500
LIMIT_W = 150_000
LIMIT_NOISE_W = 1_000


class LimitChange(NamedTuple):
    """From `time_ms` on all guns together may be given so much."""

    time_ms: int
    limit_w: int


def noisy_demands(station: Station, hours: int, seed: int, noisy: bool = True) -> DemandTrace:
    """A day of sessions on every gun, each of one of four kinds; the same sessions without
    noise too, come to stay."""
    changes = [
        change
        for gun in range(1, len(station.guns) + 1)
        for change in _of_gun(gun, hours * HOUR_MS, noisy, random.Random(f"{seed} gun {gun}"))
    ]
    guns = range(1, len(station.guns) + 1)
    end = [DemandChange(hours * HOUR_MS, gun, 0) for gun in guns]
    return DemandTrace((*sorted(changes), *end))


def chattering_limits(hours: int, seed: int, noisy: bool = True) -> list[LimitChange]:
    """Quiet and chattering quarters of an hour in turn: then it changes every four seconds."""
    draw = random.Random(f"{seed} limit")
    changes = []
    for quarter in range(hours * 4):
        begin_ms = quarter * HOUR_MS // 4
        level_w = LIMIT_W + 1000 * draw.randrange(-30, 31, 10)
        changes.append(LimitChange(begin_ms, level_w))
        if quarter % 2:
            for turn in range(1, 225):
                limit_w = level_w + noisy * LIMIT_NOISE_W * (turn % 2)
                changes.append(LimitChange(begin_ms + 4000 * turn, limit_w))
    return changes


def _of_gun(gun: int, end_ms: int, noisy: bool, draw: random.Random) -> Iterator[DemandChange]:
    kinds = (_tapering, _wobbling, _flapping, _steady)
    now_ms = draw.randrange(HOUR_MS)
    while True:
        stop_ms = now_ms + draw.randrange(HOUR_MS // 3, HOUR_MS)
        if stop_ms >= end_ms:
            return
        for time_ms, demand_w in draw.choice(kinds)(now_ms, stop_ms, noisy, draw):
            yield DemandChange(time_ms, gun, demand_w)
        yield DemandChange(stop_ms, gun, 0)
        now_ms = stop_ms + draw.randrange(60_000, HOUR_MS)


def _times(begin_ms: int, end_ms: int, draw: random.Random) -> Iterator[int]:
    while begin_ms < end_ms:
        yield begin_ms
        begin_ms += draw.randrange(5_000, 20_000)


def _tapering(
    begin_ms: int, end_ms: int, noisy: bool, draw: random.Random
) -> Iterator[tuple[int, int]]:
    """From much to little, with noise."""
    from_w, to_w = draw.randrange(120_000, 240_000), draw.randrange(10_000, 50_000)
    for time_ms in _times(begin_ms, end_ms, draw):
        done = (time_ms - begin_ms) / (end_ms - begin_ms)
        yield (
            time_ms,
            round(from_w + done * (to_w - from_w)) + noisy * draw.randrange(-NOISE_W, NOISE_W),
        )


def _wobbling(
    begin_ms: int, end_ms: int, noisy: bool, draw: random.Random
) -> Iterator[tuple[int, int]]:
    """At a multiple of a module's power."""
    level_w = 40_000 * draw.randrange(1, 5)
    for time_ms in _times(begin_ms, end_ms, draw):
        yield time_ms, level_w + noisy * draw.randrange(-NOISE_W, NOISE_W)


def _flapping(
    begin_ms: int, end_ms: int, noisy: bool, draw: random.Random
) -> Iterator[tuple[int, int]]:
    """It comes, and asks for nothing again for a moment, a few times before it stays."""
    level_w = draw.randrange(20_000, 160_000)
    for _ in range(draw.randrange(1, 5)):
        if noisy:
            yield begin_ms, level_w
        begin_ms += draw.randrange(3_000, 15_000)
        if noisy:
            yield begin_ms, 0
        begin_ms += draw.randrange(1_000, 5_000)
    yield begin_ms, level_w


def _steady(
    begin_ms: int, end_ms: int, noisy: bool, draw: random.Random
) -> Iterator[tuple[int, int]]:
    yield begin_ms, draw.randrange(20_000, 240_000)
