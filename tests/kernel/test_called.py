"""What is proved is what runs: a live station calls every function of the kernel."""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import CodeType, FrameType

from campaign.slow_solver import SlowSolver
from sweep.stations import REFERENCE, unequal
from sweep.working_station import WorkingStation

from verified_alloc import Faults, allocate, kernel
from verified_alloc.decide.explain import explain
from verified_alloc.station.parts import Feeder

STATEMENTS = "invariants"
"""Of this file nothing decides: it says what the rule does, as goals of theorems."""


def functions() -> dict[CodeType, str]:
    """Every function of the kernel, by its code."""
    files = [info.name for info in pkgutil.iter_modules(kernel.__path__) if info.name != STATEMENTS]
    modules = [importlib.import_module(f"{kernel.__name__}.{file}") for file in files]
    return {
        thing.__code__: f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in modules
        for name, thing in vars(module).items()
        if inspect.isfunction(thing) and thing.__module__ == module.__name__
    }


@contextmanager
def watched(call: Callable[[CodeType], None]) -> Iterator[None]:
    """Hear of every call of a Python function."""

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            call(frame.f_code)

    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)


def live() -> None:
    """A station tests its safety chain, serves, hands over, meets faults, is cleared and ends; a
    decision is explained."""
    documented = replace(
        REFERENCE,
        policy=replace(REFERENCE.policy, name="documented"),
        timing=replace(REFERENCE.timing, proof_test_interval_h=1),
    )
    with WorkingStation(documented) as at_work:
        at_work.go_on(65)
        at_work.ask({1: 80})
        at_work.go_on(4)
        at_work.ask({1: 40, 2: 120})
        at_work.inject("weld 2:2")
        at_work.go_on(6)
        at_work.controller.take_out("module", 9, True)
        at_work.controller.clear_module(9)
        at_work.controller.clear_contactor(3, 9)
        at_work.controller.stop_all()
        at_work.go_on(6)
        at_work.controller.clear_stop()
        at_work.controller.clear_expander(3)
        at_work.controller.stop()
        at_work.go_on(1)
    with WorkingStation(
        replace(unequal(), feeders=(Feeder((1, 2, 3), 60_000),)), solve=SlowSolver(3)
    ) as at_work:
        at_work.ask({1: 20, 2: 240})
        at_work.go_on(4)
        at_work.controller.hold(1, 60_000)
        at_work.inject(*[f"module-dead {module}" for module in at_work.live[1]])
        at_work.go_on(4)
    allocate(REFERENCE, {1: 100, 2: 50}, faults=Faults(welded={(2, 5)}))
    explain(REFERENCE, {1: 100, 2: 50})


def test_a_live_station_calls_every_function_of_the_kernel() -> None:
    called: set[CodeType] = set()
    with watched(called.add):
        live()
    assert [name for code, name in functions().items() if code not in called] == []
