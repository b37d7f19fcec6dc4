"""CSV from outside: rows with their lines, one after another, and numbers taken exactly."""

import csv
import io
import math
import re
from collections.abc import Callable, Iterator
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from pathlib import Path
from typing import BinaryIO, NamedTuple

from verified_alloc import words
from verified_alloc.errors import BadInput, reason

_GUN = re.compile(r"[0-9]{1,9}")


class CsvFile(NamedTuple):
    """A file that is opened anew for each reading. `kind` as in "a demand trace"."""

    name: str
    kind: str
    opened: Callable[[], BinaryIO]


def csv_file(path: str | Path, kind: str, allowed: str) -> CsvFile:
    """A file by its path; `BadInput` if it cannot be opened, `allowed` says what can."""
    name = str(path) if str(path).isprintable() else repr(str(path))
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise BadInput(f"{name or repr(name)}: {reason(error)}; {allowed}") from error
    except ValueError as error:  # a NUL in the path
        raise BadInput(f"{name}: not a path; {allowed}") from error
    return CsvFile(name, kind, lambda: Path(path).open("rb"))


def rows(file: CsvFile, columns: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not empty with the line it begins on, the header first; fields stripped.
    `columns` says what is allowed. `BadInput` for what is no CSV in UTF-8."""
    with file.opened() as data:
        records = csv.reader(_lines(file, data), strict=True)
        line = 1
        try:
            for record in records:
                if record:
                    yield line, [field.strip() for field in record]
                line = records.line_num + 1  # where the next record begins
        except csv.Error as error:
            raise BadInput(
                f"{file.name}, line {line}: not CSV ({error}); allowed: rows of {columns}"
            ) from error


def _lines(file: CsvFile, data: BinaryIO) -> Iterator[str]:
    for number, raw in enumerate(data, start=1):
        try:
            # Spreadsheets put a byte order mark in front.
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise BadInput(
                f"{file.name}, line {number}: byte {raw[error.start]:#04x} is not UTF-8; "
                f"{file.kind} is UTF-8 text"
            ) from error
        yield from io.StringIO(text, newline="")


def cut(value: str) -> str:
    """A refused cell as a message shows it."""
    return repr(value if len(value) <= 40 else value[:37] + "...")


def number(text: str, place: str, unit: str, *, above_0: bool = False) -> Decimal:
    """A finite number, 0 or more (or above 0); `place` and `unit` are for the refusal."""
    value = words.number(text)
    finite = value is not None and not math.isinf(float(value))
    if value is not None and finite and (value > 0 or (value == 0 and not above_0)):
        return value
    least = "above 0" if above_0 else ">= 0"
    raise BadInput(f"{place}: {cut(text)}; allowed: a finite number {least}, {unit}")


def gun_number(text: str, place: str, guns: frozenset[int]) -> int:
    """The number of one of these guns."""
    gun = int(text) if _GUN.fullmatch(text) else None
    if gun is None or gun not in guns:
        known = ", ".join(str(known) for known in sorted(guns))
        raise BadInput(f"{place}: {cut(text)} is no gun here; allowed: {known}")
    return gun


def ceiling_of_thousandths(value: Decimal) -> int:
    """kW in W, or s in ms: up to the next whole one, exactly."""
    # The default context would round to 28 digits before the ceiling is taken.
    exact = Context(prec=len(value.as_tuple().digits) + 4, Emin=MIN_EMIN, Emax=MAX_EMAX)
    return math.ceil(exact.multiply(value, Decimal(1000)))


class Skipped:
    """Bad rows: the first of them is an error, unless they shall be skipped; then they are
    counted."""

    def __init__(self, skip: bool) -> None:
        self._skip = skip
        self.count = 0
        self.first: str | None = None
        """What was wrong with the first."""

    def note(self, error: BadInput) -> None:
        if not self._skip:
            raise error
        self.count += 1
        self.first = self.first or str(error)
