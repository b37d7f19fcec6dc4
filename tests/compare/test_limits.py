"""A replay keeps to a schedule of limits, whatever the file that tells it."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace as changed
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from stations import stations
from workload.some_sessions import MINUTE_MS, MONDAY_MS, session, sessions_for

from verified_alloc import cli
from verified_alloc.commands.limit_file import schedule_of
from verified_alloc.compare import metrics, plots
from verified_alloc.compare import replay as replaying
from verified_alloc.compare.demand_source import DAY_MS
from verified_alloc.compare.limit_schedule import Change, Limiting, LimitSchedule
from verified_alloc.compare.replay import replay
from verified_alloc.compare.timeline import Recorder
from verified_alloc.decide.limits.profile import always
from verified_alloc.decide.limits.store import Limits
from verified_alloc.errors import BadInput
from verified_alloc.station.model import Station
from verified_alloc.workload.sessions import Session

ROOT = Path(__file__).parents[2]
REFERENCE = Station.reference()
MONDAY_S = MONDAY_MS // 1000


def stepped(steps: Sequence[tuple[int, int]]) -> LimitSchedule:
    """From so many s after Monday on, so many W."""
    first_s = steps[0][0]
    return LimitSchedule(
        Limits(
            0,
            (
                always(0)._replace(
                    start_s=MONDAY_S + first_s,
                    starts_s=tuple(at_s - first_s for at_s, _ in steps),
                    limits_w=tuple(limit_w for _, limit_w in steps),
                ),
            ),
        )
    )


STEPS = st.dictionaries(st.integers(0, 3600), st.integers(0, 400_000), min_size=1, max_size=12).map(
    lambda steps: sorted(steps.items())
)


class Meter:
    """What all guns drew together, and when."""

    def __init__(self) -> None:
        self.drawn: list[tuple[int, int, int]] = []

    def __call__(self, guns: int, modules: int, window_ms: tuple[int, int]) -> Recorder:
        drawn = self.drawn

        class Metered(Recorder):
            def pass_time(
                self, from_ms: int, to_ms: int, draw_w: Sequence[int], live_on: Sequence[int]
            ) -> None:
                drawn.append((from_ms, to_ms, sum(draw_w)))

        return Metered(guns, modules, window_ms)


def drawn_by(station: Station, cars: list[Session], **options: Any) -> list[tuple[int, int, int]]:
    meter = Meter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replaying, "Recorder", meter)
        replay(station, cars, window_ms=(MONDAY_MS, MONDAY_MS + DAY_MS), **options)
    return meter.drawn


# Replays ------------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_nothing_above_the_limit_is_ever_drawn(data: st.DataObject) -> None:
    """Added up apart from the replay, in every moment between two changes, on the grid of scans or
    off it."""
    station = data.draw(stations())
    scan_ms = data.draw(st.sampled_from([station.timing.scan_ms, 70]))
    station = changed(station, timing=changed(station.timing, scan_ms=scan_ms))
    cars = data.draw(sessions_for(station))
    steps = data.draw(STEPS)
    policy = data.draw(st.sampled_from(["documented", "documented", "fair"]))
    assume(policy == "fair" or not station.policy.minimum_modules)
    drawn = drawn_by(station, cars, policy=policy, limits=stepped(steps))
    ends_s = [*(at_s for at_s, _ in steps[1:]), 10**6]
    for (at_s, limit_w), end_s in zip(steps, ends_s, strict=True):
        from_ms, to_ms = MONDAY_MS + at_s * 1000, MONDAY_MS + end_s * 1000
        under = [w for began_ms, ended_ms, w in drawn if began_ms < to_ms and ended_ms > from_ms]
        assert max(under, default=0) <= min(limit_w, station.limit_w)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_limit_that_stays_is_the_site_limit(data: st.DataObject) -> None:
    free = data.draw(stations()).limited(None)
    cars = data.draw(sessions_for(free))
    limit_w = data.draw(st.integers(0, 1_000_000))
    under_it = replay(free, cars, limits=stepped([(-1, limit_w)]))
    built_so = replay(free.limited(limit_w), cars)
    unlike = {"decisions": 0, "decided": 0}  # a station without its limit decides once before
    assert changed(under_it, **unlike) == changed(built_so, **unlike)


def test_when_a_limit_binds() -> None:
    """240 kW are asked for half an hour, and ten minutes of it 60 kW allowed."""
    car = session(0, 30, 1000, 240, gun=1)
    limits = stepped([(600, 60_000), (1200, 500_000)])
    told = replay(REFERENCE, [car], limits=limits, patience_percent=0)
    assert metrics.limiting_share(told) == pytest.approx(1 / 3)
    assert told.limiting_mj == pytest.approx(60_000 * 600_000, rel=0.001)
    assert metrics.limiting_energy_share(told) == pytest.approx(
        600 / (4 * 600 + 600 + 4 * 600), 0.1
    )
    free = replay(REFERENCE, [car], patience_percent=0)
    assert metrics.limiting_share(free) is None
    assert metrics.limiting_energy_share(free) is None
    assert free.delivered_mj > told.delivered_mj
    own = replay(REFERENCE.limited(60_000), [car], patience_percent=0)
    assert metrics.limiting_share(own) == 1


def test_a_limit_that_repeats_does_not_keep_a_replay_from_its_end() -> None:
    daily = always(50_000)._replace(duration_s=3600, every_s=86_400)
    told = replay(REFERENCE, [session(10, 10, 5, 50)], limits=LimitSchedule(Limits(0, (daily,))))
    assert told.duration_ms == DAY_MS


@given(STEPS, st.integers(0, 600), st.lists(st.integers(0, 4000)))
def test_a_fall_is_told_ahead(
    steps: list[tuple[int, int]], ahead_s: int, looks_s: list[int]
) -> None:
    """Second by second: the lowest from then on for so long; never later than it says."""
    limiting = Limiting(stepped(steps), MONDAY_MS, ahead_s * 1000)

    def at(now_s: int) -> int | None:
        return next((limit_w for at_s, limit_w in reversed(steps) if at_s <= now_s), None)

    next_ms = limiting.next_ms
    before: tuple[int | None, int | None] | None = None
    for now_s in sorted({0, *looks_s, *(s for s, _ in steps), *(s - ahead_s for s, _ in steps)}):
        if now_s < 0:
            continue
        now_ms = MONDAY_MS + now_s * 1000
        coming = [at(s) for s in (now_s, *(s for s, _ in steps if now_s < s <= now_s + ahead_s))]
        lowest = min((limit_w for limit_w in coming if limit_w is not None), default=None)
        if now_ms < next_ms and before is not None:
            assert before == (at(now_s), lowest)
        limiting.advance(now_ms)
        assert (limiting.now_w, limiting.told_w) == (at(now_s), lowest)
        before, next_ms = (limiting.now_w, limiting.told_w), limiting.next_ms
        assert next_ms > now_ms


# Files --------------------------------------------------------------------------------------


def read(
    tmp_path: Path, text: str, zone: str | None = None, starts_ms: int | None = MONDAY_MS, **of: Any
) -> list[tuple[int, int | None]]:
    """The changes in minutes of the replay, those that change nothing left out."""
    path = tmp_path / "limits"
    path.write_text(text)
    schedule = schedule_of(str(path), zone, of.pop("station", REFERENCE), starts_ms, **of)
    from_ms = starts_ms or 0
    found = schedule.within((from_ms, from_ms + 3 * DAY_MS), None)
    told = [found[0], *(each for last, each in pairwise(found) if last[1] != each[1])]
    return [((at_ms - from_ms) // MINUTE_MS, limit_w) for at_ms, limit_w in told]


def profile(*periods: tuple[int, float], **keys: Any) -> dict[str, Any]:
    schedule = {
        "chargingRateUnit": keys.pop("unit", "W"),
        "chargingSchedulePeriod": [{"startPeriod": s, "limit": limit} for s, limit in periods],
    }
    schedule |= {key: keys.pop(key) for key in ("startSchedule", "duration") if key in keys}
    return {
        "chargingProfilePurpose": "ChargePointMaxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
    } | keys


FREE_TILL_TEN = [(0, None), (600, 100_500), (660, 20_000), (720, None)]


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Asia/Tokyo", "time,limit_kw\n2024-01-01 10:00,100.5\n2024-01-01 11:00,20\n20240101T12,"),
        (
            "Europe/Berlin",
            "time,limit_kw\n2024-01-01T09:00Z,100.5\n2024-01-01T11:00+01:00,20\n"
            "2024-01-01T13:00:00+02:00,\n",
        ),
        (
            "Europe/Berlin",
            json.dumps(
                profile(
                    (0, 100_500),
                    (3600, 20_000),
                    startSchedule="2024-01-01T09:00:00Z",
                    duration=7200,
                )
            ),
        ),
        (
            "UTC",
            json.dumps(
                [
                    {"limit_kw": 100.5} | {"profile": None},
                    {"profile": profile((0, 20_000), startSchedule="2024-01-01T11:00:00Z")},
                ]
            ),
        ),
    ],
)
def test_csv_and_json_agree(zone: str, text: str, tmp_path: Path) -> None:
    expected = FREE_TILL_TEN
    if "limit_kw" in text and text.startswith("["):  # a value counts until it is told otherwise
        expected = [(0, 100_500), (660, 20_000)]
    assert read(tmp_path, text, zone) == expected


def test_what_is_told_once_begins_with_the_replay(tmp_path: Path) -> None:
    text = json.dumps(profile((0, 30_000), (60, 10_000), duration=120))
    assert read(tmp_path, text, "Asia/Tokyo") == [(0, 30_000), (1, 10_000), (2, None)]
    assert read(tmp_path, text, "Asia/Tokyo", None) == [(0, 30_000), (1, 10_000), (2, None)]


def test_stacked_profiles_and_every_day(tmp_path: Path) -> None:
    daily = {"chargingProfileKind": "Recurring", "recurrencyKind": "Daily"}
    peak = profile((0, 10), startSchedule="2023-06-01T17:00:00Z", duration=3600, **daily)
    both = json.dumps([profile((0, 90_000)), peak | {"stackLevel": 1}])
    evenings = [(day * 1440 + at, w) for day in range(3) for at, w in ((1020, 10), (1080, 90_000))]
    assert read(tmp_path, both, "UTC") == [(0, 90_000), *evenings]


def test_amperes_are_those_of_the_station(tmp_path: Path) -> None:
    tables = REFERENCE.to_tables() | {"site": {"voltage_v": 230, "phases": 3}}
    text = json.dumps(profile((0, 100), unit="A"))
    station = Station.from_tables(tables)
    assert read(tmp_path, text, station=station) == [(0, 69_000)]


def test_demands_count_from_their_start(tmp_path: Path) -> None:
    assert read(tmp_path, "time_s,limit_kw\n60,5\n3e2,\n", None, None) == [
        (0, None), (1, 5000), (5, None)
    ]  # fmt: skip


def test_a_journal_knows_the_time(tmp_path: Path) -> None:
    """It starts at five past noon in Berlin."""
    started_ms = MONDAY_MS + (11 * 60 + 5) * MINUTE_MS
    for text in (
        "time,limit_kw\n2024-01-01 12:10,5\n2024-01-01 13:00,\n",
        "time,limit_kw\n2024-01-01 11:10Z,5\n2024-01-01 12:00Z,\n",
        json.dumps(profile((0, 5000), startSchedule="2024-01-01T11:10:00Z", duration=3000)),
    ):
        told = read(tmp_path, text, "Europe/Berlin", 0, journal_unix_ms=started_ms)
        assert told == [(0, None), (5, 5000), (55, None)]


@pytest.mark.parametrize(("month", "day", "utc_hour"), [(3, 31, 1), (10, 27, 1)])
def test_the_nights_in_which_clocks_are_set(
    month: int, day: int, utc_hour: int, tmp_path: Path
) -> None:
    """Every quarter of an hour by UTC another limit: none is told before the one that it follows,
    and from three o'clock on each is where a clock in Berlin shows it."""
    rows = [f"2024-{month:02}-{day:02}T{q // 4:02}:{q % 4 * 15:02}Z,{q + 1}" for q in range(40)]
    (tmp_path / "limits.csv").write_text("\n".join(["time,limit_kw", *rows]))
    schedule = schedule_of(str(tmp_path / "limits.csv"), "Europe/Berlin", REFERENCE, MONDAY_MS)
    midnight_ms = MONDAY_MS + (90 if month == 3 else 300) * DAY_MS
    told: list[Change] = list(schedule.changes(midnight_ms))
    assert all(one[0] <= other[0] for one, other in pairwise(told))
    hours_ahead = 2 if month == 3 else 1
    last = dict(told)
    for quarter in range(4 * utc_hour + 4, 40):
        at_ms = midnight_ms + (quarter + 4 * hours_ahead) * 15 * MINUTE_MS
        assert last[at_ms] == (quarter + 1) * 1000


