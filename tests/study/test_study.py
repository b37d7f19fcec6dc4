"""The command, its workers, and what is left when it is cut short."""

import json
import multiprocessing
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from verified_alloc.cli import main
from verified_alloc.compare.replay import replay
from verified_alloc.station.model import Station
from verified_alloc.study import workers
from verified_alloc.study.plan import Plan, Source, swept
from verified_alloc.study.workers import WorkLost, here, in_processes, on_dask
from verified_alloc.workload.traces import DemandTrace, read_trace, write_trace

OUTPUTS = ("study.csv", "study.html", "study.png")
SWEEP = ["--modules", "3,6", "--matrix", "full,ring", "--policies", "documented", "--seeds", "1-3"]
CASES = 12


@pytest.fixture(scope="module")
def minutes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The first half of the sample hour, to be quick."""
    path = tmp_path_factory.mktemp("study") / "minutes.csv"
    with path.open("w") as out:
        write_trace(read_trace("hour", range(1, 7)).excerpt(0, 1_800_000), out)
    return str(path)


@pytest.fixture(scope="module")
def whole(minutes: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that nobody interrupted, made by this process alone."""
    folder = tmp_path_factory.mktemp("whole")
    assert main(["study", minutes, *SWEEP, "--out", str(folder), "--jobs", "1"]) == 0
    return folder


def plan_of(minutes: str) -> Plan:
    trace = DemandTrace(read_trace(minutes, range(1, 7)).changes)
    stations = swept(Station.reference(), [3, 6], [40], ["full", "ring"])
    return Plan(stations, ("documented",), (1, 2, 3), Source("minutes.csv", 6, trace))


def same(folder: Path, other: Path) -> bool:
    return all((folder / name).read_bytes() == (other / name).read_bytes() for name in OUTPUTS)


def test_every_replay_is_the_one_of_compare(minutes: str, whole: Path) -> None:
    plan = plan_of(minutes)
    lines = [json.loads(line) for line in (whole / "results.jsonl").read_text().splitlines()]
    results = {line["key"]: line["result"] for line in lines}
    assert results.keys() == plan.cases.keys()
    key, case = next(iter(plan.cases.items()))
    replayed = replay(case.station, plan.source.of(1), "documented", 1)
    assert results[key]["unmet_kwh"] * 3.6e9 == pytest.approx(
        replayed.wanted_mj - replayed.delivered_mj
    )
    assert results[key]["operations"] == sum(replayed.operations.values()) > 0
    assert "decision_ms" not in results[key]


def test_processes_come_to_the_same(minutes: str, whole: Path, tmp_path: Path) -> None:
    plan = plan_of(minutes)
    alone = dict(here(plan.cases, plan.source))
    assert dict(in_processes(plan.cases, plan.source, 2)) == alone
    lines = (whole / "results.jsonl").read_text().splitlines()
    assert {line["key"]: line["result"] for line in map(json.loads, lines)} == alone


class Interrupted(NamedTuple):
    code: int
    done: int
    stderr: str


