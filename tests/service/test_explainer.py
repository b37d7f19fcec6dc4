"""Explanations beside the door: who asks waits a little, and nobody else at all."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sweep.stations import REFERENCE

from verified_alloc.decide import demand, explain
from verified_alloc.decide.allocate import allocate
from verified_alloc.decide.policies.problem import NO_FAULTS, NoAnswer
from verified_alloc.service import explainer as module
from verified_alloc.service.explainer import Decision, Explainer, Why
from verified_alloc.service.explaining import explained
from verified_alloc.service.snapshot import Snapshot


def seen(kw: float) -> Snapshot:
    """A scan that has decided by priority what every gun gets that asks for so much."""
    demands = dict.fromkeys(range(1, 7), kw)
    inputs = SimpleNamespace(
        asked=demand.from_kilowatts(REFERENCE, demands),
        faults=NO_FAULTS,
        site_limit_w=None,
        limited=(),
    )
    allocation = allocate(REFERENCE, demands, policy="priority")
    state = SimpleNamespace(
        inputs=inputs, allocation=allocation, latched=frozenset(), stopped=False
    )
    return cast(Snapshot, SimpleNamespace(state=state, ending=False))


@pytest.fixture
def explainer() -> Iterator[Explainer]:
    asked = Explainer(REFERENCE)
    yield asked
    asked.close()


def test_a_shortage_is_explained_by_another_process_in_the_same_words(explainer: Explainer) -> None:
    short = seen(120)
    inputs, allocation = short.state.inputs, short.state.allocation
    words = explain.reasons(REFERENCE, inputs.asked, inputs.faults, allocation)

    async def ask() -> tuple[Why, Why]:
        before = explainer.why(short)
        await explainer.wait(short, within_s=60)
        return before, explainer.why(short)

    before, why = asyncio.run(ask())
    assert before.guns[4] == ("Why is being worked out.",)
    assert why.guns == {gun: reason.sentences for gun, reason in words.guns.items()}
    assert why.station == words.station
    assert any("cannot be had together" in sentence for sentence in why.guns[4])


def test_who_asked_for_another_decision_before_is_not_kept_waiting(
    explainer: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is under way, the second is overtaken by the third."""
    first, second, third = map(seen, (1, 2, 3))
    begun, go_on, answered = threading.Event(), threading.Event(), []

    def answer(decision: Decision) -> Why:
        begun.set()
        go_on.wait()
        answered.append(decision)
        return Why({1: ("because",)})

    monkeypatch.setattr(explainer, "_answer", answer)

    async def ask() -> None:
        explainer.why(first)
        await asyncio.to_thread(begun.wait)
        overtaken = asyncio.create_task(explainer.wait(second, within_s=3600))
        await asyncio.sleep(0)
        last = asyncio.create_task(explainer.wait(third, within_s=3600))
        await overtaken
        assert not answered
        go_on.set()
        await last

    asyncio.run(ask())
    assert [each.asked.demand_w[0] for each in answered] == [1000, 3000]


def test_an_answer_that_takes_too_long_is_none_and_the_next_is_asked_of_another(
    explainer: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = socket.socketpair()
    silent = Connection(ours.detach())

    def stuck() -> Any:
        explainer._line = silent
        return silent

    monkeypatch.setattr(module, "WITHIN_S", 0)
    monkeypatch.setattr(explainer, "_start", stuck)

    async def ask() -> Why:
        await explainer.wait(seen(1), within_s=3600)
        return explainer.why(seen(1))

    assert asyncio.run(ask()).guns[1] == ("Why was not worked out within 0 s.",)
    assert silent.closed
    assert explainer._line is None
    theirs.close()


def test_what_the_solver_does_not_find_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def gives_up(*_: Any) -> None:
        raise NoAnswer("CP-SAT says UNKNOWN")

    monkeypatch.setattr(explain, "reasons", gives_up)
    state = seen(120).state
    why = explained(REFERENCE, Decision(state.inputs.asked, NO_FAULTS, None, state.allocation))
    assert why.guns[6] == ("Why was not found out: CP-SAT says UNKNOWN.",)