CSV = "time,limit_kw\n"
BAD = [
    ("", "line 1: the header is ''; allowed: time,limit_kw"),
    ("<html>", "line 1: the header is '<html>'; allowed: time,limit_kw"),
    ("time_s,limit_kw\n", "line 1: the header is 'time_s,limit_kw'; allowed: time,limit_kw"),
    (CSV, "no row after the header; allowed: at least one row of time,limit_kw"),
    (CSV + "2024-01-01 08:00\n", "line 2: 1 columns; allowed: 2, time,limit_kw"),
    (CSV + "noon,5\n", "line 2, time: 'noon'; allowed: a time in whole seconds, 2022-04-12"),
    (CSV + "1969-12-31 08:00,5\n", "line 2, time: '1969-12-31 08:00'; allowed: a time"),
    (CSV + "2024-01-01 08:00:00.5,5\n", "line 2, time: '2024-01-01 08:00:00.5'; allowed: a time"),
    (
        CSV + "2024-01-01 08:00,5\n2024-01-01 08:00,6\n",
        "line 3, time: '2024-01-01 08:00'; allowed:",
    ),
    (CSV + "2024-01-01 08:00,5\n2024-01-01 09:00Z,\n", "allowed: an offset in every row, or in"),
    (CSV + "2024-01-01 08:00,-5\n", "line 2, limit_kw: '-5'; allowed: a finite number >= 0"),
    (CSV + "2024-01-01 08:00,none\n", "line 2, limit_kw: 'none'; allowed: a finite number >= 0"),
    ('{\n"a": }', "line 2: not JSON (Expecting value); allowed: an OCPP charging profile, or"),
    ("[" * 100_000, "not JSON; allowed: an OCPP charging profile, or a list of them"),
    ("[5]", "entry 1: limit = 5: "),
    ("{}", "allowed is exactly one of limit_kw, profile, csChargingProfiles"),
    (json.dumps({"limit_kw": 5, "gun": 2}), "gun = 2: allowed is a limit of all guns together"),
    (json.dumps(profile((0, -1))), "limit = -1: "),
    (json.dumps(profile((0, 1), unit="kW")), "profile.chargingSchedule.chargingRateUnit = 'kW': "),
    (json.dumps(profile((0, 1), unit="A")), "chargingRateUnit = 'A': allowed is W"),
    (
        json.dumps(profile((0, 1), startSchedule="8:00")),
        "startSchedule = '8:00': allowed is a time",
    ),
    (
        json.dumps(profile((0, 1), chargingProfilePurpose="TxDefaultProfile")),
        "chargingProfilePurpose = 'TxDefaultProfile': allowed is one for all guns together",
    ),
    (json.dumps([{"limit_kw": 1}, {"limit_kw": -1}]), "entry 2: limit_kw = -1: "),
]


