"""Limits at work: each row tells something, and what counts is what the scan and the cabinet show;
with restarts, clocks that are set, and senders that fall silent."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from control.test_wall_clock import NOON_S, Clocks
from sweep.stations import REFERENCE
from sweep.working_station import WorkingStation

from verified_alloc.control.limits_file import LimitsFile, beside
from verified_alloc.control.standing_limits import StandingLimits
from verified_alloc.decide.limits.profile import Profile, always
from verified_alloc.decide.limits.store import Session
from verified_alloc.errors import BadInput
from verified_alloc.station.model import Station
from verified_alloc.station.parts import LimitsConfig
from verified_alloc.whole_file import AtOnce

HOUR_S, DAY_S = 3600, 86_400
NOBODY = (0,) * 6
FAILSAFE = replace(
    REFERENCE, limits=LimitsConfig(failsafe_w=60_000, failsafe_after_s=30, failsafe_for_s=100)
)


class Desk:
    """The limits of a process that starts, is told, and is killed; the clocks are in hand."""

    def __init__(self, clocks: Clocks, path: Path, station: Station = REFERENCE) -> None:
        self.clocks, self.path, self.station = clocks, path, station
        self.reported: list[str] = []
        self.start()

    def start(self) -> None:
        self.limits = StandingLimits(
            self.station,
            LimitsFile(self.path, self.clocks.unix_s),
            self.reported.append,
            AtOnce(),
            self.clocks.wall,
        )

    def tell(self, *told: Profile) -> None:
        self.limits.tell(told)
        self.in_force()
        assert self.limits.settled

    def in_force(self, asked_w: tuple[int, ...] = NOBODY) -> int | None:
        return self.limits.at(asked_w).station_w

    def after(self, passes_s: float, *asked_w: int) -> int | None:
        self.clocks.now_s += passes_s
        return self.in_force((*asked_w, *NOBODY[len(asked_w) :]))


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


@pytest.fixture
def desk(clocks: Clocks, tmp_path: Path) -> Desk:
    return Desk(clocks, tmp_path / "limits.json")


def absolute(*limits_w: int, start_s: float = NOON_S, each_s: int = 60, **what: Any) -> Profile:
    starts_s = tuple(each_s * place for place in range(len(limits_w)))
    return Profile("station", starts_s, limits_w, int(start_s))._replace(**what)


def from_now(desk: Desk, limit_w: int, duration_s: int) -> Profile:
    start_s = desk.limits.now_s()
    return absolute(limit_w, start_s=start_s, duration_s=duration_s, from_told=True)


# The table.


def test_a_limit_holds_through_kill_9(tmp_path: Path) -> None:
    with WorkingStation(REFERENCE, faults_path=tmp_path / "faults") as at_work:
        at_work.ask({1: 240, 2: 240})
        at_work.limit(100_000)
        at_work.go_on(6)
        assert sum(at_work.offers_kw().values()) == 100
        at_work.kill()
        at_work.start()
        told_w = []
        at_work.go_on(20, each=lambda: told_w.append(sum(at_work.offers_kw().values())))
        assert max(told_w) == 100
        assert not at_work.bad()


def test_a_higher_level_that_is_over_leaves_the_lower_one(desk: Desk) -> None:
    desk.tell(absolute(120_000))
    desk.tell(absolute(60_000, stack_level=1, duration_s=8))
    assert desk.in_force() == 60_000
    assert desk.after(8) == 120_000
    assert [each.stack_level for each in desk.limits.profiles] == [0]


def test_one_that_starts_later_leaves_the_old_one_until_then(desk: Desk) -> None:
    desk.tell(absolute(100_000))
    desk.tell(absolute(150_000, start_s=NOON_S + 10))
    assert desk.after(9.9) == 100_000
    assert desk.after(0.2) == 150_000


def test_one_that_is_over_is_refused_and_changes_nothing(desk: Desk) -> None:
    desk.tell(absolute(100_000))
    for over in (
        absolute(50_000, start_s=NOON_S - 100, duration_s=60),
        absolute(50_000, to_s=NOON_S),
    ):
        with pytest.raises(BadInput, match="the profile is over: allowed is one"):
            desk.limits.tell([over])
    assert desk.in_force() == 100_000


def test_a_lower_limit_to_come_is_offered_in_time() -> None:
    """Whatever is in force, all guns together have never been offered more for a lead time."""
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 240})
        start_s = at_work.controller.limits.now_s()
        at_work.controller.limits.tell([absolute(200_000, 80_000, start_s=start_s, each_s=20)])
        at_work.go_on(30)
        [fell_ms] = [at_ms for at_ms, _, offer_w in at_work.told if offer_w == 80_000]
        change_ms = 20_000 - 1000 * (at_work.unix_s() - at_work.now_ms / 1000 - start_s)
        assert 0 <= change_ms - 2 * REFERENCE.timing.offer_lead_ms - fell_ms <= 100


def test_the_limit_of_a_gun_caps_that_gun_and_says_so() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 240, 2: 120})
        at_work.controller.limits.tell([always(50_000, gun=1)])
        at_work.go_on(10)
        assert at_work.offers_kw() == {1: 50, 2: 120, 3: 0, 4: 0, 5: 0, 6: 0}
        assert at_work.state.inputs.limited == (1,)
        assert len(at_work.live[1]) == 2
        at_work.controller.limits.tell([always(0, gun=1)])
        at_work.go_on(10)
        assert at_work.offers_kw()[1] == 0
        assert not at_work.bad()


# Sessions.


def default(limits_w: tuple[int, ...], each_s: int) -> Profile:
    starts_s = tuple(each_s * place for place in range(len(limits_w)))
    return Profile("default", starts_s, limits_w, None)


def test_a_relative_limit_counts_from_the_first_demand_and_through_a_restart(desk: Desk) -> None:
    desk.tell(default((50_000, 20_000), 300))
    desk.after(100, 40_000)
    desk.after(200, 40_000)
    desk.start()
    desk.after(50, 40_000)
    assert desk.limits.at((40_000, *NOBODY[1:])).gun_w == (50_000, *(None,) * 5)
    desk.after(50, 40_000)
    assert desk.limits.at((40_000, *NOBODY[1:])).gun_w[0] == 20_000
    desk.after(59, 0)
    assert desk.limits.standing().sessions
    desk.after(2, 0)
    assert not desk.limits.standing().sessions


def of_session(limit_w: int, gun: int | None = 1, **what: Any) -> Profile:
    return Profile("session", (0,), (limit_w,), None, gun=gun)._replace(**what)


def test_a_sessions_limit_needs_a_session_and_ends_with_it(desk: Desk) -> None:
    for profile, whose in ((of_session(9_000), "gun 1"), (of_session(9_000, None), "no gun")):
        with pytest.raises(BadInput, match=f"a session's limit for {whose}: allowed is one for"):
            desk.limits.tell([profile])
    desk.after(1, 40_000)
    desk.tell(of_session(9_000))
    assert desk.limits.at((40_000, *NOBODY[1:])).gun_w[0] == 9_000
    desk.after(61)
    assert desk.limits.profiles == ()


def test_another_transaction_is_another_session(desk: Desk) -> None:
    desk.after(1, 40_000)
    desk.tell(of_session(9_000, transaction="a"))
    began = desk.limits.standing().sessions[1]
    assert began == Session(int(NOON_S) + 1, "a")
    desk.after(10, 40_000)
    desk.tell(of_session(8_000, transaction="a", stack_level=1))
    assert desk.limits.standing().sessions[1] == began
    desk.tell(of_session(7_000, transaction="b"))
    assert desk.limits.standing().sessions[1] == Session(int(NOON_S) + 11, "b")
    assert [each.transaction for each in desk.limits.profiles] == ["b"]


# The file.


def test_what_was_told_is_there_after_the_restart_and_what_is_over_is_not(desk: Desk) -> None:
    stack = [
        always(100_000),
        always(7_000, gun=2),
        absolute(60_000, 50_000, stack_level=2, every_s=DAY_S, id=7, from_s=NOON_S - 5),
        absolute(40_000, stack_level=3, duration_s=50),
    ]
    desk.tell(*stack)
    desk.start()
    assert desk.limits.profiles == tuple(stack)
    desk.after(60)
    desk.start()
    assert desk.limits.profiles == tuple(stack[:3])
    desk.limits.clear(gun=2)
    desk.limits.clear(purpose="station")
    desk.in_force()
    desk.start()
    assert desk.limits.profiles == tuple(stack[:1])


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        '{"version": 2}',
        "\x00" * 100,
        json.dumps({"profiles": [{"purpose": "station"}]}),
    ],
)
@pytest.mark.parametrize(("station", "value_w"), [(REFERENCE, 0), (FAILSAFE, 60_000)])
def test_a_damaged_file_is_the_failsafe_value_until_a_site_limit_is_told(
    clocks: Clocks, tmp_path: Path, damage: str, station: Station, value_w: int
) -> None:
    path = tmp_path / "limits.json"
    path.write_text(damage)
    desk = Desk(clocks, path, station)
    assert desk.in_force() == value_w
    [said] = desk.reported
    assert "limits.json: is damaged, what was told is not known" in said
    assert (tmp_path / "limits.json.damaged").read_text() == damage
    desk.start()
    assert desk.in_force() == value_w
    desk.tell(always(7_000, gun=1))
    assert desk.in_force() == value_w
    desk.tell(always(200_000))
    assert desk.in_force() == 200_000
    desk.start()
    assert desk.in_force() == 200_000


def test_every_single_wrong_field_of_the_file_is_damage(desk: Desk) -> None:
    desk.tell(absolute(40_000, 30_000))
    sound = json.loads(desk.path.read_text())
    for change in (
        {"starts_s": [0]},
        {"starts_s": [1, 60]},
        {"limits_w": [-1, 5]},
        {"limits_w": [True, 5]},
        {"purpose": "nothing"},
        {"unknown": 1},
    ):
        profile = sound["profiles"][0] | change
        desk.path.write_text(json.dumps(sound | {"profiles": [profile]}))
        assert LimitsFile(desk.path, desk.clocks.unix_s).load().failsafe == "damaged", change


@pytest.mark.parametrize("lost", ["file", "folder"])
def test_a_file_that_is_gone_or_cannot_be_read_is_told(desk: Desk, lost: str) -> None:
    desk.tell(always(100_000))
    desk.tell(always(90_000))
    desk.path.unlink()
    if lost == "folder":
        desk.path.mkdir()
    desk.start()
    assert desk.in_force() == 0
    assert "what was told is not known; limits: " in desk.reported[0]


def test_a_disk_that_refuses_is_told_and_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = desk.path.with_name("limits.json.new")
    refusing.mkdir()
    desk.limits.tell([always(100_000)])
    assert desk.in_force() == 100_000
    assert desk.limits.settled
    assert "what is told is in memory only until it takes it" in desk.reported[0]
    refusing.rmdir()
    desk.after(2)
    assert desk.reported[1].endswith("limits.json: takes what is told again")
    desk.start()
    assert desk.in_force() == 100_000


def test_too_many_are_refused(desk: Desk) -> None:
    most = absolute(*range(1000), each_s=1)
    for level in range(5):
        desk.tell(most._replace(stack_level=level))
    with pytest.raises(BadInput, match="6 limits with 6000 periods: allowed are 200 and 5000"):
        desk.limits.tell([most._replace(stack_level=5)])
    assert len(desk.limits.profiles) == 5
    desk.limits.clear()
    for level in range(200):
        desk.tell(absolute(5, stack_level=level))
    with pytest.raises(BadInput, match="201 limits with 201 periods: allowed are 200 and 5000"):
        desk.limits.tell([absolute(5, stack_level=200)])
    assert len(desk.limits.profiles) == 200


# Clocks.


@pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S, 10 * HOUR_S, -10 * HOUR_S])
def test_a_jump_of_the_clock_drops_no_limit(desk: Desk, by_s: float) -> None:
    """For an hour the lower counts of what both times say."""
    desk.tell(absolute(100_000, start_s=NOON_S - 60, duration_s=7200))
    assert desk.in_force() == 100_000
    desk.clocks.set_s = by_s
    assert desk.in_force() == 100_000
    assert desk.after(HOUR_S - 2) == 100_000


@pytest.mark.parametrize("by_s", [10 * HOUR_S, -10 * HOUR_S])
def test_what_began_when_it_was_told_lasts_as_long_as_it_says(desk: Desk, by_s: float) -> None:
    desk.tell(from_now(desk, 100_000, 7200))
    desk.clocks.set_s = by_s
    assert desk.in_force() == 100_000
    assert desk.after(7200 - 3) == 100_000
    assert desk.after(5) is None


def test_before_the_clock_is_set_what_has_a_date_counts_as_its_lowest(
    clocks: Clocks, tmp_path: Path
) -> None:
    clocks.synchronised = False
    desk = Desk(clocks, tmp_path / "limits.json")
    desk.tell(absolute(200_000, 90_000, 150_000, start_s=NOON_S + 10 * DAY_S))
    assert desk.in_force() == 90_000
    assert desk.limits.alarms == [
        "the clock has not been set: of limits with a date the lowest value counts"
    ]
    desk.tell(always(80_000))
    assert desk.in_force() == 80_000
    desk.limits.clear(purpose="external")
    clocks.set_s, clocks.synchronised = 10 * DAY_S, True
    assert desk.after(1) == 200_000
    assert desk.limits.alarms == []


def test_ntp_that_comes_late_after_a_power_cut(desk: Desk) -> None:
    """No battery keeps the clock: it shows an hour long past, until somebody sets it."""
    desk.tell(absolute(200_000, 90_000, each_s=HOUR_S, stack_level=1))
    desk.tell(from_now(desk, 150_000, HOUR_S)._replace(stack_level=2))
    desk.clocks.set_s, desk.clocks.synchronised = -30 * DAY_S, False
    desk.start()
    assert desk.in_force() == 90_000
    assert len(desk.limits.profiles) == 2  # nothing is thrown away by a clock that nobody trusts
    desk.clocks.set_s, desk.clocks.synchronised = 1800, True  # so long it was off
    assert desk.after(10) == 150_000
    assert desk.after(1800) == 90_000


def test_what_began_by_a_clock_that_was_not_set_begins_again_with_the_process(
    clocks: Clocks, tmp_path: Path
) -> None:
    clocks.synchronised = False
    desk = Desk(clocks, tmp_path / "limits.json")
    desk.tell(from_now(desk, 100_000, HOUR_S))
    clocks.set_s = -5 * DAY_S
    desk.start()
    clocks.set_s, clocks.synchronised = 7 * DAY_S, True
    assert desk.after(10) == 100_000
    assert desk.after(HOUR_S) is None


# Senders that fall silent.


@pytest.fixture
def guarded(clocks: Clocks, tmp_path: Path) -> Desk:
    return Desk(clocks, tmp_path / "limits.json", FAILSAFE)


def test_a_silent_sender_is_the_failsafe_value_until_one_tells_a_limit(guarded: Desk) -> None:
    guarded.tell(always(200_000))
    assert guarded.after(29) == 200_000
    assert guarded.after(1) == 60_000
    said = "limits: nobody has told any for 30 s; the failsafe value counts, 60 kW"
    assert guarded.reported == guarded.limits.alarms == [said]
    assert guarded.after(10_000) == 60_000
    guarded.tell(always(150_000))
    assert guarded.in_force() == 150_000


def test_a_heartbeat_alone_ends_it_after_its_time_only(guarded: Desk) -> None:
    guarded.tell(always(200_000))
    guarded.after(30)
    for _ in range(10):
        assert guarded.after(9.9) == 60_000
        guarded.limits.heard()
    assert guarded.after(1) == 200_000
    assert guarded.reported[1:] == ["limits: somebody is there again; what was told counts"]


def test_heartbeats_keep_what_was_told(guarded: Desk) -> None:
    guarded.tell(always(200_000))
    for beat in range(20):
        assert guarded.after(29) == 200_000
        if beat % 2:
            guarded.limits.heard()
        else:
            with pytest.raises(BadInput):
                guarded.limits.tell([absolute(5, to_s=NOON_S)])


def test_silence_outlives_the_process(guarded: Desk) -> None:
    guarded.tell(always(200_000))
    guarded.after(30)
    guarded.start()
    assert guarded.in_force() == 60_000
    assert guarded.after(200) == 60_000
    guarded.limits.heard()
    assert guarded.after(1) == 200_000


def test_nobody_who_never_told_anything_is_the_failsafe_value_too(guarded: Desk) -> None:
    assert guarded.in_force() is None
    assert guarded.after(30) == 60_000


def test_without_a_failsafe_value_what_was_told_counts_for_ever(desk: Desk) -> None:
    desk.tell(always(200_000))
    assert desk.after(100 * DAY_S) == 200_000


def test_quiet_time_ends_with_the_next_change() -> None:
    with WorkingStation(FAILSAFE) as at_work:
        at_work.ask({1: 40})
        at_work.go_on(20)
        at_work.limit(200_000)
        at_work.go_on(8)
        assert at_work.state.inputs.site_limit_w == 200_000
        assert at_work.go_on(31, until=lambda: at_work.state.inputs.site_limit_w == 60_000)


def test_where_it_is_kept() -> None:
    assert beside(Path("/var/lib/faults.json")) == Path("/var/lib/faults.limits.json")


def test_what_others_draw_is_kept_rounded_up_and_rarely_written(desk: Desk) -> None:
    desk.tell(always(200_000))
    desk.limits.heard(12_500)
    assert desk.in_force() == 187_500
    written = desk.path.read_text()
    desk.limits.heard(19_000)
    assert desk.in_force() == 181_000
    assert desk.path.read_text() == written
    desk.start()
    assert desk.in_force() == 180_000
