"""Time is skipped only over scans that find nothing new, and not beyond what changes by itself."""

from collections.abc import Sequence
from typing import Any

import pytest
from stations import tables

from verified_alloc import allocate
from verified_alloc.control.next_deadline import Stillness, counting, moves
from verified_alloc.kernel import scan
from verified_alloc.kernel.deadline import LONG_MS
from verified_alloc.kernel.diagnosis import NOT_SO, Ages, Readings
from verified_alloc.kernel.latched import Latched
from verified_alloc.kernel.scan import Memory, Observed, Switched
from verified_alloc.kernel.switching import Writes
from verified_alloc.station.model import Station

SCAN_MS, SCRUB_SCANS = 20, 4
STATION = Station.from_tables(
    tables(station={"guns": 2, "modules": 2, "module_power_kw": 40, "gun_max_power_kw": 80})
)
BUILT = STATION.built
OFF = (False, False)
SOUND = Latched([OFF, OFF], [OFF, OFF], OFF, [OFF, OFF], [False], OFF, OFF, False, False, OFF, OFF)
READ = Readings(True, False, False, OFF, OFF, OFF)
REST: dict[str, Any] = {
    "observed": Observed([READ, READ], OFF, [True], [False], [True], [False], False, 0, SCAN_MS, 1),
    "switched": Switched([Writes(False, False, OFF), Writes(False, True, OFF)], OFF),
    "allocation": allocate(STATION, {}),
    "before": scan.restarted(BUILT, SOUND),
    "after": scan.restarted(BUILT, SOUND),
    "oddities": 0,
    "scans": 1,
    "done": True,
}
"""A scan in which nothing happens; no age runs towards anything."""


class Watched:
    """A station at rest, but for what is said of a scan."""

    def __init__(self) -> None:
        self.now_ms = 1000
        self._stillness = Stillness(BUILT, SCRUB_SCANS)

    def scan(self, after_ms: int = SCAN_MS, **changes: Any) -> int:
        """For how long it is quiet after this scan, ms."""
        self.now_ms += after_ms
        return self._stillness.until_ms(self.now_ms, **REST | changes) - self.now_ms

    def rests(self, **changes: Any) -> int:
        """So many scans until time may be skipped, which stays so as long as they are alike."""
        scans = 0
        while self.scan(**changes) == 0:
            scans += 1
        assert self.scan(**changes) == LONG_MS - SCAN_MS
        return scans


def at_rest() -> Watched:
    watched = Watched()
    watched.rests()
    return watched


def remembering(**changes: Any) -> dict[str, Any]:
    """The scan's memory, before and after, with that."""
    memory = REST["after"]._replace(**changes)
    return {"before": memory, "after": memory}


def test_it_is_quiet_once_every_chip_was_looked_over_in_calm() -> None:
    watched = Watched()
    assert [watched.scan() for _ in range(SCRUB_SCANS)] == [0, 0, 0, LONG_MS]


def test_skipped_scans_were_calm() -> None:
    watched = Watched()
    assert [watched.scan(scans=scans) for scans in (1, 2, 1)] == [0, 0, LONG_MS]


def test_every_chip_is_looked_over_anew_after_an_oddity_of_the_bus() -> None:
    watched = at_rest()
    assert watched.scan(oddities=1) == 0
    assert watched.rests(oddities=1) == SCRUB_SCANS - 1


CHANGES: dict[str, dict[str, Any]] = {
    "a reading": {
        "observed": REST["observed"]._replace(modules=[READ, READ._replace(reports_on=True)])
    },
    "the allocation": {"allocation": allocate(STATION, {2: 40})},
    "an offer": remembering(
        offers=[REST["after"].offers[0]._replace(offer_w=1), REST["after"].offers[1]]
    ),
    "a promise": remembering(
        offers=[REST["after"].offers[0], REST["after"].offers[1]._replace(promise_w=1)]
    ),
    "a stop": remembering(stop_ms=0),
    "an end": remembering(stopping_ms=0),
    "an enable line": remembering(enabled=[False, True]),
    "a fault": remembering(latched=SOUND._replace(dead=(False, True))),
}


