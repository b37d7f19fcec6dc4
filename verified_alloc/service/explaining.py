"""The process that explains: one decision after another, until the service hangs up."""

import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from verified_alloc.decide import explain
from verified_alloc.decide.policies.problem import NoAnswer
from verified_alloc.service.explainer import WITHIN_S, Decision, Why
from verified_alloc.station.model import Station


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
            why = explained(station, decision)
            signal.alarm(0)
            line.send(why)


def explained(station: Station, decision: Decision) -> Why:
    """Why it came out, or why nobody knows."""
    limited = station.limited(decision.site_limit_w)
    try:
        found = explain.reasons(
            limited,
            decision.asked,
            decision.faults,
            decision.allocation,
            decision.out_of_service,
            decision.limited,
        )
    except NoAnswer as error:
        return Why.of_all(station, f"Why was not found out: {error}.")
    return Why({gun: reason.sentences for gun, reason in found.guns.items()}, found.station)


if __name__ == "__main__":
    sys.exit(main())
