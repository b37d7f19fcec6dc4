"""The runner says no when it must."""

import re
from typing import Any

import pytest
import z3

from proofs import manifest
from proofs.algebras import z3_terms
from proofs.obligation import PROVED, REFUTED, Claim, Obligation
from proofs.suite import prove
from verified_alloc import Station
from verified_alloc.kernel import guard, ops, rule, wiring

NUMBER = z3_terms.ints("number")


def obligation(claim: Claim, expected: str = PROVED, budget: int = 1_000_000) -> Obligation:
    return Obligation(
        "test.test", "It holds.", ("rule.need",), "any", (), expected, budget, lambda station: claim
    )


def check(claim: Claim, expected: str = PROVED, budget: int = 1_000_000) -> prove.Result:
    return prove.check(obligation(claim, expected, budget), Station.reference())


def test_what_holds_is_green_with_a_witness() -> None:
    result = check(Claim((NUMBER > 3,), NUMBER > 2))
    assert (result.state, result.verdict, result.vacuity) == (prove.GREEN, PROVED, "1/1")
    assert result.witness.startswith("number = ")


def test_what_does_not_hold_is_red_and_shows_why() -> None:
    claim = Claim((), NUMBER > 2, lambda model: f"number is {model.eval(NUMBER, True)}")
    result = check(claim)
    assert result.state == prove.RED
    assert result.counterexample.startswith("number is ")


def test_a_failure_that_is_expected_is_green_and_its_absence_red() -> None:
    assert check(Claim((), NUMBER > 2), REFUTED).state == prove.GREEN
    assert check(Claim((), NUMBER == NUMBER), REFUTED).state == prove.RED


def test_hypotheses_that_nothing_meets_are_red() -> None:
    result = check(Claim((NUMBER > 3, NUMBER < 3), NUMBER == 7))
    assert result.verdict == PROVED
    assert result.state == prove.RED
    assert "vacuous" in result.reasons[0]


def test_a_case_that_cannot_happen_is_red() -> None:
    covers = (("a small number", NUMBER < 0),)
    assert check(Claim((NUMBER > 3,), NUMBER > 2, None, covers)).state == prove.RED


def test_not_decided_is_red() -> None:
    a, b, c = z3_terms.ints("side", 3)
    cubes = z3.And(a > 1, b > 1, c > 1, a * a * a + b * b * b == c * c * c)
    result = check(Claim((), z3.Not(cubes)), budget=100_000)
    assert (result.verdict, result.state) == ("unknown", prove.RED)


def test_a_theorem_that_cannot_be_built_is_red() -> None:
    def broken(station: Station) -> Claim:
        raise IndexError("no such gun")

    result = prove.check(obligation(Claim((), True))._replace(claim=broken), Station.reference())
    assert (result.verdict, result.state) == ("error", prove.RED)


def test_pending_names_its_issue_and_is_neither() -> None:
    assert check(Claim((), True), "pending issue 4").state == prove.PENDING


def test_outside_its_domain_it_is_skipped() -> None:
    elsewhere = obligation(Claim((), False))._replace(applies=lambda station: False)
    assert prove.check(elsewhere, Station.reference()).state == prove.SKIPPED


QUICK = (
    "rule.need-is-the-ceiling",
    "rule.turn-by-turn",
    "rule.turn-is-specified",
    "rule.documented-scenarios",
    "rule.any-station",
    "rule.higher-demand-first.partial",
    "guard.exactly-the-seven-conditions",
    "guard.other-look.unequal",
    "wiring",
)


def test_a_selection_is_green_in_two_processes() -> None:
    results = prove.prove(Station.reference(), only=QUICK, jobs=2)
    assert len(results) >= len(QUICK)
    assert {result.state for result in results} == {prove.GREEN}
    assert [result.id for result in results] == [
        name for name in manifest.ids() if prove.selected(name, QUICK)
    ]


@pytest.mark.slow
def test_the_smallest_station_with_something_to_share_is_green() -> None:
    """What does not hold in general is shown all the same, on the reference station."""
    station = Station.from_tables(
        {
            "station": {
                "name": "least",
                "guns": 2,
                "modules": 2,
                "module_power_kw": 40,
                "gun_max_power_kw": 80,
            }
        }
    )
    files = [file for file in manifest.NAMES if file not in ("constraint", "enumeration")]
    results = prove.prove(station, only=files, jobs=1)
    assert [result.id for result in results if result.state == prove.RED] == []


