"""A charge point's smart-charging half, by a CSMS of other people's library: both versions of OCPP
over WebSockets, beside a station that runs."""

import asyncio
import json
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ocpp.messages import CallResult
from ocpp.v16 import call as call16
from ocpp.v201 import call as call201
from service.csms import Csms, Half
from service.served import Served, eventually

from verified_alloc import cli
from verified_alloc.ocpp.v16 import SmartCharging16

pytestmark = pytest.mark.xdist_group("ocpp")  # one station for all of them

GUNS = range(1, 7)
PAGE = (Path(__file__).parents[2] / "docs" / "ocpp.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"^verified-alloc (ocpp .+)$", PAGE, flags=re.MULTILINE)
BOTH = pytest.mark.parametrize("version", ["1.6", "2.0.1"])


class Spoken(NamedTuple):
    """The same in either version."""

    version: str

    def set(self, gun: int, told: dict[str, Any]) -> Any:
        if self.version == "1.6":
            return call16.SetChargingProfile(gun, told)
        named = {**told, "id": told["charging_profile_id"]}
        named["charging_schedule"] = [{"id": 1, **told["charging_schedule"]}]
        del named["charging_profile_id"]
        if told["charging_profile_purpose"] == "ChargePointMaxProfile":
            named["charging_profile_purpose"] = "ChargingStationMaxProfile"
        return call201.SetChargingProfile(gun, named)  # type: ignore[arg-type]

    def clear(self, id: int | None = None, **which: Any) -> Any:
        if self.version == "1.6":
            which = {("connector_id" if key == "gun" else key): which[key] for key in which}
            return call16.ClearChargingProfile(id=id, **which)
        which = {("evse_id" if key == "gun" else key): which[key] for key in which}
        return call201.ClearChargingProfile(id, which or None)  # type: ignore[arg-type]

    def composite(self, gun: int, duration: int, unit: Any = None) -> Any:
        calls: Any = call16 if self.version == "1.6" else call201
        place = "connector_id" if self.version == "1.6" else "evse_id"
        return calls.GetCompositeSchedule(
            duration=duration, charging_rate_unit=unit, **{place: gun}
        )

    def schedule_of(self, answer: Any) -> Any:
        assert answer.status == "Accepted"
        return answer.charging_schedule if self.version == "1.6" else answer.schedule


def profile(
    id: int, *periods: tuple[int, float], purpose: str = "ChargePointMaxProfile", **keys: Any
) -> dict[str, Any]:
    return {
        "charging_profile_id": id,
        "stack_level": 0,
        "charging_profile_purpose": purpose,
        "charging_profile_kind": "Absolute",
        **keys,
        "charging_schedule": {
            "charging_rate_unit": "W",
            "charging_schedule_period": [
                {"start_period": start_s, "limit": limit_w} for start_s, limit_w in periods
            ],
            **keys.get("charging_schedule", {}),
        },
    }


class Connected(NamedTuple):
    """A station, its half, and the CSMS."""

    station: Served
    half: Half
    csms: Csms
    spoken: Spoken

    def limits(self) -> Any:
        return self.station.http.get("/api/v1/limits").json()


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("served")) as at_work:
        yield at_work


@pytest.fixture(scope="module", params=["1.6", "2.0.1"])
def linked(
    request: pytest.FixtureRequest, station: Served, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connected]:
    folder = tmp_path_factory.mktemp("half")
    with Csms(request.param) as csms, Half(folder, csms, station.url) as half:
        csms.has("BootNotification")
        yield Connected(station, half, csms, Spoken(request.param))


@pytest.fixture
def connected(linked: Connected) -> Iterator[Connected]:
    """Without limits and demands."""
    yield linked
    linked.station.http.delete("/api/v1/limits")
    linked.station.to_rest()


def test_it_announces_itself_and_reports_every_gun(connected: Connected) -> None:
    csms, spoken = connected.csms, connected.spoken
    place = "connector_id" if spoken.version == "1.6" else "evse_id"
    [boot] = csms.has("BootNotification")
    about = boot if spoken.version == "1.6" else boot["charging_station"]
    assert "tried" in (about.get("charge_point_model"), about.get("model"))
    assert set(csms.paths) == {"/ocpp/CP1"}
    own = {0} if spoken.version == "1.6" else set()  # of the station itself
    statuses = csms.has("StatusNotification", len(own) + len(GUNS))
    assert {each[place] for each in statuses} == own | set(GUNS)
    meters = csms.has("MeterValues", len(GUNS))
    assert {each[place] for each in meters} == set(GUNS)
    sampled = meters[0]["meter_value"][0]["sampled_value"]
    assert [each["measurand"] for each in sampled] == [
        "Power.Offered",
        "Energy.Active.Import.Register",
    ]
    assert float(sampled[0]["value"]) == 0


