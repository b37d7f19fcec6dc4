"""What a study replays: stations, policies, seeds, and what comes to the guns."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from verified_alloc.compare.limit_schedule import UNLIMITED, LimitSchedule
from verified_alloc.station.model import Station
from verified_alloc.workload.sessions import MJ_PER_KWH, Battery, Session
from verified_alloc.workload.synthetic import BUILT_IN_CARS, synthetic_sessions
from verified_alloc.workload.traces import DemandTrace

MATRICES = ("full", "half", "ring")
ROOMS = ("kernel", "station", "decide", "control", "workload", "compare")
"""The rooms of this package that a replay may depend on."""


class Case(NamedTuple):
    """One replay."""

    station: Station
    policy: str
    seed: int


@dataclass(frozen=True)
class Source:
    """What comes to the guns: what is `given`, or a synthetic day for so many guns, another one for
    each seed; and what limits them."""

    name: str
    guns: int
    given: DemandTrace | tuple[Session, ...] | None = None
    limits: LimitSchedule = UNLIMITED

    def of(self, seed: int) -> DemandTrace | Iterable[Session]:
        """What is replayed with this seed."""
        return synthetic_cars(seed, self.guns) if self.given is None else self.given

    @cached_property
    def digest(self) -> str:
        """The same for the same content."""
        return _digest([self.guns, repr(self.given), repr(self.limits)])


@dataclass(frozen=True)
class Plan:
    """Every station under every policy with every seed."""

    stations: tuple[Station, ...]
    policies: tuple[str, ...]
    seeds: tuple[int, ...]
    source: Source

    @cached_property
    def cases(self) -> dict[str, Case]:
        """All replays in order. The key covers all that the result depends on: station, policy,
        seed, what is replayed, and the program itself."""
        cases = {}
        for station in self.stations:
            tables = station.to_tables()
            del tables["station"]["name"], tables["policy"]["name"]
            del tables["hardware"], tables["service"]
            for policy in self.policies:
                for seed in self.seeds:
                    contents = [program(), self.source.digest, tables, policy, seed]
                    cases[_digest(contents)] = Case(station, policy, seed)
        return cases


def swept(
    base: Station, modules: Sequence[int], module_kw: Sequence[float], matrices: Sequence[str]
) -> tuple[Station, ...]:
    """The base station with every number of modules, every module power and every matrix; what
    comes out the same (a ring of three guns is a full matrix) once. `BadInput` as a station
    file."""
    tables = base.to_tables()
    stations: dict[object, Station] = {}
    for count in modules:
        for power_kw in module_kw:
            for kind in matrices:
                about = tables["station"] | {
                    "name": f"{count} x {power_kw:g} kW {kind}",
                    "modules": count,
                    "module_power_kw": power_kw,
                }
                changed = {"station": about, "module": [], "matrix": {"kind": kind}, "hardware": {}}
                station = Station.from_tables(tables | changed)
                stations.setdefault((station.module_power_w, station.matrix.reach), station)
    return tuple(stations.values())


@lru_cache(maxsize=256)
def synthetic_cars(seed: int, guns: int) -> tuple[Session, ...]:
    """The cars of `import synthetic`, one day of them."""
    cars = []
    for row in synthetic_sessions(seed, guns, 1):
        assert row.capacity_kwh is not None
        assert row.soc_arrival is not None
        capacity_mj = int(row.capacity_kwh * MJ_PER_KWH)
        arrival_mj = int(row.soc_arrival * capacity_mj / 100)
        battery = Battery(capacity_mj, arrival_mj, BUILT_IN_CARS[row.car].curve)
        energy_mj, max_w = int(row.energy_kwh * MJ_PER_KWH), int(row.max_power_kw * 1000)
        cars.append(Session(row.arrival_ms, row.departure_ms, energy_mj, max_w, None, battery))
    return tuple(cars)


@cache
def program() -> str:
    """The version of this program, by its text: another text may give other results."""
    package = Path(__file__).parents[1]
    files = sorted(file for room in ROOMS for file in package.glob(f"{room}/**/*.py"))
    return _digest([(str(file.relative_to(package)), file.read_text()) for file in files])


def _digest(contents: Any) -> str:
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()[:32]
