"""The command `compare`: one input through several policies and stations."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from verified_alloc.commands.options import (
    AsJson,
    LimitsFile,
    Zone,
    names_of,
    number_of,
    station_of,
)
from verified_alloc.errors import BadInput
from verified_alloc.station.model import Station
from verified_alloc.station.parts import POLICIES

if TYPE_CHECKING:
    from verified_alloc.compare.comparison import Comparison, Input


def compare(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="Sessions or demands, CSV; a journal; or a sample of demands: day, hour.",
        ),
    ],
    policies: Annotated[
        str, typer.Option("--policies", metavar="NAMES", help="Which, with commas between.")
    ] = ",".join(POLICIES),
    station: Annotated[
        list[str] | None,
        typer.Option(
            "--station",
            metavar="FILE",
            help="Station file, repeatable. [default: a journal's own, else reference]",
        ),
    ] = None,
    report: Annotated[
        str | None,
        typer.Option("--report", metavar="FILE", help="Write a page with plots, HTML."),
    ] = None,
    curves: Annotated[
        str | None,
        typer.Option(
            "--curves", metavar="FILE", help="Charging curves by car, open-ev-data's CSV."
        ),
    ] = None,
    limits: LimitsFile = None,
    zone: Zone = None,
    patience: Annotated[
        str,
        typer.Option(
            "--patience",
            metavar="PERCENT",
            help="How much longer than planned drivers stay for what is missing.",
        ),
    ] = "50",
    seed: Annotated[
        str, typer.Option("--seed", metavar="N", help="Of who takes which free gun.")
    ] = "0",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad rows out, and say how many.")
    ] = False,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table as CSV.")] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the tables in Markdown.")
    ] = False,
) -> int:
    """Replay sessions or demands under several policies and stations, and tell what they differ in.

    Sessions: arrival,departure,energy_kwh,max_power_kw, and gun,soc_arrival,capacity_kwh,car where
    known. Cars are in closed loop: who gets less stays longer, or leaves with less; who finds no
    gun free waits. Demands, time_s,gun,demand_kw, are replayed as run does. Switching times, offers
    and dwell are the station's. Limits, time,limit_kw, count besides the station's own.

    \b
    verified-alloc compare day
    verified-alloc compare sessions.csv --policies documented,max-power --report report.html
    verified-alloc compare sessions.csv --station full.toml --station ring.toml --csv
    verified-alloc compare sessions.csv --limits limits.csv --report report.html
    verified-alloc compare sessions.csv --limits profile.json --zone Europe/Berlin
    """
    from verified_alloc.compare import comparison, tables
    from verified_alloc.workload.cars import read_cars
    from verified_alloc.workload.synthetic import BUILT_IN_CARS

    if as_json + as_csv + as_markdown > 1:
        raise BadInput("--json, --csv, --markdown: allowed is one of them")
    if report is not None:
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            raise BadInput(
                "--report needs matplotlib: pip install 'verified-alloc[compare]'"
            ) from None
    cars = BUILT_IN_CARS | (read_cars(curves) if curves else {})
    given = [station_of(path) for path in station or ()]
    guns = min((len(each.guns) for each in given), default=None)
    source = comparison.read_input(file, guns, cars, skip_bad)
    stations = comparison.with_distinct_names(given or [source.station or Station.reference()])
    from verified_alloc.commands.limit_file import schedule_of

    schedules = [
        schedule_of(limits, zone, each, source.starts_ms, source.started_unix_ms)
        for each in stations
    ]
    names = names_of("--policies", policies, POLICIES)
    for each in stations:
        if "documented" in names and each.policy.minimum_modules:
            raise BadInput(
                f"policy.minimum_modules = {each.policy.minimum_modules} of {each.name} with"
                " policy documented: allowed is 0"
            )
    if source.skipped.count:
        first = source.skipped.first
        print(f"Skipped {source.skipped.count} bad rows, the first: {first}", file=sys.stderr)
    with _progress(source) as progress:
        compared = comparison.compare(
            replace(source, limits=limits),
            stations,
            names,
            limits=schedules,
            seed=number_of("--seed", seed),
            patience_percent=number_of("--patience", patience),
            progress=progress,
        )
    if report is not None:
        _write(report, compared)
    if as_json:
        print(json.dumps(tables.as_json(compared)))
    elif as_csv:
        print(tables.as_csv(compared), end="")
    elif as_markdown:
        print(tables.markdown(compared))
    else:
        print(tables.text(compared))
    return 0


@contextmanager
def _progress(source: "Input") -> Iterator[Callable[[str], Callable[[int], None]]]:
    """A bar for each replay, where somebody looks."""
    if not sys.stderr.isatty():
        yield lambda _: lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        first_ms, last_ms = source.span_ms

        def begin(what: str) -> Callable[[int], None]:
            bar = bars.add_task(what, total=last_ms - first_ms)
            shown_ms = first_ms

            def reached(now_ms: int) -> None:
                nonlocal shown_ms
                if 200 * (now_ms - shown_ms) > last_ms - first_ms:
                    shown_ms = now_ms
                    bars.update(bar, completed=now_ms - first_ms)

            return reached

        yield begin


def _write(path: str, compared: "Comparison") -> None:
    from verified_alloc.compare.report import page

    html = page(compared)
    try:
        Path(path).write_text(html, encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"--report {path}: {reason.lower()}; allowed: a file to write") from error
