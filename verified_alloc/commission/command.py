"""The command `commission`: its options checked, the walk shown as it goes, the report written."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from decimal import Decimal
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hardware.simulated import faults, miswiring
from hardware.simulated.charger import SimulatedCharger
from verified_alloc.commission.report import page
from verified_alloc.commission.results import CYCLES, Results, as_json
from verified_alloc.commission.walk import Walk
from verified_alloc.control.assembly import (
    check_hardware,
    check_scan_time,
    simulated_charger,
    wires,
)
from verified_alloc.control.proof_dates import ProofDates, beside
from verified_alloc.control.proof_tests import NOT_TESTED, PASSED, PRESS, Outcome, by_test
from verified_alloc.errors import BadInput, VerifiedAllocError
from verified_alloc.process import ended_by_signals
from verified_alloc.station.model import Station
from verified_alloc.whole_file import AtOnce

PI_FAULTS = Path("/var/lib/verified-alloc/faults.json")
"""As `run` has it."""


def commission(
    station: Station,
    *,
    hardware: str,
    contactors_only: bool,
    demands: Mapping[int, Decimal],
    report: str,
    faults_file: str | None,
    inject: Sequence[str],
    seed: int,
    as_json: bool,
) -> int:
    """Walk the station; 0 if all is good, 1 if not. Raises where the walk cannot start or must
    stop."""
    check_hardware(hardware)
    station.check_wiring()
    charger = None
    if hardware == "simulated":
        charger = _charger(station, inject, seed)
    elif inject:
        raise BadInput("--hardware pi: allowed is no --inject; real faults only")
    else:
        check_scan_time(station)
    files = [Path(f"{report}.{kind}") for kind in ("html", "json")]
    _check_folder(report)
    for gun, kw in demands.items():
        if kw > 0:
            raise VerifiedAllocError(
                f"gun {gun} asks for {kw:f} kW: a walk starts only without a demand"
            )
    results = _walked(station, charger, contactors_only, quiet=as_json)
    if results is None:
        print("Ended before the walk was complete: there is no report.")
        return 0
    _keep_dates(results, faults_file, hardware)
    contents = _report(station, results, hardware)
    for file, text in zip(files, (page(contents), json.dumps(contents, indent=1)), strict=True):
        file.write_text(text, encoding="utf-8")
    if as_json:
        print(json.dumps(contents))
    else:
        _print(contents, files)
    return 0 if results.passed else 1


def _charger(station: Station, inject: Sequence[str], seed: int) -> SimulatedCharger:
    charger = simulated_charger(station, seed=seed)
    try:
        for text in inject:
            if text.split(maxsplit=1)[:1] and text.split()[0] in miswiring.KINDS:
                miswiring.apply(miswiring.parse(text), charger)
            else:
                charger.inject(faults.parse(text))
    except ValueError as error:
        raise BadInput(f"--inject: {error}") from None
    return charger


def _check_folder(report: str) -> None:
    """Find now, not after the walk, that the report cannot be written."""
    folder = Path(report).parent
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise BadInput(f"--report {report}: allowed is a name in a folder that can be written to")


def _walked(
    station: Station, charger: SimulatedCharger | None, contactors_only: bool, quiet: bool
) -> Results | None:
    """None: it was ended by a signal."""
    # The walk pets no /dev/watchdog: it may be longer between two scans than a station is.
    with (
        nullcontext() if charger is None else charger.installed(),
        wires(station) as (bank, lines, supervision),
        _shown(quiet) as (watch, tell),
    ):
        walk = Walk(station, bank, lines, supervision, watch, _person(charger, tell))
        with ended_by_signals(walk.end):
            return walk.walk(contactors_only)


def _person(
    charger: SimulatedCharger | None, tell: Callable[[str], None]
) -> Callable[[str], None] | None:
    """Who does what only a person can do: a simulated one, or whoever is at the terminal, if
    anybody is."""
    if charger is None:
        return tell if sys.stdin.isatty() else None
    cabinet = charger.cabinet
    return lambda what: cabinet.press_estop() if what == PRESS else cabinet.release_estop()


def _keep_dates(results: Results, faults_file: str | None, hardware: str) -> None:
    """Where the station looks for them, if it has its place here."""
    if faults_file is None and (hardware != "pi" or not PI_FAULTS.parent.is_dir()):
        return
    path = beside(PI_FAULTS if faults_file is None else Path(faults_file))
    dates = ProofDates(path, partial(print, file=sys.stderr), AtOnce())
    dates.note(by_test(results.outcomes), time.time())
    dates.close()


def _report(station: Station, results: Results, hardware: str) -> dict[str, Any]:
    about = {
        "ended": datetime.now().astimezone().isoformat(" ", "seconds"),
        "program": f"verified-alloc {version('verified-alloc')}",
        "hardware": hardware,
        "cycles": CYCLES,
    }
    return as_json(station, results, about)


def _print(report: dict[str, Any], files: Sequence[Path]) -> None:
    for finding in report["findings"]:
        print(finding)
    good = sum(result["verdict"] == "good" for result in report["contactors"])
    modules = sum(result["verdict"] == "good" for result in report["modules"])
    print(
        f"{good} of {len(report['contactors'])} contactors"
        f" and {modules} of {len(report['modules'])} modules are good."
    )
    for verdict, name in ((PASSED, "Passed"), (NOT_TESTED, "Not tested")):
        outcomes = by_test(Outcome(**each) for each in report["proof_tests"])
        tests = [outcome.test for outcome in outcomes if outcome.verdict == verdict]
        if tests:
            print(f"{name} of the safety chain: {', '.join(tests)}.")
    for key, value in report["timing"]["suggested"].items():
        print(f"Measured, for the station file: {key} = {value}")
    print(f"To be signed: {files[0]}, with {files[1]}.")


@contextmanager
def _shown(quiet: bool) -> Iterator[tuple[Callable[[int, int, str], None], Callable[[str], None]]]:
    """A bar, where somebody looks; and what a person is told."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, of, what: None, partial(print, file=sys.stderr, flush=True)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("walk")
        yield (
            lambda done, of, what: progress.update(
                task, completed=done, total=of, description=what
            ),
            progress.console.print,
        )
