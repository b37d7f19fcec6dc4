"""What a charger takes from the grid for what it gives: AC for DC, as a curve by load.

Between two points of a curve the power from the grid is interpolated; below the first and above the
last the efficiency is theirs. All is exact; what is taken is rounded up, what may be given down.
"""

from bisect import bisect_right
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import ceil, floor

Curve = tuple[tuple[int, int], ...]
"""Points of load and efficiency, both in millionths, the load of all modules' power, ascending.
None: what is given is what is taken."""
WHOLE = 1_000_000
ALLOWED = (
    "a number from 0.01 to 1, or a list of [load, efficiency], each from 0.01 to 1, the loads"
    " ascending, and more power taking more from the grid"
)


@lru_cache(maxsize=256)
def _points(curve: Curve, rated_w: int) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
    """What is given and what is then taken, W, from 0 on and far beyond."""
    loads = [Fraction(0), *(Fraction(load, WHOLE) for load, _ in curve)]
    taken = [Fraction(0), *(Fraction(*point) for point in curve)]
    # Above the last point as steeply as its efficiency says.
    loads.append(loads[-1] + WHOLE)
    taken.append(taken[-1] + WHOLE * Fraction(WHOLE, curve[-1][1]))
    return tuple(rated_w * load for load in loads), tuple(rated_w * each for each in taken)


def read(value: object) -> Curve | None:
    """One efficiency for every load, or pairs; None for what is not `ALLOWED`."""
    curve = []
    for point in value if isinstance(value, list | tuple) else [(1, value)]:
        pair = tuple(point) if isinstance(point, list | tuple) else ()
        if len(pair) != 2 or not all(map(_is_share, pair)):
            return None
        curve.append((round(pair[0] * WHOLE), round(pair[1] * WHOLE)))
    taken = [Fraction(0), *(Fraction(*point) for point in curve)]
    loads = [Fraction(0), *(Fraction(load) for load, _ in curve)]
    rises = all(a < b for some in (taken, loads) for a, b in pairwise(some))
    if not curve or not rises:
        return None
    return () if all(efficiency == WHOLE for _, efficiency in curve) else tuple(curve)


def _is_share(value: object) -> bool:
    number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return number and 0.01 <= value <= 1  # type: ignore[operator]


def grid_w(curve: Curve, rated_w: int, dc_w: int) -> int:
    """What modules of that power together take from the grid to give so much, W."""
    if not curve:
        return dc_w
    given, taken = _points(curve, rated_w)
    return ceil(_between(given, taken, dc_w))


def dc_w(curve: Curve, rated_w: int, grid_w: int) -> int:
    """The most that they can give for so much from the grid, W."""
    if not curve:
        return grid_w
    given, taken = _points(curve, rated_w)
    return floor(_between(taken, given, grid_w))


def _between(xs: tuple[Fraction, ...], ys: tuple[Fraction, ...], x: int) -> Fraction:
    place = min(max(bisect_right(xs, x), 1), len(xs) - 1)
    (x0, x1), (y0, y1) = xs[place - 1 : place + 1], ys[place - 1 : place + 1]
    return y0 + (x - x0) * (y1 - y0) / (x1 - x0)
