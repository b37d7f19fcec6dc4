"""24 simulated hours at 100 times the real speed, with guns that ask for something else every few
minutes and somebody who looks on all the time: whether memory and descriptors stay flat.
`python -m service.long_day`."""

import itertools
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
from service.served import Served

DAY_S, SPEED, EVERY_S = 86_400, 100, 10
ASKS_AFTER_S = 0.5
"""One gun after another, in real time."""
MORE_MB, MORE_DESCRIPTORS = 8, 4
"""So much more than in its second quarter a process may have in the last."""


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def look_on(at_work: Served) -> None:
    """A viewer's stream, and requests beside it, until the station ends."""
    try:
        with at_work.http.stream("GET", "/api/v1/stream") as stream:
            for _ in stream.iter_raw():
                pass
    except Exception:  # it has ended
        return


def ask(at_work: Served) -> None:
    """Each gun for nothing, for a little or for more than there is, until the station ends."""
    some = random.Random("long day")
    try:
        for gun in itertools.cycle(range(1, 7)):
            at_work.ask(gun, some.choice([0, 40, 80.5, 160, 240]))
            time.sleep(ASKS_AFTER_S)
    except (OSError, httpx.TransportError):  # it has ended
        return


def main() -> int:
    """1 if they grow."""
    samples: dict[str, list[tuple[float, int]]] = {"the scan's": [], "the service's": []}
    with tempfile.TemporaryDirectory() as folder:
        options = ("--speed", str(SPEED), "--until", str(DAY_S))
        with Served(Path(folder), *options, ready=False) as at_work:
            for works in (look_on, ask):
                threading.Thread(target=works, args=(at_work,), daemon=True).start()
            began_s = time.monotonic()
            while at_work.process.poll() is None and time.monotonic() - began_s < DAY_S / SPEED:
                time.sleep(EVERY_S)
                try:
                    state = at_work.state()
                    for name, pid in (
                        ("the scan's", at_work.process.pid),
                        ("the service's", at_work.service_pid),
                    ):
                        samples[name].append((resident_mb(pid), descriptors(pid)))
                except (OSError, IndexError, httpx.TransportError):
                    break
                done = (time.monotonic() - began_s) * SPEED / DAY_S
                print(f"{min(done, 1):4.0%}, scan {state['scan']['count']}", end="\r", flush=True)
        print(next(line for line in at_work.said.splitlines() if line.startswith("Ran ")))
    flat = True
    for name, taken in samples.items():
        quarter = len(taken) // 4
        early, late = taken[quarter : 2 * quarter], taken[-quarter:]
        mb, fds = (
            [max(each[place] for each in some) for some in (early, late)] for place in (0, 1)
        )
        flat &= mb[1] <= mb[0] + MORE_MB and fds[1] <= fds[0] + MORE_DESCRIPTORS
        print(
            f"{name} process: {mb[0]:.1f} MB and {fds[0]:.0f} descriptors in the second quarter,"
            f" {mb[1]:.1f} MB and {fds[1]:.0f} in the last, of {len(taken)} looks"
        )
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
