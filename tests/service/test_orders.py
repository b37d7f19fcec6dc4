"""The scan's end of the link to the service: what is answered, and when."""

import json
from collections import deque
from pathlib import Path
from typing import Any, cast

import pytest
from control.slow_disk import on_a_slow_disk
from sweep.stations import REFERENCE

from verified_alloc.control.fault_kinds import Fault
from verified_alloc.service.orders import Orders
from verified_alloc.service.service_process import ServiceProcess
from verified_alloc.service.snapshot import Snapshot


class Line:
    """The line to the service process: what it asks for, and what it is sent."""

    def __init__(self) -> None:
        self.asked: deque[bytes] = deque()
        self.answered: list[tuple[int, bool]] = []

    def ask(self, number: int, do: str, **what: object) -> None:
        self.asked.append(json.dumps({"number": number, "do": do, **what}).encode())

    def keep(self) -> None:
        pass

    def receive(self) -> bytes | None:
        return self.asked.popleft() if self.asked else None

    def send(self, message: Any) -> bool:
        if not isinstance(message, Snapshot):
            _, number, accepted, _ = message
            self.answered.append((number, accepted))
        return True


def test_what_latches_is_done_at_once_and_answered_when_it_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever asks for something else, or for a stop, does not wait behind it."""
    with on_a_slow_disk(monkeypatch, tmp_path / "faults") as (at_work, disk, faults):
        line = Line()
        orders = Orders(REFERENCE, cast(ServiceProcess, line), None)

        def scan() -> list[tuple[int, bool]]:
            orders.serve(at_work.controller, cast(Any, None), 0.0, False)
            orders.watch(at_work.scan(skip=False))
            return line.answered

        line.ask(1, "take_out", kind="module", id=9, out=True)
        assert scan() == []
        line.ask(2, "hold", gun=1, seconds=1)
        line.ask(3, "emergency_stop")
        assert scan() == [(2, True)]
        assert at_work.controller.faults.latched == {Fault("stopped"), Fault("module_out", None, 9)}
        disk.lets(faults)
        assert scan() == [(2, True)]
        assert disk.faults == {Fault("module_out", None, 9)}
        disk.lets(faults)
        assert scan() == [(2, True), (1, True), (3, True)]
        assert disk.faults == faults.latched


def test_a_limit_is_in_force_at_once_and_answered_when_it_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_a_slow_disk(monkeypatch, tmp_path / "faults") as (at_work, disk, _):
        line, limits = Line(), at_work.controller.limits
        orders = Orders(REFERENCE, cast(ServiceProcess, line), None)

        def scan() -> list[tuple[int, bool]]:
            orders.serve(at_work.controller, cast(Any, None), 0.0, False)
            orders.watch(at_work.scan(skip=False))
            return line.answered

        line.ask(1, "put_limit", limit={"limit_kw": 50})
        line.ask(2, "put_limit", limit={"limit_kw": 50, "gun": 7})
        line.ask(3, "heartbeat")
        assert scan() == [(2, False), (3, True)]
        assert at_work.state.inputs.site_limit_w == 50_000
        assert sum(at_work.offers_kw().values()) == 50
        disk.lets(limits)
        assert scan()[2:] == [(1, True)]
        line.ask(4, "clear_limits", which={})
        assert len(scan()) == 3
        disk.lets(limits)
        assert scan()[3:] == [(4, True)]
