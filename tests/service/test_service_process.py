"""The process that faces the network: which user it is, and how it is found to be stuck."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sweep.stations import REFERENCE

from verified_alloc import process
from verified_alloc.service.order_models import ALIVE
from verified_alloc.service.service_process import (
    LOOKED_AFTER_EVERY_S,
    SILENT_S,
    STARTS_WITHIN_S,
    ServiceProcess,
)
from verified_alloc.service.settings import Settings


@pytest.mark.skipif(not process.may_change_user(), reason="not root")
def test_it_has_no_group_no_right_and_gets_none() -> None:
    done = subprocess.run(
        [*process.nobody(), "/bin/cat", "/proc/self/status"],
        capture_output=True,
        text=True,
        check=True,
    )
    told = dict(re.findall(r"^(\w+):\t(.*?) *$", done.stdout, re.MULTILINE))
    assert "0" not in told["Uid"].split() + told["Gid"].split()
    assert told["Groups"] == ""
    assert {told[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Amb")} == {"0" * 16}
    assert told["NoNewPrivs"] == "1"


def test_the_way_to_a_file_that_others_may_not_go(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    for folder in (inner, inner.parent, tmp_path):
        folder.chmod(0o755)
    beyond = process.shut([inner / "file"])
    inner.parent.chmod(0o750)
    assert process.shut([inner / "file"]) in (beyond, inner.parent)
    assert process.shut([Path("/bin/cat")]) is None
    inner.parent.chmod(0o755)


class Started:
    """Stands for what `process.start` starts: the other end of the line, and what was done."""

    def __init__(self, before: Any, line: socket.socket) -> None:
        self.before, self.line = before, line
        self.killed = False

    def poll(self) -> None:
        return None

    def kill(self) -> None:
        self.killed = True
        self.line.close()

    def wait(self, *_: float) -> int:
        return 0


class Watched:
    """A service process whose time and whose starts are the test's."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.started: list[Started] = []

    def start(self, _: str, passed: list[socket.socket], before: Any) -> Started:
        self.started.append(Started(before, passed[0].dup()))
        return self.started[-1]


@contextmanager
def watched(
    monkeypatch: pytest.MonkeyPatch, shut: Path | None = None
) -> Iterator[tuple[ServiceProcess, Watched]]:
    at = Watched()
    monkeypatch.setattr(process, "start", at.start)
    monkeypatch.setattr(process, "may_change_user", lambda: True)
    monkeypatch.setattr(process, "shut", lambda _: shut)
    monkeypatch.setattr("verified_alloc.service.service_process.time.monotonic", lambda: at.now_s)
    with ServiceProcess(REFERENCE, "not proved", Settings(), (), True) as child:
        yield child, at


def test_it_is_nobody_where_that_may_be_and_can_be(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/setpriv")
    with watched(monkeypatch) as (_, at):
        assert at.started[0].before == process.nobody()
    assert not caplog.messages
    with watched(monkeypatch, Path("/root")) as (_, at):
        assert at.started[0].before == ()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with watched(monkeypatch) as (_, at):
        assert at.started[0].before == ()
    assert [each.partition(": ")[2] for each in caplog.messages] == [
        "others have no access to /root",
        "no setpriv here",
    ]


def test_one_that_says_nothing_is_replaced_and_one_that_lives_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with watched(monkeypatch) as (child, at):
        at.now_s += STARTS_WITHIN_S  # it may take its time to start
        child.keep()
        at.started[0].line.send(ALIVE)
        assert child.receive() == ALIVE
        at.now_s += SILENT_S
        child.keep()
        assert not at.started[0].killed
        at.now_s += LOOKED_AFTER_EVERY_S
        child.keep()
        assert at.started[0].killed
        at.now_s += 1 + LOOKED_AFTER_EVERY_S
        child.keep()
        assert len(at.started) == 2


def test_a_scan_that_stood_still_blames_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came meanwhile is read before it is judged, as `Orders.serve` does."""
    with watched(monkeypatch) as (child, at):
        at.started[0].line.send(ALIVE)
        at.now_s += 10 * STARTS_WITHIN_S
        assert child.receive() == ALIVE
        child.keep()
        assert not at.started[0].killed
