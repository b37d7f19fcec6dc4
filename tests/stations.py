"""Stations, faults and demands for the tests, small and random."""

from typing import Any

from hypothesis import strategies as st

from verified_alloc import Faults, Station

REFERENCE: dict[str, Any] = {
    "name": "reference",
    "guns": 6,
    "modules": 9,
    "module_power_kw": 40,
    "gun_max_power_kw": 240,
}


def tables(**changes: Any) -> dict[str, Any]:
    """The tables of a station file: the reference station with these tables beside `[station]`,
    or over it."""
    return {"station": REFERENCE | changes.pop("station", {}), **changes}


@st.composite
def stations(draw: st.DrawFn) -> Station:
    """Up to 5 guns and 7 modules, any matrix, equal or unequal modules, with or without a limit."""
    guns, modules = draw(st.integers(1, 5)), draw(st.integers(1, 7))
    about: dict[str, Any] = {
        "guns": guns,
        "modules": modules,
        "module_power_kw": draw(st.sampled_from([1, 40, 60.5])),
        "gun_max_power_kw": draw(st.sampled_from([30, 100, 240])),
    }
    if draw(st.booleans()):
        about["site_limit_kw"] = draw(st.integers(1, 400))
    kind = draw(st.sampled_from(["full", "ring", "half", "list"]))
    matrix: dict[str, Any] = {"kind": kind}
    if kind == "list":
        row = st.sets(st.integers(1, modules), min_size=1).map(sorted)
        matrix["reach"] = {str(gun): draw(row) for gun in range(1, guns + 1)}
    ids = st.sets(st.integers(1, modules)) if draw(st.booleans()) else st.just(set())
    unequal = [{"id": n, "power_kw": draw(st.integers(1, 90))} for n in sorted(draw(ids))]
    policy = {"minimum_power_kw": draw(st.sampled_from([0, 1, 50]))}
    return Station.from_tables(
        {"station": about, "matrix": matrix, "module": unequal, "policy": policy}
    )


@st.composite
def faults_of(draw: st.DrawFn, station: Station) -> Faults:
    """Faults that the station can have."""
    few = {"max_size": 2}
    pairs = st.sets(st.sampled_from(station.contactors), max_size=3)
    welded = draw(pairs)
    return Faults(
        modules=draw(st.sets(st.integers(1, len(station.modules)), **few)),
        guns=draw(st.sets(st.integers(1, len(station.guns)), max_size=1)),
        failed_open=draw(pairs) - welded,
        welded=welded,
    )


@st.composite
def states_of(draw: st.DrawFn, station: Station) -> dict[int, list[int]]:
    """Modules on guns, as `current` has them."""
    state: dict[int, list[int]] = {}
    for module in range(1, len(station.modules) + 1):
        reached_by = [gun for gun, m in station.contactors if m == module]
        gun = draw(st.sampled_from([None, *reached_by]))
        if gun is not None:
            state.setdefault(gun, []).append(module)
    return state


def demands_of(station: Station) -> st.SearchStrategy[dict[int, float]]:
    """Demands in kW: whole, fractions, ties, nothing, too much."""
    kw = st.one_of(st.integers(0, 300), st.floats(0, 300), st.sampled_from([0, 40, 40.5, 80]))
    return st.dictionaries(st.integers(1, len(station.guns)), kw)
