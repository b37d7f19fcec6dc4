"""A station as a service: a real process, spoken to over real sockets."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from proof_records import PROVED, write_record
from service.served import ENVIRONMENT, PROGRAM, STATION, Served, eventually

from verified_alloc import cli
from verified_alloc.control.assembly import simulated_charger
from verified_alloc.control.proof_dates import beside
from verified_alloc.journal.reader import latest
from verified_alloc.service.settings import settings
from verified_alloc.service.start import serving
from verified_alloc.station.model import Station
from verified_alloc.station.parts import ServiceConfig

DOCS = Path(__file__).parents[2] / "docs"

pytestmark = pytest.mark.xdist_group("service")  # one station for all of them


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    station = Station.from_tables(tomllib.loads(STATION.format(timeout_s=3600)))
    write_record(folder / "station.proof.json", station)
    with Served(folder, "--journal", str(folder / "journal.db")) as at_work:
        yield at_work


@pytest.fixture
def at_work(shared: Served) -> Iterator[Served]:
    """The shared station, all guns at 0."""
    yield shared
    shared.to_rest()


def test_a_demand_becomes_power_and_is_explained(at_work: Served) -> None:
    assert at_work.ask(3, 120).json() == {"said": "gun 3 asks for 120 kW"}
    eventually(lambda: at_work.gun(3)["offer_kw"] == 120)
    state = at_work.state()
    gun = state["guns"][2]
    assert gun["live"] == gun["modules"] == [1, 2, 3]
    assert (gun["capability_kw"], gun["granted_kw"], gun["drawn_kw"]) == (240, 120, 120)
    eventually(
        lambda: at_work.gun(3)["why"][:2] == ["Gun 3 asks for 120 kW.", "It is served first."]
    )
    assert state["assignment"]["guns"][2] == {"gun": 3, "modules": [1, 2, 3], "granted_kw": 120}
    assert [c["operations"] > 0 for c in state["contactors"] if c["gun"] == 3][:4] == [
        True,
        True,
        True,
        False,
    ]
    decision = at_work.http.get("/api/v1/decisions").json()[-1]
    assert decision["assignment"] == state["assignment"]
    assert decision["demands_kw"] == [0, 0, 120, 0, 0, 0]
    assert "Gun 3 asks for 120 kW." in decision["why"]
    energy_kwh = eventually(lambda: at_work.gun(3)["energy_kwh"])
    metrics = at_work.http.get("/metrics").text
    told = re.search(r'energy_joules_total\{gun="3"\} (\S+)', metrics)
    assert told is not None
    assert float(told[1]) >= energy_kwh * 3.6e6 - 1800  # rounded to 1 Wh


def test_the_parts_are_as_in_the_whole(at_work: Served) -> None:
    state = at_work.state()
    for part in ("station", "guns", "modules", "contactors", "faults", "assignment"):
        assert at_work.http.get(f"/api/v1/{part}").json() == state[part]
    assert at_work.http.get("/api/v1/guns/2").json() == state["guns"][1]
    offers = at_work.http.get("/api/v1/offers").json()
    assert offers["online"] is True
    assert offers["lifetime_ms"] == 400
    assert offers["offers"] == [{"gun": gun, "offer_kw": 0} for gun in range(1, 7)]


@pytest.mark.parametrize("name", ["alerts.yml", "grafana.json"])
def test_alerts_and_dashboard_name_metrics_that_there_are(at_work: Served, name: str) -> None:
    shown = at_work.http.get("/metrics").text
    named = set(re.findall(r"verified_alloc_\w+", (DOCS / name).read_text(encoding="utf-8")))
    assert named
    assert {each for each in named if not re.search(rf"^(# TYPE )?{each}\b", shown, re.M)} == set()


def test_a_site_limit_told_and_taken_back(at_work: Served) -> None:
    at_work.ask(1, 240)
    eventually(lambda: at_work.gun(1)["offer_kw"] == 240)
    assert at_work.http.put("/api/v1/limits", json={"limit_kw": 75.5}).status_code == 200
    eventually(lambda: at_work.gun(1)["live"] == [1, 2])
    assert at_work.gun(1)["offer_kw"] == at_work.gun(1)["capability_kw"] == 75.5
    assert at_work.state()["site_limit"] == {
        "limit_kw": 75.5,
        "own_kw": None,
        "rises_at": None,
        "dc_kw": 75.5,
        "offered_kw": 75.5,
        "grid_kw": 75.5,
    }
    assert "verified_alloc_site_limit_watts 75500.0" in at_work.http.get("/metrics").text
    at_work.http.delete("/api/v1/limits")
    eventually(lambda: at_work.gun(1)["offer_kw"] == 240)


@pytest.mark.slow
def test_a_site_limit_that_changes_by_itself(at_work: Served) -> None:
    at_work.ask(1, 240)
    profile = {
        "chargingProfilePurpose": "ChargePointMaxProfile",
        "chargingProfileKind": "Absolute",
        "chargingProfileId": 7,
        "chargingSchedule": {
            "chargingRateUnit": "W",
            "duration": 8,
            "chargingSchedulePeriod": [
                {"startPeriod": 0, "limit": 80_000},
                {"startPeriod": 4, "limit": 40_000},
            ],
        },
    }
    at_work.http.put("/api/v1/limits", json={"profile": profile})
    for limit_kw in (80, 40, None):
        eventually(lambda kw=limit_kw: at_work.state()["site_limit"]["limit_kw"] == kw)
    eventually(lambda: at_work.gun(1)["offer_kw"] == 240)
    at_work.http.delete("/api/v1/limits")


def test_held_modules_are_not_given_to_another_gun(at_work: Served) -> None:
    nothing = at_work.http.put("/api/v1/guns/2/hold", json={"hold_s": 60})
    assert nothing.status_code == 409
    assert nothing.json()["detail"] == "gun 2 has no modules to hold; allowed once it has"
    at_work.ask(2, 40)
    eventually(lambda: at_work.gun(2)["live"] == [1])
    assert at_work.http.put("/api/v1/guns/2/hold", json={"hold_s": 60}).status_code == 200
    at_work.ask(1, 360)
    eventually(lambda: at_work.gun(1)["live"] == [2, 3, 4, 5, 6, 7])
    assert at_work.gun(2)["live"] == [1]
    assert 0 < at_work.gun(2)["held_s"] <= 60
    at_work.http.delete("/api/v1/guns/2/hold")
    eventually(lambda: at_work.gun(2)["live"] == [7])


def test_out_of_service_and_back(at_work: Served) -> None:
    at_work.http.put("/api/v1/modules/1/service", json={"in_service": False})
    at_work.http.put("/api/v1/guns/2/service", json={"in_service": False})
    at_work.ask(1, 40)
    at_work.ask(2, 40)
    eventually(lambda: at_work.gun(1)["live"] == [2])
    eventually(lambda: "PM1 is out of service." in at_work.gun(1)["why"])
    state = at_work.state()
    assert [m["in_service"] for m in state["modules"]] == [False] + [True] * 8
    assert [g["in_service"] for g in state["guns"]] == [True, False, True, True, True, True]
    assert state["guns"][1]["capability_kw"] == 0
    assert state["faults"] == []
    at_work.http.put("/api/v1/modules/1/service", json={"in_service": True})
    at_work.http.put("/api/v1/guns/2/service", json={"in_service": True})
    eventually(lambda: at_work.gun(2)["live"])


def test_orders_are_in_the_journal(at_work: Served) -> None:
    at_work.http.put("/api/v1/modules/9/service", json={"in_service": False})
    at_work.http.put("/api/v1/limits", json={"limit_kw": 75.5})
    at_work.http.delete("/api/v1/limits")
    eventually(lambda: at_work.state()["site_limit"]["limit_kw"] is None)
    at_work.http.put("/api/v1/modules/9/service", json={"in_service": True})
    told = [
        "PM9 is in service, as told",
        "limits taken back: no limit but the station's own, as told",
        "site limit: 75.5 kW now, as told",
        "PM9 is out of service, as told",
    ]

    def written() -> list[str]:
        newest = latest(at_work.folder / "journal.db", 50)
        return [entry.text for entry in newest if entry.text in told]

    eventually(lambda: written()[:4] == told)


def test_a_weld_shows_is_refused_to_be_cleared_and_an_emergency_stop_goes_on(
    at_work: Served,
) -> None:
    assert (
        at_work.http.post("/api/v1/simulation/faults", json={"fault": "weld 1:1"}).status_code
        == 200
    )
    at_work.ask(1, 40)
    eventually(lambda: at_work.gun(1)["live"])
    at_work.ask(1, 0)
    eventually(lambda: at_work.state()["faults"])
    (fault,) = at_work.state()["faults"]
    assert (fault["id"], fault["text"]) == ("contactor-1:1", "contactor 1:1 is welded")
    eventually(lambda: at_work.state()["notes"][-1]["text"] == "contactor 1:1 is welded")
    refused = at_work.http.delete("/api/v1/faults/contactor-1:1")
    assert refused.status_code == 409
    assert "not seen to agree" in refused.json()["detail"]
    assert at_work.http.delete("/api/v1/faults/contactor-1:2").status_code == 404

    assert at_work.http.post("/api/v1/emergency-stop").status_code == 200
    eventually(lambda: at_work.state()["stopped"])
    assert at_work.http.get("/api/v1/faults").json()[-1]["id"] == "emergency-stop"
    at_work.ask(2, 300)
    eventually(lambda: at_work.gun(2)["demand_kw"] == 300)
    stopped = at_work.gun(2)
    assert (stopped["granted_kw"], stopped["unmet_kw"]) == (0, 240)
    assert stopped["why"] == ["The station is stopped: no demand counts."]
    assert at_work.http.delete("/api/v1/faults/emergency-stop").status_code == 200
    eventually(lambda: not at_work.state()["stopped"])


def test_the_live_stream_shows_the_newest_state(at_work: Served) -> None:
    with at_work.http.stream("GET", "/api/v1/stream?whole=true") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        at_work.ask(4, 40)
        sequence, events = 0, 0
        for line in lines:
            if line.startswith("data: "):
                state = json.loads(line.removeprefix("data: "))
                assert state["sequence"] > sequence
                sequence, events = state["sequence"], events + 1
                if state["guns"][3]["offer_kw"] == 40:
                    break
            assert events < 200


def test_a_client_that_does_not_read_delays_nobody(at_work: Served) -> None:
    host, port = at_work.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.send(f"GET /api/v1/stream HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        before = at_work.state()["scan"]["count"]
        time.sleep(1)
        assert at_work.ask(1, 40).status_code == 200
        assert at_work.state()["scan"]["count"] > before


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "said"),
    [
        (
            "PUT",
            "/api/v1/guns/3/demand",
            '{"demand_kw": -1}',
            422,
            "demand_kw = -1: input should be greater",
        ),
        (
            "PUT",
            "/api/v1/guns/3/demand",
            '{"demand_kw": 1e7}',
            422,
            "demand_kw = 10000000.0: input should be less",
        ),
        ("PUT", "/api/v1/guns/3/demand", '{"demand_kw": NaN}', 422, "demand_kw = nan"),
        ("PUT", "/api/v1/guns/3/demand", '{"demand_kw": "x"}', 422, "demand_kw = 'x'"),
        ("PUT", "/api/v1/guns/3/demand", '{"demand_kw": 1, "kW": 2}', 422, "kW = 2: extra inputs"),
        ("PUT", "/api/v1/guns/3/demand", "{}", 422, "demand_kw"),
        ("PUT", "/api/v1/guns/3/demand", "{", 400, "JSON"),
        ("PUT", "/api/v1/guns/3/demand", "[" * 60_000, 400, ""),
        ("PUT", "/api/v1/guns/3/demand", '"' + "x" * 70_000 + '"', 413, "allowed are 65536 bytes"),
        ("PUT", "/api/v1/guns/7/demand", '{"demand_kw": 1}', 404, "gun 7: allowed are guns 1 to 6"),
        ("PUT", "/api/v1/guns/x/demand", '{"demand_kw": 1}', 422, "gun = 'x'"),
        ("PUT", "/api/v1/modules/10/service", '{"in_service": false}', 404, "modules 1 to 9"),
        ("PUT", "/api/v1/guns/1/hold", '{"hold_s": 601}', 422, "hold_s = 601"),
        ("POST", "/api/v1/guns/1/acknowledgement", '{"offer_kw": 99}', 409, "published last"),
        ("PUT", "/api/v1/limits", '{"limit_kw": -1}', 422, "limit_kw"),
        ("DELETE", "/api/v1/faults/engine", None, 404, "allowed is the id of a latched fault"),
        ("POST", "/api/v1/simulation/faults", '{"fault": "weld 9:9"}', 409, "weld 9:9"),
        (
            "POST",
            "/api/v1/simulation/faults",
            '{"fault": "rust 1:1"}',
            409,
            "there is no kind rust",
        ),
        ("GET", "/api/v1/nothing", None, 404, "Not Found"),
        ("POST", "/api/v1/state", None, 405, "Method Not Allowed"),
    ],
)
def test_what_is_refused_changes_nothing(
    at_work: Served, method: str, path: str, body: str | None, code: int, said: str
) -> None:
    before = at_work.state()
    headers = {} if body is None else {"Content-Type": "application/json"}
    refused = at_work.http.request(method, path, content=body, headers=headers)
    assert refused.status_code == code
    detail = refused.json()["detail"]
    assert said in detail
    assert "\n" not in detail
    after = at_work.state()
    for part in ("guns", "faults", "assignment", "site_limit", "modules"):
        assert after[part] == before[part]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/v1/limits", "DELETE, GET, PUT"),
        ("/api/v1/guns/1/hold", "DELETE, PUT"),
        ("/api/v1/faults", "GET"),
        ("/app.js", "GET, HEAD"),
        ("/api/v1/nothing", None),
    ],
)
def test_what_else_a_path_answers_to_is_told(
    at_work: Served, path: str, allowed: str | None
) -> None:
    answer = at_work.http.patch(path)
    assert answer.status_code == (405 if allowed else 404)
    assert answer.headers.get("allow") == allowed


def test_another_policy_shares_power_otherwise_at_once(at_work: Served) -> None:
    own = at_work.state()["policy"]
    for gun in (1, 2, 3):
        at_work.ask(gun, 240)
    eventually(lambda: at_work.gun(1)["offer_kw"] == 240)
    assert at_work.gun(3)["granted_kw"] == 0
    told = at_work.http.put("/api/v1/policy", json={"policy": "fair"})
    assert told.json() == {"said": "policy: fair"}
    eventually(lambda: [at_work.gun(gun)["offer_kw"] for gun in (1, 2, 3)] == [120] * 3)
    state = at_work.state()
    assert (state["policy"], state["assignment"]["policy"]) == ("fair", "fair")
    assert "policy: fair, as told" in [note["text"] for note in state["notes"]]
    refused = at_work.http.put("/api/v1/policy", json={"policy": "fastest"})
    assert refused.status_code == 409
    allowed = "allowed is documented, priority, max-power, fair"
    assert refused.json()["detail"] == f"policy 'fastest': {allowed}"
    assert at_work.state()["policy"] == "fair"
    at_work.http.put("/api/v1/policy", json={"policy": own})


def test_for_one_version_the_old_paths_and_names_are_understood(at_work: Served) -> None:
    moved = at_work.http.put("/api/guns/3/demand?x=1", json={"kw": 80})
    assert moved.status_code == 308
    assert moved.headers["Location"] == at_work.url + "/api/v1/guns/3/demand?x=1"
    told = at_work.http.put("/api/guns/3/demand", json={"kw": 80}, follow_redirects=True)
    assert told.json() == {"said": "gun 3 asks for 80 kW"}
    held = at_work.http.put("/api/guns/3/hold", json={"seconds": 9}, follow_redirects=True)
    assert held.status_code == 200
    both = at_work.http.put("/api/v1/guns/3/demand", json={"kw": 80, "demand_kw": 90})
    assert both.status_code == 422
    at_work.http.delete("/api/v1/guns/3/hold")


def test_pages_of_other_sites_are_refused_and_counted_once_logged(at_work: Served) -> None:
    port = at_work.url.rpartition(":")[2]
    for headers in (
        {"Origin": "http://evil.example"},
        {"Host": f"evil.example:{port}"},
        {"Origin": "null"},
    ):
        for _ in range(3):
            assert at_work.http.post("/api/v1/emergency-stop", headers=headers).status_code == 403
    assert not at_work.state()["stopped"]
    own = at_work.http.put(
        "/api/v1/guns/1/demand", json={"demand_kw": 1}, headers={"Origin": at_work.url}
    )
    assert own.status_code == 200
    metrics = at_work.http.get("/metrics").text
    assert 'verified_alloc_refused_total{reason="wrong origin"} 6.0' in metrics
    assert 'verified_alloc_refused_total{reason="wrong host"} 3.0' in metrics
    assert at_work.said.count("wrong host") == 1


def test_the_page_is_there_and_keeps_to_itself(at_work: Served) -> None:
    page = at_work.http.get("/")
    assert page.status_code == 200
    assert "<title>" in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert at_work.http.get("/../models.py").status_code == 404


def test_whether_what_runs_was_proved_is_told_to_all(at_work: Served) -> None:
    assert at_work.http.get("/api/v1/station").json()["proof"] == PROVED
    assert at_work.state()["station"]["proof"] == PROVED
    assert f"Proof: {PROVED}\n" in at_work.said
    written = eventually(lambda: latest(at_work.folder / "journal.db", 1_000))
    assert f"proof: {PROVED}" in [entry.text for entry in written if entry.kind == "report"]


def test_a_stop_beside_a_lost_expander_is_no_reason_to_restart(tmp_path: Path) -> None:
    with Served(tmp_path) as at_work:
        for gun in range(1, 7):
            at_work.ask(gun, 60)
        eventually(lambda: sum(gun["offer_kw"] for gun in at_work.state()["guns"]) > 200)
        told = {"fault": "nack 0x21"}
        assert at_work.http.post("/api/v1/simulation/faults", json=told).status_code == 200
        eventually(lambda: "expander-0x21" in str(at_work.state()["faults"]))
        assert at_work.http.post("/api/v1/emergency-stop").status_code == 200
        eventually(lambda: not any(gun["live"] for gun in at_work.state()["guns"]))
        seen = at_work.state()["scan"]["count"]
        eventually(lambda: at_work.state()["scan"]["count"] > seen + 100)  # long overdue
        health = at_work.http.get("/healthz")
        assert (health.status_code, health.json()["verified"]) == (200, True)
        assert at_work.http.delete("/api/v1/faults/expander-0x21").status_code == 409
        assert at_work.http.delete("/api/v1/faults/emergency-stop").status_code == 200
        eventually(lambda: sum(gun["offer_kw"] for gun in at_work.state()["guns"]) == 180)
        assert [fault["id"] for fault in at_work.state()["faults"]] == ["expander-0x21"]


def test_the_shell_talks_to_it(at_work: Served, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--at", at_work.url.removeprefix("http://")]
    assert cli.main(["demand", "3=120", "1=40", *at]) == 0
    assert capsys.readouterr().out == "gun 3 asks for 120 kW\ngun 1 asks for 40 kW\n"
    eventually(lambda: at_work.gun(3)["offer_kw"] == 120)
    assert cli.main(["status", *at]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "tried: scans are verified"
    assert f"Proof: {PROVED}." in lines
    assert [line.split()[:2] for line in lines[2:5]] == [["1", "40"], ["2", "0"], ["3", "120"]]
    assert cli.main(["status", "--json", *at]) == 0
    assert json.loads(capsys.readouterr().out)["guns"][2]["demand_kw"] == 120
    for refused, said in (
        (["demand", "9=1"], "gun 9: allowed are guns 1 to 6"),
        (["demand", "3"], "demand '3': allowed is GUN=KW"),
        (["demand", "3=-1"], "kw = -1.0"),
        (["clear", "module-3"], "allowed is the id of a latched fault"),
    ):
        assert cli.main([*refused, *at]) == 2
        assert said in capsys.readouterr().err
    assert cli.main(["status", "--at", "127.0.0.1:1"]) == 3
    assert "no station answers at http://127.0.0.1:1" in capsys.readouterr().err


def test_what_the_readme_says_to_a_station(at_work: Served) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (told,) = re.findall(r"^```sh\n(.*?)^```$", readme, flags=re.DOTALL | re.MULTILINE)
    at_work.http.post("/api/v1/emergency-stop")
    for command in told.splitlines():
        name, *rest = command.replace("http://127.0.0.1:8080", at_work.url).split()
        at = ["--at", at_work.url.removeprefix("http://")]
        argv = [*PROGRAM, *rest, *at] if name == "verified-alloc" else [name, *rest]
        done = subprocess.run(argv, capture_output=True, text=True, env=ENVIRONMENT, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout
    assert not at_work.state()["stopped"]
    assert at_work.http.delete("/api/v1/limits").status_code == 200


def test_a_demand_kept_from_the_shell_ends_with_it(at_work: Served) -> None:
    keeping = subprocess.Popen(
        [*PROGRAM, "demand", "3=40", "--keep", "--at", at_work.url.removeprefix("http://")],
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    eventually(lambda: at_work.gun(3)["demand_kw"] == 40)
    keeping.send_signal(signal.SIGINT)
    said, _ = keeping.communicate(timeout=30)
    assert keeping.returncode == 0
    assert said.splitlines() == ["gun 3 asks for 40 kW", "gun 3 asks for 0 kW"]
    assert at_work.gun(3)["demand_kw"] == 0


def test_a_dead_service_process_comes_back_and_the_station_has_gone_on(at_work: Served) -> None:
    at_work.ask(5, 80)
    eventually(lambda: at_work.gun(5)["offer_kw"] == 80)
    before, dead = at_work.state(), at_work.service_pid
    os.kill(dead, signal.SIGKILL)
    eventually(lambda: at_work.is_healthy() and at_work.service_pid != dead)
    after = at_work.state()
    assert after["scan"]["count"] > before["scan"]["count"] + 20
    assert after["station"]["started_at"] == before["station"]["started_at"]
    gun, was = after["guns"][4], before["guns"][4]
    assert gun["energy_kwh"] > was["energy_kwh"]
    assert gun | {"why": None, "energy_kwh": 0} == was | {"why": None, "energy_kwh": 0}
    assert "the service process is gone" in at_work.said


def test_a_hung_service_process_holds_up_nobody(at_work: Served) -> None:
    before = at_work.state()["scan"]["count"]
    os.kill(at_work.service_pid, signal.SIGSTOP)
    time.sleep(1.5)
    os.kill(at_work.service_pid, signal.SIGCONT)
    assert at_work.state()["scan"]["count"] > before + 40


# Last: it ends the shared station.


def test_it_ends_in_good_order_and_says_so(shared: Served) -> None:
    shared.ask(1, 80)
    eventually(lambda: shared.gun(1)["offer_kw"] == 80)
    events: list[str] = []

    def listen() -> None:
        with shared.http.stream("GET", "/api/v1/stream?whole=true") as stream:
            events.extend(line for line in stream.iter_lines() if line)

    listening = threading.Thread(target=listen)
    listening.start()
    time.sleep(0.5)
    service = shared.service_pid
    assert shared.end() == 0
    listening.join(20)
    assert "Violations: 0" in shared.said
    assert "Traceback" not in shared.said
    assert events[-1] == 'data: {"said":"the station has ended"}'
    states = [json.loads(e.removeprefix("data: ")) for e in events if '"sequence"' in e[:20]]
    assert states[-1]["phase"] == "ending"
    assert states[-1]["guns"][0]["offer_kw"] == 0
    assert not Path(f"/proc/{service}").exists()


def test_a_killed_scan_is_told_and_ends_the_service(tmp_path: Path) -> None:
    with Served(tmp_path, ready=False) as at_work:
        eventually(at_work.is_healthy)
        service = at_work.service_pid
        os.kill(at_work.process.pid, signal.SIGKILL)
        answer = eventually(lambda: _unhealthy(at_work))
        assert answer.json()["healthy"] is False
        assert at_work.http.get("/api/v1/state").status_code == 503
        assert at_work.ask(1, 40).status_code == 503
        eventually(lambda: not Path(f"/proc/{service}").exists())
        assert "the scan is gone" in at_work.said


def _unhealthy(at_work: Served) -> httpx.Response | None:
    answer = at_work.http.get("/healthz")
    return answer if answer.status_code == 503 else None


def test_a_demand_that_is_not_refreshed_falls_to_0_the_gun_being_told_first(
    tmp_path: Path,
) -> None:
    with Served(tmp_path, timeout_s=2, ready=False) as at_work:
        eventually(at_work.is_healthy)
        at_work.ask(1, 300)
        seen: list[Any] = []
        with at_work.http.stream("GET", "/api/v1/stream?whole=true") as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    seen.append(json.loads(line.removeprefix("data: "))["guns"][0])
                    assert len(seen) < 500
                    if any(gun["stale"] for gun in seen) and not seen[-1]["stale"]:
                        break  # it has been given back to the synthetic day
        offers = [(gun["offer_kw"], bool(gun["live"])) for gun in seen]
        assert (240, True) in offers
        assert (0, True) in offers[offers.index((240, True)) :]  # told, and still fed
        assert at_work.end() == 0


def test_a_taken_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        assert cli.main(["run", "--http", at, "--until", "1"]) == 3
    said = capsys.readouterr().err
    assert said == f"verified-alloc: http {at}: address already in use; --http names another\n"


def test_a_simulated_station_whose_default_port_is_taken_takes_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        station = Station.reference()
        notes: list[str] = []
        wanted = settings(ServiceConfig(http=at), "tried")
        with serving(station, "not proved", wanted, simulated_charger(station), True, notes.append):
            assert notes[0] == f"http {at} is taken"
            assert re.fullmatch(r"Dashboard: http://127\.0\.0\.1:\d+/", notes[1])
            assert at not in notes[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--http", "127.0.0.1"], "allowed is HOST:PORT"),
        (["--http", "127.0.0.1:70000"], "allowed is HOST:PORT"),
        (["--http", "0.0.0.0:8080"], "allowed without service.token_file or [[service.token]]"),
    ],
)
def test_an_address_that_is_refused(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", *options, "--until", "1"]) == 2
    assert said in capsys.readouterr().err


def test_without_the_service_a_station_runs_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--no-service", "--until", "1", "--speed", "10"]) == 0
    assert "Dashboard" not in capsys.readouterr().out


def test_proof_tests_are_shown_with_their_dates(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    now_s = time.time()
    tested = {"said": "as it must", "tested_s": now_s - 60, "passed_s": now_s - 60}
    failed = {"verdict": "failed", "said": "stuck", "tested_s": now_s, "passed_s": None}
    tests = {"RESET": {"verdict": "passed", **tested}, "relay watchdog": failed}
    beside(faults).write_text(json.dumps({"version": 1, "tests": tests}))
    timing = "[timing]\nproof_test_interval_h = 24"
    with Served(tmp_path, "--faults", str(faults), change=("[timing]", timing)) as at_work:
        shown = {test["test"]: test for test in at_work.http.get("/api/v1/proof-tests").json()}
        assert shown == {test["test"]: test for test in at_work.state()["proof_tests"]}
        assert shown["RESET"]["due_at"] == pytest.approx(now_s - 60 + 24 * 3600)
        assert [test for test, view in shown.items() if view["overdue"]] == [
            "relay watchdog",
            "emergency stop",
        ]
        assert shown["enable lines"]["due_at"] is None
        metrics = at_work.http.get("/metrics").text
        assert 'verified_alloc_proof_test_failed{test="relay watchdog"} 1.0' in metrics
        assert 'verified_alloc_proof_test_overdue{test="RESET"} 0.0' in metrics
        assert 'verified_alloc_proof_test_passed_seconds{test="emergency stop"} 0.0' in metrics
        notes = [note["text"] for note in at_work.state()["notes"]]
        assert "WARNING: proof test overdue: relay watchdog has never passed" in notes
        status = subprocess.run(
            [*PROGRAM, "status", "--at", at_work.url.removeprefix("http://")],
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            check=True,
        ).stdout
        date = time.strftime("%Y-%m-%d %H:%M", time.localtime(now_s - 60))
        assert f"Proof test of the RESET: passed, {date}.\n" in status
        assert "Proof test of the emergency stop: not tested, OVERDUE.\n" in status


def test_a_stop_on_the_old_path_is_obeyed_and_not_sent_elsewhere(tmp_path: Path) -> None:
    with Served(tmp_path) as at_work:
        assert at_work.http.post("/api/emergency-stop").status_code == 200
        assert at_work.state()["stopped"]
