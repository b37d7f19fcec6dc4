"""Everything that a station says to people, of each kind at least once."""

from collections.abc import Iterator
from random import Random

from sweep.stations import REFERENCE, some_station

from verified_alloc import Faults, Station
from verified_alloc.control.alarms import ALARMS
from verified_alloc.control.fault_kinds import KINDS, NUMBERS, Fault, sentence_of, to_do_about
from verified_alloc.decide.allocate import decide
from verified_alloc.decide.demand import strictly
from verified_alloc.decide.explain import reasons

SEEDS = range(40)


def of_faults() -> Iterator[str]:
    numbers = {"gun": 2, "module": 3, "expander": 1}
    for kind, about in KINDS.items():
        fault = Fault(kind, **{part: numbers[part] for part in NUMBERS[about.of]})
        yield sentence_of(REFERENCE, fault)
        yield to_do_about(REFERENCE, fault)
    for alarm in ALARMS:
        yield from (alarm.sentence, alarm.over)


def _faults(random: Random, station: Station) -> Faults:
    pairs = random.sample(station.contactors, min(3, len(station.contactors)))
    welded = random.randint(0, len(pairs))
    return Faults(
        modules=set(random.sample(range(1, len(station.modules) + 1), random.randint(0, 1))),
        guns=set(random.sample(range(1, len(station.guns) + 1), random.randint(0, 1))),
        failed_open=set(pairs[welded:]),
        welded=set(pairs[:welded]),
    )


def of_reasons() -> Iterator[str]:
    """Why, on random stations, short of modules, of power or of neither."""
    for seed in SEEDS:
        random, station = Random(seed), some_station(seed)
        faults = _faults(random, station)
        asked = strictly([random.choice([0, 40_000, 80_500, 300_000]) for _ in station.guns])
        for policy in ("documented", "priority", "max-power", "fair"):
            if policy == "documented" and station.policy.minimum_modules:
                continue
            allocation = decide(station, asked, faults=faults, policy=policy)
            limited = random.sample(range(1, len(station.guns) + 1), 1)
            out = faults.modules if random.random() < 0.5 else ()
            why = reasons(station, asked, faults, allocation, out, limited)
            for reason in why.guns.values():
                yield from reason.sentences
            yield from why.station
