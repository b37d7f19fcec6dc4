"""Writes the proof record: what was proved, of which code and which station, by which solvers.

What it is for, and how it is checked where a station runs: `verified_alloc.station.proof_record`.
"""

import ast
import datetime
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import z3

from proofs.certificates import certificate
from proofs.suite.prove import Result
from verified_alloc import whole_file
from verified_alloc.errors import BadInput
from verified_alloc.station.model import Station
from verified_alloc.station.proof_record import (
    PACKAGE,
    Attested,
    Record,
    hashes,
    kernel_files,
    name_of,
    sealed,
    station_record,
)

PROOFS = Path(__file__).parents[1]


def sources() -> tuple[dict[str, str], dict[str, str]]:
    """Hashes of the code that the theorems are about, and of the theorems, as they are now."""
    theorems = sorted(PROOFS.rglob("*.py"))
    used = {name for path in theorems if path.parent.name != "suite" for name in _uses(path)}
    return hashes(sorted({*kernel_files(), *used})), hashes([name_of(path) for path in theorems])


def write(
    path: Path,
    station: Station,
    results: Sequence[Result],
    proved: tuple[dict[str, str], dict[str, str]],
    full: bool,
) -> str:
    """Write the record of these results, all of which are as expected; `proved` are the `sources`
    from before. Why there is none, or nothing; `BadInput` if the file cannot be written."""
    if sources() != proved:
        return "the sources have changed while they were proved"
    made = [one for result in results for one in result.certificates]
    code, theorems = proved
    record = Record(
        date=datetime.datetime.now(datetime.UTC).date(),
        station=station_record(station),
        code=code,
        proofs=theorems,
        obligations=tuple(
            Attested(**{name: getattr(result, name) for name in Attested.model_fields})
            for result in results
        ),
        solvers=_solvers(full, bool(made)),
        certificates={
            name: certificate.sha256(text) for name, text in sorted(certificate.files(made).items())
        },
    )
    try:
        whole_file.write(path, sealed(record))
    except OSError as error:
        raise BadInput(f"{path}: cannot be written, {error.strerror}") from None
    return ""


def _uses(theorems: Path) -> Iterator[str]:
    """The files of the program that a file of theorems imports."""
    for node in ast.walk(ast.parse(theorems.read_text(encoding="utf-8"))):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in modules:
            path = PACKAGE.parent / f"{module.replace('.', '/')}.py"
            if module.split(".")[0] in ("verified_alloc", "hardware") and path.is_file():
                yield name_of(path)


def _solvers(full: bool, certified: bool) -> dict[str, str]:
    """What has judged, by version; Python ran the functions that the theorems are built from."""
    return {
        "python": platform.python_version(),
        "z3": z3.get_version_string(),
        **({"cvc5": version("cvc5")} if full else {}),
        **({"cadical": certificate.solver_version()} if certified else {}),
    }