@pytest.mark.parametrize(("text", "told"), BAD, ids=[text[:40] for text, _ in BAD])
def test_a_bad_file_is_told_in_a_line(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        read(tmp_path, text)
    assert str(refused.value).startswith(str(tmp_path / "limits"))
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CSV, "allowed: time_s,limit_kw: a demand trace has no date"),
        ("time_s,limit_kw\n0.5,1", "line 2, time_s: '0.5'; allowed: whole seconds"),
        ("time_s,limit_kw\n-1,1", "line 2, time_s: '-1'; allowed: a finite number"),
    ],
)
def test_a_bad_file_for_demands(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=re.escape(told)):
        read(tmp_path, text, starts_ms=None)


# Commands -----------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What docs/compare.md shows, and sessions, at home."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
    (csv,) = re.findall(r"^```csv\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    (told,) = re.findall(r"^```json\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "limits.csv").write_text(csv)
    (tmp_path / "profile.json").write_text(told)
    (tmp_path / "sessions.csv").write_text(
        "arrival,departure,energy_kwh,max_power_kw\n"
        + "".join(
            f"2024-01-01 17:{at}:00,2024-01-01 18:{at}:00,60,240\n" for at in range(10, 50, 5)
        )
    )
    return tmp_path


def told_by(argv: Sequence[str], capsys: pytest.CaptureFixture[str]) -> Any:
    assert cli.main([*argv, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_files_of_the_documentation_say_the_same(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare = ["compare", "sessions.csv", "--policies", "documented"]
    (free,) = told_by(compare, capsys)["results"]
    told = told_by([*compare, "--limits", "limits.csv"], capsys)
    by_profile = ["--limits", "profile.json", "--zone", "Europe/Berlin"]
    (other,) = told_by([*compare, *by_profile], capsys)["results"]
    (one,) = told["results"]
    assert told["limits"] == "limits.csv"
    assert one | {"decision_ms": 0} == other | {"decision_ms": 0}
    assert free["limiting_percent"] is None
    assert one["limiting_percent"] > 20
    assert one["delivered_kwh"] < free["delivered_kwh"]


def test_the_report_draws_the_limit(files: Path) -> None:
    compare = ["compare", "sessions.csv", "--policies", "documented", "--report", "page.html"]
    assert cli.main(compare) == 0
    assert plots.LIMIT not in (files / "page.html").read_text()
    assert cli.main([*compare, "--limits", "limits.csv"]) == 0
    page = (files / "page.html").read_text()
    assert f"stroke: {plots.LIMIT}" in page
    assert f"background:{plots.LIMIT}" in page
    assert "Under the limits of limits.csv." in page


def test_a_study_under_limits(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = ["study", "sessions.csv", "--modules", "6", "--matrix", "ring", "--seeds", "1"]
    study += ["--policies", "documented", "--jobs", "1"]
    (free,) = told_by(study, capsys)["results"]
    told = told_by([*study, "--limits", "limits.csv"], capsys)
    assert told["source"] == "sessions.csv under limits.csv"
    (limited,) = told["results"]
    assert limited["unmet_percent"] > free["unmet_percent"]
    assert limited["limiting_percent"] > 0
    (synthetic,) = told_by([*study[:1], *study[2:], "--limits", "limits.csv"], capsys)["results"]
    assert synthetic["limiting_percent"] > 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--limits", "gone.csv"], "gone.csv: no such file"),
        (["--zone", "UTC"], "--zone 'UTC': allowed only with --limits"),
        (["--limits", "limits.csv", "--zone", "Berlin"], "--zone 'Berlin': allowed is a time zone"),
        (["--limits", "limits.csv", "--zone", "../x"], "--zone '../x': allowed is a time zone"),
    ],
)
@pytest.mark.parametrize("command", ["compare", "study"])
def test_bad_options(
    command: str,
    options: list[str],
    told: str,
    files: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main([command, "sessions.csv", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
