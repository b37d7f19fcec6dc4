"""The obligations on the whole scan fail for mistakes that could be made in its four acts."""

from collections.abc import Callable
from typing import Any

import pytest

from proofs import scan as proofs
from proofs import scan_effects
from proofs.lemmas import whole_scan
from proofs.lemmas.whole_scan import Cut, unlike
from proofs.obligation import PROVED, REFUTED
from proofs.solver import decide
from proofs.suite import prove
from verified_alloc import Station
from verified_alloc.kernel import scan
from verified_alloc.kernel.scan import Disable, Enable, Publish

BY_ID = {one.id.removeprefix("scan."): one for one in proofs.OBLIGATIONS}


def answer(station: Station, name: str) -> str:
    obligation = BY_ID[name]
    return decide(obligation.claim(station), obligation.budget).answer


def changed(
    monkeypatch: pytest.MonkeyPatch, act: str, effects: Callable[[list[Any]], list[Any]]
) -> None:
    """The act gives these effects instead of its own."""
    sound = getattr(scan, act)

    def instead(*given: Any) -> Any:
        *rest, last = sound(*given)
        return (*rest, effects(list(last)))

    monkeypatch.setattr(scan, act, instead)


def test_modules_go_off_before_their_gun_hears_of_it(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    changed(monkeypatch, "switch", lambda effects: [effects[1], effects[0], effects[2]])
    assert answer(small, "offers-are-borne") == REFUTED
    assert answer(small, "order-of-effects") == REFUTED


def test_the_unverified_go_off_before_the_offer_is_cut(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    changed(monkeypatch, "conclude", lambda effects: [effects[1], effects[0], *effects[2:]])
    assert answer(small, "offers-are-borne") == REFUTED
    assert answer(small, "order-of-effects") == REFUTED


def test_words_that_are_written_before_enables_fall(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    changed(monkeypatch, "switch", lambda effects: [effects[0], effects[2], effects[1]])
    assert answer(small, "order-of-effects") == REFUTED


def test_a_module_that_is_left_on_although_its_readings_are_invalid(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    def without_disabling(effects: list[Any]) -> list[Any]:
        return [
            Disable([False] * len(effect.modules)) if isinstance(effect, Disable) else effect
            for effect in effects
        ]

    changed(monkeypatch, "switch", without_disabling)
    assert answer(small, "invalid-is-off") == REFUTED
    assert answer(small, "stop-is-off") == REFUTED


def test_an_enable_that_rises_unverified(monkeypatch: pytest.MonkeyPatch, small: Station) -> None:
    sound = scan.conclude

    def trusting(*given: Any) -> Any:
        *rest, verified = given
        return sound(*rest, [True] * len(verified))

    monkeypatch.setattr(scan, "conclude", trusting)
    assert answer(small, "order-of-effects") == REFUTED


def test_a_gun_that_hears_of_more_than_it_is_remembered_to(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    def generous(effects: list[Any]) -> list[Any]:
        return [*effects[:-1], effects[-1]._replace(offer_w=[w + 1 for w in effects[-1].offer_w])]

    changed(monkeypatch, "conclude", generous)
    assert answer(small, "offers-stay-ordered") == REFUTED
    assert answer(small, "offers-are-borne") == REFUTED
    assert answer(small, "site-limit") == REFUTED


def test_a_memory_that_forgets_a_fault(monkeypatch: pytest.MonkeyPatch, small: Station) -> None:
    sound = scan.switch

    def forgetful(*given: Any) -> Any:
        memory, switched, effects = sound(*given)
        faults = memory.latched
        healed = faults._replace(dead=[False] * len(faults.dead))
        return memory._replace(latched=healed), switched, effects

    monkeypatch.setattr(scan, "switch", forgetful)
    assert answer(small, "latched-stays") == REFUTED


def test_a_start_that_takes_modules_for_off(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    sound = scan.restarted

    def bold(*given: Any) -> Any:
        memory = sound(*given)
        return memory._replace(ages=[ages._replace(off_ms=0) for ages in memory.ages])

    monkeypatch.setattr(scan, "restarted", bold)
    assert answer(small, "invariant-at-start") == REFUTED


def test_a_watchdog_that_is_always_fed(monkeypatch: pytest.MonkeyPatch, small: Station) -> None:
    changed(monkeypatch, "look_back", lambda effects: [effects[0], scan.Pet(True), *effects[2:]])
    assert answer(small, "watchdog") == REFUTED


@pytest.mark.slow
def test_they_hold_on_the_kernel_as_it_is(small: Station) -> None:
    assert {answer(small, name) for name, one in BY_ID.items() if one.expected == PROVED} == {
        PROVED
    }


def test_a_counterexample_is_told_in_words(small: Station) -> None:
    result = prove.check(BY_ID["no-second-contactor.without-A6"], small)
    assert "the scan before: enable" in result.counterexample
    assert "this scan: enable" in result.counterexample
    assert "may be switched to guns" in result.counterexample


def test_modules_that_are_alike_are_one_claim_and_unlike_ones_are_not(small: Station) -> None:
    of = whole_scan.any_scan(small)

    def enables(m: int) -> Any:
        names = Cut().name("locked", of.locks).name("held", [row[m] for row in of.held])
        term = names.name("stop_ms", of.acts.diagnosed.stop_ms).of(of.acts.concluded.enabled[m])
        return whole_scan.variables(m, of).of(term)

    alike = [enables(m) for m in of.modules]
    assert unlike(alike).eq(alike[0])
    assert len(unlike([*alike, of.orders.ending]).children()) == 2


def test_the_course_of_a_scan_is_that_of_its_effects(small: Station) -> None:
    of = whole_scan.any_scan(small)
    kinds = [type(moment.effect) for moment in whole_scan.course(of)]
    assert kinds == [kind for kind in scan_effects.ORDER if kind in {*kinds}]
    assert {Publish, Disable, Enable} < {*kinds}
