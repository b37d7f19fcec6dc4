"""Proof records as files, of this code, without the minute that it takes to prove something."""

import datetime
from pathlib import Path
from typing import Any

from verified_alloc import Station
from verified_alloc.station.proof_record import (
    Attested,
    Record,
    hashes,
    kernel_files,
    sealed,
    station_record,
)

PROVED = "proved (2 obligations, 2026-12-01)"
"""What is said of a record from here."""


def record(station: Station, **changes: Any) -> Record:
    """Three obligations, one of which is not about this station."""
    states = ("green", "green", "skipped")
    told: dict[str, Any] = {
        "date": datetime.date(2026, 12, 1),
        "station": station_record(station),
        "code": hashes(kernel_files()),
        "proofs": {},
        "obligations": tuple(
            Attested(
                id=f"rule.{number}",
                sentence="It holds.",
                expected="proved",
                verdict="proved",
                state=state,
                cvc5="",
            )
            for number, state in enumerate(states)
        ),
        "solvers": {"z3": "5.4.0"},
        "certificates": {},
    }
    return Record(**told | changes)


def write_record(path: Path, station: Station, **changes: Any) -> None:
    """The file that `prove --attest` would write."""
    path.write_text(sealed(record(station, **changes)), encoding="utf-8")
