"""Limits of a running station: told over HTTP and from the shell, seen, in words, and through
`kill -9`."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service.served import Served, eventually
from service.test_limit_models import OF_1_6, OF_2_0_1, everest, snake

from verified_alloc import cli

LIMITS = "/api/v1/limits"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("served")) as at_work:
        yield at_work


@pytest.fixture
def at_work(shared: Served) -> Iterator[Served]:
    """The shared station, without limits and demands."""
    yield shared
    shared.http.delete(LIMITS)
    shared.to_rest()


def put(at_work: Served, **told: Any) -> str:
    answer = at_work.http.put(LIMITS, json=told)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["said"])


def offered_kw(at_work: Served) -> float:
    return sum(float(gun["offer_kw"]) for gun in at_work.state()["guns"])


def test_a_limit_holds_through_kill_9(tmp_path: Path) -> None:
    files = ("--faults", str(tmp_path / "faults.json"))
    with Served(tmp_path, *files) as at_work:
        put(at_work, limit_kw=100)
        at_work.process.kill()
        at_work.process.wait()
    with Served(tmp_path, *files, ready=False) as again:
        eventually(again.is_healthy)
        for gun in range(1, 7):
            again.ask(gun, 240)
        eventually(lambda: offered_kw(again) == 100)
        assert again.http.get(LIMITS).json()[0]["allows_kw"] == 100
    assert (tmp_path / "faults.limits.json").exists()


def test_one_that_has_risen_says_when_it_counts(at_work: Served) -> None:
    put(at_work, limit_kw=50)
    eventually(lambda: at_work.state()["site_limit"]["limit_kw"] == 50)
    assert at_work.state()["site_limit"]["rises_at"] is None
    told_s = time.time()
    put(at_work, limit_kw=90)
    limit = eventually(lambda: (found := at_work.state()["site_limit"])["rises_at"] and found)
    assert limit["limit_kw"] == 50
    assert told_s + 4 < limit["rises_at"] <= time.time() + 6
    eventually(lambda: at_work.state()["site_limit"]["limit_kw"] == 90)
    assert at_work.state()["site_limit"]["rises_at"] is None
    at_work.to_rest()


def test_a_stack_is_told_shown_ahead_of_time_and_taken_back(at_work: Served) -> None:
    before_s = time.time()
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(before_s + 3600))
    schedule = {
        "chargingRateUnit": "W",
        "startSchedule": start,
        "duration": 1800,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 60_000}],
    }
    profile = {
        "chargingProfileId": 7,
        "stackLevel": 1,
        "chargingProfilePurpose": "ChargingStationExternalConstraints",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
    }
    assert put(at_work, limit_kw=120) == "site limit: 120 kW now"
    assert put(at_work, limit_kw=50, gun=2) == "limit of gun 2: 50 kW now"
    assert put(at_work, profile=profile) == "site limit: none now"
    ahead = at_work.http.get(f"{LIMITS}/schedule?hours=2").json()
    assert [each["limit_kw"] for each in ahead["periods"]] == [120, 60, 120]
    begins_s, ends_s = (each["at"] for each in ahead["periods"][1:])
    assert (begins_s, ends_s - begins_s) == (int(before_s + 3600), 1800)
    assert [each["limit_kw"] for each in ahead["guns"][1]["periods"]] == [50]
    assert ahead["guns"][0]["periods"][0]["limit_kw"] is None
    limits = eventually(lambda: (found := at_work.state()["limits"])["limit_kw"] == 120 and found)
    assert limits["guns"] == [{"gun": 2, "limit_kw": 50}]
    assert limits["changes_at"] == begins_s
    assert [each["stack_level"] for each in limits["standing"]] == [0, 0, 1]
    standing = at_work.http.get(LIMITS).json()
    assert standing[2]["periods"] == [{"after_s": 0, "limit_kw": 60}]
    assert at_work.http.delete(f"{LIMITS}?profile_id=8").status_code == 409
    assert at_work.http.delete(f"{LIMITS}?profile_id=7").json() == {"said": "2 left"}
    assert at_work.http.delete(f"{LIMITS}?purpose=external&gun=0").json() == {"said": "1 left"}
    said = {"said": "no limit but the station's own"}
    assert at_work.http.delete(LIMITS).json() == said
    assert at_work.http.delete(LIMITS).json() == said


def test_a_guns_limit_caps_it_and_is_said_to(at_work: Served) -> None:
    put(at_work, limit_kw=50, gun=2)
    at_work.ask(2, 120)
    eventually(lambda: at_work.gun(2)["offer_kw"] == 50)
    gun = at_work.gun(2)
    assert (gun["limit_kw"], gun["demand_kw"], gun["capability_kw"]) == (50, 50, 50)
    eventually(
        lambda: (
            at_work.gun(2)["why"][0]
            == "Gun 2 asks for more than its own limit of 50 kW, and that is what counts."
        )
    )
    at_work.http.delete(f"{LIMITS}?gun=2")
    eventually(lambda: at_work.gun(2)["offer_kw"] == 120)
    assert at_work.gun(2)["limit_kw"] is None


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (OF_1_6, "site limit: "),
        (OF_2_0_1, "limit of gun 3: "),
        (snake(OF_2_0_1), "limit of gun 3: "),
        (everest(("2026-11-24T13:00:00Z", 90_000)), "site limit: 90 kW now"),
    ],
    ids=["1.6", "2.0.1", "snake case", "EVerest"],
)
def test_what_energy_managers_send_is_taken(at_work: Served, told: Any, said: str) -> None:
    assert put(at_work, **told).startswith(said)


def test_what_is_wrong_is_named_and_the_door_answers_no_5xx(at_work: Served) -> None:
    for told, code, said in (
        ({}, 422, "exactly one of limit_kw"),
        ({"limit_kw": -1}, 422, "limit_kw = -1: input should be greater than or equal to 0"),
        ({"limit_kw": 1, "gun": 9}, 409, "gun 9: allowed are guns 1 to 6"),
        (OF_1_6 | {"connectorId": 1}, 409, "allowed is one without a gun"),
        (json.loads(json.dumps(OF_1_6).replace('"W"', '"A"')), 409, "chargingRateUnit = 'A'"),
    ):
        answer = at_work.http.put(LIMITS, json=told)
        assert answer.status_code == code
        assert said in answer.json()["detail"]
    assert at_work.http.get(LIMITS).json() == []
    for hours in ("0", "169", "nan", "x"):
        assert at_work.http.get(f"{LIMITS}/schedule?hours={hours}").status_code == 422


def test_a_silent_sender_is_an_alarm_until_he_tells_a_limit(tmp_path: Path) -> None:
    table = "\n[limits]\nfailsafe_kw = 60\nfailsafe_after_s = 2\nfailsafe_for_s = 0\n"
    with Served(tmp_path, service=table) as at_work:
        at_work.ask(1, 240)
        eventually(lambda: at_work.gun(1)["offer_kw"] == 60)
        said = "limits: nobody has told any for 2 s; the failsafe value counts, 60 kW"
        assert said in at_work.state()["alarms"]
        assert at_work.state()["limits"]["failsafe"] == said
        assert any(note["text"] == said for note in at_work.state()["notes"])

        def beaten() -> bool:
            assert at_work.http.post(f"{LIMITS}/heartbeat").json() == {"said": "heard"}
            return bool(at_work.gun(1)["offer_kw"] == 240)

        eventually(beaten)


def test_the_shell_tells_shows_and_takes_back(
    at_work: Served, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    at = ("--at", at_work.url)
    profile = tmp_path / "profile.json"

    def said(*words: str, code: int = 0) -> str:
        assert cli.main(["limit", *words, *at]) == code
        told = capsys.readouterr()
        return (told.err if code else told.out).strip()

    assert said() == "no limit but the station's own"
    assert said("200") == "site limit: 200 kW now"
    assert said("30", "--gun", "3") == "limit of gun 3: 30 kW now"
    profile.write_text(json.dumps(OF_2_0_1["chargingProfile"]))
    assert said("--profile", str(profile), "--gun", "3").startswith("limit of gun 3: ")
    profile.write_text(json.dumps(OF_1_6))
    assert said("--profile", str(profile)).startswith("site limit: ")
    assert said("--heartbeat") == "heard"
    shown = said().splitlines()
    assert shown[:2] == [
        "all guns together (external, level 0): 200 kW now",
        "gun 3 (external, level 0): 30 kW now",
    ]
    assert shown[2].startswith("gun 3 (default, level 1, profile 7): ")
    assert "Schedule of gun 3:" in shown
    whole = json.loads(said("--json"))
    assert len(whole["standing"]) == 4
    assert whole["schedule"]["guns"][2]["periods"][0]["limit_kw"] == 30
    assert said("--clear", "--gun", "3") == "2 left"
    assert said("--clear", "--profile-id", "158798", "--purpose", "station") == "1 left"
    assert said("--clear") == "no limit but the station's own"
    for words, refusal in (
        (("x",), "limit 'x': allowed is a number of kW, 0 or more"),
        (("5", "--clear"), "allowed is one of KW, --profile, --clear and --heartbeat"),
        (("--purpose", "external"), "purpose: allowed only with --clear"),
        (("--clear", "--purpose", "all"), "purpose = 'all'"),
        (("--profile", "missing.json"), "--profile missing.json: No such file"),
        (("-1",), "No such option"),
    ):
        assert refusal in said(*words, code=2)
    for text in ("{", "[]", "x" * 9):
        profile.write_text(text)
        assert f"--profile {profile}: " in said("--profile", str(profile), code=2)


def test_limits_are_of_the_grid_and_leave_less_by_what_others_draw(tmp_path: Path) -> None:
    """300 kW of the grid are 285 of DC at 95 %; with a house of 40 kW behind the same connection,
    247; also after `kill -9`, and never more than that is offered."""
    faults = ("--faults", str(tmp_path / "faults.json"))
    efficient = ("module_power_kw = 40", "module_power_kw = 40\nconversion_efficiency = 0.95")

    def offered_kw(at_work: Served) -> float:
        state = at_work.state()
        offered = sum(gun["offer_kw"] for gun in state["guns"])
        assert state["site_limit"]["grid_kw"] == pytest.approx(offered / 0.95, abs=0.001)
        return float(offered)

    with Served(tmp_path, *faults, change=efficient) as at_work:
        assert at_work.http.put(LIMITS, json={"limit_kw": 300}).status_code == 200
        for gun in (1, 2):
            at_work.ask(gun, 240)
        eventually(lambda: offered_kw(at_work) == 285)
        assert at_work.state()["site_limit"]["dc_kw"] == 285
        told = at_work.http.post(f"{LIMITS}/heartbeat", json={"other_load_kw": 40})
        assert told.json() == {"said": "heard: others draw 40 kW"}
        eventually(lambda: offered_kw(at_work) == 247)
        assert at_work.state()["limits"]["other_load_kw"] == 40
        wrong = at_work.http.post(f"{LIMITS}/heartbeat", json={"other_load_kw": -1})
        assert wrong.status_code == 422
        assert wrong.json()["detail"].startswith("other_load_kw = -1: ")
        at_work.process.kill()
        at_work.process.wait()
    with Served(tmp_path, *faults, change=efficient, ready=False) as again:
        eventually(again.is_healthy)
        for gun in (1, 2):
            again.ask(gun, 240)
        most = 0.0

        def is_there() -> bool:
            nonlocal most
            most = max(most, offered_kw(again))
            return most == 247

        eventually(is_there)
