"""What is replayed, and the key that says whether it is known already."""

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from verified_alloc.errors import BadInput
from verified_alloc.station.model import Station
from verified_alloc.study import plan as plan_module
from verified_alloc.study.plan import Plan, Source, swept, synthetic_cars
from verified_alloc.workload.session_file import SessionFile, write_sessions
from verified_alloc.workload.synthetic import BUILT_IN_CARS, synthetic_sessions
from verified_alloc.workload.traces import DemandChange, DemandTrace

REFERENCE = Station.reference()
SOURCE = Source("trace", 6, DemandTrace((DemandChange(0, 1, 40_000), DemandChange(9000, 1, 0))))
PLAN = Plan((REFERENCE,), ("documented",), (1,), SOURCE)


def test_every_station_is_swept() -> None:
    stations = swept(REFERENCE, [4, 9], [20, 40.5], ["full", "ring"])
    assert [station.name for station in stations] == [
        *("4 x 20 kW full", "4 x 20 kW ring", "4 x 40.5 kW full", "4 x 40.5 kW ring"),
        *("9 x 20 kW full", "9 x 20 kW ring", "9 x 40.5 kW full", "9 x 40.5 kW ring"),
    ]
    assert stations[3].module_power_w == (40_500,) * 4
    assert stations[-1].matrix == REFERENCE.matrix.ring(6, 9)
    assert {station.gun_max_w for station in stations} == {REFERENCE.gun_max_w}


def test_what_is_not_swept_stays() -> None:
    tables = REFERENCE.to_tables()
    tables["station"] |= {"site_limit_kw": 200, "guns": 3}
    tables |= {"gun": [{"id": 2, "max_power_kw": 90}], "timing": {"minimum_dwell_s": 3}}
    (station,) = swept(Station.from_tables(tables), [20], [30], ["half"])
    assert station.site_limit_w == 200_000
    assert station.gun_max_w == (240_000, 90_000, 240_000)
    assert station.timing.minimum_dwell_s == 3


def test_the_same_station_is_swept_once() -> None:
    """The ring of three guns is a full matrix."""
    three = Station.from_tables(REFERENCE.to_tables() | {"station": station_table(3)})
    assert [s.matrix.kind for s in swept(three, [6], [40], ["full", "ring"])] == ["full"]


def station_table(guns: int) -> dict[str, object]:
    return {"guns": guns, "modules": 9, "module_power_kw": 40, "gun_max_power_kw": 240}


def test_a_station_that_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput, match="module_power_kw"):
        swept(REFERENCE, [4], [0.0001], ["full"])


def key(plan: Plan) -> str:
    (only,) = plan.cases
    return only


def test_the_key_covers_what_the_result_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = replace(REFERENCE, matrix=REFERENCE.matrix.ring(6, 9))
    slower = replace(REFERENCE, timing=replace(REFERENCE.timing, offer_lead_ms=2000))
    lazier = replace(REFERENCE, policy=replace(REFERENCE.policy, priority_deadband_w=0))
    trace = DemandTrace((DemandChange(0, 1, 40_001), DemandChange(9000, 1, 0)))
    others = [
        replace(PLAN, stations=(ring,)),
        replace(PLAN, stations=(slower,)),
        replace(PLAN, stations=(lazier,)),
        replace(PLAN, policies=("fair",)),
        replace(PLAN, seeds=(2,)),
        replace(PLAN, source=replace(SOURCE, given=trace)),
        replace(PLAN, source=replace(SOURCE, given=None)),
        replace(PLAN, source=replace(SOURCE, given=None, guns=5)),
    ]
    keys = {key(PLAN), *map(key, others)}
    assert len(keys) == 1 + len(others)
    monkeypatch.setattr(plan_module, "program", lambda: "another")
    assert key(replace(PLAN)) not in keys


def test_the_key_does_not_cover_names() -> None:
    named = replace(REFERENCE, name="court", policy=replace(REFERENCE.policy, name="fair"))
    assert key(replace(PLAN, stations=(named,), source=replace(SOURCE, name="other"))) == key(PLAN)


def test_the_key_is_the_same_in_another_process() -> None:
    code = (
        "from verified_alloc.study.plan import *; from verified_alloc.workload.traces import *;"
        "trace = DemandTrace((DemandChange(0, 1, 40_000), DemandChange(9000, 1, 0)));"
        "source = Source('trace', 6, trace);"
        "print(*Plan((Station.reference(),), ('documented',), (1,), source).cases)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == key(PLAN)


def test_the_program_is_known_by_its_text() -> None:
    """The parts that a replay goes through are among the files."""
    package = Path(plan_module.__file__).parents[1]
    parts = ("decide/allocate.py", "control/wear.py", "kernel/offer.py", "decide/policies/flow.py")
    parts += ("compare/replay.py", "compare/ideal_charger.py", "workload/synthetic.py")
    assert all(
        (package / part).exists() and part.split("/")[0] in plan_module.ROOMS for part in parts
    )


def test_synthetic_cars_are_those_that_import_writes(tmp_path: Path) -> None:
    out = io.StringIO()
    write_sessions(synthetic_sessions(3, 6, 1), out)
    (tmp_path / "day.csv").write_text(out.getvalue())
    assert synthetic_cars(3, 6) == tuple(
        SessionFile(tmp_path / "day.csv", range(1, 7), BUILT_IN_CARS)
    )
