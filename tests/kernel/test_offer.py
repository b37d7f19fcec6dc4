"""Offers, promises, and who may leave whom when."""

from verified_alloc.kernel import offer, ops
from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.offer import Offer

LEAD_MS = 1000
STEADY = Offer(160_000, 160_000, 160_000, NOT_SO)
FREE = Offer(0, 0, 0, NOT_SO)


def lowered(before: Offer, affordable_w: int, scans: int = 1, acknowledged: bool = False) -> Offer:
    for _ in range(scans):
        before = offer.lower(ops, LEAD_MS, before, affordable_w, acknowledged, 20)
    return before


def test_an_offer_falls_at_once_and_its_promise_after_the_lead_time() -> None:
    first = lowered(STEADY, 80_000)
    assert first.offer_w == 80_000
    assert first.promise_w == 160_000
    assert lowered(first, 80_000, scans=50).promise_w == 160_000
    assert lowered(first, 80_000, scans=51).promise_w == 80_000


def test_an_acknowledgement_ends_the_wait_for_what_was_published() -> None:
    first = lowered(STEADY, 80_000)
    assert lowered(first, 40_000, acknowledged=True) == Offer(40_000, 80_000, 40_000, NOT_SO)


def test_a_promise_never_falls_below_an_offer_of_the_lead_time() -> None:
    """Whatever the history, the promise covers every offer of the last second."""
    history: list[int] = []
    told = STEADY
    for scan in range(400):
        affordable_w = (scan * 7919) % 170_000
        told = offer.lower(ops, LEAD_MS, told, affordable_w, False, 20)
        raised = offer.raise_(ops, [told], [affordable_w if scan % 3 else 0], 360_000)
        told = raised[0]
        history.append(told.offer_w)
        assert told.promise_w >= max(history[-50:])
        assert told.pending_w >= told.offer_w


def test_offers_rise_only_into_the_room_that_promises_leave() -> None:
    leaving = lowered(STEADY, 0)
    first, second = offer.raise_(ops, [leaving, FREE], [0, 160_000], 200_000)
    assert first.offer_w == 0
    assert second.offer_w == 40_000  # 160 kW may still be drawn
    settled = lowered(leaving, 0, scans=51)
    assert offer.raise_(ops, [settled, second], [0, 160_000], 200_000)[1].offer_w == 160_000


def test_a_module_leaves_only_when_those_that_stay_bear_the_promise() -> None:
    power_w = [40_000] * 3
    live = [[True, True, True], [False] * 3]
    target = [[True, False, False], [False, True, True]]
    assert offer.hold(ops, live, target, [120_000, 0], power_w) == [
        [True, True, True],
        [False, False, False],
    ]
    assert offer.hold(ops, live, target, [40_001, 0], power_w)[0] == [True, True, True]
    swap = [[False, True, True], [True, False, False]]
    half = [[True, True, False], [False] * 3]
    assert offer.hold(ops, half, swap, [80_000, 0], power_w)[0] == [True, True, False]
    assert offer.hold(ops, live, target, [40_000, 0], power_w) == target


def test_what_is_not_live_is_not_held() -> None:
    live = [[True, False], [False, False]]
    target = [[False, False], [True, True]]
    assert offer.hold(ops, live, target, [40_000, 0], [40_000] * 2) == [
        [True, False],
        [False, True],
    ]


def test_after_a_restart_a_gun_may_still_draw_its_maximum() -> None:
    begun = offer.restarted(240_000)
    assert begun.offer_w == 0
    assert lowered(begun, 0, scans=50).promise_w == 240_000
    assert lowered(begun, 0, scans=51).promise_w == 0
    assert lowered(begun, 0, acknowledged=True).promise_w == 0
