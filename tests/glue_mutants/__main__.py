"""`make glue-mutants`: every mutant of the glue, or of the files named. 1 if one survives."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

from glue_mutants import changes, hunt


def main() -> int:
    """The score by file, and all that were not killed."""
    jobs = os.cpu_count() or 1
    every = hunt.reaches(jobs)
    left = 0
    for path in sys.argv[1:] or changes.FILES:
        started_s = time.perf_counter()
        with ThreadPoolExecutor(jobs) as pool:
            running = [
                pool.submit(hunt.fate, mutant, hunt.tests_for(mutant, every))
                for mutant in changes.of(path)
            ]
            fates = []
            for done in as_completed(running):
                fates.append(done.result())
                if fates[-1].state in (hunt.SURVIVES, hunt.UNJUDGED):
                    print(
                        f"  {fates[-1].mutant.name}: {fates[-1].state}, {fates[-1].tests} tests",
                        flush=True,
                    )
        counts = {state: sum(fate.state == state for fate in fates) for state in hunt.STATES}
        left += counts[hunt.SURVIVES] + counts[hunt.UNJUDGED]
        shown = ", ".join(f"{count} {state}" for state, count in counts.items())
        print(f"{path}: {len(fates)}: {shown}; {time.perf_counter() - started_s:.0f} s", flush=True)
    return int(left > 0)


if __name__ == "__main__":
    sys.exit(main())
