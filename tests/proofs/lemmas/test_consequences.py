"""What is composed rests on lemmas that exist, are proved wherever it is, and are all needed."""

import re
from itertools import product
from typing import Any

import pytest
import z3

from proofs import manifest
from proofs.algebras import z3_terms
from proofs.lemmas import consequences, one_gun
from proofs.obligation import PROVED, REFUTED, Obligation
from proofs.solver import decide
from proofs.suite.prove import vacuity
from verified_alloc import Station
from verified_alloc.kernel import guard, invariants, rule

EVERY = manifest.obligations()
COMPOSED = [one for one in EVERY.values() if "composed of" in one.domain]


def named(obligation: Obligation) -> str:
    return obligation.id


def answer(name: str, station: Station) -> str:
    return decide(EVERY[name].claim(station), EVERY[name].budget).answer


def said_to_use(obligation: Obligation) -> set[str]:
    return set(re.findall(r"[a-z]+\.[a-z-]+(?:\.[a-z-]+)*", obligation.domain))


def shape(guns: int, modules: int, **more: Any) -> Station:
    return Station.from_tables(
        {
            "station": {
                "name": "shape",
                "guns": guns,
                "modules": modules,
                "module_power_kw": 40,
                "gun_max_power_kw": 80,
            },
            **more,
        }
    )


