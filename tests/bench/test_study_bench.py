"""How much faster two processes are through with a study than one."""

import os
import time
from typing import Any

import pytest

from verified_alloc.station.model import Station
from verified_alloc.study.plan import Plan, Source, swept
from verified_alloc.study.workers import here, in_processes
from verified_alloc.workload.traces import DemandTrace, read_trace

STATIONS = 200
SPEED_UP = 1.8


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_two_processes(benchmark: Any) -> None:
    """By the clock on the wall, starting the processes and their Pythons included."""
    trace = DemandTrace(read_trace("hour", range(1, 7)).changes)
    powers_kw = (20, 25, 30, 40, 50, 60, 80)
    stations = swept(Station.reference(), range(3, 13), powers_kw, ["full", "half", "ring"])
    plan = Plan(stations[:STATIONS], ("documented",), (1,), Source("hour", 6, trace))
    assert len(plan.cases) == STATIONS

    began_s = time.perf_counter()
    alone = dict(here(plan.cases, plan.source))
    alone_s = time.perf_counter() - began_s

    def with_two() -> float:
        began_s = time.perf_counter()
        assert dict(in_processes(plan.cases, plan.source, 2)) == alone
        return time.perf_counter() - began_s

    ratio = alone_s / benchmark.pedantic(with_two, rounds=1)
    benchmark.extra_info["x one process"] = round(ratio, 2)
    print(f"study of 200 stations, two processes: {ratio:.2f} x one, at least {SPEED_UP}")
    assert ratio >= SPEED_UP
