"""A controller that tests its safety chain while nobody wants anything of it."""

from collections.abc import Callable
from typing import Any

from verified_alloc.control.controller import Controller
from verified_alloc.control.idle_tests import IdleTests
from verified_alloc.control.manual_scan import Look
from verified_alloc.control.proof_dates import ProofDates
from verified_alloc.control.state import State, by_gun
from verified_alloc.kernel import ops, proof_test, scan
from verified_alloc.kernel.scan import Memory


class SelfTesting(Controller):
    """The same, with the `dates` of its proof tests, which `unix_s` tells; the rest is the
    controller's."""

    def __init__(
        self, *of: Any, dates: ProofDates, unix_s: Callable[[], float], **others: Any
    ) -> None:
        super().__init__(*of, **others)
        wires = (self._bank, self._lines, self._supervision)
        self._tests = IdleTests(self.station, *wires, dates, self.report, unix_s)
        self._latest: State

    def scan(self, scans: int) -> State:
        """One scan, or one of a proof test in its place."""
        now_ms, tests = self.now_ms(), self._tests
        if tests.periodic:
            look = tests.look(
                now_ms,
                self._is_wanted(now_ms),
                self.faults.without(self._memory),
                self._decider.operations,
            )
            if look is not None:
                return self._tested(now_ms, look)
        state = super().scan(scans)
        if tests.periodic:
            rests = state.verified and proof_test.may_begin(ops, self._built, self._memory)
            idle = rests and not self._is_wanted(now_ms)
            tests.see(now_ms, idle, self._supervision.stopped)
        until_ms = min(state.quiet_until_ms, tests.next_ms(now_ms))
        self._latest = state._replace(tests=tests.states, quiet_until_ms=until_ms)
        return self._latest

    def _is_wanted(self, now_ms: int) -> bool:
        return (
            self._ending
            or self._supervision.stopped
            or any(self.demands.asked(now_ms).demand_w)
            or any(self.held_ms(gun) for gun in self._guns)
        )

    def _tested(self, now_ms: int, look: Look) -> State:
        """What comes next begins as after a restart, but that no gun has been offered anything."""
        memory = scan.restarted(self._built, self.faults.bits)
        self._memory = memory._replace(offers=self._memory.offers, healing=self._memory.healing)
        self._last_ms = now_ms
        self._decider.see(look.observed.modules)
        closed = zip(*(module.closed for module in look.observed.modules), strict=True)
        return self._latest._replace(
            at_ms=now_ms,
            connected=by_gun(closed),
            operations=self._decider.operations,
            tests=self._tests.states,
            testing=self._tests.under_way,
            quiet_until_ms=now_ms,
        )

    def _keep(self, memory: Memory) -> None:
        self._tests.interrupt(self.now_ms())
        super()._keep(memory)
