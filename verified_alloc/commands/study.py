"""The command `study`: many stations, policies and seeds."""

import json
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from verified_alloc.commands.options import (
    AsJson,
    LimitsFile,
    StationOption,
    Zone,
    names_of,
    number_of,
    numbers_of,
    station_of,
)
from verified_alloc.errors import BadInput, shown
from verified_alloc.station.parts import POLICIES
from verified_alloc.words import number

if TYPE_CHECKING:
    from verified_alloc.study.outcome import Outcome
    from verified_alloc.study.plan import Plan, Source
    from verified_alloc.study.store import Store

MOST_MODULES = 2000
MOST_SEED = 1_000_000
MOST_JOBS = 1000


def study(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]",
            help="Sessions, demands or a journal, as for compare."
            " [default: a synthetic day for each seed]",
        ),
    ] = None,
    modules: Annotated[
        str, typer.Option("--modules", metavar="LIST", help="How many modules.")
    ] = "5-12",
    module_kw: Annotated[
        str, typer.Option("--module-kw", metavar="LIST", help="Their power.")
    ] = "40",
    matrix: Annotated[
        str, typer.Option("--matrix", metavar="LIST", help="Of full, half, ring.")
    ] = "full,half,ring",
    policies: Annotated[
        str, typer.Option("--policies", metavar="LIST", help="How to decide.")
    ] = "documented,max-power",
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="LIST", help="Each another day.")
    ] = "1-2",
    station: StationOption = None,
    limits: LimitsFile = None,
    zone: Zone = None,
    out: Annotated[
        str,
        typer.Option("--out", metavar="FOLDER", help="Where results, picture, page and table go."),
    ] = "study",
    jobs: Annotated[
        str | None,
        typer.Option("--jobs", metavar="N", help="Processes. [default: as many as cores]"),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option("--dask", metavar="ADDRESS", help="Replay on this Dask scheduler's workers."),
    ] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the table as CSV.")] = False,
) -> int:
    """Which station is worth building: replay a day on many, and draw what less unmet energy costs
    in contactors and modules.

    A LIST is numbers or names with commas, 5-12 for a range. The station file gives what is not
    swept: guns, site limit, times. Whatever ends a study, the same command goes on from there; the
    folder gets results.jsonl, study.png, study.html and study.csv.

    \b
    verified-alloc study
    verified-alloc study --modules 6,8,10 --module-kw 20,40 --matrix full,ring
    verified-alloc study sessions.csv --policies documented,priority,max-power,fair --seeds 1
    verified-alloc study --limits limits.csv
    verified-alloc study --seeds 1-20 --dask tcp://10.0.0.5:8786
    """
    from verified_alloc.study.outcome import answer, outcomes, rows
    from verified_alloc.study.outcome import as_csv as csv_of
    from verified_alloc.study.plan import MATRICES, Plan, swept
    from verified_alloc.study.store import Store

    if as_json and as_csv:
        raise BadInput("--json, --csv: allowed is one of them")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise BadInput("study needs matplotlib: pip install 'verified-alloc[compare]'") from None
    base = station_of(station)
    source, starts_ms, journal_unix_ms = _source(file, len(base.guns))
    from verified_alloc.commands.limit_file import schedule_of

    schedule = schedule_of(limits, zone, base, starts_ms, journal_unix_ms)
    if limits is not None:
        source = replace(source, name=f"{source.name} under {Path(limits).name}", limits=schedule)
    plan = Plan(
        swept(
            base,
            numbers_of("--modules", modules, MOST_MODULES),
            _powers(module_kw),
            names_of("--matrix", matrix, MATRICES),
        ),
        tuple(names_of("--policies", policies, POLICIES)),
        tuple(numbers_of("--seeds", seeds, MOST_SEED)),
        source,
    )
    processes = (os.cpu_count() or 1) if jobs is None else number_of("--jobs", jobs)
    if not 1 <= processes <= MOST_JOBS:
        raise BadInput(f"--jobs {shown(jobs)}: allowed is 1 to {MOST_JOBS}")
    folder = Path(out)
    with Store(folder / "results.jsonl") as store:
        ended = _replayed(plan, store, processes, dask)
        if ended is not None:
            return ended
        found = outcomes(plan, store.results)
    _write(folder, plan, found)
    if as_json:
        report = {"source": plan.source.name, "answer": answer(found), "results": rows(found)}
        print(json.dumps(report))
    elif as_csv:
        print(csv_of(found), end="")
    else:
        _print(folder, plan, found)
    return 0


