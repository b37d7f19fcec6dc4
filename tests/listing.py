"""The documented listing, transcribed from its words, with nothing of the product.

Sort guns by demand, highest first, ties by gun number. Each gun with demand > 0 takes
min(9, max(1, ceil(min(demand, gun maximum) / module power))) of the lowest-numbered free modules.
The ceiling is the original listing's, `int((capped + P - 1) // P)`: exact for whole kW only.
"""

MODULES = 9
MODULE_KW = 40
GUN_MAX_KW = 240


def modules_needed(demand_kw: float) -> int:
    capped = min(demand_kw, GUN_MAX_KW)
    return min(MODULES, max(1, int((capped + MODULE_KW - 1) // MODULE_KW)))


def listing(demands_kw: dict[int, float]) -> dict[int, tuple[int, ...]]:
    """The modules of every gun."""
    free = list(range(1, MODULES + 1))
    modules: dict[int, tuple[int, ...]] = dict.fromkeys(demands_kw, ())
    for gun in sorted(demands_kw, key=lambda number: (-demands_kw[number], number)):
        if demands_kw[gun] > 0:
            count = modules_needed(demands_kw[gun])
            modules[gun], free = tuple(free[:count]), free[count:]
    return modules
