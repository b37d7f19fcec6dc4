"""What the command line says of a run, and the plan that comes of it once all of it is checked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hardware.simulated import faults
from hardware.simulated.charger import SimulatedCharger
from hardware.simulated.faults import Injection
from verified_alloc.control.assembly import check_hardware, check_scan_time, simulated_charger
from verified_alloc.decide.allocate import decide
from verified_alloc.decide.demand import strictly
from verified_alloc.errors import BadInput, shown
from verified_alloc.journal.database import check_journal
from verified_alloc.service.settings import Settings, settings
from verified_alloc.service.start import can_serve
from verified_alloc.station.model import Station
from verified_alloc.station.parts import ServiceConfig
from verified_alloc.station.proof_record import Proof, beside, proof_of
from verified_alloc.words import number
from verified_alloc.workload.traces import DemandTrace, read_trace

PI_FAULTS = Path("/var/lib/verified-alloc/faults.json")
PI_JOURNAL = Path("/var/lib/verified-alloc/journal.db")


@dataclass(frozen=True)
class RunOptions:
    """As they were given: texts, of which nothing is checked but the station; None: not named."""

    station: Station
    station_file: str | None
    demands: str | None
    hardware: str
    speed: str | None
    until: str | None
    inject: Sequence[str]
    seed: int
    faults_file: str | None
    journal_file: str | None
    http: str | None
    service: bool
    as_json: bool


@dataclass(frozen=True)
class RunPlan:
    """A run that may begin. Nothing of it is opened yet."""

    station: Station
    charger: SimulatedCharger | None
    """None: the real wires."""
    trace: DemandTrace
    injections: tuple[Injection, ...]
    until_ms: int | None
    pace: float | None
    """Simulated seconds in a real one; None is as fast as it goes."""
    real_time: bool
    """A solver works beside the scan."""
    proof: str
    """What is proved of it, in a sentence."""
    faults_path: Path | None
    journal_path: Path | None
    service: Settings | None
    any_port: bool
    """Nobody has said where the service is to listen."""
    as_json: bool


def checked(options: RunOptions) -> RunPlan:
    """The plan that they make, or `BadInput`."""
    station = options.station
    check_hardware(options.hardware)
    simulated, live = options.hardware == "simulated", options.demands is None
    pace = _speed(options.speed, default=None if simulated and not live else 1.0)
    injections = tuple(map(_injection, options.inject))
    if not simulated and (injections or pace != 1.0):
        raise BadInput(
            "--hardware pi: allowed is neither --inject nor a --speed other than 1; real time and"
            " real faults only"
        )
    until_ms = None if options.until is None else _until_ms(options.until)
    station.check_wiring()
    if not simulated:
        check_scan_time(station)
    proof = proof_of(station, options.station_file)
    if not simulated and station.require_proof and not proof.covers:
        raise BadInput(_unproved(proof, options.station_file))
    decide(station, strictly([0] * len(station.guns)), policy=station.policy.name)
    trace = _trace(station, options.demands, simulated, options.seed)
    if not live and until_ms is None:
        until_ms = trace.last_ms
    journal_path = _path(options.journal_file, None if simulated else PI_JOURNAL)
    if journal_path is not None:
        check_journal(journal_path)
    serving = live and options.service and can_serve(options.http)
    service = replace(station.service, http=options.http or station.service.http)
    wanted = settings(service, station.name)._replace(journal=journal_path) if serving else None
    charger = simulated_charger(station, pace, options.seed) if simulated else None
    if charger is not None:
        for injection in injections:
            _check_injection(charger, injection)
    return RunPlan(
        station=station,
        charger=charger,
        trace=trace,
        injections=injections,
        until_ms=until_ms,
        pace=pace,
        real_time=not simulated or (live and pace == 1.0),
        proof=proof.sentence,
        faults_path=_path(options.faults_file, None if simulated else PI_FAULTS),
        journal_path=journal_path,
        service=wanted,
        any_port=options.http is None and station.service.http == ServiceConfig.http,
        as_json=options.as_json,
    )


def _path(named: str | None, default: Path | None) -> Path | None:
    return Path(named) if named else default


def _unproved(proof: Proof, station_file: str | None) -> str:
    """Why it may not start, and what to do."""
    file = station_file or "STATION.toml"
    return (
        f"station.require_proof = true: {proof.sentence}; allowed is a station that is proved:"
        f" verified-alloc prove --station {file} --attest {beside(file)}"
    )


def _speed(text: str | None, default: float | None) -> float | None:
    """Simulated seconds in a real one; None is as fast as it goes."""
    if text is None:
        return default
    if text == "max":
        return None
    speed = float(number(text) or math.nan)
    if not 0 < speed < math.inf:
        raise BadInput(f"--speed {shown(text)}: allowed is a number above 0, or max")
    return speed


def _until_ms(text: str) -> int:
    until_s = float(number(text) or math.nan)
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
