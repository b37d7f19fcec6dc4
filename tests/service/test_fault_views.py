"""A fault as a person needs it: since when, what it costs, what to do, who has seen it."""

from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest
from service.snapshots import snapshot_of
from sweep.stations import REFERENCE
from sweep.working_station import WorkingStation

from verified_alloc.control.fault_kinds import KINDS, Fault
from verified_alloc.errors import BadInput
from verified_alloc.kernel.wiring import CONTACTORS_PER_EXPANDER
from verified_alloc.service.explainer import Explainer
from verified_alloc.service.fault_history import FaultHistory
from verified_alloc.service.models import FaultView, ModuleView
from verified_alloc.service.snapshot import Snapshot
from verified_alloc.service.views import Views
from verified_alloc.station.faults import Faults

VIEWS = Views(REFERENCE, "not proved", True, Explainer(REFERENCE))


def seen(*latched: Fault, faults: Faults | None = None, limit_w: int | None = None) -> Snapshot:
    with WorkingStation(REFERENCE) as at_work:
        state = at_work.scan()
    inputs = state.inputs._replace(site_limit_w=limit_w)
    changed = state._replace(latched=frozenset(latched), inputs=inputs, faults=faults or Faults())
    return snapshot_of(changed)


def shown(*latched: Fault, limit_w: int | None = None) -> list[FaultView]:
    return VIEWS.faults(seen(*latched, limit_w=limit_w))


def test_one_dead_module_costs_its_power_and_no_gun_anything() -> None:
    (fault,) = shown(Fault("dead", module=3))
    assert (fault.costs_kw, fault.costs, fault.severity) == (40, [], "minor")


def test_a_weld_says_what_it_keeps_from_whom() -> None:
    (fault,) = shown(Fault("welded", 4, 1))
    assert (fault.costs_kw, fault.costs) == (0, [])
    assert [(kept.module, kept.guns) for kept in fault.keeps] == [(1, [1, 2, 3, 5, 6])]
    (fault,) = shown(Fault("failed_open", 4, 1))
    assert [(kept.module, kept.guns) for kept in fault.keeps] == [(1, [4])]
    assert shown(Fault("stopped"))[0].keeps == []


def test_what_guns_lose_is_told_by_gun() -> None:
    """Two welds on a module take it out, and both guns that it joins."""
    (first, second) = shown(Fault("welded", 1, 4), Fault("welded", 2, 4))
    for fault in (first, second):  # with one of them cleared, the module serves one gun again
        assert {cost.gun: cost.lost_kw for cost in fault.costs} == {1: 240, 2: 240}
        assert fault.costs_kw == 40


def test_a_stop_costs_everything_up_to_the_site_limit() -> None:
    (fault,) = shown(Fault("stopped"), limit_w=100_000)
    assert [cost.lost_kw for cost in fault.costs] == [100] * 6
    assert (fault.costs_kw, fault.severity) == (100, "critical")


def test_a_fault_under_another_is_counted_by_what_clearing_it_alone_would_bring() -> None:
    module, stop = shown(Fault("dead", module=3), Fault("stopped"))
    assert module.costs_kw == 0
    assert stop.costs_kw == 8 * 40


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_to_do_unless_a_person_took_it_out(kind: str) -> None:
    numbers = {"contactor": (1, 2), "module": (None, 2), "gun": (1, None), "station": ()}
    of = KINDS[kind].of
    fault = Fault(kind, expander=1) if of == "expander" else Fault(kind, *numbers[of])
    for view in shown(fault):
        assert "clear it" in view.to_do
        assert "{" not in view.to_do
    assert bool(shown(fault)) is (not kind.endswith("_out"))


def modules(snapshot: Snapshot) -> dict[int, ModuleView]:
    return {view.module: view for view in VIEWS.modules(snapshot)}


def test_a_lost_expander_is_told_from_a_failed_module_and_from_one_taken_out() -> None:
    latched = (
        Fault("expander_lost", expander=1),
        Fault("dead", module=7),
        Fault("module_out", module=8),
    )
    out = modules(seen(*latched, faults=Faults(modules={3, 4, 5, 7, 8})))
    carried = range(CONTACTORS_PER_EXPANDER, 2 * CONTACTORS_PER_EXPANDER)
    lost = {REFERENCE.contactors[place][1] for place in carried}
    assert lost == {3, 4, 5}
    assert {number: view.condition for number, view in out.items()} == {
        1: "usable",
        2: "usable",
        **dict.fromkeys(lost, "expander lost"),
        6: "usable",
        7: "failed",
        8: "out of service",
        9: "usable",
    }


def test_since_when_it_stands_is_known_unless_it_stood_before() -> None:
    history, old, new = FaultHistory(REFERENCE), Fault("dead", module=1), Fault("welded", 1, 2)
    history.watch(frozenset([old]), 10)
    history.watch(frozenset([old, new]), 20)
    history.watch(frozenset([old, new]), 30)
    assert history.since_s == {old: None, new: 20}
    history.watch(frozenset(), 40)
    history.watch(frozenset([old]), 50)
    assert history.since_s == {old: 50}


def test_what_was_acknowledged_and_gets_worse_is_to_be_acknowledged_again() -> None:
    history, welded = FaultHistory(REFERENCE), Fault("welded", 1, 2)
    history.watch(frozenset([welded]), 10)
    assert (
        history.acknowledge("contactor-1:2", 20) == "contactor-1:2 is acknowledged; it still stands"
    )
    history.acknowledge("contactor-1:2", 25)
    assert history.acknowledged_s == {"contactor-1:2": 20}
    history.watch(frozenset([welded, Fault("failed_open", 1, 2)]), 30)
    assert history.acknowledged_s == {}
    with pytest.raises(BadInput, match="allowed is the id of a latched fault"):
        history.acknowledge("module-3", 40)


class AtOnce(Executor):
    """A disk that has written when it is asked."""

    def submit(self, function: Any, /, *given: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(function(*given, **named))
        except BaseException as error:
            done.set_exception(error)
        return done


def test_since_when_and_who_saw_it_outlive_the_process(tmp_path: Path) -> None:
    path, old, new = tmp_path / "seen.json", Fault("dead", module=1), Fault("welded", 1, 2)
    said: list[str] = []
    first = FaultHistory(REFERENCE)
    first.keep(path, said.append, AtOnce())
    first.watch(frozenset(), 5)
    first.watch(frozenset([old]), 10)
    first.acknowledge("module-1", 15)
    first.watch(frozenset([old]), 16)
    again = FaultHistory(REFERENCE)
    again.keep(path, said.append, AtOnce())
    again.watch(frozenset([old, new]), 30)
    assert again.since_s == {old: 10, new: None}
    assert again.acknowledged_s == {"module-1": 15}
    assert said == []
    path.write_text('{"since_s": 3}')
    damaged = FaultHistory(REFERENCE)
    damaged.keep(path, said.append, AtOnce())
    damaged.watch(frozenset([old]), 40)
    assert damaged.since_s == {old: None}
    assert said == [f"{path}: cannot be read (it is damaged): since when faults stand is not known"]
    path.unlink()
    path.mkdir()
    unwritable = FaultHistory(REFERENCE)
    unwritable.keep(path, said.append, AtOnce())
    unwritable.watch(frozenset([new]), 50)
    assert unwritable.since_s == {new: None}
    assert [text.removeprefix(str(path)) for text in said[1:]] == [
        ": cannot be read (is a directory): since when faults stand is not known",
        ": is a directory; since when faults stand is in memory only until it takes it",
    ]
