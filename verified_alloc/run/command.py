"""The command `run`: its options checked, the run shown while it goes, the summary printed."""

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from hardware import HardwareError, MissingExtra
from hardware.simulated import faults
from hardware.simulated.charger import SimulatedCharger
from hardware.simulated.faults import Injection
from verified_alloc.control.assembly import check_hardware, check_scan_time, simulated_charger
from verified_alloc.control.state import State
from verified_alloc.decide.allocate import decide
from verified_alloc.decide.demand import strictly
from verified_alloc.errors import BadInput, shown
from verified_alloc.journal.database import check_journal
from verified_alloc.journal.recorder import Journal
from verified_alloc.run.loop import MS_PER_DAY, Run
from verified_alloc.service.settings import settings
from verified_alloc.service.start import at_desk, can_serve
from verified_alloc.station.model import Station
from verified_alloc.station.parts import ServiceConfig
from verified_alloc.station.proof_record import Proof, beside, proof_of
from verified_alloc.workload.traces import DemandTrace, read_trace

REFRESH_MS = 200
PI_FAULTS = Path("/var/lib/verified-alloc/faults.json")
PI_JOURNAL = Path("/var/lib/verified-alloc/journal.db")


def run(
    station: Station,
    *,
    station_file: str | None = None,
    demands: str | None,
    hardware: str,
    speed: str | None,
    until: str | None,
    inject: Sequence[str],
    seed: int,
    faults_file: str | None,
    journal_file: str | None,
    http: str | None,
    service: bool,
    as_json: bool,
) -> int:
    """Run the station; 0, or 1 if the cabinet's monitor saw a violation, or 3 if a device is not
    there. Everything is checked before the first scan: `BadInput`."""
    check_hardware(hardware)
    simulated = hardware == "simulated"
    pace = _speed(speed, default=None if demands is not None and simulated else 1.0)
    injections = [_injection(text) for text in inject]
    if not simulated and (injections or pace != 1.0):
        raise BadInput(
            "--hardware pi: allowed is neither --inject nor a --speed other than 1; real time and"
            " real faults only"
        )
    until_ms = None if until is None else _until_ms(until)
    station.check_wiring()
    if not simulated:
        check_scan_time(station)
    proof = proof_of(station, station_file)
    if not simulated and station.require_proof and not proof.covers:
        raise BadInput(_unproved(proof, station_file))
    decide(station, strictly([0] * len(station.guns)), policy=station.policy.name)
    trace = _trace(station, demands, simulated, seed)
    if demands is not None and until_ms is None:
        until_ms = trace.last_ms
    faults_path = Path(faults_file) if faults_file else None if simulated else PI_FAULTS
    journal_path = Path(journal_file) if journal_file else None if simulated else PI_JOURNAL
    if journal_path is not None:
        check_journal(journal_path)
    serving = demands is None and service and can_serve(http)
    wanted = (
        settings(replace(station.service, http=http or station.service.http)) if serving else None
    )
    charger = simulated_charger(station, pace, seed) if simulated else None
    if charger is not None:
        for injection in injections:
            _check_injection(charger, injection)
    journal = None if journal_path is None else Journal(journal_path, station, simulated=simulated)
    try:
        with ExitStack() as stack:
            watch, note = stack.enter_context(
                _shown(station, live=pace is not None, until_ms=until_ms, quiet=as_json)
            )
            note(f"Proof: {proof.sentence}")
            if journal is not None:
                journal.report(0, f"proof: {proof.sentence}")
            desk = None
            by_default = http is None and station.service.http == ServiceConfig.http
            if wanted is not None:
                desk = stack.enter_context(
                    at_desk(station, proof.sentence, wanted, charger, by_default, note)
                )
            summary = Run(
                station,
                charger,
                trace,
                injections=injections,
                longest_skip_ms=_longest_skip_ms(pace, serving),
                real_time=not simulated or (demands is None and pace == 1.0),
                faults_path=faults_path,
                journal=journal,
                desk=desk,
                watch=watch,
                note=note,
            ).play(until_ms)
    except HardwareError as error:
        print(f"verified-alloc: {error}", file=sys.stderr)
        return 2 if isinstance(error, MissingExtra) else 3
    summary.proof = proof.sentence
    if as_json:
        print(json.dumps(asdict(summary)))
    else:
        print("\n".join(summary.lines()))
    return 1 if summary.violations else 0


