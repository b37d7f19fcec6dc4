"""A station at work under limits that rise and fall, of all guns and of each: told, told to come,
taken back, over, and through restarts. The judge keeps its own list of what was told and asks the
composite schedule's oracle; what it judges are the vehicles, what they were offered and draw."""

import random
from pathlib import Path
from typing import Any, NamedTuple

from decide.limits.test_store import GUNS, allowed
from sweep.stations import prompt
from sweep.working_station import WorkingStation

from verified_alloc.decide.limits.profile import Profile, Purpose, always
from verified_alloc.decide.limits.store import Allowed, Limits
from verified_alloc.station.model import Station

STATION = prompt(
    Station.from_tables(
        {
            "station": {
                "name": "limited",
                "guns": GUNS,
                "modules": 4,
                "module_power_kw": 40,
                "gun_max_power_kw": 160,
            },
            "timing": {"minimum_dwell_s": 0},
        }
    )
)
FIRST: tuple[Purpose, ...] = ("external", "station", "default")


class Judged(NamedTuple):
    """What came of a run."""

    changes: int
    wrong: list[str]


class Judge:
    """What was told to one station, and what it may still draw by what was told before."""

    def __init__(self, at_work: WorkingStation) -> None:
        self._at_work = at_work
        self.stack = Limits(GUNS)
        self._before: list[tuple[float, Limits]] = []
        """Until when a gun may not have obeyed yet what came after."""
        self._grace_s = (STATION.timing.offer_lead_ms + 2 * STATION.timing.scan_ms) / 1000
        self.wrong: list[str] = []

    def told(self, stack: Limits) -> None:
        self._before.append((self._at_work.unix_s() + self._grace_s, self.stack))
        self.stack = stack

    def restarted(self, killed_s: float) -> None:
        """A gun that was about to obey is told anew, and has its time for that."""
        until_s = self._at_work.unix_s() + self._grace_s
        self._before = [(until_s, stack) for end_s, stack in self._before if end_s >= killed_s]

    def look(self) -> None:
        """No more is offered than is in force, nor drawn than was within the lead time."""
        at_work, now_s = self._at_work, self._at_work.unix_s()
        offer_w = [vehicle.offer_w for vehicle in at_work.cabinet.vehicles]
        draw_w = [at_work.cabinet.draw_w(gun.id) for gun in STATION.guns]
        self._within(offer_w, [allowed(self.stack, {}, now_s)], "offered", now_s)
        standing = [self.stack, *(stack for end_s, stack in self._before if end_s >= now_s)]
        self._within(draw_w, [allowed(stack, {}, now_s) for stack in standing], "drawn", now_s)

    def _within(self, power_w: list[int], every: list[Allowed], what: str, now_s: float) -> None:
        def most(limits_w: Any) -> float:
            return max(float("inf") if limit_w is None else limit_w for limit_w in limits_w)

        if sum(power_w) > most(each.station_w for each in every):
            self.wrong.append(f"{now_s:.3f}: {sum(power_w)} W {what} together, {every}")
        for place, gun_w in enumerate(power_w):
            if gun_w > most(each.gun_w[place] for each in every):
                self.wrong.append(f"{now_s:.3f}: {gun_w} W {what} at gun {place + 1}, {every}")


def some_profile(draw: random.Random, now_s: int) -> Profile:
    gun = draw.choice([None, None, 1, 2])
    if draw.random() < 0.3:
        return always(draw.randint(0, 200) * 1000, gun)
    count = draw.randint(1, 4)
    starts_s = (0, *sorted(draw.sample(range(1, 12), count - 1)))
    purpose = draw.choice(FIRST[1:] if gun is None else ("external", "default"))
    return Profile(
        purpose,
        starts_s,
        tuple(draw.randint(0, 200) * 1000 for _ in starts_s),
        now_s + draw.randint(-5, 8),
        gun=gun,
        stack_level=draw.randint(0, 2),
        duration_s=draw.choice([float("inf"), draw.randint(6, 20)]),
    )


def play(seed: int, folder: Path, changes: int = 12) -> Judged:
    """So many changes of limits, demands and the process."""
    draw = random.Random(f"limits {seed}")
    with WorkingStation(STATION, seed=seed, faults_path=folder / f"faults-{seed}.json") as at_work:
        judge = Judge(at_work)
        at_work.ask({1: 160, 2: 160})
        for _ in range(changes):
            limits = at_work.controller.limits
            what = draw.random()
            if what < 0.6:
                profile = some_profile(draw, limits.now_s())
                if not profile.is_over(at_work.unix_s()):
                    limits.tell([profile])
                    judge.told(judge.stack.told(profile, at_work.unix_s()))
            elif what < 0.7:
                named = draw.choice([{}, {"stack_level": draw.randint(0, 2)}, {"gun": 1}])
                limits.clear(**named)
                judge.told(judge.stack.without(**named))
            elif what < 0.8:
                at_work.scan()  # so that it is on disk
                killed_s = at_work.unix_s()
                at_work.kill()
                at_work.start()
                judge.restarted(killed_s)
            else:
                at_work.ask({draw.randint(1, GUNS): draw.randint(0, 160)})
            at_work.go_on(
                draw.choice([0.1, draw.uniform(0, 2), draw.uniform(0, 8)]), each=judge.look
            )
        return Judged(changes, [f"seed {seed}: {one}" for one in (*judge.wrong, *at_work.bad())])
