"""Stations to try things on."""

import random
from dataclasses import replace
from typing import Any

from verified_alloc.station.model import Station
from verified_alloc.station.parts import PowerModule

PROMPT = {"rank_delay_s": 0, "release_delay_s": 0, "limit_delay_s": 0}
"""What changes counts at once; how it lasts is tried by itself."""


def prompt(station: Station) -> Station:
    """The same, in which what changes counts at once."""
    return replace(station, policy=replace(station.policy, **PROMPT))


REFERENCE = prompt(Station.reference())


def strictly(name: str, station: Station = REFERENCE) -> Station:
    """The same, deciding by that policy to the letter: no deadband in the order."""
    return replace(station, policy=replace(station.policy, name=name, priority_deadband_w=0))


def strictly_documented(station: Station = REFERENCE) -> Station:
    """The same, deciding by the documented rule to the letter."""
    return strictly("documented", station)


def unequal() -> Station:
    """One module of less power than the others, so that it takes a constraint solver to decide; and
    no dwell."""
    return replace(
        REFERENCE,
        modules=(*REFERENCE.modules[:8], PowerModule(9, 20_000)),
        timing=replace(REFERENCE.timing, minimum_dwell_s=0),
    )


def without_status_inputs(station: Station = REFERENCE) -> Station:
    return replace(station, hardware=replace(station.hardware, status_pins=()))


def quick(station: Station = REFERENCE) -> Station:
    """The same with everything but the scan and the contactors faster, so that a change of target
    takes fewer scans and nothing lasts: for campaigns that branch in each of them."""
    timing = replace(
        station.timing,
        current_decay_ms=60,
        module_discharge_ms=240,
        module_off_timeout_ms=200,
        offer_lead_ms=120,
        minimum_dwell_s=0,
    )
    return prompt(replace(station, timing=timing))


def some_station(seed: int) -> Station:
    """Any station within reason: matrix, powers, limits, times, status inputs, policy, few guns or
    many."""
    draw = random.Random(f"station {seed}")
    guns, modules = draw.randint(1, 6), draw.randint(1, 9)
    tables: dict[str, Any] = {
        "station": {
            "name": f"station {seed}",
            "guns": guns,
            "modules": modules,
            "module_power_kw": draw.choice([20, 30, 40, 60]),
            "gun_max_power_kw": draw.choice([50, 120, 240, 400]),
        },
        "policy": {
            "name": "documented",
            "priority_deadband_kw": draw.choice([0, 5, 20]),
            **PROMPT,
        },
        "matrix": {"kind": draw.choice(["full", "ring", "half"])},
    }
    if draw.random() < 0.3:
        reach = {
            str(gun): sorted(draw.sample(range(1, modules + 1), draw.randint(1, modules)))
            for gun in range(1, guns + 1)
        }
        tables["matrix"] = {"kind": "list", "reach": reach}
    if draw.random() < 0.4:
        tables["module"] = [
            {"id": module, "power_kw": draw.choice([10, 20, 35, 50])}
            for module in range(1, modules + 1)
            if draw.random() < 0.5
        ]
    if draw.random() < 0.4:
        tables["gun"] = [
            {"id": gun, "max_power_kw": draw.choice([22, 150, 350])}
            for gun in range(1, guns + 1)
            if draw.random() < 0.5
        ]
    if draw.random() < 0.4:
        tables["station"]["site_limit_kw"] = draw.choice([60, 100, 175, 300])
    scan_ms = draw.choice([10, 20, 25])
    release_ms = draw.choice([15, 40, 60])
    tables["timing"] = {
        "scan_ms": scan_ms,
        "contactor_operate_ms": draw.choice([15, 40, 60]),
        "contactor_release_ms": release_ms,
        "current_decay_ms": draw.choice([50, 200, 400]),
        "module_discharge_ms": draw.choice([400, 1000, 2000]),
        "offer_lead_ms": draw.choice([200, 1000]),
        "minimum_dwell_s": draw.choice([0, 2, 10]),
        "fault_reaction_ms": max(60, 3 * scan_ms),
    }
    if draw.random() < 0.3:
        tables["hardware"] = {"status_pins": []}
    if draw.random() < 0.6:
        tables["policy"]["name"] = draw.choice(["priority", "max-power", "fair"])
        tables["policy"]["minimum_modules"] = draw.choice([0, 0, 1, 2])
    tables["policy"]["minimum_power_kw"] = draw.choice([0, 1, 1, 20])
    tables["feeder"] = some_feeders(seed, modules)
    efficiency = random.Random(f"efficiency {seed}").choice([1, 1, 0.95, 0.87])
    tables["station"]["conversion_efficiency"] = efficiency
    return Station.from_tables(tables)


def some_feeders(seed: int, modules: int) -> list[dict[str, Any]]:
    """None as often as not; else one or two, each for some of the modules."""
    draw = random.Random(f"feeders {seed}")
    on = [draw.choice([None, 0, 0, 1]) for _ in range(modules)]
    feeders = [
        {
            "modules": [module for module, feeder in enumerate(on, 1) if feeder == number],
            "limit_kw": draw.choice([15, 40, 70, 100]),
        }
        for number in range(draw.choice([0, 0, 1, 2]))
    ]
    return [feeder for feeder in feeders if feeder["modules"]]
