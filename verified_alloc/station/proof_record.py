"""The proof record: whether the code and the station that run here are the ones that were proved.

`verified-alloc prove --attest FILE` writes one (`proofs.suite.attest`). It is looked for beside the
station file (`site.toml` -> `site.proof.json`); where there is none, the package carries that of
the reference station. It is evidence, not a signature: it shows what has changed since, not who
wrote it.
"""

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from verified_alloc.station.model import Station

PACKAGE = Path(__file__).parents[1]
IN_THE_PACKAGE = Path(__file__).with_name("reference.proof.json")

LEFT_OUT = ("station.name", "station.require_proof", "site", "limits", "hardware", "service")
"""What may differ from the station that was proved, since no obligation depends on it: a label, the
wish for a record, volts of the grid, what counts when nobody tells a limit, pins and addresses, and
where the service listens. `proved_part` sees to it."""


class Attested(BaseModel):
    """One obligation and what came of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    sentence: str
    expected: str
    verdict: str
    state: str
    cvc5: str


class StationRecord(BaseModel):
    """The station that was proved: its file's tables, every default written out, without
    `LEFT_OUT`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    tables: dict[str, Any]


class Record(BaseModel):
    """All that a proof record holds. Hashes are SHA-256; files go by their path from the folder
    that holds the packages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    date: datetime.date
    station: StationRecord
    code: dict[str, str]
    """Of the kernel, and of what else of the program the theorems are about."""
    proofs: dict[str, str]
    """Of the theorems. They are for who looks into it later; a station runs without them."""
    obligations: tuple[Attested, ...]
    solvers: dict[str, str]
    certificates: dict[str, str]


class Proof(NamedTuple):
    """What a record says about what runs here."""

    covers: bool
    """What runs is what was proved."""
    sentence: str
    """`proved (N obligations, DATE)`, `proved for another station` or `not proved`, with a
    reason where there is one."""


def proof_of(station: Station, station_file: str | Path | None = None) -> Proof:
    """Whether what is installed here, running this station, is what was proved. A record that
    cannot be used counts as none."""
    places = [IN_THE_PACKAGE] if station_file is None else [beside(station_file), IN_THE_PACKAGE]
    for path in places:
        try:
            return _judged(_read(path), station)
        except FileNotFoundError:
            continue
        except OSError as error:
            return Proof(False, f"not proved ({path}: {(error.strerror or 'unreadable').lower()})")
        except ValueError as error:
            return Proof(False, f"not proved ({path}: {error})")
    return Proof(False, "not proved")


def beside(station_file: str | Path) -> Path:
    """Where the record of that station file belongs."""
    return Path(station_file).with_suffix(".proof.json")


def proved_part(station: Station) -> Station:
    """What theorems are given of a station: one that reads what the record leaves out fails."""
    nothing: Any = None
    return replace(station, site=nothing, limits=nothing, hardware=nothing, service=nothing)


def station_record(station: Station) -> StationRecord:
    """This station as a record names it."""
    tables = station.to_tables()
    for key in LEFT_OUT:
        table, _, name = key.partition(".")
        if name:
            del tables[table][name]
        else:
            del tables[table]
    return StationRecord(sha256=_sha256(tables), tables=tables)


def kernel_files() -> list[str]:
    """The names of the kernel's source files."""
    return sorted(name_of(path) for path in (PACKAGE / "kernel").glob("*.py"))


def name_of(source: Path) -> str:
    """A source file's name in a record: `verified_alloc/kernel/offer.py`."""
    return source.relative_to(PACKAGE.parent).as_posix()


def hashes(names: list[str]) -> dict[str, str]:
    """The source files of those names, as they are here."""
    return {
        name: hashlib.sha256((PACKAGE.parent / name).read_bytes()).hexdigest() for name in names
    }


def sealed(record: Record) -> str:
    """The record as its file holds it, with a hash of its own, so that damage shows."""
    content = record.model_dump(mode="json")
    return json.dumps({"sha256": _sha256(content), **content}, indent=1, ensure_ascii=False) + "\n"


def _read(path: Path) -> Record:
    """OSError, or ValueError that says what is wrong with it."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    try:
        digest = stored.pop("sha256", None)
        record = Record.model_validate(stored)
    except (AttributeError, TypeError, ValidationError):
        raise ValueError("it is no proof record") from None
    if digest != _sha256(stored):
        raise ValueError("it has changed since prove wrote it")
    return record


def _judged(record: Record, station: Station) -> Proof:
    difference = _difference(record.code)
    if difference:
        return Proof(False, f"not proved ({difference})")
    if record.station.sha256 != station_record(station).sha256:
        return Proof(False, "proved for another station")
    red = [one.id for one in record.obligations if one.state not in ("green", "skipped")]
    green = sum(one.state == "green" for one in record.obligations)
    if red or not green:
        return Proof(False, f"not proved ({red[0] if red else 'no obligation'} in the record)")
    return Proof(True, f"proved ({green} obligations, {record.date})")


def _difference(code: Mapping[str, str]) -> str:
    """The first source file that is not the one that was proved; empty if all are."""
    for name in sorted({*code, *kernel_files()}):
        shown = name.removeprefix(f"{PACKAGE.name}/")
        if name not in code:
            return f"{shown} is not in the record"
        try:
            here = hashes([name])[name]
        except FileNotFoundError:
            return f"{shown} is in the record and not here"
        if here != code[name]:
            return f"{shown} differs from the record"
    return ""


def _sha256(content: object) -> str:
    """Of JSON in one form."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
