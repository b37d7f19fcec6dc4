"""The documented rule, on a station: highest demand first, lowest-numbered free modules."""

from collections.abc import Mapping

from verified_alloc.demand import Asked
from verified_alloc.kernel import ops, rule
from verified_alloc.kernel.diagnosis import Service
from verified_alloc.station import Station


def choose(
    station: Station, service: Service, asked: Asked, reserved: Mapping[int, int]
) -> rule.Choice:
    """What the rule gives on what the faults leave.

    `reserved` maps dwelling modules to their guns: each is usable only by its gun, which takes
    such modules first.
    """
    usable = service.usable
    looks_at: list[list[int]] | None = None
    if reserved:
        modules = range(len(station.modules))
        usable = [
            [can and reserved.get(module + 1, gun.id) == gun.id for module, can in enumerate(row)]
            for gun, row in zip(station.guns, service.usable, strict=True)
        ]
        looks_at = [
            [module for module in modules if reserved.get(module + 1) == gun.id]
            + [module for module in modules if reserved.get(module + 1) != gun.id]
            for gun in station.guns
        ]
    return rule.documented(
        ops,
        [gun - 1 for gun in asked.order],
        asked.demand_w,
        station.gun_max_w,
        station.module_power_w,
        usable,
        station.limit_w,
        looks_at,
    )
