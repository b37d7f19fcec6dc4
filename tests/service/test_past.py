"""Hours, days and events over HTTP, on a running station; and the fault that somebody has seen."""

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service.served import Served, eventually


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("past")
    with Served(folder, "--journal", str(folder / "journal.db")) as served:
        yield served


def got(served: Served, path: str, **asked: Any) -> Any:
    answer = served.http.get(f"/api/v1/{path}", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_power_energy_and_session_of_a_gun(served: Served) -> None:
    assert served.state()["station"]["history"] is True
    served.ask(1, 80)
    eventually(lambda: served.gun(1)["live_kw"] == 80)
    sessions = eventually(lambda: [s for s in got(served, "sessions") if s["gun"] == 1])
    assert [one["end_at"] for one in sessions] == [None]
    eventually(lambda: got(served, "sessions")[0]["energy_kwh"] > 0)
    assert got(served, "sessions")[0]["most_kw"] == 80
    hour = got(served, "history", hours=1)
    assert (hour["step_s"], len(hour["power_kw"]), hour["complete"]) == (60, 60, True)
    assert hour["start_at"] <= time.time() - 3500
    assert sum(hour["power_kw"][step][0] for step in (-2, -1)) > 0
    (today,) = got(served, "energy")
    assert today["energy_kwh"][0] > 0
    served.to_rest()


def test_events_are_searched_and_exported(served: Served) -> None:
    served.http.put("/api/v1/modules/5/service", json={"in_service": False})
    served.http.put("/api/v1/modules/5/service", json={"in_service": True})
    words = {"words": "PM5 is out of"}
    found = eventually(lambda: got(served, "events", **words)["events"])
    assert [one["text"] for one in found] == ["PM5 is out of service, as told"]
    assert got(served, "events", severity="critical", **words)["events"] == []
    assert got(served, "events", to_at=1, **words) == {"events": [], "complete": True}
    answer = served.http.get("/api/v1/events.csv", params=words)
    assert answer.headers["content-type"].startswith("text/csv")
    assert "events.csv" in answer.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.text))
    zone = served.state()["station"]["zone"]
    assert (row["zone"], row["kind"], row["text"]) == (zone, "report", found[0]["text"])


@pytest.mark.parametrize(
    "path",
    ["history?hours=2", "events?from_at=-1", "events?severity=loud", f"events?words={'x' * 101}"],
)
def test_what_is_not_allowed_is_refused(served: Served, path: str) -> None:
    assert served.http.get(f"/api/v1/{path}").status_code == 422


def test_a_fault_is_acknowledged_and_still_stands(served: Served) -> None:
    served.http.post("/api/v1/emergency-stop")
    (fault,) = eventually(lambda: served.state()["faults"])
    assert fault["acknowledged_at"] is None
    assert abs(fault["since_at"] - time.time()) < 60
    assert fault["costs_kw"] == 360
    path = "/api/v1/faults/emergency-stop"
    answer = served.http.post(f"{path}/acknowledgement")
    assert answer.json() == {"said": "emergency-stop is acknowledged; it still stands"}
    (fault,) = eventually(lambda: [f for f in served.state()["faults"] if f["acknowledged_at"]])
    assert served.http.delete(path).status_code == 200
    eventually(lambda: not served.state()["faults"])
    assert served.http.post(f"{path}/acknowledgement").status_code == 404


def test_the_live_stream_is_packed_for_who_takes_it(served: Served) -> None:
    for accepted in ("gzip", "identity"):
        headers = {"Accept-Encoding": accepted}
        with served.http.stream("GET", "/api/v1/stream", headers=headers) as stream:
            assert stream.headers.get("content-encoding", "identity") == accepted
            kinds = (line for line in stream.iter_lines() if line.startswith("event: "))
            assert [next(kinds), next(kinds)] == ["event: state", "event: changes"]


def test_without_a_journal_there_is_no_past(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        for path in ("history", "energy", "sessions", "events", "events.csv"):
            answer = served.http.get(f"/api/v1/{path}")
            assert answer.status_code == 404
            assert answer.json() == {"detail": "no journal is kept; run --journal FILE keeps one"}
