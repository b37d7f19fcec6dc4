"""Attacks on the clock: it is set by an hour, a gun's own, ours, and under a site limit."""

import time
from typing import Any

from verified_alloc.control.wall_clock import BELIEVED_AFTER_S, WallClock
from verified_alloc.errors import BadInput
from verified_alloc.service.limit_models import Limit, profiles
from verified_alloc.service.sender_clock import SenderClock
from verified_alloc.station.model import Station

HOUR_S, EVERY_S, TIMEOUT_S = 3600.0, 3.0, 10.0


def refused(set_s: float) -> int:
    """Of 100 demands, one every 3 s: how many are refused when the gun's clock is set after 50."""
    clock, count = SenderClock(TIMEOUT_S), 0
    began_s, unix_s = time.monotonic(), time.time()
    for n in range(100):
        after_s = n * EVERY_S
        try:
            clock.age_s(unix_s + after_s + (set_s if n >= 50 else 0), began_s + after_s)
        except BadInput:
            count += 1
    return count


def main() -> None:
    """Try it, and say what came of it."""
    for set_s in (HOUR_S, -HOUR_S):
        print(f"a gun's clock set by {set_s:+.0f} s: {refused(set_s)} of 100 demands refused")
    schedule: dict[str, Any] = {
        "chargingRateUnit": "W",
        "duration": 7200,
        "startSchedule": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60)),
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 100_000}],
    }
    profile = {
        "chargingProfilePurpose": "ChargePointMaxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
    }
    told = Limit.model_validate({"profile": profile})
    [limit] = profiles(told, Station.reference(), int(time.time()))
    for set_s in (HOUR_S, -HOUR_S, 24 * HOUR_S):
        ahead_s = [0.0]
        wall = WallClock(lambda by=ahead_s: time.time() + by[0], lambda: True)
        ahead_s[0] = set_s
        found = [limit.at(at_s) for at_s in wall.times_s()]
        lowest = min(w for w in found if w is not None)
        print(
            f"our clock set by {set_s:+.0f} s: the limit of 100 kW is {lowest / 1000:g} kW, for"
            f" {BELIEVED_AFTER_S:g} s by both clocks"
        )


if __name__ == "__main__":
    main()