def interrupted(arguments: list[str], store: Path, number: signal.Signals) -> Interrupted:
    """Run the command and end it when the first results are there."""
    with subprocess.Popen(
        [sys.executable, "-m", "verified_alloc", "study", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not store.exists() or store.read_bytes().count(b"\n") < 2:
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.01)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    return Interrupted(process.returncode, store.read_bytes().count(b"\n"), stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_study_goes_on_and_ends_the_same(
    number: signal.Signals, minutes: str, whole: Path, tmp_path: Path
) -> None:
    arguments = [minutes, *SWEEP, "--out", str(tmp_path), "--jobs", "1"]
    store = tmp_path / "results.jsonl"
    for _ in range(5):
        ended = interrupted(arguments, store, number)
        if ended.done < CASES:
            break
        store.unlink()  # it was through before the signal came
    assert 2 <= ended.done < CASES
    if number != signal.SIGKILL:
        assert ended.code == 0
        assert f"{ended.done} of {CASES} replays are done" in ended.stderr
        assert "Traceback" not in ended.stderr
    with store.open("ab") as file:
        file.write(b'{"key": "cut')  # as a crash may leave it
    before = store.read_bytes().splitlines()[: ended.done]
    assert main(["study", *arguments]) == 0
    after = store.read_bytes().splitlines()
    assert after[: ended.done] == before
    assert len(after) == CASES
    assert same(tmp_path, whole)


def test_what_is_known_is_not_replayed_again(
    minutes: str, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results.jsonl").write_bytes((whole / "results.jsonl").read_bytes())
    monkeypatch.setattr(workers, "work", lambda *_: pytest.fail("replayed"))
    assert main(["study", minutes, *SWEEP, "--out", str(tmp_path), "--jobs", "1"]) == 0
    assert same(tmp_path, whole)


def test_a_killed_process_is_told_of(minutes: str) -> None:
    got: list[str] = []

    def replay_and_kill() -> None:
        plan = plan_of(minutes)
        for key, _ in in_processes(plan.cases, plan.source, 2):
            got.append(key)
            for child in multiprocessing.active_children():
                child.kill()

    with pytest.raises(WorkLost, match="a worker process was killed"):
        replay_and_kill()
    assert 0 < len(got) < CASES


def test_a_worker_of_another_version_is_refused(
    minutes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(minutes)
    case = next(iter(plan.cases.values()))
    with pytest.raises(WorkLost, match="another version"):
        workers.work(case, plan.source, "another")


# Dask -----------------------------------------------------------------------------------------


class Cluster(NamedTuple):
    address: str
    workers: list["subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real scheduler and two workers, processes of their own."""
    pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("dask")
    told = folder / "scheduler.json"

    def start(*arguments: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments, "--scheduler-file", str(told)],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        return process

    with ExitStack() as stack:
        start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        worker = ("worker", "--host", "127.0.0.1", "--no-nanny", "--nthreads", "1")
        both = [start(*worker, "--no-dashboard", "--name", name) for name in "ab"]
        for _ in range(600):
            if told.exists() and told.stat().st_size:
                break
            time.sleep(0.1)
        yield Cluster(json.loads(told.read_text())["address"], both)


@pytest.mark.slow
def test_a_killed_dask_worker_loses_nothing(
    minutes: str, whole: Path, tmp_path: Path, cluster: Cluster
) -> None:
    from distributed import Client

    with Client(cluster.address) as client:
        client.wait_for_workers(2, timeout=60)
    plan = plan_of(minutes)
    got: dict[str, Any] = {}
    for key, result in on_dask(plan.cases, plan.source, cluster.address):
        if not got:
            cluster.workers[0].kill()
        assert key not in got
        got[key] = result
    assert got == dict(here(plan.cases, plan.source))

    options = ["--out", str(tmp_path), "--dask", cluster.address]
    assert main(["study", minutes, *SWEEP, *options]) == 0
    assert same(tmp_path, whole)


def test_no_scheduler_there(
    minutes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(workers, "CONNECT_S", 1)
    options = ["--out", str(tmp_path), "--dask", "tcp://127.0.0.1:9"]
    assert main(["study", minutes, *SWEEP, *options]) == 3
    told = capsys.readouterr().err
    assert "--dask tcp://127.0.0.1:9: no scheduler answers there" in told
    assert "0 of 12 replays are done" in told
    assert main(["study", minutes, *SWEEP, "--out", str(tmp_path), "--dask", "nonsense"]) == 3


# What it prints -------------------------------------------------------------------------------


def test_json_and_csv(minutes: str, whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", minutes, *SWEEP, "--out", str(whole), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["source"] == "minutes.csv"
    assert len(told["results"]) == 4
    assert {row["seeds"] for row in told["results"]} == {3}
    assert main(["study", minutes, *SWEEP, "--out", str(whole), "--csv"]) == 0
    assert capsys.readouterr().out == (whole / "study.csv").read_text()


def test_the_text_and_the_page_open_with_the_answer(
    minutes: str, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", minutes, *SWEEP, "--out", str(whole)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Least energy is left unmet, ")
    answer = told.splitlines()[0]
    page = (whole / "study.html").read_text()
    assert answer in page
    assert page.index(answer) < page.index("<svg")
    assert not re.search(r"(src|href)=\"(?!#)", page), "it needs nothing else"
    assert (whole / "study.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--modules", "9-5"], "--modules '9-5'"),
        (["--modules", "0"], "station.modules = 0"),
        (["--modules", "x"], "--modules 'x': 'x'"),
        (["--module-kw", "nan"], "--module-kw 'nan'"),
        (["--module-kw", "40,,"], "--module-kw '40,,': ''"),
        (["--matrix", "list"], "allowed are full, half, ring"),
        (["--policies", "fair,fair"], "fair twice"),
        (["--policies", "best"], "'best'"),
        (["--seeds", "-1"], "--seeds '-1'"),
        (["--jobs", "0"], "--jobs '0'"),
        (["--json", "--csv"], "allowed is one of them"),
        (["missing.csv"], "missing.csv"),
    ],
)
def test_bad_options(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", *options, "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()