def test_a_status_is_told_when_it_changes(connected: Connected) -> None:
    word = "Charging" if connected.spoken.version == "1.6" else "Occupied"

    def told() -> list[Any]:
        heard = connected.csms.heard.get("StatusNotification", [])
        key = "status" if connected.spoken.version == "1.6" else "connector_status"
        place = "connector_id" if connected.spoken.version == "1.6" else "evse_id"
        return [each[key] for each in heard if each[place] == 4]

    eventually(lambda: told()[-1:] == ["Available"])
    connected.station.ask(4, 80)
    eventually(lambda: told()[-1] == word)
    connected.station.ask(4, 0)
    eventually(lambda: told()[-1] == "Available")


def test_limits_are_set_shown_ahead_and_cleared(connected: Connected) -> None:
    csms, spoken = connected.csms, connected.spoken
    station = profile(1, (0, 120_000), (1800, 60_000.0))
    gun = profile(2, (0, 90_000), purpose="TxDefaultProfile", stack_level=3)
    assert csms.ask(spoken.set(0, station)).status == "Accepted"
    assert csms.ask(spoken.set(2, gun)).status == "Accepted"
    together, of_gun = connected.limits()
    assert (together["purpose"], together["gun"], together["allows_kw"]) == ("station", None, 120)
    assert (of_gun["purpose"], of_gun["gun"], of_gun["stack_level"]) == ("default", 2, 3)
    connected.station.ask(2, 240)
    eventually(lambda: connected.station.gun(2)["offer_kw"] == 90)

    def powers(gun: int, duration_s: int = 3600) -> list[float]:
        schedule = spoken.schedule_of(csms.ask(spoken.composite(gun, duration_s)))
        periods = schedule["charging_schedule_period"]
        assert (schedule["duration"], periods[0]["start_period"]) == (duration_s, 0)
        return [each["limit"] for each in periods]

    assert powers(0) == [120_000, 60_000]
    assert powers(0, 60) == [120_000]
    assert powers(2) == [90_000, 60_000]  # its own, within that of all together
    assert powers(1) == [120_000, 60_000]
    assert csms.ask(spoken.clear(9)).status == "Unknown"
    assert csms.ask(spoken.clear(gun=3)).status == "Unknown"
    assert csms.ask(spoken.clear(stack_level=3, gun=0)).status == "Unknown"
    assert csms.ask(spoken.clear(gun=0)).status == "Accepted"
    assert [each["profile_id"] for each in connected.limits()] == [2]
    assert powers(1) == [240_000]  # the gun's maximum
    assert powers(0) == [360_000]  # all modules together
    assert csms.ask(spoken.clear(charging_profile_purpose="TxDefaultProfile")).status == "Accepted"
    assert csms.ask(spoken.clear()).status == "Unknown"
    assert connected.limits() == []


def test_a_schedule_begins_when_it_says(connected: Connected) -> None:
    """On the wall clock, and so does the composite schedule."""
    csms, spoken = connected.csms, connected.spoken
    start_s = int(time.time()) + 600
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start_s))
    told = profile(1, (0, 50_000), charging_schedule={"start_schedule": at, "duration": 60})
    assert csms.ask(spoken.set(0, told)).status == "Accepted"
    answer = csms.ask(spoken.composite(0, 3600))
    schedule = spoken.schedule_of(answer)
    began = schedule["start_schedule" if spoken.version == "1.6" else "schedule_start"]
    began_s = datetime.fromisoformat(began).timestamp()
    periods = [
        (began_s + each["start_period"], each["limit"])
        for each in schedule["charging_schedule_period"]
    ]
    assert periods == [(began_s, 360_000), (start_s, 50_000), (start_s + 60, 360_000)]


