"""Numbers and lists as people write them."""

import re
from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def number(text: str) -> Decimal | None:
    """The number that a text says. Python's own parsers also take underscores, "nan", "inf", digits
    of other scripts and exponents that no memory holds; people write none of them."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def kilowatts(power_w: int) -> str:
    """A power as people write it: 40 kW, 40.5 kW."""
    return f"{Decimal(power_w) / 1000:f} kW"


def count(number: int) -> str:
    """So many modules, in words that agree."""
    return "1 module" if number == 1 else f"{number} modules"


def modules(numbers: Iterable[int]) -> str:
    """Modules as people write them: PM1-4, PM7; `none` if there are none."""
    runs = []
    for _, run in groupby(enumerate(numbers), lambda place: place[1] - place[0]):
        members = [number for _, number in run]
        last = f"-{members[-1]}" if len(members) > 1 else ""
        runs.append(f"PM{members[0]}{last}")
    return ", ".join(runs) or "none"


def listed(parts: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
