"""A car's demand steps follow its curve."""

from itertools import pairwise

from compare.by_the_second import curve_w
from hypothesis import given
from hypothesis import strategies as st
from workload.some_sessions import session, with_battery

from verified_alloc.workload.sessions import DEMAND_STEP_W, demand_steps

CARS = st.builds(
    lambda kwh, kw, capacity, soc: with_battery(session(0, 60, kwh, kw), capacity, soc),
    st.floats(0.1, 120),
    st.integers(5, 400),
    st.floats(10, 120),
    st.floats(0, 1),
)


def test_without_a_battery_it_is_one_step() -> None:
    car = session(0, 60, 20, 150)
    assert demand_steps(car) == ((car.energy_mj, 150_000),)


@given(CARS)
def test_steps_end_at_what_is_wanted_and_stay_near_the_curve(car: object) -> None:
    steps = demand_steps(car)  # type: ignore[arg-type]
    assert steps[-1].until_mj == car.energy_mj  # type: ignore[attr-defined]
    assert all(low.until_mj < high.until_mj for low, high in pairwise(steps))
    assert all(low.demand_w != high.demand_w for low, high in pairwise(steps))
    begun_mj = 0
    for step in steps:
        for got_mj in (begun_mj + 1, (begun_mj + step.until_mj) // 2, step.until_mj - 1):
            exact_w = curve_w(car, got_mj / 1000)  # type: ignore[arg-type]
            least_w = DEMAND_STEP_W if exact_w < DEMAND_STEP_W else 0
            assert abs(step.demand_w - exact_w) <= max(DEMAND_STEP_W / 2 + 60, least_w)
        begun_mj = step.until_mj
