"""The process that explains: one decision after another, until the service hangs up."""

import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from verified_alloc.decide import explain
from verified_alloc.service.explainer import WITHIN_S, Why


def main() -> int:
    """A decision that takes longer than it may ends the process, also when nobody waits any more.
    Everything else comes first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(19)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("900")
    import ortools.sat.python.cp_model  # noqa: F401 (before the first question comes)

    with Connection(int(sys.argv[1])) as line:
        line.send("ready")
        while True:
            try:
                station, decision = line.recv()
            except (EOFError, ConnectionResetError):
                return 0
            signal.alarm(WITHIN_S + 1)
            asked, faults, site_limit_w, allocation = decision
            found = explain.reasons(station.limited(site_limit_w), asked, faults, allocation)
            signal.alarm(0)
            guns = {gun: reason.sentences for gun, reason in found.guns.items()}
            line.send(Why(guns, found.station))


if __name__ == "__main__":
    sys.exit(main())
