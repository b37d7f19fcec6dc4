"""The documented rule, on a station: highest demand first, lowest-numbered free modules."""

from collections.abc import Mapping

from verified_alloc.decide.demand import Asked
from verified_alloc.kernel import dwell, feeder, ops, rule
from verified_alloc.kernel.diagnosis import Usable
from verified_alloc.station.model import Station


def choose(
    station: Station, service: Usable, asked: Asked, reserved: Mapping[int, int]
) -> rule.Choice:
    """What the rule gives on what the faults leave.

    `reserved` maps modules that stay to their guns: each is usable only by its gun, which looks at
    such modules first.
    """
    usable = service.usable
    looks_at: list[list[int]] | None = None
    if reserved:
        staying = station.grid((gun, module) for module, gun in reserved.items())
        usable = dwell.left(ops, service.usable, staying)
        modules = range(len(station.modules))
        looks_at = [sorted(modules, key=lambda module: not row[module]) for row in staying]
    question = (
        [gun - 1 for gun in asked.order],
        asked.demand_w,
        station.gun_max_w,
        station.module_power_w,
        usable,
        station.limit_w,
        station.policy.minimum_power_w,
    )
    if not station.kernel_feeders:
        return rule.documented(ops, *question, looks_at)
    return feeder.documented(ops, *question, station.kernel_feeders, looks_at)
