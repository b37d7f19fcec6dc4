"""What each latched fault costs: what the station could do without it, and cannot do with it."""

from functools import lru_cache
from typing import NamedTuple

from verified_alloc.control.fault_kinds import Fault, bits_of
from verified_alloc.kernel import ops, wiring
from verified_alloc.kernel.latched import Latched, excluded
from verified_alloc.station.faults import Faults, out_of_order, usable_after
from verified_alloc.station.model import Station

ALL_OFF = ("emergency_stop", "stopped", "enable_high")

Powers = tuple[int, ...]


class Cost(NamedTuple):
    """What faults take away."""

    guns_w: Powers
    """Of what each gun could get alone,"""
    all_w: int
    """and of what all modules could give."""
    kept_from: tuple[tuple[int, ...], ...] = ()
    """By module, the guns that it cannot serve because of them."""


def capability_w(station: Station, faults: Faults, limit_w: int | None) -> Powers:
    """By gun, the most that it could be given were nobody else there."""
    left = usable_after(station, faults)
    powers = []
    for most_w, in_service, row in zip(
        station.gun_max_w, left.in_service, left.usable, strict=True
    ):
        power_w = _sum_w(station, row) if in_service else 0
        powers.append(min(most_w, power_w, *([] if limit_w is None else [limit_w])))
    return tuple(powers)


@lru_cache(maxsize=64)
def cost_of(
    station: Station,
    latched: frozenset[Fault],
    fault: frozenset[Fault],
    limit_w: int | None,
) -> Cost:
    """What those of the latched faults take away that are cleared together."""
    now, without = (_able(station, each, limit_w) for each in (latched, latched - fault))
    lost = zip(now.guns_w, without.guns_w, strict=True)
    return Cost(
        tuple(without_w - with_w for with_w, without_w in lost),
        without.all_w - now.all_w,
        tuple(
            tuple(gun for gun, (can, could) in enumerate(zip(*row, strict=True), 1) if could > can)
            for row in zip(now.serves, without.serves, strict=True)
        ),
    )


def lost_modules(station: Station, latched: frozenset[Fault]) -> tuple[bool, ...]:
    """By module, whether an expander that carries it is lost: nobody knows how it is."""
    lost = _lost(station, latched)
    return tuple(any(lost[at] for at in carriers) for carriers in station.built.carriers)


class _Able(NamedTuple):
    guns_w: Powers
    all_w: int
    serves: tuple[tuple[bool, ...], ...]
    """By module and gun."""


def _able(station: Station, latched: frozenset[Fault], limit_w: int | None) -> _Able:
    bits = bits_of(latched, station)
    known = Latched(**{kind: bits[kind] for kind in Latched._fields})
    carriers = station.built.carriers
    faults = out_of_order(excluded(ops, carriers, known, _lost(station, latched)))
    left = usable_after(station, faults)
    serves = tuple(zip(*left.usable, strict=True))
    if any(fault.kind in ALL_OFF for fault in latched):
        return _Able((0,) * len(station.guns), 0, serves)
    all_w = _sum_w(station, [any(row) for row in serves])
    limited_w = all_w if limit_w is None else min(all_w, limit_w)
    return _Able(capability_w(station, faults, limit_w), limited_w, serves)


def _lost(station: Station, latched: frozenset[Fault]) -> tuple[bool, ...]:
    count = wiring.expanders(len(station.contactors))
    return tuple(Fault("expander_lost", expander=at) in latched for at in range(count))


def _sum_w(station: Station, usable: "list[bool] | tuple[bool, ...]") -> int:
    return sum(power_w for power_w, can in zip(station.module_power_w, usable, strict=True) if can)
