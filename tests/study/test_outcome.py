"""Figures over seeds, and the Pareto front against its definition."""

import csv
import io
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verified_alloc.compare.metrics import FIGURES
from verified_alloc.station.model import Station
from verified_alloc.study.outcome import Outcome, answer, as_csv, outcomes, rows
from verified_alloc.study.plan import Plan, Source, swept

STATIONS = swept(Station.reference(), [5, 6, 9], [20, 40], ["full", "half", "ring"])
SOURCE = Source("synthetic days", 6)
NOTHING = {figure.key: 0.0 for figure in FIGURES}


def result(unmet_kwh: float, wanted_kwh: float = 100.0, **more: float | None) -> dict[str, object]:
    return NOTHING | {"unmet_kwh": unmet_kwh, "wanted_kwh": wanted_kwh} | more


def found_of(unmet: dict[tuple[int, str], float], policies: tuple[str, ...]) -> list[Outcome]:
    """Outcomes of a study of one seed; `unmet` by the station's place and the policy."""
    stations = tuple(STATIONS[place] for place in dict.fromkeys(place for place, _ in unmet))
    plan = Plan(stations, policies, (1,), SOURCE)
    places = {STATIONS[place].name: place for place, _ in unmet}
    return outcomes(
        plan,
        {
            key: result(unmet[places[case.station.name], case.policy])
            for key, case in plan.cases.items()
        },
    )


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_front_is_what_nothing_beats(data: st.DataObject) -> None:
    places = sorted(data.draw(st.sets(st.integers(0, len(STATIONS) - 1), min_size=1)))
    policies = ("documented", "fair")
    unmet = {
        pair: data.draw(st.sampled_from([0.0, 1.0, 2.0, 5.0])) for pair in product(places, policies)
    }
    found = found_of(unmet, policies)
    for one in found:
        better = [
            other
            for other in found
            if other.unmet_percent <= one.unmet_percent
            and other.contactors <= one.contactors
            and other.pool_kw <= one.pool_kw
            and other.price != one.price
        ]
        same = [o for o in found if o.price == one.price and o.station == one.station]
        assert one.on_front == (not better and same[0] is one)
    assert any(one.on_front for one in found)


def test_seeds_are_summed_up_by_energy() -> None:
    plan = Plan(STATIONS[:1], ("documented",), (1, 2, 3), SOURCE)
    told = [
        result(10, 100, operations=5, worst_life_years=None),
        result(0, 300, operations=7, worst_life_years=4),
        result(30, 100, operations=9, worst_life_years=6),
    ]
    (one,) = outcomes(plan, dict(zip(plan.cases, told, strict=True)))
    assert one.unmet_percent == pytest.approx(8)
    assert one.figures["unmet_percent"] == one.unmet_percent
    assert one.figures["operations"] == 7
    assert one.figures["worst_life_years"] == 5
    assert one.figures["wanted_kwh"] == pytest.approx(500 / 3)


def test_nobody_came() -> None:
    plan = Plan(STATIONS[:1], ("documented",), (1,), SOURCE)
    (one,) = outcomes(plan, dict.fromkeys(plan.cases, NOTHING))
    assert one.unmet_percent == 0


def test_the_answer_names_the_best_and_the_leanest_near_it() -> None:
    full, ring = (next(n for n, s in enumerate(STATIONS) if s.name == f"9 x 40 kW {kind}")
                  for kind in ("full", "ring"))  # fmt: skip
    near = found_of({(full, "fair"): 2.0, (ring, "fair"): 2.9}, ("fair",))
    assert answer(near) == (
        "Least energy is left unmet, 2.0 %, by 9 x 40 kW full under fair with 54 contactors."
        " 9 x 40 kW ring under fair leaves 2.9 % with 24 contactors."
    )
    less = next(n for n, s in enumerate(STATIONS) if s.name == "6 x 40 kW ring")
    smaller = found_of({(full, "fair"): 2.0, (less, "fair"): 2.9}, ("fair",))
    assert answer(smaller).endswith(
        "leaves 2.9 % with 18 contactors and 240 kW of modules instead of 360 kW."
    )
    far = found_of({(full, "fair"): 2.0, (ring, "fair"): 3.1}, ("fair",))
    assert answer(far).endswith(" Nothing with fewer contactors comes within 1 point of it.")


def test_the_table_has_every_figure_and_reads_back() -> None:
    found = found_of({(0, "fair"): 2.5, (1, "fair"): 1.5}, ("fair",))
    read = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert [row["station"] for row in read] == [one.name for one in found]
    assert float(read[0]["unmet_percent"]) == 2.5
    assert {figure.key for figure in FIGURES} <= rows(found)[0].keys()
    assert read[0]["contactors"] == "30"
