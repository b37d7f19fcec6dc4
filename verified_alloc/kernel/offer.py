"""The power limit offered to each gun.

A gun may draw what it is offered, and for a while what it was offered before: a lower offer binds
it only once `offer_lead_ms` have passed or it has acknowledged. That bound is its *promise*.
Modules leave a gun only when those that stay can bear its promise; an offer rises only when modules
are live, and only while all promises together stay within the site limit, and what is promised of
its modules within every feeder's.
"""

from collections.abc import Sequence
from typing import NamedTuple

from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.feeder import Room
from verified_alloc.kernel.ops import BoolMatrix, Ops
from verified_alloc.kernel.rule import least, most


class Offer(NamedTuple):
    """What one gun was told, W."""

    offer_w: int
    """Published last."""
    promise_w: int
    """The most that it may still draw."""
    pending_w: int
    """The highest offer since the wait began: its promise when the wait is over."""
    waited_ms: int
    """Since the wait began: `NOT_SO` in the scan that begins it, because that scan publishes after
    it has read."""


def restarted(gun_max_w: int) -> Offer:
    """Nothing is offered, and what the gun was offered before the restart is not known."""
    return Offer(0, gun_max_w, 0, NOT_SO)


def power(ops: Ops, modules: Sequence[bool], module_power_w: Sequence[int]) -> int:
    """The power of these modules together, W."""
    total_w = 0
    for present, power_w in zip(modules, module_power_w, strict=True):
        total_w = total_w + ops.ite(present, power_w, 0)
    return total_w


def staying(ops: Ops, live: Sequence[bool], target: Sequence[bool]) -> list[bool]:
    """Of a gun's live modules, those that its target keeps."""
    return [ops.and_(feeds, keeps) for feeds, keeps in zip(live, target, strict=True)]


def affordable(
    ops: Ops,
    grant_w: int,
    live: Sequence[bool],
    target: Sequence[bool],
    module_power_w: Sequence[int],
    barred: bool,
) -> int:
    """What a gun can be offered: its grant, as far as the live modules that stay bear it; nothing
    while it is barred (locked, or everything is stopped)."""
    borne_w = power(ops, staying(ops, live, target), module_power_w)
    return ops.ite(barred, 0, least(ops, grant_w, borne_w))


def hold(
    ops: Ops,
    live: BoolMatrix,
    target: BoolMatrix,
    promise_w: Sequence[int],
    module_power_w: Sequence[int],
) -> list[list[bool]]:
    """The target that may be switched to now, `[gun][module]`: a gun that is fed, and whose staying
    modules cannot bear its promise, keeps its live modules and gets no others, and nobody else
    gets those yet."""
    guns = range(len(target))
    keeps_all = [
        ops.and_(
            promise_w[gun] > power(ops, staying(ops, live[gun], target[gun]), module_power_w),
            ops.or_(*live[gun]),
        )
        for gun in guns
    ]
    kept = [[ops.and_(feeds, keeps_all[gun]) for feeds in live[gun]] for gun in guns]
    held = [ops.or_(*column) for column in zip(*kept, strict=True)]
    return [
        [
            ops.or_(keeps, ops.and_(wants, ops.not_(keeps_all[gun]), ops.not_(taken)))
            for keeps, wants, taken in zip(kept[gun], target[gun], held, strict=True)
        ]
        for gun in guns
    ]


def lower(
    ops: Ops,
    lead_ms: int,
    before: Offer,
    affordable_w: int,
    acknowledged: bool,
    elapsed_ms: int,
) -> Offer:
    """Before anything is switched: the offer falls at once to what is affordable, the promise when
    its time has come."""
    waited_ms = ops.ite(before.waited_ms > NOT_SO, before.waited_ms + elapsed_ms, 0)
    settled = waited_ms >= lead_ms
    promise_w = ops.ite(settled, before.pending_w, before.promise_w)
    promise_w = ops.ite(acknowledged, least(ops, promise_w, before.offer_w), promise_w)
    offer_w = least(ops, before.offer_w, affordable_w)
    begins = before.pending_w >= promise_w
    return Offer(
        offer_w=offer_w,
        promise_w=promise_w,
        pending_w=ops.ite(begins, offer_w, before.pending_w),
        waited_ms=ops.ite(begins, NOT_SO, waited_ms),
    )


def cut(ops: Ops, before: Offer, affordable_w: int) -> Offer:
    """After a write that could not be verified: the offer falls once more, in the same scan."""
    return before._replace(offer_w=least(ops, before.offer_w, affordable_w))


def raise_(
    ops: Ops,
    offers: Sequence[Offer],
    affordable_w: Sequence[int],
    site_limit_w: int,
    rooms: Sequence[Room] = (),
) -> list[Offer]:
    """After everything is switched and verified: each offer rises to what is affordable, as far as
    the site limit and the feeders leave room beside all promises, in the order of the guns."""
    room_w = site_limit_w
    for offer in offers:
        room_w = room_w - offer.promise_w
    spares_w = [most(ops, room.spare_w, 0) for room in rooms]
    raised = []
    for gun, (offer, affordable) in enumerate(zip(offers, affordable_w, strict=True)):
        shares_w = [room.share_w[gun] for room in rooms]
        most_w = offer.promise_w + room_w
        for share_w, spare_w in zip(shares_w, spares_w, strict=True):
            bound_w = least(ops, offer.promise_w, share_w) + spare_w
            most_w = ops.ite(share_w > bound_w, least(ops, most_w, bound_w), most_w)
        offer_w = most(ops, offer.offer_w, least(ops, affordable, most_w))
        promise_w = most(ops, offer.promise_w, offer_w)
        room_w = room_w - (promise_w - offer.promise_w)
        spares_w = [
            spare_w - (least(ops, promise_w, share_w) - least(ops, offer.promise_w, share_w))
            for spare_w, share_w in zip(spares_w, shares_w, strict=True)
        ]
        raised.append(
            Offer(offer_w, promise_w, most(ops, offer.pending_w, offer_w), offer.waited_ms)
        )
    return raised