def _takes_the_taken(
    over: Any, grant_w: Any, reached_w: Any, power_w: Any, free: Any, usable: Any
) -> Any:
    takes = over.and_(usable, grant_w > reached_w)
    return takes, reached_w + over.ite(takes, power_w, 0), free


def _takes_one_too_many(
    over: Any, grant_w: Any, reached_w: Any, power_w: Any, free: Any, usable: Any
) -> Any:
    takes = over.and_(free, usable, grant_w >= reached_w)
    return takes, reached_w + over.ite(takes, power_w, 0), over.and_(free, over.not_(takes))


BREAKS = (
    (rule, "take", _takes_the_taken, "rule.any-station.one-gun-per-module"),
    (rule, "take", _takes_the_taken, "rule.exclusive-whatever-the-powers"),
    (rule, "take", _takes_one_too_many, "rule.any-station.no-waste"),
    (rule, "take", _takes_one_too_many, "rule.documented-scenarios"),
    (guard, "at_most_one", lambda over, bits: True, "guard.exactly-the-seven-conditions"),
    (guard, "within_limit", lambda powers, limit: powers[0] <= limit, "guard.total-within-limit"),
    (wiring, "place", lambda k: wiring.Place(*divmod(k, 16)), "wiring.places"),
    (wiring, "next_coils", lambda over, may, want, latch: tuple(want), "wiring.may-not-switch"),
    (wiring, "next_coils", lambda over, may, want, latch: tuple(want), "wiring.partly-written"),
    (wiring, "valid", lambda over, answered, numbers: True, "wiring.readings-cover-the-module"),
)


@pytest.mark.parametrize(("module", "name", "broken", "red"), BREAKS)
def test_a_broken_kernel_turns_its_obligation_red(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, broken: Any, red: str
) -> None:
    one = manifest.obligations()[red]
    assert prove.check(one, Station.reference()).state == prove.GREEN
    monkeypatch.setattr(module, name, broken)
    assert prove.check(one, Station.reference()).state == prove.RED


def test_a_counterexample_is_replayed_on_the_shipped_function() -> None:
    one = manifest.obligations()["rule.higher-demand-first.partial"]
    result = prove.check(one, Station.reference())
    assert "Replayed on the shipped function, this is false" in result.counterexample
    assert "PM" in result.counterexample


def test_what_a_single_turn_breaks_is_shown_on_the_whole_rule(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    """In round figures, as far as these show it."""
    monkeypatch.setattr(rule, "take", _takes_one_too_many)
    result = prove.check(manifest.obligations()["rule.gun-cap"], small)
    assert "Replayed on the shipped function, this is false" in result.counterexample
    assert re.search(r"gun 1 +80 +80 +80 +PM1 PM2 PM3 ", result.counterexample)
    turn = prove.check(manifest.obligations()["rule.turn-counts"], small).counterexample
    assert re.search(r"it needs (\d) modules; \d are free, (?!\1)\d taken", turn)


def test_a_verdict_that_differs_is_shown_with_the_allocation(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    monkeypatch.setattr(guard, "within_limit", lambda powers_w, limit_w: powers_w[0] <= limit_w)
    result = prove.check(manifest.obligations()["guard.total-within-limit"], small)
    assert "gun  demand kW  maximum" in result.counterexample
    assert "within_limit: the guard says True, the design False" in result.counterexample


def test_values_without_a_story_are_told_by_kind() -> None:
    bit, other = z3_terms.bools("bit", 2)
    result = check(Claim((), z3.Or(bit, z3.Not(other), NUMBER != 3)))
    assert result.counterexample == "true: bit 2\nfalse: bit 1\nnumber = 3"


def test_the_algebra_computes_what_the_plain_one_does() -> None:
    demand_w = [160_000, 120_000, 80_000, 40_500, 1, 0]
    given = ([240_000] * 6, [40_000] * 9, [[True] * 9] * 6, 300_000, 1000)
    plain = rule.documented(ops, range(6), demand_w, *given)
    terms = rule.documented(z3_terms, range(6), [z3.IntVal(w) for w in demand_w], *given)
    assert [
        [z3.is_true(z3.simplify(z3_terms.and_(bit, z3.BoolVal(True)))) for bit in row]
        for row in terms.held
    ] == plain.held
    assert [z3.simplify(w).as_long() for w in terms.delivered_w] == plain.delivered_w
