"""Whatever the service process sends: the scan goes on, and does only what an order may say."""

import json
import time
from collections import deque
from typing import Any, cast

import pytest
from attack.forged import FORGED, Nobody, answers, order
from hypothesis import given, settings
from hypothesis import strategies as st
from service.test_orders import Line
from sweep.stations import REFERENCE
from sweep.working_station import WorkingStation

from verified_alloc.service import log
from verified_alloc.service.order_models import ALIVE
from verified_alloc.service.orders import ORDER_BYTES_PER_SCAN, ORDERS_PER_SCAN, Orders


@pytest.mark.parametrize("packet", FORGED, ids=lambda packet: str(packet[:60]))
def test_a_forged_packet_does_nothing_and_the_next_order_is_taken(packet: bytes) -> None:
    told = answers(packet, order(2, "demand", gun=1, kw=1))
    assert (2, True) in told
    assert all(not accepted for number, accepted in told if number == 1)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([1, 9, 40.5, 600, "gun", "module", "contactor-1:1", "weld 1:1", "W"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)
times = st.sampled_from(["2026-11-24T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31", "now"])
profiles = st.fixed_dictionaries(
    {
        "chargingProfilePurpose": st.just("ChargePointMaxProfile"),
        "chargingProfileKind": st.sampled_from(["Absolute", "Recurring"]),
        "chargingSchedule": st.fixed_dictionaries(
            {
                "chargingRateUnit": st.just("W"),
                "chargingSchedulePeriod": st.lists(
                    st.fixed_dictionaries(
                        {"startPeriod": st.integers(0, 10**9), "limit": st.floats(0, 1e9)}
                    ),
                    max_size=4,
                ),
            },
            optional={"startSchedule": times, "duration": values},
        ),
    },
    optional={"recurrencyKind": st.sampled_from(["Daily", "Weekly"]), "validFrom": times},
)
faults = st.builds(
    "{} {}{}".format,
    st.sampled_from(["weld", "nack", "module-dead", "upset", "line-high", "stall", "brown-out"]),
    st.sampled_from(["1:1", "9:9", "0x20", "0x2_0", "0x20:3", "4", "", "9" * 50]),
    st.sampled_from(["", " @ 1s", " for 100ms", " @ " + "9" * 100 + "min", " for\x0b1s"]),
)
fields: dict[str, st.SearchStrategy[Any]] = {
    "gun": values,
    "kw": values,
    "age_ms": values,
    "offer_kw": values,
    "seconds": values,
    "kind": values,
    "id": values,
    "out": values,
    "limit": values | st.fixed_dictionaries({"profile": profiles}),
    "which": values | st.fixed_dictionaries({}, optional={"purpose": values, "gun": values}),
    "fault": values | faults,
    "policy": values | st.sampled_from(["fair", "documented", "fastest"]),
}
KINDS = {
    "demand": ("gun", "kw", "age_ms"),
    "acknowledge": ("gun", "offer_kw"),
    "hold": ("gun", "seconds"),
    "take_out": ("kind", "id", "out"),
    "put_limit": ("limit",),
    "clear_limits": ("which",),
    "heartbeat": (),
    "policy": ("policy",),
    "clear": ("fault",),
    "emergency_stop": (),
    "inject": ("fault",),
}


@st.composite
def near_orders(draw: st.DrawFn) -> bytes:
    """Of the shape of an order, with any values."""
    do = draw(st.sampled_from(sorted(KINDS)))
    number = draw(st.just(1) | values)
    what = {name: draw(fields[name]) for name in KINDS[do]}
    return json.dumps({"number": number, "do": do, **what}).encode()


@settings(deadline=None, max_examples=150)
@given(st.lists(near_orders() | st.binary(max_size=200), min_size=1, max_size=8))
def test_no_packet_ends_the_scan(packets: list[bytes]) -> None:
    assert (2, True) in answers(*packets, order(2, "demand", gun=1, kw=1), scans=5)


def test_a_flood_of_large_packets_takes_no_more_of_a_scan_than_that() -> None:
    line = Line()
    line.asked.extend([b" " * (ORDER_BYTES_PER_SCAN // 2)] * 20)
    with WorkingStation(REFERENCE) as at_work:
        orders = Orders(REFERENCE, cast(Any, line), at_work.charger)
        orders.serve(at_work.controller, cast(Any, Nobody()), 0.0, False)
        assert len(line.asked) == 18
        line.asked = deque([ALIVE] * 100)
        orders.serve(at_work.controller, cast(Any, Nobody()), 0.0, False)
        assert len(line.asked) == 100 - ORDERS_PER_SCAN


def test_what_is_dropped_is_told_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    later_s = time.monotonic() + 2 * log.SILENT_S
    monkeypatch.setattr("verified_alloc.service.log.time.monotonic", lambda: later_s)
    answers(b"\x1b[2J", b"{}")
    (line,) = [each for each in caplog.messages if "dropped" in each]
    assert line.startswith("dropped from the service process: order = b'\\x1b[2J'")
