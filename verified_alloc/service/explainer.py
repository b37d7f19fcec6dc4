"""Explanations, worked out when somebody asks, in a process of their own: what stands against more
for a gun is a question to a solver, and nobody else at the door waits for the answer."""

import asyncio
import socket
import subprocess
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import NamedTuple

from verified_alloc import process
from verified_alloc.decide.allocate import Allocation
from verified_alloc.decide.demand import Asked
from verified_alloc.service.snapshot import Snapshot
from verified_alloc.station.faults import Faults
from verified_alloc.station.model import Station

WITHIN_S = 2
"""An explanation; else there is none."""
WAITED_S = 0.1
"""By who asks, for an answer that holds it."""
STARTED_WITHIN_S = 30.0
KEPT = 100


class Decision(NamedTuple):
    """What is to be explained."""

    asked: Asked
    faults: Faults
    site_limit_w: int | None
    allocation: Allocation
    out_of_service: frozenset[int] = frozenset()
    """Modules that somebody has taken out."""
    limited: tuple[int, ...] = ()
    """Guns that ask for more than the limit of their own."""


class Why(NamedTuple):
    """An explanation, in sentences."""

    guns: Mapping[int, tuple[str, ...]]
    station: tuple[str, ...] = ()

    @staticmethod
    def of_all(station: Station, sentence: str) -> "Why":
        """The same for every gun."""
        return Why({gun.id: (sentence,) for gun in station.guns})


class Explainer:
    """Remembers what it has explained. One decision is worked on at a time and the one that was
    asked for last is next: who asked for another before is not kept waiting for it."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._known: deque[tuple[Decision, Why]] = deque(maxlen=KEPT)
        self._next: tuple[Decision, asyncio.Future[None]] | None = None
        self._at_work: tuple[Decision, asyncio.Future[None]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._line: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def why(self, seen: Snapshot) -> Why:
        """As far as it is known; what is not is worked out from now on."""
        if nothing_counts := "stopped" if seen.state.stopped else "ending" if seen.ending else "":
            return Why.of_all(self._station, f"The station is {nothing_counts}: no demand counts.")
        decision = _decision(seen)
        for known, why in self._known:
            if known == decision:
                return why
        self._ask(decision)
        return Why.of_all(self._station, "Why is being worked out.")

    async def wait(self, seen: Snapshot, within_s: float = WAITED_S) -> None:
        """Until it is known, if that is soon."""
        decision = _decision(seen)
        if not any(known == decision for known, _ in self._known):
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._ask(decision)), within_s)

    def close(self) -> None:
        """Whoever is at work on an explanation stops."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _ask(self, decision: Decision) -> "asyncio.Future[None]":
        for asked in (self._at_work, self._next):
            if asked is not None and asked[0] == decision:
                return asked[1]
        if self._next is not None:
            self._next[1].set_result(None)
        self._next = decision, asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return self._next[1]

    async def _work(self) -> None:
        while self._next is not None:
            (decision, answered), self._next = self._next, None
            self._at_work = decision, answered
            self._known.append((decision, await asyncio.to_thread(self._answer, decision)))
            self._at_work = None
            answered.set_result(None)

    def _answer(self, decision: Decision) -> Why:
        """In a thread, which waits."""
        try:
            line = self._line or self._start()
            line.send((self._station, decision))
            if line.poll(WITHIN_S):
                why: Why = line.recv()
                return why
        except (EOFError, OSError):
            pass
        if self._line is not None:
            self._line.close()
            self._line = None
        self.close()
        return Why.of_all(self._station, f"Why was not worked out within {WITHIN_S} s.")

    def _start(self) -> Connection:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = process.start("verified_alloc.service.explaining", [theirs])
        self._line = Connection(ours.detach())
        if self._line.poll(STARTED_WITHIN_S):
            self._line.recv()
        return self._line


def _decision(seen: Snapshot) -> Decision:
    state = seen.state
    taken_out = frozenset(
        fault.module or 0 for fault in state.latched if fault.kind == "module_out"
    )
    inputs = state.inputs
    of_station = inputs.faults, inputs.site_limit_w, state.allocation
    return Decision(inputs.asked, *of_station, taken_out, inputs.limited)
