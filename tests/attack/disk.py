"""Attacks on what is kept: the process killed at every step of every write, a disk that is full."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count, pairwise
from pathlib import Path
from types import FrameType
from typing import Any

from service.served import Served, eventually

from verified_alloc import whole_file
from verified_alloc.control.fault_file import FaultFile
from verified_alloc.control.fault_kinds import Fault
from verified_alloc.control.limits_file import Kept, LimitsFile
from verified_alloc.decide.limits.profile import always

WELD, STOP = Fault("welded", 1, 2), Fault("stopped")
FAULTS = [frozenset[Fault](), frozenset([WELD]), frozenset([WELD, STOP]), frozenset([STOP])]
LIMITS = [Kept(), Kept((always(80_000),)), Kept((always(60_000), always(9_000, 2))), Kept()]
"""What is in the file, one after the other."""
SMALL = "size=256k"
ENOUGH_KW = 200


def killed(file: Any, life: Sequence[Any]) -> Iterator[tuple[Any, Any, Any]]:
    """SIGKILL before every line that writes: what was kept, what was to be, what is found."""
    for before, after in pairwise(life):
        for step in count(1):
            file.save(before)
            child = os.fork()
            if not child:
                _die_before(step)
                file.save(after)
                os._exit(0)
            _, status = os.waitpid(child, 0)
            yield before, after, file.load()
            if os.WIFEXITED(status):
                break


def _die_before(step: int) -> None:
    lines = count(1)

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename == whole_file.__file__:
            if event == "line" and next(lines) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace
        return None

    sys.settrace(trace)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 256 kB; PermissionError for who may not mount one."""
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", SMALL, "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        raise PermissionError(done.stderr.strip())
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Not a block is left."""
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        for size in (4096, 1):
            try:
                while ballast.write(b"x" * size):
                    pass
            except OSError:
                continue


def offered_kw(at_work: Served) -> float:
    """What all guns may draw."""
    return sum(gun["offer_kw"] for gun in at_work.state()["guns"])


def stopped_on_a_full_disk(folder: Path) -> tuple[float, int, float]:
    """What is offered before, the answer to a stop on a full disk, and what is offered after
    `kill -9` and a new start on the same files, with every gun asking."""
    with small_disk(folder) as disk:
        files = ["--faults", str(disk / "faults.json"), "--journal", str(disk / "journal.db")]
        with Served(folder, *files) as at_work:
            for gun in range(1, 7):
                at_work.ask(gun, 60)
            before_kw = eventually(lambda: offered_kw(at_work) >= ENOUGH_KW and offered_kw(at_work))
            fill(disk)
            answer = at_work.http.post("/api/v1/emergency-stop").status_code
            assert at_work.is_healthy()
            at_work.process.kill()
            at_work.process.wait()
        with Served(folder, *files, ready=False) as again:
            eventually(again.is_healthy)
            for gun in range(1, 7):
                again.ask(gun, 60)
            eventually(lambda: again.state()["scan"]["count"] > 100)
            after_kw = offered_kw(again)
            assert again.state()["stopped"]
            assert again.http.delete("/api/v1/faults/emergency-stop").status_code == 200
            eventually(lambda: offered_kw(again))
    return before_kw, answer, after_kw


def main() -> None:
    """Try it, and say what came of it."""
    with tempfile.TemporaryDirectory() as name:
        for what, file, life in (
            ("fault", FaultFile(Path(name) / "faults.json"), FAULTS),
            ("limits", LimitsFile(Path(name) / "limits.json", time.time), LIMITS),
        ):
            found = list(killed(file, life))
            lost = sum(kept not in (before, after) for before, after, kept in found)
            print(f"{what} file: kill -9 before each of {len(found)} steps: {lost} losses")
        try:
            before_kw, answer, after_kw = stopped_on_a_full_disk(Path(name))
        except PermissionError as error:
            print(f"full disk: not tried: {error}")
            return
        print(
            f"full disk of 256 kB, {before_kw:g} kW offered: a stop answers {answer}; after kill -9"
            f" and a new start {after_kw:g} kW are offered"
        )


if __name__ == "__main__":
    main()
