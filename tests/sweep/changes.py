"""Random changes of what the guns ask for, with nothing broken: every change reaches its target,
and the cabinet's monitor sees nothing at all."""

import random
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from listing import listing
from sweep.working_station import Connected, WorkingStation

from verified_alloc.decide.allocate import decide
from verified_alloc.decide.demand import strictly
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Feeder

Demands = dict[int, int]


class Played(NamedTuple):
    changes: int
    interrupted: int
    """Changes that another one overtook before they had reached their target."""
    makes: int
    slowest_s: float
    """From a change to its target, dwell included."""
    wrong: list[str]


def random_changes(station: Station, seed: int) -> Iterator[Demands]:
    """What some guns ask for from now on, whole kW; on and on."""
    draw = random.Random(f"changes {seed}")
    guns = [gun.id for gun in station.guns]
    for _ in count():
        some = draw.sample(guns, draw.randint(1, len(guns)))
        yield {gun: draw.choice([0, 40, 80, 160, 240, draw.randint(0, 300)]) for gun in some}


def documented_target(station: Station, asked_kw: dict[int, float]) -> Connected:
    """Where the station must end up, by the listing in the tests."""
    return listing(asked_kw)


def arrived(at_work: WorkingStation) -> bool:
    """The station feeds what it decided, and that is what its policy gives from idle: the same
    modules by the documented rule, the same power by a solver's policy, which moves no more than
    that takes. A reference station by the documented rule must feed what the listing says."""
    station = at_work.station
    if not at_work.state.settled:
        return False
    if station.policy.name == "documented" and is_reference(station):
        return at_work.feeds(documented_target(station, at_work.asked_kw))
    asked = strictly([round(kw * 1000) for kw in at_work.asked_kw.values()])
    target = decide(station, asked, policy=station.policy.name)
    if station.policy.name == "documented":
        return at_work.feeds(target.modules)
    decided = at_work.state.allocation
    return decided.delivered_w == target.delivered_w and at_work.feeds(decided.modules)


def longest_settling_s(station: Station) -> float:
    """How long a change may take. The end of one dwell may change the target, which begins another:
    by the documented rule up to 42 s have been seen on the reference station. A solver's policy
    moves only what must move, so that at most two dwells follow one another."""
    timing = station.timing
    if station.policy.name == "documented":
        return 10 * timing.minimum_dwell_s + 20 * timing.offer_lead_ms / 1000 + 10
    move_ms = (
        timing.offer_lead_ms
        + timing.current_decay_ms
        + timing.contactor_release_ms
        + timing.module_discharge_ms
        + timing.contactor_operate_ms
        + 10 * timing.scan_ms
    )
    return 2 * timing.minimum_dwell_s + 3 * move_ms / 1000


def is_reference(station: Station) -> bool:
    """It is the station that the listing is for."""
    return (
        station.matrix.kind == "full"
        and len(station.guns) == 6
        and set(station.module_power_w) == {40_000}
        and len(station.modules) == 9
        and set(station.gun_max_w) == {240_000}
        and station.site_limit_w is None
    )


def most_given_w(at_work: WorkingStation, feeder: Feeder) -> int:
    """The most that the cabinet may take of a feeder, however guns share what they draw among
    their live modules."""
    powers_w = {module.id: module.power_w for module in at_work.station.modules}
    return sum(
        min(
            at_work.cabinet.draw_w(gun.id),
            sum(powers_w[m] for m in at_work.cabinet.live_modules(gun.id) if m in feeder.modules),
        )
        for gun in at_work.station.guns
    )


def play(station: Station, seed: int, changes: int) -> Played:
    """So many changes, one after another or one into another. A reference station must reach what
    the documented listing says, any other what its own rule says."""
    draw = random.Random(f"play {seed}")
    demands = random_changes(station, seed)
    settling_s = longest_settling_s(station)
    interrupted, slowest_ms = 0, 0
    wrong: list[str] = []
    with WorkingStation(station, seed=seed) as at_work:

        def within_the_limit() -> None:
            offered_w = sum(v.offer_w for v in at_work.cabinet.vehicles)
            drawn_w = sum(at_work.cabinet.draw_w(gun.id) for gun in station.guns)
            for _, efficiency in station.conversion_efficiency:
                drawn_w = -(-max(offered_w, drawn_w) * 10**6 // efficiency)  # at the grid
            if max(offered_w, drawn_w) > (station.site_limit_w or sum(station.gun_max_w) * 2):
                wrong.append(f"seed {seed}: {offered_w} W offered and {drawn_w} W drawn together")
            for feeder in station.feeders:
                given_w = most_given_w(at_work, feeder)
                for _, efficiency in station.conversion_efficiency:
                    given_w = -(-given_w * 10**6 // efficiency)
                if given_w > feeder.limit_w:
                    wrong.append(f"seed {seed}: {given_w} W of {feeder}")

        for number in range(changes):
            at_work.ask(next(demands))
            if draw.random() < 0.4:
                interrupted += 1
                at_work.go_on(draw.choice([0, 0.05, draw.random(), 3 * draw.random()]))
                continue
            began_ms = at_work.now_ms
            reached = at_work.go_on(
                settling_s,
                until=lambda: arrived(at_work),
                each=within_the_limit,
            )
            slowest_ms = max(slowest_ms, at_work.now_ms - began_ms)
            if not reached and station.policy.priority_deadband_w == 0:
                wrong.append(f"seed {seed}, change {number}: {at_work.live} for {at_work.asked_kw}")
            if not reached and not at_work.feeds_as_decided():
                wrong.append(f"seed {seed}, change {number}: {at_work.live} is not as decided")
            at_work.go_on(draw.choice([0, 0.1, 5 * draw.random()]))
        wrong += [*at_work.bad(), *at_work.exposures(), *at_work.reported]
        makes = sum(at_work.monitor.makes.values())
    return Played(changes, interrupted, makes, slowest_ms / 1000, wrong)
