"""The solver's process: it answers one question after another, until the scan hangs up."""

import os
import signal
import sys
from multiprocessing.connection import Connection

from verified_alloc.decide.policies.problem import Answer, Problem


def main() -> int:
    """Ctrl-C and SIGTERM are for the scan."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(5)
    import ortools.sat.python.cp_model  # noqa: F401 (before the first question comes)

    with Connection(int(sys.argv[1])) as line:
        while True:
            try:
                problem, policy = line.recv()
            except (EOFError, ConnectionResetError):
                return 0
            line.send(_answer(problem, policy))


def _answer(problem: Problem, policy: str) -> Answer | Exception:
    from verified_alloc.decide.policies import constraint

    try:
        return constraint.solve(problem, policy)
    except Exception as error:
        return error


if __name__ == "__main__":
    sys.exit(main())