def _powers(text: str) -> list[float]:
    """The module powers, in kW; a station file's rules judge them."""
    powers = []
    for part in text.split(","):
        power_kw = float(number(part.strip()) or math.nan)
        if not 0 < power_kw < math.inf:
            raise BadInput(
                f"--module-kw {shown(text)}: {shown(part)}; allowed are powers in kW, as 20,40"
            )
        powers.append(int(power_kw) if power_kw == int(power_kw) else power_kw)
    return sorted(set(powers))


def _source(file: str | None, guns: int) -> tuple["Source", int | None, int | None]:
    """What is replayed, in memory: it travels to the workers. And when it starts, as `schedule_of`
    is told."""
    from verified_alloc.study.plan import Source
    from verified_alloc.workload.synthetic import BUILT_IN_CARS, FIRST_DAY_MS

    if file is None:
        return Source("synthetic days", guns), FIRST_DAY_MS, None
    from verified_alloc.compare.comparison import read_input
    from verified_alloc.workload.traces import DemandTrace, TraceFile

    read = read_input(file, guns, BUILT_IN_CARS)
    demands = read.demands
    if isinstance(demands, TraceFile):
        demands = DemandTrace(tuple(demands.changes))
    given = demands if isinstance(demands, DemandTrace) else tuple(demands)
    return Source(Path(file).name, guns, given), read.starts_ms, read.started_unix_ms


def _replayed(plan: "Plan", store: "Store", processes: int, dask: str | None) -> int | None:
    """Replay what is not known yet; how the program ends, if that is before all is known."""
    from verified_alloc.study.workers import WorkLost, here, in_processes, on_dask

    missing = {key: case for key, case in plan.cases.items() if key not in store.results}
    if not missing:
        return None
    if dask is not None:
        results = on_dask(missing, plan.source, dask)
    elif processes == 1:
        results = here(missing, plan.source)
    else:
        results = in_processes(missing, plan.source, min(processes, len(missing)))
    done = len(plan.cases) - len(missing)
    try:
        with _ended_by_sigterm(), closing(results), _progress(done, len(plan.cases)) as advance:
            for key, result in results:
                store.add(key, result)
                done += 1
                advance(done)
    except KeyboardInterrupt:
        print(
            f"verified-alloc: {done} of {len(plan.cases)} replays are done; the same command goes"
            " on from there",
            file=sys.stderr,
        )
        return 0
    except WorkLost as error:
        raise WorkLost(
            f"{error}; {done} of {len(plan.cases)} replays are done, the same command goes on from"
            " there"
        ) from None
    return None


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """As by Ctrl-C. Only the main thread can be told."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _progress(done: int, total: int) -> Iterator[Callable[[int], None]]:
    """A bar, where somebody looks."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("replays", total=total, completed=done)
        yield lambda reached: progress.update(bar, completed=reached)


def _write(folder: Path, plan: "Plan", found: "Sequence[Outcome]") -> None:
    from verified_alloc.study.outcome import as_csv
    from verified_alloc.study.plots import as_png
    from verified_alloc.study.report import page

    try:
        (folder / "study.csv").write_text(as_csv(found), encoding="utf-8")
        (folder / "study.html").write_text(page(plan, found), encoding="utf-8")
        (folder / "study.png").write_bytes(as_png(found))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadInput(f"--out {folder}: {reason}; allowed is a folder to write in") from None


def _print(folder: Path, plan: "Plan", found: "Sequence[Outcome]") -> None:
    from verified_alloc.study.outcome import answer
    from verified_alloc.study.report import describe

    print(answer(found))
    print()
    front = sorted((one for one in found if one.on_front), key=lambda one: one.price)
    table = [("nothing beats", "policy", "contactors", "modules kW", "unmet %")]
    table += [
        (one.name, one.policy, str(one.contactors), f"{one.pool_kw:g}", f"{one.unmet_percent:.2f}")
        for one in front
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
    print()
    print(describe(plan))
    print(f"Picture and page: {folder / 'study.png'}, {folder / 'study.html'}.")
