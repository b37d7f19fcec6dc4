"""When a controller that sees nothing change will act again by itself."""

from collections.abc import Iterable, Sequence

from verified_alloc.kernel.diagnosis import NOT_SO, Ages
from verified_alloc.kernel.offer import Offer
from verified_alloc.station.parts import Timing

LONG_MS = 24 * 3600 * 1000


def quiet_ms(
    timing: Timing,
    ages: Iterable[Ages],
    offers: Iterable[Offer],
    stop_ms: int,
    dwelt_ms: Sequence[int],
) -> int:
    """Until the first of all ages reaches the time that something waits for, ms."""
    waits = [(stop_ms, timing.module_off_timeout_ms + timing.current_decay_ms)]
    for module in ages:
        waits += [
            (module.off_ms, timing.current_decay_ms),
            (module.off_ms, timing.module_discharge_ms),
            (module.stuck_ms, timing.module_off_timeout_ms),
            (module.silent_ms, timing.module_off_timeout_ms),
        ]
        for settled_ms in module.settled_ms:
            waits.append((settled_ms, timing.contactor_operate_ms))
            waits.append((settled_ms, timing.contactor_release_ms))
    waits += [(age_ms, timing.minimum_dwell_s * 1000) for age_ms in dwelt_ms]
    waits += [
        (told.waited_ms, timing.offer_lead_ms)
        for told in offers
        if told.pending_w != told.promise_w
    ]
    return min((due - age for age, due in waits if NOT_SO < age < due), default=LONG_MS)
