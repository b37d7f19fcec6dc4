"""Looks at the Pi and its wires, changes nothing, and says what a station could not rely on.

Beside what the machine must be, every assumption of `proofs/plant.py` has its line: met, unmet, or
that software cannot see it, and what can.
"""

from pathlib import Path

from verified_alloc.doctor.assumptions import assumptions
from verified_alloc.doctor.check import MET, UNMET, UNSEEN, Check
from verified_alloc.doctor.machine import machine
from verified_alloc.station.model import Station
from verified_alloc.station.proof_record import proof_of

__all__ = ["MET", "UNMET", "UNSEEN", "Check", "examine"]


def examine(
    station: Station,
    report: Path,
    faults: Path,
    root: Path = Path("/"),
    station_file: str | None = None,
) -> list[Check]:
    """Everything. `report` is that of a commissioning walk, `faults` where the station keeps them;
    files of the machine are below `root`."""
    return [
        _proof(station, station_file),
        *machine(station, faults, root),
        *assumptions(station, report, root),
    ]


def _proof(station: Station, station_file: str | None) -> Check:
    """Whether a station may run without, its file says."""
    proof = proof_of(station, station_file)
    unproved = UNMET if station.require_proof else UNSEEN
    return Check("proof", MET if proof.covers else unproved, proof.sentence)
