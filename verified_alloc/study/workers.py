"""Who does the replays of a study: this process, processes of this machine, or a Dask cluster."""

import signal
from collections.abc import Generator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context

from verified_alloc.errors import BadInput, VerifiedAllocError
from verified_alloc.study.plan import Case, Source, program
from verified_alloc.study.store import Result

CONNECT_S = 10
AHEAD = 3
"""Cases that wait for each worker; few, so that an interruption loses little."""

Done = Generator[tuple[str, Result], None, None]
"""Keys and results, in any order."""

_source: Source | None = None


class WorkLost(VerifiedAllocError):
    """The workers are gone; what they had done is kept."""


def work(case: Case, source: Source, wanted_program: str) -> Result:
    """One replay, and its figures."""
    from verified_alloc.compare import metrics
    from verified_alloc.compare.replay import replay

    if program() != wanted_program:
        raise WorkLost("a worker runs another version of verified-alloc; allowed is the same one")
    cars = source.of(case.seed)
    replayed = replay(case.station, cars, case.policy, case.seed, limits=source.limits)
    return {
        figure.key: figure.of(replayed)
        for figure in metrics.FIGURES
        if figure.value is not metrics.decision_ms  # this machine's, another one every time
    }


def here(cases: Mapping[str, Case], source: Source) -> Done:
    """One after the other in this process."""
    for key, case in cases.items():
        yield key, work(case, source, program())


def in_processes(cases: Mapping[str, Case], source: Source, count: int) -> Done:
    """In so many processes, as they are done. Each starts anew rather than as a copy of this one:
    the solver's threads do not survive a fork."""
    waiting = iter(cases.items())
    running: dict[Future[Result], str] = {}
    with ProcessPoolExecutor(count, get_context("spawn"), _begin, (source,)) as pool:
        try:
            while True:
                for key, case in islice(waiting, AHEAD * count - len(running)):
                    running[pool.submit(_work, case, program())] = key
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), future.result()
        except BrokenProcessPool:
            raise WorkLost("a worker process was killed") from None
        finally:
            pool.shutdown(cancel_futures=True)


def on_dask(cases: Mapping[str, Case], source: Source, address: str) -> Done:
    """On the workers of a Dask scheduler, as they are done. Dask gives the cases of a worker that
    is lost to others."""
    try:
        from distributed import CancelledError, Client, KilledWorker, as_completed
    except ImportError:
        raise BadInput("--dask needs Dask: pip install 'verified-alloc[cluster]'") from None
    try:
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise WorkLost(f"--dask {address}: no scheduler answers there ({error})") from None
    with client:
        shared = client.scatter(source, broadcast=True)
        futures = [
            client.submit(work, case, shared, program(), key=f"verified-alloc-{key}")
            for key, case in cases.items()
        ]
        try:
            for future, result in as_completed(futures, with_results=True):
                yield future.key.removeprefix("verified-alloc-"), result
        except (CancelledError, KilledWorker) as error:
            raise WorkLost(f"--dask {address}: {error or 'the scheduler is gone'}") from None


def _begin(source: Source) -> None:
    """A worker begins. Ctrl-C is the parent's: it lets the workers finish."""
    global _source
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _source = source


def _work(case: Case, wanted_program: str) -> Result:
    assert _source is not None
    return work(case, _source, wanted_program)