@pytest.mark.parametrize("name", CHANGES)
def test_it_is_not_quiet_in_the_scan_that_changes(name: str) -> None:
    watched = at_rest()
    assert watched.scan(**CHANGES[name]) == 0
    assert watched.scan(**CHANGES[name]) > 0
    assert watched.scan() == 0
    assert watched.scan() == LONG_MS


SWITCHES = {
    "all was done": {"done": False},
    "a coil moves": {
        "switched": Switched([Writes(False, False, OFF), Writes(False, True, (True, False))], OFF)
    },
    "a silence is counted": {"after": REST["after"]._replace(silence=[4])},
}


@pytest.mark.parametrize("name", SWITCHES)
def test_it_is_not_quiet_while(name: str) -> None:
    watched = at_rest()
    for _ in range(2 * SCRUB_SCANS):
        assert watched.scan(**SWITCHES[name]) == 0


def test_what_only_ages_is_no_change() -> None:
    watched = at_rest()
    of = REST["after"]
    older = [each._replace(waited_ms=40) for each in of.offers]
    assert watched.scan(**remembering(offers=older)) > 0
    assert watched.scan(**remembering(stop_ms=0, stopping_ms=0)) == 0
    assert watched.scan(**remembering(stop_ms=20, stopping_ms=20)) > 0


def test_it_is_quiet_until_an_age_comes_to_its_time_whenever_it_is_asked() -> None:
    """Ages grow with the time: the deadline stands until it is reached, and then there is the next
    one."""
    watched, fed = at_rest(), remembering(fed_ms=[100, NOT_SO])
    left_ms = BUILT.minimum_dwell_ms - 100
    watched.scan(after_ms=0, done=False)
    assert watched.scan(**fed) == left_ms
    assert watched.scan(after_ms=left_ms - 1, **fed) == 1
    assert watched.scan(after_ms=1, **fed) == left_ms
    assert watched.scan(after_ms=left_ms + 1, **fed) == left_ms


WRITES = Writes(enable=False, may_switch=True, coils=(True, False))


@pytest.mark.parametrize(
    ("write", "latch", "moved"),
    [
        (WRITES, (True, False), False),
        (WRITES, [True, False], False),
        (WRITES, (False, False), True),
        (WRITES._replace(may_switch=False), (False, False), False),
        (WRITES._replace(may_switch=False, enable=True), (False, False), False),
        (WRITES._replace(coils=OFF), (True, True), True),
    ],
)
def test_a_coil_moves_where_it_may_and_shall(
    write: Writes, latch: tuple[bool, ...], moved: bool
) -> None:
    still = Writes(enable=True, may_switch=True, coils=OFF)
    for place in range(2):
        writes, readings = [still, still], [READ, READ]
        writes[place] = write
        readings[place] = READ._replace(latch=latch, closed=(True, False))
        observed = REST["observed"]._replace(modules=readings)
        assert moves(observed, Switched(writes, OFF)) == moved


AGES = REST["after"].ages[0]._replace(mismatch=(4, 4), settled_ms=(0, 0), latch=(True, False))


def remembered(silence: Sequence[int], ages: Ages) -> Memory:
    """With a second module, of which nothing changes."""
    memory: Memory = REST["after"]
    return memory._replace(silence=silence, ages=[AGES, ages, AGES])


@pytest.mark.parametrize(
    ("silence", "ages", "counted"),
    [
        ((4, 4), AGES, False),
        ((4, 3), AGES, False),
        ((4, 8), AGES, True),
        ((0, 8), AGES, True),
        ((4, 4), AGES._replace(mismatch=(3, 4)), False),
        ((4, 4), AGES._replace(mismatch=(3, 8)), True),
        ((4, 4), AGES._replace(latch=[True, False]), False),
        ((4, 4), AGES._replace(latch=(True, True)), True),
        ((4, 4), AGES._replace(settled_ms=(20, 20)), False),
    ],
)
def test_a_count_that_rises_may_latch_soon(
    silence: Sequence[int], ages: Ages, counted: bool
) -> None:
    before, after = remembered((4, 4), AGES), remembered(silence, ages)
    assert counting(before, after) == counted