def test_what_the_station_refuses_is_rejected_and_the_reason_logged(connected: Connected) -> None:
    csms, spoken = connected.csms, connected.spoken
    ended = profile(1, (0, 50_000), valid_to="2020-01-01T00:00:00Z")
    for gun, told, why in (
        (9, profile(1, (0, 50_000)), "allowed"),
        (1, profile(1, (0, 50_000)), "allowed is one without a gun"),
        (0, profile(1, (5, 50_000)), "0 in the first"),
        (0, profile(1, (0, -1)), "limit = -1"),
        (0, ended, "allowed"),
    ):
        answer = csms.ask(spoken.set(gun, told))
        assert answer.status == "Rejected"
        if spoken.version == "2.0.1":
            assert why in answer.status_info["additional_info"]
        connected.half.says(why)
    for asked in (spoken.composite(7, 60), spoken.composite(0, 0), spoken.composite(0, 60, "A")):
        assert csms.ask(asked).status == "Rejected"
    assert connected.limits() == []
    assert connected.half.said.count("Traceback") == 0


def test_a_csms_replaces_and_clears_nothing_of_the_grids_side(connected: Connected) -> None:
    csms, spoken = connected.csms, connected.spoken
    of_grid = {
        "chargingProfileId": 5,
        "chargingProfilePurpose": "ChargingStationExternalConstraints",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 80_000}],
        },
    }
    for told in ({"limit_kw": 200}, {"profile": {**of_grid, "stackLevel": 1}}):
        assert connected.station.http.put("/api/v1/limits", json=told).status_code == 200
    before = connected.limits()
    assert csms.ask(spoken.set(0, profile(5, (0, 300_000)))).status == "Rejected"
    if spoken.version == "2.0.1":
        external = "ChargingStationExternalConstraints"
        told = profile(6, (0, 300_000), purpose=external)
        assert csms.ask(spoken.set(0, told)).status == "Rejected"
        assert csms.ask(spoken.clear(charging_profile_purpose=external)).status == "Unknown"
    assert csms.ask(spoken.clear(5)).status == "Unknown"
    assert csms.ask(spoken.clear()).status == "Unknown"
    assert connected.limits() == before
    assert csms.ask(spoken.set(0, profile(6, (0, 300_000)))).status == "Accepted"
    assert csms.ask(spoken.clear()).status == "Accepted"
    assert [each["purpose"] for each in connected.limits()] == ["external", "external"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
ACTIONS = st.sampled_from(
    ["SetChargingProfile", "ClearChargingProfile", "GetCompositeSchedule", "Reset", "x"]
)
BENT = profile(1, (0, 1000))["charging_schedule"]
FRAMES = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40),
    JSON.map(json.dumps),
    st.tuples(st.sampled_from([2, 3, 4, 5, "2", None]), JSON, ACTIONS | JSON, JSON).map(json.dumps),
    st.tuples(st.just(2), st.just("id"), ACTIONS, st.dictionaries(
        st.sampled_from(["connectorId", "evseId", "duration", "id", "csChargingProfiles",
                         "chargingProfile", "chargingProfileCriteria"]), JSON)).map(json.dumps),
    st.sampled_from([
        "[" * 100_000,
        "[2," + "9" * 5000 + "]",
        '[2,"1",["a"],{}]',
        '[2,"1",{"a":1},{}]',
        "[]",
        '[2,"1","SetChargingProfile",{"connectorId":0,"csChargingProfiles":{"chargingProfileId":1,'
        '"stackLevel":0,"chargingProfilePurpose":"ChargePointMaxProfile","chargingProfileKind":'
        '"Absolute","chargingSchedule":{"chargingRateUnit":"W","chargingSchedulePeriod":'
        '[{"startPeriod":0,"limit":NaN}]}}}]',
        *['[3,"nobody asked",{}]'] * 2,
    ]),
)  # fmt: skip


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(frames=st.lists(FRAMES, min_size=1, max_size=3))
def test_no_frame_ends_it_or_moves_the_station(
    connected: Connected, frames: list[str | bytes]
) -> None:
    for frame in frames:
        connected.csms.send(frame)
    answer = connected.csms.ask(connected.spoken.composite(0, 60))
    assert connected.spoken.schedule_of(answer)["duration"] == 60
    assert connected.limits() == []
    assert len(connected.csms.paths) == 1, "it had to connect again"
    assert connected.half.process.poll() is None


@BOTH
def test_it_comes_back_when_the_csms_does_and_the_limits_stand(
    station: Served, tmp_path: Path, version: str
) -> None:
    spoken = Spoken(version)
    with Csms(version) as csms, Half(tmp_path, csms, station.url) as half:
        csms.has("MeterValues", len(GUNS))
        assert csms.ask(spoken.set(0, profile(1, (0, 100_000)))).status == "Accepted"
        csms.stop()
        eventually(lambda: half.said.count("; again in ") >= 2)
        csms.start()
        csms.has("BootNotification", 2)
        assert csms.ask(spoken.clear(1)).status == "Accepted"
        half.process.send_signal(signal.SIGINT)
        assert half.process.wait(20) == 0
    assert "Traceback" not in half.said


