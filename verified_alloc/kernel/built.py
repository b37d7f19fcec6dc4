"""The station as its scan needs it."""

from collections.abc import Sequence
from typing import NamedTuple

from verified_alloc.kernel import wiring
from verified_alloc.kernel.diagnosis import Timing
from verified_alloc.kernel.feeder import Feeder
from verified_alloc.kernel.ops import Shape


class Built(NamedTuple):
    """What is built; nothing of it changes while the station runs. Made by `built`."""

    timing: Timing
    offer_lead_ms: int
    minimum_dwell_ms: int
    fresh_ms: int
    """So old what was read may be when a contactor closes, an enable or an offer rises: two
    scans."""
    petted_ms: int
    """So long the relay supply's watchdog holds on after an edge at the least: four scans."""
    gun_max_w: Sequence[int]
    module_power_w: Sequence[int]
    contactors: Sequence[tuple[Shape, Shape]]
    """Those that exist as (gun, module), in the order of the wiring."""
    places: Sequence[Sequence[Sequence[Shape]]]
    """By module and gun: the expander that carries their contactor, in a list of one; an empty list
    where there is none;"""
    carriers: Sequence[Sequence[Shape]]
    """and by module: all expanders that carry its contactors."""
    feeders: Sequence[Feeder]


def built(
    timing: Timing,
    offer_lead_ms: int,
    minimum_dwell_ms: int,
    scan_ms: int,
    gun_max_w: Sequence[int],
    module_power_w: Sequence[int],
    contactors: Sequence[tuple[Shape, Shape]],
    feeders: Sequence[Feeder],
) -> Built:
    """The station as its scan needs it."""
    expanders = range(wiring.expanders(len(contactors)))
    places = [
        [
            [wiring.place(k).expander for k, pair in enumerate(contactors) if pair == (gun, module)]
            for gun in range(len(gun_max_w))
        ]
        for module in range(len(module_power_w))
    ]
    carriers = [[at for at in expanders if [at] in of_module] for of_module in places]
    return Built(
        timing,
        offer_lead_ms,
        minimum_dwell_ms,
        scan_ms + scan_ms,
        scan_ms + scan_ms + scan_ms + scan_ms,
        gun_max_w,
        module_power_w,
        contactors,
        places,
        carriers,
        feeders,
    )
