"""Any offers: one gun through one scan, all guns of a station under one limit, and the story of it.

A scan publishes its lower offers after its reads, and its raised ones after its writes. What a gun
draws is judged by one offer, any of those it was ever told: `told_w`, in force until `ago_ms` ago.
"""

from typing import Any, NamedTuple

import z3

from proofs import plant
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, ints, or_, total
from proofs.lemmas.any_scan import Assumed
from proofs.lemmas.rule_inputs import in_model
from proofs.plant import ACKNOWLEDGES, OBEYS
from verified_alloc.kernel import diagnosis, offer, ops
from verified_alloc.kernel.offer import Offer
from verified_alloc.station.model import Station


class Told(NamedTuple):
    """One scan of one gun's offer."""

    lead_ms: Any
    before: Offer
    lowered: Offer
    cut: Offer
    """After the writes; lower than before only if they could not be verified."""
    raised: Offer
    limit_w: Any
    affordable_w: Any
    """When it is lowered,"""
    later_w: Any
    """and after the writes."""
    unverified: Any
    acknowledged: Any
    elapsed_ms: Any
    """Counted since the scan before."""
    told_w: Any
    ago_ms: Any
    """As this scan begins."""
    draws_w: Any
    laws: tuple[Any, ...]


def any_offer(name: str) -> Offer:
    """Whatever was told."""
    return Offer(*(z3.Int(f"{name} {field}") for field in Offer._fields))


def ordered(told: Offer) -> Any:
    """An offer is within what is pending, and that within the promise."""
    return and_(
        told.offer_w >= 0,
        told.offer_w <= told.pending_w,
        told.pending_w <= told.promise_w,
        told.waited_ms >= diagnosis.NOT_SO,
    )


def cut_if(unverified: Any, lowered: Offer, later_w: Any) -> Offer:
    """The offer after writes of which one could not be verified, or all could."""
    cut = offer.cut(z3_terms, lowered, later_w)
    return Offer(*(z3_terms.ite(unverified, *pair) for pair in zip(cut, lowered, strict=True)))


def one_scan(assumed: Assumed) -> Told:
    """Any scan of any gun; the others' promises and the site limit leave any room."""
    lead_ms, affordable_w, later_w, limit_w = (
        z3.Int(name) for name in ("lead_ms", "affordable_w", "affordable later", "limit_w")
    )
    elapsed_ms, told_w, ago_ms, draws_w = (
        z3.Int(name) for name in ("elapsed_ms", "told_w", "ago_ms", "draws_w")
    )
    acknowledged = z3.Bool("acknowledged")
    before = any_offer("before")
    lowered = offer.lower(z3_terms, lead_ms, before, affordable_w, acknowledged, elapsed_ms)
    unverified = z3.Bool("a write is not verified")
    cut = cut_if(unverified, lowered, later_w)
    (raised,) = offer.raise_(z3_terms, [cut], [later_w], limit_w)
    laws: list[Any] = [
        lead_ms >= 0,
        elapsed_ms >= 0,
        ago_ms >= 0,
        affordable_w >= 0,
        later_w >= 0,
        ordered(before),
    ]
    if OBEYS in assumed:
        laws.append(plant.obeys(lead_ms, ago_ms, told_w, draws_w))
    if ACKNOWLEDGES in assumed:
        laws.append(plant.acknowledges(acknowledged, before.offer_w, draws_w))
    return Told(
        lead_ms,
        before,
        lowered,
        cut,
        raised,
        limit_w,
        affordable_w,
        later_w,
        unverified,
        acknowledged,
        elapsed_ms,
        told_w,
        ago_ms,
        draws_w,
        tuple(laws),
    )


def remembered(lead_ms: Any, told: Offer, counted_ms: Any, told_w: Any, ago_ms: Any) -> Any:
    """What a gun was told is within its promise for as long as it may rely on it; and within what
    is pending, if it was still told after the wait began."""
    waited_ms = z3_terms.ite(told.waited_ms > diagnosis.NOT_SO, told.waited_ms + counted_ms, 0)
    return and_(
        or_(ago_ms >= lead_ms, told_w <= told.promise_w),
        or_(ago_ms >= waited_ms, told_w <= told.pending_w),
    )