def test_it_waits_until_it_is_accepted(station: Served, tmp_path: Path) -> None:
    verdicts = ("Pending", "Rejected")
    with (
        Csms("1.6", verdicts=verdicts, interval_s=1) as csms,
        Half(tmp_path, csms, station.url) as half,
    ):
        csms.has("BootNotification", 3)
        csms.has("StatusNotification")
        csms.has("Heartbeat", 2)
        assert next(iter(csms.heard)) == "BootNotification"
        assert "(Pending)" in half.said
        assert "(Rejected)" in half.said


def test_a_csms_of_another_version_is_left(station: Served, tmp_path: Path) -> None:
    with Csms("1.6", speaks=False) as csms, Half(tmp_path, csms, station.url) as half:
        half.says("it does not speak OCPP 1.6; again in ")
        assert csms.heard == {}


def test_while_the_csms_is_heard_its_limits_count_and_then_the_failsafe(tmp_path: Path) -> None:
    table = "\n[limits]\nfailsafe_kw = 60\nfailsafe_after_s = 5\nfailsafe_for_s = 0\n"
    with (
        Served(tmp_path, service=table) as own,
        Csms("2.0.1", interval_s=1) as csms,
        Half(tmp_path, csms, own.url),
    ):
        told = profile(1, (0, 200_000))
        assert csms.ask(Spoken("2.0.1").set(0, told)).status == "Accepted"
        eventually(lambda: own.state()["limits"]["limit_kw"] == 200)
        beats = len(csms.heard.get("Heartbeat", []))
        for more in range(1, 9):  # s, longer than failsafe_after_s
            csms.has("Heartbeat", beats + more)
            assert own.state()["limits"]["failsafe"] == ""
        csms.stop()
        eventually(lambda: own.state()["limits"]["limit_kw"] == 60)


def test_a_station_that_does_not_answer_is_unavailable_and_refuses(tmp_path: Path) -> None:
    with Csms("1.6") as csms, Served(tmp_path) as own, Half(tmp_path, csms, own.url) as half:
        statuses = csms.has("StatusNotification", 1 + len(GUNS))
        assert statuses[0]["status"] == "Available"
        own.process.kill()
        own.process.wait()
        last = csms.has("StatusNotification", 2 * (1 + len(GUNS)))[-7:]
        assert {each["status"] for each in last} == {"Unavailable"}
        answer = csms.ask(Spoken("1.6").set(0, profile(1, (0, 1000))))
        assert answer.status == "Rejected"
        half.says("rejected: no station answers at ")


def test_it_is_let_in_by_its_password(station: Served, tmp_path: Path) -> None:
    word = tmp_path / "password"
    word.write_text("a secret of its own\n")
    word.chmod(0o600)
    login = ("--password-file", str(word))
    with Csms("2.0.1", password="a secret of its own") as csms:
        with Half(tmp_path, csms, station.url, *login) as half:
            csms.has("BootNotification")
        with Half(tmp_path, csms, station.url, *login, "--user", "somebody") as half:
            half.says("HTTP 401")
        assert len(csms.has("BootNotification")) == 1


def certificate(folder: Path, name: str, *extensions: str, ca: str | None = None) -> None:
    """NAME.pem and NAME.key; of that CA, or of its own."""
    signed = ["-CA", f"{ca}.pem", "-CAkey", f"{ca}.key"] if ca else []
    extended = [word for each in extensions for word in ("-addext", each)]
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-newkey", "rsa:2048", "-keyout", f"{name}.key", "-out", f"{name}.pem"),
            *signed,
            *extended,
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    certificate(folder, "ca")
    certificate(folder, "other")
    certificate(folder, "csms", "subjectAltName=IP:127.0.0.1", "basicConstraints=CA:FALSE", ca="ca")
    return folder


def server_tls(certificates: Path) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates / "csms.pem", certificates / "csms.key")
    return tls


def test_a_csms_shows_a_certificate_of_its_ca(
    station: Served, tmp_path: Path, certificates: Path
) -> None:
    with Csms("1.6", tls=server_tls(certificates)) as csms:
        for others in ((), ("--ca-file", str(certificates / "other.pem"))):
            with Half(tmp_path, csms, station.url, *others) as half:
                half.says("certificate verify failed")
        assert csms.heard == {}
        with Half(tmp_path, csms, station.url, "--ca-file", str(certificates / "ca.pem")):
            csms.has("MeterValues", len(GUNS))


