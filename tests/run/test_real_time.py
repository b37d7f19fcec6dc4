"""The scan before other programs, by the kernel's own word."""

import os
import subprocess
import sys
import threading

import pytest

from verified_alloc.run.real_time import PRIORITY, real_time

POLICY = "import os; print(os.sched_getscheduler(0))"


def policy_of(thread: int = 0) -> int:
    return os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK


def said_in(within: str) -> list[str]:
    """What a process says in which this runs in real time, and then the policy after it."""
    program = (
        "import os\nfrom verified_alloc.run.real_time import real_time\nsaid = []\n"
        f"with real_time(print):\n    {within}\nprint(os.sched_getscheduler(0))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(autouse=True)
def _permitted() -> None:
    try:
        with real_time(pytest.skip):
            pass
    finally:
        assert policy_of() == os.SCHED_OTHER


def test_the_scan_comes_first_and_what_it_starts_does_not() -> None:
    found: list[int] = []
    with real_time(pytest.fail):
        assert policy_of() == os.SCHED_FIFO
        assert os.sched_getparam(0).sched_priority == PRIORITY
        thread = threading.Thread(target=lambda: found.append(policy_of()))
        thread.start()
        thread.join()
        child = subprocess.run([sys.executable, "-c", POLICY], capture_output=True, text=True)
    assert found == [os.SCHED_OTHER]
    assert int(child.stdout) == os.SCHED_OTHER


def test_who_computes_and_computes_waits_like_others() -> None:
    said = said_in("while os.sched_getscheduler(0) != os.SCHED_OTHER: pass")
    assert said == [
        "the scan computed for 1 s and waits like other programs from now on",
        str(os.SCHED_OTHER),
    ]


def test_who_may_not_is_told_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refused)
    said: list[str] = []
    with real_time(said.append):
        assert policy_of() == os.SCHED_OTHER
    assert said == ["the scan waits like other programs: operation not permitted"]
