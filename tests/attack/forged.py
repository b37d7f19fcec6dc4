"""Packets that no honest service process would send to the scan."""

import json
from typing import Any, cast

from service.test_orders import Line
from sweep.stations import REFERENCE
from sweep.working_station import WorkingStation

from verified_alloc.service.orders import Orders

FORGED: tuple[bytes, ...] = (
    b"\xff\xfe",
    b"{",
    b"null",
    b"[]",
    b"7",
    b'"demand"',
    b"{}",
    b'{"number": 1}',
    b'{"do": "demand", "gun": 1, "kw": 1}',
    b"[" * 60_000,
    b'{"number": ' + b"9" * 5000 + b', "do": "emergency_stop"}',
    *(
        json.dumps({"number": 1, **order}).encode()
        for order in (
            {"do": "unlink"},
            {"do": None},
            {"do": []},
            {"do": "_take"},
            {"do": "demand", "gun": {}, "kw": 1},
            {"do": "demand", "gun": True, "kw": 1},
            {"do": "demand", "gun": 1, "kw": True},
            {"do": "demand", "gun": 1, "kw": "1_0"},
            {"do": "demand", "gun": 1, "kw": 1, "age_ms": True},
            {"do": "demand", "gun": 1, "kw": 1, "age_ms": 10**400},
            {"do": "demand", "gun": 1, "kw": 1, "player": "me"},
            {"do": "hold", "gun": 1, "seconds": float("nan")},
            {"do": "hold", "gun": 1, "seconds": True},
            {"do": "take_out", "kind": [], "id": 1, "out": True},
            {"do": "take_out", "kind": "gun", "id": "1", "out": True},
            {"do": "take_out", "kind": "module", "id": None, "out": "no"},
            {"do": "take_out", "kind": "gun", "id": -1, "out": True},
            {"do": "take_out", "kind": "module", "id": 99, "out": True},
            {"do": "put_limit", "limit": 7},
            {"do": "put_limit", "limit": []},
            {"do": "put_limit", "limit": {"limit_kw": float("inf")}},
            {"do": "put_limit", "limit": {"profile": {"chargingProfilePurpose": []}}},
            {"do": "clear_limits", "which": {"purpose": "all"}},
            {"do": "clear", "fault": {"a": 1}},
            {"do": "inject", "fault": None},
            {"do": "inject", "fault": "weld 1:1 @ " + "9" * 200 + "min"},
        )
    ),
)


def order(number: int, do: str, **what: Any) -> bytes:
    return json.dumps({"number": number, "do": do, **what}).encode()


class Nobody:
    """Plays no demands."""

    def take(self, *_: int) -> None:
        pass

    def give_back(self, *_: int) -> None:
        pass


def answers(*packets: bytes, scans: int = 3) -> list[tuple[int, bool]]:
    """What a simulated station that has just started says to them."""
    with WorkingStation(REFERENCE) as at_work:
        line = Line()
        line.asked.extend(packets)
        orders = Orders(REFERENCE, cast(Any, line), at_work.charger)
        for _ in range(scans):
            orders.serve(at_work.controller, cast(Any, Nobody()), 0.0, False)
            orders.watch(at_work.scan(skip=False))
        assert at_work.state.verified or any(b"inject" in packet for packet in packets)
        return line.answered