SHAPES = {
    "one": shape(1, 1),
    "one gun": shape(1, 3),
    "one module": shape(3, 1),
    "unequal guns": shape(3, 3, gun=[{"id": 2, "max_power_kw": 40}]),
    "unequal modules": shape(2, 3, module=[{"id": 3, "power_kw": 20}]),
    "ring": shape(3, 4, matrix={"kind": "ring"}),
}


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The lemmas that were asked for."""
    asked: set[str] = set()
    shipped = consequences.lemma

    def lemma(station: Station, name: str) -> Any:
        asked.add(name)
        return shipped(station, name)

    monkeypatch.setattr(consequences, "lemma", lemma)
    return asked


@pytest.mark.parametrize(
    "obligation", [one for one in COMPOSED if re.fullmatch(r"rule\.[a-z-]+", one.id)], ids=named
)
def test_it_names_the_lemmas_that_it_uses(
    small: Station, obligation: Obligation, used: set[str]
) -> None:
    obligation.claim(small)
    assert used
    assert used - set(consequences.SPECIFICATION) <= said_to_use(obligation)


@pytest.mark.parametrize("obligation", COMPOSED, ids=named)
def test_its_lemmas_are_proved_wherever_it_is(small: Station, obligation: Obligation) -> None:
    for name in said_to_use(obligation):
        assert EVERY[name].expected == PROVED
        for station in (Station.reference(), small, *SHAPES.values()):
            assert EVERY[name].applies(station) or not obligation.applies(station)


def test_no_lemma_rests_on_what_rests_on_it() -> None:
    def below(name: str, above: tuple[str, ...] = ()) -> None:
        assert name not in above
        for lemma in said_to_use(EVERY[name]) & set(EVERY):
            below(lemma, (*above, name))

    for obligation in COMPOSED:
        below(obligation.id)


@pytest.mark.parametrize("name", SHAPES)
def test_every_chain_holds_on_every_shape(name: str) -> None:
    station = SHAPES[name]
    chain = {lemma for one in COMPOSED for lemma in (one.id, *said_to_use(one))}
    for each in sorted(chain):
        if EVERY[each].applies(station):
            assert answer(each, station) == PROVED, each
            assert vacuity(EVERY[each].claim(station))[3] == []


@pytest.mark.parametrize("part", consequences.SPECIFICATION)
def test_without_a_part_the_specification_leaves_a_choice(
    monkeypatch: pytest.MonkeyPatch, small: Station, part: str
) -> None:
    monkeypatch.delitem(consequences.SPECIFICATION, part)
    assert answer("rule.specification-by-turns", small) == REFUTED


@pytest.mark.parametrize(
    "name",
    [
        "rule.turn-is-specified",
        "rule.specification-by-turns",
        "rule.limit-is-kept",
        "rule.no-waste",
    ],
)
def test_without_a_lemma_the_specification_does_not_follow(
    monkeypatch: pytest.MonkeyPatch, small: Station, name: str
) -> None:
    without(monkeypatch, name)
    assert answer("rule.specification-determines-the-output", small) == REFUTED


@pytest.mark.parametrize(
    "name", ["rule.up-to-demand", "rule.usable-and-wanted", "rule.limit-is-kept"]
)
def test_without_a_lemma_the_optimum_does_not_follow(
    monkeypatch: pytest.MonkeyPatch, small: Station, name: str
) -> None:
    without(monkeypatch, name)
    assert answer("rule.lexicographic-optimum", small) == REFUTED


def test_without_counts_in_turn_they_do_not_add_up(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    without(monkeypatch, "rule.turn-counts")
    assert answer("rule.needed-or-all-that-was-left", small) == REFUTED


@pytest.mark.parametrize("rows", [True, False])
def test_a_turn_that_is_half_specified_leaves_a_choice(
    monkeypatch: pytest.MonkeyPatch, small: Station, rows: bool
) -> None:
    """Of the power that it is given, or of the modules that it takes."""
    shipped, power_w = consequences.lemma, small.module_power_w
    one, other = one_gun.Turn(power_w), z3_terms.bools("other", len(power_w))
    given_w = z3_terms.ints("given")
    says = one_gun.row_as_specified(z3_terms, other, given_w, one.granted_w, one.free, power_w)
    half = z3.And(*map(z3_terms.iff, other, one.row)) if rows else given_w == 0
    monkeypatch.setattr(
        consequences,
        "lemma",
        lambda station, name: (
            z3.Implies(says, half) if name == "rule.turn-is-specified" else shipped(station, name)
        ),
    )
    assert answer("rule.specification-determines-the-output", small) == REFUTED


def test_better_is_more_for_the_first_gun_that_differs() -> None:
    for one, other in product(product(range(3), repeat=3), repeat=2):
        assert any(consequences.better(one, other)) == (one > other)


def test_a_rule_that_is_not_its_turns_is_found_out(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    shipped = rule.documented

    def only_together(over: Any, order: Any, *given: Any) -> rule.Choice:
        choice = shipped(over, order, *given)
        more_w = choice.delivered_w[-1] + (len(order) > 1)
        return choice._replace(delivered_w=[*choice.delivered_w[:-1], more_w])

    monkeypatch.setattr(rule, "documented", only_together)
    assert answer("rule.turn-by-turn", small) == REFUTED


def without(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    shipped = consequences.lemma
    monkeypatch.setattr(
        consequences,
        "lemma",
        lambda station, name: z3.BoolVal(True) if name == missing else shipped(station, name),
    )


def test_where_the_guard_lets_more_through_there_may_be_more_than_there_is(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    monkeypatch.setattr(guard, "exclusive", lambda over, held: True)
    assert answer("rule.no-more-than-there-is", small) == REFUTED


def test_turns_that_assume_more_of_the_limit_are_found_out(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    monkeypatch.setattr(one_gun, "bounded", lambda given_w, maximum_w, left_w: given_w >= 0)
    assert answer("rule.limit-is-kept", small) == REFUTED


def test_a_turn_with_other_numbers_is_not_that_guns(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    shipped = one_gun.Turn.put_in

    def put_in(self: one_gun.Turn, scene: Any, gun: int, free: Any, left_w: Any) -> Any:
        return shipped(self, scene, 0, free, left_w)

    monkeypatch.setattr(one_gun.Turn, "put_in", put_in)
    assert answer("rule.turn-by-turn", small) == REFUTED


def test_what_looks_at_a_guns_number_is_more_than_a_naming(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    assert answer("rule.order-is-only-a-naming", small) == PROVED
    monkeypatch.setattr(invariants, "no_waste", lambda over, held, given_w, power_w: given_w[0] > 0)
    assert answer("rule.order-is-only-a-naming", small) == REFUTED


def test_another_loop_is_not_the_rules(monkeypatch: pytest.MonkeyPatch, small: Station) -> None:
    shipped = rule.documented

    def gives_the_last_gun_more(over: Any, order: Any, *given: Any) -> rule.Choice:
        choice = shipped(over, order, *given)
        last = order[-1]
        choice.delivered_w[last] = choice.delivered_w[last] + len(order) - 1
        return choice

    monkeypatch.setattr(rule, "documented", gives_the_last_gun_more)
    assert answer("rule.any-station.loop", small) == REFUTED


@pytest.mark.parametrize("name", ["turn-counts", "no-waste", "loop"])
def test_a_body_that_takes_one_too_many_is_refuted(
    monkeypatch: pytest.MonkeyPatch, small: Station, name: str
) -> None:
    def take(over: Any, grant_w: Any, reached_w: Any, power_w: Any, free: Any, usable: Any) -> Any:
        takes = over.and_(usable, grant_w >= reached_w)
        return takes, reached_w + over.ite(takes, power_w, 0), over.and_(free, over.not_(takes))

    monkeypatch.setattr(rule, "take", take)
    assert answer(f"rule.any-station.{name}", small) == REFUTED


def test_a_need_that_counts_one_less_is_refuted(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    shipped = rule.need
    monkeypatch.setattr(
        rule, "need", lambda over, grant_w, powers: shipped(over, grant_w, powers[1:])
    )
    assert answer("rule.any-station.loop", small) == REFUTED


def test_a_gun_that_is_given_nothing_wastes_its_modules(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    shipped = rule.documented
    monkeypatch.setattr(
        rule, "documented", lambda *given: shipped(*given)._replace(delivered_w=[0] * len(given[1]))
    )
    assert answer("rule.any-station.no-waste", small) == REFUTED
    assert answer("rule.any-station.first-choice", small) == REFUTED