class Answering:
    """A connection, and its charge point, who is answered and cancelled in the same moment."""

    async def send(self, frame: str) -> None:
        [_, number, *_] = json.loads(frame)
        task = asyncio.current_task()
        assert task is not None
        answer = CallResult(number, {"currentTime": "2026-11-24T12:00:00Z"})
        loop = asyncio.get_running_loop()
        loop.call_later(0, self.point._response_queue.put_nowait, answer)
        loop.call_later(0, loop.call_soon, loop.call_soon, task.cancel)

    async def heartbeat(self) -> None:
        self.point = SmartCharging16("CP1", cast(Any, self), cast(Any, None))
        await self.point._say(self.point.heartbeat())


def test_an_answer_in_the_same_moment_does_not_hide_the_end() -> None:
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(Answering().heartbeat())


@pytest.mark.parametrize("command", QUOTED)
def test_a_quoted_command(
    command: str, station: Served, tmp_path: Path, certificates: Path
) -> None:
    (tmp_path / "password").write_text("a secret of its own")
    (tmp_path / "password").chmod(0o600)
    shutil.copy(certificates / "ca.pem", tmp_path)
    words = shlex.split(command)[1:]
    told = dict(pairwise(words))
    secure = told["--url"].startswith("wss://")
    with (
        Csms(
            told.get("--version", "2.0.1"),
            tls=server_tls(certificates) if secure else None,
            password="a secret of its own" if "--password-file" in told else None,
            user=told.get("--user", "CP1"),
        ) as csms,
        Half(tmp_path, csms, station.url, *words, "--url", csms.url),
    ):
        csms.has("MeterValues", len(GUNS))


def test_the_page_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(QUOTED) >= 3
    assert cli.main(["ocpp", "--help"]) == 0
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert options == set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE))


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("--url", "http://csms"), "--url 'http://csms': allowed is ws://HOST"),
        (("--url", "ws://csms:x"), "--url 'ws://csms:x': allowed is ws://HOST"),
        (("--url", "ws://a:b@csms"), "allowed is ws://HOST"),
        (("--url", "ws://csms/?a=1"), "allowed is ws://HOST"),
        (("--id", "a:b"), "--id 'a:b': allowed are 1 to 48 characters"),
        (("--id", ""), "--id '': allowed"),
        (("--version", "2.1"), "--version '2.1': allowed are 1.6, 2.0.1"),
        (("--user", "me"), "--user 'me': allowed only with --password-file"),
        (("--user", "a:b", "--password-file", "word"), "--user 'a:b': allowed is a name"),
        (("--password-file", "missing"), "--password-file 'missing': no such file"),
        (("--password-file", "open"), "--password-file 'open': others may read"),
        (("--ca-file", "missing"), "--ca-file 'missing': allowed only with --url wss://"),
        (("--url", "wss://csms", "--ca-file", "missing"), "--ca-file 'missing': no such file"),
        (("--url", "wss://csms", "--ca-file", "word"), "--ca-file 'word': no certificates"),
        (("--url", "wss://csms", "--ca-file", "."), "--ca-file '.': is a directory"),
        (("--at", "nowhere:x"), "--at 'http://nowhere:x'"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    words: tuple[str, ...],
    refusal: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, mode in (("word", 0o600), ("open", 0o644)):
        Path(name).write_text("a secret")
        Path(name).chmod(mode)
    assert cli.main(["ocpp", "--url", "ws://csms", "--id", "CP1", *words]) == 2
    said = capsys.readouterr().err
    assert refusal in said
    assert said.count("\n") == 1


def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from verified_alloc.commands import ocpp

    monkeypatch.setattr(ocpp, "find_spec", lambda name: None if name == "ocpp" else find_spec(name))
    assert cli.main(["ocpp", "--url", "ws://csms", "--id", "CP1"]) == 2
    assert capsys.readouterr().err.endswith("pip install 'verified-alloc[ocpp]'\n")


def test_without_a_station_it_does_not_begin(capsys: pytest.CaptureFixture[str]) -> None:
    nobody = ("--at", "127.0.0.1:9")
    assert cli.main(["ocpp", "--url", "ws://csms", "--id", "CP1", *nobody]) == 3
    assert "no station answers at" in capsys.readouterr().err
