"""The obligations on offers fail for the mistakes that were made once."""

from typing import Any

import pytest

from proofs import manifest
from proofs.obligation import REFUTED
from proofs.solver import decide
from proofs.suite import prove
from verified_alloc import Station
from verified_alloc.kernel import offer
from verified_alloc.kernel.offer import Offer


def is_refuted(station: Station, name: str) -> bool:
    obligation = manifest.obligations()[name]
    return decide(obligation.claim(station), obligation.budget).answer == REFUTED


def test_a_wait_that_begins_before_the_offer_is_published(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    monkeypatch.setattr(offer, "NOT_SO", 0)
    assert is_refuted(small, "offer.promise-is-remembered")


def test_a_restart_that_forgets_what_was_offered(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    monkeypatch.setattr(offer, "restarted", lambda gun_max_w: Offer(0, 0, 0, -1))
    assert is_refuted(small, "offer.restart-promises-all")


def test_a_gun_that_keeps_and_takes(monkeypatch: pytest.MonkeyPatch, small: Station) -> None:
    """A gun whose modules are held back must not get its new ones as well."""
    sound = offer.hold

    def hold(ops: Any, live: Any, target: Any, promise_w: Any, power_w: Any) -> Any:
        out = sound(ops, live, target, promise_w, power_w)
        return [
            [ops.or_(bit, wants) for bit, wants in zip(*rows, strict=True)]
            for rows in zip(out, target, strict=True)
        ]

    monkeypatch.setattr(offer, "hold", hold)
    assert is_refuted(small, "offer.hold")
    assert is_refuted(small, "offer.module-cap")
    assert is_refuted(small, "offer.module-cap.any-station")


def test_a_removal_that_waits_for_nothing(monkeypatch: pytest.MonkeyPatch, small: Station) -> None:
    monkeypatch.setattr(offer, "hold", lambda ops, live, target, promise_w, power_w: target)
    assert is_refuted(small, "offer.hold")


def test_a_rise_beyond_the_site_limit(monkeypatch: pytest.MonkeyPatch, small: Station) -> None:
    def raise_(
        ops: Any, offers: Any, affordable_w: Any, site_limit_w: Any, rooms: Any = ()
    ) -> list[Offer]:
        return [
            told._replace(
                offer_w=offer.most(ops, told.offer_w, afford),
                promise_w=offer.most(ops, told.promise_w, afford),
                pending_w=offer.most(ops, told.pending_w, afford),
            )
            for told, afford in zip(offers, affordable_w, strict=True)
        ]

    monkeypatch.setattr(offer, "raise_", raise_)
    assert is_refuted(small, "scan.site-limit")


def test_a_rise_within_promises_that_are_beyond_the_site_limit(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    """After a restart, the promises are; the offers must not follow them."""

    sound = offer.raise_

    def raise_(
        ops: Any, offers: Any, affordable_w: Any, site_limit_w: Any, rooms: Any = ()
    ) -> list[Offer]:
        beyond = sum(told.promise_w for told in offers) > site_limit_w
        raised = sound(ops, offers, affordable_w, site_limit_w, rooms)
        followed_w = [
            offer.most(ops, told.offer_w, offer.least(ops, afford, told.promise_w))
            for told, afford in zip(raised, affordable_w, strict=True)
        ]
        return [
            told._replace(
                offer_w=ops.ite(beyond, follows_w, told.offer_w),
                pending_w=ops.ite(
                    beyond, offer.most(ops, told.pending_w, follows_w), told.pending_w
                ),
            )
            for told, follows_w in zip(raised, followed_w, strict=True)
        ]

    monkeypatch.setattr(offer, "raise_", raise_)
    assert is_refuted(small, "scan.site-limit")


def test_a_rise_that_is_not_promised(monkeypatch: pytest.MonkeyPatch, small: Station) -> None:
    sound = offer.raise_

    def raise_(
        ops: Any, offers: Any, affordable_w: Any, site_limit_w: Any, rooms: Any = ()
    ) -> list[Offer]:
        raised = sound(ops, offers, affordable_w, site_limit_w, rooms)
        return [
            now._replace(pending_w=told.pending_w) for now, told in zip(raised, offers, strict=True)
        ]

    monkeypatch.setattr(offer, "raise_", raise_)
    assert is_refuted(small, "offer.promise-is-remembered")


def test_a_counterexample_is_replayed(small: Station) -> None:
    result = prove.check(manifest.obligations()["offer.draws-within-promise.without-A14"], small)
    assert "Replayed on the shipped functions, it is told the same." in result.counterexample