def case(scan: Told) -> Any:
    """The offer that the draw relies on is recalled rightly."""
    return remembered(scan.lead_ms, scan.before, scan.elapsed_ms, scan.told_w, scan.ago_ms)


class Together(NamedTuple):
    """A scan of all guns under one limit."""

    limit_w: Any
    before: list[Offer]
    affordable_w: list[Any]
    lowered: list[Offer]
    later_w: list[Any]
    raised: list[Offer]
    laws: tuple[Any, ...]


def together(station: Station) -> Together:
    """Any scan of all guns."""
    guns = range(1, len(station.guns) + 1)
    limit_w, lead_ms, elapsed_ms = z3.Int("limit_w"), z3.Int("lead_ms"), z3.Int("elapsed_ms")
    before = [any_offer(f"gun {gun}") for gun in guns]
    affordable_w = ints("affordable_w", len(station.guns))
    later_w = ints("affordable later", len(station.guns))
    lowered = [
        offer.lower(z3_terms, lead_ms, told, afford, z3.Bool(f"gun {gun} acknowledged"), elapsed_ms)
        for gun, told, afford in zip(guns, before, affordable_w, strict=True)
    ]
    unverified = z3.Bool("a write is not verified")
    cut = [cut_if(unverified, told, later) for told, later in zip(lowered, later_w, strict=True)]
    raised = offer.raise_(z3_terms, cut, later_w, limit_w)
    laws = (
        elapsed_ms >= 0,
        *map(ordered, before),
        *[power_w >= 0 for power_w in (*affordable_w, *later_w)],
    )
    return Together(limit_w, before, affordable_w, lowered, later_w, raised, laws)


def promised(offers: list[Offer]) -> Any:
    return total(told.promise_w for told in offers)


def offered(offers: list[Offer]) -> Any:
    return total(told.offer_w for told in offers)


def replayed(scan: Told, model: Any) -> str:
    """Whether the shipped functions, on the plain values, tell what the model says."""
    lead_ms, now_w, later_w, limit_w, elapsed_ms = in_model(
        [scan.lead_ms, scan.affordable_w, scan.later_w, scan.limit_w, scan.elapsed_ms], model
    )
    before, acknowledged = Offer(*in_model(scan.before, model)), in_model(scan.acknowledged, model)
    lowered = offer.lower(ops, lead_ms, before, now_w, acknowledged, elapsed_ms)
    cut = offer.cut(ops, lowered, later_w) if in_model(scan.unverified, model) else lowered
    raised = offer.raise_(ops, [cut], [later_w], limit_w)
    told = in_model([scan.lowered, scan.cut, scan.raised], model)
    return "the same" if [list(each) for each in (lowered, cut, *raised)] == told else "otherwise"


def story(scan: Told) -> Any:
    """A counterexample in words."""

    def tell(model: Any) -> str:
        def kw(power_w: Any) -> str:
            return f"{model.eval(power_w, model_completion=True).as_long() / 1000:g} kW"

        def ms(time_ms: Any) -> str:
            return f"{model.eval(time_ms, model_completion=True)} ms"

        def line(label: str, told: Offer) -> str:
            return (
                f"{label}: offered {kw(told.offer_w)}, promised {kw(told.promise_w)}, pending"
                f" {kw(told.pending_w)}, waited {ms(told.waited_ms)}"
            )

        return "\n".join(
            [
                line("before", scan.before),
                f"{ms(scan.elapsed_ms)} later {kw(scan.affordable_w)} is affordable, then"
                f" {kw(scan.later_w)}; lead {ms(scan.lead_ms)}",
                line("lowered", scan.lowered),
                line("raised", scan.raised),
                f"the gun draws {kw(scan.draws_w)}; it was told {kw(scan.told_w)} until"
                f" {ms(scan.ago_ms)} ago",
                f"Replayed on the shipped functions, it is told {replayed(scan, model)}.",
            ]
        )

    return tell