def _unproved(proof: Proof, station_file: str | None) -> str:
    """Why it may not start, and what to do."""
    file = station_file or "STATION.toml"
    return (
        f"station.require_proof = true: {proof.sentence}; allowed is a station that is proved:"
        f" verified-alloc prove --station {file} --attest {beside(file)}"
    )


def _longest_skip_ms(pace: float | None, serving: bool) -> int:
    """As long as nobody would notice: in real time, every scan is made for those who ask."""
    if pace is None:
        return MS_PER_DAY
    return 0 if serving and pace <= 1 else math.ceil(pace * REFRESH_MS)


def _speed(text: str | None, default: float | None) -> float | None:
    """Simulated seconds in a real one; None is as fast as it goes."""
    if text is None:
        return default
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 < speed < math.inf:
        raise BadInput(f"--speed {shown(text)}: allowed is a number above 0, or max")
    return speed


def _until_ms(text: str) -> int:
    try:
        until_s = float(text)
    except ValueError:
        until_s = math.nan
    if not 0 < until_s < 1e9:
        raise BadInput(f"--until {shown(text)}: allowed is a number of seconds above 0")
    return math.ceil(until_s * 1000)


def _injection(text: str) -> Injection:
    try:
        return faults.parse(text)
    except ValueError as error:
        raise BadInput(f"--inject: {error}") from None


def _check_injection(charger: SimulatedCharger, injection: Injection) -> None:
    try:
        charger.check(injection)
    except ValueError as error:
        raise BadInput(f"--inject: {error}") from None


def _trace(station: Station, demands: str | None, simulated: bool, seed: int) -> DemandTrace:
    """What the guns will ask for: the trace named, or on simulated guns a synthetic day from its
    busiest time on, or nothing until somebody tells."""
    guns = [gun.id for gun in station.guns]
    if demands is not None:
        return read_trace(demands, guns)
    if not simulated:
        return DemandTrace(())
    from verified_alloc.workload.synthetic import synthetic_day

    day = synthetic_day(seed + 1, len(guns)).trace
    return day.excerpt(day.busiest_ms(), day.last_ms)


@contextmanager
def _shown(
    station: Station, *, live: bool, until_ms: int | None, quiet: bool
) -> Iterator[tuple[Callable[[State], None], Callable[[str], None]]]:
    """What a person sees while it runs: the station live, a bar for a replay; where nobody looks,
    a line for every new allocation of a live station, and nothing of a replay."""
    if quiet:
        yield _silent, _silent
    elif live and sys.stdout.isatty():
        from verified_alloc.run.terminal import LiveTable

        with LiveTable(station) as table:
            yield table.watch, table.note
    elif live:
        yield _LiveLines().watch, lambda sentence: print(sentence, flush=True)
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("simulated time", total=until_ms)
            yield lambda state: progress.update(task, completed=state.at_ms), _silent
    else:
        yield _silent, _silent


def _silent(_: object) -> None:
    """Nobody looks."""


class _LiveLines:
    """A line for every new state of connection and for every new offer."""

    def __init__(self) -> None:
        self._before: object = None

    def watch(self, state: State) -> None:
        now = (state.live, state.offer_w)
        if now != self._before:
            self._before = now
            fed = [
                f"gun {gun}: PM{','.join(map(str, modules))} {offer_w / 1000:g} kW"
                for gun, (modules, offer_w) in enumerate(
                    zip(state.live, state.offer_w, strict=True), start=1
                )
                if modules
            ]
            print(f"{state.at_ms / 1000:.2f} s  {'; '.join(fed) or 'all off'}", flush=True)
