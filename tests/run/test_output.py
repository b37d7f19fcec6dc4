"""What does not take what is printed holds up nobody."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from verified_alloc.run.output import WAITING, Output

RUN = (sys.executable, "-m", "verified_alloc", "run", "--no-service")
LIVE = (*RUN, "--until", "20", "--speed", "20")


def wait_until(holds: Callable[[], bool], for_s: float = 120) -> None:
    until_s = time.monotonic() + for_s
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def test_everything_is_printed_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    with Output() as output:
        for number in range(WAITING // 2):
            output.soon(lambda number=number: print(number))
    assert capsys.readouterr().out.split() == [str(number) for number in range(WAITING // 2)]


def test_an_output_that_is_stuck_holds_up_nobody_and_what_it_missed_is_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    free, stuck = threading.Event(), threading.Event()

    def blocks() -> None:
        stuck.set()
        free.wait()

    with Output() as output:
        output.soon(blocks)
        assert stuck.wait(60)
        for number in range(WAITING + 7):
            output.soon(lambda number=number: print(number))
        free.set()
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "7 times nothing could be printed"
    assert told[1:] == [str(number) for number in range(WAITING)]


def test_an_output_that_nobody_reads_ends_no_run() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(LIVE, stdout=write, stderr=subprocess.PIPE, text=True, timeout=300)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_output_that_is_never_read_does_not_hold_up_the_run(tmp_path: Path) -> None:
    """The pipe is full from the beginning: the run comes to its end, and only its summary waits."""
    journal, log = tmp_path / "run.db", tmp_path / "run.db-wal"
    read, write = os.pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while True:
            os.write(write, bytes(1 << 16))
    os.set_blocking(write, True)
    with subprocess.Popen([*LIVE, "--journal", str(journal)], stdout=write) as running:
        os.close(write)
        # Beside an open journal lies its log.
        wait_until(log.exists)
        wait_until(lambda: not log.exists())
        assert running.poll() is None
        with os.fdopen(read, "rb") as pipe:
            assert pipe.read().endswith(b"Violations: 0.\n")
        assert running.wait() == 0
